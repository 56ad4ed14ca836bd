//! The collector's own receiving, in this process, with the virtual time of receipt.
//!
//! One rule: nothing between the fleet and the database is a stand-in but the sockets.

use super::{Answer, Collect, Delivery, PRODUCTS, SimulationError};
use crate::collector::answer;
use crate::collector::floods::Origin;
use crate::collector::receive::Receiver;
use crate::collector::store::{Location, StoreOptions};

/// A collector that receives a fleet.
pub struct Receiving {
    receiver: Receiver,
}

impl Receiving {
    /// A collector whose data lie there.
    pub fn open(place: impl Into<Location>) -> Result<Self, SimulationError> {
        let Location { dir, server } = place.into();
        let options = StoreOptions {
            dir,
            server,
            products: PRODUCTS.map(str::to_owned).to_vec(),
            ephemeral: true,
            ..StoreOptions::default()
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
        let heartbeats = batch
            .iter()
            .map(|one| (one.bytes.as_slice(), one.received, Some(Origin::of_network(one.network))));
        self.receiver.accept_from(heartbeats).iter().map(answer).collect()
    }
}

/// What the client sees of an answer.
fn answer(answer: &answer::Answer) -> Result<Answer, SimulationError> {
    let (status, retry_after) = match answer {
        answer::Answer::Stored | answer::Answer::Duplicate => (200, None),
        answer::Answer::OptedOut => (204, None),
        answer::Answer::Refused(_) => (400, None),
        answer::Answer::Erased => (204, None),
        answer::Answer::Retired { .. } => (410, None),
        answer::Answer::TooMany(wait) => (429, Some(*wait)),
        answer::Answer::Unavailable(_) => {
            let why = "the database is away".to_owned();
            return Err(SimulationError::Collector(why));
        }
    };
    Ok(Answer { status, retry_after })
}
