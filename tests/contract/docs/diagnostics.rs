//! `docs/reference/diagnostics.md` is generated from the catalog and never edited by hand.

use super::COMMAND;
use mcpproxy::diagnostics::{Action, Code, Severity, Step};
use std::fmt::Write as _;

#[test]
fn the_page_of_the_codes_says_what_the_catalog_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/diagnostics.md");
    let page = page();
    if std::env::var_os("MCPPROXY_REGENERATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference")).unwrap();
        std::fs::write(path, page).unwrap();
        return;
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == page,
        "docs/reference/diagnostics.md differs from the catalog; make it again with: {COMMAND}"
    );
}

fn page() -> String {
    let mut page = format!(
        "<!-- Generated from src/diagnostics. Do not edit; run: {COMMAND} -->\n\n\
         # Diagnostic codes\n\n\
         Wherever something fails, mcpproxy says one of these codes. A code never changes its name or its meaning.\n\
         `mcpproxy explain CODE` prints what this page says of it, and `mcpproxy explain` lists them all.\n\n\
         - **Severity.** An *error* means that something does not work. A *warning* means that it works in part, that it is\n\
         \x20 expected to work again by itself, or that it waits for you. An *info* is not an error.\n\
         - **Permanent** means that trying again is pointless. The gateway tries such a server again only when its entry, its\n\
         \x20 program, the configuration or the environment has changed. After all other codes it tries again by itself.\n\
         - Words in capitals in a command stand for your own: PROGRAM, URL, HOST, IMAGE.\n\n\
         ## What the gateway can do\n\n\
         The page has a button for each, and `mcpproxy doctor --fix CODE` shows and does the same;\n\
         [operations.md](../operations.md#fixes) says how.\n\n\
         | action | what it does | |\n|---|---|---|\n"
    );
    for action in Action::ALL {
        let kind = if action.is_destructive() { "shown before it is done" } else { "done at once" };
        let _ = writeln!(page, "| `{}` | {} | {kind} |", action.as_str(), action.sentence());
    }
    for code in Code::ALL {
        let _ = write!(page, "\n## {code}\n\n{}\n\n{}\n\n", code.sentence(), facts(code));
        for step in code.steps() {
            let _ = writeln!(page, "- {}", words(step));
        }
    }
    page
}

fn facts(code: Code) -> String {
    let severity = match code.severity() {
        Severity::Info => "Info",
        Severity::Warn => "Warning",
        Severity::Error => "Error",
    };
    let lasting = if code.is_permanent() { ", permanent" } else { "" };
    let reserved =
        if code.is_reserved() { " Reserved: no part of the program says it yet." } else { "" };
    format!("*{severity}{lasting}.*{reserved}")
}

fn words(step: &Step) -> String {
    match *step {
        Step::Advice(text) => text.to_owned(),
        Step::Command(text) => format!("Run `{text}`."),
        Step::Page(path) => {
            let target = path.strip_prefix("docs/").expect("a document");
            let name = target.split('#').next().unwrap_or_default();
            format!("Read [{name}](../{target}).")
        }
        Step::Action(action) => {
            format!("The gateway can do this: {} (`{}`)", action.sentence(), action.as_str())
        }
    }
}
