//! Scripts without `#!`: the system does not start them, a shell and `execvp` do.
//!
//! One rule: `/bin/sh` runs what is text, and no program of another machine. (The C libraries differ: glibc's
//! `execvp` does it by itself, musl's does not.)

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is looked for without `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// So much of a file shows whether it is text.
const BEGINNING: u64 = 256;

/// Does `start` with a command of `program`; once more with one of `/bin/sh` where that is what runs it. `dress`
/// gives each command everything but its arguments.
pub fn start<R>(
    program: &OsStr,
    arguments: &[impl AsRef<OsStr>],
    mut dress: impl FnMut(&mut Command) -> io::Result<()>,
    mut start: impl FnMut(&mut Command) -> io::Result<R>,
) -> io::Result<R> {
    let mut command = Command::new(program);
    dress(command.args(arguments))?;
    match start(&mut command) {
        Err(error) if error.raw_os_error() == Some(libc::ENOEXEC) => {
            let Some(mut shell) = shell_of(program, &command) else { return Err(error) };
            dress(shell.args(arguments))?;
            start(&mut shell)
        }
        done => done,
    }
}

/// The shell that runs `program`, if that is a script; `command` says where it is looked for.
fn shell_of(program: &OsStr, command: &Command) -> Option<Command> {
    let set = |name: &str| command.get_envs().find(|(set, _)| *set == name).map(|(_, value)| value);
    let path = set("PATH").flatten().map(OsStr::to_owned);
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
    let script = find(program, command.get_current_dir(), &path)?;
    let mut shell = Command::new("/bin/sh");
    // What begins with a dash would be an option.
    let mut word = OsString::from(if script.as_bytes().starts_with(b"-") { "./" } else { "" });
    word.push(script);
    shell.arg(word);
    Some(shell)
}

/// The file that `program` names, as one finds it who stands in `directory`, if it is a script.
fn find(program: &OsStr, directory: Option<&Path>, path: &OsStr) -> Option<OsString> {
    let from = |file: &Path| directory.unwrap_or(Path::new("")).join(file);
    if program.as_bytes().contains(&b'/') {
        return is_text(&from(Path::new(program))).then(|| program.to_owned());
    }
    let is_program = |file: &PathBuf| {
        from(file).metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
    };
    let found = std::env::split_paths(path).map(|dir| dir.join(program)).find(is_program)?;
    is_text(&from(&found)).then(|| found.into_os_string())
}

fn is_text(file: &Path) -> bool {
    let mut beginning = Vec::new();
    let read = File::open(file).and_then(|it| it.take(BEGINNING).read_to_end(&mut beginning));
    read.is_ok() && !beginning.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, name: &str, text: &[u8]) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What `program` prints, started as where the C library does not know scripts.
    fn printed(program: &OsStr, dress: impl Fn(&mut Command)) -> io::Result<String> {
        let mut is_first = true;
        let output = start(
            program,
            &["a", "b c"],
            |command| {
                dress(command);
                Ok(())
            },
            |command| match std::mem::take(&mut is_first) {
                true => Err(io::Error::from_raw_os_error(libc::ENOEXEC)),
                false => command.output(),
            },
        )?;
        Ok(String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn a_script_without_an_interpreter_is_run_by_the_shell() {
        let (bin, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let script = b"echo \"$V $# $2\"; exit\n";
        let whole = file(bin.path(), "server", script);
        file(elsewhere.path(), "-x", script);
        let with = |command: &mut Command| {
            command.env_clear().env("V", "set").env("PATH", bin.path());
        };
        let there = |command: &mut Command| {
            command.env("V", "set").env("PATH", "").current_dir(elsewhere.path());
        };
        assert_eq!(printed(whole.as_os_str(), with).unwrap(), "set 2 b c\n");
        assert_eq!(printed("server".as_ref(), with).unwrap(), "set 2 b c\n");
        assert_eq!(printed("./-x".as_ref(), there).unwrap(), "set 2 b c\n");
        assert_eq!(printed("-x".as_ref(), there).unwrap(), "set 2 b c\n");
    }

    #[test]
    fn a_program_of_another_machine_is_no_script() {
        let bin = tempfile::tempdir().unwrap();
        let program = file(bin.path(), "other", b"\x7fELF\x02\x01\x01\0\0\0");
        let error = printed(program.as_os_str(), |_| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
        let error = printed("nothing-of-this-name".as_ref(), |_| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOEXEC));
    }
}
