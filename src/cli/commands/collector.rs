//! The part of the table that is about the maintainer's end.

use super::{Command, OUTPUT, Operands, Opt};

#[cfg(feature = "collector")]
mod entry {
    use super::super::Entry;
    use crate::cli::{
        collector, collector_doctor, collector_keep, collector_report, collector_verify,
    };

    pub(super) const RUN: Entry = Entry::Parsed(collector::run);
    pub(super) const ADD: Entry = Entry::Parsed(collector::add);
    pub(super) const LIST: Entry = Entry::Parsed(collector::list);
    pub(super) const RENAME: Entry = Entry::Parsed(collector::rename);
    pub(super) const REMOVE: Entry = Entry::Parsed(collector::remove);
    pub(super) const REPORT: Entry = Entry::Parsed(collector_report::run);
    pub(super) const DOCTOR: Entry = Entry::Parsed(collector_doctor::run);
    pub(super) const BACKUP: Entry = Entry::Parsed(collector_keep::backup);
    pub(super) const RESTORE: Entry = Entry::Parsed(collector_keep::restore);
    pub(super) const VERIFY: Entry = Entry::Parsed(collector_verify::run);
}
#[cfg(not(feature = "collector"))]
mod entry {
    use super::super::Entry;

    pub(super) const RUN: Entry = Entry::Needs("collector");
    pub(super) const ADD: Entry = RUN;
    pub(super) const LIST: Entry = RUN;
    pub(super) const RENAME: Entry = RUN;
    pub(super) const REMOVE: Entry = RUN;
    pub(super) const REPORT: Entry = RUN;
    pub(super) const DOCTOR: Entry = RUN;
    pub(super) const BACKUP: Entry = RUN;
    pub(super) const RESTORE: Entry = RUN;
    pub(super) const VERIFY: Entry = RUN;
}

/// The global option, as the commands of the collector understand it.
pub(super) const DATA_DIR: Opt = Opt {
    long: "data-dir",
    short: None,
    value: Some("DIR"),
    help: "The collector's directory (default: $MCPPROXY_COLLECTOR_HOME, else ~/.mcpproxy-collector)",
};

const EPHEMERAL: Opt = Opt {
    long: "ephemeral",
    short: None,
    value: None,
    help: "The data directory may be gone when this machine or container stops",
};

/// Where the rows are kept, if not in the directory.
pub(super) const DATABASE: Opt = Opt {
    long: "database",
    short: None,
    value: Some("URL"),
    help: "A database on PostgreSQL (default: $MCPPROXY_COLLECTOR_DATABASE, else collector.db in the directory)",
};

pub(super) const RUN: Command = Command {
    path: &["collector"],
    summary: "Receive the heartbeats of your products, keep them, and show who stays",
    about: "Answers POST /heartbeat, and acknowledges a heartbeat after it is on disk. Keeps no address and no\n\
            JSON, and a keyed hash in place of each id. For the world it needs TLS: its own, or that of a proxy.\n\n  \
            mcpproxy collector --demo\n  \
            mcpproxy collector --product notes-mcp",
    operands: Operands::None,
    options: &[
        Opt {
            long: "demo",
            short: None,
            value: None,
            help: "Show a simulated fleet in a database of its own, and receive nothing",
        },
        Opt {
            long: "listen",
            short: None,
            value: Some("ADDRESS"),
            help: "Where to listen (default: 127.0.0.1:8787; [::]:8787 is every address of both families)",
        },
        DATABASE,
        Opt {
            long: "product",
            short: None,
            value: Some("NAME"),
            help: "Receive this product from now on; may be repeated",
        },
        Opt {
            long: "any-product",
            short: None,
            value: None,
            help: "Keep unknown products too, hidden until they are added (at most 100)",
        },
        Opt {
            long: "accept",
            short: None,
            value: Some("PROGRAM"),
            help: "Receive the heartbeats of mcpproxy-go too, as the product of that name",
        },
        Opt {
            long: "key-file",
            short: None,
            value: Some("FILE"),
            help: "The key that ids are hashed with (default: $MCPPROXY_COLLECTOR_KEY, else made once)",
        },
        Opt {
            long: "base-path",
            short: None,
            value: Some("PATH"),
            help: "What stands before /heartbeat in its address, such as /telemetry",
        },
        Opt {
            long: "trusted-proxy",
            short: None,
            value: Some("CIDR"),
            help: "Believe forwarding headers from this address or network; may be repeated",
        },
        Opt {
            long: "password-file",
            short: None,
            value: Some("FILE"),
            help: "The key of the pages, in one line (default: made once, in pages.key of the data directory)",
        },
        Opt {
            long: "public",
            short: None,
            value: None,
            help: "Show everybody a page of rounded numbers, /public, and a badge for a README, /badge.svg",
        },
        Opt {
            long: "tls-cert",
            short: None,
            value: Some("FILE"),
            help: "Speak TLS with this certificate (PEM, the full chain); a renewed file is taken while it runs",
        },
        Opt { long: "tls-key", short: None, value: Some("FILE"), help: "Its private key (PEM)" },
        Opt {
            long: "contact",
            short: None,
            value: Some("TEXT"),
            help: "Whom the page /privacy names for questions, such as privacy@example.org",
        },
        EPHEMERAL,
        Opt {
            long: "keep-days",
            short: None,
            value: Some("N"),
            help: "Keep what an install did on a day for so many days (default: 400)",
        },
        Opt {
            long: "keep-installs",
            short: None,
            value: Some("MONTHS"),
            help: "Keep an install for so many months after it was last seen (default: 25)",
        },
        Opt { long: "log-format", short: None, value: Some("FORMAT"), help: "text or json" },
    ],
    data_dir: true,
    entry: entry::RUN,
};

