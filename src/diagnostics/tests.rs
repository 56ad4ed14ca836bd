//! Tests of the catalog.

use super::{CODES, Code, PREFIX};

/// The codes that were ever given out, as they were given out. A new one is added here; none ever leaves.
const FROZEN: &str = "
    STDIO_NOT_FOUND STDIO_NO_PERMISSION STDIO_NOT_EXECUTABLE STDIO_EXITED_EARLY
    STDIO_EXITED STDIO_HANDSHAKE_TIMEOUT STDIO_HANDSHAKE_INVALID STDIO_STDOUT_POLLUTED
    HTTP_UNAUTHORIZED HTTP_FORBIDDEN HTTP_NOT_FOUND HTTP_CLIENT_ERROR
    HTTP_RATE_LIMITED HTTP_SERVER_ERROR HTTP_REFUSED HTTP_RESET
    HTTP_DNS HTTP_TLS HTTP_TIMEOUT HTTP_REDIRECTED
    HTTP_LEGACY_SSE HTTP_LOGIN_REQUIRED
    NETWORK_OFFLINE NETWORK_PROXY
    CONFIG_UNREADABLE CONFIG_INVALID_ENTRY CONFIG_INVALID_COMMAND CONFIG_MISSING_SECRET
    CONFIG_DEPRECATED
    CONTAINER_ENGINE_NOT_FOUND CONTAINER_DAEMON_DOWN CONTAINER_NO_PERMISSION CONTAINER_PULL_FAILED
    CONTAINER_MISSING_TOOL
    PROTOCOL_VERSION PROTOCOL_INVALID_LIST PROTOCOL_INVALID_ANSWER PROTOCOL_TOO_LARGE
    PROTOCOL_CALL_TIMEOUT
    STORE_BUSY STORE_DAMAGED STORE_FULL STORE_READ_ONLY
    STORE_REMOTE STORE_NEWER
    CONSENT_UNREADABLE
    ENDPOINT_UNREACHABLE ENDPOINT_REFUSED ENDPOINT_RETIRED
    GATE_REFUSED
    UNKNOWN
";

#[test]
fn a_code_is_never_renamed_taken_away_or_reused() {
    let frozen: Vec<String> =
        FROZEN.split_whitespace().map(|code| format!("MCPX_{code}")).collect();
    assert_eq!(CODES.to_vec(), frozen);
}

#[test]
fn a_code_is_spelled_in_capitals_and_named_once() {
    for (position, code) in CODES.iter().enumerate() {
        let name = code.strip_prefix("MCPX_").expect(code);
        assert!(name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
        assert!(!CODES[..position].contains(code), "{code}");
    }
}

#[test]
fn a_code_of_the_program_is_spelled_as_its_place_says() {
    for (code, spelled) in Code::ALL.into_iter().zip(CODES) {
        assert_eq!(code.as_str(), spelled);
        let name = spelled.strip_prefix("MCPX_").expect(spelled).replace('_', "");
        assert_eq!(format!("{code:?}").to_ascii_uppercase(), name);
    }
}

#[test]
fn a_code_is_understood_with_and_without_its_prefix_in_any_case() {
    for code in Code::ALL {
        let name = code.as_str().strip_prefix(PREFIX).expect("a prefix");
        for typed in [code.as_str(), name, &name.to_lowercase(), &format!("mcpx_{name}")] {
            assert_eq!(Code::parse(typed), Some(code), "{typed}");
        }
    }
    for no_code in ["", "MCPX_", "MCPX", "STDIO", "MCPX_MCPX_UNKNOWN", " UNKNOWN", "not\u{17f}"] {
        assert_eq!(Code::parse(no_code), None, "{no_code}");
    }
}

/// Retrying these is pointless before something changes; a server of any other code is tried again by itself.
#[test]
fn only_what_a_change_can_mend_is_permanent() {
    let permanent: Vec<_> = Code::ALL.into_iter().filter(|code| code.is_permanent()).collect();
    assert_eq!(
        permanent,
        [
            Code::StdioNotFound,
            Code::StdioNoPermission,
            Code::StdioNotExecutable,
            Code::ConfigUnreadable,
            Code::ConfigInvalidEntry,
            Code::ConfigInvalidCommand,
            Code::ConfigMissingSecret,
            Code::ContainerEngineNotFound,
            Code::ContainerMissingTool,
        ]
    );
}

#[cfg(any(feature = "cli", feature = "serve"))]
mod catalog {
    use crate::diagnostics::{ACTIONS, Action, Code, Severity, Step};

    #[test]
    fn every_code_says_in_one_sentence_what_it_means_and_names_a_step() {
        for code in Code::ALL {
            let sentence = code.sentence();
            let is_sentence = sentence.starts_with(char::is_uppercase)
                && sentence.ends_with('.')
                && !sentence.contains(". ");
            assert!(is_sentence, "{code}: {sentence}");
            for step in code.steps() {
                let Step::Advice(text) = step else { continue };
                assert!(text.starts_with(char::is_uppercase) && text.ends_with('.'), "{text}");
            }
            assert!(!code.steps().is_empty(), "{code}");
            let others = Code::ALL.into_iter().filter(|other| *other != code);
            assert!(others.map(Code::sentence).all(|other| other != sentence), "{code}");
        }
    }

    /// A person whom a permanent error stops must do something: the program alone does not.
    #[test]
    fn what_is_permanent_is_an_error_and_has_advice() {
        for code in Code::ALL.into_iter().filter(|code| code.is_permanent()) {
            assert_eq!(code.severity(), Severity::Error, "{code}");
            let has_advice = code.steps().iter().any(|step| matches!(step, Step::Advice(_)));
            assert!(has_advice, "{code}");
        }
    }

    #[test]
    fn an_action_is_found_by_its_spelling() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
        }
        assert_eq!(Action::parse("log_in"), None);
        assert_eq!(ACTIONS, Action::ALL.map(Action::as_str));
    }

    #[test]
    fn every_action_helps_with_some_code() {
        for action in Action::ALL {
            let mut steps = Code::ALL.into_iter().flat_map(Code::steps);
            assert!(steps.any(|step| *step == Step::Action(action)), "{action:?}");
        }
    }
}
