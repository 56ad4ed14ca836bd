//! Where package managers put programs.
//!
//! One rule: a fixed list, in its order. Names and files are looked at; no shell is asked, and nothing is run.

use crate::paths::HOME_VARIABLE;
use mcpproxy_platform::programs::{is_executable, is_of_this_machine, spellings};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Stands for the home directory.
const HOME: &str = "~";

/// A variable that names a directory (or [`HOME`], or nothing), and the way from there. A step `*` stands for every
/// directory that is there, the newest version first.
///
/// What is the same program after an update of it comes first: links and shims before the directories of versions.
const PLACES: &[(&str, &str)] = &[
    (HOME, ".local/bin"),
    (HOME, ".cargo/bin"),
    (HOME, ".npm-global/bin"),
    // Of Node.
    ("VOLTA_HOME", "bin"),
    (HOME, ".volta/bin"),
    ("NVM_DIR", "versions/node/*/bin"),
    (HOME, ".nvm/versions/node/*/bin"),
    ("FNM_DIR", "node-versions/*/installation/bin"),
    (HOME, ".local/share/fnm/node-versions/*/installation/bin"),
    (HOME, "Library/Application Support/fnm/node-versions/*/installation/bin"),
    (HOME, ".fnm/node-versions/*/installation/bin"),
    ("PNPM_HOME", ""),
    (HOME, ".local/share/pnpm"),
    (HOME, "Library/pnpm"),
    ("N_PREFIX", "bin"),
    (HOME, "n/bin"),
    // Of several languages.
    (HOME, ".local/share/mise/shims"),
    (HOME, ".local/share/mise/installs/*/*/bin"),
    ("ASDF_DATA_DIR", "shims"),
    (HOME, ".asdf/shims"),
    (HOME, ".asdf/installs/*/*/bin"),
    // Of Python.
    ("PYENV_ROOT", "shims"),
    (HOME, ".pyenv/shims"),
    (HOME, ".pyenv/versions/*/bin"),
    (HOME, ".local/share/uv/tools/*/bin"),
    (HOME, ".local/share/uv/python/*/bin"),
    (HOME, ".local/share/pipx/venvs/*/bin"),
    // Of other runtimes.
    (HOME, ".bun/bin"),
    (HOME, ".deno/bin"),
    (HOME, "go/bin"),
    // Of the machine.
    ("", "/usr/local/bin"),
    ("", "/opt/homebrew/bin"),
    ("", "/home/linuxbrew/.linuxbrew/bin"),
    ("", "/opt/local/bin"),
    ("", "/usr/bin"),
    ("", "/bin"),
    ("", "/snap/bin"),
    (HOME, ".local/share/flatpak/exports/bin"),
    ("", "/var/lib/flatpak/exports/bin"),
    (HOME, ".nix-profile/bin"),
    ("", "/run/current-system/sw/bin"),
    ("", "/nix/var/nix/profiles/default/bin"),
    // Of container engines.
    (HOME, ".docker/bin"),
    (HOME, ".orbstack/bin"),
    (HOME, ".rd/bin"),
    ("", "/Applications/Docker.app/Contents/Resources/bin"),
    ("", "/opt/podman/bin"),
    // Of Windows.
    ("NVM_SYMLINK", ""),
    ("APPDATA", "npm"),
    ("LOCALAPPDATA", "Microsoft/WinGet/Links"),
    ("LOCALAPPDATA", "Volta/bin"),
    ("LOCALAPPDATA", "pnpm"),
    ("LOCALAPPDATA", "Programs/Python/*"),
    ("LOCALAPPDATA", "Programs/Python/*/Scripts"),
    (HOME, "scoop/shims"),
    ("ProgramData", "chocolatey/bin"),
    ("ProgramFiles", "nodejs"),
    ("ProgramFiles", "Docker/Docker/resources/bin"),
    ("ProgramFiles", "RedHat/Podman"),
];

/// So many directories stand for one `*` at most.
const MOST_VERSIONS: usize = 64;

/// What gives a variable its value.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The files of that name that may be run here, in the order of the list. Paths that an entry cannot hold as they are
/// are no finds.
pub fn find(program: &OsStr, lookup: Lookup<'_>) -> Vec<PathBuf> {
    let names = spellings(program);
    let mut found = Vec::new();
    for dir in directories(lookup) {
        for name in &names {
            let file = dir.join(name);
            let is_text = file.to_str().is_some_and(|text| {
                !text.contains("${") && !text.contains(char::is_control) && !text.starts_with('~')
            });
            if is_text
                && is_executable(&file)
                && is_of_this_machine(&file)
                && !found.contains(&file)
            {
                found.push(file);
            }
        }
    }
    found
}

