//! Ways to smuggle something out in the name of a client, the only free string, by the way in that it would
//! take. The table of `docs/privacy.md` is this file (and `channels.rs`) in words: what is stopped, and what
//! honestly is not.

use crate::payload::{bytes_of, own, value};
use mcpproxy::activation::clients;
use mcpproxy::contract::client_name;
use mcpproxy::gate::{PrivateWords, Refusal, RefusalRule, check, scan};

/// Alice Liddell's machine, as `machine::private_words` sees it.
fn private() -> PrivateWords {
    PrivateWords::new(
        [
            "alice",
            "/Users/alice",
            "Alices-MacBook-Pro.local",
            "Alice Liddell",
            "Liddell",
            "jörg",
            "tim",
        ],
        [
            "/Users/alice/wonderland",
            "postgres://rabbit:h0leInOne7@db.example/x",
            "Bearer qz81xw72vu63",
            "xterm-256color",
            "Down The Hole",
        ],
    )
}

/// What a payload says of a client that calls itself `raw`: recorded, stored, assembled and checked as
/// it is on the way out.
fn sent_as(raw: &str) -> String {
    let private = private();
    let is_leak = |name: &str| scan(name, &private).is_some();
    let stored = [clients::canonical(raw, &is_leak)];
    let clean = clients::sanitize(&stored, false, &is_leak);
    let clean: Vec<&str> = clean.iter().map(String::as_str).collect();
    let bytes = bytes_of(&clean);
    assert_eq!(check(&bytes, Some(&own()), &private), Ok(()), "an install fell silent: {raw}");
    let sent: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    sent["activation"]["mcp_clients_seen_ever"][0].as_str().unwrap().to_owned()
}

/// The verdict on a payload that somebody else made, with `raw` as a client in it.
fn verdict_on(raw: &str) -> Result<(), Refusal> {
    let payload = value(&["zed", "placeholder"]).to_string();
    let quoted = serde_json::to_string(raw).unwrap();
    check(payload.replace("\"placeholder\"", &quoted).as_bytes(), None, &private())
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split_whitespace()
}

fn stopped(raw: &str) {
    assert_eq!(sent_as(raw), "unknown", "{raw}");
    assert!(verdict_on(raw).is_err(), "{raw}");
    // As it would be stored by a version that scans less.
    let lower = raw.to_lowercase();
    if client_name::is_canonical(&lower) && !client_name::is_known(&lower) && lower == raw {
        let refusal = verdict_on(&lower).expect_err(&lower);
        assert_eq!(refusal.rule, RefusalRule::Leak, "{raw}");
    }
}

#[test]
fn the_users_name_at_boundaries_in_any_case() {
    for raw in [
        "alice",
        "Alice",
        "ALICE",
        "aLiCe",
        " alice ",
        "my-alice",
        "alice-client",
        "x.alice.y",
        "x_alice_y",
        "alice--x",
        "alice (via mcp-remote 0.1.2)",
        "users.alice",
        "Users-alice-wonderland",
        "home_alice",
        "alice.local",
        "alices-macbook-pro",
        "Alices_MacBook.Pro",
        "alices-macbook-pro.local",
        "down-the-hole",
        "down_the.hole",
    ] {
        stopped(raw);
    }
}

#[test]
fn the_users_name_in_one_word_with_others() {
    for raw in [
        // With digits, as a plural or genitive, and (from five letters on) anywhere.
        "alice2",
        "2alice",
        "alice1865",
        "alices-tool",
        "alices",
        "tims",
        "tims-tool",
        "tim2",
        "tim_2",
        "7tim",
        "myalice",
        "alicebot",
        "xalicex",
        "AliceBot",
        "aliceClient",
        "MCPAlice",
        "aliceliddell",
        "liddells",
        "downthehole",
        "alicesmacbookpro",
        "wonderland-users-alice",
        // Where the capitals are the only boundaries, which lower case takes away.
        "TimClient",
        "myTim",
        "MCPTim",
        "TimMCP",
        "TIMTool",
        "TIMclient",
        "IDEtim",
        "myTIMtool",
    ] {
        stopped(raw);
    }
    for raw in [
        "timestamp",
        "timeline-optimizer",
        "multimedia",
        "optimal",
        "entities",
        "Timber",
        "TimeTool",
    ] {
        assert_eq!(sent_as(raw), raw.to_lowercase(), "an ordinary word that holds `tim`");
    }
}

#[test]
fn the_users_name_torn_apart() {
    for raw in words(
        "al-ice a.l.i.c.e a_l_i_c_e a-l.i_c-e x-al-ice-y t-i-m ti.m lid-dell ali--ce \
             do.wn-thehole al-ice2",
    ) {
        stopped(raw);
    }
    for raw in ["text-images", "medical-ice-tool", "multi-mode", "practical-icebreaker"] {
        assert_eq!(sent_as(raw), raw, "the ends of ordinary words");
    }
}

