//! `${NAME}`, `${env:NAME}` and `${NAME:-default}` in the texts of an entry.
//!
//! One rule: pure and once. What a variable holds is never expanded again, and never in a message.

use super::{EntryError, HOME_VARIABLE};
use std::path::Path;

/// What gives variables their values.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `text` with its variables expanded. `place` names the text in errors.
pub(super) fn expand(text: &str, place: &str, lookup: Lookup<'_>) -> Result<String, EntryError> {
    let mut out = String::with_capacity(text.len());
    each_piece(text, |piece| {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable { name, default } => {
                // As in a shell: with `:-`, empty is as good as not set.
                let value = lookup(name).filter(|v| default.is_none() || !v.is_empty());
                match value.as_deref().or(default) {
                    Some(value) => out.push_str(value),
                    None => {
                        return Err(EntryError::NotSet {
                            place: place.to_owned(),
                            variable: name.to_owned(),
                        });
                    }
                }
            }
            Piece::Unknown => return Err(EntryError::ForeignReference(place.to_owned())),
        }
        Ok(())
    })?;
    Ok(out)
}

/// As [`expand`], and `~/` at the start is the home directory.
pub(super) fn expand_path(
    text: &str,
    key: &'static str,
    lookup: Lookup<'_>,
) -> Result<String, EntryError> {
    let Some(rest) = text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))
    else {
        return expand(text, key, lookup);
    };
    let home = lookup(HOME_VARIABLE)
        .filter(|home| Path::new(home).has_root())
        .ok_or(EntryError::Homeless(key))?;
    Ok(home + &expand(rest, key, lookup)?)
}

/// `text` with only the names left of its variables: a default can be a secret.
pub(super) fn without_defaults(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let shown = each_piece(text, |piece| {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable { name, .. } => out.extend(["${", name, "}"]),
            Piece::Unknown => out.push_str("${..}"),
        }
        Ok(())
    });
    debug_assert!(shown.is_ok(), "nothing here fails");
    out
}

enum Piece<'a> {
    Text(&'a str),
    Variable {
        name: &'a str,
        default: Option<&'a str>,
    },
    /// Made for another program (`${input:token}`, say): as plain text it would only fail later.
    Unknown,
}

fn each_piece<'a>(
    text: &'a str,
    mut visit: impl FnMut(Piece<'a>) -> Result<(), EntryError>,
) -> Result<(), EntryError> {
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        visit(Piece::Text(&rest[..start]))?;
        let inside = &rest[start + 2..];
        let Some(end) = inside.find('}') else {
            rest = &rest[start..];
            break;
        };
        match piece(&inside[..end]) {
            Some(piece) => {
                visit(piece)?;
                rest = &inside[end + 1..];
            }
            // A shell's `${x%.*}`: not ours.
            None => {
                visit(Piece::Text("${"))?;
                rest = inside;
            }
        }
    }
    visit(Piece::Text(rest))
}

/// What stands between `${` and `}`; `None` when it has no form of ours.
fn piece(inside: &str) -> Option<Piece<'_>> {
    let (head, default) = match inside.split_once(":-") {
        Some((head, default)) => (head, Some(default)),
        None => (inside, None),
    };
    let name = head.strip_prefix("env:").unwrap_or(head);
    if is_name(name) {
        // A variable in a default would end it at the wrong brace.
        let nested = default.is_some_and(|default| default.contains("${"));
        return Some(if nested { Piece::Unknown } else { Piece::Variable { name, default } });
    }
    let (prefix, argument) = head.split_once(':')?;
    let foreign = is_name(prefix) && argument.starts_with(|c: char| c.is_ascii_alphabetic());
    foreign.then_some(Piece::Unknown)
}

/// Parentheses are for `ProgramFiles(x86)`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_()".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(name: &str) -> Option<String> {
        let value = match name {
            "A" => "1",
            "AGAIN" => "${A}",
            "EMPTY" => "",
            "env" => "named env",
            HOME_VARIABLE => "/home/me",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn variables_and_defaults_are_expanded_once_and_everything_else_stays() {
        for (text, expected) in [
            ("", ""),
            ("a$b$$c", "a$b$$c"),
            ("${A}", "1"),
            ("x${A}y${env:A}z", "x1y1z"),
            ("$${A}", "$1"),
            ("${AGAIN}", "${A}"),
            ("${B:-2}", "2"),
            ("${env:B:-2}", "2"),
            ("${A:-2}", "1"),
            ("${B:-}", ""),
            ("${B:-a:-b c}", "a:-b c"),
            ("${EMPTY}", ""),
            ("${EMPTY:-2}", "2"),
            ("${env}", "named env"),
            ("${env:-2}", "named env"),
            ("${A", "${A"),
            ("${}", "${}"),
            ("${x%.*} ${A}", "${x%.*} 1"),
            ("${#x} ${x/a/b} ${1}", "${#x} ${x/a/b} ${1}"),
            ("${x ${A}}", "${x 1}"),
            ("\u{e4}${A}\u{1f600}", "\u{e4}1\u{1f600}"),
        ] {
            assert_eq!(expand(text, "k", &variables), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_names_the_variable_and_the_key() {
        let why = expand("secret ${MISSING}", "env.TOKEN", &variables).unwrap_err().to_string();
        assert!(why.contains("MISSING") && why.contains("`env.TOKEN`"), "{why}");
        assert!(!why.contains("secret"), "{why}");
        for foreign in ["${input:token}", "${file:x}", "${A:-${B}}"] {
            let why = expand(foreign, "headers.X", &variables).unwrap_err().to_string();
            assert!(why.contains("`headers.X`") && !why.contains("token"), "{why}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_directory_only_at_the_start_of_a_path() {
        for (text, expected) in [
            ("~/bin/x", "/home/me/bin/x"),
            ("~", "/home/me"),
            ("~/${A}", "/home/me/1"),
            ("~other/x", "~other/x"),
            ("/a/~/b", "/a/~/b"),
            ("${T:-~/x}", "~/x"),
        ] {
            assert_eq!(expand_path(text, "cwd", &variables), Ok(expected.to_owned()), "{text}");
        }
        let why = expand_path("~/secret", "cwd", &|_| None).unwrap_err().to_string();
        assert!(why.contains("`cwd`") && why.contains(HOME_VARIABLE), "{why}");
        assert!(!why.contains("secret"), "{why}");
        // From wherever the gateway runs: that is nowhere.
        for home in ["", ".", "h"] {
            assert!(expand_path("~/x", "cwd", &|_| Some(home.to_owned())).is_err(), "{home:?}");
        }
    }

    #[test]
    fn defaults_are_left_out_of_what_is_shown() {
        assert_eq!(without_defaults("a${B:-secret}c${input:x}${A}"), "a${B}c${..}${A}");
    }
}
