//! host: see `crate::host`. The process list is a snapshot (Toolhelp32); no process is opened for more
//! than its times, and no environment but our own is ever read: Windows has no supported way to.

use super::wide;
use crate::host::{User, VariableVisitor};
use std::fs::File;
use std::io::{self, Read};
use std::mem::{MaybeUninit, size_of};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::Path;
use windows_sys::Wdk::System::SystemServices::RtlGetVersion;
use windows_sys::Win32::Foundation::{FILETIME, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{GetStdHandle, STD_ERROR_HANDLE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalDnsHostname, GetComputerNameExW, OSVERSIONINFOW,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION,
};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

/// What a `FILETIME` counts in one second.
const TICKS_PER_SECOND: u64 = 10_000_000;

pub fn parent_id() -> Option<u32> {
    let parent = entry_of(std::process::id())?.th32ParentProcessID;
    // The number of a parent that has ended may be another process's by now: one younger than we are.
    (parent != 0 && seconds_after(parent).is_some()).then_some(parent)
}

pub fn process_name(pid: u32) -> Option<String> {
    entry_of(pid).map(|entry| wide::until_zero(&entry.szExeFile))
}

pub fn seconds_after_parent() -> Option<u64> {
    seconds_after(entry_of(std::process::id())?.th32ParentProcessID)
}

/// How many seconds after process `pid` this one started; `None` if it was before, or cannot be known.
fn seconds_after(pid: u32) -> Option<u64> {
    // SAFETY: asks for a handle and touches no memory.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if process.is_null() {
        return None;
    }
    // SAFETY: the handle is open and nobody else's.
    let process = unsafe { OwnedHandle::from_raw_handle(process) };
    let theirs = start_of(process.as_raw_handle())?;
    // SAFETY: gives a constant that stands for this process.
    let ours = start_of(unsafe { GetCurrentProcess() })?;
    ours.checked_sub(theirs).map(|ticks| ticks / TICKS_PER_SECOND)
}

fn start_of(process: HANDLE) -> Option<u64> {
    let mut times = [FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 }; 4];
    let [start, end, kernel, user] = &mut times;
    // SAFETY: the handle is open, and all four times are writable through the call.
    if unsafe { GetProcessTimes(process, start, end, kernel, user) } == 0 {
        return None;
    }
    Some(u64::from(start.dwHighDateTime) << 32 | u64::from(start.dwLowDateTime))
}

fn entry_of(pid: u32) -> Option<PROCESSENTRY32W> {
    // SAFETY: asks for a handle and touches no memory.
    let list = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if list == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: the handle is open and nobody else's.
    let list = unsafe { OwnedHandle::from_raw_handle(list) };
    // SAFETY: numbers and arrays of numbers; all zeroes is a valid value.
    let mut entry: PROCESSENTRY32W = unsafe { std::mem::zeroed() };
    entry.dwSize = size_of::<PROCESSENTRY32W>() as u32;
    // SAFETY: the snapshot is open, and `entry` says how long it is.
    let mut is_there = unsafe { Process32FirstW(list.as_raw_handle(), &mut entry) };
    while is_there != 0 {
        if entry.th32ProcessID == pid {
            return Some(entry);
        }
        // SAFETY: as above.
        is_there = unsafe { Process32NextW(list.as_raw_handle(), &mut entry) };
    }
    None
}

pub fn has_controlling_terminal() -> bool {
    false
}

pub fn visit_ancestors(_visit: VariableVisitor<'_>, _terminal: &mut Option<usize>) -> bool {
    false
}

pub fn user_id() -> Option<u32> {
    None
}

pub fn user() -> Option<User> {
    let mut name = [0_u16; 257];
    let mut length = name.len() as u32;
    // SAFETY: `name` is as long as `length` says, and both are writable through the call.
    if unsafe { GetUserNameW(name.as_mut_ptr(), &mut length) } == 0 {
        return None;
    }
    let home = std::env::home_dir().unwrap_or_default();
    Some(User {
        name: wide::until_zero(&name),
        full_name: String::new(),
        home: home.to_string_lossy().into_owned(),
    })
}

pub fn host_name() -> Option<String> {
    let mut name = [0_u16; 256];
    let mut length = name.len() as u32;
    // SAFETY: `name` is as long as `length` says, and both are writable through the call.
    let is_known = unsafe {
        GetComputerNameExW(ComputerNamePhysicalDnsHostname, name.as_mut_ptr(), &mut length)
    };
    Some(wide::until_zero(&name)).filter(|name| is_known != 0 && !name.is_empty())
}

pub fn os_release() -> Option<String> {
    let mut version = MaybeUninit::<OSVERSIONINFOW>::zeroed();
    // SAFETY: zeroed is a valid value (numbers only); its size is set before the call, which fills it in.
    let version = unsafe {
        (*version.as_mut_ptr()).dwOSVersionInfoSize = size_of::<OSVERSIONINFOW>() as u32;
        if RtlGetVersion(version.as_mut_ptr()) != 0 {
            return None;
        }
        version.assume_init()
    };
    let OSVERSIONINFOW { dwMajorVersion, dwMinorVersion, dwBuildNumber, .. } = version;
    Some(format!("{dwMajorVersion}.{dwMinorVersion}.{dwBuildNumber}"))
}

pub fn display_socket() -> Option<String> {
    None
}

pub fn cgroup() -> Option<String> {
    None
}

pub fn mountinfo() -> Option<String> {
    None
}

pub fn has_stderr() -> bool {
    // SAFETY: asks for a handle and touches no memory.
    let handle = unsafe { GetStdHandle(STD_ERROR_HANDLE) };
    !handle.is_null() && handle != INVALID_HANDLE_VALUE
}

pub fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_the_list_under_its_file_name() {
        let own = std::env::current_exe().unwrap();
        let own = own.file_name().unwrap().to_str().unwrap();
        assert!(process_name(std::process::id()).unwrap().eq_ignore_ascii_case(own));
        assert!(process_name(u32::MAX).is_none());
    }

    #[test]
    fn a_child_finds_its_parent_and_knows_how_long_after_it_it_began() {
        if let Some(parent) = std::env::var_os("MCPPROXY_TEST_PARENT") {
            let parent: u32 = parent.to_str().unwrap().parse().unwrap();
            assert_eq!(parent_id(), Some(parent));
            assert!(seconds_after_parent().unwrap() < 3600);
            return;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "backend::host::tests::a_child_finds_its_parent_and_knows_how_long_after_it_it_began"])
            .args(["windows::host::tests::a_child_finds_its_parent_and_knows_how_long_after_it_it_began"])
            .env("MCPPROXY_TEST_PARENT", std::process::id().to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn the_user_and_the_machine_have_names_and_the_system_a_version() {
        assert!(!user().unwrap().name.is_empty());
        assert!(host_name().is_some());
        assert!(os_release().unwrap().split('.').count() == 3);
    }
}
