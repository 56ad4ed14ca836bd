//! What a fix would do, in words and as it would stand in the file.
//!
//! One rule: what is shown of an entry is scrubbed, and is what the editor would write.

use super::{End, Fix, FixError, Outcome, interpreter, places};
use crate::config::servers::{self, ChangeError, ServerEntry, Transport};
use crate::config::{EDIT_DEADLINE, Editing, NewValue, edit};
use crate::diagnostics::Action;
use crate::json;
use crate::json::Node;
use crate::paths::{DataDir, HOME_VARIABLE};
use std::path::{Path, PathBuf};

/// The members of an entry that a fix may change.
const MEMBERS: [&str; 3] = ["command", "enabled", "disabled"];
/// So many finds are named.
const MOST_NAMED: usize = 10;

/// What a fix would do.
#[derive(Clone, Default)]
pub struct Plan {
    /// One or two sentences.
    words: String,
    /// The lines of the configuration that would be others.
    changes: Vec<Change>,
    /// The programs that were found, the one that is taken first.
    found: Vec<String>,
    /// Sentences beside the first ones: what the program needs, say.
    notes: Vec<String>,
    /// The command that undoes it.
    undo: Option<String>,
    /// What is changed in the configuration.
    edit: Option<Edit>,
}

/// A member of the entry, before and after.
#[derive(Clone)]
struct Change {
    line: usize,
    before: Option<String>,
    after: String,
}

/// A change of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Edit {
    /// This is the command.
    Command(String),
    /// The server is not connected.
    Disable,
}

impl Edit {
    fn make(&self, editing: &mut Editing, name: &str) -> Result<(), ChangeError> {
        match self {
            Self::Command(command) => servers::set_command(editing, name, command),
            Self::Disable => servers::set_enabled(editing, name, false),
        }
    }
}

impl Plan {
    /// What `fix` would do about the server of `entry`, in the configuration of `dir`. `scrub` removes the secrets of
    /// the server.
    pub fn of(
        fix: &Fix,
        entry: &ServerEntry,
        dir: &DataDir,
        scrub: &dyn Fn(&str) -> String,
    ) -> Result<Self, FixError> {
        let words = |words: &str| Self { words: words.to_owned(), ..Self::default() };
        let plan = match fix.action {
            Action::ShowLogs => words(
                "Shows the last lines that the server wrote on standard error. Nothing changes.",
            ),
            Action::Restart => words(
                "Ends the server's process and starts it again. The configuration stays as it is.",
            ),
            Action::Retry => words("Connects to the server now. The configuration stays as it is."),
            Action::DisableServer => Self {
                undo: Some(command(dir, &["upstream", "enable", &fix.server])),
                edit: Some(Edit::Disable),
                ..words(
                    "Switches the server off in the configuration. It is not connected any more.",
                )
            },
            Action::FindProgram => program(fix, entry, dir, scrub),
        };
        plan.with_changes(fix, dir, scrub)
    }

    fn with_changes(
        mut self,
        fix: &Fix,
        dir: &DataDir,
        scrub: &dyn Fn(&str) -> String,
    ) -> Result<Self, FixError> {
        let Some(edit) = &self.edit else { return Ok(self) };
        let [before, after] = servers::rehearse(dir, |editing| edit.make(editing, &fix.server))?;
        for key in MEMBERS {
            let of = |text: &[u8]| servers::written(text, &fix.server, key);
            let (before, Some(after)) = (of(&before), of(&after)) else { continue };
            if let (Edit::Command(_), Some(before)) = (edit, &before)
                && !is_usual(&before.value)
            {
                return Ok(by_hand("The command is written with escapes that would not come back"));
            }
            if before.as_ref().is_none_or(|before| before.text != after.text) {
                self.changes.push(Change {
                    line: after.line,
                    before: before.map(|before| scrub(&before.text)),
                    after: scrub(&after.text),
                });
            }
        }
        Ok(self)
    }

    /// Whether it changes the configuration.
    pub fn changes_something(&self) -> bool {
        self.edit.is_some()
    }

    /// How `fix` ended, for which nothing can be done.
    pub fn nothing(&self, fix: &Fix) -> End {
        let end = End::new(Outcome::Failed, self.words.trim_end_matches('.'));
        End { now: Some(fix.code), ..end }
    }

    /// Changes the configuration as it says. Waits for a disk.
    pub fn write(&self, fix: &Fix, dir: &DataDir) -> Result<(), FixError> {
        match &self.edit {
            Some(change) => {
                Ok(edit(dir, EDIT_DEADLINE, |editing| change.make(editing, &fix.server))?)
            }
            None => Ok(()),
        }
    }

