//! A data directory that the first version made: it is that of `mcpproxy`, and stays where it is.

use super::*;
use mcpproxy::activation::Store;

/// The program that was first given to others, and the install that its fixture is of.
const FIRST_GIVEN: &str = "tests/data/stores/8f74b77";
const ID: &str = "3b1f8a52-6c1e-4d57-9a0b-2f4e6d8c0a1b";

fn directory_of_the_first_version(more: &str) -> Home {
    let home = Home::new();
    std::fs::create_dir(home.data()).expect("made");
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST_GIVEN);
    packed::unpack(&fixture, &home.dir());
    let config = format!(
        r#"{{"telemetry":{{"anonymous_id":"{ID}","anonymous_id_created_at":"2026-09-20T12:00:00Z"{more}}}}}"#
    );
    std::fs::write(home.data().join("mcp_config.json"), config).expect("written");
    home
}

#[test]
fn an_existing_data_directory_keeps_id_funnel_and_consent() {
    let (home, receiver) = (directory_of_the_first_version(""), Receiver::start([]));
    let endpoint = receiver.endpoint();
    let mut tap = Tap::start(&home, &[], &[("MCPPROXY_TELEMETRY_ENDPOINT", &endpoint)]);
    tap.call();
    let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
    assert_eq!(text(&payload, "/anonymous_id"), ID);
    assert_eq!(text(&payload, "/product/name"), "mcpproxy");
    assert_eq!(payload["carried_over"], false);
    assert_eq!(payload["activation"]["first_retrieve_tools_call_ever"], true);
    let clients = serde_json::json!(["claude-code", "zed"]);
    assert_eq!(payload["activation"]["mcp_clients_seen_ever"], clients);
    // It was told once, and is not told again.
    assert_eq!(tap.end(), "");
    assert!(!home.data().join("products").exists());
}

#[test]
fn an_objection_of_the_first_version_holds_for_every_product() {
    let (home, receiver) =
        (directory_of_the_first_version(r#","enabled":false"#), Receiver::start([]));
    let endpoint = receiver.endpoint();
    let mut tap = Tap::of(&home, "notes-mcp", &receiver);
    let mut own = Tap::start(&home, &[], &[("MCPPROXY_TELEMETRY_ENDPOINT", &endpoint)]);
    for tap in [&mut tap, &mut own] {
        tap.must_fall_silent();
    }
    assert_eq!((receiver.connections(), home.data().join("products").exists()), (0, false));
}

/// Beside it, a product begins with nothing of it.
#[test]
fn a_product_beside_it_has_nothing_in_common_with_it() {
    let (home, receiver) = (directory_of_the_first_version(""), Receiver::start([]));
    let before = Store::peek(&home.dir(), 0).expect("readable");
    let tap = Tap::of(&home, "notes-mcp", &receiver);
    let payload = body(&receiver.wait_for(1, PATIENCE)[0]);
    assert!(tap.end().contains("notes-mcp counts its installs"));
    assert_ne!(text(&payload, "/anonymous_id"), ID);
    assert_eq!(payload["activation"]["first_retrieve_tools_call_ever"], false);
    assert_eq!(payload["activation"]["mcp_clients_seen_ever"], serde_json::json!([]));
    assert_ne!(text(&payload, "/launch_source"), "installer");
    assert_eq!(Store::peek(&home.dir(), 0).expect("readable"), before);
}
