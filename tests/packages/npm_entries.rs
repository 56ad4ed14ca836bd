//! What a server finds behind the launcher is what it finds without: its arguments, the options of Node.js, its
//! directory, its environment, and that it is the main module. However the entry names it.

use crate::npm_tree::{Running, Tree, can_run, is_tapped, nodes, replaces_itself};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// What the probe says, without what differs between any two processes.
fn seen(running: &mut Running) -> Value {
    let mut said = running.said();
    let said = said.as_object_mut().expect("an object");
    said.remove("pid");
    said.remove("ppid");
    if !cfg!(target_os = "linux") {
        // Where a server cannot see that its parent is tap, the launcher tells it.
        said["env"].as_object_mut().expect("an object").remove("MCPPROXY_TAPPED");
    }
    json!(said)
}

/// Starts `file` with options and arguments that are easily lost on the way.
fn start(tree: &Tree, node: &Path, file: &Path, objects: bool) -> Running {
    let mut command = tree.command(node);
    command.args(["--no-warnings", "--stack-trace-limit=7"]).arg(file);
    command.args(["--", "two words", "", "\u{e9}", "--help", "-e", "$HOME"]);
    command.env("NODE_OPTIONS", "--no-deprecation").env("NOTES_KEY", " a value\u{e9}");
    if objects {
        command.env("DO_NOT_TRACK", "1");
    }
    Running::start(&mut command)
}

#[test]
fn arguments_options_directory_and_environment_reach_the_server() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    for (name, node) in nodes() {
        for objects in [false, true] {
            let (server, entry) = tree.probe();
            let mut plain = start(&tree, &node, &server, objects);
            let mut through = start(&tree, &node, &entry, objects);
            let (of_plain, said) = (seen(&mut plain), through.said());
            assert_eq!(is_tapped(&through, &said), !objects, "{name}");
            let replaced = said["ppid"].as_u64() == Some(through.child.id().into());
            assert_eq!(replaced, !objects && replaces_itself(&node), "{name}");
            let mut again = start(&tree, &node, &entry, objects);
            assert_eq!(seen(&mut again), of_plain, "{name}, objection: {objects}");
            assert_eq!(of_plain["isMain"], true);
            for running in [plain, through, again] {
                let (status, rest, complaint) = running.end();
                assert_eq!(
                    (status.code(), rest, complaint),
                    (Some(0), String::new(), String::new())
                );
            }
        }
    }
}

/// A server that says which module it is.
const MODULE: &str = r#"
import { fileURLToPath } from "node:url";
console.log(JSON.stringify({ isMain: process.argv[1] === fileURLToPath(import.meta.url), pid: process.pid }));
process.stdin.resume();
"#;

#[test]
fn an_entry_names_its_server_as_it_likes() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    tree.write("dist/server.mjs", MODULE);
    tree.write(
        "dist/server.cjs",
        "console.log(JSON.stringify({ isMain: require.main === module, \
        pid: process.pid })); process.stdin.resume();",
    );
    let import = "import { tap } from '@mcpproxy/tap'; import { fileURLToPath } from 'node:url';";
    let require = "const { tap } = require('@mcpproxy/tap'); const path = require('node:path');";
    let entries = [
        ("url.mjs", import, "await tap(new URL('./dist/server.mjs', import.meta.url), told);"),
        (
            "word.mjs",
            import,
            "await tap(new URL('./dist/server.mjs', import.meta.url).href, told);",
        ),
        (
            "path.mjs",
            import,
            "await tap(fileURLToPath(new URL('./dist/server.cjs', import.meta.url)), told);",
        ),
        ("required.cjs", require, "tap(require.resolve('./dist/server.cjs'), told);"),
        ("joined.cjs", require, "tap(path.join(__dirname, 'dist', 'server.mjs'), told);"),
        ("relative.cjs", require, "tap('./dist/server.mjs', told);"),
    ];
    let node = Path::new("node");
    for (name, head, line) in entries {
        let told = "const told = { product: 'notes-mcp', version: '1.4.0' };";
        let entry = tree.write(name, &format!("{head}\n{told}\n{line}\n"));
        for objects in [false, true] {
            let mut running = start(&tree, node, &entry, objects);
            let said = running.said();
            assert_eq!(said["isMain"], true, "{name}, objection: {objects}");
            assert_eq!(is_tapped(&running, &said), !objects, "{name}");
            assert_eq!(running.end().0.code(), Some(0), "{name}");
        }
    }
}

