//! The job that this process and all it starts belong to, which ends with this process.

use std::ffi::c_void;
use std::mem::size_of;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::OnceLock;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
    SetInformationJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

/// Its only handle: it closes when this process ends, however that happens.
static JOB: OnceLock<Option<OwnedHandle>> = OnceLock::new();

/// Puts this process into a job that is killed when its last handle closes. We are in it ourselves: so
/// a child is, too, from its first instruction on. Where that cannot be done, lives are not tied.
pub fn enter() {
    JOB.get_or_init(|| {
        // SAFETY: no attributes and no name; asks for a handle.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        if job.is_null() {
            return None;
        }
        // SAFETY: the handle is open and nobody else's.
        let job = unsafe { OwnedHandle::from_raw_handle(job) };
        // SAFETY: both handles are open; touches no memory.
        let is_in = unsafe { AssignProcessToJobObject(job.as_raw_handle(), GetCurrentProcess()) };
        // In this order: a job that could not be entered kills nobody.
        (is_in != 0 && limit(&job, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)).then_some(job)
    });
}

/// From now on the end of this process ends nobody else.
pub fn release() {
    if let Some(Some(job)) = JOB.get() {
        limit(job, 0);
    }
}

fn limit(job: &OwnedHandle, flags: u32) -> bool {
    // SAFETY: numbers only; all zeroes is a valid value and means no limits.
    let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { std::mem::zeroed() };
    limits.BasicLimitInformation.LimitFlags = flags;
    let limits: *const JOBOBJECT_EXTENDED_LIMIT_INFORMATION = &limits;
    let size = size_of::<JOBOBJECT_EXTENDED_LIMIT_INFORMATION>() as u32;
    let class = JobObjectExtendedLimitInformation;
    // SAFETY: the handle is open; `limits` is as long as is said and lives through the call.
    unsafe {
        SetInformationJobObject(job.as_raw_handle(), class, limits.cast::<c_void>(), size) != 0
    }
}
