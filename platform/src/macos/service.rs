//! service: see `crate::service`.

use process_wrap::tokio::{CommandWrap, ProcessGroup};

pub fn own_group(command: &mut CommandWrap) {
    command.wrap(ProcessGroup::leader());
    crate::unix::service::keep_descriptors(command);
}

/// `launchd` does not ask.
pub fn notify(_state: &str) {}
