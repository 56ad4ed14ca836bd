//! Rows as the database holds them.
//!
//! One rule: words and numbers, in the columns' own forms.

/// The columns of an install's row that numbers are made of.
#[derive(Clone, Debug, Default)]
pub struct RawInstall {
    /// Number of its product.
    pub product: i64,
    /// `day0`
    pub day0: i64,
    /// `last_day`
    pub last_day: i64,
    /// `days`
    pub days: Vec<u8>,
    /// `first_facts`
    pub first_facts: String,
    /// `now_facts`
    pub now_facts: String,
    /// The columns of the funnel.
    pub steps: [Option<i64>; 5],
    /// `versions`
    pub versions: String,
    /// `clients`
    pub clients: String,
    /// `carried_over`
    pub carried_over: bool,
    /// `days_since_install`
    pub days_since_install: Option<i64>,
    /// `install_day`
    pub install_day: Option<i64>,
    /// `flood`
    pub flood: bool,
}

/// A row of the aggregates of expired installs.
#[derive(Clone, Debug)]
pub struct RawFrozen {
    /// The first day of the week.
    pub monday: i64,
    /// Group and name.
    pub cell: String,
    /// How many.
    pub n: u64,
}
