//! Values of the current user's registry, read only.

use super::wide;
use std::ffi::OsStr;
use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    HKEY_CURRENT_USER, REG_VALUE_TYPE, RRF_RT_ANY, RegGetValueW,
};

/// What starts at login, and whether the user has switched it off (Task Manager, Settings).
const RUN: &str = r"Software\Microsoft\Windows\CurrentVersion\Run";
const APPROVED: &str = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run";

/// See `crate::host::run_entry`.
pub fn run_entry(name: &str) -> Option<bool> {
    value(RUN, name)?;
    Some(match value(APPROVED, name) {
        // The lowest bit of the first byte says that the user said no.
        Some(state) => state.first().is_none_or(|flags| flags & 1 == 0),
        None => true,
    })
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
