//! The two packages as their packers make them, laid out as an installation has them.

use super::VERSION;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The binary under test.
pub const MCPPROXY: &str = env!("CARGO_BIN_EXE_mcpproxy");

#[cfg(target_arch = "aarch64")]
const TARGET: (&str, &str, u8) = ("aarch64-unknown-linux-musl", "linux-arm64", 0xb7);
#[cfg(not(target_arch = "aarch64"))]
const TARGET: (&str, &str, u8) = ("x86_64-unknown-linux-musl", "linux-x64", 0x3e);

/// Which of the two packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `@mcpproxy/tap`.
    Npm,
    /// `mcpproxy-tap`.
    Pypi,
}

impl Language {
    /// Both.
    pub const ALL: [Language; 2] = [Language::Npm, Language::Pypi];

    /// The file that `init` edits.
    pub fn manifest(self) -> &'static str {
        match self {
            Language::Npm => "package.json",
            Language::Pypi => "pyproject.toml",
        }
    }

    /// The directory of its cases.
    pub fn cases(self) -> &'static str {
        match self {
            Language::Npm => "npm",
            Language::Pypi => "pypi",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Language::Npm => "node",
            Language::Pypi => "python3",
        }
    }
}

/// Both packages, unpacked.
pub struct Packed(PathBuf);

impl Packed {
    /// With a binary that no system starts, which is quick to pack; `None` after a loud skip.
    pub fn without_binary() -> Option<&'static Packed> {
        static PACKED: OnceLock<Option<Packed>> = OnceLock::new();
        PACKED.get_or_init(|| Packed::lay_out("init-without-binary")).as_ref()
    }

    /// With the binary under test.
    pub fn with_binary() -> Option<&'static Packed> {
        static PACKED: OnceLock<Option<Packed>> = OnceLock::new();
        PACKED.get_or_init(|| Some(Packed::lay_out("init-with-binary")?.bring_binary())).as_ref()
    }

    fn lay_out(name: &str) -> Option<Packed> {
        for program in ["node", "python3", "tar"] {
            if !works(program) {
                skip(program);
                return None;
            }
        }
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&root);
        let tap = root.join("node_modules/@mcpproxy/tap");
        let platform = root.join(format!("node_modules/@mcpproxy/tap-{}", TARGET.1));
        for folder in [&tap, &platform] {
            std::fs::create_dir_all(folder).expect("made");
        }
        let binary = root.join("no-program");
        let mut head = [0; 64];
        head[..5].copy_from_slice(b"\x7fELF\x02");
        head[18] = TARGET.2;
        // Where there is no such processor, a shell may read it: this is a syntax error there.
        head[20] = b'\n';
        // The size of a program header, of which there is none.
        head[54] = 56;
        std::fs::write(&binary, head).expect("written");
        for (packer, out) in [("npm-packages", "npm"), ("pypi-packages", "pypi")] {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(packer);
            let mut command = Command::new("python3");
            command.arg(script).args(["--version", VERSION, "--out"]).arg(root.join(out));
            succeeds(command.arg(format!("{}={}", TARGET.0, binary.display())));
        }
        let tarball = |name: &str| root.join(format!("npm/mcpproxy-tap{name}-{VERSION}.tgz"));
        let packages = [(String::new(), &tap), (format!("-{}", TARGET.1), &platform)];
        for (name, folder) in packages {
            let mut tar = Command::new("tar");
            tar.arg("-xzf").arg(tarball(&name)).arg("-C").arg(folder);
            succeeds(tar.arg("--strip-components=1"));
        }
        let wheels = std::fs::read_dir(root.join("pypi")).expect("what was packed");
        let wheel = wheels.flatten().map(|entry| entry.path());
        let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"));
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(wheel.expect("a wheel")).arg(root.join("site"));
        succeeds(&mut unzip);
        Some(Packed(root))
    }

    fn bring_binary(self) -> Packed {
        let npm = format!("node_modules/@mcpproxy/tap-{}/bin/mcpproxy", TARGET.1);
        for place in [npm.as_str(), "site/mcpproxy_tap/bin/mcpproxy"] {
            let place = self.0.join(place);
            std::fs::remove_file(&place).expect("the one that was packed");
            if std::fs::hard_link(MCPPROXY, &place).is_err() {
                std::fs::copy(MCPPROXY, &place).expect("copied");
            }
        }
        self
    }

    /// Where npm installed to.
    pub fn node_modules(&self) -> PathBuf {
        self.0.join("node_modules")
    }

    /// Where pip installed to.
    pub fn site(&self) -> PathBuf {
        self.0.join("site")
    }

    /// `init` with these arguments in a folder, with nothing to read and no terminal.
    pub fn init(&self, language: Language, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(language.program());
        match language {
            Language::Npm => command.arg(self.node_modules().join("@mcpproxy/tap/bin.cjs")),
            Language::Pypi => command.args(["-m", "mcpproxy_tap"]),
        };
        self.environment(&mut command, folder);
        command.arg("init").args(words).current_dir(folder).stdin(Stdio::null());
        command
    }

    /// The variables of a plain shell whose home is a folder, and of Python what makes this installation one.
    pub fn environment(&self, command: &mut Command, home: &Path) {
        command.env_clear().env("PATH", std::env::var_os("PATH").expect("PATH")).env("HOME", home);
        command.env("PYTHONPATH", self.site()).env("PYTHONDONTWRITEBYTECODE", "1");
    }
}

fn works(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Says past the test harness's capture that a test did not run.
pub fn skip(program: &str) {
    let required = std::env::var_os("MCPPROXY_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(!required, "MCPPROXY_REAL_REQUIRED=1, but there is no {program}");
    skipped!("there is no {program}");
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
