//! group: see `crate::group`.

mod guardian;

pub use guardian::{Guard, guard};

use crate::backend::lives;
use crate::group::{Exit, Pipes};
use crate::unix::{descriptors, script};
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// How often, and with which pauses, is waited for what should come at once.
const LOOKS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);
/// A thread that only waits.
const STACK: usize = 64 << 10;

/// Never held while a program starts: that waits for its disk.
static GROUPS: Mutex<Groups> =
    Mutex::new(Groups { numbers: Vec::new(), starting: 0, is_over: false });

struct Groups {
    /// The groups whose first process is not reaped.
    numbers: Vec<libc::pid_t>,
    /// How many more are being started.
    starting: usize,
    /// [`kill_all`] was called: what comes into being later is killed as well.
    is_over: bool,
}

fn groups() -> MutexGuard<'static, Groups> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of the group, which is the pid of its first process.
#[derive(Debug)]
pub struct Group(libc::pid_t);

impl Group {
    pub fn start(
        program: &OsStr,
        arguments: &[String],
        dress: impl FnMut(&mut Command) -> io::Result<()>,
    ) -> io::Result<(Self, Pipes)> {
        script::start(program, arguments, dress, Self::start_one)
    }

    fn start_one(command: &mut Command) -> io::Result<(Self, Pipes)> {
        see_children_end();
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = guardian::Start::new();
        // SAFETY: the closure calls only functions that are safe between fork and exec (getpid, send,
        // close_range and in its place open, getdents64, getrlimit, setrlimit, fcntl and close) and allocates
        // nothing.
        unsafe {
            command.pre_exec(move || {
                start.tell_began(libc::getpid());
                descriptors::keep_from_exec();
                Ok(())
            });
        }
        groups().starting += 1;
        let spawned = command.spawn().inspect_err(|_| start.tell_failed());
        let mut groups = groups();
        groups.starting -= 1;
        let mut child = spawned?;
        let group = Self(libc::pid_t::try_from(child.id()).map_err(io::Error::other)?);
        groups.numbers.push(group.0);
        if groups.is_over {
            group.kill();
        }
        drop(groups);
        Ok((group, Pipes::of(&mut child)?))
    }

    pub fn wait_for_first(&self) -> Option<Exit> {
        loop {
            if let Poll::Ready(exit) = self.end_of_first(0) {
                return exit;
            }
        }
    }

    /// Looks, or waits, without reaping. Ready once it has ended.
    fn end_of_first(&self, flags: libc::c_int) -> Poll<Option<Exit>> {
        // SAFETY: zeroed is a valid siginfo_t, writable through the call; what a call that found an ended child
        // has filled in holds a status.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let flags = libc::WEXITED | libc::WNOWAIT | flags;
            match libc::waitid(libc::P_PID, self.0 as libc::id_t, &mut info, flags) {
                0 if info.si_signo == 0 => Poll::Pending,
                0 => Poll::Ready(Some(exit(info.si_code, info.si_status()))),
                _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {
                    Poll::Pending
                }
                _ => Poll::Ready(None),
            }
        }
    }

    pub fn is_alive(&self) -> bool {
        self.end_of_first(libc::WNOHANG).is_pending() || lives::is_group_alive(self.0)
    }

    pub fn ask_to_end(&self) -> bool {
        self.signal(libc::SIGTERM);
        true
    }

    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
    }

    fn signal(&self, signal: libc::c_int) {
        // SAFETY: killpg touches no memory. The number is the group's until its first process is reaped,
        // which only `drop` does.
        unsafe { libc::killpg(self.0, signal) };
    }
}

fn exit(how: libc::c_int, status: libc::c_int) -> Exit {
    match how {
        libc::CLD_EXITED => Exit { code: Some(status), signal: None },
        _ => Exit { code: None, signal: Some(status) },
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let mut groups = groups();
        self.kill();
        groups.numbers.retain(|group| *group != self.0);
        guardian::tell_over(self.0);
        drop(groups);
        reap(self.0);
    }
}

