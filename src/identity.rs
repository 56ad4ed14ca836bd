//! The install's anonymous id.

/// The id and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A UUID, byte for byte as in the config.
    pub anonymous_id: String,
    /// RFC 3339 UTC.
    pub created_at: String,
}
