//! What this build's client cannot say itself: that it is of the first version, was built for another system, or met
//! an error.
//!
//! One rule: the client's own bytes, with no more than these members changed.

use super::habit::HOUR;
use super::plan::Plan;
use crate::build_info;
use crate::contract::Os;
use serde_json::{Value, json};

/// The members that schema 4 added.
const NEW_IN_4: &[&str] = &[
    "product",
    "agent_env",
    "carried_over",
    "days_since_install",
    "active_days_30d",
    "previous_shutdown",
    "diagnostics",
];

/// `assembled` as an install of that plan sends it at that time from such a system.
pub fn of(assembled: &[u8], plan: &Plan, version: &str, at: u64, system: Os) -> Vec<u8> {
    let built_for_it = with_codes(&built_for(assembled, system), at);
    if at < plan.schema_3_until {
        return schema_3(&built_for_it, version).unwrap_or(built_for_it);
    }
    built_for_it
}

/// As the client says it that was built for this system.
fn built_for(assembled: &[u8], system: Os) -> Vec<u8> {
    let member = |system: Os| format!(r#""os":"{}""#, system.as_str());
    let text = String::from_utf8_lossy(assembled);
    text.replacen(&member(build_info::os()), &member(system), 1).into_bytes()
}

/// With the error codes of some hours of the day, one of a later version among them.
fn with_codes(assembled: &[u8], at: u64) -> Vec<u8> {
    let hour = at / HOUR;
    let met = match (hour % 5, hour % 7) {
        (0, 0) => r#"{"MCPX_HTTP_DNS":3,"MCPX_STDIO_NOT_FOUND":1}"#,
        (0, _) => r#"{"MCPX_HTTP_DNS":2}"#,
        (_, 0) => r#"{"MCPX_OF_A_LATER_VERSION":1}"#,
        _ => "{}",
    };
    let standing = if hour.is_multiple_of(3) { r#"{"MCPX_STDIO_NOT_FOUND":1}"# } else { "{}" };
    let text = String::from_utf8_lossy(assembled);
    let Some(begin) = text.strip_suffix('}').filter(|_| hour % 4 != 1) else {
        return assembled.to_owned();
    };
    format!(
        r#"{begin},"diagnostics":{{"error_code_counts_24h":{met},"current_error_codes":{standing},"fix_attempted_24h":0,"fix_succeeded_24h":0,"unique_codes_ever":3}}}}"#
    )
    .into_bytes()
}

/// As a client of the first version said the same.
fn schema_3(assembled: &[u8], version: &str) -> Option<Vec<u8>> {
    let mut all: Value = serde_json::from_slice(assembled).ok()?;
    let members = all.as_object_mut()?;
    for name in NEW_IN_4 {
        members.remove(*name);
    }
    members.get_mut("activation")?.as_object_mut()?.remove("first_real_tool_call_ever");
    members.insert("schema_version".to_owned(), json!(3));
    // Versions of that time knew no `-rc.1`.
    let version = match version.split_once('-') {
        Some((release, _)) => format!("v{release}-dev"),
        None => format!("v{version}"),
    };
    for name in ["version", "current_version"] {
        members.insert(name.to_owned(), json!(version));
    }
    serde_json::to_vec(&all).ok()
}
