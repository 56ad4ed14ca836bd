//! `mcpproxy tap`: wrap one stdio MCP server.
//!
//! One rule: nothing of the server's command line is interpreted, and nothing is written to standard
//! output once there is a session.

use super::help;
use crate::contract::LaunchSource;
use crate::machine;
use crate::products::told::Told;
use crate::tap::{self, DEFAULT_DISCOVERY_TOOL, Options};
use lexopt::prelude::{Long, Short, Value, ValueExt};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code of a usage error.
const USAGE: u8 = 2;
/// Exit codes of shells: there is no such command; it cannot be executed.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Runs `tap` with the arguments after its name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let options = match parse(args) {
        Ok(Some(options)) => options,
        Ok(None) => return help::show(&["tap".to_owned()]).unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            machine::complain(&format_args!("mcpproxy tap: {error}; see `mcpproxy tap --help`"));
            return ExitCode::from(USAGE);
        }
    };
    let command = options.command.clone();
    let error = tap::run(options);
    let (reason, code) = explain(&command, &error);
    machine::complain(&format_args!("mcpproxy tap: cannot start {command:?}: {reason}"));
    ExitCode::from(code)
}

/// Why a command line is wrong.
#[derive(Debug)]
enum UsageError {
    NoCommand,
    DiscoveryTool,
    DataDir,
    LaunchedBy,
    Other(lexopt::Error),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommand => f.write_str("no command: name the server to start"),
            Self::DiscoveryTool => f.write_str("--discovery-tool needs the name of a tool"),
            Self::DataDir => f.write_str("--data-dir needs a directory"),
            Self::LaunchedBy => {
                f.write_str("--launched-by needs one of tray, login_item, cli, installer, unknown")
            }
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self::Other(error)
    }
}

/// `None` when help was asked for. Options end at the command: what follows it is the server's, a
/// `--` included; a `--` before it may be missing, because some launchers swallow it.
fn parse(args: Vec<OsString>) -> Result<Option<Options>, UsageError> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut discovery_tools = Vec::new();
    let mut data_dir = None;
    let mut launched_by = None;
    let mut told = Told::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("discovery-tool") => match parser.value()?.string() {
                Ok(name) if !name.is_empty() => discovery_tools.push(name),
                _ => return Err(UsageError::DiscoveryTool),
            },
            Long("data-dir") => {
                let dir = parser.value()?;
                if dir.is_empty() {
                    return Err(UsageError::DataDir);
                }
                data_dir = Some(PathBuf::from(dir));
            }
            Long("product") => told.product = Some(text(parser.value()?)),
            Long("product-version") => told.version = Some(text(parser.value()?)),
            Long("endpoint") => told.endpoint = Some(text(parser.value()?)),
            Long("require-visible-notice") => told.require_visible_notice = true,
            Long("launched-by") => {
                let source = parser.value()?;
                let source = source.to_str().and_then(LaunchSource::from_spelling);
                launched_by = Some(source.ok_or(UsageError::LaunchedBy)?);
            }
            Value(command) if command.is_empty() => return Err(UsageError::NoCommand),
            Value(command) => {
                let arguments = parser.raw_args()?.collect();
                if discovery_tools.is_empty() {
                    discovery_tools.push(DEFAULT_DISCOVERY_TOOL.to_owned());
                }
                return Ok(Some(Options {
                    command,
                    arguments,
                    discovery_tools,
                    data_dir,
                    launched_by,
                    told,
                }));
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    Err(UsageError::NoCommand)
}

/// A value that is judged later, when the server runs: what is wrong with it must not stop that.
fn text(value: OsString) -> String {
    value.to_string_lossy().into_owned()
}

/// What a user can do about a server that does not start, and the exit code of a shell in its place.
fn explain(command: &OsStr, error: &io::Error) -> (String, u8) {
    match error.kind() {
        io::ErrorKind::NotFound if std::path::Path::new(command).exists() => {
            ("its interpreter (first line of the script) is missing".to_owned(), NOT_FOUND)
        }
        io::ErrorKind::NotFound => {
            ("no such command; is it installed and in PATH?".to_owned(), NOT_FOUND)
        }
        _ => (error.to_string(), NOT_EXECUTABLE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>, UsageError> {
        parse(args.iter().map(OsString::from).collect())
    }

    fn words(options: &Options) -> Vec<String> {
        std::iter::once(&options.command)
            .chain(&options.arguments)
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_command_ends_our_options_with_or_without_dashes() {
        for (args, expected) in [
            (&["node", "x.js"][..], &["node", "x.js"][..]),
            (&["--", "node", "x.js"], &["node", "x.js"]),
            (&["node", "--help", "-h", "--data-dir"], &["node", "--help", "-h", "--data-dir"]),
            (&["node", "--", "x"], &["node", "--", "x"]),
            (&["--", "node", "--", "x"], &["node", "--", "x"]),
            (&["--", "--help"], &["--help"]),
            (&["--data-dir", "d", "--", "sh", "-c", "exit 3"], &["sh", "-c", "exit 3"]),
            (&["--data-dir=d", "sh", ""], &["sh", ""]),
        ] {
            let options = parsed(args).unwrap().unwrap();
            assert_eq!(words(&options), expected, "{args:?}");
        }
    }

    #[test]
    fn options_are_read() {
        let options = parsed(&[
            "--discovery-tool",
            "find",
            "--discovery-tool=search",
            "--data-dir",
            "d",
            "--launched-by",
            "login_item",
            "x",
        ])
        .unwrap()
        .unwrap();
        assert_eq!(options.discovery_tools, ["find", "search"]);
        assert_eq!(options.data_dir, Some(PathBuf::from("d")));
        assert_eq!(options.launched_by, Some(LaunchSource::LoginItem));
        assert_eq!(options.told, Told::default());
        let options = parsed(&[
            "--product=notes-mcp",
            "--product-version",
            "1.4.0",
            "--endpoint",
            "https://t.example.org",
            "--require-visible-notice",
            "x",
        ]);
        let told = Told {
            product: Some("notes-mcp".into()),
            version: Some("1.4.0".into()),
            endpoint: Some("https://t.example.org".into()),
            require_visible_notice: true,
        };
        assert_eq!(options.unwrap().unwrap().told, told);
        assert_eq!(parsed(&["x"]).unwrap().unwrap().discovery_tools, ["retrieve_tools"]);
        assert!(parsed(&["--help", "x"]).unwrap().is_none());
    }

    #[test]
    fn bad_usage_says_what_is_wrong() {
        for (args, part) in [
            (&[][..], "no command"),
            (&["--"], "no command"),
            (&[""], "no command"),
            (&["--discovery-tool"], "--discovery-tool"),
            (&["--discovery-tool", "", "x"], "--discovery-tool"),
            (&["--data-dir", "", "x"], "--data-dir"),
            (&["--launched-by", "me", "x"], "login_item"),
            (&["--verbose", "x"], "--verbose"),
        ] {
            let error = parsed(args).unwrap_err().to_string();
            assert!(error.contains(part), "{args:?}: {error}");
        }
    }
}
