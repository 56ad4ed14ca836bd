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
        mod unix;
        use linux as backend;
        // Pure, and worth testing where most people build.
        #[cfg(test)]
        #[path = "macos/process_arguments.rs"]
        mod process_arguments;
    } else if #[cfg(target_os = "macos")] {
        // `/proc`, parent-death signals and `sigwaitinfo` are missing, `sysctl` and `kqueue` are there.
        mod macos;
        mod unix;
        use macos as backend;
    } else if #[cfg(windows)] {
        // No signals and no process groups, but job objects, volumes and a registry.
        mod windows;
        use windows as backend;
    } else {
        // Plain `std`: correct, and blind.
        mod other;
        use other as backend;
    }
}

#[cfg(feature = "yardstick")]
pub mod counting;
pub mod files;
#[cfg(feature = "service")]
pub mod group;
pub mod host;
#[cfg(feature = "service")]
pub mod limits;
#[cfg(feature = "lmdb")]
pub mod lmdb;
pub mod login;
#[cfg(feature = "service")]
pub mod memory;
pub mod policy;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "service")]
pub mod programs;
#[cfg(feature = "service")]
pub mod service;
pub mod sockets;

/// Takes away the variables that tell of descriptors beyond the standard streams, which no child of ours gets:
/// a channel to Node.js, the sockets of a service manager.
#[cfg(any(feature = "process", feature = "service"))]
fn forget_descriptors(command: &mut std::process::Command) {
    for name in ["NODE_CHANNEL_FD", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        // Otherwise the environment stays as it is, to the byte.
        if std::env::var_os(name).is_some() || command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
}
