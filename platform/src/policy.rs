//! What the administrator of this machine decided for every user of it.
//!
//! One rule: there is one place, and nothing that a user controls moves it.

use crate::backend::policy as backend;
use std::io;
use std::path::Path;

/// The place, for people.
pub const PLACE: &str = backend::PLACE;

/// The file that it is; `None` where it is no file.
pub fn file() -> Option<&'static Path> {
    backend::IS_FILE.then(|| Path::new(PLACE))
}

/// What is written there, as JSON; `None` when nothing is.
pub fn read() -> io::Result<Option<Vec<u8>>> {
    backend::read()
}

/// More than any policy.
#[cfg(not(windows))]
const MAX_BYTES: usize = 64 * 1024;

/// A policy that is a file. A link that leads nowhere is one that cannot be read.
#[cfg(not(windows))]
pub(crate) fn read_file(path: &str) -> io::Result<Option<Vec<u8>>> {
    let path = Path::new(path);
    match crate::host::read_bounded(path, MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !crate::host::is_symlink(path) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(all(test, not(windows)))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_no_policy() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
        assert_eq!(read_file(&at("missing")).unwrap(), None);
        std::fs::write(at("file"), "x").unwrap();
        assert_eq!(read_file(&at("file")).unwrap(), Some(b"x".to_vec()));
        std::fs::create_dir(at("directory")).unwrap();
        assert!(read_file(&at("directory")).is_err());
        assert!(read_file(&at("file/below")).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("missing"), at("link")).unwrap();
            assert!(read_file(&at("link")).is_err());
        }
    }
}
