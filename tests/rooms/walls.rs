//! The walls themselves: what each room may know, or must never know.
//!
//! One rule: a broken wall says its file, its line, and where the thing belongs instead.

use crate::reading::{Source, paths, references};

/// The rooms of the house. A new one is added here, with its walls if it has any.
pub const ROOMS: &[&str] = &[
    "activation",
    "autostart",
    "build_info",
    "cli",
    "collector",
    "config",
    "connect",
    "consent",
    "contract",
    "diagnostics",
    "doctor",
    "environment",
    "gate",
    "heartbeat",
    "identity",
    "json",
    "lib",
    "machine",
    "main",
    "notice",
    "paths",
    "products",
    "record",
    "serve",
    "status",
    "tap",
    "telemetry",
    "visible",
    "web",
];

/// Ties that would make a circle of rooms, each with the reason why it stands. None is the aim.
pub const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// What a room knows of others.
enum Wall {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Any but these.
    Never(&'static [&'static str]),
}

/// The room, its wall, and where the thing belongs that needs more.
const WALLS: &[(&str, Wall, &str)] = &[
    ("json", Wall::Only(&[]), "in the room that reads or writes such JSON"),
    ("visible", Wall::Only(&[]), "in the room that shows the text"),
    (
        "contract",
        Wall::Only(&["json"]),
        "above the contract: facts of this build in build_info, of this install in activation",
    ),
    ("diagnostics", Wall::Only(&[]), "in the room whose error has the code"),
    (
        "gate",
        Wall::Only(&["contract", "json"]),
        "in the caller, which passes it in; what sender and receiver must agree on, in contract",
    ),
    (
        "environment",
        Wall::Only(&["contract", "json"]),
        "in machine (reading) or in the caller; the rules here ask an `Evidence`",
    ),
    (
        "machine",
        Wall::Only(&["contract", "environment", "json", "visible"]),
        "in the caller: machine reads and returns plain data; types of the gate, the store and the data \
         directory are made above it",
    ),
    (
        "paths",
        Wall::Only(&["contract", "environment"]),
        "in the room that owns the file; here are names and nothing else",
    ),
    (
        "collector",
        Wall::Never(&[
            "activation",
            "config",
            "consent",
            "gateway",
            "heartbeat",
            "host",
            "identity",
            "machine",
            "serve",
            "tap",
            "telemetry",
        ]),
        "on the client's side, or in contract if both sides need it; `collector/simulate` alone runs the \
         client's stages",
    ),
    (
        "web",
        Wall::Only(&["build_info", "contract", "diagnostics", "json", "visible"]),
        "in the surface that is served, which passes it in as data",
    ),
    ("gateway", Wall::Never(&["collector"]), "in web, if every HTTP surface needs it"),
    ("serve", Wall::Never(&["collector"]), "in web, if every HTTP surface needs it"),
    (
        "record",
        Wall::Only(&[
            "activation",
            "connect",
            "contract",
            "heartbeat",
            "machine",
            "products",
            "telemetry",
        ]),
        "in the library: `record` is a host like any other, and knows what they know",
    ),
    ("platform", Wall::Never(&["mcpproxy"]), "in the root crate, which passes plain values down"),
];

/// Rooms, and single modules of rooms, without clock, file and network.
const PURE: &[&str] = &[
    "src/contract/",
    "src/diagnostics/",
    "src/environment/",
    "src/gate/",
    "src/json",
    "src/collector/definitions",
];

/// What a pure room must not name.
const IMPURE: &[&str] = &[
    "std::*",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::*",
    "std::time::Instant",
    "std::time::SystemTime",
    "crate::machine",
    "getrandom",
    "libc",
    "mcpproxy_platform",
    "ureq",
];

/// What looks impure and is not.
const PURE_AFTER_ALL: &[&str] = &["std::env::consts"];

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every reference of `house` from a room to one that it must not know.
pub fn broken(house: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in house.iter().filter(|source| !source.path.contains("/simulate/")) {
        let Some((_, wall, belongs)) = WALLS.iter().find(|(room, ..)| *room == source.room) else {
            continue;
        };
        for reference in references(source, house) {
            let to = reference.room.as_str();
            let allowed = to == source.room
                || match wall {
                    Wall::Only(rooms) => rooms.contains(&to),
                    Wall::Never(rooms) => !rooms.contains(&to) && to != "*",
                };
            if !allowed {
                broken.push(format!(
                    "{}:{}: {} must not know {to} (`{}`): it belongs {belongs}",
                    source.path, reference.line, source.room, reference.path
                ));
            }
        }
    }
    broken
}

/// Every mention of a clock, a file or the network in a pure room.
pub fn pure(house: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    let is_pure = |source: &&Source| PURE.iter().any(|pure| source.path.starts_with(pure));
    for source in house.iter().filter(is_pure) {
        for (line, path) in paths(source) {
            let impure = IMPURE.iter().any(|impure| is_below(&path, impure)) || path == "std";
            if impure && !PURE_AFTER_ALL.iter().any(|pure| is_below(&path, pure)) {
                broken.push(format!(
                    "{}:{line}: {} is pure and must not name `{path}`: reading belongs in machine, the \
                     result is passed in (time as `now`)",
                    source.path, source.room
                ));
            }
        }
    }
    broken
}
