//! A panic that ends the process is noted while it does.
//!
//! One rule: no panic waits longer than [`PATIENCE`], and none is kept from its end or from what it says.
//!
//! Where panics unwind nothing is installed: they may be caught, and a host that they end drops its
//! telemetry on the way. Where they abort nothing is dropped, so a hook goes before the one that is there.

use crate::activation::Ending;
use crate::heartbeat::session::Session;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak, mpsc};
use std::time::Duration;

/// The store's deadline, and as much for all else.
const PATIENCE: Duration = Duration::from_millis(100);

/// The hosts of this process: one, as a rule.
static HOSTS: Mutex<Vec<Weak<Session>>> = Mutex::new(Vec::new());
static NOTED: AtomicBool = AtomicBool::new(false);

/// A panic is a crash of this host from now on.
pub fn watch(session: &Arc<Session>) {
    // Who starts a host while unwinding cannot set a hook either.
    if cfg!(not(panic = "abort")) || std::thread::panicking() {
        return;
    }
    remember(session);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            note();
            before(panic);
        }));
    });
}

fn remember(session: &Arc<Session>) {
    let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    hosts.retain(|host| host.strong_count() > 0);
    hosts.push(Arc::downgrade(session));
}

/// Notes the crash of every host, once. The thread that panics may hold any lock: it takes none itself.
fn note() {
    if NOTED.swap(true, Ordering::AcqRel) {
        return;
    }
    let Ok(hosts) = HOSTS.try_lock() else { return };
    let hosts: Vec<_> = hosts.iter().filter_map(Weak::upgrade).collect();
    let (done, noted) = mpsc::channel();
    let writer = std::thread::Builder::new().name("mcpproxy-crash".into()).spawn(move || {
        hosts.iter().for_each(|host| host.withdraw(Some(Ending::Crash)));
        let _ = done.send(());
    });
    if writer.is_ok() {
        let _ = noted.recv_timeout(PATIENCE);
    }
}
