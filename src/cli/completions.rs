//! `mcpproxy completions`: what a shell completes, generated from the command table.
//!
//! One rule: nothing is spelled here that stands in the table.

mod bash;
mod fish;
mod powershell;
mod zsh;

use super::commands::{self, COMMANDS, Command, Entry, GLOBAL, Operands, Opt, PROGRAM, Values};
use super::{Call, Failure, output};
use std::process::ExitCode;

pub(super) fn run(call: &Call) -> Result<ExitCode, Failure> {
    let script = match call.operand().to_str() {
        Some("bash") => bash::script(&places()),
        Some("zsh") => zsh::script(&places()),
        Some("fish") => fish::script(&places()),
        Some("powershell") => powershell::script(&places()),
        _ => {
            let text =
                format!("unknown shell {:?}; use bash, zsh, fish or powershell", call.operand());
            return Err(Failure::usage("completions", text));
        }
    };
    output::print(&script)
}

/// What may follow some words of ours.
struct Place {
    /// The words, with one blank between them.
    path: String,
    /// Words of ours that may follow, with one line of help.
    words: Vec<(&'static str, &'static str)>,
    options: Vec<&'static Opt>,
    /// What the first operand is.
    operand: Values,
    /// After this many operands, what follows is not ours.
    rest: Option<usize>,
}

/// Every place where something of ours may be completed, the program itself first.
fn places() -> Vec<Place> {
    let built: Vec<&'static Command> =
        COMMANDS.iter().filter(|command| !matches!(command.entry, Entry::Needs(_))).collect();
    let words = |before: &[String]| {
        let help = |word: &'static str| {
            let is_it = |path: &[&str]| {
                path.split_last()
                    .is_some_and(|(last, start)| *last == word && start.iter().eq(before.iter()))
            };
            let command = built.iter().find(|command| is_it(command.path)).map(|c| c.summary);
            let path: Vec<&str> = before.iter().map(String::as_str).chain([word]).collect();
            let group = commands::GROUPS.iter().find(|(name, _)| *name == path.join(" "));
            command.or(group.map(|(_, help)| *help)).unwrap_or_default()
        };
        commands::choices(before).into_iter().map(|word| (word, help(word))).collect()
    };
    let group = |path: &str, options: &'static [Opt]| Place {
        path: path.to_owned(),
        words: words(&path.split_whitespace().map(str::to_owned).collect::<Vec<_>>()),
        options: options.iter().chain(GLOBAL).collect(),
        operand: Values::Any,
        rest: None,
    };
    let mut all = vec![group("", PROGRAM)];
    let groups = commands::GROUPS.iter().map(|(name, _)| group(name, &[]));
    all.extend(groups.filter(|place| !place.words.is_empty()));
    all.extend(built.iter().map(|command| of_command(command)));
    all
}

fn of_command(command: &'static Command) -> Place {
    let name = match command.operands {
        Operands::One(name) | Operands::Many(name) | Operands::Optional(name) => name,
        _ => "",
    };
    let mut words: Vec<_> = commands::below(command)
        .filter_map(|longer| Some((*longer.path.get(command.path.len())?, longer.summary)))
        .collect();
    // One `product` for `product add` and `product list`.
    words.dedup_by_key(|(word, _)| *word);
    if matches!(command.operands, Operands::Words(_)) {
        words = commands::choices(&[]).into_iter().map(|word| (word, "")).collect();
    }
    Place {
        path: command.path.join(" "),
        words,
        options: command.options.iter().chain(commands::globals(command)).collect(),
        operand: commands::values(command.path, name),
        rest: match command.operands {
            Operands::Rest(_) => Some(0),
            Operands::OneAndRest(..) => Some(1),
            _ => None,
        },
    }
}

impl Place {
    /// The words of the path after which this place is, for `case`.
    fn parts(&self) -> Vec<&str> {
        self.path.split_whitespace().collect()
    }

    /// What may be the value of an option.
    fn values(&self, option: &Opt) -> Option<Values> {
        option.value.map(|name| commands::values(&self.parts(), name))
    }
}

/// Both spellings of an option.
fn spellings(option: &Opt) -> Vec<String> {
    let short = option.short.map(|short| format!("-{short}"));
    std::iter::once(format!("--{}", option.long)).chain(short).collect()
}

/// Every spelling of every option that has a value.
fn with_value(places: &[Place]) -> Vec<String> {
    let options = places.iter().flat_map(|place| &place.options).filter(|o| o.value.is_some());
    let mut all: Vec<String> = options.flat_map(|option| spellings(option)).collect();
    all.sort();
    all.dedup();
    all
}

/// Every path that has words of ours, as shells' `case` compares it: words after a blank.
fn paths(places: &[Place]) -> Vec<&str> {
    places.iter().map(|place| place.path.as_str()).filter(|path| !path.is_empty()).collect()
}
