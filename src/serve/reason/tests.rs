use super::*;

#[test]
fn a_status_has_one_code_whatever_the_body_says() {
    let code = |status, is_sse_address| {
        Reason::Status { status, retry_after: None, is_sse_address }.code()
    };
    for (status, expected) in [
        (301, Code::HttpRedirected),
        (308, Code::HttpRedirected),
        (400, Code::HttpClientError),
        (401, Code::HttpUnauthorized),
        (402, Code::HttpClientError),
        (403, Code::HttpForbidden),
        (404, Code::HttpNotFound),
        (405, Code::HttpLegacySse),
        (407, Code::NetworkProxy),
        (418, Code::HttpClientError),
        (429, Code::HttpRateLimited),
        (451, Code::HttpClientError),
        (500, Code::HttpServerError),
        (502, Code::HttpServerError),
        (599, Code::HttpServerError),
        (600, Code::ProtocolInvalidAnswer),
    ] {
        assert_eq!(code(status, false), expected, "{status}");
    }
    // At the address of events, some servers of the older transport know no POST at all.
    assert_eq!(code(404, true), Code::HttpLegacySse);
    assert_eq!(code(401, true), Code::HttpUnauthorized);
    assert_eq!(code(502, true), Code::HttpServerError);
}

#[test]
fn a_server_that_lives_and_does_not_answer_is_slow_on_either_way() {
    let slow = |is_http| Reason::Slow { within: Duration::from_secs(3), is_http }.code();
    assert_eq!(slow(false), Code::StdioHandshakeTimeout);
    assert_eq!(slow(true), Code::HttpTimeout);
}

#[test]
fn what_a_change_alone_can_heal_is_parked_and_nothing_else() {
    let path = Reason::NotFound { is_path: true };
    for parked in [path, Reason::NoPermission, Reason::NotExecutable, Reason::NoDirectory] {
        assert!(parked.is_parked(), "{parked}");
    }
    let not_found = Reason::Status { status: 404, retry_after: None, is_sse_address: false };
    for passing in [Reason::EndedEarly, Reason::Lost, Reason::Login, not_found] {
        assert!(!passing.is_parked(), "{passing}");
    }
}

#[test]
fn a_hint_follows_the_reason() {
    let diagnosis = Diagnosis { reason: Reason::NoDirectory, hint: Some(Hint::RelativeCommand) };
    assert_eq!(
        diagnosis.to_string(),
        format!("{}; {}", Reason::NoDirectory, Hint::RelativeCommand)
    );
    assert_eq!(Diagnosis::from(Reason::NoDirectory).to_string(), Reason::NoDirectory.to_string());
}
