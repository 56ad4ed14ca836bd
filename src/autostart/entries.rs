//! What the entries say, in the words of each system.
//!
//! One rule: pure, and every path is quoted as the format asks for.

use std::fmt::Write as _;
use std::path::Path;

/// A desktop entry that hides the one of the system.
pub const HIDDEN: &str = "[Desktop Entry]\nType=Application\nName=mcpproxy\nHidden=true\n";
/// By this line a unit is known to be one that we wrote.
const OURS: &str =
    "# Made by `mcpproxy autostart enable`; `mcpproxy autostart disable` removes it.\n";

/// By this line, and by how it starts the program, a desktop entry is known to be one that we wrote.
const COMMENT: &str = "Comment=Gateway in front of MCP servers";

/// The command line that is started.
pub struct Start {
    words: Vec<String>,
}

impl Start {
    /// `None` for a path that no entry can hold.
    pub fn new(program: &Path, data_dir: Option<&Path>) -> Option<Self> {
        let path = |path: &Path| {
            let text = path.to_str()?;
            (!text.contains(char::is_control)).then(|| text.to_owned())
        };
        let mut words =
            vec![path(program)?, "serve".into(), "--launched-by".into(), "login_item".into()];
        if let Some(dir) = data_dir {
            words.extend(["--data-dir".to_owned(), path(dir)?]);
        }
        Some(Self { words })
    }
}

/// An XDG autostart entry.
pub fn desktop(start: &Start) -> String {
    let exec: Vec<String> = start.words.iter().map(|word| desktop_word(word)).collect();
    format!(
        "[Desktop Entry]\nType=Application\nName=mcpproxy\n{COMMENT}\nExec={}\n\
         Terminal=false\nX-GNOME-Autostart-enabled=true\n",
        exec.join(" ")
    )
}

/// One word of `Exec`: quoted by the Desktop Entry Specification, and then a string value of it, in which
/// a backslash is written twice.
fn desktop_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '`' | '$' => quoted.extend(['\\', '\\', c]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A systemd user unit.
pub fn unit(start: &Start) -> String {
    let exec: Vec<String> = start.words.iter().map(|word| unit_word(word)).collect();
    format!(
        "{OURS}[Unit]\nDescription=mcpproxy, a gateway in front of MCP servers\n\n[Service]\nType=notify\nExecStart={}\n\
         Restart=on-failure\nRestartSec=5\n\n[Install]\nWantedBy=default.target\n",
        exec.join(" ")
    )
}

/// One word of `ExecStart` (see `systemd.service(5)`).
fn unit_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a unit is one that [`unit`] made.
pub fn is_ours(text: &str) -> bool {
    text.starts_with(OURS)
}

/// Whether a desktop entry is one that [`desktop`] made, for whatever program: the settings of a desktop may have
/// added lines to it.
pub fn is_our_desktop(text: &str) -> bool {
    let words = ["serve", "--launched-by", "login_item"].map(desktop_word).join(" ");
    let exec = text.lines().find_map(|line| line.strip_prefix("Exec="));
    text.lines().any(|line| line == COMMENT)
        && exec.is_some_and(|exec| exec.starts_with('"') && exec.contains(&format!(" {words}")))
}

/// How a kind of entry spells a command line: a word, and what stands between two.
#[derive(Clone, Copy)]
pub struct Spelling {
    word: fn(&str) -> String,
    gap: &'static str,
}

/// Of [`desktop`].
pub const DESKTOP: Spelling = Spelling { word: desktop_word, gap: " " };
/// Of [`unit`].
pub const UNIT: Spelling = Spelling { word: unit_word, gap: " " };
/// Of [`agent`].
pub const AGENT: Spelling = Spelling { word: agent_word, gap: "\n\t\t" };

/// Whether an entry that we wrote starts the program with the data directory `dir`. `is_default`: one that names no
/// directory does.
pub fn is_for(text: &str, spelling: Spelling, dir: &Path, is_default: bool) -> bool {
    let Spelling { word, gap } = spelling;
    let option = word("--data-dir");
    let named = |dir: &str| text.contains(&format!("{option}{gap}{}", word(dir)));
    if text.contains(&option) { dir.to_str().is_some_and(named) } else { is_default }
}

/// A LaunchAgent.
pub fn agent(start: &Start) -> String {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n\t<key>Label</key>\n\t<string>",
    );
    out.push_str(crate::environment::launch_source::LAUNCH_AGENT_LABEL);
    out.push_str("</string>\n\t<key>ProgramArguments</key>\n\t<array>\n");
    for word in &start.words {
        let _ = writeln!(out, "\t\t{}", agent_word(word));
    }
    out.push_str("\t</array>\n\t<key>RunAtLoad</key>\n\t<true/>\n\t<key>ProcessType</key>\n\t<string>Background</string>\n</dict>\n</plist>\n");
    out
}

