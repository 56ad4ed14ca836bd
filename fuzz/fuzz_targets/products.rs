//! Products: whatever a launcher or a package calls one, a heartbeat about it passes on any machine, or the name
//! is refused before there is one.
//!
//! Input: the name, NUL, the version, NUL, numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcpproxy::contract::tables::DIAGNOSTIC_CODES;
use mcpproxy::contract::{AgentEnv, Diagnostics, Shutdown, product};
use mcpproxy::gate::{self, Own, PrivateWords, RefusalRule, check, scan};
use mcpproxy_fuzz::{Numbers, payload};
use std::collections::BTreeMap;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (name, version) = (text(), text());
    let mut numbers = Numbers::of(data);
    told(&name, &version, &mut numbers);
    unasked(&name, &version);
});

/// As a host takes what it is told.
fn told(name: &str, version: &str, numbers: &mut Numbers) {
    let version = gate::product_version(version);
    assert!(product::is_version(&version), "{version}");
    assert_eq!(gate::product_version(&version), version, "what was taken stays");
    let Ok(name) = gate::product_name(name) else { return };
    assert_eq!(gate::product_name(&name).as_deref(), Ok(name.as_str()), "what was taken stays");
    let mut payload = payload::of_clients(&["zed", "unknown"]);
    // On a machine whose user, host and environment are called so.
    let private = PrivateWords::new([&name, &version], [&name, &version]);
    payload.product.name = name;
    payload.product.version = version;
    payload.agent_env = AgentEnv::ALL[numbers.below(AgentEnv::ALL.len())];
    payload.previous_shutdown = Shutdown::ALL[numbers.below(Shutdown::ALL.len())];
    payload.carried_over = numbers.below(2) == 0;
    payload.days_since_install = numbers.below(usize::MAX) as u64;
    payload.active_days_30d = numbers.below(64) as u64;
    payload.diagnostics = (numbers.below(4) > 0).then(|| diagnostics(numbers));
    let bytes = payload.encode();
    assert_eq!(check(&bytes, Some(&payload::own_of(&payload)), &private), Ok(()));
    assert_eq!(check(&bytes, None, &private), Ok(()));
    // The same heartbeat is not that of another product.
    let other = Own { product: payload::own().product, ..payload::own_of(&payload) };
    if other.product != payload.product {
        let refusal = check(&bytes, Some(&other), &private).expect_err("somebody else's");
        assert!(refusal.field.starts_with("/product/"), "{refusal}");
    }
}

/// More codes and larger counts than a heartbeat holds: our encoder knows its limits.
fn diagnostics(numbers: &mut Numbers) -> Diagnostics {
    let counts = |numbers: &mut Numbers| -> BTreeMap<String, u64> {
        let some = numbers.below(30);
        let code = |numbers: &mut Numbers| {
            let code = DIAGNOSTIC_CODES[numbers.below(DIAGNOSTIC_CODES.len())];
            (code.to_owned(), numbers.below(usize::MAX) as u64)
        };
        (0..some).map(|_| code(numbers)).collect()
    };
    let last = numbers.below(DIAGNOSTIC_CODES.len() + 1);
    Diagnostics {
        error_code_counts_24h: counts(numbers),
        current_error_codes: counts(numbers),
        fix_attempted_24h: numbers.below(usize::MAX) as u64,
        fix_succeeded_24h: numbers.below(2_000) as u64,
        unique_codes_ever: numbers.below(2_000) as u64,
        last_error_code: DIAGNOSTIC_CODES.get(last).map(|code| (*code).to_owned()),
    }
}

/// As somebody writes it into a heartbeat without asking: with the right product in `own`, too.
fn unasked(name: &str, version: &str) {
    let nothing = PrivateWords::default();
    let mut payload = payload::of_clients(&["zed"]);
    let secret = product::is_name(name) && scan(name, &nothing).is_some();
    let fits = product::is_name(name) && !secret && gate::product_version(version) == version;
    payload.product.name = name.to_owned();
    payload.product.version = version.to_owned();
    let bytes = payload.encode();
    for own in [None, Some(payload::own_of(&payload))] {
        match check(&bytes, own.as_ref(), &nothing) {
            Ok(()) => assert!(fits, "{name:?} {version:?}"),
            Err(refusal) => {
                assert!(!fits, "{refusal}: {name:?} {version:?}");
                assert!(!secret || refusal.rule == RefusalRule::Leak, "{refusal}");
                assert!(name.len() < 8 || !refusal.to_string().contains(name), "{refusal}");
            }
        }
    }
}
