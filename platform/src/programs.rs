//! Files that are programs.
//!
//! One rule: they are looked at, and never run.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// So much of a file shows what it is.
const BEGINNING: u64 = 256;

/// Whether the file is there and may be run; on systems without such a permission, whether it is there.
pub fn is_executable(file: &Path) -> bool {
    let Ok(found) = file.metadata() else { return false };
    #[cfg(all(unix, not(mcpproxy_platform_other)))]
    let is_allowed = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
    #[cfg(not(all(unix, not(mcpproxy_platform_other))))]
    let is_allowed = true;
    found.is_file() && is_allowed
}

/// Where a program is looked for if `PATH` is not set.
pub const DEFAULT_PATH: &str = if cfg!(unix) { "/bin:/usr/bin" } else { "" };

/// How the file of a program may be spelled: on Windows with the endings of programs and scripts as well.
pub fn spellings(program: &OsStr) -> Vec<OsString> {
    let mut all = vec![program.to_owned()];
    if cfg!(windows) && Path::new(program).extension().is_none() {
        all.extend([".exe", ".cmd", ".bat", ".com"].map(|ending| {
            let mut name = program.to_owned();
            name.push(ending);
            name
        }));
    }
    all
}

/// Whether what the file begins with is a script's, or a program's of this machine. (A C library may give a file that
/// the system does not run to a shell, which then fails in ways of its own.)
pub fn is_of_this_machine(file: &Path) -> bool {
    let own = std::env::current_exe().ok().and_then(|own| beginning(&own)).unwrap_or_default();
    // Of an ELF file: its mark and class, and the number of its machine.
    let marks = |bytes: &[u8]| Some((bytes.get(..5)?.to_vec(), bytes.get(18..20)?.to_vec()));
    match beginning(file) {
        Some(text) if !text.contains(&0) => true,
        // Other systems give no file to a shell.
        Some(program) => !own.starts_with(b"\x7fELF") || marks(&program) == marks(&own),
        None => true,
    }
}

fn beginning(file: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Whether the system says that a file is no program that it can run.
pub fn is_no_program(error: &io::Error) -> bool {
    #[cfg(all(unix, not(mcpproxy_platform_other)))]
    let number = libc::ENOEXEC;
    // ERROR_BAD_EXE_FORMAT
    #[cfg(not(all(unix, not(mcpproxy_platform_other))))]
    let number = 193;
    error.raw_os_error() == Some(number)
}
