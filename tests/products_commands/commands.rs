//! The commands about one product among several.

use super::*;
use std::fs;

/// Where a development build may send, and nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The member of a heartbeat's body at these keys.
fn member(body: &[u8], path: &[&str]) -> String {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    path.iter().fold(&body, |value, key| &value[key]).as_str().expect("text").to_owned()
}

/// The id of the last heartbeat.
fn last_id(receiver: &Receiver) -> String {
    member(&receiver.requests().last().expect("a request").body, &["anonymous_id"])
}

/// The list of products, by name.
fn listed(home: &Home) -> Vec<Value> {
    let list = json(&home.run_given(&["telemetry", "status", "-o", "json"]));
    list["products"].as_array().expect("a list").clone()
}

/// Two products that have sent, each to its own receiver.
struct Two {
    home: Home,
    notes: (Tap, Receiver),
    files: (Tap, Receiver),
}

impl Two {
    fn start() -> Self {
        let home = Home::new();
        let started = |product, version| {
            let receiver = Receiver::start([]);
            let mut tap = Tap::of(&home, product, version, &receiver);
            tap.must_send(&receiver);
            (tap, receiver)
        };
        let notes = started("notes-mcp", "1.4.0");
        let files = started("@acme/files", "2.0.1");
        Self { home, notes, files }
    }
}

