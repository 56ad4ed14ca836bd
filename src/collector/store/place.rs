//! Where a collector's data lie.
//!
//! One rule: a collector always has a directory, for its keys; its rows are there as well, or on a server.

use super::StoreOptions;
use super::error::StoreError;
use super::postgres::Server;
use super::server_error::ServerError;
use std::path::{Path, PathBuf};

/// Where a collector's data lie.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// The data directory.
    pub dir: PathBuf,
    /// The server that holds the rows; `None`: they lie in the directory.
    pub server: Option<Server>,
}

/// Where the password of a server is looked for when its address holds none.
#[derive(Clone, Default)]
pub struct Environment {
    /// `PGPASSWORD`
    pub password: Option<String>,
    /// `PGPASSFILE`, else `.pgpass` of the home directory.
    pub password_file: Option<PathBuf>,
}

impl Location {
    /// The directory, for what works with a file alone; `command` is what the user has asked for.
    pub fn file_for(&self, command: &'static str) -> Result<&Path, StoreError> {
        match self.server {
            None => Ok(&self.dir),
            Some(_) => Err(StoreError::Server(ServerError::Unsupported(command))),
        }
    }
}

impl From<&Location> for Location {
    fn from(place: &Location) -> Self {
        place.clone()
    }
}

impl From<&StoreOptions> for Location {
    fn from(options: &StoreOptions) -> Self {
        Self { dir: options.dir.clone(), server: options.server.clone() }
    }
}

impl From<&Path> for Location {
    fn from(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), server: None }
    }
}

impl From<&PathBuf> for Location {
    fn from(dir: &PathBuf) -> Self {
        dir.as_path().into()
    }
}
