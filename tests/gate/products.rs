//! Ways to smuggle something out in what version 4 added: the product, its version, codes and their counts,
//! the marks of an install. As `attacks.rs`, this is a table of `docs/privacy.md`.

use crate::payload::{of_clients, own, own_of, value};
use mcpproxy::contract::tables::DIAGNOSTIC_CODES;
use mcpproxy::contract::{MAX_COUNT, Payload};
use mcpproxy::gate::{PrivateWords, Refusal, RefusalRule, check, product_name, product_version};
use serde_json::{Value, json};

/// The machine of a user called Alice, whose product has a word of its environment as its name.
fn private() -> PrivateWords {
    PrivateWords::new(["alice", "/Users/alice", "alices-macbook"], ["notes-mcp", "s3cret-value"])
}

fn of_product(name: &str, version: &str) -> Payload {
    let mut payload = of_clients(&["zed"]);
    payload.product.name = name.to_owned();
    payload.product.version = version.to_owned();
    payload
}

/// The verdict on a heartbeat whose sender was told this product, and on the same one in a file.
fn verdict_on(name: &str, version: &str) -> Result<(), Refusal> {
    let payload = of_product(name, version);
    let bytes = payload.encode();
    let sent = check(&bytes, Some(&own_of(&payload)), &private());
    assert_eq!(sent, check(&bytes, None, &private()), "{name} {version}");
    sent
}

#[test]
fn a_name_that_holds_a_token_an_address_or_a_number_is_refused_wherever_it_is_said() {
    for name in [
        // An address, in the spellings that the alphabet of names has room for.
        "10.0.0.1",
        "notes-10.0.0.1",
        "ip-10-0-0-1",
        "192.168.178",
        "c0a80101",
        "0300.0250.0001.0001",
        "3232235777",
        "fe80--1ff-fe23-4567-890a",
        "001a2b3c4d5e",
        "00-1a-2b-3c-4d-5e",
        // An id of somebody: as a UUID, in hexadecimal, in base 32, as a number.
        "notes-3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2",
        "3f2a9c1b7d4e4a619b0c5d6e7f8091a2",
        "ge3dcmzugi4dgmjsgezdgnbvgy3tqojq",
        "notes-436601234567",
        "4111-1111-1111-1111",
        // A token of an issuer, with its own separators and with others.
        "ghp_0a1b2c3d4e5f6g7h8i9j",
        "ghp-0a1b2c3d4e5f6g7h8i9j",
        "notes.sk-abcdefghijklmnop",
        "akiaiosfodnn7example",
        // A path that was made a name.
        "c-users-bob-project",
        "private-var-folders-zz-abc",
    ] {
        let refusal = verdict_on(name, "1.4.0").expect_err(name);
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Leak, "/product/name"));
        // A host and a collector are told at their start, not by silence.
        let error = product_name(name).expect_err(name);
        assert!(error.to_string().contains("looks like a key or an address"), "{name}: {error}");
        assert!(!error.to_string().contains(name) && !refusal.to_string().contains(name));
    }
}

#[test]
fn a_name_in_another_alphabet_is_refused_by_its_shape() {
    for name in [
        "alice@example.com",
        "/Users/alice",
        "C:\\Users\\alice",
        "~alice",
        "https://alice:pw@host",
        "notes mcp",
        "notes\u{0}",
        "n\u{200b}otes",
        "notizb\u{fc}cher",
        "NOTES",
        "%61lice",
        "..",
        "notes..mcp",
        "notes.",
        ".notes",
        "con",
        "com1.notes",
        "",
        &"n".repeat(65),
    ] {
        let refusal = verdict_on(name, "1.4.0").expect_err(name);
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Shape, "/product/name"));
    }
}

/// What a maintainer calls a product is said to everybody, also where a user is called the same.
#[test]
fn a_name_may_be_a_word_of_this_machine() {
    for name in ["alice", "alices-macbook", "notes-mcp", "s3cret-value", "users", "home"] {
        assert_eq!(verdict_on(name, "1.4.0"), Ok(()), "{name}");
        assert_eq!(product_name(name).as_deref(), Ok(name));
    }
}

