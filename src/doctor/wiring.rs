//! The clients' configurations.

use super::Check;

/// What is wired, and one check for each client whose wiring is broken.
#[cfg(feature = "connect")]
pub(super) fn check() -> Vec<Check> {
    use crate::connect::{CLIENTS, Places, look};
    const NAME: &str = "clients";
    let Some(places) = Places::here() else { return Vec::new() };
    let (mut checks, mut wired) = (Vec::new(), Vec::new());
    for client in CLIENTS {
        let found = look(client, &places, None);
        let (id, shown) = (client.id, places.shown(&found.path));
        let servers = match &found.servers {
            Ok(servers) => servers.as_deref().unwrap_or_default(),
            Err(trouble) => {
                let found = format!("{}, {shown}: {trouble}", client.name);
                checks.push(Check::warn(
                    NAME,
                    found,
                    "a client that cannot read it uses none of its servers",
                ));
                continue;
            }
        };
        let mut programs = servers.iter().filter_map(|server| Some((server, server.program()?)));
        let is_gone = |program: &str| {
            let path = std::path::Path::new(program);
            path.is_absolute() && !path.exists()
        };
        if let Some((server, _)) = programs.find(|(_, program)| is_gone(program)) {
            let again =
                if server.is_wrapped() { " --wrap NAME` after `mcpproxy disconnect" } else { "" };
            checks.push(Check::fail(
                NAME,
                format!("{} starts a mcpproxy that is gone, for {:?}", client.name, server.name),
                format!("`mcpproxy connect {id}{again}` writes the path anew"),
            ));
        }
        if found.is_wired() {
            wired.push(client.name);
        }
    }
    checks.insert(
        0,
        Check::ok(
            NAME,
            match wired.as_slice() {
                [] => "none is connected; `mcpproxy connect --list` shows them".to_owned(),
                names => format!("connected: {}", names.join(", ")),
            },
        ),
    );
    checks
}

/// This build wires nothing.
#[cfg(not(feature = "connect"))]
pub(super) fn check() -> Vec<Check> {
    Vec::new()
}
