//! host: see `crate::host`. What is the same on every Unix.

use crate::host::MAX_ENVIRONMENT_BYTES;
use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub fn parent_id() -> Option<u32> {
    // 0 is a parent outside of this PID namespace.
    Some(std::os::unix::process::parent_id()).filter(|&pid| pid != 0)
}

pub fn user_id() -> Option<u32> {
    // SAFETY: geteuid takes nothing, cannot fail and touches no memory of ours.
    Some(unsafe { libc::geteuid() })
}

pub fn host_name() -> Option<String> {
    uname(|names| &names.nodename)
}

pub fn os_release() -> Option<String> {
    uname(|names| &names.release)
}

/// The person's name in a comment of the user database: what stands before the first comma.
pub fn full_name(comment: &[u8]) -> String {
    text(comment.split(|&byte| byte == b',').next().unwrap_or_default().to_vec())
}

fn uname(field: impl Fn(&libc::utsname) -> &[libc::c_char]) -> Option<String> {
    // SAFETY: utsname is arrays of c_char; all zeroes is a valid value.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: `names` is a valid, exclusively borrowed utsname for the duration of the call.
    if unsafe { libc::uname(&mut names) } != 0 {
        return None;
    }
    let bytes = field(&names).iter().map(|&c| c.to_ne_bytes()[0]).take_while(|&byte| byte != 0);
    Some(text(bytes.collect())).filter(|name| !name.is_empty())
}

/// Calls `visit` for each `NAME=value\0`. What is cut off by the end of a full buffer is left out.
pub fn each_variable(environment: &[u8], mut visit: impl FnMut(&[u8], &[u8])) {
    let mut rest = environment;
    while !rest.is_empty() {
        let entry = match CStr::from_bytes_until_nul(rest) {
            Ok(entry) => entry.to_bytes(),
            Err(_) if environment.len() < MAX_ENVIRONMENT_BYTES => rest,
            Err(_) => return,
        };
        rest = rest.get(entry.len() + 1..).unwrap_or_default();
        if let Some(equals) = entry.iter().position(|&byte| byte == b'=') {
            visit(&entry[..equals], &entry[equals + 1..]);
        }
    }
}

pub fn has_stderr() -> bool {
    crate::unix::stderr::was_open_at_start()
}

pub fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    // O_NONBLOCK: a named pipe in the place of a file must not hang us.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)?;
    let mut bytes = vec![0; limit.min(4096)];
    let length = fill_growing(&mut file, &mut bytes, limit)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads until the file ends or `limit` is reached, into a buffer that grows as it has to. How much.
pub fn fill_growing(file: &mut File, buffer: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
    let mut length = 0;
    loop {
        length += fill(file, &mut buffer[length..])?;
        if length < buffer.len() || length >= limit {
            return Ok(length);
        }
        buffer.resize(limit.min(buffer.len() * 4), 0);
    }
}

/// Reads until `buffer` is full or the file ends.
pub fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(length)
}

/// What is not UTF-8 is replaced.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn variables_are_split_at_the_first_equals_sign() {
        let mut seen = Vec::new();
        each_variable(b"A=1\0B=x=y\0junk\0C=\0\0D=last", |name, value| {
            seen.push((name.to_vec(), value.to_vec()));
        });
        let expected: [(&[u8], &[u8]); 4] =
            [(b"A", b"1"), (b"B", b"x=y"), (b"C", b""), (b"D", b"last")];
        assert!(seen.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).eq(expected));
    }

    #[test]
    fn a_variable_cut_off_by_the_bound_is_left_out() {
        let mut environment = b"A=1\0B=".to_vec();
        environment.resize(MAX_ENVIRONMENT_BYTES, b'x');
        let mut names = Vec::new();
        each_variable(&environment, |name, _| names.push(name.to_vec()));
        assert_eq!(names, [b"A"]);
    }

    #[test]
    fn reading_is_bounded_and_never_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let content: Vec<u8> = (0..20_000u32).map(|i| i as u8).collect();
        fs::write(&file, &content).unwrap();
        for limit in [0, 1, 4096, 4097, 19_999, 20_000, 20_001, 1 << 20] {
            let read = read_bounded(&file, limit).unwrap();
            assert_eq!(read, content[..limit.min(content.len())], "{limit}");
        }
        let pipe = dir.path().join("pipe");
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: `name` is a valid C string for the duration of the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert!(read_bounded(&pipe, 10).unwrap_or_default().is_empty());
    }
}