#[test]
fn the_users_name_in_letters_that_look_like_it() {
    for raw in [
        // Digits.
        "al1ce",
        "a11ce",
        "4lice",
        "4l1c3",
        "t1m",
        "71m",
        "x-al1ce-y",
        "l1ddell",
        "m-4l1ce",
        // Cyrillic, full width, marks, invisible, bidirectional, dotless, ligatures, mathematical, circled.
        "аlice",
        "ａｌｉｃｅ",
        "a\u{301}lice",
        "álice",
        "al\u{200b}ice",
        "al\u{ad}ice",
        "\u{202e}ecila",
        "alıce",
        "ALİCE",
        "𝐚𝐥𝐢𝐜𝐞",
        "𝘼𝙡𝙞𝙘𝙚",
        "ⓐⓛⓘⓒⓔ",
        "alice\u{fe0f}",
        "\u{feff}alice",
        "alice\u{0}",
        "alice\u{e0061}",
        // What becomes of letters that ASCII has not.
        "jorg",
        "joerg",
        "Joerg-Client",
        "JÖRG",
        "jo\u{308}rg",
    ] {
        stopped(raw);
    }
    // The scan alone, for the day the alphabet of names is wider.
    for text in [
        "аlice",
        "ａｌｉｃｅ",
        "álice",
        "al\u{200b}ice",
        "alıce",
        "ALİCE",
        "𝐚𝐥𝐢𝐜𝐞",
        "𝘼𝙡𝙞𝙘𝙚",
        "ⓐⓛⓘⓒⓔ",
        "JÖRG",
    ] {
        assert!(scan(text, &private()).is_some(), "{text}");
    }
}

#[test]
fn the_users_name_in_encodings_of_machines() {
    for raw in [
        "%61lice",
        "%61%6c%69%63%65",
        "%2561lice",
        "al%69ce",
        "\\u0061lice",
        "\\u0061\\u006cice",
        "&#97;lice",
        "=?utf-8?q?alice?=",
        "xn--alice",
        // Base64 of `alice`, `Alice` and `/Users/alice`, with and without padding.
        "YWxpY2U=",
        "YWxpY2U",
        "QWxpY2U",
        "L1VzZXJzL2FsaWNl",
        "xYWxpY2Ux",
        "x-YWxpY2U-y",
        // Base32 and hexadecimal.
        "MFWGSY3F",
        "mfwgsy3f",
        "616c696365",
        "616C696365",
        "x616c696365",
        "416c696365",
        "61-6c-69-63-65",
    ] {
        stopped(raw);
    }
}

#[test]
fn addresses_in_any_base() {
    for raw in words(
        "10.0.0.1 ip-10-0-0-1 ip_10_0_0_1 10_0_0_1 x10.0.0.1y 010.000.000.001 0300.0250.0001.0001 \
             0xc0.0xa8.0x01.0x01 3232235777 ip3232235777 0xc0a80101 c0a80101 ip-c0a80101 030052000401 \
             192.168.178 192-168-1 192.168.1.x fe80::1 [::1] fe80--1ff-fe23-4567-890a \
             2001-db8-85a3--8a2e 2001-db8-85a3-8d3-1319-8a2e-370-7348 fe80_0_0_0_1ff_fe23_4567_890a \
             00:1a:2b:3c:4d:5e 00-1a-2b-3c-4d-5e 001a2b3c4d5e 001a.2b3c.4d5e 001a2b-3c4d5e \
             001a-2b3c-4d5e c0-a8-01-01 x_0a.ff.ac.12 ddb76def 112233445566 10.0.0.1:8080",
    ) {
        stopped(raw);
    }
    for raw in [
        "client-1.2.3",
        "client-1.2.3-4",
        "x86-64-tool",
        "tool-2026-11-22",
        "app-20261122",
        "face2face",
        "decade20",
        "cafe-babe-ab12",
        "v10.2.0-beta.1",
    ] {
        assert_eq!(sent_as(raw), raw, "a version, a date, a word");
    }
}

#[test]
fn numbers_that_are_somebodys() {
    for raw in [
        "436601234567",
        "call-0043-660-1234567",
        "4111-1111-1111-1111",
        "4111111111111111",
        "x078051120y",
        "tel_43.660.123.4567",
    ] {
        stopped(raw);
    }
}

#[test]
fn mail_addresses_paths_and_urls() {
    for raw in [
        "alice@example.com",
        "bob@example.com",
        "\"bob smith\"@example.com",
        "bob+tag@example.com",
        "bob@[10.0.0.1]",
        "bob@localhost",
        "mailto:bob@example.com",
        "bob%40example.com",
        "BOB@EXAMPLE.COM",
        "bob@exämple.com",
        "/Users/bob",
        "/home/bob/x",
        "C:\\Users\\bob",
        "c:/users/bob",
        "\\\\server\\share",
        "~bob",
        "file:///home/bob",
        "/var/folders/zz/T",
        "private-var-folders-zz-abc",
        "c-users-bob-project",
        "c--users-bob",
        "C_Users_Bob",
        "https://bob:pw@host/",
        "//server/share",
    ] {
        stopped(raw);
    }
    for raw in ["home-assistant", "users-service", "root-cause-agent"] {
        assert_eq!(sent_as(raw), raw, "names of products");
    }
}

