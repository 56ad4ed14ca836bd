//! `configured_ide_count`: how many clients' configurations hold our entry.
//!
//! One rule: files are opened for reading only, within bounds, and rarely; what cannot be read does not
//! count. Nothing but the number is kept.

use super::clients::{CLIENTS, Client};
use super::places::Places;
use super::{document, file};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The largest file that is looked at: reading it must not show in a host's memory.
const MAX_BYTES: usize = 4 << 20;
/// How long a count holds.
const FRESH: Duration = Duration::from_secs(600);

/// How many clients of this user have a configuration with an entry that starts this program, or leads to
/// its gateway. Counted at most every ten minutes; the first count reads up to eleven small files.
pub fn configured_ide_count() -> u64 {
    static COUNTED: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    // Held while counting: two threads that ask at once read the files once.
    let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    match *counted {
        Some((at, count)) if at.elapsed() < FRESH => count,
        _ => {
            let count = Places::here().map_or(0, |places| count(&places));
            *counted = Some((Instant::now(), count));
            count
        }
    }
}

/// As [`configured_ide_count`], of these places, counted now.
pub fn count(places: &Places) -> u64 {
    let holds = |client: &&Client| client.files(places).iter().any(|path| holds_ours(client, path));
    CLIENTS.iter().filter(holds).count() as u64
}

fn holds_ours(client: &Client, path: &Path) -> bool {
    let Ok(Some(bytes)) = file::read(path, MAX_BYTES) else { return false };
    // Most files do not even name us, and need not be understood.
    if memchr::memmem::find(&bytes, document::ENTRY.as_bytes()).is_none() {
        return false;
    }
    document::servers(client, &bytes).is_ok_and(|servers| {
        servers.iter().any(|server| server.is_gateway() || server.is_wrapped())
    })
}