pub(super) const PRODUCT_ADD: Command = Command {
    path: &["collector", "product", "add"],
    summary: "Receive a product from now on",
    about: "Works while the collector runs. A product that was removed comes back with its installs.",
    operands: Operands::One("NAME"),
    options: &[DATABASE, EPHEMERAL],
    data_dir: true,
    entry: entry::ADD,
};

pub(super) const PRODUCT_LIST: Command = Command {
    path: &["collector", "product", "list"],
    summary: "Show the products, and how many installs each has",
    about: "",
    operands: Operands::None,
    options: &[DATABASE, OUTPUT],
    data_dir: true,
    entry: entry::LIST,
};

pub(super) const PRODUCT_RENAME: Command = Command {
    path: &["collector", "product", "rename"],
    summary: "Give a product another name",
    about: "Heartbeats under either name are the product's from now on, and no install becomes new by it.",
    operands: Operands::Two("NAME", "NEW-NAME"),
    options: &[DATABASE],
    data_dir: true,
    entry: entry::RENAME,
};

pub(super) const PRODUCT_REMOVE: Command = Command {
    path: &["collector", "product", "remove"],
    summary: "Refuse a product's heartbeats from now on",
    about: "Its installs stay; `product add` brings them back.",
    operands: Operands::One("NAME"),
    options: &[DATABASE],
    data_dir: true,
    entry: entry::REMOVE,
};

pub(super) const REPORT: Command = Command {
    path: &["collector", "report"],
    summary: "Print the numbers: overview, retention, activation, environments, versions, clients or health",
    about: "Reads the database, and changes nothing; a collector may be running on it. Without an option it counts\n\
            people with release versions.\n\n  \
            mcpproxy collector report retention --product notes-mcp -o csv",
    operands: Operands::One("PAGE"),
    options: &[
        DATABASE,
        Opt {
            long: "product",
            short: None,
            value: Some("NAME"),
            help: "Of this product (default: of all)",
        },
        Opt {
            long: "people",
            short: None,
            value: None,
            help: "People with release versions (default)",
        },
        Opt { long: "machines", short: None, value: None, help: "All else with release versions" },
        Opt { long: "all", short: None, value: None, help: "All installs, of all versions" },
        Opt {
            long: "since",
            short: None,
            value: Some("DAY"),
            help: "Installs of the ISO week that holds this day, and later ones",
        },
        Opt {
            long: "kind",
            short: None,
            value: Some("KIND"),
            help: "Whose first heartbeat said this kind of environment: interactive, ci, cloud_ide, ..",
        },
        Opt {
            long: "agent-env",
            short: None,
            value: Some("ENV"),
            help: "Whose first heartbeat said this agent's environment: none, cloud or sandbox",
        },
        Opt {
            long: "launch-source",
            short: None,
            value: Some("SOURCE"),
            help: "Whose first heartbeat said this launch source",
        },
        Opt {
            long: "os",
            short: None,
            value: Some("OS"),
            help: "Whose first heartbeat said this operating system",
        },
        Opt {
            long: "product-version",
            short: None,
            value: Some("VERSION"),
            help: "Whose first heartbeat said this version",
        },
        Opt {
            long: "edition",
            short: None,
            value: Some("EDITION"),
            help: "Whose first heartbeat said this edition",
        },
        Opt {
            long: "table",
            short: None,
            value: Some("NAME"),
            help: "The table that CSV holds (default: the first of the page)",
        },
        Opt { long: "output", short: Some('o'), value: Some("FORMAT"), help: "table, csv or json" },
    ],
    data_dir: true,
    entry: entry::REPORT,
};

