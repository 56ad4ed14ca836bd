//! group: see `crate::group`. A group is a job, which is killed when its last handle closes: that is when
//! we end, however that happens.

use super::lookup;
use crate::group::{Exit, Pipes};
use std::ffi::{OsStr, c_void};
use std::io;
use std::mem::size_of;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::os::windows::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::ptr;
use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectExtendedLimitInformation,
    QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, GetExitCodeProcess, INFINITE, OpenThread,
    ResumeThread, THREAD_SUSPEND_RESUME, WaitForSingleObject,
};

#[derive(Debug)]
pub struct Group {
    job: OwnedHandle,
    first: Child,
}

impl Group {
    /// The first process runs no instruction before it is in the job: so is all that it starts.
    pub fn start(
        program: &OsStr,
        arguments: &[String],
        mut dress: impl FnMut(&mut Command) -> io::Result<()>,
    ) -> io::Result<(Self, Pipes)> {
        let found = lookup::find(program).unwrap_or_else(|| program.to_owned());
        let mut command = Command::new(found);
        dress(command.args(arguments))?;
        let job = new_job()?;
        command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut first = command.spawn()?;
        // SAFETY: both handles are open; touches no memory.
        let is_in =
            unsafe { AssignProcessToJobObject(job.as_raw_handle(), first.as_raw_handle()) } != 0;
        let resumed = if is_in { resume(first.id()) } else { Err(io::Error::last_os_error()) };
        if let Err(error) = resumed {
            let _ = first.kill();
            return Err(error);
        }
        let pipes = Pipes::of(&mut first)?;
        Ok((Self { job, first }, pipes))
    }

    pub fn wait_for_first(&self) -> Option<Exit> {
        let mut code = 0;
        // SAFETY: the handle is open as long as `first` lives; `code` lives through the call.
        let is_known = unsafe {
            WaitForSingleObject(self.first.as_raw_handle(), INFINITE);
            GetExitCodeProcess(self.first.as_raw_handle(), &mut code) != 0
        };
        // Codes such as 0xC0000005 are negative numbers here, as `std` has them.
        is_known.then(|| Exit { code: Some(code.cast_signed()), signal: None })
    }

    pub fn is_alive(&self) -> bool {
        // SAFETY: numbers only; all zeroes is a valid value.
        let mut answer: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = unsafe { std::mem::zeroed() };
        let into: *mut JOBOBJECT_BASIC_ACCOUNTING_INFORMATION = &mut answer;
        let size = size_of::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>() as u32;
        let class = JobObjectBasicAccountingInformation;
        // SAFETY: the handle is open; `answer` is as long as is said and lives through the call; the length
        // of the answer is not asked for.
        let is_known = unsafe {
            let job = self.job.as_raw_handle();
            QueryInformationJobObject(job, class, into.cast::<c_void>(), size, ptr::null_mut()) != 0
        };
        !is_known || answer.ActiveProcesses > 0
    }

    pub fn ask_to_end(&self) -> bool {
        false
    }

    pub fn kill(&self) {
        // SAFETY: the handle is open; touches no memory.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), 1) };
    }
}

fn new_job() -> io::Result<OwnedHandle> {
    // SAFETY: no attributes and no name; asks for a handle.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and nobody else's.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    // SAFETY: numbers only; all zeroes is a valid value and means no limits.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { std::mem::zeroed() };
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    let limits: *const JOBOBJECT_EXTENDED_LIMIT_INFORMATION = &limits;
    let size = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
    let class = JobObjectExtendedLimitInformation;
    // SAFETY: the handle is open; `limits` is as long as is said and lives through the call.
    let is_set = unsafe {
        SetInformationJobObject(job.as_raw_handle(), class, limits.cast::<c_void>(), size) != 0
    };
    if is_set { Ok(job) } else { Err(io::Error::last_os_error()) }
}

/// Lets the only thread of a process that was started suspended run. `std` does not keep its handle.
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: asks for a handle.
    let threads = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if threads == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and nobody else's.
    let threads = unsafe { OwnedHandle::from_raw_handle(threads) };
    // SAFETY: numbers only; all zeroes is a valid value.
    let mut entry: THREADENTRY32 = unsafe { std::mem::zeroed() };
    entry.dwSize = size_of::<THREADENTRY32>() as u32;
    // SAFETY: the handle is open; `entry` says how long it is and lives through the calls.
    let mut is_one = unsafe { Thread32First(threads.as_raw_handle(), &mut entry) } != 0;
    while is_one {
        if entry.th32OwnerProcessID == process {
            return resume_thread(entry.th32ThreadID);
        }
        // SAFETY: as above.
        is_one = unsafe { Thread32Next(threads.as_raw_handle(), &mut entry) } != 0;
    }
    Err(io::ErrorKind::NotFound.into())
}

fn resume_thread(number: u32) -> io::Result<()> {
    // SAFETY: asks for a handle.
    let thread = unsafe { OpenThread(THREAD_SUSPEND_RESUME, 0, number) };
    if thread.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open and nobody else's.
    let thread = unsafe { OwnedHandle::from_raw_handle(thread) };
    // SAFETY: the handle is open; touches no memory.
    match unsafe { ResumeThread(thread.as_raw_handle()) } {
        u32::MAX => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Jobs end with us.
pub fn kill_all() {}

#[derive(Debug)]
pub struct Guard;

pub fn guard() -> Guard {
    Guard
}
