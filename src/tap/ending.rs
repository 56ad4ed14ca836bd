//! Whether a wrapped server ended as it was meant to.
//!
//! One rule: pure. It is a crash if the server died of something that did not come through this process, or
//! with an error before anybody wanted it to end.

pub use crate::activation::Ending;
use mcpproxy_platform::process::End;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the streams of the client told so far.
#[derive(Default)]
pub struct Streams {
    has_input_ended: AtomicBool,
    has_output_ended: AtomicBool,
    has_answered: AtomicBool,
    is_unread: AtomicBool,
}

impl Streams {
    /// The client has closed the server's input; said before the server can see it. A client that closes it
    /// because the server is gone does not count.
    pub fn input_ended(&self) {
        if !self.has_output_ended.load(Ordering::SeqCst) {
            self.has_input_ended.store(true, Ordering::SeqCst);
        }
    }

    /// The server has closed its output; said before the client can see it.
    pub fn output_ended(&self) {
        self.has_output_ended.store(true, Ordering::SeqCst);
    }

    /// The server has written something.
    pub fn answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Whether a server that ended so ended before it wrote anything.
    pub fn is_early(&self, ending: Ending) -> bool {
        ending == Ending::Crash && !self.has_answered.load(Ordering::Relaxed)
    }

    /// The client reads no more.
    pub fn output_broken(&self) {
        self.is_unread.store(true, Ordering::SeqCst);
    }

    /// Judges the end of the server. `was_told`, whether it ended because somebody told it to, costs a look and is
    /// asked only where it decides.
    pub fn judge(&self, end: End, was_told: impl FnOnce() -> bool) -> Ending {
        let has_input_ended = self.has_input_ended.load(Ordering::SeqCst);
        let has_left = has_input_ended || self.is_unread.load(Ordering::SeqCst);
        let is_clean = end.is_success()
            || (end.is_broken_pipe() && has_left)
            || (!end.is_violent() && has_input_ended)
            || was_told();
        if is_clean { Ending::Clean } else { Ending::Crash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Ending = Ending::Clean;
    const CRASH: Ending = Ending::Crash;

    fn judged(end: End, is_input_closed: bool, was_told: bool) -> Ending {
        let streams = Streams::default();
        if is_input_closed {
            streams.input_ended();
        }
        streams.judge(end, || was_told)
    }

    #[test]
    fn an_error_is_a_crash_only_before_the_end_was_wanted() {
        for (code, closed, told, ending) in [
            (0, false, false, CLEAN),
            (0, true, false, CLEAN),
            (1, false, false, CRASH),
            (1, true, false, CLEAN),
            (143, false, true, CLEAN),
        ] {
            assert_eq!(judged(End::Code(code), closed, told), ending, "{code} {closed} {told}");
        }
    }

    #[test]
    fn a_signal_is_a_crash_unless_it_came_through_here() {
        for (closed, told, ending) in
            [(false, false, CRASH), (true, false, CRASH), (false, true, CLEAN), (true, true, CLEAN)]
        {
            assert_eq!(judged(End::Signal(11), closed, told), ending, "{closed} {told}");
        }
    }

    #[test]
    fn a_client_that_leaves_because_the_server_is_gone_did_not_want_its_end() {
        let streams = Streams::default();
        streams.output_ended();
        streams.input_ended();
        assert_eq!(streams.judge(End::Code(1), || false), CRASH);
    }
}
