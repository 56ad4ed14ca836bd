//! `mcpproxy record`: events of a host that `tap` cannot wrap.
//!
//! One rule: once it reads, it never fails: what its host says is counted or dropped.

use super::{Call, Failure};
use crate::products::told::Told;
use crate::record::{self, Options};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    // What is wrong with a value of the product must not stop the host, and is judged later.
    let text = |long| call.value(long).map(|value| value.to_string_lossy().into_owned());
    if call.data_dir.as_ref().is_some_and(|dir| dir.is_empty()) {
        return Err(Failure::usage("record", "--data-dir needs a directory"));
    }
    record::run(Options {
        told: Told {
            product: text("product"),
            version: text("product-version"),
            endpoint: text("endpoint"),
            require_visible_notice: call.has("require-visible-notice"),
        },
        data_dir: call.data_dir.as_ref().map(PathBuf::from),
        launched_by: call.launched_by()?,
        count_remote: call.has("count-remote"),
    });
    Ok(ExitCode::SUCCESS)
}
