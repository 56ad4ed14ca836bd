//! What became of heartbeats, a second way.
//!
//! One rule: as far as rows can tell: what was refused left nothing but its count.

use super::{Numbers, add};

/// A row of counts.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The UTC day of receipt.
    pub day: i64,
    /// What was counted.
    pub name: String,
    /// How often.
    pub n: u64,
}

/// The sums over the last 7 days, the last 28 and all, and the bytes of the last 28 days, if the database has so many.
pub fn health(counted: &[Counted], today: i64, bytes: u64) -> Numbers {
    let mut all = Numbers::new();
    for one in counted {
        for (span, first) in [("7_days", today - 6), ("28_days", today - 27), ("ever", 0)] {
            add(
                &mut all,
                format!("answers.{}.{span}", one.name),
                if one.day >= first { one.n } else { 0 },
            );
        }
    }
    let stored = |span: &str| all.get(&format!("answers.stored.{span}")).copied().unwrap_or(0);
    let (lately, ever) = (stored("28_days"), stored("ever"));
    if ever > 0 {
        let growth = u128::from(bytes) * u128::from(lately) / u128::from(ever);
        add(&mut all, "growth", u64::try_from(growth).unwrap_or(u64::MAX));
    }
    all
}
