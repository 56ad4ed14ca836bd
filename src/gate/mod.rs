//! The anonymity gate: bytes in, verdict out.
//!
//! One rule: pure, and on doubt it refuses. A verdict never holds a value.
//!
//! Two layers, both required. `shape` lets nothing through but the compiled contract of the version that a
//! payload names, so that a leak has no place to hide; [`scan`] judges the strings that the contract cannot
//! pin (client names outside the vocabulary, names of products), and is there for the day the contract is
//! widened.
//!
//! What is about to be sent must have the one form that our encoder writes: the order of members and the
//! white space between them could hold a message, too. `telemetry verify`, which reads what other tools
//! have written back, minds neither. A collector reads what later versions wrote: [`check_received`] lets pass
//! what this program does not know where nothing of it is kept.

mod addresses;
mod encodings;
mod folding;
mod leaks;
mod names;
mod numbers;
mod places;
mod private_words;
mod product;
#[cfg(feature = "collector")]
mod received;
mod secrets;
mod shape;
mod unwrapping;

use std::fmt;

pub use leaks::{LeakKind, scan};
pub use private_words::PrivateWords;
pub use product::{product_name, product_version};
#[cfg(feature = "collector")]
pub use received::{Unknown, check_received};
pub use secrets::tokens;

use crate::contract::{MAX_PAYLOAD_BYTES, Product};
use crate::json;

/// Nesting that the strict reader accepts: the contract's own (payload, activation, list; payload,
/// diagnostics, counts) and one more, so that a container in a wrong place is still refused with its place named.
const MAX_DEPTH: usize = 4;

/// The trusted values that a payload must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The product it is about.
    pub product: Product,
    /// The install's id.
    pub anonymous_id: String,
    /// The UTC day on which it was made, as it is sent.
    pub anonymous_id_created_at: String,
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
    /// JSON pointer of the member; empty for the whole. Made of names of the contract and of list
    /// positions only: an unknown member is reported at its parent, because its key may be a secret.
    pub field: String,
    /// What is wrong, never the value.
    pub detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the payload" } else { &self.field };
        write!(f, "{} at {field}: {}", self.rule, self.detail)
    }
}

impl std::error::Error for Refusal {}

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

impl RefusalRule {
    /// The spelling of `verify`'s `rule`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalRule::Size => "size",
            RefusalRule::Syntax => "syntax",
            RefusalRule::Shape => "shape",
            RefusalRule::Leak => "leak",
        }
    }
}

impl fmt::Display for RefusalRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Checks the exact bytes that would be sent. With `own`, product, ids, versions and timestamps must equal
/// the trusted values, and the bytes must have the version and the form of our encoder; without it they are
/// judged by shape, by the contract whose version they name (`telemetry verify`).
///
/// `private` is asked only when a string really has to be scanned: with [`PrivateWords::lazy`] the
/// environment is read for a client name outside the vocabulary and for nothing else.
pub fn check(bytes: &[u8], own: Option<&Own>, private: &PrivateWords) -> Result<(), Refusal> {
    if bytes.len() > MAX_PAYLOAD_BYTES {
        return Err(too_large());
    }
    let value = json::parse_with_depth(bytes, MAX_DEPTH).map_err(not_json)?;
    shape::check(&value, own, &|text| scan(text, private))?;
    // No string of the contract holds any: what is left stands between members. Our encoder writes none, and
    // 8 KiB of it are a long letter.
    if own.is_some() && bytes.iter().any(u8::is_ascii_whitespace) {
        return Err(Refusal {
            rule: RefusalRule::Shape,
            field: String::new(),
            detail: "white space between members".to_owned(),
        });
    }
    Ok(())
}

fn not_json(error: json::Error) -> Refusal {
    Refusal { rule: RefusalRule::Syntax, field: String::new(), detail: error.to_string() }
}

/// The verdict on more than [`MAX_PAYLOAD_BYTES`], for a reader that did not keep them.
pub fn too_large() -> Refusal {
    Refusal {
        rule: RefusalRule::Size,
        field: String::new(),
        detail: format!("more than {MAX_PAYLOAD_BYTES} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_which_rule_where_and_why() {
        let refusal = |rule, field: &str, detail: String| {
            Refusal { rule, field: field.to_owned(), detail }.to_string()
        };
        let leak = refusal(RefusalRule::Leak, "/os", LeakKind::Path.to_string());
        assert_eq!(leak, "leak at /os: looks like a path");
        let shape = refusal(RefusalRule::Shape, "", "not an object".to_owned());
        assert_eq!(shape, "shape at the payload: not an object");
        assert_eq!(RefusalRule::Size.to_string(), "size");
        assert_eq!(RefusalRule::Syntax.as_str(), "syntax");
    }
}