/// How many places there are.
pub const fn count() -> usize {
    PLACES.len()
}

fn directories(lookup: Lookup<'_>) -> Vec<PathBuf> {
    let base = |variable: &str| match variable {
        "" => Some(PathBuf::new()),
        HOME => lookup(HOME_VARIABLE).map(PathBuf::from),
        variable => lookup(variable).map(PathBuf::from),
    };
    let below = |(variable, way): &(&str, &str)| {
        // What a relative path in a variable is relative to is nothing that we know.
        let base = base(variable).filter(|base| variable.is_empty() || base.is_absolute());
        base.map(|base| walk(base, way)).unwrap_or_default()
    };
    PLACES.iter().flat_map(below).collect()
}

/// The directories that `way` leads to from `base`.
fn walk(base: PathBuf, way: &str) -> Vec<PathBuf> {
    if let Some(root) = way.strip_prefix('/') {
        return vec![Path::new("/").join(root)];
    }
    way.split('/').filter(|step| !step.is_empty()).fold(vec![base], |here, step| match step {
        "*" => here.iter().flat_map(|dir| versions(dir)).collect(),
        step => here.into_iter().map(|dir| dir.join(step)).collect(),
    })
}

/// The directories in `dir`, the newest version first.
fn versions(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|dir| dir.is_dir()).collect();
    all.sort_by_cached_key(|dir| {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        std::cmp::Reverse((numbers(&name), name))
    });
    all.truncate(MOST_VERSIONS);
    all
}

/// The numbers in a name: 22, 3 and 0 of `v22.3.0`.
fn numbers(name: &str) -> Vec<u64> {
    let parts = name.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn program(home: &Path, place: &str, mode: u32) -> PathBuf {
        let file = home.join(place);
        fs::create_dir_all(file.parent().expect("a directory")).expect("made");
        fs::write(&file, "#!/bin/sh\n").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its mode");
        file
    }

    #[test]
    fn the_newest_version_comes_first_and_links_before_all_versions() {
        let home = tempfile::tempdir().expect("a directory");
        let at = |place: &str| program(home.path(), place, 0o755);
        let old = at(".nvm/versions/node/v9.11.2/bin/no-such-program");
        let new = at(".nvm/versions/node/v22.3.0/bin/no-such-program");
        let local = at(".local/bin/no-such-program");
        let bun = at(".bun/bin/no-such-program");
        let root = home.path().as_os_str().to_owned();
        let found =
            find("no-such-program".as_ref(), &|name| (name == HOME_VARIABLE).then(|| root.clone()));
        assert_eq!(found, [local, new, old, bun]);
    }

    #[test]
    fn only_files_that_may_be_run_here_are_found() {
        let home = tempfile::tempdir().expect("a directory");
        program(home.path(), ".local/bin/no-such-program", 0o644);
        fs::create_dir_all(home.path().join(".cargo/bin/no-such-program")).expect("made");
        let foreign = program(home.path(), ".bun/bin/no-such-program", 0o755);
        fs::write(foreign, b"\0\0of another machine\0").expect("written");
        std::os::unix::fs::symlink("gone", home.path().join(".local/bin/gone")).expect("a link");
        let root = home.path().as_os_str().to_owned();
        let lookup = |name: &str| (name == HOME_VARIABLE).then(|| root.clone());
        for name in ["no-such-program", "gone"] {
            assert_eq!(find(name.as_ref(), &lookup).first(), None, "{name}");
        }
        // A variable that is relative leads nowhere.
        assert_eq!(
            find("sh".as_ref(), &|_| Some("bin".into())).first(),
            find("sh".as_ref(), &|_| None).first()
        );
    }

    #[test]
    fn numbers_of_versions_are_compared_as_numbers() {
        for (older, newer) in
            [("v9.11.2", "v22.3.0"), ("3.9", "3.13.1"), ("cpython-3.11.9", "cpython-3.12.0")]
        {
            assert!(numbers(older) < numbers(newer), "{older} {newer}");
        }
    }
}
