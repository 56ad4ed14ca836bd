//! What a user is told, and what the command that is named there does.

use super::*;

/// The command that a notice names, as it is printed.
fn command_after(notice: &str, label: &str) -> String {
    let line = notice.lines().find_map(|line| line.split_once(label)).expect("a command").1;
    line.trim().to_owned()
}

#[test]
fn the_command_of_the_notice_switches_off_what_it_names_and_nothing_else() {
    let home = Home::new();
    let [notes, mail] = [(); 2].map(|()| Receiver::start([]));
    let mut tap = Tap::of(&home, "notes-mcp", &notes);
    let mut other = Tap::of(&home, "mail-mcp", &mail);
    notes.wait_for(1, PATIENCE);
    mail.wait_for(1, PATIENCE);
    let notice = tap.said();
    for part in ["notes-mcp", "random id", "clients", "goes out"] {
        assert!(notice.contains(part), "{part}: {notice}");
    }
    assert!(notice.contains(&format!("127.0.0.1:{}", notes.port())), "{notice}");

    // In a shell that knows nothing of the host: another working directory, no variables but a plain shell's.
    let shell = |line: &str| {
        let mut shell = home.command("sh", &["-c", line]);
        shell.current_dir("/").output().expect("it starts")
    };
    let shown = shell(&command_after(&notice, "your payload"));
    let payload: Value = serde_json::from_slice(&shown.stdout).expect("a payload");
    assert_eq!(text(&payload, "/product/name"), "notes-mcp");

    let disabled = shell(&command_after(&notice, "switch off"));
    assert!(disabled.status.success(), "{}", said(&disabled));
    tap.must_fall_silent();
    let before = notes.connections();
    let refused = home.run(&["telemetry", "send", "--now", "--product", "notes-mcp"]);
    assert!(!refused.status.success() && said(&refused).contains("off"), "{}", said(&refused));
    assert_eq!(notes.connections(), before);

    other.call();
    assert!(other.has_telemetry_thread());
    // Two heartbeats of one install never carry the same second.
    let until = Instant::now() + PATIENCE;
    while payloads(&mail).len() < 2 {
        let sent = home.run(&["telemetry", "send", "--now", "--product", "mail-mcp"]);
        assert!(sent.status.success() && Instant::now() < until, "{}", said(&sent));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_notice_of_an_install_comes_once_and_again_after_a_new_id() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    let tap = Tap::of(&home, "notes-mcp", &receiver);
    receiver.wait_for(1, PATIENCE);
    assert!(tap.end().contains("notes-mcp counts its installs"));
    let tap = Tap::of(&home, "notes-mcp", &receiver);
    assert!(home.send("notes-mcp").starts_with("not due"));
    assert_eq!(tap.end(), "");
    let reset = home.run(&["telemetry", "reset-id", "--product", "notes-mcp"]);
    assert!(reset.status.success(), "{}", said(&reset));
    let tap = Tap::of(&home, "notes-mcp", &receiver);
    receiver.wait_for(2, PATIENCE);
    assert!(tap.end().contains("notes-mcp counts its installs"));
    let [first, second] = payloads(&receiver).try_into().expect("two payloads");
    assert_ne!(first["anonymous_id"], second["anonymous_id"]);
    assert_eq!((&first["carried_over"], &second["carried_over"]), (&false.into(), &false.into()));
}