#[test]
fn status_lists_every_product_and_shows_one_in_full() {
    let two = Two::start();
    let (notes, files) = (&two.notes.1, &two.files.1);
    let rows = listed(&two.home);
    let shown: Vec<_> = rows.iter().map(|row| (&row["name"], &row["version"])).collect();
    assert_eq!(shown[0].0, "mcpproxy");
    assert_eq!(
        shown[1..],
        [(&"acme.files".into(), &"2.0.1".into()), (&"notes-mcp".into(), &"1.4.0".into())]
    );
    for (row, receiver) in rows[1..].iter().zip([files, notes]) {
        assert_eq!((&row["effective"], &row["rule"]), (&"on".into(), &"default".into()));
        assert_eq!(row["endpoint_host"], format!("127.0.0.1:{}", receiver.port()));
        assert!(row["last_success"].is_string() && row["in_use"] == true, "{row}");
    }
    assert_eq!(rows[0]["last_success"], Value::Null);
    let table = succeeds(&two.home.run_given(&["telemetry", "status"]));
    let line = table.lines().find(|line| line.starts_with("notes-mcp ")).expect("a line");
    for part in ["1.4.0", "on", &format!("127.0.0.1:{}", notes.port()), "Z"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(table.contains("mcpproxy: no endpoint is compiled in or configured"), "{table}");
    // In full, under any spelling of its name.
    let of = |name: &str| two.home.status(name, &[]);
    let (one, other) = (of("Notes-MCP"), of("@acme/files"));
    assert_eq!(
        (&one["product"]["name"], &one["product"]["version"]),
        (&"notes-mcp".into(), &"1.4.0".into())
    );
    assert_eq!(one["endpoint"], format!("{}/heartbeat", notes.endpoint()));
    assert_eq!(one["activation"]["first_connected_server_ever"], true);
    assert_eq!(
        (&one["anonymous_id"], &other["anonymous_id"]),
        (&last_id(notes).into(), &last_id(files).into())
    );
    assert_ne!(one["anonymous_id"], other["anonymous_id"]);
    assert_eq!(of("mcpproxy")["anonymous_id"], Value::Null);
    // What is shown as the next payload is this product's.
    let payload =
        succeeds(&two.home.run_given(&["telemetry", "show-payload", "--product", "notes-mcp"]));
    assert_eq!(member(payload.as_bytes(), &["product", "name"]), "notes-mcp");
    assert_eq!(member(payload.as_bytes(), &["product", "version"]), "1.4.0");
    assert_eq!(member(payload.as_bytes(), &["anonymous_id"]), last_id(notes));
}

#[test]
fn disable_of_one_product_stops_that_one_alone() {
    let mut two = Two::start();
    let home = &two.home;
    let said = succeeds(&home.run(&["telemetry", "disable", "--product", "notes-mcp"]));
    assert!(said.starts_with("Telemetry of notes-mcp is disabled."), "{said}");
    two.notes.0.must_fall_silent();
    let sent = two.notes.1.connections();
    two.files.0.must_send(&two.files.1);
    assert_eq!(two.notes.1.connections(), sent);
    let rows = listed(home);
    assert_eq!(rows[2]["rule"], "user-config:telemetry.products.notes-mcp.enabled");
    assert_eq!((&rows[1]["effective"], &rows[2]["effective"]), (&"on".into(), &"off".into()));
    assert_eq!(home.status("notes-mcp", &[])["preference"], "disabled");
    // All of them, and then this one's own switch is not what keeps it off.
    succeeds(&home.run_given(&["telemetry", "disable"]));
    two.files.0.must_fall_silent();
    let enable = ["telemetry", "enable", "--product", "notes-mcp"];
    let said = succeeds(&home.run_given(&enable));
    for part in [
        "The switch of notes-mcp is removed",
        "still off (config:telemetry.enabled)",
        "`mcpproxy telemetry enable`",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!read(&home.users_config()).contains("notes-mcp"));
    let said = succeeds(&home.run_given(&enable));
    assert!(said.contains("There is no switch of notes-mcp to remove"), "{said}");
    succeeds(&home.run_given(&["telemetry", "disable", "--product", "acme.files"]));
    let said = succeeds(&home.run_given(&["telemetry", "enable"]));
    assert!(said.contains("`mcpproxy telemetry enable --product acme.files`"), "{said}");
    two.notes.0.must_send(&two.notes.1);
    let (tap, receiver) = (&mut two.files.0, &two.files.1);
    tap.must_fall_silent();
    let sent = receiver.connections();
    tap.call();
    assert_eq!(receiver.connections(), sent);
}

#[test]
fn a_product_may_be_switched_off_before_it_ever_runs_and_an_unknown_one_is_named() {
    let home = Home::new();
    let said = succeeds(&home.run_given(&["telemetry", "disable", "--product", "@acme/notes"]));
    assert!(
        said.contains(
            "No host of acme.notes ever started in this data directory; known: mcpproxy."
        ),
        "{said}"
    );
    let receiver = Receiver::start([]);
    let mut tap = Tap::of(&home, "acme.notes", "1.0.0", &receiver);
    tap.call();
    assert!(!tap.has_telemetry_thread() && !home.path("given/products").exists());
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn an_unknown_product_is_an_error_that_lists_those_that_are() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    let mut commands = vec![&["status"][..], &["show-payload"], &["send"], &["reset-id"]];
    commands.extend(cfg!(feature = "cli").then_some(&["doctor"][..]));
    for words in commands {
        let mut command = match words {
            ["doctor"] => home.command(words),
            _ => home.command(&["telemetry", words[0]]),
        };
        command.args(["--product", "nodes-mcp"]).arg("--data-dir").arg(home.path("given"));
        fails(
            &command.output().expect("it starts"),
            &["no host of nodes-mcp", "known: mcpproxy, notes-mcp"],
        );
    }
    // What is no name, and what names no product, is usage.
    for (options, part) in [
        (&["--product", "no name"][..], "a product name"),
        (&["--endpoint", NOWHERE], "add --product NAME"),
        (&["--product", "mcpproxy", "--endpoint", NOWHERE], "leave --endpoint away"),
        (
            &["--product", "notes-mcp", "--endpoint", "nowhere"],
            "--endpoint: the endpoint must start",
        ),
    ] {
        let output = home.run_given(&[&["telemetry", "status"], options].concat());
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(part), "{}", said(&output));
    }
}

