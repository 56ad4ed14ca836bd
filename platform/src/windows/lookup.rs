//! Where a command lies: `npx` is `npx.cmd` here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What Windows itself sets.
const ENDINGS: &str = ".COM;.EXE;.BAT;.CMD";

/// The file that `program` names, if it is found; else the system may look where it looks.
pub fn find(program: &OsStr) -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let endings = std::env::var("PATHEXT").ok().filter(|endings| !endings.is_empty());
    find_in(program, &path, endings.as_deref().unwrap_or(ENDINGS))
}

/// A name with a separator is looked up where it says, any other one in the directories of `path`. As
/// it stands a name counts only with an ending of its own: `npx` beside `npx.cmd` is a shell script.
fn find_in(program: &OsStr, path: &OsStr, endings: &str) -> Option<OsString> {
    let name = Path::new(program);
    let is_path = name.components().count() > 1 || name.has_root();
    let candidates = |directory: &Path| {
        let whole = directory.join(name);
        let as_it_stands = whole.extension().is_some().then(|| whole.clone());
        let with_endings = endings.split(';').filter(|ending| ending.starts_with('.'));
        let with_endings = with_endings.map(move |ending| {
            let mut longer = whole.clone().into_os_string();
            longer.push(ending);
            PathBuf::from(longer)
        });
        as_it_stands.into_iter().chain(with_endings).find(|path| path.is_file())
    };
    if is_path {
        return candidates(Path::new("")).map(PathBuf::into_os_string);
    }
    std::env::split_paths(path)
        // An empty one would mean the current directory, where anybody's file may lie.
        .filter(|directory| directory.is_absolute())
        .find_map(|directory| candidates(&directory))
        .map(PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_with_its_ending_and_never_without_one() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["npx", "npx.cmd", "npx.ps1", "tool.exe", "v1.2.exe"] {
            std::fs::write(second.path().join(name), "").unwrap();
        }
        std::fs::write(first.path().join("npx"), "").unwrap();
        let path = std::env::join_paths([first.path(), second.path()]).unwrap();
        let found = |name: &str| {
            let found = find_in(OsStr::new(name), &path, ".COM;.EXE;.BAT;.CMD")?;
            Some(Path::new(&found).file_name().unwrap().to_str().unwrap().to_lowercase())
        };
        assert_eq!(found("npx").as_deref(), Some("npx.cmd"));
        assert_eq!(found("npx.cmd").as_deref(), Some("npx.cmd"));
        assert_eq!(found("npx.ps1").as_deref(), Some("npx.ps1"));
        assert_eq!(found("tool").as_deref(), Some("tool.exe"));
        assert_eq!(found("v1.2").as_deref(), Some("v1.2.exe"));
        assert_eq!(found("missing"), None);
        let whole = second.path().join("npx");
        assert!(find_in(whole.as_os_str(), OsStr::new(""), ".CMD").is_some());
        assert!(find_in(whole.as_os_str(), OsStr::new(""), ".EXE").is_none());
    }
}
