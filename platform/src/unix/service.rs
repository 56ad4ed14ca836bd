//! service: see `crate::service`. What is the same on every Unix.

use super::descriptors;
use process_wrap::tokio::CommandWrap;

/// Of our descriptors the child gets the standard streams.
pub fn keep_descriptors(command: &mut CommandWrap) {
    // SAFETY: the closure calls only functions that are safe between fork and exec (close_range and in its
    // place open, getdents64, getrlimit, fcntl and close) and allocates nothing.
    unsafe {
        command.command_mut().pre_exec(|| {
            descriptors::keep_from_exec();
            Ok(())
        });
    }
}
