//! Commands that cannot work, whatever is installed.
//!
//! One rule: a program that is there is never refused, whatever its name looks like.

use super::EntryError;
use std::path::{Path, is_separator};

/// Programs that run a package by its name.
const RUNNERS: [&str; 3] = ["npx", "uvx", "bunx"];

/// How Windows calls the same programs.
const ENDINGS: [&str; 2] = [".cmd", ".exe"];

/// What is wrong with the form of a command whose variables are expanded.
pub(super) fn error(command: &str, args: &[String]) -> Option<EntryError> {
    if is_command_line(command) {
        return Some(EntryError::CommandLine);
    }
    let runner = runner(command)?;
    (!names_a_package(args)).then_some(EntryError::NoPackage(runner))
}

/// Whether the first word of a command is a program by itself, and all of it is none.
fn is_command_line(command: &str) -> bool {
    let Some((first, _)) = command.trim().split_once(char::is_whitespace) else { return false };
    // A path with a blank in it that leads to nothing is a program that is not there.
    let is_program_alone = !first.contains(is_separator) || Path::new(first).is_file();
    is_program_alone && !is_there(command)
}

/// Whether a program of that whole name can be found.
fn is_there(command: &str) -> bool {
    let is_file = |path: &Path| {
        let mut with_ending = path.as_os_str().to_owned();
        with_ending.push(std::env::consts::EXE_SUFFIX);
        path.is_file() || Path::new(&with_ending).is_file()
    };
    if command.contains(is_separator) {
        return is_file(Path::new(command));
    }
    let places = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&places).any(|place| is_file(&place.join(command)))
}

/// Which of [`RUNNERS`] a command is.
fn runner(command: &str) -> Option<&'static str> {
    let name = command.rsplit(is_separator).next()?.to_ascii_lowercase();
    let name = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    RUNNERS.into_iter().find(|runner| *runner == name)
}

/// Whether anything but options is there: the package, or the value of an option that names one. `--call` and
/// `--package` can also hold it themselves.
fn names_a_package(args: &[String]) -> bool {
    args.iter().any(|arg| !arg.is_empty() && (!arg.starts_with('-') || arg.contains('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(words: &[&str]) -> Option<EntryError> {
        let [command, args @ ..] = words else { panic!("no command") };
        error(command, &args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_runner_needs_a_package() {
        for words in [
            &["npx"][..],
            &["npx", "-y"],
            &["npx", "--yes", "--"],
            &["npx", "-y", ""],
            &["npx.cmd"],
            &["/usr/bin/npx", "-y"],
        ] {
            assert_eq!(error_of(words), Some(EntryError::NoPackage("npx")), "{words:?}");
        }
        assert_eq!(error_of(&["UVX.exe"]), Some(EntryError::NoPackage("uvx")));
        for words in [
            &["npx", "-y", "@scope/server"][..],
            &["npx", "--package=server"],
            &["npx", "-c", "server"],
            &["uvx", "${PACKAGE}"],
            &["npx-server"],
            &["node"],
        ] {
            assert_eq!(error_of(words), None, "{words:?}");
        }
    }

    #[test]
    fn a_command_line_is_told_from_a_path_with_a_blank() {
        let root = tempfile::tempdir().expect("a directory");
        let at = |name: &str| root.path().join(name).to_str().expect("UTF-8").to_owned();
        for name in ["my server", "server"] {
            std::fs::write(at(name), "").expect("a file");
        }
        for command in ["npx -y x", "no-such-program --stdio", "TOKEN=x npx", &at("server --stdio")]
        {
            assert_eq!(error_of(&[command]), Some(EntryError::CommandLine), "{command}");
        }
        for command in [&at("my server"), &at("not there"), "server", ""] {
            assert_eq!(error_of(&[command]), None, "{command}");
        }
    }
}