    /// Whether `entry` is as it is after [`Self::write`].
    pub fn is_in(&self, entry: &ServerEntry) -> bool {
        match (&self.edit, &entry.transport) {
            (Some(Edit::Command(wanted)), Ok(Transport::Stdio { command, .. })) => {
                command == wanted
            }
            (Some(Edit::Disable), _) => !entry.enabled,
            _ => false,
        }
    }

    pub(super) fn to_node(&self) -> Node {
        let texts =
            |texts: &[String]| Node::List(texts.iter().map(|text| text.as_str().into()).collect());
        let change = |change: &Change| {
            Node::Object(vec![
                ("line", (change.line as u64).into()),
                ("before", change.before.clone().into()),
                ("after", change.after.as_str().into()),
            ])
        };
        Node::Object(vec![
            ("words", self.words.as_str().into()),
            ("changes", Node::List(self.changes.iter().map(change).collect())),
            ("found", texts(&self.found)),
            ("notes", texts(&self.notes)),
            ("undo", self.undo.clone().into()),
        ])
    }
}

/// A plan that does nothing, and says why.
fn by_hand(why: &str) -> Plan {
    let words = format!("{why}: nothing is changed. Write the full path of the program by hand.");
    Plan { words, ..Plan::default() }
}

/// Whether a text of JSON is spelled as we spell it.
fn is_usual(literal: &str) -> bool {
    let text =
        json::parse(literal.as_bytes()).ok().and_then(|value| value.as_str().map(NewValue::text));
    text.is_some_and(|text| text.to_json() == literal)
}

/// Finds the program of an entry.
fn program(fix: &Fix, entry: &ServerEntry, dir: &DataDir, scrub: &dyn Fn(&str) -> String) -> Plan {
    let expanded = entry.expanded(&|name| std::env::var(name).ok());
    let (
        Ok(Transport::Stdio { command: written, .. }),
        Ok(Transport::Stdio { command: wanted, env, .. }),
    ) = (&entry.transport, &expanded)
    else {
        return by_hand("The entry has no command that can be looked for");
    };
    let Some(name) = Path::new(wanted).file_name() else {
        return by_hand("The command names no program");
    };
    // What is printed as the way back is the command as it was, and has to be all of it.
    let without_home = written.replace(['/', '\\'], " ");
    if written.contains(":-") || scrub(&without_home) != without_home {
        return by_hand("The command holds what may be a secret");
    }
    let shown = name.to_string_lossy();
    let files = places::find(name, &|name| std::env::var_os(name));
    let Some(first) = files.first().and_then(|file| file.to_str()) else {
        return by_hand(&format!(
            "`{}` is in none of the {} usual places",
            scrub(&shown),
            places::count()
        ));
    };
    let chosen = match files.len() {
        1 => String::new(),
        several => format!(
            " {several} programs have that name. The first is taken, in the order of the usual places, of several \
             versions the newest."
        ),
    };
    Plan {
        words: format!(
            "Writes the full path of `{}` as `command` of the entry.{chosen}",
            scrub(&shown)
        ),
        found: files.iter().take(MOST_NAMED).map(|file| scrub(&file.to_string_lossy())).collect(),
        notes: note(Path::new(first), env, scrub).into_iter().collect(),
        undo: Some(command(dir, &["upstream", "set-command", &fix.server, written])),
        edit: Some(Edit::Command(first.to_owned())),
        ..Plan::default()
    }
}

/// What the program needs and does not get.
fn note(file: &Path, env: &[(String, String)], scrub: &dyn Fn(&str) -> String) -> Option<String> {
    let missing = interpreter::missing(file, env)?;
    let dir = file.parent().map(PathBuf::from)?;
    let shown = scrub(&dir.to_string_lossy());
    // In `env` only a variable is expanded.
    let shown = match shown.strip_prefix('~') {
        Some(rest) => format!("${{{HOME_VARIABLE}}}{rest}"),
        None => shown,
    };
    let beside = if dir.join(&missing).is_file() { ", which lies beside it" } else { "" };
    Some(format!(
        "It is a script for `{missing}`{beside}, and the server's PATH does not have that: it will end at once unless \
         `env` of the entry has \"PATH\": \"{shown}:${{PATH}}\"."
    ))
}

/// A command of ours about this data directory, to copy.
fn command(dir: &DataDir, words: &[&str]) -> String {
    let mut line = vec!["mcpproxy".to_owned()];
    line.extend(words[..2].iter().map(|word| word_of_shell(word)));
    if dir.users().is_some() {
        line.extend(["--data-dir".to_owned(), word_of_shell(&dir.root().to_string_lossy())]);
    }
    if words[2..].iter().any(|word| word.starts_with('-')) {
        line.push("--".to_owned());
    }
    line.extend(words[2..].iter().map(|word| word_of_shell(word)));
    line.join(" ")
}

/// A word as a shell reads it, in quotes if it needs them.
fn word_of_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    match cfg!(windows) {
        true => format!("\"{}\"", word.replace('"', "\\\"")),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
