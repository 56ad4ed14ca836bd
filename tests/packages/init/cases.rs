//! Packages of maintainers, before and after: `tests/data/init`.
//!
//! `MCPPROXY_REGENERATE=1` writes what comes out; look at it before it is committed.

use super::*;
use std::process::{Command, Stdio};

const PAGE: &str = "TELEMETRY.md";

struct Case {
    language: Language,
    folder: PathBuf,
    words: Vec<String>,
}

impl Case {
    fn all() -> Vec<Case> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/init");
        let of = |language: Language| {
            let folders = std::fs::read_dir(root.join(language.cases())).expect("the cases");
            let mut folders: Vec<PathBuf> = folders.flatten().map(|entry| entry.path()).collect();
            folders.sort();
            folders.into_iter().map(move |folder| {
                let words = std::fs::read_to_string(folder.join("arguments")).expect("arguments");
                let words = words.split_whitespace().map(str::to_owned).collect();
                Case { language, folder, words }
            })
        };
        Language::ALL.into_iter().flat_map(of).collect()
    }

    /// A copy of what the maintainer has.
    fn before(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().expect("a directory");
        for (name, bytes) in files(&self.folder.join("before")) {
            let file = copy.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
            std::fs::write(file, bytes).expect("written");
        }
        copy
    }

    fn run(&self, packed: &Packed, folder: &Path, more: &[&str]) -> Output {
        let words: Vec<&str> =
            self.words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        packed.init(self.language, folder, &words).output().expect("it starts")
    }
}

