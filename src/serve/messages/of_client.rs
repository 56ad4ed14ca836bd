//! The messages of a client on standard streams.
//!
//! One rule: every line that asks is answered, and one that is no message is told so at once.

use super::super::batches::{self, Batches, Place};
use super::super::outline::{About, Outline};
use super::{Heard, NOT_UTF8, NotJson, Reader, batch, no_json, refused, trimmed};
use crate::config::halves::replace_halves;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerResult,
};
use rmcp::service::{RoleServer, TxJsonRpcMessage};
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Reads what a client sends.
#[derive(Clone, Default)]
pub struct OfClient {
    batches: Arc<Batches>,
}

impl Reader<RoleServer> for OfClient {
    fn read(&self, mut text: Vec<u8>) -> Vec<Heard<RoleServer>> {
        replace_halves(&mut text);
        let Some(text) = trimmed(&text) else {
            let why = || Some(no_json(NOT_UTF8, None));
            return self
                .unreadable(Outline::of(&text), NOT_UTF8)
                .or_else(why)
                .into_iter()
                .collect();
        };
        let mut heard = match batch(text) {
            Some(messages) => self.batch(&messages),
            None => self.one(text).into_iter().collect(),
        };
        let cancelled: Vec<RequestId> = heard.iter().filter_map(cancelled).collect();
        let ended = cancelled.iter().filter_map(|id| self.batches.cancelled(id));
        heard.extend(ended.map(Heard::Text));
        heard
    }

    fn sends(&self, message: &TxJsonRpcMessage<RoleServer>) {
        if let JsonRpcMessage::Response(response) = message
            && let ServerResult::InitializeResult(result) = &response.result
        {
            self.batches.speaks(result.protocol_version.clone());
        }
    }

    fn placed(&self, message: &TxJsonRpcMessage<RoleServer>, line: Vec<u8>) -> Option<Vec<u8>> {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&response.id),
            JsonRpcMessage::Error(error) => error.id.as_ref(),
            _ => None,
        };
        match id {
            Some(id) => self.batches.answered(id, line),
            None => Some(line),
        }
    }

    fn unreadable(&self, about: About, why: &str) -> Option<Heard<RoleServer>> {
        match about {
            // The handler that asked hears of it.
            About::Answer(id) => {
                let words = format!("the answer cannot be read: {why}");
                let error = ErrorData::new(ErrorCode::INTERNAL_ERROR, words, None);
                Some(Heard::Message(ClientJsonRpcMessage::error(error, Some(id))))
            }
            About::Request(id) => Some(refused(why, Some(id))),
            About::Nothing => None,
        }
    }
}

/// The request that a client does not want to be answered any more.
fn cancelled(heard: &Heard<RoleServer>) -> Option<RequestId> {
    let Heard::Message(JsonRpcMessage::Notification(told)) = heard else { return None };
    match &told.notification {
        ClientNotification::CancelledNotification(it) => it.params.request_id.clone(),
        _ => None,
    }
}

impl OfClient {
    /// What becomes of a text that is one message.
    fn one(&self, text: &str) -> Option<Heard<RoleServer>> {
        match serde_json::from_str::<ClientJsonRpcMessage>(text) {
            _ if text.is_empty() => None,
            Ok(message) => Some(Heard::Message(message)),
            Err(_) => self.off(text),
        }
    }

    /// What becomes of messages that come together: those that can be asked wait for each other's answers.
    fn batch(&self, messages: &[&RawValue]) -> Vec<Heard<RoleServer>> {
        if let Some(error) = self.batches.refused(messages) {
            return vec![Heard::Reply(error, None)];
        }
        let (mut heard, mut places) = (Vec::new(), Vec::<Place>::new());
        for message in messages {
            match self.one(message.get()) {
                Some(Heard::Message(JsonRpcMessage::Request(asked))) => {
                    let id = &asked.id;
                    if self.batches.waits_for(id) || places.iter().any(|it| it.waits_for(id)) {
                        let words = "another request with this id is not answered yet";
                        let error = ErrorData::invalid_request(words, None);
                        places.push(Place::Answered(batches::error(error, Some(asked.id))));
                        continue;
                    }
                    places.push(Place::Waiting(asked.id.clone()));
                    heard.push(Heard::Message(JsonRpcMessage::Request(asked)));
                }
                Some(Heard::Reply(error, id)) => {
                    places.push(Place::Answered(batches::error(error, id)));
                }
                other => heard.extend(other),
            }
        }
        heard.extend(self.batches.begin(places).map(Heard::Text));
        heard
    }

    /// What becomes of a text that is no message the SDK can read.
    fn off(&self, text: &str) -> Option<Heard<RoleServer>> {
        let about = Outline::of(text.as_bytes());
        if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
            let id = match about {
                About::Request(id) => Some(id),
                about => match self.unreadable(about, &NotJson::of(&error).to_string()) {
                    Some(heard) => return Some(heard),
                    None => None,
                },
            };
            return Some(no_json(&NotJson::of(&error).to_string(), id));
        }
        // JSON, but not as the SDK reads it: too deep, a number too large, or no message at all.
        let why = match serde_json::from_str::<Value>(text) {
            Err(error) => NotJson::of(&error).to_string(),
            Ok(value) if value["method"].is_string() && value.get("id").is_none() => return None,
            Ok(_) => "it is not a JSON-RPC 2.0 message".to_owned(),
        };
        self.unreadable(about, &why).or_else(|| Some(refused(&why, None)))
    }
}
