//! policy: see `crate::policy`. A value of the machine's registry, where group policies write.

use super::wide;
use std::ffi::OsStr;
use std::io;
use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, REG_DWORD, REG_SZ, REG_VALUE_TYPE, RRF_RT_ANY, RegGetValueW,
};

const KEY: &str = r"Software\Policies\mcpproxy";
const NAME: &str = "telemetry";
pub const PLACE: &str = r"HKLM\Software\Policies\mcpproxy";
pub const IS_FILE: bool = false;

pub fn read() -> io::Result<Option<Vec<u8>>> {
    let (key, name) = (wide::with_zero(OsStr::new(KEY))?, wide::with_zero(OsStr::new(NAME))?);
    // A number, or one of the short words below.
    let mut bytes = [0_u8; 16];
    let mut length = bytes.len() as u32;
    let mut kind: REG_VALUE_TYPE = 0;
    // SAFETY: both names end with a zero; `kind`, `bytes` and `length` (which says how long `bytes` is)
    // are writable and outlive the call.
    let outcome = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_ANY,
            &mut kind,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    match outcome {
        ERROR_SUCCESS => Ok(Some(json(kind, bytes.get(..length as usize).unwrap_or_default()))),
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => Ok(None),
        error => Err(io::Error::from_raw_os_error(error as i32)),
    }
}

/// What the value says; nothing that is a policy when it is none of these.
fn json(kind: REG_VALUE_TYPE, bytes: &[u8]) -> Vec<u8> {
    let text: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?)))
        .collect();
    let text = wide::until_zero(&text).to_ascii_lowercase();
    let said = match (kind, bytes) {
        (REG_DWORD, [0, 0, 0, 0]) => "false",
        (REG_DWORD, [1, 0, 0, 0]) => "true",
        (REG_SZ, _) if text == "false" || text == "0" => "false",
        (REG_SZ, _) if text == "true" || text == "1" => "true",
        _ => "null",
    };
    format!("{{\"telemetry\":{said}}}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_a_word_is_a_policy_and_all_else_is_one_that_cannot_be_read() {
        let text = |text: &str| -> Vec<u8> {
            text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
        };
        for (kind, bytes, said) in [
            (REG_DWORD, vec![0; 4], "false"),
            (REG_DWORD, vec![1, 0, 0, 0], "true"),
            (REG_DWORD, vec![2, 0, 0, 0], "null"),
            (REG_SZ, text("False"), "false"),
            (REG_SZ, text("1"), "true"),
            (REG_SZ, text("no"), "null"),
            (3, vec![0; 4], "null"),
        ] {
            let expected = format!("{{\"telemetry\":{said}}}");
            assert_eq!(json(kind, &bytes), expected.as_bytes(), "{kind} {bytes:?}");
        }
    }

    #[test]
    fn a_machine_without_a_policy_has_none() {
        assert!(read().unwrap().is_none());
    }
}
