//! How a person calls this program.
//!
//! One rule: what is printed works when it is pasted into a shell, wherever that shell is.

use crate::paths::{DataDir, HOME_VARIABLE};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The program that a notice names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A host of ours: it has our commands. How it is called.
    Ours(PathBuf),
    /// A third party's program with our library in it: it has none of our commands.
    Embedding,
}

static PROGRAM: OnceLock<Program> = OnceLock::new();

/// Says that this process is `mcpproxy` itself, which has the commands that notices name.
pub fn set_program() {
    let _ = PROGRAM.get_or_init(Program::of_this_process);
}

impl Program {
    /// What [`set_program`] found; a program that did not call it embeds the library.
    pub fn current() -> &'static Program {
        PROGRAM.get().unwrap_or(&Program::Embedding)
    }

    /// Our program at a path.
    pub fn at(path: PathBuf) -> Self {
        Self::Ours(path)
    }

    /// The bare name, where a shell would find this very file under it; else the absolute path.
    fn of_this_process() -> Self {
        let Ok(path) = std::env::current_exe() else { return Self::Ours("mcpproxy".into()) };
        let paths = std::env::var_os("PATH").unwrap_or_default();
        match path.file_name().filter(|name| is_first_in(&paths, name, &path)) {
            Some(name) => Self::Ours(name.into()),
            None => Self::Ours(path),
        }
    }

    /// What stands before and after the words of a command that means `dir`.
    pub fn command(&self, dir: &DataDir) -> Option<[String; 2]> {
        let Self::Ours(path) = self else { return None };
        // `MCPPROXY_HOME` may be set for this process and not for the shell.
        let home = std::env::var_os(HOME_VARIABLE).unwrap_or_default();
        let is_usual = !home.is_empty() && dir.root() == Path::new(&home).join(".mcpproxy");
        let after = match is_usual {
            true => String::new(),
            false => format!(" --data-dir {}", quoted(dir.root().as_os_str())),
        };
        Some([quoted(path.as_os_str()), after])
    }
}

/// Whether the first file called `name` in the directories of `paths` is the one at `path`.
fn is_first_in(paths: &OsStr, name: &OsStr, path: &Path) -> bool {
    let found = std::env::split_paths(paths).map(|directory| directory.join(name));
    let first = found.filter(|path| path.is_absolute()).find(|path| path.is_file());
    let same = |first: PathBuf| Some(first.canonicalize().ok()? == path.canonicalize().ok()?);
    first.and_then(same).unwrap_or_default()
}

/// A word of a command line, quoted where a shell would take it apart.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,\\".contains(c);
    if cfg!(not(windows)) && (word.contains('\\') || !word.chars().all(is_plain)) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    if word.chars().all(is_plain) { word.into_owned() } else { format!("\"{word}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_word_stays_one_word_in_a_shell() {
        for word in ["/usr/bin/mcpproxy", "/a b/c", "/it's/$HOME/`x`", "/\\n", "/\u{e4}"] {
            let line = format!("printf %s {}", quoted(OsStr::new(word)));
            let said = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
        assert_eq!(quoted(OsStr::new("/usr/bin/mcpproxy")), "/usr/bin/mcpproxy");
    }

    #[cfg(unix)]
    #[test]
    fn the_bare_name_is_used_only_where_a_shell_finds_this_file() {
        let home = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| home.path().join(name));
        for directory in [&one, &two] {
            std::fs::create_dir(directory).unwrap();
            std::fs::write(directory.join("mcpproxy"), "").unwrap();
        }
        let name = OsStr::new("mcpproxy");
        let paths = std::env::join_paths([&one, &two]).unwrap();
        assert!(is_first_in(&paths, name, &one.join("mcpproxy")));
        assert!(!is_first_in(&paths, name, &two.join("mcpproxy")));
        assert!(!is_first_in(OsStr::new(""), name, &one.join("mcpproxy")));
    }
}
