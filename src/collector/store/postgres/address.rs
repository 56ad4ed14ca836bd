//! The address of a server.
//!
//! One rule: it may hold a password, so no part of it is ever printed.

use super::super::place::Environment;
use super::super::server_error::ServerError;
use super::{password, tls};
use ::postgres::config::{Host, SslMode, TargetSessionAttrs};
use ::postgres::{Client, Config, NoTls};
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// How long one host may take to answer, unless the address says it.
const CONNECT: Duration = Duration::from_secs(10);
/// How long bytes may stay unacknowledged by a host that is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// A server, and how it is reached.
#[derive(Clone)]
pub struct Server {
    config: Config,
    tls: Option<tls::Connector>,
}

/// Without the address.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Server")
    }
}

impl Server {
    /// Reads an address such as `postgres://user@host:5432,other:5432/database?sslrootcert=/etc/root.pem`.
    pub fn read(address: &str, environment: &Environment) -> Result<Self, ServerError> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
            return Err(ServerError::Address);
        }
        let (base, query) = address.split_once('?').unwrap_or((address, ""));
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        let mut has_target = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(value),
                _ => {
                    has_target |= pair.starts_with("target_session_attrs=");
                    others.push(pair);
                }
            }
        }
        let plain = format!("{base}?{}", others.join("&"));
        let mut config: Config = plain.parse().map_err(|_| ServerError::Address)?;
        if config.get_hosts().is_empty() || config.get_dbname().is_none_or(str::is_empty) {
            return Err(ServerError::Address);
        }
        let is_secure = match mode {
            Some("verify-full") => true,
            Some("disable") => false,
            None => !config.get_hosts().iter().all(is_here),
            Some(_) => return Err(ServerError::SslMode),
        };
        config.ssl_mode(if is_secure { SslMode::Require } else { SslMode::Disable });
        if !has_target {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("mcpproxy-collector");
        }
        if config.get_password().is_none()
            && let Some(password) = password::find(&config, environment)
        {
            config.password(password);
        }
        let tls = is_secure.then(|| tls::Connector::trusting(roots.map(Path::new))).transpose()?;
        Ok(Self { config, tls })
    }

    /// Connects to the first host that answers and can be written.
    pub fn connect(&self) -> Result<Client, ::postgres::Error> {
        match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        }
    }
}

/// Whether the way to a host does not leave this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let bare = name.trim_start_matches('[').trim_end_matches(']');
            name == "localhost" || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Result<Server, ServerError> {
        Server::read(address, &Environment::default())
    }

    #[test]
    fn a_way_that_leaves_the_machine_is_secret_and_checked_unless_told_otherwise() {
        for (address, is_secure) in [
            ("postgres://me@localhost/db", false),
            ("postgres://me@127.0.0.1:5433,[::1]/db", false),
            ("postgresql://me@db.example.org/db", true),
            ("postgres://me@localhost,db.example.org/db", true),
            ("postgres://me@db.example.org/db?sslmode=disable", false),
            ("postgres://me@localhost/db?sslmode=verify-full", true),
        ] {
            let server = read(address).expect(address);
            assert_eq!(server.tls.is_some(), is_secure, "{address}");
        }
        for mode in ["allow", "prefer", "require", "verify-ca", ""] {
            let address = format!("postgres://me@localhost/db?sslmode={mode}");
            assert_eq!(read(&address).map(drop), Err(ServerError::SslMode), "{mode}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_word_of_it() {
        for bad in [
            "",
            "localhost",
            "mysql://me@localhost/db",
            "postgres://",
            "postgres://me@localhost",
            "postgres://me:secret@localhost:no/db",
            "postgres://me:secret@localhost/db?nonsense=1",
        ] {
            let error = read(bad).map(drop).expect_err(bad);
            assert_eq!(error, ServerError::Address, "{bad}");
            assert!(!error.to_string().contains("secret"));
        }
        let server = read("postgres://me:secret@localhost/db").expect("an address");
        assert_eq!(format!("{server:?}"), "Server");
    }

    #[test]
    fn only_a_host_that_can_be_written_is_taken() {
        let attributes =
            |address: &str| read(address).expect(address).config.get_target_session_attrs();
        assert_eq!(attributes("postgres://me@localhost/db"), TargetSessionAttrs::ReadWrite);
        let any = "postgres://me@localhost/db?target_session_attrs=any";
        assert_eq!(attributes(any), TargetSessionAttrs::Any);
    }
}