pub(super) const DOCTOR: Command = Command {
    path: &["collector", "doctor"],
    summary: "Check a running collector from outside",
    about: "Looks at URL as clients, strangers and forgers do: certificate, pages closed, junk refused, limits. With a\n\
            product it sends a heartbeat of a new install, and erases the install again. For about ten seconds\n\
            afterwards the collector answers this network with 429.\n\n  \
            mcpproxy collector doctor https://t.example.org --product notes-mcp",
    operands: Operands::One("URL"),
    options: &[
        Opt {
            long: "product",
            short: None,
            value: Some("NAME"),
            help: "Send a heartbeat of this product, and erase it again",
        },
        Opt {
            long: "ca",
            short: None,
            value: Some("FILE"),
            help: "Trust this authority (PEM) as well as those of the web",
        },
        OUTPUT,
    ],
    data_dir: false,
    entry: entry::DOCTOR,
};

const KEY_FILE: Opt = Opt {
    long: "key-file",
    short: None,
    value: Some("FILE"),
    help: "The key of its ids (default: $MCPPROXY_COLLECTOR_KEY, else collector.key)",
};

pub(super) const BACKUP: Command = Command {
    path: &["collector", "backup"],
    summary: "Copy the database to a file, also while the collector runs",
    about: "Writes FILE in one piece, reads all of it again, and then gives it its name. An existing file is never\n\
            written over. The key of the ids is left out, and its file is named: keep a copy of it in another place.\n\n  \
            mcpproxy collector backup /backup/collector-$(date +%F).db",
    operands: Operands::One("FILE"),
    options: &[
        DATABASE,
        Opt {
            long: "with-key",
            short: None,
            value: None,
            help: "Copy the key to FILE.key as well: both together tell whether an id is known",
        },
        KEY_FILE,
    ],
    data_dir: true,
    entry: entry::BACKUP,
};

pub(super) const RESTORE: Command = Command {
    path: &["collector", "restore"],
    summary: "Put a copy in place of the database",
    about: "Reads all of FILE first, and puts the present database aside in its directory; it deletes nothing. Stop\n\
            the collector before. A directory without a key takes FILE.key, if there is one.",
    operands: Operands::One("FILE"),
    options: &[KEY_FILE, DATABASE, EPHEMERAL],
    data_dir: true,
    entry: entry::RESTORE,
};

pub(super) const VERIFY: Command = Command {
    path: &["collector", "verify"],
    summary: "Check that the database is whole and its numbers right",
    about: "Computes every number a second way, compares installs with their days, and runs every word that is kept\n\
            through the leak scanner. Changes nothing; a collector may be running. Exits with 1 when it finds anything.",
    operands: Operands::None,
    options: &[DATABASE, OUTPUT],
    data_dir: true,
    entry: entry::VERIFY,
};

#[cfg(feature = "simulate")]
const SIMULATE_ENTRY: super::Entry = super::Entry::Parsed(crate::cli::collector_simulate::run);
#[cfg(not(feature = "simulate"))]
const SIMULATE_ENTRY: super::Entry = super::Entry::Needs("simulate");

pub(super) const SIMULATE: Command = Command {
    path: &["collector", "simulate"],
    summary: "Simulate a fleet of installs whose truth is known",
    about: "Runs the client's own code on a virtual clock, gives its heartbeats to a collector of its own, and writes\n\
            what happened as JSON lines. Nothing is sent anywhere, and no install or collector of yours is touched.",
    operands: Operands::None,
    options: &[
        Opt { long: "installs", short: None, value: Some("N"), help: "Installs (default: 2000)" },
        Opt { long: "days", short: None, value: Some("N"), help: "Days (default: 60)" },
        Opt {
            long: "seed",
            short: None,
            value: Some("N"),
            help: "Another seed is another fleet (default: 1)",
        },
        Opt {
            long: "out",
            short: None,
            value: Some("FILE"),
            help: "Write the event log there (default: standard output)",
        },
        Opt {
            long: "pages",
            short: None,
            value: Some("FILE"),
            help: "Write what the collector's pages show at some moments there, to be compared with the truth",
        },
        Opt {
            long: "keep",
            short: None,
            value: Some("DIR"),
            help: "Keep the collector's data in this new directory",
        },
    ],
    data_dir: false,
    entry: SIMULATE_ENTRY,
};
