//! The data directory and the names in it.
//!
//! One rule: every file name of the product is spelled here and nowhere else.

use crate::contract::product::OWN_PRODUCT;
use crate::environment::Surroundings;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The variable that names the user's home directory.
pub(crate) const HOME_VARIABLE: &str =
    if matches!(std::env::consts::OS.as_bytes(), b"windows") { "USERPROFILE" } else { "HOME" };

/// The user's own data directory, in the home directory.
const HOME_DIRECTORY: &str = ".mcpproxy";

/// Written by a system package when it is installed first: it starts nothing by itself.
pub const SYSTEM_STAMP: &str = "/var/lib/mcpproxy/installed";

/// Why there is no data directory. Never holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// `--data-dir ""`
    EmptyFlag,
    /// No flag, no variable, no home directory.
    NoHome,
    /// The home directory is relative: to whatever directory this process was started in.
    RelativeHome,
    /// The home directory does not exist or is none (`/dev/null`), as that of many a service's user; making it is
    /// not ours.
    MissingHome,
    /// `MCPPROXY_HOME` is not UTF-8.
    NotUtf8,
    /// An ancestor's `MCPPROXY_HOME` is relative to a directory that is not known here.
    RelativeToAncestor,
    /// The path (named by this source) could not be made absolute.
    NotAbsolute(&'static str),
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyFlag => f.write_str("--data-dir is empty: name a directory"),
            Self::NoHome => write!(
                f,
                "no data directory: {HOME_VARIABLE} is not set; set it, or MCPPROXY_HOME, or pass --data-dir DIR"
            ),
            Self::RelativeHome => write!(
                f,
                "no data directory: {HOME_VARIABLE} is a relative path; make it absolute, or set MCPPROXY_HOME, or pass \
                 --data-dir DIR"
            ),
            Self::MissingHome => write!(
                f,
                "no data directory: {HOME_VARIABLE} names no directory that exists; make it, or set MCPPROXY_HOME, or \
                 pass --data-dir DIR"
            ),
            Self::NotUtf8 => f.write_str("MCPPROXY_HOME is not UTF-8: pass --data-dir DIR instead"),
            Self::RelativeToAncestor => f.write_str(
                "MCPPROXY_HOME of a parent process is a relative path: make it absolute, or pass --data-dir DIR",
            ),
            Self::NotAbsolute(source) => write!(
                f,
                "the data directory named by {source} is relative and the current directory is gone: use an absolute path"
            ),
        }
    }
}

impl std::error::Error for PathError {}

/// The data directory: `--data-dir`, else `MCPPROXY_HOME` (own or nearest ancestor's), else `~/.mcpproxy`.
///
/// It is also the [`Place`] of our own product, which lies where it lay before there were others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    own: Place,
}

/// Where the state of one product and endpoint host lies: store, checkpoint, copies of what was sent, id.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
    /// The data directory that it is in.
    home: PathBuf,
    /// `~/.mcpproxy`, where that is another directory.
    users: Option<PathBuf>,
    product: String,
}

impl PartialEq for Place {
    /// Of one directory, whoever names it.
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Place {}

impl std::ops::Deref for DataDir {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.own
    }
}

impl Place {
    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The name of the product.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The data directory that it is in.
    pub fn data_dir(&self) -> DataDir {
        let dir = DataDir::at(&self.home);
        match &self.users {
            Some(users) => dir.beside(users),
            None => dir,
        }
    }

    /// Whether it is that of our own product: the data directory itself, where the config holds the id.
    pub fn is_own(&self) -> bool {
        self.root == self.home
    }

    /// Identity and notice of the install (of our own product: the notice alone).
    pub fn install(&self) -> PathBuf {
        self.root.join("install.json")
    }

    /// The LMDB environment.
    pub fn store(&self) -> PathBuf {
        self.root.join("telemetry")
    }

    /// Taken for every read and write of the store; outside what is ever renamed.
    pub fn store_lock(&self) -> PathBuf {
        self.root.join("telemetry.lock")
    }

    /// What brings flags back after damage.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("telemetry.checkpoint")
    }

    /// Where a damaged store is put aside.
    pub fn quarantine(&self, unix_seconds: u64) -> PathBuf {
        self.root.join(format!("telemetry.corrupt-{unix_seconds}"))
    }

    /// Copies of acknowledged payloads.
    pub fn sent(&self) -> PathBuf {
        self.root.join("sent")
    }
}