/// Two maintainers, one name: they got one id for both, and the second one's user was told nothing.
#[test]
fn two_endpoints_of_one_name_are_two_installs_for_every_command() {
    let (home, one, two) = (Home::new(), Receiver::start([]), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &one).must_send(&one);
    Tap::of(&home, "notes-mcp", "0.9.0", &two).must_send(&two);
    let [of_one, of_two] = [&one, &two].map(last_id);
    assert_ne!(of_one, of_two);
    let shown = |options: &[&str]| {
        let words = ["telemetry", "status", "--product", "notes-mcp", "-o", "json"];
        json(&home.run_given(&[&words, options].concat()))
    };
    // Without --endpoint, the newest.
    assert_eq!(
        (&shown(&[])["anonymous_id"], &shown(&[])["product"]["version"]),
        (&of_two.clone().into(), &"0.9.0".into())
    );
    let with = shown(&["--endpoint", &one.endpoint()]);
    assert_eq!(
        (&with["anonymous_id"], &with["product"]["version"]),
        (&of_one.clone().into(), &"1.4.0".into())
    );
    assert_eq!(listed(&home).len(), 3);
    let words = ["telemetry", "status", "--product", "notes-mcp", "--endpoint", NOWHERE];
    let hosts = format!("127.0.0.1:{}, 127.0.0.1:{}", two.port(), one.port());
    fails(&home.run_given(&words), &["never had that endpoint here", &hosts]);
    // To send is to send there and nowhere else.
    let before = two.connections();
    let words = ["telemetry", "send", "--now", "--product", "notes-mcp", "--endpoint"];
    let count = one.requests().len();
    // Times are whole seconds: in that of the last acknowledgement there is nothing to send.
    while one.requests().len() == count {
        succeeds(&home.run_given(&[&words[..], &[&one.endpoint()]].concat()));
    }
    assert_eq!((one.requests().len(), two.connections()), (count + 1, before));
    // To begin anew is to begin anew towards one.
    let words = ["telemetry", "reset-id", "--product", "notes-mcp", "--endpoint"];
    let said = succeeds(&home.run_given(&[&words[..], &[&one.endpoint()]].concat()));
    assert!(said.starts_with("notes-mcp is a new install"), "{said}");
    let after = shown(&["--endpoint", &one.endpoint()]);
    assert_ne!(after["anonymous_id"], of_one);
    assert_eq!(after["activation"]["first_connected_server_ever"], false);
    assert_eq!(shown(&[])["anonymous_id"], of_two);
    assert_eq!(shown(&[])["activation"]["first_connected_server_ever"], true);
}

#[test]
fn the_users_endpoint_comes_before_the_hosts_and_our_own_is_no_other_products() {
    let (home, hosts, users) = (Home::new(), Receiver::start([]), Receiver::start([]));
    let telemetry = format!(
        r#"{{"telemetry":{{"endpoint":"{}","products":{{"notes-mcp":{{"endpoint":"{}"}}}}}}}}"#,
        NOWHERE,
        users.endpoint()
    );
    write(&home.users_config(), &telemetry);
    Tap::of(&home, "notes-mcp", "1.4.0", &hosts).must_send(&users);
    Tap::of(&home, "files", "1.0.0", &hosts).must_send(&hosts);
    for request in hosts.requests() {
        assert_eq!(member(&request.body, &["product", "name"]), "files");
    }
    let words = ["telemetry", "status", "--product", "files", "--endpoint", &hosts.endpoint()];
    succeeds(&home.run_given(&words));
    let remote = ("MCPPROXY_TELEMETRY_ENDPOINT", "https://t.example");
    let status = home.status("notes-mcp", &[remote]);
    assert_eq!(status["endpoint"], format!("{}/heartbeat", users.endpoint()));
    assert!(status["note"].as_str().is_some_and(|note| note.contains("only towards loopback")));
    // The word is taken back: the next host is of the first endpoint again, and status says so before.
    write(&home.users_config(), "{}");
    let list = listed(&home);
    let notes: Vec<_> = list.iter().filter(|row| row["name"] == "notes-mcp").collect();
    assert_eq!((notes.len(), &notes[0]["in_use"]), (1, &true.into()), "{notes:?}");
}

#[test]
fn the_clock_of_tests_moves_with_the_endpoint_of_the_product_that_is_asked_about() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    // Our own leads to this machine, and the other product's does not.
    write(
        &home.given_config(),
        &format!(
            r#"{{"telemetry":{{"endpoint":"{NOWHERE}","products":{{"notes-mcp":{{"endpoint":"https://t.example.org"}}}}}}}}"#
        ),
    );
    let year = |product: &str, offset: &str| -> u64 {
        let mut command = home.command(&["telemetry", "show-payload", "--product", product]);
        command.env("MCPPROXY_TEST_CLOCK_OFFSET", offset);
        let output = command.arg("--data-dir").arg(home.path("given")).output().expect("it starts");
        let payload = succeeds(&output).into_bytes();
        member(&payload, &["timestamp"])[..4].parse().expect("a year")
    };
    let (now, thirty_years) = (year("mcpproxy", "0"), "946080000");
    assert!(year("mcpproxy", thirty_years) >= now + 29);
    assert!(year("notes-mcp", thirty_years) <= now + 1, "it sends to another machine");
}

