//! The collector's own receiving, in this process, with the virtual time of receipt.
//!
//! One rule: nothing between the fleet and the database is a stand-in but the sockets.

use super::{Answer, Collect, Delivery, PRODUCTS, SimulationError};
use crate::collector::receive::{self, Receiver};
use crate::collector::store::{KeySource, StoreOptions};
use std::path::Path;

/// A collector that receives a fleet.
pub struct Receiving {
    receiver: Receiver,
}

impl Receiving {
    /// A collector in that directory.
    pub fn open(dir: &Path) -> Result<Self, SimulationError> {
        let options = StoreOptions {
            dir: dir.to_owned(),
            key: KeySource::default(),
            products: PRODUCTS.map(str::to_owned).to_vec(),
            any_product: false,
            ephemeral: true,
        };
        let receiver = Receiver::open(&options)
            .map_err(|error| SimulationError::Collector(error.to_string()))?;
        Ok(Self { receiver })
    }

    /// The receiver, to read what it holds.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }
}

impl Collect for Receiving {
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
        let heartbeats = batch.iter().map(|one| (one.bytes.as_slice(), one.received));
        self.receiver.accept_all(heartbeats).iter().map(answer).collect()
    }
}

/// What the client sees of an answer.
fn answer(answer: &receive::Answer) -> Result<Answer, SimulationError> {
    let (status, retry_after) = match answer {
        receive::Answer::Stored | receive::Answer::Duplicate => (200, None),
        receive::Answer::Refused(_) => (400, None),
        receive::Answer::Erased => (204, None),
        receive::Answer::Retired { .. } => (410, None),
        receive::Answer::TooMany(wait) => (429, Some(*wait)),
        receive::Answer::Unavailable(_) => {
            let why = "the database is away".to_owned();
            return Err(SimulationError::Collector(why));
        }
    };
    Ok(Answer { status, retry_after })
}
