//! What a release publishes can be found and installed: archives by `cargo binstall`, packages by npm and pip.
#![cfg(unix)]

#[macro_use]
#[path = "support/skip.rs"]
mod skip;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The time of everything that is packed: the same files become the same bytes.
const EPOCH: &str = "1700000000";

/// Says that a test did not run; a failure where the parts are required, as for those of `tests/real`.
fn skip(reason: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but {reason}");
    skipped!("{reason}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
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
    release.arg(&out).env("MCPPROXY_VERSION", "v1.2.3").env("SOURCE_DATE_EPOCH", EPOCH);
    let made = match release.output() {
        Ok(made) => made,
        Err(error) => {
            skipped!("bash: {error}");
            return;
        }
    };
    assert!(made.status.success(), "{}", said(&made));

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

/// The registries of `scripts/registries`, until this is dropped.
struct Registries {
    process: Child,
    npm: String,
    upload: String,
    index: String,
    python: String,
}

impl Registries {
    /// `None` after a loud skip.
    fn start() -> Option<Registries> {
        let mut process = Command::new(root().join("scripts/registries"))
            .args([
                "sh",
                "-c",
                r#"echo "$NPM_REGISTRY $PYPI_UPLOAD $PYPI_INDEX $TWINE_PYTHON"; cat"#,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(started) = &mut process else {
            skip("there is no Python");
            return None;
        };
        let mut line = String::new();
        let out = started.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("read");
        let process = process.expect("started");
        let [npm, upload, index, python] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            let ended = process.wait_with_output().expect("it ends");
            assert_eq!(ended.status.code(), Some(77), "{}", said(&ended));
            skip(&said(&ended));
            return None;
        };
        let [npm, upload, index, python] = [npm, upload, index, python].map(str::to_owned);
        Some(Registries { process, npm, upload, index, python })
    }
}

impl Drop for Registries {
    fn drop(&mut self) {
        // The end of its input ends the command, and that the registries.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The packages of one release.
struct Packages {
    place: tempfile::TempDir,
}

impl Packages {
    fn new() -> Packages {
        Packages { place: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// The `minimal` archives of a version, as a release has them: of this machine's system the built program.
    fn archives(&self, version: &str) {
        let program = self.path("program");
        let built = env!("CARGO_BIN_EXE_mcpproxy");
        let _ = Command::new("strip").arg("-o").arg(&program).arg(built).output();
        if !program.exists() {
            fs::copy(built, &program).expect("copied");
        }
        let other = self.path("other");
        fs::write(&other, b"MZ stands for a program of Windows").expect("written");
        let here = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        for (target, program) in [(here.as_str(), program), ("x86_64-pc-windows-gnu", other)] {
            let mut release = Command::new(root().join("scripts/release"));
            release.args(["--features", "minimal", "--out"]).arg(self.path("artifacts"));
            release.arg("--binary").arg(program).arg(target).env("MCPPROXY_VERSION", version);
            let made = release.output().expect("it starts");
            assert!(made.status.success(), "{}", said(&made));
        }
    }

    /// Packs another program for Windows alone.
    fn pack(&self, version: &str) {
        let program = self.path("program");
        fs::write(&program, b"MZ stands for another program of Windows").expect("written");
        for (script, out) in [("npm-packages", "npm"), ("pypi-packages", "pypi")] {
            let mut pack = Command::new(root().join("scripts").join(script));
            pack.args(["--version", version, "--out"]).arg(self.path(out));
            pack.arg(format!("x86_64-pc-windows-gnu={}", program.display()));
            let packed = pack.env("SOURCE_DATE_EPOCH", EPOCH).output().expect("it starts");
            assert!(packed.status.success(), "{}", said(&packed));
        }
    }

    fn publish(&self, to: &Registries, more: &[&str]) -> Output {
        let mut publish = Command::new(root().join("scripts/publish-packages"));
        publish.args(["--npm", &to.npm, "--pypi", &to.upload, "--pypi-index", &to.index]);
        publish.args(["--python", &to.python]).arg("--npm-packages").arg(self.path("npm"));
        publish.arg("--pypi-packages").arg(self.path("pypi"));
        publish.env("SOURCE_DATE_EPOCH", EPOCH).args(["--wait", "30"]).args(more);
        publish.output().expect("it starts")
    }
}

#[test]
fn packages_are_published_once_and_in_the_order_in_which_they_can_be_installed() {
    let Some(registries) = Registries::start() else { return };
    let first = Packages::new();
    first.archives("v1.2.3");
    let artifacts = first.path("artifacts").display().to_string();

    let done = first.publish(&registries, &["--artifacts", &artifacts]);
    let told = said(&done);
    assert!(done.status.success(), "{told}");
    let at = |wanted: &str| told.find(wanted).unwrap_or_else(|| panic!("no {wanted} in {told}"));
    let node = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let main = at("npm: published @mcpproxy/tap 1.2.3\n");
    assert!(at(&format!("npm: published @mcpproxy/tap-linux-{node} 1.2.3\n")) < main, "{told}");
    assert!(at("npm: published @mcpproxy/tap-win32-x64 1.2.3\n") < main, "{told}");
    assert!(main < at("npm: installed from http://127.0.0.1:"), "{told}");
    let source = at("PyPI: published mcpproxy_tap-1.2.3.tar.gz\n");
    assert!(at("PyPI: published mcpproxy_tap-1.2.3-py3-none-") < source, "{told}");
    assert!(source < at("PyPI: installed from http://127.0.0.1:"), "{told}");
    // The program in both, as its users start it.
    assert_eq!(told.matches(": mcpproxy v").count(), 2, "{told}");

    // Again, with what is packed anew from the same archives: the same bytes.
    let again = first.publish(&registries, &["--artifacts", &artifacts]);
    let told = said(&again);
    assert!(again.status.success(), "{told}");
    assert!(!told.contains(": published"), "{told}");
    assert_eq!(told.matches("is there already, with the same bytes").count(), 6, "{told}");

    // Another program under the same version is an error before anything is published.
    let other = Packages::new();
    other.pack("1.2.3");
    let refused = other.publish(&registries, &[]);
    let told = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(
        told.contains("npm: @mcpproxy/tap-win32-x64 1.2.3 is there with other bytes"),
        "{told}"
    );
    let npm = first.path("npm").display().to_string();
    let refused = other.publish(&registries, &["--npm-packages", &npm]);
    let told = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("win_amd64.whl is there with other bytes"), "{told}");

    // A main package whose platform packages are nowhere would never find its binary.
    let lone = Packages::new();
    lone.pack("1.2.4");
    fs::remove_file(lone.path("npm/mcpproxy-tap-win32-x64-1.2.4.tgz")).expect("removed");
    let refused = lone.publish(&registries, &[]);
    let told = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("neither here nor there") && !told.contains("published"), "{told}");
}

#[test]
fn nothing_is_published_to_another_machine_without_being_told_twice() {
    let publish = |args: &[&str]| {
        let mut publish = Command::new(root().join("scripts/publish-packages"));
        for name in ["NPM_TOKEN", "TWINE_PASSWORD", "ACTIONS_ID_TOKEN_REQUEST_URL"] {
            publish.env_remove(name);
        }
        publish.args(args).output()
    };
    // An address for documentation, where nothing answers.
    let elsewhere = "https://192.0.2.1/";
    let here = "http://127.0.0.1:9/";
    for (args, why) in [
        (&["--npm", elsewhere, "--pypi", here, "--pypi-index", here][..], "not on this machine"),
        (&["--npm", here, "--pypi", elsewhere, "--pypi-index", here], "not on this machine"),
        (&["--npm", here, "--pypi", here, "--pypi-index", elsewhere], "not on this machine"),
        (&["--npm", here], "--pypi-index say where"),
        (&[], "say where"),
        (&["--really"], "--really needs NPM_TOKEN"),
        (&["--really", "--npm", here], "leave the addresses out"),
    ] {
        let Ok(refused) = publish(args) else {
            skip("there is no Python");
            return;
        };
        let told = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.contains(why), "{args:?}: {told}");
    }
}
