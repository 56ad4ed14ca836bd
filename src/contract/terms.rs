//! The closed vocabularies of the wire format, written where people read them.
//!
//! One rule: every spelling is compared with the schema at compile time (see [`super::tables`]).

use super::table::Node;
use super::wire::{Omittable, Typed, Wire};
use crate::json::Node as Shown;

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, miniserde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// Every member, in the order of the schema.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The wire spelling of every member, in the order of [`Self::ALL`].
            pub const SPELLINGS: &'static [&'static str] = &[$($text),+];

            /// The wire spelling.
            pub const fn as_str(self) -> &'static str {
                Self::SPELLINGS[self as usize]
            }

            /// The member that `text` spells exactly.
            pub fn from_spelling(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
            }
        }

        impl Wire for $name {
            fn to_node(&self) -> Shown {
                self.as_str().into()
            }

            fn write(&self, out: &mut String) {
                // Spellings need no escape: letters, digits, `_`, `-` and `+`.
                out.push('"');
                out.push_str(self.as_str());
                out.push('"');
            }
        }

        impl Typed for $name {
            const NODE: Node = Node::Enum(Self::SPELLINGS);
        }

        impl Omittable for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// What kind of environment runs this process.
    EnvKind {
        /// A person's desktop or terminal.
        Interactive = "interactive",
        /// A continuous-integration job.
        Ci = "ci",
        /// A hosted workspace; its users are people.
        CloudIde = "cloud_ide",
        /// A container that is no desktop toolbox.
        Container = "container",
        /// A Linux machine without display or terminal.
        Headless = "headless",
        /// Nothing decided.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// How this process was launched.
    LaunchSource {
        /// By the tray application.
        Tray = "tray",
        /// By the operating system at login.
        LoginItem = "login_item",
        /// From a terminal.
        Cli = "cli",
        /// By an installer (an overlay until acknowledged).
        Installer = "installer",
        /// Nothing decided.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// Which edition was built.
    Edition {
        /// The default build.
        Personal = "personal",
        /// The server edition.
        Server = "server",
        /// A build without human commands.
        Minimal = "minimal",
    }
}

vocabulary! {
    /// An agent's environment, where no person sits; apart from [`EnvKind`].
    AgentEnv {
        /// None of these.
        None = "none",
        /// The machine of a cloud agent.
        Cloud = "cloud",
        /// A sandbox of model code.
        Sandbox = "sandbox",
    }
}

vocabulary! {
    /// How the hosts ended that ended since the last acknowledgement.
    Shutdown {
        /// One of them crashed.
        Crash = "crash",
        /// One ended, and none crashed.
        Clean = "clean",
        /// None is known to have ended.
        Unknown = "unknown",
    }
}

vocabulary! {
    /// Operating system.
    Os {
        /// Linux.
        Linux = "linux",
        /// macOS.
        Darwin = "darwin",
        /// Windows.
        Windows = "windows",
        /// Any other.
        Other = "other",
    }
}

vocabulary! {
    /// Processor architecture.
    Arch {
        /// x86-64.
        Amd64 = "amd64",
        /// AArch64.
        Arm64 = "arm64",
        /// Any other.
        Other = "other",
    }
}

vocabulary! {
    /// How tools are offered by the sending host.
    RoutingMode {
        /// A transparent wrapper of one server.
        Tap = "tap",
        /// A gateway whose tools are found by search.
        RetrieveTools = "retrieve_tools",
        /// A gateway that lists every upstream tool.
        Direct = "direct",
    }
}

vocabulary! {
    /// Upstream tool calls since the last acknowledged heartbeat, as a range.
    CallBucket {
        /// None.
        Zero = "0",
        /// 1 to 10.
        UpTo10 = "1-10",
        /// 11 to 100.
        UpTo100 = "11-100",
        /// 101 to 1000.
        UpTo1000 = "101-1000",
        /// More than 1000.
        Over1000 = "1000+",
    }
}

vocabulary! {
    /// Estimated tokens saved in the last 24 h, as a range with inclusive upper edges.
    TokensBucket {
        /// None.
        Zero = "0",
        /// 1 to 100.
        UpTo100 = "1_100",
        /// 101 to 1000.
        UpTo1k = "100_1k",
        /// 1001 to 10 000.
        UpTo10k = "1k_10k",
        /// 10 001 to 100 000.
        UpTo100k = "10k_100k",
        /// More than 100 000.
        Over100k = "100k_plus",
    }
}

impl CallBucket {
    /// The range that holds `calls`.
    pub const fn of(calls: u64) -> Self {
        match calls {
            0 => Self::Zero,
            1..=10 => Self::UpTo10,
            11..=100 => Self::UpTo100,
            101..=1000 => Self::UpTo1000,
            _ => Self::Over1000,
        }
    }
}

impl TokensBucket {
    /// The range that holds `tokens`.
    pub const fn of(tokens: u64) -> Self {
        match tokens {
            0 => Self::Zero,
            1..=100 => Self::UpTo100,
            101..=1_000 => Self::UpTo1k,
            1_001..=10_000 => Self::UpTo10k,
            10_001..=100_000 => Self::UpTo100k,
            _ => Self::Over100k,
        }
    }
}
