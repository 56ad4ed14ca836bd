//! The errors of a build without the feature `serve`: it meets none. The record of a program that does is one that
//! this build does not know, and so it stays as it is.

use super::state::Applied;

/// Never happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorMark {}

/// None.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors;

impl Errors {
    /// Never called.
    pub fn apply(&mut self, mark: ErrorMark, _now: u64) -> Applied {
        match mark {}
    }

    /// Nothing new.
    pub fn merge(&mut self, _later: &Self, _now: u64) -> bool {
        false
    }
}

/// None.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing(());
