//! Sentences that a server writes under most of its tools: they tell nothing about how its tools differ,
//! but their words would find all of them (`Error Responses: 400: Bad request`).

use super::ToolText;
use super::fields::{DESCRIPTION_BOUND, bounded};
use std::borrow::Cow;
use std::collections::HashMap;

/// A server with fewer tools repeats itself by chance.
const FEWEST_TOOLS: u32 = 4;
/// Of its tools so many must have a sentence, and at least half of them.
const FEWEST_REPEATS: u32 = 3;

/// How often the servers say what.
pub struct Boilerplate<'a> {
    tools: HashMap<&'a str, u32>,
    /// In how many tools, and the last of them.
    sentences: HashMap<(&'a str, &'a str), (u32, usize)>,
}

impl<'a> Boilerplate<'a> {
    pub fn new(tools: &[ToolText<'a>]) -> Self {
        let mut this = Self { tools: HashMap::new(), sentences: HashMap::new() };
        for tool in tools {
            *this.tools.entry(tool.server).or_default() += 1;
        }
        for (number, tool) in tools.iter().enumerate() {
            if this.tools[tool.server] < FEWEST_TOOLS {
                continue;
            }
            for sentence in sentences(description(tool)) {
                let entry = this.sentences.entry((tool.server, sentence.trim()));
                let (count, last) = entry.or_insert((0, usize::MAX));
                if *last != number {
                    (*count, *last) = (*count + 1, number);
                }
            }
        }
        this
    }

    /// What the description of `tool` says that those of its neighbours do not.
    pub fn without(&self, tool: &ToolText<'a>) -> Cow<'a, str> {
        let description = description(tool);
        let tools = self.tools.get(tool.server).copied().unwrap_or_default();
        let is_common = |sentence: &str| {
            let counted = self.sentences.get(&(tool.server, sentence.trim()));
            counted.is_some_and(|(count, _)| *count >= FEWEST_REPEATS && count * 2 >= tools)
        };
        if !sentences(description).any(is_common) {
            return Cow::Borrowed(description);
        }
        Cow::Owned(sentences(description).filter(|sentence| !is_common(sentence)).collect())
    }
}

fn description<'a>(tool: &ToolText<'a>) -> &'a str {
    bounded(tool.description.unwrap_or_default(), DESCRIPTION_BOUND)
}

/// The lines of `text`, and the sentences of a line, each with what separates it from the next.
fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n').flat_map(|line| line.split_inclusive(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(server: &str, descriptions: &[&'static str]) -> Vec<String> {
        let tool = |description: &&'static str| ToolText {
            server,
            name: "",
            title: None,
            description: Some(description),
            input_schema: "{}",
        };
        let tools: Vec<ToolText> = descriptions.iter().map(tool).collect();
        let boilerplate = Boilerplate::new(&tools);
        tools.iter().map(|tool| boilerplate.without(tool).into_owned()).collect()
    }

    #[test]
    fn what_most_tools_of_a_server_say_is_left_out() {
        let tools = [
            "Adds. Beware of bugs. Ends.",
            "Takes. Beware of bugs.\nOr so",
            "Beware of bugs. ",
            "Asks.",
        ];
        assert_eq!(without("a", &tools), ["Adds. Ends.", "Takes. Or so", "", "Asks."]);
    }

    #[test]
    fn few_tools_and_few_repeats_are_no_habit() {
        let three = ["Beware. A", "Beware. B", "Beware. C"];
        assert_eq!(without("a", &three), three);
        let two_of_four = ["Beware. A", "Beware. B", "C", "D"];
        assert_eq!(without("a", &two_of_four), two_of_four);
        let three_of_seven = ["Beware. A", "Beware. B", "Beware. C", "D", "E", "F", "G"];
        assert_eq!(without("a", &three_of_seven), three_of_seven);
    }

    #[test]
    fn a_tool_that_repeats_itself_counts_once() {
        let tools = ["Beware. Beware. Beware. A", "B", "C", "D"];
        assert_eq!(without("a", &tools), tools);
    }
}
