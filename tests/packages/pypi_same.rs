//! A server behind the launcher is started as it would be without: the same interpreter, options, path, arguments,
//! directory and environment.

use crate::pypi::{Site, command, copy, is_counted, output, packed, run};
use crate::session::Home;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the server says of itself.
fn facts(home: &Home, words: &[OsString], exports: &[(&str, &str)]) -> Value {
    let mut command = command(home, words);
    command.envs(exports.iter().copied());
    let ending = run(command, "");
    assert!(ending.status.success(), "{words:?}: {}", ending.stderr);
    serde_json::from_str(&ending.stdout).unwrap_or_else(|_| panic!("{words:?}: {}", ending.stdout))
}

/// The same command with the binary, and with the binary out of the way: every fact is the same, and only the first is
/// behind a tap.
fn assert_same(site: &Site, words: &[OsString], exports: &[(&str, &str)]) -> Value {
    assert_same_at(&site.packages(), words, exports)
}

/// The same with packages in this directory.
fn assert_same_at(packages: &Path, words: &[OsString], exports: &[(&str, &str)]) -> Value {
    let homes = [Home::without_data_dir(), Home::without_data_dir()];
    let binary = packages.join("mcpproxy_tap/bin/mcpproxy");
    let hidden = binary.with_extension("hidden");
    let tapped = facts(&homes[0], words, exports);
    std::fs::rename(&binary, &hidden).expect("hidden");
    let alone = facts(&homes[1], words, exports);
    std::fs::rename(&hidden, &binary).expect("back");
    assert_eq!(homes.each_ref().map(is_counted), [true, false], "{words:?}");
    // What differs by the home alone.
    let same = |value: &Value, home: &Home| -> Value {
        let text = value.to_string().replace(home.root().to_str().expect("UTF-8"), "HOME");
        serde_json::from_str(&text).expect("JSON")
    };
    assert_eq!(same(&tapped, &homes[0]), same(&alone, &homes[1]), "{words:?}");
    tapped
}

fn words(program: &Path, rest: &[&str]) -> Vec<OsString> {
    std::iter::once(program.into()).chain(rest.iter().map(OsString::from)).collect()
}

#[test]
fn a_console_script_starts_its_module_and_its_function() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let script = site.bin("notes-facts");
    let odd =
        ["facts", "", "a b", "--", "-m", "\u{e9}", "--product=x", "--mcpproxy-telemetry", "off"];
    let module = assert_same(&site, &words(&script, &odd), &[("A", "1"), ("LC_ALL", "C.UTF-8")]);
    let arguments: Vec<&str> =
        module["arguments"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(arguments[1..], odd);
    assert_eq!(module["name"], "__main__");
    assert_eq!(module["spec"], "notes_mcp.facts");
    // No other place is searched than those that the script searches: above all not the directory of the client.
    let first = module["path"][0].as_str().expect("a path");
    assert_eq!(Path::new(first), site.root().join("bin"));

    let script = site.bin("notes-function");
    let function = assert_same(&site, &words(&script, &["facts"]), &[]);
    assert_eq!(function["arguments"][0].as_str().map(Path::new), Some(&*script));
    assert_eq!(function["name"], "notes_mcp.facts");
    assert!(function["environment"].get("MCPPROXY_TAP_CHILD").is_none());
}

#[test]
fn a_module_that_is_run_plainly_is_started_so_behind_the_tap() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let home = Home::without_data_dir();
    // The script is one of a shell, because the path of its interpreter has a space.
    let python = site.bin("python");
    let shell = ["-c", "exec \"$0\" -m notes_mcp.facts", python.to_str().expect("UTF-8")];
    let plain = facts(&home, &words(Path::new("sh"), &shell), &[]);
    let tapped = facts(&home, &words(&site.bin("notes-facts"), &[]), &[]);
    assert!(is_counted(&home));
    for fact in ["arguments", "spec", "name", "executable", "prefix", "directory", "environment"] {
        assert_eq!(plain[fact], tapped[fact], "{fact}");
    }
}

#[test]
fn the_options_of_the_interpreter_are_those_of_the_server() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let python = site.bin("python");
    let code = "import notes_mcp; notes_mcp.facts()";
    for options in [
        &["-I"][..],
        &["-u", "-B"],
        &["-OO", "-W", "error::ImportWarning", "-Wdefault", "-bb"],
        &["-X", "utf8", "-Xdev", "-sE"],
        &["-v", "-q", "-d"],
        &["--check-hash-based-pycs", "always"],
        &["-uIXutf8=1"],
    ] {
        let same = [options, &["-m", "notes_mcp", "facts", "-O"]].concat();
        let facts = assert_same(&site, &words(&python, &same), &[("PYTHONWARNINGS", "ignore")]);
        assert_eq!(facts["arguments"][2], "-O", "{options:?}");
        assert_same(&site, &words(&python, &[options, &["-c", code, "facts"]].concat()), &[]);
    }
    let facts =
        assert_same(&site, &words(&python, &["-Xa=b", "-uc", code]), &[("PYTHONOPTIMIZE", "1")]);
    assert_eq!(facts["x"]["a"], "b");
    assert_eq!(facts["unbuffered"], true);
    assert_eq!(facts["flags"]["optimize"], 1);
}

