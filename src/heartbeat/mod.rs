//! Heartbeat: assemble, schedule, send.
//!
//! One rule: bytes are stored before they are sent, checked each time before they are sent, and sent only
//! while consent, the lease and the identity still hold.

pub mod assemble;
pub mod attempt;
pub mod permission;
pub mod post;
pub mod preview;
pub mod proxy;
mod retry_after;
pub mod schedule;
pub mod sent;
pub(crate) mod session;
pub mod timing;
pub(crate) mod worker;

use crate::activation::StoreError;
use crate::gate::{Refusal, RefusalRule};

/// A random name for one process in marks and in the lease; not 0.
pub fn nonce() -> u64 {
    // Without randomness the clock still tells most processes apart.
    getrandom::u64().unwrap_or_else(|_| crate::machine::now()).max(1)
}

/// Why there is no store, as one line.
pub fn store_trouble(error: &StoreError) -> String {
    match error {
        StoreError::Busy => "the activation store is busy; try again".to_owned(),
        StoreError::RemoteFileSystem(name) => {
            format!("there is no activation store: {name} is not a local file system")
        }
        StoreError::Io(kind) => format!("there is no activation store: {kind}"),
    }
}

/// A refusal of the gate as one line: rule, JSON pointer and detail, never a value.
pub fn describe(refusal: &Refusal) -> String {
    let rule = match refusal.rule {
        RefusalRule::Size => "size",
        RefusalRule::Syntax => "syntax",
        RefusalRule::Shape => "shape",
        RefusalRule::Leak => "leak",
    };
    let field = if refusal.field.is_empty() { "the payload" } else { &refusal.field };
    format!("the anonymity gate refused {field} (rule {rule}: {})", refusal.detail)
}