/// As `npm` links a command: the name of the entry is that of a symbolic link without an ending.
#[test]
fn an_entry_may_be_started_by_another_name() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let (_, entry) = tree.probe();
    let link = tree.path("notes-mcp");
    std::os::unix::fs::symlink(&entry, &link).expect("a link");
    let mut running = start(&tree, Path::new("node"), &link, false);
    let said = running.said();
    assert!(is_tapped(&running, &said));
    assert_eq!(said["argv"][1], json!(tree.path("server.cjs")));
    running.end();
}

#[test]
fn a_server_whose_own_file_calls_tap_starts_once() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let rest = r#"console.log(JSON.stringify({ pid: process.pid, mark: process.env.MCPPROXY_TAPPED ?? null }));
        process.stdin.resume();"#;
    let module = tree.write(
        "own.mjs",
        &format!("import {{ tap }} from '@mcpproxy/tap';\nawait tap(import.meta.url, {{ product: 'notes-mcp' }});\n{rest}"),
    );
    let common = tree.write(
        "own.cjs",
        &format!("const {{ tap }} = require('@mcpproxy/tap');\ntap(__filename, {{ product: 'notes-mcp' }});\n{rest}"),
    );
    for (name, node) in nodes() {
        // Nothing holds up the rest of a CommonJS file but a process that is replaced.
        for (file, tapped) in [(&module, true), (&common, replaces_itself(&node))] {
            for objects in [false, true] {
                let mut running = start(&tree, &node, file, objects);
                let said = running.said();
                assert_eq!(is_tapped(&running, &said), tapped && !objects, "{name} {file:?}");
                assert_eq!(said["mark"], Value::Null, "{name}: its children are told nothing");
                let (status, rest, _) = running.end();
                assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{name} {file:?}");
            }
        }
    }
}

#[test]
fn a_second_call_starts_nothing() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    tree.probe();
    let line = "await tap(new URL('./server.cjs', import.meta.url), { product: 'notes-mcp' });";
    let twice =
        tree.write("twice.mjs", &format!("import {{ tap }} from '@mcpproxy/tap';\n{line}\n{line}"));
    // A server that leads back to its entry.
    tree.write("circle.mjs", "import './back.mjs';\nconsole.log('{}');\nprocess.stdin.resume();");
    let back = tree.write(
        "back.mjs",
        "import { tap } from '@mcpproxy/tap';\nawait tap(new URL('./circle.mjs', import.meta.url), { product: 'notes-mcp' });",
    );
    for entry in [twice, back] {
        for objects in [false, true] {
            let mut running = start(&tree, Path::new("node"), &entry, objects);
            running.said();
            let (status, rest, _) = running.end();
            assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{entry:?}");
        }
    }
}

/// Each is the other's server. Without a guard each would start the other behind one more tap, without end.
#[test]
fn servers_that_start_each_other_do_so_once() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    // What is asked there is which program the parent is; other systems do not tell.
    let blind = tree.write(
        "blind.cjs",
        "const fs = require('node:fs'); const { existsSync, statSync } = fs;\n\
         fs.existsSync = (file) => !/^\\/proc\\/.*exe$/.test(file) && existsSync(file);\n\
         fs.statSync = (file) => statSync(/^\\/proc\\/.*exe$/.test(file) ? '/absent' : file);",
    );
    let log = tree.path("log");
    for (one, other) in [("ping", "pong"), ("pong", "ping")] {
        let line = format!("'./{other}', {{ product: 'notes-mcp' }}");
        let said = format!(
            "fs.appendFileSync({log:?}, '{one} '); if (fs.statSync({log:?}).size > 50) process.exit(9);"
        );
        tree.write(
            &format!("{one}.cjs"),
            &format!(
                "const {{ tap }} = require('@mcpproxy/tap'); const fs = require('node:fs');\n\
                 {said}\ntap({});",
                line.replace(other, &format!("{other}.cjs"))
            ),
        );
        // Without the ending, as CommonJS allows.
        tree.write(
            &format!("{one}.js"),
            &format!(
                "const {{ tap }} = require('@mcpproxy/tap'); const fs = require('node:fs');\n\
                 {said}\ntap({line});"
            ),
        );
    }
    for (name, node) in nodes() {
        for entry in ["ping.cjs", "ping.js"] {
            for is_blind in [false, true] {
                let _ = std::fs::remove_file(&log);
                let mut command = tree.command(&node);
                if is_blind {
                    command.arg("--require").arg(&blind);
                }
                let (status, out, err) = Running::start(command.arg(tree.path(entry))).end();
                let started = std::fs::read_to_string(&log).expect("they say when they start");
                assert_eq!(
                    (status.code(), out.as_str(), started.as_str()),
                    (Some(0), "", "ping pong ping "),
                    "{name} {entry}, blind: {is_blind}: {err}"
                );
            }
        }
    }
}

