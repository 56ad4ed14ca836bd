//! The gate of a collector: open for what it does not know, and nothing of that goes on.

use crate::corpus::leaks;
use crate::payload::{injections, value, value_v3};
use mcpproxy::collector::heartbeat::Heartbeat;
use mcpproxy::gate::{PrivateWords, Unknown, check, check_received, scan};
use serde_json::Value;

fn received(value: &Value) -> Result<Unknown, String> {
    check_received(value.to_string().as_bytes()).map_err(|refusal| refusal.to_string())
}

#[test]
fn what_the_clients_gate_lets_pass_is_all_known() {
    for clients in [&["claude-code", "acme-agent"][..], &[]] {
        for base in [value(clients), value_v3(clients)] {
            assert_eq!(received(&base), Ok(Unknown::default()));
        }
        let mut later = value(clients);
        later["schema_version"] = 5.into();
        assert_eq!(received(&later), Ok(Unknown { is_later: true, ..Unknown::default() }));
    }
}

/// Leaks in every place of every version: refused, or nowhere in what is read.
#[test]
fn a_leak_is_refused_or_dropped() {
    let clients = &["claude-code", "acme-agent"];
    let mut later = value(clients);
    later["schema_version"] = 5.into();
    let nothing = PrivateWords::default();
    let (mut refused, mut dropped) = (0, 0);
    for base in [value_v3(clients), value(clients), later] {
        // Some of each kind: all of them are tried against the closed gate.
        for leak in leaks().step_by(3) {
            // A private word of some machine is a name like any other here.
            if scan(leak, &nothing).is_none() {
                continue;
            }
            for changed in injections(&base, leak) {
                let text = changed.to_string();
                let unknown = match check_received(text.as_bytes()) {
                    Ok(unknown) => unknown,
                    Err(refusal) => {
                        assert!(!refusal.to_string().contains(leak), "{refusal}");
                        refused += 1;
                        continue;
                    }
                };
                let read = Heartbeat::read(text.as_bytes(), unknown).expect(&text);
                // A name that was scanned may have a leak's letters inside of a longer word.
                let product = read.product.as_deref().unwrap_or_default();
                assert_eq!(scan(product, &nothing), None, "{product}");
                // An id is one, and the key of the collector hides it.
                let shown = format!("{:?}", Heartbeat { id: String::new(), product: None, ..read });
                assert!(!shown.to_lowercase().contains(&leak.to_lowercase()), "{leak} in {shown}");
                let closed = check(text.as_bytes(), None, &nothing);
                assert_eq!(closed.is_ok(), unknown == Unknown::default(), "{text}");
                dropped += 1;
            }
        }
    }
    assert!(refused > 3_000 && dropped > 300, "{refused} {dropped}");
}
