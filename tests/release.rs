//! `cargo binstall` finds what a release holds: its metadata beside the archives that `scripts/release` makes.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A value of a section of `Cargo.toml`; the section's own, no inherited one.
fn value<'a>(manifest: &'a str, section: &str, key: &str) -> Option<&'a str> {
    let start = manifest.find(&format!("\n[{section}]\n"))? + section.len() + 4;
    let body = manifest[start..].split("\n[").next()?;
    let line = body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
    Some(line.trim_matches('"'))
}

/// What binstall makes of a template, for a machine that it has this name for.
fn filled(template: &str, target: &str) -> String {
    let extension = if target.contains("-windows-") { ".exe" } else { "" };
    let known = [
        ("{ repo }", "https://repo.example"),
        ("{ version }", "1.2.3"),
        ("{ target }", target),
        ("{ bin }", "mcpproxy"),
        ("{ binary-ext }", extension),
    ];
    let text = known.iter().fold(template.to_owned(), |text, (name, is)| text.replace(name, is));
    assert!(!text.contains('{'), "an unknown variable: {text}");
    text
}

#[test]
fn binstall_finds_the_program_in_the_archive_of_each_machine() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let program = place.path().join("program");
    fs::write(&program, "stands for a binary").expect("written");
    let out = place.path().join("artifacts");
    let mut release = Command::new("bash");
    release.arg(root().join("scripts/release")).arg("--binary").arg(&program).arg("--out");
    release.arg(&out).env("MCPPROXY_VERSION", "v1.2.3").env("SOURCE_DATE_EPOCH", "1700000000");
    let made = match release.output() {
        Ok(made) => made,
        Err(error) => {
            eprintln!("SKIPPED: bash: {error}");
            return;
        }
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let base = "package.metadata.binstall";
    // What binstall calls a machine; on one with glibc it asks for musl when there is nothing for gnu.
    for target in [
        "x86_64-unknown-linux-musl",
        "aarch64-unknown-linux-musl",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
        "x86_64-pc-windows-gnu",
        "x86_64-pc-windows-msvc",
    ] {
        let of = |key: &str| {
            let own = value(&manifest, &format!("{base}.overrides.{target}"), key);
            own.or_else(|| value(&manifest, base, key)).expect("a value")
        };
        let url = filled(of("pkg-url"), target);
        let path = url.strip_prefix("https://repo.example/releases/download/v1.2.3/");
        let archive = out.join(path.expect("an asset of the tag v1.2.3"));
        assert!(archive.is_file(), "{target}: a release has no {}", archive.display());
        let member = filled(of("bin-dir"), target);
        let script = match of("pkg-fmt") {
            "tgz" => {
                "import sys,tarfile; sys.stdout.write(tarfile.open(sys.argv[1]).extractfile(sys.argv[2]).read().decode())"
            }
            "zip" => {
                "import sys,zipfile; sys.stdout.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())"
            }
            other => panic!("{target}: {other}"),
        };
        let read = Command::new("python3").args(["-c", script]).arg(&archive).arg(&member).output();
        let read = read.expect("scripts/release needs Python, and ran");
        assert_eq!(
            String::from_utf8_lossy(&read.stdout),
            "stands for a binary",
            "{target}: {member}: {}",
            String::from_utf8_lossy(&read.stderr)
        );
    }
}
