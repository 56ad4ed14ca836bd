//! service: see `crate::service`.

use process_wrap::tokio::{CommandWrap, JobObject};

pub fn own_group(command: &mut CommandWrap) {
    command.wrap(JobObject);
}

/// Services of Windows report otherwise; we are none.
pub fn notify(_state: &str) {}
