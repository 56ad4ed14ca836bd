//! The privacy page: what this collector keeps, for how long, how to erase it, whom to ask.
//!
//! One rule: made of the settings that the collector runs with, and open to everybody.

use super::frame;
use crate::collector::public::numbers::K;
use maud::{Markup, html};

/// What the operator has chosen.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `--contact`: whom to ask.
    pub contact: Option<String>,
    /// Days that the row of an install and a day is kept.
    pub days: u32,
    /// Months that an install is kept after it was last heard of.
    pub months: u32,
    /// `--public`: a page of rounded counts is open to everybody.
    pub is_public: bool,
}

/// The whole page. `endpoint` is where heartbeats go.
pub fn page(settings: &Settings, endpoint: &str) -> Markup {
    frame::document(
        "Privacy",
        &html! {
            main.alone.prose id="main" {
                p.brand { span.mark aria-hidden="true" {} "mcpproxy" span.muted { " collector" } }
                h1 { "What this collector keeps" }
                p { "Installs of a program that includes mcpproxy send one heartbeat a day to " code { (endpoint) } ". "
                    "It says how the program is used, and not by whom. This page is made of the settings that the collector runs with." }
                h2 { "Kept" }
                ul {
                    li { "A keyed hash in place of the random id of an install. Without the key, which is not in the database, "
                        "it leads to no file on any machine." }
                    li { "The days on which a heartbeat arrived, and the day on which each step of use was first reported." }
                    li { "Kind of surroundings (such as a terminal, CI or an agent's sandbox), how the program was started, "
                        "operating system, architecture, version, and the names of MCP clients." }
                    li { "Counts of each day, such as of tool calls, and which errors of a fixed list were met." }
                }
                h2 { "Not kept" }
                p { "IP addresses, user agents, names of people, accounts, machines, servers and tools, paths, arguments, contents, "
                    "and the heartbeat itself: in no database and in no log of the collector. A proxy in front of it may keep a "
                    "log of its own." }
                @if settings.is_public {
                    h2 { "Published" }
                    p { "Everybody may read " a href="public" { "a page of counts" } ", such as how many people were active in a week. Counts below "
                        (K) " are left out, and all others are rounded down to a multiple of " (K) ". It is made once a day, and has no filters." }
                }
                h2 { "How long" }
                ul {
                    li { "The counts of a day: " (settings.days) " days." }
                    li { "An install: " (settings.months) " months after its last heartbeat." }
                    li { "The exact times of heartbeats: 48 hours after they are needed to recognise a repeated one, four days at most." }
                    li { "Sums over many installs stay. They hold no install." }
                }
                h2 { "How to erase it" }
                p { "On the machine, as the user of the program: " }
                pre tabindex="0" { code { "mcpproxy telemetry forget" } }
                p { "This asks the collector to erase the install, and sends nothing afterwards. Possession of the id is the right to do so: "
                    "nothing else leads to an install. For 30 days a hash of the erased id stays, so that a late heartbeat does "
                    "not bring the install back." }
                h2 { "How to send nothing" }
                p { "Set " code { "DO_NOT_TRACK=1" } " or run " code { "mcpproxy telemetry disable" } "." }
                h2 { "Whom to ask" }
                @match settings.contact.as_deref() {
                    Some(contact) => p { (contact) },
                    None => p { "The publisher of the program: the operator of this collector has named nobody else." },
                }
            }
        },
    )
}
