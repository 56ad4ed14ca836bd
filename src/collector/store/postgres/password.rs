//! The password of a server whose address holds none.
//!
//! One rule: as libpq finds it. `PGPASSWORD` comes first, then the file of `PGPASSFILE`, which others may not read.

use super::super::place::Environment;
use ::postgres::Config;
use ::postgres::config::Host;
use mcpproxy_platform::files;
use std::fs;

/// The password for the first host that has one.
pub fn find(config: &Config, environment: &Environment) -> Option<String> {
    if let Some(password) = &environment.password {
        return Some(password.clone());
    }
    let path = environment.password_file.as_deref()?;
    if files::is_readable_by_others(path) {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let database = config.get_dbname().unwrap_or_default();
    let user = config.get_user().unwrap_or_default();
    config.get_hosts().iter().enumerate().find_map(|(at, host)| {
        let host = match host {
            Host::Tcp(name) => name.as_str(),
            #[cfg(unix)]
            Host::Unix(_) => "localhost",
        };
        let ports = config.get_ports();
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432).to_string();
        in_file(&text, [host, &port, database, user])
    })
}

/// The password of the first line that is for this server, port, database and user.
fn in_file(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [host, port, database, user, password] = &fields[..] else { return None };
        let given = [host, port, database, user];
        let is_it = |(given, wanted): (&String, &str)| given == "*" || given == wanted;
        given.into_iter().zip(wanted).all(is_it).then(|| password.clone())
    })
}

/// The fields between colons; a backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let field = fields.last_mut().expect("there is one from the beginning");
        match c {
            '\\' => field.extend(characters.next()),
            ':' => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let text = "# host:port:database:user:password\nother:*:*:*:no\ndb:5432:*:me:a\\:b\\\\c\n*:*:*:*:last\n";
        let found = |host, port| in_file(text, [host, port, "d", "me"]);
        assert_eq!(found("db", "5432").as_deref(), Some("a:b\\c"));
        assert_eq!(found("db", "5433").as_deref(), Some("last"));
        assert_eq!(in_file("db:5432:d", ["db", "5432", "d", "me"]), None);
    }
}
