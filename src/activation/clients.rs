//! Canonical client names.

/// The canonical form of a raw `clientInfo.name`; `unknown` when it has none or `is_leak` refuses it.
/// Raw names are never stored or logged.
pub fn canonical(_raw: &str, _is_leak: &dyn Fn(&str) -> bool) -> String {
    todo!("gate room")
}

/// Whether `name` is in the known vocabulary (`unknown` included).
pub fn is_known(_name: &str) -> bool {
    todo!("gate room")
}