impl DataDir {
    /// A data directory at `root`, which need not exist, and no user's beside it.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let product = OWN_PRODUCT.to_owned();
        Self { own: Place { home: root.clone(), root, users: None, product } }
    }

    /// This one, with the user's own data directory at `users`.
    #[must_use]
    pub fn beside(self, users: impl Into<PathBuf>) -> Self {
        let users = Some(users.into()).filter(|users| *users != self.own.root);
        Self { own: Place { users, ..self.own } }
    }

    /// Where the state of `product` towards the endpoint host `host` lies. The host is as
    /// `Target::authority` writes it, empty without an endpoint; our own product has one place for all.
    pub fn place(&self, product: &str, host: &str) -> Place {
        if product == OWN_PRODUCT {
            return self.own.clone();
        }
        let digest = hmac_sha256::Hash::hash(host.as_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.place_named(product, &name)
    }

    /// As [`Self::place`], by the name of its directory.
    pub fn place_named(&self, product: &str, name: &str) -> Place {
        Place {
            root: self.product(product).join(name),
            home: self.own.root.clone(),
            users: self.own.users.clone(),
            product: product.to_owned(),
        }
    }

    /// What lies here for products other than our own.
    pub fn products(&self) -> PathBuf {
        self.own.root.join("products")
    }

    /// What lies here for one of them: a directory for each endpoint host.
    pub fn product(&self, product: &str) -> PathBuf {
        self.products().join(product)
    }

    /// Taken for every change of names and identities in [`Self::products`]. No product is called so.
    pub fn products_lock(&self) -> PathBuf {
        self.products().join(".lock")
    }

    /// The data directory of this process. `flag` is `--data-dir`, or what an embedding host says.
    /// The result is absolute, so that a later change of the working directory cannot move it.
    pub fn resolve(flag: Option<&OsStr>, around: &Surroundings) -> Result<Self, PathError> {
        let home = std::env::var_os(HOME_VARIABLE);
        let absolute = |path: &Path| std::path::absolute(path).ok();
        Self::resolve_from(flag, around, home.as_deref(), &absolute, &|home| home.is_dir())
    }

    /// As [`Self::resolve`], with what it reads from the process passed in.
    fn resolve_from(
        flag: Option<&OsStr>,
        around: &Surroundings,
        home: Option<&OsStr>,
        absolute: &dyn Fn(&Path) -> Option<PathBuf>,
        is_directory: &dyn Fn(&Path) -> bool,
    ) -> Result<Self, PathError> {
        let home = home.filter(|home| !home.is_empty()).map(Path::new);
        let (path, name) = match flag {
            Some(flag) if flag.is_empty() => return Err(PathError::EmptyFlag),
            Some(flag) => (PathBuf::from(flag), "--data-dir"),
            None => match around.all("MCPPROXY_HOME").find(|found| !found.value.is_empty()) {
                Some(found) => (home_variable(found)?, "MCPPROXY_HOME"),
                None => match home {
                    None => return Err(PathError::NoHome),
                    Some(home) if !home.has_root() => return Err(PathError::RelativeHome),
                    Some(home) if !is_directory(home) => return Err(PathError::MissingHome),
                    Some(home) => (home.join(HOME_DIRECTORY), "HOME"),
                },
            },
        };
        let root = absolute(&path).ok_or(PathError::NotAbsolute(name))?;
        // An objection in it counts, whatever it is relative to.
        let users = home.and_then(|home| absolute(&home.join(HOME_DIRECTORY)));
        Ok(match users {
            Some(users) => Self::at(root).beside(users),
            None => Self::at(root),
        })
    }

    /// The user's own data directory, `~/.mcpproxy`, when this is another one: consent is read there too.
    /// `None` also without a home directory.
    pub fn users(&self) -> Option<Self> {
        self.own.users.as_ref().map(Self::at)
    }

    /// `mcp_config.json`: the user's configuration, telemetry section included.
    pub fn config(&self) -> PathBuf {
        self.own.root.join("mcp_config.json")
    }

    /// Taken for every edit of the config.
    pub fn config_lock(&self) -> PathBuf {
        self.own.root.join("config.lock")
    }

    /// What the gateway found to be off in what servers offer.
    pub fn upstream_faults(&self) -> PathBuf {
        self.own.root.join("upstream-faults.json")
    }

    /// What the tray says about autostart.
    pub fn autostart_sidecar(&self) -> PathBuf {
        self.own.root.join("tray-autostart.json")
    }
}