#[test]
fn the_launcher_and_the_changed_members_are_written_and_no_other_byte() {
    let Some(packed) = Packed::without_binary() else { return };
    for case in Case::all() {
        let folder = case.before();
        let before = files(folder.path());
        let output = case.run(packed, folder.path(), &["--yes"]);
        assert_eq!(output.status.code(), Some(0), "{:?}: {}", case.folder, stderr(&output));
        let mut after = files(folder.path());
        let page = after.remove(Path::new(PAGE)).expect("the page");
        check_page(&String::from_utf8(page).expect("UTF-8"), &case);
        let changed: BTreeMap<_, _> =
            after.into_iter().filter(|(name, bytes)| before.get(name) != Some(bytes)).collect();
        assert_eq!(changed.len(), 2, "{:?}", changed.keys());
        let wanted = case.folder.join("after");
        if std::env::var_os("MCPPROXY_REGENERATE").is_some() {
            let _ = std::fs::remove_dir_all(&wanted);
            for (name, bytes) in &changed {
                let file = wanted.join(name);
                std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
                std::fs::write(file, bytes).expect("written");
            }
        }
        for (name, bytes) in files(&wanted) {
            let found = changed.get(&name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let wanted = String::from_utf8_lossy(&bytes).into_owned();
            assert_eq!(found.as_deref(), Some(wanted.as_str()), "{:?}: {name:?}", case.folder);
        }
        assert_eq!(files(&wanted).len(), 2, "{:?}", case.folder);
    }
}

/// Filled in, and in the product's name.
fn check_page(page: &str, case: &Case) {
    let words = case.words.join(" ");
    let switch = if words.contains("--alias") { "--telemetry" } else { "--mcpproxy-telemetry" };
    let endpoint = case.words[1].as_str();
    for part in [
        &format!("<!-- Made by mcpproxy {VERSION} "),
        "\n# Telemetry of ",
        endpoint,
        &format!(" {switch} off` |\n"),
        "| `anonymous_id`* | uuid |",
    ] {
        assert!(page.contains(part), "{:?}: {part} is not in {page}", case.folder);
    }
    assert!(!page.contains("{{") && !page.contains("undefined"), "{page}");
}

#[test]
fn what_is_shown_first_is_what_is_written() {
    let Some(packed) = Packed::without_binary() else { return };
    for case in Case::all() {
        let (shown, written) = (case.before(), case.before());
        let before = files(shown.path());
        let dry = case.run(packed, shown.path(), &["--dry-run"]);
        assert_eq!((dry.status.code(), stderr(&dry).as_str()), (Some(0), ""));
        let asked = case.run(packed, shown.path(), &[]);
        assert_eq!(asked.status.code(), Some(1), "without a terminal");
        assert_eq!(stderr(&asked).lines().count(), 1, "{}", stderr(&asked));
        assert!(stderr(&asked).contains("add --yes"), "{}", stderr(&asked));
        assert_eq!(files(shown.path()), before, "{:?}: it was only shown", case.folder);
        let yes = case.run(packed, written.path(), &["--yes"]);
        assert_eq!((stdout(&asked), stdout(&yes)), (stdout(&dry), stdout(&dry)));
        let Some(()) = apply(shown.path(), &stdout(&dry)) else { continue };
        assert_eq!(files(shown.path()), files(written.path()), "{:?}", case.folder);
    }
}

/// `git apply`; `None` after a loud skip.
fn apply(folder: &Path, diff: &str) -> Option<()> {
    let patch = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(patch.path(), diff).expect("written");
    let mut git = Command::new("git");
    git.args(["apply", "--whitespace=nowarn"]).arg(patch.path()).current_dir(folder);
    // Not the repository that the temporary directory may lie in.
    git.env("GIT_CEILING_DIRECTORIES", folder.parent()?).stdin(Stdio::null());
    let Ok(output) = git.output() else {
        packed::skip("git");
        return None;
    };
    assert!(output.status.success(), "{}\n{diff}", stderr(&output));
    Some(())
}

#[test]
fn a_second_run_changes_nothing_and_knows_what_the_first_was_told() {
    let Some(packed) = Packed::without_binary() else { return };
    for case in Case::all() {
        let folder = case.before();
        assert_eq!(case.run(packed, folder.path(), &["--yes"]).status.code(), Some(0));
        let once = files(folder.path());
        for words in [case.words.iter().map(String::as_str).collect(), Vec::new()] {
            let words = [&words[..], &["--yes"]].concat();
            let output = packed.init(case.language, folder.path(), &words).output();
            let output = output.expect("it starts");
            says_only(&output, 0, &["nothing to change"]);
            assert_eq!(files(folder.path()), once, "{:?}: {words:?}", case.folder);
        }
        // Another endpoint is one changed line in the launcher, and what the page says of it.
        let words = ["--endpoint", "https://other.example.org", "--yes"];
        let output = packed.init(case.language, folder.path(), &words).output();
        assert_eq!(output.expect("it starts").status.code(), Some(0));
        let twice = files(folder.path());
        let changed = twice.iter().filter(|(name, bytes)| once.get(*name) != Some(bytes)).count();
        assert_eq!((changed, twice.len()), (2, once.len()), "{:?}", case.folder);
    }
}

/// As a checkout on Windows changes them, where git is told to.
#[test]
fn line_ends_that_a_checkout_changed_are_no_change() {
    let Some(packed) = Packed::without_binary() else { return };
    for case in Case::all() {
        let folder = case.before();
        assert_eq!(case.run(packed, folder.path(), &["--yes"]).status.code(), Some(0));
        for (name, bytes) in files(folder.path()) {
            let text = String::from_utf8(bytes).expect("UTF-8");
            if name != Path::new(case.language.manifest()) {
                write(&folder.path().join(name), &text.replace('\n', "\r\n"));
            }
        }
        let before = files(folder.path());
        says_only(&case.run(packed, folder.path(), &["--yes"]), 0, &["nothing to change"]);
        assert_eq!(files(folder.path()), before);
    }
}

/// `docs/packages.md` shows both.
#[test]
fn the_page_shows_the_launchers_that_are_written() {
    let Some(packed) = Packed::without_binary() else { return };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/packages.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let folder = tempfile::tempdir().expect("a directory");
    let json =
        r#"{ "name": "notes-mcp", "version": "1.4.0", "type": "module", "bin": "dist/index.js" }"#;
    write(&folder.path().join("package.json"), json);
    let toml =
        "[project]\nname = 'notes-mcp'\nversion = '1.4.0'\nscripts.notes-mcp = 'notes_mcp:main'\n";
    write(&folder.path().join("pyproject.toml"), toml);
    write(&folder.path().join("notes_mcp/__init__.py"), "");
    for language in Language::ALL {
        let words = ["--endpoint", "https://t.example.org", "--yes"];
        let output = packed.init(language, folder.path(), &words).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let (launcher, head) = match language {
            Language::Npm => ("mcpproxy-launcher.mjs", "#!"),
            Language::Pypi => ("notes_mcp/_mcpproxy_launcher.py", "from importlib"),
        };
        let launcher = std::fs::read_to_string(folder.path().join(launcher)).expect("the launcher");
        let shown = &launcher[launcher.find(head).expect("its first line")..];
        assert!(page.contains(&format!("\n{shown}```\n")), "{shown}");
        // The page for users of both is one.
        std::fs::remove_file(folder.path().join(PAGE)).expect("written");
    }
}
