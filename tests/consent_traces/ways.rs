//! Every way of switching off.

use super::*;
use std::os::unix::fs::{PermissionsExt as _, symlink};

/// One way: what ancestors export, what the process itself has, what lies in the home.
pub struct Way {
    pub name: &'static str,
    pub exports: &'static [(&'static str, &'static str)],
    pub own: &'static [(&'static str, &'static str)],
    pub make: fn(&Home),
    pub config: Option<&'static [u8]>,
    /// As another user: root can read everything.
    pub as_nobody: bool,
}

pub const fn way(name: &'static str) -> Way {
    Way { name, exports: &[], own: &[], make: |_| (), config: None, as_nobody: false }
}

const fn own(name: &'static str, own: &'static [(&'static str, &'static str)]) -> Way {
    Way { own, ..way(name) }
}

const fn exported(name: &'static str, exports: &'static [(&'static str, &'static str)]) -> Way {
    Way { exports, ..way(name) }
}

const fn made(name: &'static str, make: fn(&Home)) -> Way {
    Way { make, ..way(name) }
}

/// What may be left of a config that said `enabled: false`.
pub const CORRUPT: [(&str, &[u8]); 12] = [
    ("an empty config", b""),
    ("a config of blanks", b" \n\n"),
    ("a config of zeros", &[0; 512]),
    ("a config cut off at its start", b"{"),
    ("a config cut off in its middle", b"{\"telemetry\":{\"enabled\":fal"),
    ("a config with a comment", b"{\"telemetry\":{\"enabled\":false}} // off"),
    ("a config with a key twice", b"{\"telemetry\":{\"enabled\":false,\"enabled\":true}}"),
    ("a list for a config", b"[{\"telemetry\":{\"enabled\":false}}]"),
    ("a config with another kind of section", b"{\"telemetry\":false}"),
    ("a config with another kind of value", b"{\"telemetry\":{\"enabled\":\"false\"}}"),
    ("a config with a slip of the pen", b"{\"telemetry\":{\"enablet\":false}}"),
    ("a config that is no UTF-8", b"{\"\xff\":1,\"telemetry\":{\"enabled\":true}}"),
];

/// A way for each of [`CORRUPT`], against an allowing word.
pub fn corrupt() -> impl Iterator<Item = Way> {
    let own = &[("MCPPROXY_TELEMETRY", "1")];
    CORRUPT.iter().map(|(name, bytes)| Way { own, config: Some(bytes), ..way(name) })
}

/// Everything but [`CORRUPT`].
pub const WAYS: [Way; 24] = [
    own("DO_NOT_TRACK", &[("DO_NOT_TRACK", "1")]),
    own("DO_NOT_TRACK, any word", &[("DO_NOT_TRACK", "please")]),
    own("MCPPROXY_TELEMETRY=0", &[("MCPPROXY_TELEMETRY", "0")]),
    own("MCPPROXY_TELEMETRY=false", &[("MCPPROXY_TELEMETRY", "false")]),
    own("MCPPROXY_TELEMETRY=off", &[("MCPPROXY_TELEMETRY", " OFF ")]),
    own("MCPPROXY_TELEMETRY, no word we know", &[("MCPPROXY_TELEMETRY", "maybe")]),
    own("one of two", &[("MCPPROXY_TELEMETRY", "1"), ("DO_NOT_TRACK", "1")]),
    own("a near name", &[("MCPPROXY_TELEMETRY_DISABLED", "1")]),
    exported("a near name of an ancestor", &[("MCPPROXY_DO_NOT_TRACK", "yes")]),
    made("disabled: true", |home| home.config(r#"{"telemetry":{"disabled":true}}"#)),
    exported("DO_NOT_TRACK of an ancestor", &[("DO_NOT_TRACK", "1")]),
    exported("MCPPROXY_TELEMETRY of an ancestor", &[("MCPPROXY_TELEMETRY", "0")]),
    Way {
        own: &[("MCPPROXY_TELEMETRY", "1")],
        ..exported("an ancestor that objects to a process that allows", &[("DO_NOT_TRACK", "1")])
    },
    made("enabled: false", |home| home.config(r#"{"telemetry":{"enabled":false}}"#)),
    Way {
        own: &[("MCPPROXY_TELEMETRY", "1"), ("DO_NOT_TRACK", "0")],
        ..made("enabled: false, whatever is allowed", |home| {
            home.config("\u{feff}{\n  \"telemetry\": {\n    \"enabled\": false\n  }\n}\n");
        })
    },
    made("a config that is a directory", |home| {
        std::fs::create_dir_all(home.data().join("mcp_config.json")).expect("a directory");
    }),
    made("a config that is a pipe", |home| {
        std::fs::create_dir(home.data()).expect("a directory");
        let made = Command::new("mkfifo").arg(home.data().join("mcp_config.json")).status();
        assert!(made.expect("mkfifo runs").success());
    }),
    made("a config that is a link to nothing", |home| link(home, "/nowhere/config.json")),
    made("a config that is a link to itself", |home| link(home, "mcp_config.json")),
    made("a config that is too large", |home| {
        home.config("{}");
        let file = File::options().write(true).open(home.data().join("mcp_config.json"));
        // Blanks behind an object would be fine: it is the size that is not.
        file.and_then(|file| file.set_len((16 << 20) + 1)).expect("a large file");
    }),
    made("a data directory that is a file", |home| {
        std::fs::write(home.data(), "").expect("written");
    }),
    made("a data directory that is a link to nothing", |home| {
        symlink("/nowhere/else", home.data()).expect("a link");
    }),
    Way {
        as_nobody: true,
        ..made("a config that may not be read", |home| {
            home.config("{}");
            set(&home.data().join("mcp_config.json"), 0o000);
            set(&home.data(), 0o777);
        })
    },
    Way {
        as_nobody: true,
        ..made("a data directory that may not be entered", |home| {
            home.config("{}");
            set(&home.data(), 0o000);
        })
    },
];

fn link(home: &Home, to: &str) {
    std::fs::create_dir(home.data()).expect("a directory");
    symlink(to, home.data().join("mcp_config.json")).expect("a link");
}

fn set(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}
