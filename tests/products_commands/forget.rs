//! `telemetry forget` of one product among several, while its hosts run.

use super::*;

/// What a receiver was asked to erase: product and id.
fn erased(receiver: &Receiver) -> Vec<(String, String)> {
    let requests = receiver.requests();
    let deletes = requests.iter().filter(|request| request.line == "DELETE /installs HTTP/1.1");
    let read = |body: &[u8]| -> (String, String) {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let text = |key: &str| body[key].as_str().expect("text").to_owned();
        assert_eq!(body.as_object().map(|members| members.len()), Some(2));
        (text("product"), text("id"))
    };
    deletes.map(|request| read(&request.body)).collect()
}

fn heartbeats(receiver: &Receiver) -> Vec<Value> {
    let requests = receiver.requests();
    let posts = requests.iter().filter(|request| request.line.starts_with("POST "));
    posts.map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
}

fn forget(home: &Home, words: &[&str]) -> Output {
    home.run_given(&[&["telemetry", "forget", "--product", "notes-mcp"], words].concat())
}

/// The ids of a product, as they are written: what was forgotten has none.
fn ids(home: &Home) -> Vec<String> {
    let places = std::fs::read_dir(home.path("given/products/notes-mcp")).expect("a directory");
    let id = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = entry.expect("an entry").path().join("install.json");
        let file: Value = serde_json::from_str(&read(&file)).expect("JSON");
        file["anonymous_id"].as_str().map(str::to_owned)
    };
    places.filter_map(id).collect()
}

#[test]
fn each_endpoint_host_is_asked_for_its_own_id_and_the_running_host_falls_silent() {
    let home = Home::new();
    let (first, second) = (Receiver::start([]), Receiver::start([]));
    Tap::of(&home, "notes-mcp", "1.4.0", &first).must_send(&first);
    let mut tap = Tap::of(&home, "notes-mcp", "1.4.1", &second);
    tap.must_send(&second);
    let mut other = Tap::of(&home, "@acme/files", "2.0.1", &second);
    let of_other =
        || heartbeats(&second).iter().any(|sent| sent["product"]["name"] == "acme.files");
    other.until(of_other);

    // These know no erasure yet: they answer 202.
    let refused = forget(&home, &[]);
    fails(&refused, &["does not know erasure", "notes-mcp stays disabled"]);
    let told = String::from_utf8_lossy(&refused.stderr).matches("stays disabled").count();
    assert_eq!(told, 1, "two receivers failed, and one sentence says how to go on");
    tap.must_fall_silent();
    assert!(other.has_telemetry_thread(), "another product is none of this one's business");
    let mut kept = ids(&home);
    kept.sort();
    let mut asked: Vec<String> =
        [erased(&first), erased(&second)].concat().into_iter().map(|(_, id)| id).collect();
    asked.sort();
    assert_eq!((asked.len(), &asked), (2, &kept), "each its own, and both are kept");
    let sent_to = |receiver: &Receiver| {
        let of_notes = |sent: &Value| sent["product"]["name"] == "notes-mcp";
        heartbeats(receiver).into_iter().filter(of_notes).collect::<Vec<_>>()
    };
    for receiver in [&first, &second] {
        let (product, id) = &erased(receiver)[0];
        assert_eq!(product, "notes-mcp");
        assert!(sent_to(receiver).iter().all(|sent| sent["anonymous_id"] == id.as_str()));
    }
    let before = sent_to(&second).len();
    tap.call();
    other.must_send(&second);
    assert_eq!(sent_to(&second).len(), before);
    // One of them alone, by its endpoint.
    let refused = forget(&home, &["--endpoint", &first.endpoint()]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert_eq!((erased(&first).len(), erased(&second).len()), (2, 1));
    // One that has erased is not asked again while the other one still fails.
    first.erase();
    for _ in 0..2 {
        fails(&forget(&home, &[]), &["does not know erasure"]);
    }
    assert_eq!((erased(&first).len(), erased(&second).len()), (3, 3));
}

#[test]
fn erased_everywhere_is_no_install_whatever_still_runs_and_a_new_one_once_it_is_enabled() {
    let home = Home::new();
    let receiver = Receiver::start([]);
    receiver.erase();
    let mut tap = Tap::of(&home, "notes-mcp", "1.4.0", &receiver);
    tap.must_send(&receiver);
    let old = ids(&home);
    let done = json(&forget(&home, &["-o", "json"]));
    assert_eq!(done["installs"][0]["outcome"], "erased", "{done}");
    assert_eq!(erased(&receiver), [("notes-mcp".to_owned(), old[0].clone())]);
    assert_eq!(receiver.requests().last().expect("requests").line, "DELETE /installs HTTP/1.1");
    tap.must_fall_silent();
    tap.call();
    assert_eq!(ids(&home), [""; 0]);
    let status = home.status("notes-mcp", &[]);
    assert_eq!(status["rule"], "config:telemetry.products.notes-mcp.enabled");
    assert_eq!(status["heartbeat"]["last_success"], Value::Null);
    assert_eq!(receiver.requests().last().expect("requests").line, "DELETE /installs HTTP/1.1");
    tap.end();
    // With nothing kept there is nothing that asks for an erasure.
    let shown = succeeds(&home.run_given(&["uninstall"]));
    assert!(!shown.contains("Collectors keep"), "{shown}");

    succeeds(&home.run_given(&["telemetry", "enable", "--product", "notes-mcp"]));
    Tap::of(&home, "notes-mcp", "1.4.0", &receiver).must_send(&receiver);
    let sent = heartbeats(&receiver).pop().expect("a heartbeat");
    assert_eq!([sent["anonymous_id"].as_str().expect("an id")], *ids(&home));
    assert_ne!(ids(&home), old);
    assert_eq!(sent["carried_over"], false);
}

#[test]
fn a_product_that_never_ran_is_switched_off_and_named() {
    let home = Home::new();
    let done = succeeds(&forget(&home, &[]));
    assert!(done.contains("there is nothing to forget"), "{done}");
    assert!(done.contains("No host of notes-mcp ever started"), "{done}");
    assert!(read(&home.given_config()).contains("notes-mcp"));
    let wrong = home.run_given(&["telemetry", "forget", "--product", "no product"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
}
