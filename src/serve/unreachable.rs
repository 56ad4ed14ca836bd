//! Why a server over HTTP cannot be reached, in words a person can act on.
//!
//! One rule: no part of an address is in them.

use crate::diagnostics::Code;
use mcpproxy_platform::limits;
use std::error::Error;
use std::fmt;
use std::io;

/// Why no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nothing listens there.
    Refused,
    /// The connection was cut.
    Reset,
    /// Its name has no address.
    Name,
    /// Its certificate is not trusted.
    Certificate,
    /// No TLS connection was agreed on.
    Tls,
    /// It took too long.
    TimedOut,
    /// There is no way to it.
    Offline,
    /// The proxy that is to be asked did not lead there.
    Proxy,
    /// As the system says.
    System(String),
}

impl Unreachable {
    /// Its code in the catalog.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused => Code::HttpRefused,
            Self::Reset => Code::HttpReset,
            Self::Name => Code::HttpDns,
            Self::Certificate | Self::Tls => Code::HttpTls,
            Self::TimedOut => Code::HttpTimeout,
            Self::Offline => Code::NetworkOffline,
            Self::Proxy => Code::NetworkProxy,
            Self::System(_) => Code::Unknown,
        }
    }

    /// What one cause of an error says; `None` when it says nothing by itself.
    pub fn of(cause: &(dyn Error + 'static)) -> Option<Self> {
        // The type is private to the HTTP client.
        if cause.to_string() == "dns error" {
            return Some(Self::Name);
        }
        if let Some(error) = cause.downcast_ref::<hyper::Error>()
            && error.is_incomplete_message()
        {
            return Some(Self::Reset);
        }
        match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => return Some(Self::Certificate),
            Some(_) => return Some(Self::Tls),
            None => {}
        }
        let error = cause.downcast_ref::<io::Error>()?;
        // What it holds says more, and is none of its sources.
        let inside = error.get_ref().and_then(|inside| Self::of(inside));
        match inside {
            None if error.source().is_some() => None,
            inside => Some(inside.unwrap_or_else(|| Self::of_system(error))),
        }
    }

    fn of_system(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown => Self::Offline,
            kind => Self::System(match (limits::in_words(error), kind.to_string()) {
                (Some(words), _) => words,
                // The system has words where the kind has none.
                (None, kind) if kind == "uncategorized error" => match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code).to_string(),
                    None => String::new(),
                },
                (None, kind) => kind,
            }),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Self::Refused => "connection refused",
            Self::Reset => "the connection was closed before it answered",
            Self::Name => "the name in its `url` cannot be resolved to an address",
            Self::Certificate => "its certificate is not one that this system trusts",
            Self::Tls => "no TLS connection could be agreed on",
            Self::TimedOut => "timed out",
            Self::Offline => "this machine has no way to its network",
            Self::Proxy => {
                "the proxy that the environment names (`HTTPS_PROXY` and the like) does not lead there"
            }
            Self::System(words) if words.is_empty() => return f.write_str("it cannot be reached"),
            Self::System(words) => words,
        };
        write!(f, "it cannot be reached: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_kind_is_told_in_the_words_of_the_system() {
        // ENOTUNIQ has no kind of its own.
        let nameless = io::Error::from_raw_os_error(76);
        let said = Unreachable::of(&nameless).expect("a reason").to_string();
        assert!(!said.contains("uncategorized"), "{said}");
        assert_eq!(Unreachable::of(&fmt::Error), None);
    }

    #[test]
    fn errors_of_the_system_have_their_codes() {
        for (kind, code) in [
            (io::ErrorKind::ConnectionRefused, Code::HttpRefused),
            (io::ErrorKind::ConnectionReset, Code::HttpReset),
            (io::ErrorKind::UnexpectedEof, Code::HttpReset),
            (io::ErrorKind::TimedOut, Code::HttpTimeout),
            (io::ErrorKind::HostUnreachable, Code::NetworkOffline),
            (io::ErrorKind::NetworkUnreachable, Code::NetworkOffline),
            (io::ErrorKind::AddrInUse, Code::Unknown),
        ] {
            let error: io::Error = kind.into();
            assert_eq!(Unreachable::of(&error).map(|it| it.code()), Some(code), "{kind:?}");
        }
    }
}
