//! What lines do, and what they cannot do.

use super::receiver::Receiver;
use super::{Home, PATIENCE, eventually, said_at_the_end};
use serde_json::{Value, json};

const SESSION: [&str; 5] = [
    r#"{"event":"client_seen","session":"1","local":true,"client":"Visual Studio Code","version":"1.2"}"#,
    r#"{"event":"server_connected","session":"1"}"#,
    r#"{"event":"discovery","session":"1","returned":5,"indexed":40}"#,
    r#"{"event":"call","session":"1","ok":true}"#,
    r#"{"event":"end","session":"1"}"#,
];

/// All of the funnel.
fn assert_counted(payload: &Value) {
    let activation = &payload["activation"];
    for flag in [
        "first_connected_server_ever",
        "first_mcp_client_ever",
        "first_retrieve_tools_call_ever",
        "first_real_tool_call_ever",
    ] {
        assert_eq!(activation[flag], true, "{flag}: {payload}");
    }
    assert_eq!(activation["mcp_clients_seen_ever"], json!(["vscode"]));
    assert_eq!(activation["retrieve_tools_calls_24h"], 1);
    assert_eq!(activation["estimated_tokens_saved_24h_bucket"], "1k_10k");
    assert_eq!(payload["surface_requests"]["mcp"], 2);
    assert_eq!(payload["product"], json!({"name": "notes-mcp", "version": "1.4.0"}));
}

#[test]
fn a_local_session_moves_the_funnel() {
    let home = Home::new();
    let mut recorder = home.recorder(&[], &[]);
    recorder.say(&SESSION);
    recorder.end();
    assert_counted(&home.payload());
}

#[test]
fn the_heartbeat_of_a_host_that_runs_arrives_and_the_notice_comes_first() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    let mut recorder = home.recorder(&["--endpoint", &receiver.endpoint()], &[]);
    recorder.say(&SESSION);
    let heartbeat = receiver.wait_for(1, PATIENCE).remove(0);
    let payload: Value = serde_json::from_slice(&heartbeat.body).expect("JSON");
    assert_eq!(payload["activation"]["first_connected_server_ever"], true, "{payload}");
    assert_eq!(payload["server_count"], 1);
    assert_eq!(payload["connected_server_count"], 1);
    let said = recorder.end();
    assert!(said.contains("notes-mcp") && said.contains(&receiver.endpoint()[7..]), "{said}");
}

