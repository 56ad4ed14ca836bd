use super::*;
use crate::config::servers::{STARTUP_TIMEOUT, TOOL_TIMEOUT};
use crate::contract::Protocol;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const CANARY: &str = "canary in \"quotes\"/+~ \u{e4}";

fn entry(transport: Transport) -> ServerEntry {
    ServerEntry {
        name: "files".into(),
        enabled: true,
        protocol: Protocol::Auto,
        transport: Ok(transport),
        startup_timeout: STARTUP_TIMEOUT,
        tool_timeout: TOOL_TIMEOUT,
    }
}

fn stdio(args: &[&str], env: &[(&str, &str)]) -> ServerEntry {
    entry(Transport::Stdio {
        command: "server".into(),
        args: args.iter().map(|&arg| arg.into()).collect(),
        env: env.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        cwd: None,
    })
}

fn variables(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn a_value_of_the_entry_is_removed_in_every_form_that_is_looked_for() {
    let scrubber = Scrubber::of(&stdio(&[], &[("ANY_NAME", CANARY)]), &[]);
    let json = format!("{{\"env\":{}}}", serde_json::Value::from(CANARY));
    let url: String = CANARY
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    for said in [CANARY.to_owned(), json, url.clone(), url.to_lowercase(), hex] {
        let shown = scrubber.scrub(&format!("before {said} after"));
        assert!(shown.contains(REMOVED) && !shown.contains("canary"), "{shown}");
        assert!(!shown.contains("63616e617279") && !shown.contains("quotes"), "{shown}");
        assert!(shown.starts_with("before ") && shown.ends_with(" after"), "{shown}");
    }
    for before in ["", "u", "us", "user:"] {
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            let said = engine.encode(format!("{before}{CANARY} and more"));
            let shown = scrubber.scrub(&said);
            assert!(shown.contains(REMOVED) && shown.len() < said.len() / 2 + 6, "{shown}");
        }
    }
}

#[test]
fn secrets_of_arguments_headers_and_urls_are_removed() {
    let secret = "hunter2-hunter2";
    for args in [
        &["--api-key", secret][..],
        &["--token=hunter2-hunter2"],
        &["-H", "Authorization: hunter2-hunter2"],
        &["PASSWORD=hunter2-hunter2"],
        &["--db", "postgres://admin:hunter2-hunter2@db.example/x"],
        &["https://mcp.example/mcp?sid=hunter2-hunter2&page=1"],
        &["https://mcp.example/mcp?sid=hunter2%2Dhunter2"],
    ] {
        let shown = Scrubber::of(&stdio(args, &[]), &[]).scrub("got hunter2-hunter2!");
        assert_eq!(shown, "got ***!", "{args:?}");
    }
    let http = |url: &str, header: &str| {
        let headers = vec![("X-Anything".to_owned(), header.to_owned())];
        Scrubber::of(&entry(Transport::Http { url: url.into(), headers }), &[])
    };
    let plain = "https://mcp.example/mcp";
    assert_eq!(http(plain, secret).scrub("got hunter2-hunter2!"), "got ***!");
    assert_eq!(http(plain, "Odd hunter2-hunter2").scrub("got hunter2-hunter2!"), "got ***!");
    let in_url = http("https://hunter2-hunter2@mcp.example/?code=hunter3-hunter3", "");
    assert_eq!(in_url.scrub("hunter2-hunter2 hunter3-hunter3"), "*** ***");
    // Ordinary arguments stay: they say what the server is about.
    let plain = Scrubber::of(&stdio(&["-y", "some-package", "notes"], &[]), &[]);
    assert_eq!(plain.scrub("some-package: no notes"), "some-package: no notes");
}

#[test]
fn secrets_of_our_own_environment_are_removed_and_other_variables_stay() {
    let own = variables(&[
        ("GITHUB_TOKEN", "value-of-it-1"),
        ("AWS_SECRET_ACCESS_KEY", "value-of-it-2"),
        ("DB_PASSWORD", "value-of-it-3"),
        ("DATABASE_URL", "postgres://admin:value-of-it-4@db.example/x"),
        ("LANG", "value-of-it-5"),
        ("PWD", "/srv/value-of-it-6"),
        ("WORDS", "expanded-value"),
    ]);
    let scrubber = Scrubber::of(&stdio(&[], &[("TEXT", "${WORDS}")]), &own);
    for (said, shown) in [
        ("value-of-it-1", REMOVED),
        ("value-of-it-2", REMOVED),
        ("value-of-it-3", REMOVED),
        ("value-of-it-4", REMOVED),
        ("value-of-it-5", "value-of-it-5"),
        ("/srv/value-of-it-6", "/srv/value-of-it-6"),
        ("expanded-value", REMOVED),
    ] {
        assert_eq!(scrubber.scrub(said), shown);
    }
}

#[test]
fn what_looks_like_a_secret_is_removed_wherever_it_comes_from() {
    let scrubber = Scrubber::default();
    for (said, shown) in [
        ("got ghp_abcdefghijKLMNOPQRST1234.", "got ***."),
        ("key sk-abcdefghij-klmnop1234, bad", "key ***, bad"),
        ("xoxb-1234567890-abc", REMOVED),
        ("(AKIAIOSFODNN7EXAMPLE)", "(***)"),
        ("\u{1b}[33mAKIAIOSFODNN7EXAMPLE\u{1b}[0m", REMOVED),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", REMOVED),
        ("Authorization: Bearer abc123", "Authorization: Bearer ***"),
        ("header 'Basic dXNlcjpwYXNz0'", "header 'Basic ***'"),
        ("PASSWORD=hunter2", "PASSWORD=***"),
        ("{\"api_key\": \"abcdef\"}", "{\"api_key\": \"***\"}"),
        ("{\\\"apiKey\\\":\\\"abcdef\\\"}", "{\\\"apiKey\\\":\\\"***\\\"}"),
        ("GET https://u:p@x.example/a?b=c#d failed", "GET https://***@x.example/a?***#d failed"),
    ] {
        assert_eq!(scrubber.scrub(said), shown);
    }
    for said in [
        "Error: Cannot find module '/srv/app/node_modules/some-very-long-package-name/index.js'",
        "listening on http://127.0.0.1:3000/mcp",
        "the token: expired yesterday",
        "Bearer tokens are not supported",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "TypeError [ERR_INVALID_ARG_TYPE]: key must be a string",
    ] {
        assert_eq!(scrubber.scrub(said), said);
    }
}

#[test]
fn the_home_directory_is_a_tilde_and_characters_that_act_are_spelled_out() {
    let scrubber = Scrubber::of(&stdio(&[], &[]), &variables(&[(HOME_VARIABLE, "/home/jo")]));
    for (said, shown) in [
        ("open /home/jo/notes: no", "open ~/notes: no"),
        ("in '/home/jo'", "in '~'"),
        ("/home/joan /home/jo-2 /home/jo", "/home/joan /home/jo-2 ~"),
        ("\u{1b}[1;31mred\u{1b}[0m \u{1b}[2Jgone\u{202e}\r", "red \\u001b[2Jgone\\u202e\\u000d"),
        ("\u{1b}[", "\\u001b["),
    ] {
        assert_eq!(scrubber.scrub(said), shown);
    }
}

#[test]
fn a_short_value_is_an_ordinary_word() {
    let scrubber = Scrubber::of(&stdio(&[], &[("DEBUG", "1"), ("LEVEL", "debug")]), &[]);
    assert_eq!(scrubber.scrub("debug: 1 of 10"), "debug: 1 of 10");
}
