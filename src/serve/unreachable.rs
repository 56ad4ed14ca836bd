//! Why a server over HTTP cannot be reached, in words a person can act on.
//!
//! One rule: no part of an address is in them.

use mcpproxy_platform::limits;
use std::error::Error;
use std::io;

/// The words for one cause of an error; `None` when it says nothing by itself.
pub fn words(cause: &(dyn Error + 'static)) -> Option<String> {
    // The type is private to the HTTP client.
    if cause.to_string() == "dns error" {
        let words = "it cannot be reached: the name in its `url` cannot be resolved to an address";
        return Some(words.into());
    }
    let error = cause.downcast_ref::<io::Error>()?;
    let tls = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match tls {
        rustls::Error::InvalidCertificate(_) => {
            "it cannot be reached: its certificate is not one that this system trusts".into()
        }
        _ => "it cannot be reached: no TLS connection could be agreed on".into(),
    })
}

/// The words for an error of the system: its own, where the kind has none.
pub fn of_system(error: &io::Error) -> String {
    if let Some(words) = limits::in_words(error) {
        return format!("it cannot be reached: {words}");
    }
    let kind = error.kind().to_string();
    match error.raw_os_error() {
        Some(code) if kind == "uncategorized error" => {
            format!("it cannot be reached: {}", io::Error::from_raw_os_error(code))
        }
        _ if kind == "uncategorized error" => "it cannot be reached".into(),
        _ => format!("it cannot be reached: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_kind_is_told_in_the_words_of_the_system() {
        // ENOTUNIQ has no kind of its own.
        let nameless = io::Error::from_raw_os_error(76);
        let said = of_system(&nameless);
        assert!(!said.contains("uncategorized"), "{said}");
        let refused = of_system(&io::ErrorKind::ConnectionRefused.into());
        assert_eq!(refused, "it cannot be reached: connection refused");
        assert_eq!(words(&nameless), None);
    }
}
