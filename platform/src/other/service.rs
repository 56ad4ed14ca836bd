//! service: see `crate::service`.

use process_wrap::tokio::CommandWrap;

pub fn own_group(_command: &mut CommandWrap) {}

pub fn notify(_state: &str) {}