#[test]
fn only_local_sessions_are_kept_unless_all_are_to_be_counted() {
    let remote = SESSION.map(|line| line.replace(r#","local":true"#, ""));
    let remote = remote.each_ref().map(String::as_str);
    let home = Home::new();
    let mut recorder = home.recorder(&[], &[]);
    recorder.say(&remote);
    // A line that is named: what came before it was read.
    recorder.say(&["?"]);
    assert!(!recorder.end().is_empty());
    assert!(!home.data().exists());

    let mut recorder = home.recorder(&["--count-remote"], &[]);
    recorder.say(&remote);
    recorder.end();
    assert_counted(&home.payload());
}

#[test]
fn bad_lines_are_named_by_number_and_reason_and_never_by_content() {
    let home = Home::new();
    let long = format!(r#"{{"event":"secret","x":"{}"}}"#, "secret".repeat(20_000));
    let mut recorder = home.recorder(&[], &[]);
    recorder.say(&[
        "secret",
        "",
        r#"{"event":"secret","session":"1"}"#,
        &long,
        r#"{"event":"call","session":"secret","local":true,"ok":true}"#,
    ]);
    recorder.say(&SESSION);
    // The last line has no newline.
    std::io::Write::write_all(recorder.input.as_mut().expect("open"), b"secret").expect("read");
    let said = recorder.end();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("is skipped")).collect();
    let start = |line: &&str| line.split(" is skipped: ").next().map(str::to_owned);
    let starts: Vec<_> = lines.iter().filter_map(start).collect();
    assert_eq!(starts, [1, 3, 4, 5, 11].map(|at| format!("mcpproxy record: line {at}")), "{said}");
    assert!(!said.contains("secret"), "{said}");
    for (line, reason) in lines.iter().zip(["JSON", "event", "64 KiB", "server_connected", "JSON"])
    {
        assert!(line.contains(reason), "{line}");
    }
    assert_counted(&home.payload());
}

#[test]
fn a_flood_is_bounded_in_memory_words_and_counts() {
    const LINES: u64 = 1_000_000;
    let home = Home::new();
    let mut recorder = home.recorder(&[], &[]);
    let began = std::time::Instant::now();
    recorder.say(&[SESSION[0]]);
    let chunk = vec![SESSION[2]; 10_000];
    for _ in 0..LINES / 10_000 {
        recorder.say(&chunk);
    }
    let id = recorder.child.id();
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("KiB")
    };
    // A debug build with its store mapped; the flood itself has 60 MB.
    assert!(peak() < 40 << 10, "{} KiB", peak());
    let said = recorder.end();
    let seconds = began.elapsed().as_secs() + 2;
    let told: Vec<&str> = said.lines().filter(|line| line.contains("faster than")).collect();
    assert!(!told.is_empty() && told.len() as u64 <= 1 + seconds / 60, "{said}");
    let number = |line: &&str| line.split(' ').find_map(|word| word.parse::<u64>().ok());
    let dropped: u64 = told.iter().filter_map(number).sum();
    let payload = home.payload();
    let kept = payload["activation"]["retrieve_tools_calls_24h"].as_u64().expect("a number");
    assert!((999..=seconds * 1000).contains(&kept), "{kept} in {seconds} s");
    assert_eq!(kept + dropped, LINES, "the line of the client was read: {said}");
}

#[test]
fn with_telemetry_off_it_reads_and_nothing_else() {
    for variable in [("DO_NOT_TRACK", "1"), ("MCPPROXY_TELEMETRY", "0")] {
        let (home, receiver) = (Home::new(), Receiver::start([]));
        let mut recorder = home.recorder(&["--endpoint", &receiver.endpoint()], &[variable]);
        // More than the pipe holds: that it was written shows that it is read.
        let lines = [&SESSION[..], &["secret"]].concat();
        recorder.say(&vec![lines.join("\n").as_str(); 2000]);
        assert_eq!(recorder.threads(), 1);
        assert_eq!(recorder.end(), "");
        assert!(!home.data().exists());
        assert_eq!(receiver.connections(), 0);
    }
}

#[test]
fn signals_end_it_after_what_was_written_is_read() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let home = Home::new();
        let mut recorder = home.recorder(&[], &[]);
        // It is there and has its handlers: a thread more than before.
        recorder.say(&[SESSION[0]]);
        eventually("telemetry starts", || (recorder.threads() > 1).then_some(()));
        recorder.say(&SESSION[1..]);
        let id = recorder.child.id().to_string();
        assert!(home.command("kill", &[signal, &id]).status().expect("kill").success());
        let input = recorder.input.take();
        said_at_the_end(recorder.child);
        drop(input);
        assert_counted(&home.payload());
    }
}

#[test]
fn only_a_host_that_says_goodbye_ended_clean() {
    for (last, ending) in [(r#"{"event":"end"}"#, "clean"), ("", "unknown")] {
        let home = Home::new();
        let mut recorder = home.recorder(&[], &[]);
        recorder.say(&SESSION);
        recorder.say(&[last]);
        recorder.end();
        assert_eq!(home.payload()["previous_shutdown"], ending, "{last}");
    }
}

#[test]
fn a_product_that_does_not_fit_is_told_in_one_line_and_the_host_writes_on() {
    for words in [&["--product", "a/b"][..], &["--product", "mcpproxy"]] {
        let home = Home::new();
        let mut recorder = home.recorder(words, &[]);
        recorder.say(&vec![SESSION.join("\n").as_str(); 2000]);
        let said = recorder.end();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("mcpproxy record: "), "{said}");
        assert!(!home.data().exists());
    }
}

#[test]
fn a_wrong_command_line_is_told_before_anything_is_read() {
    let home = Home::new();
    for (words, part) in [
        (&["--launched-by", "me"][..], "login_item"),
        (&["--data-dir", ""], "--data-dir"),
        (&["x"], "unexpected"),
        (&["--count-remotes"], "--count-remote?"),
    ] {
        let output = home.command(super::MCPPROXY, &["record"]).args(words).output().expect("run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains(part), "{said}");
    }
}
