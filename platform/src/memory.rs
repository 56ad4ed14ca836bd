//! Memory that was freed, back to the system.
//!
//! One rule: an allocator that gives it back by itself is left alone.

/// Gives what is free back: glibc keeps the pages of what was freed in an arena while anything above it is in
/// use. Takes some milliseconds.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(mcpproxy_platform_other)))]
    // SAFETY: it takes a number and may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