#[test]
fn what_the_configuration_leads_elsewhere_is_shown_as_not_in_use() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    write(
        &home.given_config(),
        &format!(r#"{{"telemetry":{{"products":{{"notes-mcp":{{"endpoint":"{NOWHERE}"}}}}}}}}"#),
    );
    let row = &listed(&home)[1];
    assert_eq!(
        (&row["in_use"], &row["endpoint_host"]),
        (&false.into(), &format!("127.0.0.1:{}", receiver.port()).into())
    );
    let table = succeeds(&home.run_given(&["telemetry", "status"]));
    assert!(table.contains("not in use"), "{table}");
    // What would be sent next is another install's, which is not there yet.
    let status = home.status("notes-mcp", &[]);
    assert_eq!(
        (&status["endpoint"], &status["anonymous_id"]),
        (&format!("{NOWHERE}/heartbeat").into(), &Value::Null)
    );
    let words =
        ["telemetry", "status", "--product", "notes-mcp", "--endpoint", &receiver.endpoint()];
    fails(&home.run_given(&words), &["`telemetry.products.notes-mcp.endpoint`"]);
}

#[test]
fn an_id_that_cannot_be_read_is_told_and_repaired_by_reset_id() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    let product = home.path("given/products/notes-mcp");
    let place = fs::read_dir(&product).expect("read").flatten().next().expect("a place").path();
    fs::write(place.join("install.json"), "{").expect("written");
    let row = &listed(&home)[1];
    assert_eq!((&row["effective"], &row["rule"]), (&"off".into(), &"product:unreadable".into()));
    let status = home.status("notes-mcp", &[]);
    let trouble = status["anonymous_id_trouble"].as_str().expect("text");
    assert!(trouble.contains("reset-id --product NAME"), "{trouble}");
    succeeds(&home.run_given(&["telemetry", "reset-id", "--product", "notes-mcp"]));
    assert!(home.status("notes-mcp", &[])["anonymous_id"].is_string());
}

/// Runs a command on a terminal; `None`, said aloud, where the system gives none.
fn on_terminal(home: &Home, words: &[&str]) -> Option<String> {
    let script = "import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut terminal = Command::new("python3");
    terminal.args(["-c", script, MCPPROXY]).args(words).arg("--data-dir").arg(home.path("given"));
    terminal.env_clear().env("HOME", home.path("home")).stdin(Stdio::null());
    terminal.env("PATH", std::env::var_os("PATH").expect("PATH"));
    let output = terminal.output().ok().filter(|output| output.status.success());
    if output.is_none() {
        skipped!("python3 is not installed, or has no terminal to give");
    }
    output.as_ref().map(said)
}

/// All of the id is what asks to erase what was received under it, and a screen is seen by others.
#[test]
fn a_terminal_shows_eight_digits_of_the_id() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    let id = last_id(&receiver);
    for word in ["status", "show-payload"] {
        let words = ["telemetry", word, "--product", "notes-mcp"];
        let Some(short) = on_terminal(&home, &words) else { return };
        assert!(short.contains(&id[..8]) && !short.contains(&id), "{short}");
        assert!(short.contains("--exact"), "{short}");
        for option in [&["--exact"][..], &["-o", "json"]] {
            let exact = on_terminal(&home, &[&words, option].concat()).expect("a terminal");
            assert!(exact.contains(&id), "{exact}");
        }
        assert!(succeeds(&home.run_given(&words)).contains(&id));
    }
}

/// What is kept beside the state of notes-mcp, for each endpoint host.
fn install_files(home: &Home) -> Vec<String> {
    let places = fs::read_dir(home.path("given/products/notes-mcp")).into_iter().flatten();
    let files = places.flatten().map(|place| place.path().join("install.json"));
    files.filter_map(|file| fs::read_to_string(file).ok()).collect()
}

