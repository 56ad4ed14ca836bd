//! Batches: several messages in one, as 2025-03-26 has them, and those of a client on standard streams.
//!
//! One rule: each message is asked for itself, and the answers come back together, in the order of what they
//! answer. Later versions have no batches, and are told so.

use rmcp::model::{ErrorData, JsonRpcError, ProtocolVersion, RequestId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More messages in one batch are refused.
const MOST_MESSAGES: usize = 100;
/// What the answers to one batch may come to.
pub const MOST_ANSWERS: usize = 64 << 20;

/// What is looked at of a message.
#[derive(Deserialize)]
pub struct Message {
    /// What it asks for or tells.
    pub method: Option<String>,
}

/// Why a batch is not read, if it is not, by a client of that version.
pub fn refused(messages: &[&RawValue], version: Option<&str>) -> Option<ErrorData> {
    let words = if version.is_some_and(|it| it > ProtocolVersion::V_2025_03_26.as_str()) {
        "this protocol version has no batches: send each message for itself".to_owned()
    } else if messages.is_empty() || messages.len() > MOST_MESSAGES {
        format!("a batch has from 1 to {MOST_MESSAGES} messages")
    } else if messages.iter().any(|message| is_greeting(message)) {
        "initialize begins a session, and is not sent in a batch".to_owned()
    } else {
        return None;
    };
    Some(ErrorData::invalid_request(words, None))
}

fn is_greeting(message: &RawValue) -> bool {
    let looked = serde_json::from_str::<Message>(message.get());
    looked.is_ok_and(|it| it.method.as_deref() == Some("initialize"))
}

/// The error that answers a message, as text.
pub fn error(error: ErrorData, id: Option<RequestId>) -> String {
    let id = id.map_or(Value::Null, RequestId::into_json_value);
    let mut message = serde_json::to_value(JsonRpcError::new(None, error)).unwrap_or_default();
    message["id"] = id;
    message.to_string()
}

/// The batches of one client whose answers are not there yet.
#[derive(Default)]
pub struct Batches {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: Vec<Batch>,
    version: Option<ProtocolVersion>,
}

#[derive(Default)]
struct Batch {
    places: Vec<Place>,
    /// Bytes of answers.
    length: usize,
}

/// Where an answer goes.
pub enum Place {
    /// It is waited for.
    Waiting(RequestId),
    /// It is there.
    Answered(String),
}

impl Place {
    /// Whether the answer to that request is waited for here.
    pub fn waits_for(&self, id: &RequestId) -> bool {
        matches!(self, Self::Waiting(waiting) if waiting == id)
    }
}

impl Batch {
    fn is_whole(&self) -> bool {
        self.places.iter().all(|place| matches!(place, Place::Answered(_)))
    }

    /// The answers that are there. Where nothing was asked nothing is said.
    fn into_text(self) -> Option<String> {
        let answers = self.places.into_iter().filter_map(|place| match place {
            Place::Waiting(_) => None,
            Place::Answered(text) => Some(text),
        });
        let answers: Vec<String> = answers.collect();
        (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
    }
}

impl State {
    /// Takes the batch out whose answers are all there.
    fn ended(&mut self) -> Option<String> {
        let at = self.open.iter().position(Batch::is_whole)?;
        self.open.swap_remove(at).into_text()
    }

    fn place_of(&mut self, id: &RequestId) -> Option<(&mut Batch, usize)> {
        self.open.iter_mut().find_map(|batch| {
            let at = batch.places.iter().position(|place| place.waits_for(id))?;
            Some((batch, at))
        })
    }
}

impl Batches {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the client speaks this version.
    pub fn speaks(&self, version: ProtocolVersion) {
        self.state().version = Some(version);
    }

    /// Why these messages are not read together, if they are not.
    pub fn refused(&self, messages: &[&RawValue]) -> Option<ErrorData> {
        refused(messages, self.state().version.as_ref().map(ProtocolVersion::as_str))
    }

    /// Whether the answer to a request is waited for.
    pub fn waits_for(&self, id: &RequestId) -> bool {
        self.state().place_of(id).is_some()
    }

    /// Begins a batch; its text, if nothing in it has to be waited for.
    pub fn begin(&self, places: Vec<Place>) -> Option<String> {
        let mut state = self.state();
        state.open.push(Batch { places, length: 0 });
        state.ended()
    }

    /// What is written now that the answer to `id` is there: itself, if it belongs to no batch; or the whole batch.
    pub fn answered(&self, id: &RequestId, answer: Vec<u8>) -> Option<Vec<u8>> {
        let mut state = self.state();
        let Some((batch, at)) = state.place_of(id) else { return Some(answer) };
        batch.length += answer.len();
        let text = match String::from_utf8(answer) {
            Ok(text) if batch.length <= MOST_ANSWERS => text,
            _ => {
                let most = MOST_ANSWERS >> 20;
                let words = format!("the answers to the batch are longer than {most} MiB together");
                error(ErrorData::internal_error(words, None), Some(id.clone()))
            }
        };
        batch.places[at] = Place::Answered(text);
        state.ended().map(String::into_bytes)
    }

    /// A request was cancelled, and gets no answer; the batch, if it was the last that was waited for.
    pub fn cancelled(&self, id: &RequestId) -> Option<String> {
        let mut state = self.state();
        let (batch, at) = state.place_of(id)?;
        batch.places.remove(at);
        state.ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(ids: &[i64]) -> Vec<Place> {
        ids.iter().map(|id| Place::Waiting(RequestId::Number(*id))).collect()
    }

    fn answered(batches: &Batches, id: i64, text: &str) -> Option<String> {
        let whole = batches.answered(&RequestId::Number(id), text.into())?;
        Some(String::from_utf8(whole).expect("text"))
    }

    #[test]
    fn answers_come_together_in_the_order_of_what_was_asked() {
        let batches = Batches::default();
        let mut places = waiting(&[1, 2]);
        places.insert(1, Place::Answered("\"at once\"".to_owned()));
        assert_eq!(batches.begin(places), None);
        assert_eq!(batches.begin(waiting(&[3])), None);
        assert_eq!(answered(&batches, 9, "alone").as_deref(), Some("alone"));
        assert_eq!(answered(&batches, 2, "2"), None);
        assert_eq!(answered(&batches, 3, "3").as_deref(), Some("[3]"));
        assert_eq!(answered(&batches, 1, "1").as_deref(), Some("[1,\"at once\",2]"));
        assert_eq!(answered(&batches, 1, "again").as_deref(), Some("again"));
    }

    #[test]
    fn what_is_cancelled_is_not_waited_for() {
        let batches = Batches::default();
        assert_eq!(batches.begin(waiting(&[1, 2, 3])), None);
        assert_eq!(batches.cancelled(&RequestId::Number(2)), None);
        assert_eq!(answered(&batches, 1, "1"), None);
        assert_eq!(batches.cancelled(&RequestId::Number(3)).as_deref(), Some("[1]"));
        assert_eq!(batches.begin(waiting(&[4])), None);
        assert_eq!(batches.cancelled(&RequestId::Number(4)), None, "nothing is said of it");
        assert!(!batches.waits_for(&RequestId::Number(4)));
    }

    #[test]
    fn answers_that_are_too_long_together_are_errors() {
        let batches = Batches::default();
        assert_eq!(batches.begin(waiting(&[1, 2])), None);
        let long = "x".repeat(MOST_ANSWERS);
        assert_eq!(answered(&batches, 1, &long), None);
        let whole = answered(&batches, 2, "2").expect("both");
        assert!(whole.contains("longer than 64 MiB") && whole.contains("\"id\":2"));
    }
}
