//! Whether standard error was open when this process began.
//!
//! One rule: asked before `main`, because the Rust runtime then puts `/dev/null` where nothing was.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_USELESS: AtomicBool = AtomicBool::new(false);

// SAFETY: the section holds pointers to functions that the C library calls with (argc, argv, envp)
// before `main`; a C function that ignores its arguments may be called so. This one needs nothing of the
// runtime: one system call and one atomic store.
#[used]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: F_GETFL only asks; on a closed descriptor it fails with EBADF.
    let flags = unsafe { libc::fcntl(libc::STDERR_FILENO, libc::F_GETFL) };
    // `std` passes over a descriptor that is open for reading only as it does over a closed one.
    let is_useless = flags == -1 || flags & libc::O_ACCMODE == libc::O_RDONLY;
    IS_USELESS.store(is_useless, Ordering::Relaxed);
}

pub fn was_open_at_start() -> bool {
    !IS_USELESS.load(Ordering::Relaxed)
}
