//! This process, its ancestors, its user and machine: raw observations.
//!
//! One rule: an observation that cannot be made is `None` or `false`, never an error and never a
//! guess. Nothing here starts a process, follows the network or blocks on a special file.

use crate::backend::host as backend;
use std::io;
use std::path::Path;

/// Ancestors of the same user whose environments are read, at most.
pub const MAX_ANCESTORS: usize = 8;
/// Steps up the process tree, at most: ancestors of other users (`sudo`, `login`) are stepped over.
pub const MAX_HOPS: usize = 32;
/// Bytes that are read of one ancestor's environment. What lies beyond is not seen: more than Linux lets
/// a process start with (6 MiB), or an objection could hide behind it.
pub const MAX_ENVIRONMENT_BYTES: usize = 8 * 1024 * 1024;

/// This user as the system's user database knows it (Linux: `/etc/passwd`, read by hand, because NSS
/// modules cannot be loaded into a static binary).
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// The person's name in full, where somebody filled it in; empty otherwise, and on Windows.
    pub full_name: String,
    /// Home directory.
    pub home: String,
}

/// Receives one variable of an ancestor: 1 for the nearest ancestor, its name, its value.
pub type VariableVisitor<'a> = &'a mut dyn FnMut(usize, &[u8], &[u8]);

/// The parent's process id; `None` for a process without a visible parent.
pub fn parent_id() -> Option<u32> {
    backend::parent_id()
}

/// The name of a process, as the kernel keeps it (Linux: `comm`, at most 15 bytes).
pub fn process_name(pid: u32) -> Option<String> {
    backend::process_name(pid)
}

/// Shows `visit` every variable of the initial environments of the nearest [`MAX_ANCESTORS`]
/// ancestors that run as this user. Returns whether this system lets ancestors be read: `false` where it cannot be
/// done, where `/proc` is missing or hidden, and where every same-user ancestor refused.
///
/// Puts the number of the nearest one with a controlling terminal into `terminal` (Linux), unless something is
/// there: then none is looked for.
pub fn visit_ancestors(visit: VariableVisitor<'_>, terminal: &mut Option<usize>) -> bool {
    backend::visit_ancestors(visit, terminal)
}

/// Linux: whether this process has a controlling terminal, wherever its standard streams lead.
pub fn has_controlling_terminal() -> bool {
    backend::has_controlling_terminal()
}

/// The effective user id.
pub fn user_id() -> Option<u32> {
    backend::user_id()
}

/// This user in the user database.
pub fn user() -> Option<User> {
    backend::user()
}

/// The name of this machine.
pub fn host_name() -> Option<String> {
    backend::host_name()
}

/// The kernel release.
pub fn os_release() -> Option<String> {
    backend::os_release()
}

/// A display socket of this user: `wayland-*` in its runtime directory, else an X socket it owns.
pub fn display_socket() -> Option<String> {
    backend::display_socket()
}

/// Linux: the text of `/proc/self/cgroup`.
pub fn cgroup() -> Option<String> {
    backend::cgroup()
}

/// Linux: the text of `/proc/self/mountinfo`. Costs more than all other observations together.
pub fn mountinfo() -> Option<String> {
    backend::mountinfo()
}

/// Windows: how many seconds after its parent this process started.
pub fn seconds_after_parent() -> Option<u64> {
    backend::seconds_after_parent()
}

/// Whether standard input is a terminal.
pub fn stdin_is_terminal() -> bool {
    use std::io::IsTerminal;
    io::stdin().is_terminal()
}

/// Whether standard error leads anywhere: `false` when it was closed at the start of this process.
///
/// The Rust runtime opens `/dev/null` in the place of a closed one before `main`, so that writing to it
/// "succeeds". A `/dev/null` that the starter chose is not told apart from any other file.
pub fn has_stderr() -> bool {
    backend::has_stderr()
}

/// The first `limit` bytes of a file. Never blocks: of a pipe or device it reads what is there.
pub fn read_bounded(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    backend::read_bounded(path, limit)
}

/// Whether this path is a symbolic link, wherever it leads.
pub fn is_symlink(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}