#[test]
fn a_notice_that_no_person_could_see_is_shown_by_status_on_a_terminal_and_is_seen_then() {
    for words in [&["telemetry", "status"][..], &["telemetry", "status", "--product", "notes-mcp"]]
    {
        let (home, receiver) = (Home::new(), Receiver::start([]));
        let options = ["--require-visible-notice"];
        let mut tap = Tap::with(&home, &options, "notes-mcp", "1.4.0", &receiver);
        // Written, and a host that need not wait has sent meanwhile, twice.
        tap.until(|| install_files(&home).iter().any(|text| text.contains("written_at")));
        let other = Receiver::start([]);
        let mut free = Tap::of(&home, "files", "1.0.0", &other);
        free.must_send(&other);
        free.must_send(&other);
        // No pipe makes it seen.
        let piped = succeeds(&home.run_given(words));
        assert!(!piped.contains("switch off"), "{piped}");
        // Nor does a command send before, which knows what the host wanted; the reason is named.
        let send = home.run_given(&["telemetry", "send", "--now", "--product", "notes-mcp"]);
        fails(&send, &["no person could see it yet"]);
        let status = home.status("notes-mcp", &[]);
        let trouble = status["heartbeat"]["trouble"].as_str().expect("a reason");
        assert!(trouble.contains("no person could see it yet"), "{trouble}");
        assert_eq!(status["heartbeat"]["next_due"], Value::Null);
        #[cfg(feature = "cli")]
        {
            let checks = json(&home.run_given(&["doctor", "--product", "notes-mcp", "-o", "json"]));
            let checks = checks["checks"].as_array().expect("a list").clone();
            let notice = checks.iter().find(|check| check["name"] == "notice").expect("there");
            assert_eq!(notice["level"], "warn");
            assert!(notice.to_string().contains("no person could see it yet"), "{notice}");
        }
        assert_eq!(receiver.connections(), 0);
        let Some(shown) = on_terminal(&home, words) else { return };
        for part in ["notes-mcp counts its installs", "telemetry disable --product notes-mcp"] {
            assert!(shown.contains(part), "{part} is not in {shown}");
        }
        // The next host need not wait; this one looks again within a minute.
        Tap::with(&home, &options, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
        let again = on_terminal(&home, words).expect("a terminal");
        assert!(!again.contains("counts its installs"), "{again}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn doctor_looks_at_one_product_and_leaves_the_gateways_things_alone() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    let names = |options: &[&str]| -> Vec<String> {
        let checks = json(&home.run_given(&[&["doctor", "-o", "json"], options].concat()));
        let checks = checks["checks"].as_array().expect("a list").clone();
        checks.iter().map(|check| check["name"].as_str().expect("a name").to_owned()).collect()
    };
    let (own, notes) = (names(&[]), names(&["--product", "notes-mcp", "--online"]));
    for name in
        ["version", "data_dir", "config", "consent", "identity", "notice", "store", "endpoint"]
    {
        assert!(notes.iter().any(|found| found == name), "{name} is not in {notes:?}");
    }
    assert!(notes.iter().any(|name| name == "reachability"));
    assert!(own.len() > notes.len() - 1, "{own:?} {notes:?}");
}

/// It will leave no trace as long as that stands: that no host started is only half of it.
#[test]
fn of_a_product_that_never_ran_an_objection_is_named() {
    let home = Home::new();
    let words = ["telemetry", "status", "--product", "notes-mcp"];
    let mut objecting = home.command(&words);
    let output = objecting.env("DO_NOT_TRACK", "1").output().expect("it starts");
    fails(&output, &["no host of notes-mcp ever started", "off (env:DO_NOT_TRACK)"]);
    succeeds(&home.run(&["telemetry", "disable", "--product", "notes-mcp"]));
    fails(&home.run(&words), &["(config:telemetry.products.notes-mcp.enabled)"]);
    assert!(!said(&home.run(&["telemetry", "status", "--product", "other"])).contains("is off"));
}

#[test]
fn an_empty_endpoint_is_named_in_one_line_and_counts_as_none() {
    let home = Home::new();
    for endpoint in ["", "  "] {
        let words = ["tap", "--product", "notes-mcp", "--endpoint", endpoint, "--", "true"];
        let output = home.run(&words);
        assert!(output.status.success());
        let line = "mcpproxy tap: --endpoint is empty, and counts as not given\n";
        assert_eq!(String::from_utf8_lossy(&output.stderr), line);
    }
    let unnamed = home.run(&["tap", "--require-visible-notice", "--", "true"]);
    assert!(unnamed.status.success() && said(&unnamed).contains("name it with --product NAME"));
}
