//! Whether the config and the data directory are in the hands of this user alone.
//!
//! One rule: as ssh has it. Everything from the root to the config belongs to us or to root, and others may write
//! none of it, but a directory with the sticky bit on the way, such as `/tmp`. Who may change the config may start
//! programs and allow what the user objected to.

use super::Which;
use crate::paths::{DataDir, Place};
use mcpproxy_platform::files::{self, Owner, Standing};
use std::ffi::OsString;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// More links on one way are a loop, of which reading says what is wrong.
const MOST_LINKS: usize = 40;

/// What others have in their hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The data directory itself.
    Directory,
    /// A directory or link on the way to it.
    WayToDirectory,
    /// The config, or what it is a link to.
    Config,
    /// A directory or link on the way to what the config is a link to.
    WayToConfig,
    /// The directory of a product, or one on the way to it from the data directory.
    Product,
    /// The file with a product's id, or what it is a link to.
    Install,
}

/// Why config and data directory are not used. Never holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// Where it is wrong.
    pub part: Part,
    /// It belongs to another user; else others may write it.
    pub is_foreign: bool,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Which::Given)
    }
}

impl Distrust {
    fn write(self, f: &mut dyn fmt::Write, which: Which) -> fmt::Result {
        let directory = which.directory();
        let (what, of) = match self.part {
            Part::Directory => (directory, ""),
            Part::WayToDirectory => ("a directory or link on the way to ", directory),
            Part::Config => ("the configuration", ""),
            Part::WayToConfig => {
                ("a directory or link on the way to what the configuration links to", "")
            }
            Part::Product => ("the directory of a product in ", directory),
            Part::Install => ("the file with the id of a product in ", directory),
        };
        match self.is_foreign {
            true => write!(f, "{what}{of} belongs to another user"),
            false => write!(f, "others may write {what}{of}"),
        }
    }

    /// What to do about it.
    pub fn advice(self, which: Which) -> String {
        let to_do = match self.is_foreign {
            true => "run mcpproxy as its owner, make it yours (chown)",
            false => "take their rights away (chmod go-w)",
        };
        format!("{to_do}, or {}", which.elsewhere())
    }

    /// What is wrong and what to do, for a message of one line.
    pub fn in_words(self, which: Which) -> String {
        let mut words = String::new();
        // Writing to a string never fails.
        let _ = self.write(&mut words, which);
        format!("{words}; {}", self.advice(which))
    }
}

/// Looks at everything from the root to the config: one `lstat` for each name on the way. What is missing or cannot
/// be looked at is for reading to tell. Systems without owners and modes trust everything.
pub fn check(dir: &DataDir) -> Result<(), Distrust> {
    if !files::has_owners() {
        return Ok(());
    }
    let Ok(root) = std::path::absolute(dir.root()) else { return Ok(()) };
    let start = PathBuf::from("/");
    let found = walk(start, names(&root), [Part::WayToDirectory, Part::Directory])?;
    let Some(root) = found else { return Ok(()) };
    let config = dir.config().file_name().map(OsString::from);
    walk(root, config.into_iter().collect(), [Part::WayToConfig, Part::Config]).map(drop)
}

/// As [`check`], and everything from there to the file with the id of a product.
pub fn check_place(place: &Place) -> Result<(), Distrust> {
    let dir = place.data_dir();
    check(&dir)?;
    let Ok(below) = place.root().strip_prefix(dir.root()) else { return Ok(()) };
    if place.is_own() || !files::has_owners() {
        return Ok(());
    }
    let Ok(mut at) = std::path::absolute(dir.root()) else { return Ok(()) };
    for name in below {
        match walk(at, vec![name.to_owned()], [Part::Product; 2])? {
            Some(found) => at = found,
            None => return Ok(()),
        }
    }
    let file = place.install().file_name().map(OsString::from);
    walk(at, file.into_iter().collect(), [Part::Product, Part::Install]).map(drop)
}

/// The names of a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
}

/// Follows `left` from `at`, links included. Where it ends; `None` when something on the way is missing.
fn walk(
    mut at: PathBuf,
    mut left: Vec<OsString>,
    [way, end]: [Part; 2],
) -> Result<Option<PathBuf>, Distrust> {
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        at.push(name);
        let Ok(found) = files::standing(&at) else { return Ok(None) };
        let part = if left.is_empty() && !found.is_link { end } else { way };
        judge(&found, part, part == end)?;
        if found.is_link {
            links += 1;
            let Ok(target) = std::fs::read_link(&at) else { return Ok(None) };
            if links > MOST_LINKS {
                return Ok(None);
            }
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            left.extend(names(&target));
        }
    }
    Ok(Some(at))
}

fn judge(found: &Standing, part: Part, is_end: bool) -> Result<(), Distrust> {
    let is_foreign = match found.owner {
        Owner::Trusted => false,
        // Of another user namespace, as the root of a sandbox is: fine on the way, where it cannot be written.
        Owner::Unknown => is_end,
        Owner::Other => true,
    };
    // In a directory with the sticky bit, a name can be changed by its owner alone.
    let is_open = !found.is_link && found.others_write && (is_end || !found.is_sticky);
    match is_foreign || is_open {
        true => Err(Distrust { part, is_foreign }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(owner: Owner, others_write: bool, is_sticky: bool) -> Standing {
        Standing { is_link: false, owner, others_write, is_sticky }
    }

    #[test]
    fn the_way_may_be_sticky_and_its_end_may_not() {
        let judged = |found: &Standing, is_end| judge(found, Part::Directory, is_end).is_ok();
        for is_end in [true, false] {
            assert!(judged(&standing(Owner::Trusted, false, false), is_end));
            assert!(!judged(&standing(Owner::Trusted, true, false), is_end));
            assert!(!judged(&standing(Owner::Other, false, false), is_end));
            assert!(!judged(&standing(Owner::Other, false, true), is_end));
        }
        assert!(judged(&standing(Owner::Trusted, true, true), false));
        assert!(!judged(&standing(Owner::Trusted, true, true), true));
        assert!(judged(&standing(Owner::Unknown, false, false), false));
        assert!(!judged(&standing(Owner::Unknown, true, false), false));
        assert!(!judged(&standing(Owner::Unknown, false, false), true));
    }

    #[test]
    fn what_is_not_there_is_for_reading_to_tell() {
        let home = tempfile::tempdir().expect("a directory");
        assert_eq!(check(&DataDir::at(home.path().join("a/b/c"))), Ok(()));
        assert_eq!(check(&DataDir::at(home.path())), Ok(()));
    }
}