fn agent_word(word: &str) -> String {
    let word = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<string>{word}</string>")
}

/// One command line, as `CommandLineToArgvW` takes it apart.
pub fn command_line(start: &Start) -> String {
    let quoted: Vec<String> = start.words.iter().map(|word| windows_word(word)).collect();
    quoted.join(" ")
}

fn windows_word(word: &str) -> String {
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            c => {
                // Before a quotation mark backslashes are counted twice.
                let times = if c == '"' { backslashes * 2 + 1 } else { backslashes };
                quoted.extend(std::iter::repeat_n('\\', times));
                backslashes = 0;
                quoted.push(c);
            }
        }
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes * 2));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::autostart::desktop_entry_is_enabled;

    fn odd() -> Start {
        Start::new(Path::new("/opt/a b$c`\"d\\e%f&<g>"), Some(Path::new("/home/x/my data")))
            .unwrap()
    }

    #[test]
    fn paths_are_quoted_as_each_format_asks() {
        let rest = r#" "serve" "--launched-by" "login_item" "--data-dir" "/home/x/my data""#;
        let exec = r#"Exec="/opt/a b\\$c\\`\\"d\\\\e%%f&<g>""#;
        assert!(desktop(&odd()).contains(&format!("{exec}{rest}\n")), "{}", desktop(&odd()));
        let exec = r#"ExecStart="/opt/a b$$c`\"d\\e%%f&<g>""#;
        assert!(unit(&odd()).contains(&format!("{exec}{rest}\n")), "{}", unit(&odd()));
        assert!(agent(&odd()).contains("<string>/opt/a b$c`\"d\\e%f&amp;&lt;g&gt;</string>"));
        let start = Start::new(Path::new(r#"C:\a b\"c\"#), None).unwrap();
        let expected = r#""C:\a b\\\"c\\" "serve" "--launched-by" "login_item""#;
        assert_eq!(command_line(&start), expected);
    }

    #[test]
    fn what_no_entry_can_hold_is_refused() {
        for path in ["/a\nExec=evil", "/a\rb", "/a\tb", "/a\0b"] {
            assert!(Start::new(Path::new(path), None).is_none(), "{path:?}");
        }
    }

    #[test]
    fn an_entry_says_of_itself_what_it_is() {
        assert!(desktop_entry_is_enabled(&desktop(&odd())));
        assert!(!desktop_entry_is_enabled(HIDDEN));
        assert!(is_ours(&unit(&odd())) && !is_ours("[Unit]\n"));
        let ours = desktop(&odd());
        assert!(
            is_our_desktop(&ours) && is_our_desktop(&format!("{ours}X-GNOME-Autostart-Delay=3\n"))
        );
        for hand in [
            "[Desktop Entry]\nType=Application\nName=mcpproxy\nExec=/opt/mcpproxy serve\n",
            "[Desktop Entry]\nExec=/opt/mcpproxy serve --launched-by login_item\n",
            "[Desktop Entry]\nExec=sh -c \"x\" \"serve\" \"--launched-by\" \"login_item\"\n",
            HIDDEN,
        ] {
            assert!(!is_our_desktop(hand), "{hand}");
        }
    }

    #[test]
    fn an_entry_belongs_to_the_data_directory_that_it_names() {
        let plain = Start::new(Path::new("/opt/mcpproxy"), None).unwrap();
        for (spelling, make) in
            [(DESKTOP, desktop as fn(&Start) -> String), (UNIT, unit), (AGENT, agent)]
        {
            let (named, unnamed) = (make(&odd()), make(&plain));
            for (dir, is_default, of_named, of_unnamed) in [
                ("/home/x/my data", false, true, false),
                ("/home/x/my data", true, true, true),
                ("/home/x/my", false, false, false),
                ("/home/x/.mcpproxy", true, false, true),
            ] {
                let dir = Path::new(dir);
                assert_eq!(is_for(&named, spelling, dir, is_default), of_named, "{named}");
                assert_eq!(is_for(&unnamed, spelling, dir, is_default), of_unnamed, "{unnamed}");
            }
        }
    }
}
