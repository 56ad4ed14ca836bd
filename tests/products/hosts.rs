//! What the hosts of several products send, and to whom.

use super::*;
use mcpproxy::activation::Store;
use mcpproxy::identity::install;

/// Every text in a payload.
fn texts(payload: &Value, found: &mut BTreeSet<String>) {
    match payload {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn two_products_with_sixteen_processes_and_kills_send_one_heartbeat_each_to_their_own_receiver() {
    let home = Home::new();
    let products = ["notes-mcp", "mail-mcp"];
    let receivers = products.map(|_| Receiver::start([]));
    let mut taps: Vec<Tap> =
        (0..16).map(|at| Tap::of(&home, products[at % 2], &receivers[at % 2])).collect();
    // Four are killed wherever they are, and others come in their place.
    for at in 0..4 {
        taps[at].child.kill().expect("a running process");
        taps[at] = Tap::of(&home, products[at % 2], &receivers[at % 2]);
    }
    for receiver in &receivers {
        receiver.wait_for(1, PATIENCE);
    }
    // The state of a product is one for all its hosts: when it says that nothing is due, none of them sends.
    for product in products {
        let until = Instant::now() + PATIENCE;
        while !home.send(product).starts_with("not due: next in") {
            assert!(Instant::now() < until, "{}", home.send(product));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    taps.iter_mut().for_each(Tap::call);
    drop(taps);
    let [notes, mail] = receivers.each_ref().map(payloads);
    for (payloads, product) in [(&notes, "notes-mcp"), (&mail, "mail-mcp")] {
        assert_eq!(payloads.len(), 1, "{payloads:?}");
        assert_eq!(text(&payloads[0], "/product/name"), product);
        assert_eq!(text(&payloads[0], "/product/version"), "1.4.0");
        assert_eq!(payloads[0]["carried_over"], false);
    }
    assert_ne!(notes[0]["anonymous_id"], mail[0]["anonymous_id"]);
    // Nothing that is longer than a word of the contract is in both but what many installs share.
    let [mut in_notes, mut in_mail] = [BTreeSet::new(), BTreeSet::new()];
    texts(&notes[0], &mut in_notes);
    texts(&mail[0], &mut in_mail);
    let is_uuid = |text: &&String| text.len() == 36;
    assert!(
        !in_notes.intersection(&in_mail).any(|text| is_uuid(&text)),
        "{in_notes:?} {in_mail:?}"
    );
    assert!(!home.data().join("telemetry").exists(), "nothing of our own product is made");
}

#[test]
fn two_endpoints_under_one_name_get_two_ids_and_a_notice_each() {
    let home = Home::new();
    let [first, second] = [(); 2].map(|()| Receiver::start([]));
    let mut tap = Tap::of(&home, "notes-mcp", &first);
    tap.introduce("claude-code");
    first.wait_for(1, PATIENCE);
    let notice = tap.end();
    assert!(notice.contains(&format!("a day to 127.0.0.1:{}", first.port())), "{notice}");

    let tap = Tap::of(&home, "notes-mcp", &second);
    second.wait_for(1, PATIENCE);
    let notice = tap.end();
    assert!(notice.contains(&format!("a day to 127.0.0.1:{}", second.port())), "{notice}");

    let [old, new] = [&first, &second].map(|receiver| payloads(receiver).remove(0));
    assert_ne!(old["anonymous_id"], new["anonymous_id"]);
    assert_eq!((&old["carried_over"], &new["carried_over"]), (&false.into(), &true.into()));
    // Flags come along, clients do not: by them the two receivers could match their users.
    assert_eq!(new["activation"]["first_mcp_client_ever"], true);
    assert_eq!(new["activation"]["mcp_clients_seen_ever"], serde_json::json!([]));
    let host = |receiver: &Receiver| format!("127.0.0.1:{}", receiver.port());
    let place = home.dir().place("notes-mcp", &host(&first));
    let clients = Store::peek(&place, 0).expect("readable").expect("a store").funnel.clients;
    assert_eq!(clients, ["claude-code"]);

    // Back at the first endpoint it is the first install again, and says nothing twice.
    let mut tap = Tap::of(&home, "notes-mcp", &first);
    tap.introduce("zed");
    let clients = || Store::peek(&place, 0).ok().flatten().map_or(0, |it| it.funnel.clients.len());
    let until = Instant::now() + PATIENCE;
    while clients() < 2 {
        assert!(Instant::now() < until, "the first install does not count on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(tap.end(), "");
    let kept = install::read(&place).expect("readable").expect("a file").kept;
    assert_eq!(kept.anonymous_id, Some(text(&old, "/anonymous_id")));
}

#[test]
fn the_first_endpoint_takes_over_what_was_counted_without_one() {
    let home = Home::new();
    let without = home.dir().place("notes-mcp", "");
    let mut tap = Tap::start(&home, &["--product", "notes-mcp"], &[]);
    tap.call();
    tap.introduce("claude-code");
    let id = || install::read(&without).ok().flatten().and_then(|file| file.kept.anonymous_id);
    let client = || Store::peek(&without, 0).ok().flatten().is_some_and(|it| it.funnel.mcp_client);
    let until = Instant::now() + PATIENCE;
    while id().is_none() || !client() {
        assert!(Instant::now() < until, "nothing is counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    let id = id().expect("an id");
    // Nothing is sent, so there is nothing to tell.
    assert_eq!(tap.end(), "");

    let receiver = Receiver::start([]);
    let tap = Tap::of(&home, "notes-mcp", &receiver);
    let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
    assert!(tap.end().contains("notes-mcp counts its installs"));
    assert_eq!((text(&payload, "/anonymous_id"), &payload["carried_over"]), (id, &false.into()));
    assert_eq!(payload["activation"]["mcp_clients_seen_ever"], serde_json::json!(["claude-code"]));
    assert!(!without.root().exists());
}

#[test]
fn the_users_word_comes_before_the_hosts_and_the_variable_only_leads_to_this_machine() {
    let [named, chosen, variable] = [(); 3].map(|()| Receiver::start([]));
    let endpoint = named.endpoint();
    let options = ["--product", "notes-mcp", "--endpoint", &endpoint];
    let config = format!(
        r#"{{"telemetry":{{"endpoint":"https://own.example","products":{{"notes-mcp":{{"endpoint":"{}"}}}}}}}}"#,
        chosen.endpoint()
    );
    for (config, own, expected) in [
        (r#"{"telemetry":{"endpoint":"https://own.example"}}"#, "https://t.example.org", &named),
        (&config, "https://t.example.org", &chosen),
        ("{}", &variable.endpoint(), &variable),
    ] {
        let home = Home::new();
        std::fs::create_dir(home.data()).expect("made");
        std::fs::write(home.data().join("mcp_config.json"), config).expect("written");
        let before = expected.requests().len();
        let mut tap = Tap::start(&home, &options, &[("MCPPROXY_TELEMETRY_ENDPOINT", own)]);
        tap.call();
        expected.wait_for(before + 1, PATIENCE);
    }
    let counts = [&named, &chosen, &variable].map(|receiver| receiver.requests().len());
    assert_eq!(counts, [1, 1, 1]);
}

/// What an installer of mcpproxy leaves in the environment says nothing about the products on that machine.
#[test]
fn a_product_comes_from_an_installer_when_it_is_told_so_and_not_by_the_variable() {
    for (option, is_told) in [("--launched-by=installer", true), ("--launched-by=unknown", false)] {
        let (home, receiver) = (Home::new(), Receiver::start([]));
        let endpoint = receiver.endpoint();
        let options = ["--product", "notes-mcp", "--endpoint", &endpoint, option];
        let variables = [("MCPPROXY_LAUNCHED_BY", "installer")];
        let mut tap = Tap::start(&home, &options, &variables);
        tap.call();
        let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
        assert_eq!(text(&payload, "/launch_source") == "installer", is_told, "{payload}");
    }
}

/// The user names another receiver while a host runs: that is told before anything goes there.
#[test]
fn a_host_that_runs_follows_the_users_word_and_tells_of_the_new_receiver() {
    let home = Home::new();
    let [first, second] = [(); 2].map(|()| Receiver::start([]));
    let mut tap = Tap::of(&home, "notes-mcp", &first);
    first.wait_for(1, PATIENCE);
    let config = format!(
        r#"{{"telemetry":{{"products":{{"notes-mcp":{{"endpoint":"{}"}}}}}}}}"#,
        second.endpoint()
    );
    std::fs::write(home.data().join("mcp_config.json"), config).expect("written");
    let until = Instant::now() + PATIENCE;
    while second.requests().is_empty() {
        assert!(Instant::now() < until, "nothing goes to the receiver that the user named");
        tap.call();
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = format!("a day to 127.0.0.1:{}", second.port());
    assert!(tap.end().contains(&told));
    let [old, new] = [&first, &second].map(|receiver| payloads(receiver).remove(0));
    assert_ne!(old["anonymous_id"], new["anonymous_id"]);
    assert_eq!(first.requests().len(), 1);
}

#[test]
fn names_that_do_not_fit_are_told_in_one_line_and_the_server_runs_on_uncounted() {
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    for name in [
        "",
        " ",
        "mcpproxy",
        "mcpproxy-x",
        "a/b",
        "..",
        "a..b",
        "a.",
        "con",
        "s\u{e4}",
        "10.0.0.1",
        "0123456789abcdef0123456789abcdef",
        &"x".repeat(65),
    ] {
        let home = Home::new();
        let mut tap = Tap::start(&home, &["--product", name, "--endpoint", &endpoint], &[]);
        tap.call();
        let told = tap.wait_until_said("\n");
        tap.call();
        assert!(!tap.has_telemetry_thread(), "{name:?}");
        assert_eq!((told.lines().count(), tap.end()), (1, told.clone()), "{name:?}");
        assert!(told.contains("this session is not counted"), "{told}");
        assert!(!home.data().exists(), "{name:?}");
    }
    // An endpoint without a product is a slip of the maintainer.
    let home = Home::new();
    let mut tap = Tap::start(&home, &["--endpoint", &endpoint], &[]);
    tap.call();
    assert!(tap.wait_until_said("\n").contains("--product"));
    drop(tap);
    assert_eq!((receiver.connections(), home.data().exists()), (0, false));
}

#[test]
fn names_and_versions_are_brought_into_form() {
    for (name, version, sent) in [
        ("@Scope/Notes", "1.2.3+build.7", ("scope.notes", "1.2.3")),
        ("notes", "1.2.3-tims.laptop", ("notes", "1.2.3-dev")),
        ("notes", "yesterday", ("notes", "0.0.0-dev")),
    ] {
        let (home, receiver) = (Home::new(), Receiver::start([]));
        let endpoint = receiver.endpoint();
        let options = ["--product", name, "--product-version", version, "--endpoint", &endpoint];
        let mut tap = Tap::start(&home, &options, &[]);
        tap.call();
        let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
        let found = (text(&payload, "/product/name"), text(&payload, "/product/version"));
        assert_eq!((found.0.as_str(), found.1.as_str()), sent);
    }
}

#[test]
fn a_product_is_named_by_our_own_environment_and_its_server_does_not_see_it() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    let endpoint = receiver.endpoint();
    let variables = [
        ("MCPPROXY_PRODUCT", "notes-mcp"),
        ("MCPPROXY_PRODUCT_VERSION", "2.0.0"),
        ("MCPPROXY_TELEMETRY_ENDPOINT", endpoint.as_str()),
        ("MCPPROXY_LAUNCHED_BY", "tray"),
        ("NOTES_TOKEN", "x"),
    ];
    let mut tap = Tap::start(&home, &[], &variables);
    tap.call();
    let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
    let found =
        ["/product/name", "/product/version", "/launch_source"].map(|at| text(&payload, at));
    assert_eq!(found, ["notes-mcp", "2.0.0", "tray"]);
    drop(tap);

    let mut command = home.command(MCPPROXY, &["tap", "--data-dir"]);
    command.arg(home.data()).args(["--", "env"]).envs(variables);
    let listed = said(&command.output().expect("it starts"));
    assert!(listed.contains("NOTES_TOKEN=x"), "{listed}");
    for name in ["MCPPROXY_PRODUCT", "MCPPROXY_TELEMETRY_ENDPOINT", "MCPPROXY_LAUNCHED_BY"] {
        assert!(!listed.contains(name), "{name}: {listed}");
    }
    // What stands above is not our own environment: it names no product.
    let home = Home::new();
    let receiver = Receiver::start([]);
    let script = format!(
        r#"env -u MCPPROXY_PRODUCT "{MCPPROXY}" tap --data-dir "{}" -- cat"#,
        home.data().display()
    );
    let mut shell = home.command("sh", &["-c", &format!("{script}; :")]);
    let mut shell = shell
        .env("MCPPROXY_PRODUCT", "notes-mcp")
        .env("MCPPROXY_TELEMETRY_ENDPOINT", receiver.endpoint())
        .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let payload = body(&receiver.wait_for(1, Duration::from_secs(120))[0]);
    assert_eq!(text(&payload, "/product/name"), "mcpproxy");
    drop(shell.stdin.take());
    shell.wait().expect("it ends");
}
