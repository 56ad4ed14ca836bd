//! The machine that an install runs on: what the client's own classification finds there.
//!
//! One rule: evidence, never a verdict; the client decides what it is.

use super::habit::Habit;
use super::random::Random;
use crate::contract::{LaunchSource, Os};
use crate::environment::{Evidence, OsKind};
use std::borrow::Cow;

/// A simulated machine.
#[derive(Clone, Debug)]
pub struct Machine {
    os: OsKind,
    variables: Vec<&'static str>,
    has_terminal: bool,
    is_container: bool,
    launch: LaunchSource,
}

impl Machine {
    /// A machine on which people or programs of that habit run the product.
    pub fn of(habit: Habit, random: &mut Random) -> Self {
        let desktops = [
            (44, OsKind::Darwin),
            (24, OsKind::Windows),
            (29, OsKind::Linux),
            (3, OsKind::Unknown),
        ];
        let os = if habit.is_person() { random.weighted(&desktops) } else { OsKind::Linux };
        let launches = [
            (55, LaunchSource::Cli),
            (20, LaunchSource::Tray),
            (10, LaunchSource::LoginItem),
            (15, LaunchSource::Unknown),
        ];
        let mut machine = Self {
            os,
            variables: Vec::new(),
            has_terminal: random.chance(200),
            is_container: false,
            launch: random.weighted(&launches[if habit.is_person() { 0.. } else { 2.. }]),
        };
        match habit {
            Habit::Workspace => {
                machine.os = OsKind::Linux;
                machine.is_container = true;
                machine.variables.push("CODESPACES");
            }
            Habit::Ci => {
                machine.variables.push("CI");
                machine.variables.extend(random.chance(800).then_some("GITHUB_ACTIONS"));
                machine.has_terminal = false;
            }
            Habit::Container | Habit::Volume | Habit::Baked => machine.is_container = true,
            Habit::Agent => {
                machine.is_container = random.chance(500);
                machine.variables.push("MODAL_SANDBOX_ID");
                machine.has_terminal = random.chance(500);
                // A task that was given as a job.
                machine.variables.extend(random.chance(300).then_some("GITHUB_ACTIONS"));
            }
            Habit::Server => machine.has_terminal = false,
            Habit::Cloned => machine.has_terminal = random.chance(500),
            // What is not a person wants to look like one.
            Habit::Flood => machine.has_terminal = true,
            // A person whose client starts the server without anything to see of the desktop counts as a machine.
            _ if os == OsKind::Linux && random.chance(800) => {
                machine.variables.push("WAYLAND_DISPLAY")
            }
            _ => {}
        }
        machine
    }

    /// The word of the contract for its operating system.
    pub fn system(&self) -> Os {
        match self.os {
            OsKind::Linux => Os::Linux,
            OsKind::Darwin => Os::Darwin,
            OsKind::Windows => Os::Windows,
            OsKind::Unknown => Os::Other,
        }
    }

    /// How programs are launched there.
    pub fn launch(&self) -> LaunchSource {
        self.launch
    }
}

impl Evidence for Machine {
    fn variables(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.variables.iter().for_each(|name| visit(name, "1"));
    }

    fn path_exists(&self, path: &str) -> bool {
        self.is_container && path == "/.dockerenv"
    }

    fn file(&self, _path: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn cgroup(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn mountinfo(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn display_socket(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn os(&self) -> OsKind {
        self.os
    }

    fn stdin_is_terminal(&self) -> bool {
        self.has_terminal
    }

    fn controlling_terminal(&self) -> Option<usize> {
        None
    }

    fn os_release(&self) -> Option<Cow<'_, str>> {
        None
    }
}
