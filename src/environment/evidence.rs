//! What classification may ask.

use std::borrow::Cow;

/// The operating systems that the rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OsKind {
    /// Linux.
    Linux,
    /// macOS.
    Darwin,
    /// Windows.
    Windows,
    /// Any other, or not observed.
    Unknown,
}

/// A machine, or a recording of one. Every answer is an observation: `None` and `false` mean not observed.
pub trait Evidence {
    /// The value of an environment variable: this process's own, else its nearest ancestor's.
    fn env(&self, name: &str) -> Option<Cow<'_, str>>;
    /// Whether a path exists. A permission error proves nothing: `false`.
    fn path_exists(&self, path: &str) -> bool;
    /// The content of a small file.
    fn file(&self, path: &str) -> Option<Cow<'_, str>>;
    /// `/proc/self/cgroup`.
    fn cgroup(&self) -> Option<Cow<'_, str>>;
    /// `/proc/self/mountinfo`; expensive, asked last.
    fn mountinfo(&self) -> Option<Cow<'_, str>>;
    /// Display sockets of this user (`/run/user/<uid>/wayland-*`, `/tmp/.X11-unix/X*`), one path of each kind at most.
    fn display_socket(&self) -> Option<Cow<'_, str>>;
    /// The operating system.
    fn os(&self) -> OsKind;
    /// Standard input is a terminal.
    fn stdin_is_terminal(&self) -> bool;
    /// The kernel release.
    fn os_release(&self) -> Option<Cow<'_, str>>;
}