/// Reaps the first process of a group that was killed, which may still be on its way to its end.
fn reap(pid: libc::pid_t) {
    if is_reaped(pid, libc::WNOHANG) {
        return;
    }
    let wait = move || while !is_reaped(pid, 0) {};
    let waits = std::thread::Builder::new().name("mcpproxy-reaper".into()).stack_size(STACK);
    if waits.spawn(wait).is_err() {
        // A killed process is gone at once, unless a disk holds it.
        for _ in 0..LOOKS {
            std::thread::sleep(PAUSE);
            if is_reaped(pid, libc::WNOHANG) {
                return;
            }
        }
    }
}

/// Whether there is nothing to reap any more.
fn is_reaped(pid: libc::pid_t, flags: libc::c_int) -> bool {
    // SAFETY: a null status is allowed; the pid is that of a child that nothing else reaps.
    match unsafe { libc::waitpid(pid, std::ptr::null_mut(), flags) } {
        0 => false,
        -1 => io::Error::last_os_error().kind() != io::ErrorKind::Interrupted,
        _ => true,
    }
}

/// Does not wait for long for groups that are just being started: a disk may not answer.
pub fn kill_all() {
    for _ in 0..LOOKS {
        let mut groups = groups();
        groups.is_over = true;
        for group in &groups.numbers {
            // SAFETY: as in `Group::signal`; the lock is held.
            unsafe { libc::killpg(*group, libc::SIGKILL) };
        }
        if groups.starting == 0 {
            return;
        }
        drop(groups);
        std::thread::sleep(PAUSE);
    }
}

/// A process that was started with SIGCHLD ignored would have its children reaped by the kernel.
fn see_children_end() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a null new action only reads; zeroed is a valid sigaction, and means the default.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGCHLD, std::ptr::null(), &mut action);
            let is_ignored = action.sa_sigaction == libc::SIG_IGN;
            if is_ignored || action.sa_flags & libc::SA_NOCLDWAIT != 0 {
                let default: libc::sigaction = std::mem::zeroed();
                libc::sigaction(libc::SIGCHLD, &default, std::ptr::null_mut());
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// The number of a group that is given up while its first process runs.
    fn given_up() -> libc::pid_t {
        let (group, ..) = Group::start_one(Command::new("sleep").arg("600")).unwrap();
        group.0
    }

    #[test]
    fn a_program_that_is_slow_to_start_keeps_no_other_group_from_its_end() {
        let (slow, mut release) = std::io::pipe().unwrap();
        let mut waiting = Command::new("true");
        // SAFETY: the closure only reads, into memory of its own.
        unsafe {
            waiting.pre_exec(move || std::io::Read::read(&mut &slow, &mut [0]).map(drop));
        }
        let start = std::thread::spawn(move || Group::start_one(&mut waiting).map(drop));
        while groups().starting == 0 {
            std::thread::sleep(PAUSE);
        }
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(given_up()));
        let other = is_done.recv_timeout(Duration::from_secs(60));
        release.write_all(b"x").unwrap();
        start.join().unwrap().unwrap();
        assert!(other.is_ok());
    }

    #[test]
    fn how_the_first_process_ended_is_known_before_it_is_reaped() {
        for (script, code, signal) in
            [("exit 0", Some(0), None), ("exit 3", Some(3), None), ("kill -9 $$", None, Some(9))]
        {
            let (group, _pipes) =
                Group::start_one(Command::new("sh").args(["-c", script])).unwrap();
            for _ in 0..2 {
                assert_eq!(group.wait_for_first(), Some(Exit { code, signal }), "{script}");
            }
        }
    }

    #[test]
    fn the_first_process_of_a_group_that_is_given_up_is_reaped() {
        let numbers: Vec<_> = (0..20).map(|_| given_up()).collect();
        for number in numbers {
            // SAFETY: signal 0 only asks. A process that is not reaped still answers.
            let is_there = || unsafe { libc::kill(number, 0) } == 0;
            let looks = (0..3000).take_while(|_| is_there());
            assert!(looks.inspect(|_| std::thread::sleep(PAUSE)).count() < 3000, "{number}");
        }
    }
}
