//! What may stand where the table says `CLIENT` or `FILE`: known to completions, judged by the commands.

/// What may be given as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these.
    Words(&'static [&'static str]),
    /// A file.
    Files,
    /// A directory.
    Directories,
    /// Nobody knows.
    Any,
}

/// What may stand for `name` in the help of the command `path`.
pub fn values(path: &[&str], name: &str) -> Values {
    match (path, name) {
        (["collector"], "PROGRAM") => Values::Words(&["mcpproxy-go"]),
        (["serve"] | ["collector"], "FORMAT") => Values::Words(&["text", "json"]),
        (["telemetry", "show-payload"], "FORMAT") => Values::Words(&["json"]),
        (["collector", "report"], "FORMAT") => Values::Words(&["table", "csv", "json"]),
        (["collector", "report"], "PAGE") => {
            Values::Words(&["overview", "retention", "activation"])
        }
        (_, "FORMAT") => Values::Words(&["table", "json", "yaml"]),
        (["detect"], "SOURCE") => Values::Words(&["tray", "login_item"]),
        (_, "SOURCE") => Values::Words(&["tray", "login_item", "cli", "installer", "unknown"]),
        (_, "LEVEL") => Values::Words(&["error", "warn", "info"]),
        (_, "SHELL") => Values::Words(&["bash", "zsh", "fish", "powershell"]),
        #[cfg(feature = "connect")]
        (_, "CLIENT") => Values::Words(crate::connect::IDS),
        (["doctor"], "ACTION") => Values::Words(&crate::diagnostics::ACTIONS),
        (["explain"] | ["doctor"], "CODE") => Values::Words(&crate::diagnostics::CODES),
        (_, "DIR") => Values::Directories,
        (_, "FILE" | "FILE|-") => Values::Files,
        _ => Values::Any,
    }
}