/// The path that one `MCPPROXY_HOME` names. Values are read lossily, so a replacement character
/// means that the real bytes are gone.
fn home_variable(found: &crate::environment::Variable) -> Result<PathBuf, PathError> {
    let path = if found.value.contains(char::REPLACEMENT_CHARACTER) {
        match std::env::var_os("MCPPROXY_HOME") {
            Some(own) if found.origin == 0 => PathBuf::from(own),
            _ => return Err(PathError::NotUtf8),
        }
    } else {
        PathBuf::from(OsString::from(&found.value))
    };
    if found.origin > 0 && path.is_relative() {
        return Err(PathError::RelativeToAncestor);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Variable;

    fn around(homes: &[(usize, &str)]) -> Surroundings {
        let variables = homes
            .iter()
            .map(|&(origin, value)| Variable {
                origin,
                name: "MCPPROXY_HOME".into(),
                value: value.into(),
            })
            .collect();
        Surroundings { variables, ancestors_readable: true, terminal: None }
    }

    fn resolve(
        flag: Option<&str>,
        homes: &[(usize, &str)],
        home: Option<&str>,
    ) -> Result<PathBuf, PathError> {
        let absolute = |path: &Path| Some(Path::new("/cwd").join(path));
        let (flag, home) = (flag.map(OsStr::new), home.map(OsStr::new));
        let is_directory = |home: &Path| home != Path::new("/nonexistent");
        DataDir::resolve_from(flag, &around(homes), home, &absolute, &is_directory)
            .map(|dir| dir.own.root)
    }

    /// Flag, homes by origin, home directory, result.
    type Case<'a> = (Option<&'a str>, &'a [(usize, &'a str)], Option<&'a str>, &'a str);

    #[test]
    fn the_flag_wins_then_the_nearest_variable_then_the_home_directory() {
        let cases: [Case<'_>; 8] = [
            (Some("/flag"), &[(0, "/own")], Some("/h"), "/flag"),
            (Some("flag"), &[], None, "/cwd/flag"),
            (None, &[(0, "/own"), (1, "/parent")], Some("/h"), "/own"),
            (None, &[(0, "own")], Some("/h"), "/cwd/own"),
            (None, &[(2, "/near"), (5, "/far")], Some("/h"), "/near"),
            (None, &[(0, ""), (1, "/parent")], Some("/h"), "/parent"),
            (None, &[(0, "")], Some("/h"), "/h/.mcpproxy"),
            (None, &[], Some("/h"), "/h/.mcpproxy"),
        ];
        for (flag, homes, home, expected) in cases {
            assert_eq!(resolve(flag, homes, home), Ok(expected.into()), "{flag:?} {homes:?}");
        }
    }

    #[test]
    fn the_users_own_directory_stands_beside_every_other() {
        let users = |flag: Option<&str>, home: Option<&str>| {
            let absolute = |path: &Path| Some(Path::new("/cwd").join(path));
            let (flag, home) = (flag.map(OsStr::new), home.map(OsStr::new));
            DataDir::resolve_from(flag, &around(&[(3, "/parent")]), home, &absolute, &|_| true)
                .map(|dir| dir.users().map(|users| users.root().to_owned()))
        };
        assert_eq!(users(Some("/flag"), Some("/h")), Ok(Some("/h/.mcpproxy".into())));
        assert_eq!(users(None, Some("/h")), Ok(Some("/h/.mcpproxy".into())));
        assert_eq!(users(None, Some("h")), Ok(Some("/cwd/h/.mcpproxy".into())));
        assert_eq!(users(Some("/h/.mcpproxy"), Some("/h")), Ok(None));
        assert_eq!(users(Some("/flag"), None), Ok(None));
        assert_eq!(users(Some("/flag"), Some("")), Ok(None));
    }

    #[test]
    fn what_cannot_be_resolved_is_an_error_that_says_what_to_do() {
        assert_eq!(resolve(None, &[], None), Err(PathError::NoHome));
        assert_eq!(resolve(None, &[(0, "")], Some("")), Err(PathError::NoHome));
        for relative in ["h", ".", "../h"] {
            assert_eq!(resolve(None, &[], Some(relative)), Err(PathError::RelativeHome));
        }
        assert_eq!(resolve(None, &[], Some("/nonexistent")), Err(PathError::MissingHome));
        // Where another directory is named, the home directory is none of our business.
        assert_eq!(resolve(None, &[(0, "/own")], Some("/nonexistent")), Ok("/own".into()));
        assert_eq!(resolve(Some(""), &[(0, "/own")], Some("/h")), Err(PathError::EmptyFlag));
        assert_eq!(
            resolve(None, &[(1, "relative")], Some("/h")),
            Err(PathError::RelativeToAncestor)
        );
        assert_eq!(resolve(None, &[(1, "/a\u{fffd}")], Some("/h")), Err(PathError::NotUtf8));
        assert!(PathError::NoHome.to_string().contains("--data-dir"));
    }
}
