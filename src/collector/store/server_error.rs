//! Why a PostgreSQL server cannot be used.
//!
//! One rule: one line with the remedy. Neither the address, which may hold a password, nor a word of the server, which
//! may hold a value, is part of it.

use std::fmt;
use std::io;

/// Why a PostgreSQL server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerError {
    /// This program was built without PostgreSQL.
    NotBuilt,
    /// The address has not the form of one.
    Address,
    /// `sslmode` is one that promises less than it seems to.
    SslMode,
    /// The file of `sslrootcert` cannot be read, or holds no certificate.
    Roots(io::ErrorKind),
    /// No host of the address answers as a server that can be written.
    Unreachable,
    /// The server does not speak TLS, or its certificate is not trusted for its name.
    Tls,
    /// The user or its password is refused.
    Login,
    /// The server has no such database.
    NoDatabase,
    /// The server is older than PostgreSQL 15.
    Version,
    /// The database holds tables of something else.
    Foreign,
    /// There is no collector's table in it yet.
    Missing,
    /// A later version of this program has written it.
    Newer,
    /// The user may not do what a collector must.
    Denied,
    /// It cannot be written: a standby, or told so.
    ReadOnly,
    /// Its disk is full.
    Full,
    /// It has too many connections, or no memory.
    Busy,
    /// It ended what took too long.
    Timeout,
    /// Others changed the same rows, again and again.
    Contended,
    /// Anything else that it says: its SQLSTATE.
    Said(String),
    /// A command that works with a file alone.
    Unsupported(&'static str),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBuilt => {
                "this program was built without PostgreSQL: build it with the feature collector-postgres"
            }
            Self::Address => {
                "the address of the database has not the form postgres://USER@HOST:PORT/DATABASE (several hosts with \
                 commas between them): see docs/collector/postgresql.md"
            }
            Self::SslMode => {
                "sslmode is verify-full, or disable where the way to the server is safe: the others of libpq do not \
                 tell the server from an impostor"
            }
            Self::Roots(kind) => {
                return write!(f, "the file of sslrootcert cannot be used: {kind}");
            }
            Self::Unreachable => {
                "PostgreSQL cannot be reached, or no host of its address can be written: see that it runs and that its \
                 address is right"
            }
            Self::Tls => {
                "PostgreSQL does not speak TLS there, or its certificate is not trusted for this host: name its root \
                 with sslrootcert=FILE, or say sslmode=disable where the way to it is safe"
            }
            Self::Login => {
                "PostgreSQL refuses the user or the password: set PGPASSWORD or PGPASSFILE, and see pg_hba.conf"
            }
            Self::NoDatabase => {
                "PostgreSQL has no database of this name: make it with createdb, for a collector alone"
            }
            Self::Version => "the server is older than PostgreSQL 15: use a later one",
            Self::Foreign => {
                "the database on PostgreSQL holds tables of something else: make one for the collector alone"
            }
            Self::Missing => {
                "the database on PostgreSQL holds no collector's tables: start `mcpproxy collector` with it once"
            }
            Self::Newer => {
                "the database on PostgreSQL was written by a newer version of this program: run that version"
            }
            Self::Denied => {
                "PostgreSQL denies this user what a collector needs: make the user the owner of the database"
            }
            Self::ReadOnly => {
                "PostgreSQL cannot be written: it is a standby or read-only; name all hosts in the address"
            }
            Self::Full => "the disk of PostgreSQL is full: make room",
            Self::Busy => "PostgreSQL has no connection or memory left: try again, or raise its limits",
            Self::Timeout => "PostgreSQL ended what took too long: see its statement_timeout and its load",
            Self::Contended => {
                "PostgreSQL could not commit because others changed the same rows: try again"
            }
            Self::Said(code) => {
                return write!(f, "PostgreSQL cannot be used (SQLSTATE {code}): see its log");
            }
            Self::Unsupported("collector backup" | "collector restore") => {
                "a database on PostgreSQL is copied with pg_dump and brought back with pg_restore: this command works \
                 with collector.db alone"
            }
            Self::Unsupported(command) => {
                return write!(f, "`mcpproxy {command}` does not work with a database on PostgreSQL yet");
            }
        })
    }
}
