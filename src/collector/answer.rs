//! Answers: what becomes of a heartbeat, as its sender is told and as it is counted.
//!
//! One rule: none holds a value of the heartbeat; a retired version alone is named to those that run it.

use super::heartbeat::Heartbeat;
use crate::gate::RefusalRule;

/// The names under which answers are counted: by the metrics, and by day in the database.
pub(super) mod names {
    pub const STORED: &str = "stored";
    pub const DUPLICATE: &str = "duplicate";
    pub const ERASED: &str = "erased";
    pub const OPTED_OUT: &str = "opted_out";
    pub const RETIRED: &str = "retired";
    pub const TOO_MANY: &str = "too_many";
    /// Before the bytes are looked at.
    pub const LIMITED: &str = "limited";
    pub const UNAVAILABLE: &str = "unavailable";
    /// Refusals are counted by rule.
    pub const RULE_OF: &str = "refused.";
    pub const SYNTAX: &str = "refused.syntax";
    pub const SHAPE: &str = "refused.shape";
    pub const LEAK: &str = "refused.leak";
    pub const SIZE: &str = "refused.size";
    pub const TYPE: &str = "refused.type";
    pub const PRODUCT: &str = "refused.product";
    pub const TIMEOUT: &str = "refused.timeout";
    /// What has no name of its own.
    pub const OTHER: &str = "other";

    /// All of them, in the order in which the metrics show them.
    pub const ALL: [&str; 16] = [
        STORED,
        DUPLICATE,
        ERASED,
        OPTED_OUT,
        RETIRED,
        TOO_MANY,
        LIMITED,
        UNAVAILABLE,
        SYNTAX,
        SHAPE,
        LEAK,
        SIZE,
        TYPE,
        PRODUCT,
        TIMEOUT,
        OTHER,
    ];
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is on disk.
    Stored,
    /// It was on disk before.
    Duplicate,
    /// It is refused, and will be.
    Refused(Refused),
    /// It is no heartbeat but a farewell: nothing is stored.
    OptedOut,
    /// Its install was erased: nothing is stored. Also the answer to an erasure that is committed.
    Erased,
    /// This version of this product is to stop.
    Retired {
        /// The name that the heartbeat gives.
        product: String,
        /// Without a leading `v`.
        version: String,
    },
    /// Its install has had its share of this day; seconds until the next.
    TooMany(u64),
    /// It cannot be stored now; seconds until the next try.
    Unavailable(u64),
}

impl Answer {
    /// The name under which the metrics count it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stored => names::STORED,
            Self::Duplicate => names::DUPLICATE,
            Self::Refused(refused) => refused.counted(),
            Self::TooMany(_) => names::TOO_MANY,
            Self::Unavailable(_) => names::UNAVAILABLE,
            Self::Erased => names::ERASED,
            Self::OptedOut => names::OPTED_OUT,
            Self::Retired { .. } => names::RETIRED,
        }
    }
}

/// Why a heartbeat is refused. Never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `size`, `syntax`, `shape`, `leak`, `type`, `product` or `timeout`.
    pub rule: &'static str,
    /// JSON pointer of the member; empty for the whole.
    pub field: String,
}

impl Refused {
    /// The body is not sent as JSON, or encoded.
    pub fn media_type() -> Self {
        Self { rule: "type", field: String::new() }
    }

    /// The body is longer than any heartbeat.
    pub fn size() -> Self {
        Self { rule: RefusalRule::Size.as_str(), field: String::new() }
    }

    /// The body does not arrive whole.
    pub fn broken() -> Self {
        Self { rule: RefusalRule::Syntax.as_str(), field: String::new() }
    }

    /// The body does not arrive in time.
    pub fn late() -> Self {
        Self { rule: "timeout", field: String::new() }
    }

    pub(super) fn product(heartbeat: &Heartbeat) -> Self {
        let field = if heartbeat.product.is_some() { "/product/name" } else { "" };
        Self { rule: "product", field: field.to_owned() }
    }

    /// The name under which it is counted.
    pub(super) fn counted(&self) -> &'static str {
        match self.rule {
            "size" => names::SIZE,
            "syntax" => names::SYNTAX,
            "leak" => names::LEAK,
            "type" => names::TYPE,
            "product" => names::PRODUCT,
            "timeout" => names::TIMEOUT,
            _ => names::SHAPE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_counter_of_its_own() {
        let refused = |rule| Answer::Refused(Refused { rule, field: String::new() });
        let rules = ["size", "syntax", "shape", "leak", "type", "product", "timeout"];
        let retired = Answer::Retired { product: String::new(), version: String::new() };
        let mut all: Vec<Answer> = rules.map(refused).to_vec();
        all.extend([Answer::Stored, Answer::Duplicate, Answer::OptedOut, Answer::Erased, retired]);
        all.extend([Answer::TooMany(1), Answer::Unavailable(1)]);
        let mut answers: Vec<&str> = all.iter().map(Answer::name).collect();
        answers.extend([names::LIMITED, names::OTHER]);
        answers.sort_unstable();
        let mut counters = names::ALL;
        counters.sort_unstable();
        assert_eq!(answers, counters);
    }
}
