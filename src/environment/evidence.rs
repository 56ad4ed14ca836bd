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
    /// Shows `visit` the environment variables, of this process first, then of its nearest ancestors: names, and
    /// values or the words that [`super::names::reduced`] keeps of them. The first value of a name counts.
    fn variables(&self, visit: &mut dyn FnMut(&str, &str));
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
    /// The nearest process with a controlling terminal: 0 for this one, n for its n-th ancestor.
    fn controlling_terminal(&self) -> Option<usize>;
    /// The kernel release.
    fn os_release(&self) -> Option<Cow<'_, str>>;
}
