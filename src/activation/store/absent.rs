//! The store of a build without the feature `activation`: there is none.

use super::{Claim, Clock, Health, Recorded, StoreError};
use crate::activation::{Mark, State};
use crate::paths::Place;
use std::convert::Infallible;
use std::sync::Arc;

/// Nothing waits for what never comes.
#[derive(Default)]
pub struct Deferred;

impl Deferred {
    /// Keeps nothing.
    pub fn add(&mut self, _marks: &[Mark<'_>], _now: u64, _owner: u64) {}
}

/// Never exists.
pub struct Cell(Infallible);

impl Cell {
    pub fn open(_dir: &Place, _clock: impl Clock) -> Result<Arc<Self>, StoreError> {
        Err(StoreError::NotBuilt)
    }

    pub fn record(&self, _marks: &[Mark<'_>], _now: u64, _claim: Option<&Claim<'_>>) -> Recorded {
        match self.0 {}
    }

    pub fn take_over(&self, _earlier: Deferred) {
        match self.0 {}
    }

    pub fn read(&self) -> Result<State, StoreError> {
        match self.0 {}
    }

    pub fn update(
        &self,
        _durable: bool,
        _change: &mut dyn FnMut(&mut State),
    ) -> Result<(), StoreError> {
        match self.0 {}
    }

    pub fn flush(&self) -> Result<(), StoreError> {
        match self.0 {}
    }

    pub fn refresh_if_replaced(&self) -> bool {
        match self.0 {}
    }

    pub fn opened(&self) -> u64 {
        match self.0 {}
    }

    pub fn owner(&self) -> u64 {
        match self.0 {}
    }

    pub fn place(&self) -> &Place {
        match self.0 {}
    }

    pub fn health(&self) -> Health {
        match self.0 {}
    }
}

/// What is on disk: nothing of ours.
pub mod on_disk {
    use super::{Health, Place, State, StoreError};

    pub fn check(_dir: &Place) -> Result<(), StoreError> {
        Err(StoreError::NotBuilt)
    }

    pub fn peek(_dir: &Place) -> Result<Option<(State, Health)>, StoreError> {
        Ok(None)
    }

    pub fn remembered(_dir: &Place) -> Option<State> {
        None
    }

    pub fn quarantines(_dir: &Place) -> Vec<u64> {
        Vec::new()
    }

    pub fn reset(_dir: &Place) -> Result<(), StoreError> {
        Ok(())
    }
}
