//! How many files this process may open.
//!
//! One rule: what is raised here is this process's own; a child gets the limit that this process was started with.

use std::io;

/// More than any user needs, and as many as every system takes.
#[cfg(all(unix, not(mcpproxy_platform_other)))]
const MOST: u64 = 10_240;

/// Raises the number of files that may be open, as far as the system lets; how many that is, where the system
/// has such a limit.
pub fn raise_files() -> Option<u64> {
    #[cfg(all(unix, not(mcpproxy_platform_other)))]
    return crate::unix::descriptors::raise(MOST);
    #[cfg(not(all(unix, not(mcpproxy_platform_other))))]
    None
}

/// What to do about `error`, if it says that too many files are open.
pub fn in_words(error: &io::Error) -> Option<String> {
    #[cfg(all(unix, not(mcpproxy_platform_other)))]
    match error.raw_os_error()? {
        libc::EMFILE => {
            let limit = crate::unix::descriptors::files();
            Some(format!(
                "this process has all {limit} files open that it may; raise the limit (`ulimit -n`, or `LimitNOFILE=` \
                 of its service)"
            ))
        }
        libc::ENFILE => Some("this machine has no more files to open".into()),
        _ => None,
    }
    #[cfg(not(all(unix, not(mcpproxy_platform_other))))]
    {
        let _ = error;
        None
    }
}

#[cfg(all(test, unix, not(mcpproxy_platform_other)))]
mod tests {
    use super::*;

    #[test]
    fn too_many_open_files_have_words_that_say_what_to_do() {
        let words = in_words(&io::Error::from_raw_os_error(libc::EMFILE)).expect("words");
        assert!(words.contains("ulimit -n"), "{words}");
        assert!(in_words(&io::Error::from_raw_os_error(libc::ENFILE)).is_some());
        assert_eq!(in_words(&io::Error::from_raw_os_error(libc::ENOENT)), None);
        assert_eq!(in_words(&io::ErrorKind::NotFound.into()), None);
    }
}
