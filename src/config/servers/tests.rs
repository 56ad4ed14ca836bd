use super::*;
use proptest::prelude::*;

fn entries(text: &str) -> Vec<ServerEntry> {
    parse(text.as_bytes()).unwrap()
}

/// The entry `{..}` of that text.
fn entry(text: &str) -> ServerEntry {
    entries(&format!(r#"{{"mcpServers":{{"a":{text}}}}}"#)).remove(0)
}

fn trouble(text: &str) -> String {
    entry(text).transport.expect_err(text).to_string()
}

fn stdio(command: &str) -> Transport {
    Transport::Stdio { command: command.into(), args: vec![], env: vec![], cwd: None }
}

fn http(url: &str) -> Transport {
    Transport::Http { url: url.into(), headers: vec![] }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

#[test]
fn a_map_and_an_array_say_the_same() {
    let map = r#"{"mcpServers":{"a":{"command":"x"},"b":{"url":"http://h/"}}}"#;
    let array = r#"{"mcpServers":[{"name":"a","command":"x"},{"url":"http://h/","name":"b"}]}"#;
    let read = entries(map);
    assert_eq!(read, entries(array));
    assert_eq!(read, entries(&format!("\u{feff}{array}\r\n")));
    let expected = ServerEntry {
        name: "a".into(),
        enabled: true,
        protocol: Protocol::Auto,
        transport: Ok(stdio("x")),
        startup_timeout: STARTUP_TIMEOUT,
        tool_timeout: TOOL_TIMEOUT,
    };
    assert_eq!(read[0], expected);
    assert_eq!((read[1].name.as_str(), &read[1].transport), ("b", &Ok(http("http://h/"))));
    for nothing in ["{}", r#"{"mcpServers":{}}"#, r#"{"mcpServers":[]}"#] {
        assert_eq!(entries(nothing), [], "{nothing}");
    }
}

#[test]
fn every_key_of_a_stdio_server_is_read() {
    let read = entry(
        r#"{"type":"STDIO","command":"npx","args":["-y","x"],"env":{"A":"1","B":2.50,"C":true},
        "working_dir":"/w","enabled":true,"disabled":null,"startup_timeout_sec":0.5,
        "tool_timeout_sec":1e9,"theirs":{"a":[1]}}"#,
    );
    let expected = Transport::Stdio {
        command: "npx".into(),
        args: vec!["-y".into(), "x".into()],
        env: vec![pair("A", "1"), pair("B", "2.50"), pair("C", "true")],
        cwd: Some("/w".into()),
    };
    assert_eq!(read.transport, Ok(expected));
    assert!(read.enabled && read.protocol == Protocol::Stdio);
    assert_eq!(read.startup_timeout, Duration::from_millis(500));
    assert_eq!(read.tool_timeout, Duration::from_secs(86_400));
}

#[test]
fn every_spelling_of_a_protocol_and_of_a_url_is_read() {
    for (spelling, protocol) in [
        ("http", Protocol::Http),
        ("sse", Protocol::Sse),
        ("SSE", Protocol::Sse),
        ("streamable-http", Protocol::StreamableHttp),
        ("streamable_http", Protocol::StreamableHttp),
        ("streamableHttp", Protocol::StreamableHttp),
        ("Auto", Protocol::Auto),
    ] {
        for (type_key, url_key) in
            [("type", "url"), ("transport", "serverUrl"), ("protocol", "httpUrl")]
        {
            let text = format!(
                r#"{{"{type_key}":"{spelling}","{url_key}":"https://h/m","headers":{{"K":"v"}}}}"#
            );
            let read = entry(&text);
            let headers = vec![pair("K", "v")];
            let expected = Transport::Http { url: "https://h/m".into(), headers };
            assert_eq!((read.protocol, read.transport), (protocol, Ok(expected)), "{text}");
        }
    }
}

#[test]
fn either_objection_disables() {
    for (text, enabled) in [
        (r#"{"command":"x","enabled":false}"#, false),
        (r#"{"command":"x","disabled":true}"#, false),
        (r#"{"command":"x","enabled":true,"disabled":true}"#, false),
        (r#"{"command":"x","enabled":true,"disabled":false}"#, true),
        (r#"{"command":"x"}"#, true),
    ] {
        assert_eq!(entry(text).enabled, enabled, "{text}");
    }
}

#[test]
fn what_is_wrong_names_the_key_and_never_a_value() {
    for (text, parts) in [
        ("7", &["object"][..]),
        ("{}", &["neither `command` nor `url`"]),
        (r#"{"command":null}"#, &["neither"]),
        (r#"{"command":"SECRET","url":"http://h"}"#, &["both `command` and `url`"]),
        (r#"{"command":""}"#, &["`command` is empty"]),
        (r#"{"command":["SECRET"]}"#, &["`command` must be a string"]),
        (r#"{"command":"x","args":"SECRET"}"#, &["`args` must be an array of strings"]),
        (r#"{"command":"x","args":["SECRET",1]}"#, &["`args` must be"]),
        (r#"{"command":"x","env":["SECRET"]}"#, &["`env` must be an object"]),
        (r#"{"command":"x","env":{"A":null}}"#, &["`env` must be"]),
        (r#"{"command":"x","env":{"A=SECRET":""}}"#, &["`env` has a name"]),
        (r#"{"command":"x","env":{"A":"SECRET\u0000"}}"#, &["NUL"]),
        (r#"{"command":"x","cwd":7}"#, &["`cwd` must be a string"]),
        (
            r#"{"command":"x","cwd":"a","working_dir":"SECRET"}"#,
            &["`cwd` and `working_dir` disagree"],
        ),
        (r#"{"command":"x","type":"SECRET"}"#, &["`type` must be one of", "streamable-http"]),
        (r#"{"command":"x","transport":{}}"#, &["`transport` must be a string"]),
        (r#"{"command":"x","type":"http"}"#, &["not stdio"]),
        (r#"{"url":"http://h","type":"stdio"}"#, &["type is stdio"]),
        (r#"{"url":"SECRET"}"#, &["`url` must start with http:// or https://"]),
        (r#"{"httpUrl":"ftp://SECRET"}"#, &["`httpUrl` must start"]),
        (r#"{"url":"http://a","httpUrl":"http://SECRET"}"#, &["`url` and `httpUrl` disagree"]),
        (r#"{"url":"http://h","headers":{"K":7}}"#, &["`headers` must be"]),
        (r#"{"url":"http://h","headers":{"K: SECRET":""}}"#, &["`headers` has a name"]),
        (r#"{"url":"http://h","headers":{"K":"SECRET\r\nX: y"}}"#, &["`headers.K`"]),
        (r#"{"command":"x","enabled":"SECRET"}"#, &["`enabled` must be true or false"]),
        (r#"{"command":"x","disabled":1}"#, &["`disabled` must be"]),
        (r#"{"command":"x","startup_timeout_sec":0}"#, &["`startup_timeout_sec`", "positive"]),
        (r#"{"command":"x","tool_timeout_sec":-1}"#, &["`tool_timeout_sec`"]),
        (r#"{"command":"x","tool_timeout_sec":"SECRET"}"#, &["`tool_timeout_sec`"]),
        (r#"{"command":"x","tool_timeout_sec":1e-400}"#, &["`tool_timeout_sec`"]),
    ] {
        let why = trouble(text);
        for part in parts {
            assert!(why.contains(part), "{text}: {why}");
        }
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn an_entry_whose_name_makes_full_names_ambiguous_is_broken_and_told_by_its_name() {
    for text in [
        r#"{"mcpServers":{"github":{"command":"x"},"github:work":{"command":"y"},"GitHub":{"url":"http://h"},"b":{"command":"z"},"c:":{"command":"z","enabled":false}}}"#,
        r#"{"mcpServers":[{"name":"github","command":"x"},{"name":"github:work","command":"y"},{"name":"GitHub","url":"http://h"},{"name":"b","command":"z"},{"name":"c:","command":"z","enabled":false}]}"#,
    ] {
        let read = entries(text);
        let names: Vec<&str> = read.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["github", "github:work", "GitHub", "b", "c:"]);
        let wrong =
            |at: usize| read[at].trouble().map(|error| error.to_string()).unwrap_or_default();
        assert!(wrong(0).is_empty() && wrong(3).is_empty());
        assert!(wrong(1).contains("colon") && wrong(2).contains("looks the same"));
        assert!(!read[4].enabled && wrong(4).contains("colon"));
    }
    // One that cannot be seen has its place for a name, and those that are wrong twice are both told.
    let read = entries(
        r#"{"mcpServers":[{"name":"a\u200b","command":"x"},{"name":"a:","command":"x"},{"name":"a:","command":"x"}]}"#,
    );
    let names: Vec<&str> = read.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["#1", "a:", "#3"]);
    assert!(read.iter().all(|entry| entry.transport.is_err()));
}

#[test]
fn a_broken_entry_is_its_own_trouble_and_has_a_name_of_its_own() {
    let long = "n".repeat(MAX_NAME + 1);
    let text = format!(
        r##"{{"mcpServers":[{{"name":"a","command":"x"}},{{"name":"a","command":"y"}},7,
        {{"command":"x"}},{{"name":"","command":"x"}},{{"name":"b\n","command":"x"}},
        {{"name":"{long}","command":"x"}},{{"name":"#2","command":"x"}}]}}"##
    );
    let read = entries(&text);
    let names: Vec<&str> = read.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a", "##2", "#3", "#4", "#5", "#6", "#7", "#2"]);
    let broken: Vec<bool> = read.iter().map(|entry| entry.transport.is_err()).collect();
    assert_eq!(broken, [false, true, true, true, true, true, true, false]);
    for (entry, part) in
        read[1..7].iter().zip(["same", "object", "missing", "empty", "control", "128"])
    {
        assert!(entry.trouble().is_some_and(|why| why.to_string().contains(part)), "{entry:?}");
    }
    assert!(
        entries(&format!(r#"{{"mcpServers":{{"{}":{{"command":"x"}}}}}}"#, "\u{e4}".repeat(128)))
            [0]
        .transport
        .is_ok()
    );
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_the_whole() {
    for (text, part) in [
        ("", "empty"),
        ("{", "not valid JSON"),
        ("{} // x", "not valid JSON"),
        (r#"{"mcpServers":{"a":{},"a":{}}}"#, "duplicate key"),
        ("[]", "not a JSON object"),
        (r#"{"mcpServers":null}"#, "`mcpServers` must be"),
        (r#"{"mcpServers":"SECRET"}"#, "`mcpServers` must be"),
    ] {
        let why = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(why.contains(part) && !why.contains("SECRET"), "{text}: {why}");
    }
    // Telemetry's own trouble is not the servers'.
    assert_eq!(entries(r#"{"telemetry":7,"mcpServers":{"a":{"command":"x"}}}"#).len(), 1);
}

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "A" => "1",
        "URL" => "https://h/m",
        "NO_URL" => "SECRET",
        "LINES" => "SECRET\r\nX: y",
        "EMPTY" => "",
        HOME_VARIABLE => "/home/me",
        _ => return None,
    };
    Some(value.to_owned())
}

#[test]
fn variables_are_expanded_where_they_may_stand() {
    let read = entry(
        r#"{"command":"~/bin/${A}","args":["~/${A}"],"env":{"${A}":"${env:A}"},"cwd":"~/${A}"}"#,
    );
    let expected = Transport::Stdio {
        command: "/home/me/bin/1".into(),
        args: vec!["~/1".into()],
        env: vec![pair("${A}", "1")],
        cwd: Some("/home/me/1".into()),
    };
    assert_eq!(read.expanded(&variables), Ok(expected));
    let read = entry(r#"{"url":"${URL}/${A}","headers":{"K":"Bearer ${A}"}}"#);
    let headers = vec![pair("K", "Bearer 1")];
    let expected = Transport::Http { url: "https://h/m/1".into(), headers };
    assert_eq!(read.expanded(&variables), Ok(expected));
}

#[test]
fn what_cannot_be_expanded_names_variable_and_key_and_never_a_value() {
    for (text, parts) in [
        (r#"{"command":"${MISSING}"}"#, &["`command`", "MISSING"][..]),
        (r#"{"command":"x","args":["SECRET","${MISSING}"]}"#, &["`args[1]`", "MISSING"]),
        (r#"{"command":"x","env":{"K":"${MISSING}"}}"#, &["`env.K`", "MISSING"]),
        (r#"{"command":"x","cwd":"/${MISSING}"}"#, &["`cwd`", "MISSING"]),
        (r#"{"command":"${EMPTY}"}"#, &["`command` is empty"]),
        (r#"{"url":"https://h/${MISSING}"}"#, &["`url`", "MISSING"]),
        (r#"{"url":"${NO_URL}"}"#, &["`url` must start with"]),
        (r#"{"url":"https://h/${LINES}"}"#, &["`url` has blanks"]),
        (r#"{"url":"https://h","headers":{"K":"${MISSING}"}}"#, &["`headers.K`", "MISSING"]),
        (r#"{"url":"https://h","headers":{"K":"${LINES}"}}"#, &["`headers.K` has control"]),
        (r#"{"url":"https://h","headers":{"K":"${input:SECRET}"}}"#, &["`headers.K`", "${NAME}"]),
        (r#"{"command":"SECRET","url":"https://h"}"#, &["both"]),
        (r#"{"type":"sse","url":"https://h"}"#, &[SSE_UNSUPPORTED]),
    ] {
        let error = entry(text).expanded(&variables).unwrap_err();
        let is_foreign = text.contains("${input:");
        assert!(
            !is_foreign || entry(text).trouble().as_ref() == Some(&error),
            "known from the file"
        );
        let why = error.to_string();
        for part in parts {
            assert!(why.contains(part), "{text}: {why}");
        }
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn only_the_command_word_and_the_origin_are_shown() {
    for (transport, shown) in [
        (stdio("npx"), "npx"),
        (stdio("npx -y x --token=SECRET"), "npx .."),
        (stdio("TOKEN=SECRET npx"), "TOKEN .."),
        (stdio("${NODE:-SECRET}"), "${NODE}"),
        (http("https://u:SECRET@h:1/SECRET?SECRET"), "https://h:1"),
    ] {
        assert_eq!(transport.shown(), shown);
    }
}

#[test]
fn the_variables_for_windows_are_for_windows_only() {
    assert_eq!(VARIABLES[EVERYWHERE], "APPDATA");
    let is_passed = |name: &str| passed_variables().any(|passed| passed == name);
    assert_eq!(is_passed("APPDATA"), cfg!(windows));
    assert!(is_passed("TMPDIR") && !is_passed("MCPPROXY_TELEMETRY_ENDPOINT"));
    for name in ["MCPPROXY_LAUNCHED_BY", "MCPPROXY_PRODUCT", "MCPPROXY_PRODUCT_VERSION"] {
        assert!(!is_passed(name), "{name}");
    }
}

#[test]
fn every_objection_reaches_a_server_that_may_be_a_host_of_ours() {
    for name in OBJECTIONS {
        assert!(passed_variables().any(|passed| passed == *name), "{name}");
    }
}

/// JSON in which our keys are likely and anything may be their value.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<f64>().prop_filter("JSON", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        "[ -~\u{e4}]{0,8}".prop_map(quoted),
        "(https?://)?[a-z:@/\\[\\]${}-]{0,8}".prop_map(quoted),
    ];
    let key = prop::sample::select(vec![
        "name",
        "command",
        "args",
        "env",
        "cwd",
        "working_dir",
        "url",
        "serverUrl",
        "headers",
        "type",
        "enabled",
        "disabled",
        "startup_timeout_sec",
        "tool_timeout_sec",
        "mcpServers",
        "x",
        "",
    ]);
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn quoted(text: String) -> String {
    let mut out = String::new();
    crate::json::write_str(&mut out, &text);
    out
}

proptest! {
    #[test]
    fn any_json_is_read_and_what_is_read_has_a_name_of_its_own(value in json()) {
        let text = format!("{{\"mcpServers\":{value}}}");
        let _ = parse(value.as_bytes());
        let Ok(read) = parse(text.as_bytes()) else { return Ok(()) };
        let names: HashSet<&str> = read.iter().map(|entry| entry.name.as_str()).collect();
        prop_assert_eq!(names.len(), read.len());
        for entry in &read {
            prop_assert!(names::can_be_shown(&entry.name));
            if let Ok(transport) = &entry.transport {
                prop_assert!(names::error(&entry.name).is_none());
                let _ = (transport.shown(), entry.expanded(&variables));
            } else {
                prop_assert!(entry.trouble().is_some_and(|why| !why.to_string().is_empty()));
            }
        }
    }
}

#[test]
fn an_entry_is_read_by_its_own_bytes_wherever_it_stands() {
    let text = r#"{"x":[{}],"mcpServers":[{"name":"one","command":"a"},{"name":"two","\u0063ommand":"b","args":["\u00e9"],"env":{"BIG":123456789012345678901234567890,"SMALL":1.50e-3,"ON":true},"tool_timeout_sec":1e999,"cwd":null,"other":{"command":1}}]}"#;
    for text in [text.to_owned(), format!("\u{feff}{text}")] {
        let all = parse(text.as_bytes()).expect("a config");
        assert!(
            matches!(&all[0].transport, Ok(Transport::Stdio { command, .. }) if command == "a")
        );
        let Ok(Transport::Stdio { command, args, env, cwd }) = &all[1].transport else {
            panic!("{:?}", all[1].trouble());
        };
        assert_eq!(
            (command.as_str(), args.as_slice(), cwd),
            ("b", ["\u{e9}".to_owned()].as_slice(), &None)
        );
        let env: Vec<_> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected =
            [("BIG", "123456789012345678901234567890"), ("SMALL", "1.50e-3"), ("ON", "true")];
        assert_eq!(env, expected);
        assert_eq!(all[1].tool_timeout, std::time::Duration::from_secs(24 * 60 * 60));
    }
}

#[test]
fn a_wrong_value_costs_its_own_key_and_no_other() {
    let text = r#"{"mcpServers":{"one":{"command":"a","args":"b","enabled":false,"startup_timeout_sec":7,"tool_timeout_sec":"9"}}}"#;
    let one = &parse(text.as_bytes()).expect("a config")[0];
    assert!(!one.enabled);
    assert_eq!(one.startup_timeout, std::time::Duration::from_secs(7));
    assert_eq!(one.tool_timeout, TOOL_TIMEOUT);
    let first = "`tool_timeout_sec` must be a positive number of seconds";
    let why = one.trouble().map(|error| error.to_string());
    assert_eq!(why.as_deref(), Some(first), "the first in the order of reading");
}