/// Packages of the registries, whose names mix letters and digits as tokens do.
#[test]
fn a_name_may_say_2_and_4_for_words() {
    for name in [
        "ip2location",
        "iflow-mcp-ip2location-ip2locationio",
        "iflow-mcp-mcp2everything-mcp2serial",
    ] {
        assert_eq!(verdict_on(name, "1.4.0"), Ok(()), "{name}");
        assert_eq!(product_name(name).as_deref(), Ok(name));
        // One digit of a token is enough to make it one again.
        let token = name.replace("2l", "27l").replace("2s", "27s");
        assert_eq!(product_name(&token).is_err(), name.len() >= 32, "{token}");
    }
}

#[test]
fn a_version_holds_no_word_and_no_address_of_a_home_network() {
    for version in [
        "1.4.0-alice",
        "1.4.0+alice",
        "1.4.0-rc.alice",
        "1.4.0-616c696365",
        "97.108.105.99.101",
        "10.0.0.1",
        "100000.0.0",
        "01.4.0",
        "1.4.0-rc.01",
        "1.4.0-rc.1.2",
        "1.4.0-RC1",
        "V1.4.0",
        "1.4",
        "latest",
        "",
        " 1.4.0",
        "１.4.0",
    ] {
        let refusal = verdict_on("notes-mcp", version).expect_err(version);
        assert_eq!(
            (refusal.rule, refusal.field.as_str()),
            (RefusalRule::Shape, "/product/version")
        );
        // What is told is brought into the form; nothing but numbers and a tag of the list is left.
        assert_eq!(verdict_on("notes-mcp", &product_version(version)), Ok(()), "{version}");
    }
    for version in ["192.168.178", "v192.168.1", "192.168.178-dev", "192.168.1-rc.20"] {
        let refusal = verdict_on("notes-mcp", version).expect_err(version);
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Leak, "/product/version"));
        assert_eq!(product_version(version), "0.0.0-dev", "told, it becomes none");
    }
    assert_eq!(product_version("192.168.178.20"), "0.0.0-dev", "cut to a form that is an address");
    for version in ["1.4.0", "v0.0.1-rc.4", "2026.11.28", "2026.1128.1430", "10.0.1", "172.16.0"] {
        assert_eq!(verdict_on("notes-mcp", version), Ok(()), "{version}");
        assert_eq!(product_version(version), version);
    }
}

/// The sender vouches for its product: nothing between its start and the gate can exchange it.
#[test]
fn another_product_than_the_one_that_was_told_is_refused() {
    let bytes = of_product("notes-mcp", "1.4.0").encode();
    for (told, version, field) in [
        ("notes-mcq", "1.4.0", "/product/name"),
        ("notes-mcp", "1.4.1", "/product/version"),
        // The same version to a reader, another one to the gate: one form.
        ("notes-mcp", "v1.4.0", "/product/version"),
    ] {
        let own = own_of(&of_product(told, version));
        let refusal = check(&bytes, Some(&own), &private()).expect_err(field);
        assert_eq!((refusal.rule, refusal.field.as_str()), (RefusalRule::Shape, field));
    }
}

#[test]
fn marks_of_an_install_are_one_of_few_values() {
    let refused = |pointer: &str, new: Value| {
        let mut changed = value(&["zed"]);
        *changed.pointer_mut(pointer).unwrap() = new.clone();
        for own in [None, Some(&own())] {
            let refusal = check(changed.to_string().as_bytes(), own, &PrivateWords::default());
            let refusal = refusal.expect_err(pointer);
            assert_eq!(
                (refusal.rule, refusal.field.as_str()),
                (RefusalRule::Shape, pointer),
                "{new}"
            );
        }
    };
    for (pointer, most) in [("/days_since_install", 366), ("/active_days_30d", 30)] {
        for wrong in [json!(most + 1), json!(-1), json!(0.5), json!("1"), json!(null), json!([1])] {
            refused(pointer, wrong);
        }
    }
    for pointer in ["/agent_env", "/previous_shutdown"] {
        for wrong in [json!("alice"), json!("CLEAN"), json!(""), json!(null), json!(true), json!(0)]
        {
            refused(pointer, wrong);
        }
    }
    for wrong in [json!("true"), json!(1), json!(null), json!({"alice": true})] {
        refused("/carried_over", wrong.clone());
        refused("/activation/first_real_tool_call_ever", wrong);
    }
    // A day is a day: its hours would tell two products that were started together.
    for wrong in
        ["2026-01-11T00:00:01Z", "2026-01-11T08:00:00Z", "2026-01-11", "0001-01-01T00:00:00Z"]
    {
        refused("/anonymous_id_created_at", json!(wrong));
    }
}