#[test]
fn secrets_in_any_case_and_at_any_boundary() {
    let body = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
    for (prefix, least) in [
        ("ghp_", 20),
        ("gho_", 20),
        ("ghu_", 20),
        ("ghs_", 20),
        ("ghr_", 20),
        ("github_pat_", 20),
        ("sk-", 16),
        ("sk-proj-", 16),
        ("sk-ant-api03-", 16),
        ("xoxa-", 10),
        ("xoxb-", 10),
        ("xoxp-", 10),
        ("xoxr-", 10),
        ("xoxs-", 10),
        ("xoxe-", 10),
        ("xapp-1-", 10),
        ("AKIA", 16),
        ("ASIA", 16),
        ("glpat-", 20),
        ("sk_live_", 16),
        ("sk_test_", 16),
        ("rk_live_", 16),
        ("hf_", 30),
        ("npm_", 30),
        ("AIza", 30),
        ("", 32),
    ] {
        let token = format!("{prefix}{}", &body[..least]);
        for raw in [
            token.clone(),
            token.to_uppercase(),
            token.to_lowercase(),
            format!("x-{token}"),
            format!("x_{token}"),
            format!("x.{token}"),
            // Whole tokens are long enough to be seen without a boundary.
            format!("x{prefix}{body}"),
            // What programs make of a text that is to be a name.
            token.replace('_', "-"),
            token.replace('_', "."),
            token.replace('-', "_"),
        ] {
            stopped(&raw);
        }
    }
    for raw in [
        // Torn apart.
        "ghp_a1b2c-d3e4f-g5h6i-j7k8l9",
        "ghp-a1b2c.d3e4f.g5h6i.j7k8l9",
        "sk-a1b2.c3d4.e5f6.g7h8",
        // JWT: odd padding, no claims, a header that was written with white space.
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJub25lIn0=.e30=.",
        "ewogICJhbGciOiAibm9uZSJ9.e30.x",
        "eyAiYWxnIjoibm9uZSJ9.e30.x",
        "ew0KICJhbGciOiJub25lIn0.e30.x",
        // UUIDs other than the own, and the own one in a wrong place.
        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "7c9e6679742540de944be07fc1f90ae7",
        "7c9e6679.7425.40de.944b.e07fc1f90ae7",
        "7c9e66.797425.40de94.4be07f.c1f90a.e7",
        "id7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "urn:uuid:7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "3f2a9c1b-7d4e-4a61-9b0c-5d6e7f8091a2",
        // A part of an environment value that looks like a secret by itself.
        "h0leinone7",
        "x-h0leInOne7",
        "qz81xw72vu63",
        // Other separators than the issuer's, few numbers.
        "glpat_jyq5qcigjl8xiygumxmk",
        "x-ghp-bud8jqysiayjpfglpg3l",
        "hvs.bud8jqysiayjpfglpgxl",
    ] {
        stopped(raw);
    }
    for raw in [
        "sk-learn-tool",
        "ghs-data-loader-for-statistics",
        "asia-client",
        "npm_client",
        "hf-hub",
        "xapp-client",
    ] {
        assert_eq!(sent_as(raw), raw, "names of products");
    }
}

/// The limits, as `docs/privacy.md` admits them. When one of these fails, something more is stopped: say so there.
#[test]
fn what_cannot_be_stopped() {
    for raw in [
        // An innocent word that means something to somebody, and the names of others.
        "project-nightfall",
        "queen-of-hearts",
        "bob-laptop",
        // Ciphers and codes of the client's own choice: rot13, backwards, a code word, every second letter.
        "nyvpr",
        "ecila",
        "white-rabbit",
        "axlxixcxe",
        // Three and four letters inside a longer word, or encoded.
        "mytimbot",
        "dgltx-client",
        // Nor are they seen where everything is a capital.
        "mcptim",
        "74696d",
        // A longer name that is torn apart inside of longer words.
        "myal-icebot",
        // A value inside of a longer word, a short number.
        "downtheholes",
        "n-415-555-2671",
        // Half of it; the other half is another client.
        "ali",
        "ce-client",
        // A foreign script, as somebody spells it here: Алиса for Alice.
        "alisa",
    ] {
        assert_eq!(sent_as(raw), raw);
    }
    // Which known clients, in which order: with `client_names: "known"` this is what is left of names.
    for order in [["zed", "vscode"], ["vscode", "zed"]] {
        assert_eq!(check(&bytes_of(&order), Some(&own()), &private()), Ok(()));
    }
}
