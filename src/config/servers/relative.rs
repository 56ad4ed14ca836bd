//! Relative paths of an entry: they count from the directory the gateway was started in, wherever that is.
//!
//! One rule: it is a guess about words, so it is told beside what is known to be wrong, and decides nothing.

use super::{Hint, Transport};
use std::path::{Path, is_separator};

/// How files end that are given to an interpreter.
const SCRIPTS: &[&str] =
    &["cjs", "jar", "js", "jsx", "mjs", "mts", "php", "pl", "py", "rb", "sh", "ts", "tsx"];

/// Whether a word is a path that is relative whatever is where: it begins with `./` or `../`, or is one of these
/// without the slash. In `--config=./x` it is what follows the sign.
pub fn is_dotted(word: &str) -> bool {
    let value = word.rsplit_once('=').map_or(word, |(_, value)| value);
    let after = value.strip_prefix("..").or_else(|| value.strip_prefix('.'));
    after.is_some_and(|after| after.is_empty() || after.starts_with(is_separator))
}

/// Whether a command is a path, and relative.
pub fn is_relative_command(command: &str) -> bool {
    command.contains(is_separator) && is_relative(command)
}

/// Whether a word is no absolute path, nor anything that becomes one once it is expanded.
pub fn is_relative(word: &str) -> bool {
    Path::new(word).is_relative() && !word.starts_with(['~', '$', '-'])
}

impl Transport {
    /// The member that seems to hold a path that counts from the directory the gateway was started in.
    pub(super) fn relative_path(&self) -> Option<Hint> {
        let Self::Stdio { command, args, cwd, .. } = self else { return None };
        let cwd = cwd.as_ref().map(|cwd| cwd.to_string_lossy());
        Some(match cwd {
            Some(cwd) if is_relative(&cwd) => Hint::RelativeDirectory,
            Some(_) => return None,
            None if is_relative_command(command) => Hint::RelativeCommand,
            None => Hint::RelativeArgument(args.iter().position(|arg| is_path(arg))?),
        })
    }
}

fn is_path(word: &str) -> bool {
    let ending = || word.rsplit_once('.').map(|(_, ending)| ending);
    is_dotted(word)
        || is_relative(word)
            && !word.contains("://")
            && !word.starts_with('@')
            && ending().is_some_and(|ending| SCRIPTS.contains(&ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn member(words: &[&str], cwd: Option<&str>) -> Option<String> {
        let [command, args @ ..] = words else { panic!("no command") };
        let transport = Transport::Stdio {
            command: (*command).to_owned(),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env: Vec::new(),
            cwd: cwd.map(PathBuf::from),
        };
        let words = transport.relative_path()?.to_string();
        words.split('`').nth(1).map(str::to_owned)
    }

    #[test]
    fn relative_paths_are_told_from_names_options_and_addresses() {
        for (words, cwd, expected) in [
            (&["./server"][..], None, Some("command")),
            (&["bin/server", "./x"], None, Some("command")),
            (&["node", "--inspect", "./server.js"], None, Some("args[1]")),
            (&["node", "server.js"], None, Some("args[0]")),
            (&["uv", "run", "src/server.py"], None, Some("args[1]")),
            (&["x", "--config=../x.json"], None, Some("args[0]")),
            (&["x", "."], None, Some("args[0]")),
            (&["x"], Some("project"), Some("cwd")),
            (&["./server", "."], Some("/project"), None),
            (&["./server"], Some("~/project"), None),
            (&["/bin/x", "${HOME}/x.js", "~/y.py", "/z.py"], None, None),
            (&["npx", "-y", "@scope/server.js", "https://h/x.js", ".hidden", "1.5"], None, None),
            (&["sh", "-c", "echo ./x"], None, None),
        ] {
            assert_eq!(member(words, cwd).as_deref(), expected, "{words:?} {cwd:?}");
        }
    }
}
