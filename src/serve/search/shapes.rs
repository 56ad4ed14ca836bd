//! What data in a question stands for: who writes `PROJ-17` asks about an issue, who writes `notes.txt`
//! about a file; the digits and letters themselves are in no description.
//!
//! One rule: shapes that look the same wherever they come from. Nothing is looked up.

/// A part of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Words.
    Text(&'a str),
    /// Data, and the words for it.
    Data(&'static str),
    /// A number.
    Number(&'a str),
}

/// Extensions by which a name is known for that of a file.
const EXTENSIONS: &str = "txt md pdf doc docx xls xlsx ppt pptx csv tsv json yaml yml toml ini xml html htm css js \
    ts jsx tsx py rs go java c h cpp cs rb php sh log png jpg jpeg gif svg webp mp3 wav mp4 mov zip gz tar sql \
    ipynb lock cfg conf env odt rtf";

/// Calls `each` with the pieces of `query`, in order.
pub fn read<'a>(query: &'a str, mut each: impl FnMut(Piece<'a>)) {
    let mut fractions = 0;
    for token in query.split_whitespace() {
        let word = token.trim_matches(|c: char| ".,;:!?\"'()[]<>`".contains(c));
        if let Some((_, rest)) = word.split_once("://") {
            each(Piece::Data("url website"));
            // The host may be the name of a service; the rest of an address says nothing.
            each(Piece::Text(rest.split('/').next().unwrap_or_default()));
        } else if is_fraction(word) {
            fractions += 1;
            if fractions == 2 {
                each(Piece::Data("coordinates latitude"));
            }
        } else if is_number(word) {
            each(Piece::Number(word));
        } else {
            let (data, is_word) = stands_for(word);
            data.into_iter().for_each(|data| each(Piece::Data(data)));
            if is_word {
                each(Piece::Text(token));
            }
        }
    }
}

/// What `word` stands for, and whether it is to be read as words as well.
fn stands_for(word: &str) -> (Option<&'static str>, bool) {
    if is_mail_address(word) {
        (Some("email user"), false)
    } else if is_key(word) {
        (Some("issue ticket"), false)
    } else if let Some(rest) = word.strip_prefix('#') {
        match is_number(rest) {
            true => (Some("issue pull"), false),
            false => (is_name(rest).then_some("channel"), true),
        }
    } else if let Some(rest) = word.strip_prefix('@') {
        (is_name(rest).then_some("user"), false)
    } else if is_file(word) {
        (Some("file"), true)
    } else if is_path(word) {
        (Some("path file directory"), true)
    } else if is_repository(word) {
        (Some("repository"), true)
    } else if is_hash(word) {
        (Some("commit"), false)
    } else if is_time(word) {
        (Some("time"), false)
    } else if is_date(word) {
        (Some("date"), false)
    } else {
        (None, true)
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `52.52`
fn is_fraction(word: &str) -> bool {
    let parts = word.trim_end_matches('\u{b0}').split_once('.');
    parts.is_some_and(|(whole, part)| is_number(whole) && is_number(part))
}

fn is_mail_address(word: &str) -> bool {
    let parts = word.split_once('@');
    parts.is_some_and(|(user, host)| is_name(user) && is_name(host) && host.contains('.'))
}

/// `PROJ-17`
fn is_key(word: &str) -> bool {
    let is_project = |project: &str| {
        let capital = project.starts_with(|c: char| c.is_ascii_uppercase());
        let rest = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        capital && project.len() > 1 && project.bytes().all(rest)
    };
    let parts = word.split_once('-');
    parts.is_some_and(|(project, number)| is_project(project) && is_number(number))
}

/// `notes.txt`, `src/main.rs`
fn is_file(word: &str) -> bool {
    word.rsplit_once('.').is_some_and(|(_, extension)| {
        EXTENSIONS.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(extension))
    })
}

/// `/tmp/x`, `./x`, `~/x`, `C:\x`
fn is_path(word: &str) -> bool {
    let starts = ["/", "./", "../", "~/"].iter().any(|start| word.starts_with(start));
    let drive = word.as_bytes().get(..3);
    starts || drive.is_some_and(|at| at[0].is_ascii_alphabetic() && &at[1..] == b":\\")
}

/// `rust-lang/cargo`; parts of two letters are `and/or` and the like.
fn is_repository(word: &str) -> bool {
    let is_part = |part: &str| part.len() > 2 && is_name(part);
    word.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name))
}

/// What git calls a commit by.
fn is_hash(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    (7..=40).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_hexdigit())
        && (1..word.len()).contains(&digits)
}

/// `9:30`, `3pm`
fn is_time(word: &str) -> bool {
    let half = ["am", "pm", "AM", "PM"].iter().find_map(|half| word.strip_suffix(half));
    let two = |digits: &str| digits.len() <= 2 && is_number(digits);
    match half.unwrap_or(word).split_once(':') {
        Some((hour, minute)) => two(hour) && two(minute),
        None => half.is_some_and(two),
    }
}

/// `2026-01-31`
fn is_date(word: &str) -> bool {
    let mut parts = word.split('-').map(|part| if is_number(part) { part.len() } else { 0 });
    [parts.next(), parts.next(), parts.next(), parts.next()] == [Some(4), Some(2), Some(2), None]
}

#[cfg(test)]
mod tests {
    use super::*;
    use Piece::{Data, Number, Text};

    fn pieces(query: &str) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        read(query, |piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn data_is_known_by_its_shape() {
        for (data, meant) in [
            ("a.b@example.org", "email user"),
            ("PROJ-17,", "issue ticket"),
            ("(#231)", "issue pull"),
            ("@anna", "user"),
            ("3fa9c1b", "commit"),
            ("9:30", "time"),
            ("3pm", "time"),
            ("2026-01-31", "date"),
            ("52.52, -13.40", "coordinates latitude"),
        ] {
            assert_eq!(pieces(data), [Data(meant)], "{data}");
        }
    }

    #[test]
    fn names_in_data_are_words_as_well() {
        for (data, meant) in [
            ("#general", "channel"),
            ("src/Notes.TXT", "file"),
            ("~/photos", "path file directory"),
            ("C:\\photos", "path file directory"),
            ("rust-lang/cargo", "repository"),
        ] {
            assert_eq!(pieces(data), [Data(meant), Text(data)], "{data}");
        }
        let url = [Data("url website"), Text("example.org")];
        assert_eq!(pieces("<https://example.org/a/b?c=d>"), url);
    }

    #[test]
    fn numbers_are_apart_and_a_fraction_says_nothing() {
        assert_eq!(pieces("close 17 2.5"), [Text("close"), Number("17")]);
    }

    #[test]
    fn words_stay_words() {
        for word in
            ["and/or", "e.g.", "create_issue", "v2", "deadbeef", "X-1a", "2026-1", "#", "@", "a:b"]
        {
            let expected: &[Piece] = match word {
                "@" => &[],
                _ => &[Text(word)],
            };
            assert_eq!(pieces(word), expected, "{word}");
        }
    }
}
