//! The anonymity gate: bytes in, verdict out.
//!
//! One rule: pure, and on doubt it refuses. A verdict never holds a value.

mod leaks;
mod shape;

pub use leaks::{LeakKind, PrivateWords, scan};

/// The trusted values that a payload must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The install's id.
    pub anonymous_id: String,
    /// When it was made.
    pub anonymous_id_created_at: Option<String>,
    /// The version that assembled the payload.
    pub version: String,
    /// The version before the last upgrade; may be empty.
    pub previous_version: Option<String>,
    /// When the payload was assembled.
    pub timestamp: String,
}

/// Why a payload is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The layer that refused.
    pub rule: RefusalRule,
    /// JSON pointer of the member; empty for the whole.
    pub field: String,
    /// What is wrong, never the value.
    pub detail: String,
}

/// The layers of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalRule {
    /// More than 8 KiB.
    Size,
    /// Not strict JSON.
    Syntax,
    /// Not the closed contract.
    Shape,
    /// A string that may identify someone.
    Leak,
}

/// Checks the exact bytes that would be sent. With `own`, ids, versions and timestamps must equal the
/// trusted values; without it they are judged by shape (`telemetry verify`).
pub fn check(_bytes: &[u8], _own: Option<&Own>, _private: &PrivateWords) -> Result<(), Refusal> {
    todo!("gate room")
}
