//! The walls between the rooms of the house: which room may know which, read from the source.
//!
//! One rule: a wall that is not written in `walls.rs` is no wall; `reading.rs` only says who names whom.

#[cfg(any(feature = "cli", feature = "serve"))]
mod codes;
mod reading;
mod walls;

use reading::{Source, files_below, references, text_errors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use walls::{EXCEPTIONS, broken, pure};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The production code of the root crate.
fn house() -> Vec<Source> {
    files_below(root(), "src")
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn no_room_knows_what_it_must_not_know() {
    let house = house();
    assert!(house.len() > 150, "the source was not read");
    assert_none(&broken(&house));
}

#[test]
fn pure_rooms_have_no_clock_no_file_and_no_network() {
    assert_none(&pure(&house()));
}

#[test]
fn the_platform_crate_does_not_know_the_product() {
    let sources = files_below(root(), "platform/src");
    assert!(sources.len() > 10, "the source was not read");
    assert_none(&broken(&sources));
    let manifest = std::fs::read_to_string(root().join("platform/Cargo.toml")).expect("a manifest");
    let named =
        manifest.lines().find(|line| line.split([' ', '=', '.']).next() == Some("mcpproxy"));
    assert_eq!(named, None, "platform/Cargo.toml");
}

#[test]
fn errors_are_types_and_not_texts() {
    let sources: Vec<Source> =
        house().into_iter().chain(files_below(root(), "platform/src")).collect();
    assert!(sources.len() > 150, "the source was not read");
    let found = sources.iter().flat_map(|source| {
        text_errors(source)
            .into_iter()
            .map(|line| format!("{}:{line}: an error that is a text", source.path))
    });
    assert_none(&found.collect::<Vec<_>>());
}

#[test]
fn an_error_that_is_a_text_is_found_however_it_is_written() {
    let of = |code: &str| text_errors(&Source::new("src/x.rs", code)).len();
    for code in [
        "fn a() -> Result<(), String> {}",
        "fn a() -> Result<(), &'static str> {}",
        "fn a() -> Result<\n    Vec<(u8, Option<String>)>,\n    String,\n> {}",
        "let a: impl Fn(&str) -> Result<(T, Option<String>), String>;",
        "type A<T> = std::result::Result<T, Box<str>>;",
    ] {
        assert_eq!(of(code), 1, "{code}");
    }
    for code in [
        "fn a() -> Result<BTreeMap<String, String>, Error> {}",
        "fn a() -> Result<String, Error> {}",
        "fn a() -> io::Result<String> {}",
        "fn a() -> Option<(Node, String)> {}",
        "// Result<(), String>",
    ] {
        assert_eq!(of(code), 0, "{code}");
    }
}

/// The rooms that each room names, with one place where it does.
fn graph(house: &[Source]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut graph: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in house {
        for reference in references(source, house) {
            if reference.room != source.room {
                let place = format!("{}:{}", source.path, reference.line);
                graph
                    .entry(source.room.clone())
                    .or_default()
                    .entry(reference.room)
                    .or_insert(place);
            }
        }
    }
    graph
}

/// A way from a room back to itself, as lines that say where each step is.
fn circle(graph: &BTreeMap<String, BTreeMap<String, String>>) -> Option<Vec<String>> {
    fn walk<'a>(
        at: &'a str,
        graph: &'a BTreeMap<String, BTreeMap<String, String>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<String>> {
        if let Some(start) = way.iter().position(|room| *room == at) {
            let steps = way[start..].iter().zip(way[start + 1..].iter().chain([&at]));
            let said = steps.map(|(from, to)| format!("{from} -> {to} ({})", graph[*from][*to]));
            return Some(said.collect());
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let found = graph.get(at).into_iter().flatten().find_map(|(to, _)| {
            let excepted = EXCEPTIONS.iter().any(|(from, known, _)| *from == at && known == to);
            if excepted { None } else { walk(to, graph, way, done) }
        });
        way.pop();
        found
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|room| walk(room, graph, &mut Vec::new(), &mut done))
}

#[test]
fn no_circle_of_rooms() {
    let graph = graph(&house());
    if let Some(steps) = circle(&graph) {
        panic!("a circle of rooms; move what ties it to a room below both:\n{}", steps.join("\n"));
    }
    for (from, to, why) in EXCEPTIONS {
        let stands = graph.get(*from).is_some_and(|known| known.contains_key(*to));
        assert!(stands, "{from} no longer knows {to}: remove the exception ({why})");
    }
}

/// Everything that is needed to build the gate: what a collector takes.
#[test]
fn from_the_gate_only_the_contract_and_json_are_reached() {
    let graph = graph(&house());
    let mut reached = BTreeSet::new();
    let mut next = vec!["gate"];
    while let Some(room) = next.pop() {
        let known = graph.get(room).into_iter().flat_map(|known| known.keys());
        next.extend(known.filter(|to| reached.insert(to.as_str())).map(String::as_str));
    }
    assert_eq!(reached, BTreeSet::from(["contract", "json"]));
}

#[test]
fn every_room_is_one_of_the_house() {
    let rooms: BTreeSet<_> = house().into_iter().map(|source| source.room).collect();
    let known: BTreeSet<_> = walls::ROOMS.iter().map(|room| (*room).to_owned()).collect();
    let new: Vec<_> = rooms.difference(&known).collect();
    assert!(new.is_empty(), "new rooms: {new:?}; say in tests/rooms/walls.rs what they may know");
}

/// The checker itself: each line would be found, with its file and line.
mod seeded {
    use super::*;

    fn source(path: &str, text: &str) -> Vec<Source> {
        vec![
            Source::new("src/lib.rs", "pub use telemetry::{Event, Telemetry};\n"),
            Source::new(path, text),
        ]
    }

    fn found(path: &str, text: &str) -> Vec<String> {
        let house = source(path, text);
        [broken(&house), pure(&house)].concat()
    }

    #[test]
    fn every_broken_wall_is_found_and_said_with_its_place() {
        for (path, text) in [
            ("src/gate/shape.rs", "\nuse crate::activation::clients;\n"),
            ("src/gate/shape.rs", "\nfn f() { crate::machine::private_words(); }\n"),
            ("src/gate/mod.rs", "\nuse crate::{config, json};\n"),
            (
                "src/gate/mod.rs",
                "\nuse crate::{\n    json, contract,\n    activation::{State},\n};\n",
            ),
            ("src/gate/mod.rs", "\nuse super::activation::State;\n"),
            ("src/gate/deep/x.rs", "\npub(crate) use super::super::super::config;\n"),
            ("src/gate/mod.rs", "\nuse crate::Telemetry;\n"),
            ("src/gate/mod.rs", "\nuse crate as all;\n"),
            ("src/gate/mod.rs", "\nuse crate::*;\n"),
            ("src/gate/mod.rs", "\nuse mcpproxy_platform::host;\n"),
            ("src/machine.rs", "\nuse crate::paths::DataDir;\n"),
            ("src/machine/x.rs", "\nuse crate::gate::PrivateWords;\n"),
            ("src/machine.rs", "\nuse crate::activation::Store;\n"),
            ("src/machine.rs", "\nuse crate::config;\n"),
            ("src/contract/mod.rs", "\nuse crate::build_info::VERSION;\n"),
            ("src/json/read/mod.rs", "\nuse crate::contract;\n"),
            ("src/collector/receive.rs", "\nuse crate::activation::State;\n"),
            ("src/collector/receive.rs", "\nuse crate::heartbeat::schedule;\n"),
            ("src/collector/mod.rs", "\nuse crate::Event;\n"),
            ("src/collector/mod.rs", "\nuse crate::serve::hub;\n"),
            ("src/serve/hub.rs", "\nuse crate::collector::receive;\n"),
            ("src/gateway/hub.rs", "\nuse crate::collector::receive;\n"),
            ("platform/src/lib.rs", "\nuse mcpproxy::paths::DataDir;\n"),
            ("src/environment/mod.rs", "\nuse std::fs;\n"),
            ("src/environment/mod.rs", "\nuse std::{fmt, fs::File};\n"),
            ("src/gate/mod.rs", "\nfn f() { std::net::TcpStream::connect(\"a\"); }\n"),
            ("src/contract/mod.rs", "\nuse std::time::SystemTime;\n"),
            ("src/contract/mod.rs", "\nuse std::time::{Duration, Instant};\n"),
            ("src/gate/mod.rs", "\nfn f() { let _ = std::time::Instant::now(); }\n"),
            ("src/gate/mod.rs", "\nuse std as s;\n"),
            ("src/environment/mod.rs", "\nfn f() { std::env::var(\"CI\"); }\n"),
            ("src/environment/mod.rs", "\nfn f() { crate::machine::now(); }\n"),
            ("src/collector/definitions.rs", "\nuse std::time::SystemTime;\n"),
        ] {
            let found = found(path, text);
            assert!(!found.is_empty(), "{path}: {text}");
            let place = format!("{path}:2: ");
            let place_of_list = format!("{path}:4: ");
            let said = |line: &String| {
                (line.starts_with(&place) || line.starts_with(&place_of_list))
                    && line.contains("belongs")
            };
            assert!(found.iter().all(said), "{found:?}");
        }
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        for (path, text) in [
            ("src/gate/shape.rs", "use crate::contract::MAX_COUNT;\nuse super::leaks::LeakKind;\n"),
            ("src/gate/shape.rs", "//! See [`crate::activation`].\n/* crate::config */\n"),
            ("src/gate/shape.rs", "const A: &str = \"crate::config\";\n"),
            (
                "src/gate/shape.rs",
                "#[cfg(test)]\nmod tests {\n    use crate::activation::State;\n}\n",
            ),
            ("src/gate/tests.rs", "use std::fs;\nuse crate::activation::State;\n"),
            ("src/gate/mod.rs", "use std::{fmt, time::Duration};\n"),
            ("src/environment/mod.rs", "const OS: &str = std::env::consts::OS;\n"),
            ("src/machine.rs", "use crate::environment::{Surroundings, names};\nuse std::fs;\n"),
            ("src/collector/simulate/mod.rs", "use crate::heartbeat::schedule;\n"),
            ("src/heartbeat/mod.rs", "use crate::machine;\nuse crate::Telemetry;\n"),
            ("platform/src/lib.rs", "use mcpproxy_platform::host;\n"),
        ] {
            assert_none(&found(path, text));
        }
    }

    #[test]
    fn a_circle_is_found_over_any_number_of_rooms() {
        let house = [
            Source::new("src/paths.rs", "use crate::machine::Variable;\n"),
            Source::new("src/machine.rs", "use crate::gate;\n"),
            Source::new("src/gate/mod.rs", "\nuse crate::activation::clients;\n"),
            Source::new("src/activation/mod.rs", "use crate::paths::DataDir;\n"),
        ];
        let steps = circle(&graph(&house)).expect("a circle");
        assert_eq!(steps.len(), 4, "{steps:?}");
        assert!(steps.contains(&"gate -> activation (src/gate/mod.rs:2)".to_owned()), "{steps:?}");
        assert_eq!(circle(&graph(&house[..3])), None);
    }
}
