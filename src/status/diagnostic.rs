//! A code of the catalog as JSON: what `explain` prints and the status API answers.

use crate::diagnostics::{Code, Step, document};
use crate::json::Node;

/// All that the catalog says of a code.
#[cfg(feature = "cli")]
pub(crate) fn node(code: Code) -> Node {
    Node::Object(members(code))
}

/// The members of [`node`].
pub(crate) fn members(code: Code) -> Vec<(&'static str, Node)> {
    vec![
        ("code", code.as_str().into()),
        ("severity", code.severity().as_str().into()),
        ("permanent", code.is_permanent().into()),
        ("reserved", code.is_reserved().into()),
        ("sentence", code.sentence().into()),
        ("steps", Node::List(code.steps().iter().map(step).collect())),
        ("page", code.page().into()),
    ]
}

fn step(step: &Step) -> Node {
    let of_kind =
        |kind: &str, text: String| vec![("kind", kind.into()), ("text", Node::Text(text))];
    Node::Object(match *step {
        Step::Advice(text) => of_kind("advice", text.to_owned()),
        Step::Command(text) => of_kind("command", text.to_owned()),
        Step::Page(path) => of_kind("page", document(path)),
        Step::Action(action) => {
            let mut members = of_kind("action", action.sentence().to_owned());
            members.push(("action", action.as_str().into()));
            members.push(("destructive", action.is_destructive().into()));
            members
        }
    })
}
