//! The part of the table that is about starting at login.

use super::{Command, OUTPUT, Operands, Opt};

#[cfg(feature = "autostart")]
mod entry {
    use super::super::Entry;
    use crate::cli::autostart;

    pub(super) const STATUS: Entry = Entry::Parsed(autostart::status);
    pub(super) const ENABLE: Entry = Entry::Parsed(autostart::enable);
    pub(super) const DISABLE: Entry = Entry::Parsed(autostart::disable);
}
#[cfg(not(feature = "autostart"))]
mod entry {
    use super::super::Entry;

    pub(super) const STATUS: Entry = Entry::Needs("autostart");
    pub(super) const ENABLE: Entry = STATUS;
    pub(super) const DISABLE: Entry = STATUS;
}

pub(super) const STATUS: Command = Command {
    path: &["autostart", "status"],
    summary: "Show whether the gateway starts at login, and what says so",
    about: "Reads only.",
    operands: Operands::None,
    options: &[OUTPUT],
    data_dir: true,
    entry: entry::STATUS,
};

pub(super) const ENABLE: Command = Command {
    path: &["autostart", "enable"],
    summary: "Start the gateway at login",
    about: "Writes one entry for you alone: an XDG autostart entry on a Linux desktop, a systemd user unit on a Linux\n\
            machine without one, a LaunchAgent on macOS, an entry under the Run key on Windows. It starts this\n\
            program where it is now. Nothing is started before the next login.",
    operands: Operands::None,
    options: &[Opt {
        long: "systemd",
        short: None,
        value: None,
        help: "Linux: a systemd user unit also where there is a desktop",
    }],
    data_dir: true,
    entry: entry::ENABLE,
};

pub(super) const DISABLE: Command = Command {
    path: &["autostart", "disable"],
    summary: "Do not start the gateway at login",
    about: "Takes our own entries away, and hides one that the system has for every user.",
    operands: Operands::None,
    options: &[],
    data_dir: true,
    entry: entry::DISABLE,
};