#[test]
fn codes_are_those_of_the_catalog_and_in_one_order() {
    let with = |name: &str, new: Value| {
        let mut changed = value(&["zed"]);
        changed["diagnostics"][name] = new;
        check(changed.to_string().as_bytes(), Some(&own()), &PrivateWords::default())
    };
    for name in ["error_code_counts_24h", "current_error_codes"] {
        for key in ["alice", "MCPX_ALICE", "MCPX_UNKNOWN\u{200b}", "mcpx_unknown", "10.0.0.1", ""] {
            let refusal = with(name, json!({"MCPX_HTTP_DNS": 1, key: 1})).expect_err(key);
            assert_eq!(
                (refusal.rule, refusal.field),
                (RefusalRule::Shape, format!("/diagnostics/{name}"))
            );
        }
        for wrong in [json!(-1), json!(1e20), json!(MAX_COUNT + 1), json!("alice"), json!({"a": 1})]
        {
            let refusal = with(name, json!({"MCPX_UNKNOWN": wrong})).expect_err(name);
            assert_eq!(refusal.field, format!("/diagnostics/{name}/MCPX_UNKNOWN"));
        }
        let many = DIAGNOSTIC_CODES.iter().take(21).map(|code| (code.to_string(), json!(1)));
        assert!(with(name, Value::Object(many.collect())).is_err(), "more than 20");
        // Orders would be a message of 61 bits.
        let refusal = with(name, json!({"MCPX_STDIO_EXITED": 1, "MCPX_HTTP_DNS": 1}));
        assert_eq!(refusal.expect_err("order").rule, RefusalRule::Shape);
    }
    for code in ["alice", "MCPX_ALICE", "MCPX_UNKNOWN MCPX_UNKNOWN", ""] {
        assert!(with("last_error_code", json!(code)).is_err(), "{code}");
    }
}

/// The limits, as `docs/privacy.md` admits them. When one of these fails, something more is stopped: say so there.
#[test]
fn what_of_it_cannot_be_stopped() {
    for (name, version) in [
        // A package for each user, by a maintainer who wants that: a short number, a word, a name.
        ("notes-u48213", "1.4.0"),
        ("notes-nightfall", "1.4.0"),
        ("bobs-notes", "1.4.0"),
        // Letters of one's own choice that mix as words do.
        ("notes-kavotelu", "1.4.0"),
        // About 70 bits of digits: a telephone number, an address that no home network has, half an id.
        ("notes-mcp", "43660.12345.67"),
        ("notes-mcp", "10.0.0-rc.1"),
        ("notes-mcp", "48213.90211.33107-beta.7719"),
    ] {
        assert_eq!(verdict_on(name, version), Ok(()), "{name} {version}");
    }
    // An id in 19 counts, and in which 19: whoever may write the store may write them.
    let mut payload = of_clients(&["zed"]);
    let diagnostics = payload.diagnostics.as_mut().expect("it has some");
    let id = 0x3f2a_9c1b_7d4e_4a61_9b0c_5d6e_7f80_91a2_u128;
    let digits = DIAGNOSTIC_CODES.iter().take(19).enumerate();
    let digits = digits.map(|(at, code)| (code.to_string(), (id >> (7 * at)) as u64 & 127));
    diagnostics.error_code_counts_24h = digits.collect();
    assert_eq!(check(&payload.encode(), Some(&own()), &private()), Ok(()));
}