#[test]
fn a_script_and_an_archive_bring_their_own_places() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let place = tempfile::tempdir().expect("a temporary directory");
    let text =
        "import sys; sys.path.insert(0, 'lib of mine'); import notes_mcp; notes_mcp.facts()\n";
    let script = place.path().join("start it.py");
    std::fs::write(&script, text).expect("written");
    let python = site.bin("python");
    let facts = assert_same(&site, &words(&python, &[script.to_str().expect("UTF-8")]), &[]);
    assert_eq!(facts["path"][0], "lib of mine");
    assert_eq!(facts["path"][1].as_str().map(Path::new), Some(place.path()));

    // An archive with the server in it; the launcher is installed.
    let content = place.path().join("content");
    std::fs::create_dir(&content).expect("a directory");
    copy(&site.packages().join("notes_mcp"), &content.join("notes_mcp"));
    std::fs::write(content.join("__main__.py"), "import notes_mcp; notes_mcp.facts()\n")
        .expect("written");
    let archive = place.path().join("notes.pyz");
    let zip = ["-m", "zipapp", "--output"];
    output(Command::new(&python).args(zip).arg(&archive).arg(&content));
    std::fs::remove_dir_all(site.packages().join("notes_mcp")).expect("only in the archive");
    let facts = assert_same(&site, &words(&python, &[archive.to_str().expect("UTF-8")]), &[]);
    assert_eq!(facts["path"][0].as_str().map(Path::new), Some(&*archive));
}

#[test]
fn every_way_to_make_packages_found_is_the_servers() {
    let Some(packed) = packed() else { return };
    let place = tempfile::tempdir().expect("a temporary directory");
    let target = place.path().join("the target");
    let mut pip = Command::new(packed.tool("python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]);
    pip.args(["--no-deps", "--target"]).arg(&target).args([&packed.wheel, &packed.notes]);
    output(&mut pip);
    let program = target.join("bin/notes-facts");
    assert_same_at(
        &target,
        &words(&program, &[]),
        &[("PYTHONPATH", target.to_str().expect("UTF-8"))],
    );

    // The user's own site, and a source tree that a `.pth` names, as an editable installation does.
    let python = packed.tool("python");
    let base =
        output(Command::new(&python).args(["-c", "import sys; print(sys._base_executable)"]));
    let base = PathBuf::from(base.trim());
    let user = place.path().join("user");
    let asked = ["-c", "import site; print(site.getusersitepackages())"];
    let packages = output(Command::new(&base).args(asked).env("PYTHONUSERBASE", &user));
    let packages = PathBuf::from(packages.trim());
    std::fs::create_dir_all(packages.parent().expect("a parent")).expect("a directory");
    copy(&target, &packages);
    std::fs::create_dir(place.path().join("src")).expect("a directory");
    std::fs::rename(packages.join("notes_mcp"), place.path().join("src/notes_mcp")).expect("moved");
    let source = place.path().join("src");
    std::fs::write(packages.join("notes.pth"), source.to_str().expect("UTF-8")).expect("written");
    let exports = [("PYTHONUSERBASE", user.to_str().expect("UTF-8"))];
    assert_same_at(&packages, &words(&base, &["-m", "notes_mcp"]), &exports);
}

/// Every version of Python that is on `PATH` by its own name.
fn pythons() -> Vec<PathBuf> {
    let runs = |name: &String| {
        let said =
            Command::new(name).args(["-c", "import venv, sys; print(sys.executable)"]).output();
        said.ok().filter(|output| output.status.success())
    };
    let names = (9..=15).map(|minor| format!("python3.{minor}"));
    let found = names.filter_map(|name| runs(&name));
    found.map(|said| PathBuf::from(String::from_utf8_lossy(&said.stdout).trim())).collect()
}

#[test]
fn every_python_of_this_machine_starts_the_server_so() {
    let Some(packed) = packed() else { return };
    for python in pythons() {
        let site = Site::of(packed, &python, &[&packed.wheel, &packed.notes]);
        assert_same(&site, &words(&site.bin("notes-facts"), &["facts", "x"]), &[]);
        assert_same(&site, &words(&site.bin("notes-function"), &[]), &[]);
        let options = ["-uI", "-W", "error", "-Xutf8", "-m", "notes_mcp"];
        assert_same(&site, &words(&site.bin("python"), &options), &[]);
        workers_are_spawned(&site);
    }
}

#[test]
fn workers_of_multiprocessing_find_the_server() {
    let Some(packed) = packed() else { return };
    workers_are_spawned(&Site::new(packed));
}

fn workers_are_spawned(site: &Site) {
    for script in ["notes-facts", "notes-function"] {
        let home = Home::without_data_dir();
        let ending = run(command(&home, &words(&site.bin(script), &["workers"])), "");
        assert_eq!(ending.stdout, "[0, 1, 4, 9, 16]\n", "{script}: {}", ending.stderr);
        assert!(is_counted(&home), "{script}");
    }
}

#[test]
fn a_function_may_name_itself() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let facts = assert_same(&site, &words(&site.bin("notes-itself"), &["facts"]), &[]);
    assert_eq!(facts["arguments"][1], "facts");
}

#[test]
fn a_copy_of_the_launcher_in_the_maintainers_own_package_starts_the_server() {
    let Some(packed) = packed() else { return };
    let site = Site::new(packed);
    let own = site.packages().join("own");
    std::fs::create_dir_all(own.join("vendor")).expect("a directory");
    std::fs::rename(site.packages().join("mcpproxy_tap"), own.join("vendor/tap")).expect("moved");
    std::fs::rename(site.packages().join("notes_mcp/facts.py"), own.join("server.py"))
        .expect("moved");
    let code = "from own.vendor import tap\n\
                tap.run('own.server:main', product='notes-mcp', version='1', endpoint='http://127.0.0.1:9')";
    let home = Home::without_data_dir();
    let facts = facts(&home, &words(&site.bin("python"), &["-c", code]), &[]);
    assert_eq!(facts["name"], "own.server");
    assert!(is_counted(&home));
}
