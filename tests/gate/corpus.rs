//! Leaks, and the ways in which they are spelled.

use mcpproxy::gate::PrivateWords;

/// The words of the machine whose leaks these are.
pub fn private() -> PrivateWords {
    PrivateWords::new(
        ["xanthippe", "Build-Host-7.corp.example", "Doña Inés"],
        [
            "s3cret-value",
            "Correct Horse Battery",
            "/opt/acme/licence",
            "hunter22",
            "q7w8",
            "de_AT.UTF-8",
            "11",
            "true",
        ],
    )
}

/// Leaks that are spelled like client names: only the leak scan can refuse them.
pub const LIKE_NAMES: &[&str] = &[
    "xanthippe",
    "xanthippe-client",
    "my.xanthippe_laptop",
    "build-host-7",
    "build_host_7.corp.example",
    "agent-on-build-host-7",
    "dona-ines",
    "s3cret-value",
    "x-s3cret_value",
    "correct-horse-battery",
    "opt-acme-licence",
    "hunter22",
    "client_q7w8",
    "de_at.utf-8",
    "10.0.0.1",
    "192.168.178.20",
    "agent-172.16.0.3",
    "ip-10-11-12-13.ec2.internal",
    "00-1a-2b-3c-4d-5e",
    "nic-00_1a_2b_3c_4d_5e",
    "001a.2b3c.4d5e",
    "001a2b3c4d5e",
    "sk-abcdefghijklmnop",
    "sk-proj-abcdefghijkl1234",
    "sk-ant-api03-aaaabbbbcccc",
    "my-sk-abcdefghijklmnop",
    "ghp_abcdefghijklmnopqrst",
    "gho_16c7e42f292c6912e7710c838347ae178b4a",
    "ghu_abcdefghijklmnopqrst",
    "ghs_abcdefghijklmnopqrst",
    "ghr_abcdefghijklmnopqrst",
    "github_pat_11abcdefg0abcdefghijkl",
    "xoxa-1234567890",
    "xoxb-1234567890-abcdef",
    "xoxp-abcdefghij",
    "xoxr-abcdefghij",
    "xoxs-abcdefghij",
    "akiaiosfodnn7example",
    "eyjhbgcioijiuzi1nij9.eyjzdwiioiixmjm0nty3odkwin0.x",
    "0123456789abcdef0123456789abcdef",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "wjalrxutnfemik7mdengbpxrficyexamplekey",
    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "x.7c9e6679-7425-40de-944b-e07fc1f90ae7",
];

/// Leaks that no client name is spelled like.
pub const UNLIKE_NAMES: &[&str] = &[
    "/home/someone",
    "/home/someone/.config/x",
    "/Users/Someone/Library",
    "/root/.ssh/id_ed25519",
    "/var/folders/zz/abc/T/",
    "file:///home/someone/x",
    "C:\\Users\\Someone",
    "c:/users/someone",
    "D:\\",
    "\\\\fileserver\\share\\x",
    "~/projects",
    "~someone",
    "SOMEON~1",
    "someone@example.com",
    "first.last+tag@sub.example.co.uk",
    "someone@localhost",
    "https://someone:pass@git.example.com/x.git",
    "ftp://someone@host",
    "http://:token@host/",
    "fe80::1ff:fe23:4567:890a",
    "2001:db8:85a3::8a2e:370:7334",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "[::1]:8080",
    "00:1A:2B:3C:4D:5E",
    "sk-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "Bearer GHP_ABCDEFGHIJKLMNOPQRST",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "dGhpcyBpcyBhIHNlY3JldCBvZiBzb21lb25l",
    "XANTHIPPE",
    "Xanthippe's MacBook",
    "Correct Horse Battery",
    "/opt/acme/licence",
    "Doña Inés",
    "DOÑA INÉS",
];

/// All leaks, as they are.
pub fn leaks() -> impl Iterator<Item = &'static str> {
    LIKE_NAMES.iter().chain(UNLIKE_NAMES).copied()
}

/// One way to spell any text.
pub type Spelling = (&'static str, fn(&str) -> String);

/// Ways to spell a text that a receiver could undo.
pub const SPELLINGS: &[Spelling] = &[
    ("as it is", str::to_owned),
    ("upper case", str::to_uppercase),
    ("percent-encoded", |text| text.bytes().map(|b| format!("%{b:02X}")).collect()),
    ("percent-encoded in lower case", |text| text.bytes().map(|b| format!("%{b:02x}")).collect()),
    ("percent-encoded in part", |text| {
        let odd = |(i, b): (usize, u8)| {
            if i % 2 == 0 || b >= 0x80 { format!("%{b:02x}") } else { char::from(b).to_string() }
        };
        text.bytes().enumerate().map(odd).collect()
    }),
    ("percent-encoded twice", |text| text.bytes().map(|b| format!("%25{b:02X}")).collect()),
    ("escaped", escaped),
    ("escaped, then percent-encoded", |text| {
        escaped(text).bytes().map(|b| format!("%{b:02X}")).collect()
    }),
    ("percent-encoded, then escaped", |text| {
        let percent: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        escaped(&percent)
    }),
    ("percent-encoded too often", |text| {
        text.bytes().map(|b| format!("%{}{b:02X}", "25".repeat(20))).collect()
    }),
    ("in full width", |text| {
        let wide = |c: char| match c {
            '!'..='~' => char::from_u32(c as u32 + 0xfee0).unwrap(),
            c => c,
        };
        text.chars().map(wide).collect()
    }),
    ("with invisible characters", |text| text.chars().flat_map(|c| [c, '\u{200b}']).collect()),
    ("between other text", |text| format!("x ({text}) y")),
];

/// `text` in `\uXXXX`.
pub fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}