#[test]
fn options_without_a_meaning_stop_no_server() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    tree.probe();
    for (told, tapped) in [
        ("product: 'notes-mcp', discoveryTools: ['']", true),
        ("product: 'notes-mcp', discoveryTools: 5", false),
        ("product: 'no name!', version: {}, endpoint: []", true),
        ("product: 'a\\0b'", false),
        ("product: ''", false),
    ] {
        let line = format!("require('@mcpproxy/tap').tap('./server.cjs', {{ {told} }});");
        let entry = tree.write("told.cjs", &line);
        for (name, node) in nodes() {
            let mut running = start(&tree, &node, &entry, false);
            let said = running.said();
            assert!(!tapped || is_tapped(&running, &said), "{name} {told}");
            running.tell("7");
            assert_eq!(running.ended().0.code(), Some(7), "{name} {told}");
        }
    }
}

#[test]
fn a_server_that_fails_to_load_fails_as_without_the_launcher() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let cases = [
        ("server.cjs", "throw new Error('no such note')"),
        ("server.cjs", "process.exitCode = 4"),
        ("server.cjs", "require('./absent.cjs')"),
        ("server.mjs", "await 1; console.log('early'); throw new Error('no such note')"),
        ("server.mjs", "await new Promise((done) => setTimeout(done, 10)); console.log('late')"),
        ("server.mjs", "await new Promise(() => {})"),
        ("server.mjs", "import './absent.mjs'"),
    ];
    for (name, text) in cases {
        let server = tree.write(name, text);
        let entry = tree.write(
            "entry.mjs",
            &format!(
                "import {{ tap }} from '@mcpproxy/tap';\n\
                 await tap(new URL('./{name}', import.meta.url), {{ product: 'notes-mcp' }});"
            ),
        );
        for objects in [false, true] {
            let [plain, through] = [&server, &entry].map(|file| {
                let (status, out, err) = start(&tree, Path::new("node"), file, objects).end();
                let named = err.lines().find(|line| line.starts_with("Error")).map(str::to_owned);
                (status.code(), out, named)
            });
            assert_eq!(plain, through, "{text}");
        }
        std::fs::remove_file(server).expect("it is there");
        let (status, out, err) = start(&tree, Path::new("node"), &entry, true).end();
        assert_eq!((status.code(), out.as_str()), (Some(1), ""), "{name} is missing");
        assert!(err.contains(name), "{err}");
    }
}

#[test]
fn the_command_of_the_package_is_the_binary() {
    if !can_run() {
        return;
    }
    let tree = Tree::new();
    let command = tree.path("node_modules/@mcpproxy/tap/bin.cjs");
    for (name, node) in nodes() {
        for words in [&["--version"][..], &["no-such-command"]] {
            let [ours, theirs] = [false, true].map(|direct| {
                let program = if direct { tree.binary() } else { node.clone() };
                let mut run = tree.command(&program);
                if !direct {
                    run.arg(&command);
                }
                let output = run.args(words).output().expect("it starts");
                (output.status.code(), output.stdout, output.stderr)
            });
            assert_eq!(ours, theirs, "{name}: {words:?}");
        }
    }
    let tree = Tree::without_binary();
    let mut run = tree.command(Path::new("node"));
    run.arg(tree.path("node_modules/@mcpproxy/tap/bin.cjs")).arg("--version");
    let output = run.output().expect("node");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(output.stdout.is_empty() && said.contains("is not installed"), "{said}");
}

#[test]
fn the_types_fit_modules_and_common_js() {
    if !can_run() {
        return;
    }
    let compiler = crate::parts::Parts::find_all(&["npm"]).map(|parts| parts.node_modules());
    let Some(compiler) = compiler.map(|modules| modules.join("typescript/bin/tsc")) else { return };
    if !compiler.is_file() {
        crate::parts::skip("typescript is not among the npm parts");
        return;
    }
    let tree = Tree::new();
    let used = r#"
const told: TapOptions = { product: "notes-mcp", version: "1.4.0", endpoint: "https://t.example.org" };
export const done: Promise<void> = tap("/server.js", told);
// @ts-expect-error a product has a name
void tap("/server.js", { version: "1.4.0" });
"#;
    let head = "import { tap, type TapOptions } from \"@mcpproxy/tap\";";
    tree.write("module.mts", &format!("{head}{used}"));
    tree.write("common.cts", &format!("{head}{used}"));
    let mut check = Command::new("node");
    check.arg(compiler).args(["--noEmit", "--strict", "--module", "nodenext"]);
    check.args(["--target", "es2022", "--types", ""]).args(["module.mts", "common.cts"]);
    let output = check.current_dir(tree.path("")).output().expect("node");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.is_empty() && output.status.success(), "{said}");
}
