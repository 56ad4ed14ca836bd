//! Tests of the catalog.

use super::{CODES, Code};

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
