//! Which names and addresses `init` takes: what the binary would take, with a binary and without one.

use super::*;
use mcpproxy::consent::Target;
use mcpproxy::gate::product_name;

/// Names of which `init` without a binary must think as the binary does.
const NAMES: [&str; 22] = [
    "notes-mcp",
    "@acme/notes",
    "Notes_MCP",
    "7zip",
    "a",
    "a..b",
    "a.",
    "-a",
    "_a",
    "no name",
    "a/b",
    "@a/",
    "@/b",
    "mcpproxy",
    "mcpproxy-x",
    "mcpproxyx",
    "con",
    "con.x",
    "com1",
    "com0",
    "n\u{f6}tes",
    "a2345678901234567890123456789012345678901234567890123456789012345",
];

const ENDPOINTS: [&str; 19] = [
    "https://t.example.org",
    "https://t.example.org/",
    "HTTPS://T.example.org:8443/a/b",
    "http://127.0.0.1:8787",
    "http://localhost",
    "http://[::1]:1",
    "https://[::1]",
    "http://t.example.org",
    "t.example.org",
    "ftp://t.example.org",
    "https://",
    "https:///x",
    "https://a:b@t.example.org",
    "https://t.example.org/?a",
    "https://t.example.org/#a",
    "https://t.example.org/a b",
    "https://t.example.org:0",
    "https://t.example.org:99999",
    "https://t.ex\u{e4}mple.org",
];

/// Whether `init` refuses it; it has a package that it takes.
fn init_refuses(packed: &Packed, language: Language, words: &[&str]) -> bool {
    let folder = tempfile::tempdir().expect("a directory");
    let (name, text) = match language {
        Language::Npm => ("package.json", r#"{ "name": "x", "version": "1.0.0", "bin": "a.js" }"#),
        Language::Pypi => (
            "pyproject.toml",
            "project = { name = 'x', version = '1', dependencies = [], scripts = { x = 'x:y' } }",
        ),
    };
    write(&folder.path().join(name), text);
    write(&folder.path().join("x/__init__.py"), "");
    let words = [&["--dry-run"], words].concat();
    let output = packed.init(language, folder.path(), &words).output().expect("it starts");
    match output.status.code() {
        Some(0) => false,
        Some(2) => true,
        code => panic!("{code:?}: {words:?}: {}", stderr(&output)),
    }
}

#[test]
fn names_and_addresses_are_judged_as_the_binary_judges_them() {
    let Some(packed) = Packed::without_binary() else { return };
    for language in Language::ALL {
        for name in NAMES {
            let words = ["--endpoint", "https://t.example.org", "--product", name];
            let refused = product_name(name).is_err();
            assert_eq!(init_refuses(packed, language, &words), refused, "{language:?}: {name}");
        }
        for endpoint in ENDPOINTS {
            let words = ["--product", "x", "--endpoint", endpoint];
            let refused = Target::new(endpoint).is_err();
            assert_eq!(init_refuses(packed, language, &words), refused, "{language:?}: {endpoint}");
        }
    }
}

/// What only the gate knows: that a name looks like a key.
#[test]
fn a_name_that_the_gate_refuses_is_refused_where_the_binary_is() {
    let Some(packed) = Packed::with_binary() else { return };
    let key = "ghp-0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f";
    let words = ["--endpoint", "https://t.example.org", "--product", key];
    for language in Language::ALL {
        assert!(init_refuses(packed, language, &words), "{language:?}");
        assert!(!init_refuses(packed, language, &words[..2]), "{language:?}");
    }
}
