//! How often servers that cannot be connected are tried in a day, and what makes them be tried before.
//!
//! One rule: the clock is tokio's own, stopped: it goes on by itself, from timer to timer, when all tasks wait. So a day
//! takes a moment, and what is counted are the attempts of the supervisor itself.

use super::hub;
use crate::config::servers;
use crate::serve::hub::{Hub, Server, Status};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer than it takes to see that a program is another one.
const MOMENT: Duration = Duration::from_secs(6);

fn apply(hub: &Arc<Hub>, server: &Value) -> Arc<Server> {
    let entries = json!({"mcpServers": {"x": server}}).to_string();
    hub.apply(servers::parse(entries.as_bytes()).expect("entries"));
    hub.server("x").expect("a server")
}

/// How many attempts to connect have ended.
fn attempts(server: &Server) -> u64 {
    *server.attempts.borrow()
}

/// A port at which nothing listens for as long as the socket lives: it is bound, and takes no connections.
fn refused() -> (Value, tokio::net::TcpSocket) {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = socket.local_addr().expect("its address");
    (json!({"url": format!("http://{address}/mcp")}), socket)
}

fn write(file: &Path, text: &str, mode: u32) {
    std::fs::write(file, text).expect("a file");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("its mode");
}

#[tokio::test(start_paused = true)]
async fn a_missing_command_is_tried_once_a_day_and_at_once_when_it_changes() {
    let home = tempfile::tempdir().expect("a directory");
    let hub = hub(&home.path().join("data"), DAY);
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    std::fs::create_dir(&first).expect("a directory");
    std::fs::create_dir(&second).expect("a directory");
    let path =
        |dirs: &[&Path]| std::env::join_paths(dirs).expect("a list").into_string().expect("text");
    let entry = |path: String| json!({"command": "here-and-there", "env": {"PATH": path}});
    let server = apply(&hub, &entry(path(&[&first])));
    tokio::time::sleep(DAY).await;
    assert!(matches!(server.status(), Status::Parked(_)), "{:?}", server.status());
    assert_eq!(attempts(&server), 1, "it was tried again for nothing");

    // A call changes nothing about that: it is answered without another attempt.
    server.connect_now().await;
    tokio::time::sleep(DAY).await;
    assert_eq!(attempts(&server), 1, "a call had it tried");

    // The program comes, and then may be run. (What its first line names is missing: nothing is started here.)
    let program = first.join("here-and-there");
    write(&program, "#!/nonexistent/interpreter\n", 0o644);
    tokio::time::sleep(MOMENT).await;
    assert_eq!(attempts(&server), 2, "its program came");
    write(&program, "#!/nonexistent/interpreter\n", 0o755);
    tokio::time::sleep(MOMENT).await;
    assert_eq!(attempts(&server), 3, "its program may be run");
    tokio::time::sleep(DAY).await;
    assert_eq!(attempts(&server), 3, "it was tried again for nothing");

    // The environment in which it is looked for becomes another one: that is another entry.
    let changed = apply(&hub, &entry(path(&[&second, &first])));
    assert!(!Arc::ptr_eq(&server, &changed));
    tokio::time::sleep(DAY).await;
    assert_eq!((attempts(&server), attempts(&changed)), (3, 1));
    // The same entry is no change.
    let same = apply(&hub, &entry(path(&[&second, &first])));
    tokio::time::sleep(DAY).await;
    assert!(Arc::ptr_eq(&changed, &same) && attempts(&same) == 1);
    hub.close(DAY).await;
}

#[tokio::test(start_paused = true)]
async fn a_port_that_refuses_is_tried_at_most_20_times_a_day_and_at_once_for_a_call() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let home = tempfile::tempdir().expect("a directory");
    let hub = hub(&home.path().join("data"), DAY);
    let (entry, port) = refused();
    let server = apply(&hub, &entry);
    tokio::time::sleep(DAY).await;
    let Status::Waiting { why, .. } = server.status() else { panic!("{:?}", server.status()) };
    assert_eq!(why.code().as_str(), "MCPX_HTTP_REFUSED");
    let tried = attempts(&server);
    assert!((8..=20).contains(&tried), "{tried} attempts in a day");

    // The next attempt is hours away. (More than one call does not make more than one.)
    let began = tokio::time::Instant::now();
    tokio::join!(server.connect_now(), server.connect_now());
    assert_eq!(attempts(&server), tried + 1);
    assert!(began.elapsed() < MOMENT, "a call waited for {:?}", began.elapsed());

    // Another address is another entry, which is tried at once.
    let other =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let changed = apply(&hub, &json!({"url": format!("http://{other}/mcp")}));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(attempts(&changed), 1);
    assert_eq!(attempts(&server), tried + 1, "the old one goes on");
    drop(port);
    hub.close(DAY).await;
}
