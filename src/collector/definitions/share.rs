//! A share of installs, with its interval.
//!
//! One rule: `count` of `of`, never a bare percentage. The mean of several shares is the sum over the sum.

/// The normal quantile of 97.5 %: the interval covers 95 %.
pub(super) const Z: f64 = 1.959_963_984_540_054;
/// Below it, the interval says more than the share.
pub const FEW: u64 = 20;

/// `count` installs of `of`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Installs that have it.
    pub count: u64,
    /// Installs that could have it: n.
    pub of: u64,
}

impl Share {
    /// Counts one install that has it, or has not.
    pub fn add(&mut self, has: bool) {
        self.of += 1;
        self.count += u64::from(has);
    }

    /// Takes another share in: sum over sum.
    pub fn pool(&mut self, other: Self) {
        self.count += other.count;
        self.of += other.of;
    }

    /// The share between 0 and 1; `None` without installs, which is not 0 %.
    #[allow(clippy::cast_precision_loss, reason = "counts of installs are far below 2^53")]
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.count as f64 / self.of as f64)
    }

    /// Wilson's 95 % score interval; `None` without installs.
    #[allow(clippy::cast_precision_loss, reason = "counts of installs are far below 2^53")]
    pub fn interval(self) -> Option<(f64, f64)> {
        let share = self.value()?;
        let n = self.of as f64;
        let square = Z * Z;
        let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
        let spread = (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
        let half = Z * spread / (1.0 + square / n);
        // At 0 and at n the edge is exact; rounding must not push it past.
        let low = if self.count == 0 { 0.0 } else { (middle - half).max(0.0) };
        let high = if self.count == self.of { 1.0 } else { (middle + half).min(1.0) };
        Some((low, high))
    }

    /// So few installs that the interval is what to look at.
    pub fn is_of_few(self) -> bool {
        self.of < FEW
    }
}
