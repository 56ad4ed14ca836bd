//! `scripts/npm-packages`: the same files give the same bytes, and each package says what package managers go by.

use crate::npm_tree::{VERSION, can_run, packed, packer, source, this_system};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// The verbose listing of a tarball, and one file of it.
fn listed(tarball: &Path) -> String {
    let output = Command::new("tar").arg("-tvzf").arg(tarball).output().expect("tar");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn manifest(tarball: &Path) -> Value {
    let mut tar = Command::new("tar");
    tar.args(["-xzOf"]).arg(tarball).arg("package/package.json");
    serde_json::from_slice(&tar.output().expect("tar").stdout).expect("JSON")
}

fn tarball(name: &str) -> &'static Path {
    packed().iter().find(|path| path.ends_with(name)).expect("it is packed")
}

#[test]
fn a_platform_package_says_where_it_belongs_and_nothing_that_runs() {
    if !can_run() {
        return;
    }
    let system = this_system().1;
    let path = tarball(&format!("mcpproxy-tap-{system}-{VERSION}.tgz"));
    let manifest = manifest(path);
    let (os, cpu) = system.split_once('-').expect("two words");
    assert_eq!((&manifest["os"], &manifest["cpu"]), (&json!([os]), &json!([cpu])));
    assert_eq!(manifest["preferUnplugged"], true);
    for absent in ["libc", "engines", "scripts", "dependencies", "bin", "exports"] {
        assert_eq!(manifest.get(absent), None, "{absent}");
    }
    let listed = listed(path);
    let is_executable = |line: &&str| line.starts_with("-rwxr-xr-x");
    let executable: Vec<&str> = listed.lines().filter(is_executable).collect();
    assert!(executable.len() == 1 && executable[0].ends_with(" package/bin/mcpproxy"), "{listed}");
}

#[test]
fn the_launcher_asks_for_exactly_what_is_packed_with_it() {
    if !can_run() {
        return;
    }
    let path = tarball(&format!("mcpproxy-tap-{VERSION}.tgz"));
    assert_eq!(packed().last().map(|path| path.as_path()), Some(path), "it is published last");
    let manifest = manifest(path);
    let ours = format!("@mcpproxy/tap-{}", this_system().1);
    let wanted = json!({ ours: VERSION, "@mcpproxy/tap-win32-x64": VERSION });
    assert_eq!(manifest["optionalDependencies"], wanted);
    for absent in ["engines", "scripts", "dependencies"] {
        assert_eq!(manifest.get(absent), None, "{absent}");
    }
    assert_eq!(manifest["bin"], json!({ "mcpproxy-tap": "bin.cjs" }));
    let listed = listed(path);
    for name in ["index.cjs", "index.mjs", "index.d.ts", "index.d.cts", "README.md", "LICENSE-MIT"]
    {
        assert!(listed.contains(&format!(" package/{name}\n")), "{name}: {listed}");
    }
    let launcher = source("platform/packaging/npm/tap/index.cjs");
    let lines = std::fs::read_to_string(launcher).expect("the launcher").lines().count();
    assert!(lines < 200, "the launcher has {lines} lines");
}

#[test]
fn two_runs_give_the_same_bytes() {
    if !can_run() {
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let binary = place.path().join("binary");
    std::fs::write(&binary, b"MZ...").expect("a file");
    let word = format!("x86_64-pc-windows-gnu={}", binary.display());
    let [first, second] = ["one", "two"].map(|name| {
        let out = place.path().join(name);
        let args: [&OsStr; 3] = ["--out".as_ref(), out.as_ref(), word.as_ref()];
        let output = packer(&args);
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        told.lines().map(|path| std::fs::read(path).expect("a tarball")).collect::<Vec<_>>()
    });
    assert!(first.len() == 2 && first == second);
}

#[test]
fn what_cannot_be_packed_is_named() {
    if !can_run() {
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let binary = place.path().join("binary");
    std::fs::write(&binary, b"#!/bin/sh").expect("a file");
    let fails = |args: &[&str], wanted: &str| {
        let output = packer(&args.iter().map(OsStr::new).collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}");
        assert!(said.contains(wanted) && !said.contains("Traceback"), "{args:?}: {said}");
    };
    let script = format!("x86_64-unknown-linux-musl={}", binary.display());
    fails(&[&script], "is not a program for x86_64-unknown-linux-musl");
    fails(&["x86_64-unknown-linux-musl=/nowhere/mcpproxy"], "/nowhere/mcpproxy");
    fails(&["riscv64=/bin/true"], "x86_64-apple-darwin");
    fails(&["--version", "latest", &script], "'latest' is no version");
}
