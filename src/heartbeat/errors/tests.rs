//! What a heartbeat says of errors.

use super::*;
use crate::activation::ErrorMark;

const T: u64 = 1_790_000_000;

fn met(codes: &[Code]) -> Errors {
    let mut errors = Errors::default();
    codes.iter().for_each(|code| _ = errors.apply(ErrorMark::Met(*code), T));
    errors
}

#[test]
fn an_install_without_errors_says_nothing_of_them() {
    assert_eq!(diagnostics(&Errors::default(), &Standing::default(), T), None);
    let standing = Standing::from(vec![(Code::HttpDns, 0)]);
    assert_eq!(diagnostics(&Errors::default(), &standing, T), None);
}

#[test]
fn a_code_that_was_met_long_ago_is_one_of_those_ever_met() {
    let errors = met(&[Code::HttpDns, Code::HttpTls]);
    let said = diagnostics(&errors, &Standing::default(), T + 100 * 86_400);
    let expected = Diagnostics {
        unique_codes_ever: 2,
        last_error_code: Some("MCPX_HTTP_TLS".to_owned()),
        ..Diagnostics::default()
    };
    assert_eq!(said, Some(expected));
}

#[test]
fn changes_and_standing_states_are_told_apart() {
    let errors = met(&[Code::HttpDns, Code::HttpDns]);
    let standing = Standing::from(vec![(Code::StdioNotFound, 3)]);
    let said = diagnostics(&errors, &standing, T).expect("something to say");
    let counts = |all: &[(&str, u64)]| -> BTreeMap<String, u64> {
        all.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
    };
    assert_eq!(said.error_code_counts_24h, counts(&[("MCPX_HTTP_DNS", 2)]));
    assert_eq!(said.current_error_codes, counts(&[("MCPX_STDIO_NOT_FOUND", 3)]));
}

#[test]
fn of_many_codes_the_most_frequent_are_sent_and_of_equal_ones_the_first_of_the_catalog() {
    let mut codes = Code::ALL.to_vec();
    codes.extend([Code::Unknown; 2]);
    let said = diagnostics(&met(&codes), &Standing::default(), T).expect("something to say");
    let mut expected: Vec<&str> = Code::ALL[..19].iter().map(|code| code.as_str()).collect();
    expected.push("MCPX_UNKNOWN");
    expected.sort_unstable();
    let sent: Vec<&str> = said.error_code_counts_24h.keys().map(String::as_str).collect();
    assert_eq!(sent, expected);
    assert_eq!(said.unique_codes_ever, Code::ALL.len() as u64);
}

#[test]
fn more_fixes_than_can_be_said_are_the_most_that_can() {
    let mut errors = Errors::default();
    for _ in 0..1001 {
        errors.apply(ErrorMark::FixAttempted, T);
        errors.apply(ErrorMark::FixSucceeded, T);
    }
    let said = diagnostics(&errors, &Standing::default(), T).expect("something to say");
    assert_eq!((said.fix_attempted_24h, said.fix_succeeded_24h), (1000, 1000));
}
