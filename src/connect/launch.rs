//! How a client starts a server: words with their places in the text, and putting `tap` in front of them.
//!
//! One rule: the server's own words keep their spelling, so that taking `tap` away gives them back.

use super::clients::Format;
use super::patch::Patch;
use std::ops::Range;

/// One word of a command line, and where it is spelled.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Quotes included.
    pub(super) at: Range<usize>,
    /// As it is spelled, quotes included.
    pub(super) spelled: String,
}

/// Where the arguments stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// All words in one array.
    Together,
    /// `command`, and the arguments in the array between these brackets.
    Apart(Range<usize>),
    /// `command` alone; arguments are written at this place, after this text.
    Alone(usize, String),
}

/// How a server is started.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Launch {
    /// The command and its arguments.
    pub(super) words: Vec<Word>,
    pub(super) form: Form,
    /// What stands between two words, comma included.
    pub(super) gap: String,
}

impl Launch {
    pub(super) fn runs(&self, word: &str) -> bool {
        super::document::runs(&self.words, word)
    }

    /// The words before the wrapped server's own.
    pub(super) fn outer(&self) -> Vec<String> {
        let own = self.words.len() - self.inner().len();
        self.words.iter().take(own).map(|word| word.text.clone()).collect()
    }

    /// The wrapped server's own words; none when they cannot be told from `tap`'s options.
    pub(super) fn inner(&self) -> &[Word] {
        if !self.runs("tap") {
            return &[];
        }
        let mut start = 2;
        loop {
            match self.words.get(start).map(|word| word.text.as_str()) {
                Some("--") => {
                    start += 1;
                    break;
                }
                // Every option of `tap` has a value.
                Some(option) if option.starts_with("--") => {
                    start += if option.contains('=') { 1 } else { 2 };
                }
                _ => break,
            }
        }
        match self.words.get(start..) {
            Some(inner @ [first, ..]) if !first.text.starts_with('-') => inner,
            _ => &[],
        }
    }

    /// What makes the server run through these words.
    pub(super) fn wrap(&self, format: Format, through: &[String]) -> Vec<Patch> {
        let spelled: Vec<String> = through.iter().map(|word| format.spell(word)).collect();
        let (Some(command), Some((program, options))) = (self.words.first(), spelled.split_first())
        else {
            return Vec::new();
        };
        let gap = self.gap.as_str();
        match &self.form {
            Form::Together => vec![Patch::insert(command.at.start, spelled.join(gap) + gap)],
            Form::Apart(inside) => {
                let mut moved = options.join(gap) + gap + &command.spelled;
                let at = match self.words.get(1) {
                    Some(first) => {
                        moved += gap;
                        first.at.start
                    }
                    None => inside.start,
                };
                vec![Patch::replace(command.at.clone(), program), Patch::insert(at, moved)]
            }
            Form::Alone(at, lead) => {
                let moved = options.join(gap) + gap + &command.spelled;
                vec![
                    Patch::replace(command.at.clone(), program),
                    Patch::insert(*at, format!("{lead}[{moved}]")),
                ]
            }
        }
    }

    /// What takes a wrap away; `None` when it cannot be told where it ends.
    pub(super) fn unwrap(&self) -> Option<Vec<Patch>> {
        let inner = self.inner();
        let command = inner.first()?;
        let program = self.words.first()?;
        match &self.form {
            Form::Together => Some(vec![Patch::delete(program.at.start..command.at.start)]),
            Form::Apart(inside) => {
                let options = self.words.get(1)?;
                let gone = match inner.get(1) {
                    Some(next) => options.at.start..next.at.start,
                    // Nothing is left but blanks, and maybe a comma.
                    None => inside.clone(),
                };
                Some(vec![
                    Patch::replace(program.at.clone(), &*command.spelled),
                    Patch::delete(gone),
                ])
            }
            Form::Alone(..) => None,
        }
    }
}
