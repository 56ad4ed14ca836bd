//! Answers: what becomes of a heartbeat, as its sender is told and as it is counted.
//!
//! One rule: none holds a value of the heartbeat; a retired version alone is named to those that run it.

use super::heartbeat::Heartbeat;
use crate::gate::RefusalRule;

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
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Refused(refused) => refused.counted(),
            Self::TooMany(_) => "too_many",
            Self::Unavailable(_) => "unavailable",
            Self::Erased => "erased",
            Self::OptedOut => "opted_out",
            Self::Retired { .. } => "retired",
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
            "size" => "refused.size",
            "syntax" => "refused.syntax",
            "leak" => "refused.leak",
            "type" => "refused.type",
            "product" => "refused.product",
            "timeout" => "refused.timeout",
            _ => "refused.shape",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::metrics;

    #[test]
    fn every_answer_has_a_counter_of_its_own() {
        let refused = |rule| Answer::Refused(Refused { rule, field: String::new() });
        let rules = ["size", "syntax", "shape", "leak", "type", "product", "timeout"];
        let retired = Answer::Retired { product: String::new(), version: String::new() };
        let mut all: Vec<Answer> = rules.map(refused).to_vec();
        all.extend([Answer::Stored, Answer::Duplicate, Answer::OptedOut, Answer::Erased, retired]);
        all.extend([Answer::TooMany(1), Answer::Unavailable(1)]);
        let mut names: Vec<&str> = all.iter().map(Answer::name).collect();
        // Before the bytes are looked at; and what has none.
        names.extend(["limited", "other"]);
        names.sort_unstable();
        let mut counters = metrics::ANSWERS;
        counters.sort_unstable();
        assert_eq!(names, counters);
    }
}
