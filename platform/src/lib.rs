//! The operating-system backends of mcpproxy.
//!
//! One rule: the only `unsafe` and the only `cfg(target_os)` of the product. Every backend provides
//! the same names; callers never know which one they got.

cfg_if::cfg_if! {
    if #[cfg(mcpproxy_platform_other)] {
        // Forced, so that the stub keeps compiling where people build.
        mod other;
        use other as backend;
    } else if #[cfg(target_os = "linux")] {
        mod linux;
        use linux as backend;
    } else {
        mod other;
        use other as backend;
    }
}

pub mod files;
pub mod host;
#[cfg(feature = "lmdb")]
pub mod lmdb;
pub mod login;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod service;
