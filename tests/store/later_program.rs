//! A later program: `tests/store/later.rs` builds it in a copy of the source whose records hold more.
//!
//! Arguments: the data directory, then what to do. Prints what it sees then, as one line.

use mcpproxy::activation::state::Pending;
use mcpproxy::activation::{Mark, Store};
use mcpproxy::paths::DataDir;

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let dir = DataDir::at(arguments.next().expect("a data directory"));
    let store = Store::open(&dir, now()).expect("a store");
    for what in arguments {
        act(&store, what.to_str().expect("text"));
    }
    let state = store.read().expect("a state");
    let pending = state.pending.as_ref();
    println!(
        "upstream={} errors={} calls={} last_error={:?} attempts={} pending={:?} clients={:?} \
         installer={} health={:?}",
        state.counters.upstream_tool_calls,
        state.counters.errors,
        state.discovery_calls.value(now()),
        state.install.last_error,
        state.sender.attempts,
        pending.map(|pending| (pending.counters.errors, pending.note.as_str())),
        state.funnel.clients,
        state.install.installer_pending,
        store.health(),
    );
}

fn act(store: &Store, what: &str) {
    match what {
        "call" => _ = store.record(Mark::UpstreamCall, now()),
        "discover" => {
            let mark = Mark::Discovery { indexed: Some(2), returned: Some(1) };
            store.record(mark, now());
        }
        "fail" => store
            .update(true, |state| {
                state.counters.errors += 1;
                state.sender.attempts += 1;
                state.install.last_error = "timeout".to_owned();
            })
            .expect("a change"),
        "assemble" => store
            .update(true, |state| {
                state.pending = Some(Pending {
                    bytes: b"of the later program".to_vec(),
                    counters: state.counters.known(),
                    note: "note".to_owned(),
                    ..Pending::default()
                });
            })
            .expect("a change"),
        other => panic!("what is {other}?"),
    }
}
