//! login: see `crate::login`. Values of the current user's registry.

use super::wide;
use std::ffi::OsStr;
use std::io;
use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    HKEY_CURRENT_USER, REG_SZ, REG_VALUE_TYPE, RRF_RT_ANY, RegDeleteKeyValueW, RegGetValueW,
    RegSetKeyValueW,
};

/// What starts at login, and whether the user has switched it off (Task Manager, Settings).
const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";

pub fn is_enabled(name: &str) -> Option<bool> {
    value(RUN, name)?;
    Some(match value(APPROVED, name) {
        // The lowest bit of the first byte says that the user said no.
        Some(state) => state.first().is_none_or(|flags| flags & 1 == 0),
        None => true,
    })
}

pub fn set(name: &str, command_line: &str) -> io::Result<()> {
    let (key, value) = (wide::with_zero(OsStr::new(RUN))?, wide::with_zero(OsStr::new(name))?);
    let text = wide::with_zero(OsStr::new(command_line))?;
    let bytes = u32::try_from(text.len() * 2).map_err(io::Error::other)?;
    // SAFETY: both names and the text end with a zero, `text` has `bytes` bytes, and all outlive the call.
    let outcome = unsafe {
        RegSetKeyValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            value.as_ptr(),
            REG_SZ,
            text.as_ptr().cast(),
            bytes,
        )
    };
    if outcome != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(outcome as i32));
    }
    // Who asks for the entry takes an earlier no back.
    delete(APPROVED, name)
}

pub fn remove(name: &str) -> io::Result<()> {
    delete(RUN, name)?;
    delete(APPROVED, name)
}

/// That there is no such value or key is fine.
fn delete(key: &str, name: &str) -> io::Result<()> {
    let (key, name) = (wide::with_zero(OsStr::new(key))?, wide::with_zero(OsStr::new(name))?);
    // SAFETY: both names end with a zero and outlive the call.
    match unsafe { RegDeleteKeyValueW(HKEY_CURRENT_USER, key.as_ptr(), name.as_ptr()) } {
        ERROR_SUCCESS | ERROR_FILE_NOT_FOUND => Ok(()),
        error => Err(io::Error::from_raw_os_error(error as i32)),
    }
}

/// The first bytes of a value of any type; `None` when there is none.
fn value(key: &str, name: &str) -> Option<Vec<u8>> {
    let (key, name) =
        (wide::with_zero(OsStr::new(key)).ok()?, wide::with_zero(OsStr::new(name)).ok()?);
    let mut bytes = [0_u8; 64];
    let mut length = bytes.len() as u32;
    let mut kind: REG_VALUE_TYPE = 0;
    // SAFETY: both names end with a zero; `kind`, `bytes` and `length` (which says how long `bytes` is)
    // are writable and outlive the call.
    let outcome = unsafe {
        RegGetValueW(
            HKEY_CURRENT_USER,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_ANY,
            &mut kind,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    match outcome {
        ERROR_SUCCESS => bytes.get(..length as usize).map(<[u8]>::to_vec),
        // Too long to be read here, but there.
        ERROR_MORE_DATA => Some(Vec::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_made_replaced_switched_off_and_removed() {
        let name = format!("mcpproxy-test-{}", std::process::id());
        assert_eq!(is_enabled(&name), None);
        remove(&name).unwrap();
        // Longer than what `value` reads.
        let long = format!(r#""C:\Program Files\{}\mcpproxy.exe" "serve""#, "x".repeat(100));
        for command_line in [r#""C:\mcpproxy.exe" "serve""#, &long] {
            set(&name, command_line).unwrap();
            assert_eq!(is_enabled(&name), Some(true));
        }
        switch_off(&name);
        assert_eq!(is_enabled(&name), Some(false));
        set(&name, &long).unwrap();
        assert_eq!(is_enabled(&name), Some(true));
        switch_off(&name);
        remove(&name).unwrap();
        assert_eq!((is_enabled(&name), value(APPROVED, &name)), (None, None));
    }

    /// As Task Manager does.
    fn switch_off(name: &str) {
        let key = wide::with_zero(OsStr::new(APPROVED)).unwrap();
        let name = wide::with_zero(OsStr::new(name)).unwrap();
        let state = [3_u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: both names end with a zero, `state` is as long as is said, and all outlive the call.
        let outcome = unsafe {
            RegSetKeyValueW(
                HKEY_CURRENT_USER,
                key.as_ptr(),
                name.as_ptr(),
                windows_sys::Win32::System::Registry::REG_BINARY,
                state.as_ptr().cast(),
                state.len() as u32,
            )
        };
        assert_eq!(outcome, ERROR_SUCCESS);
    }
}
