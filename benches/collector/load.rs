//! Heartbeats, and a client that costs little: one thread writes to many connections, then reads from all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Threads that send.
const THREADS: usize = 2;

/// Whole requests, each the first heartbeat of another install.
pub fn bodies(part: u64, count: usize) -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let at = mcpproxy::contract::timestamp::format(now);
    let day = mcpproxy::contract::timestamp::format(now / 86_400 * 86_400);
    let one = |number: usize| {
        let body = format!(
            r#"{{"schema_version":4,"anonymous_id":"1b4e28ba-2fa1-4d3b-883f-{part:04x}{number:08x}","env_kind":"interactive","env_markers":{{"has_ci_env":false,"has_cloud_ide_env":false,"is_container":false,"has_tty":true,"has_display":false}},"launch_source":"cli","autostart_enabled":null,"activation":{{"first_connected_server_ever":true,"first_mcp_client_ever":true,"first_retrieve_tools_call_ever":false,"first_real_tool_call_ever":true,"mcp_clients_seen_ever":["claude-code"],"retrieve_tools_calls_24h":0,"estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0}},"version":"v0.1.0","edition":"personal","os":"linux","arch":"amd64","server_count":1,"timestamp":"{at}","anonymous_id_created_at":"{day}","product":{{"name":"notes-mcp","version":"1.4.0"}},"agent_env":"none","carried_over":false,"days_since_install":0,"active_days_30d":1,"previous_shutdown":"clean","surface_requests":{{"mcp":1,"cli":0,"webui":0,"tray":0,"unknown":0}}}}"#
        );
        let head = format!(
            "POST /heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    };
    (0..count).map(one).collect()
}

/// Sends all of them, and how long each waited for its acknowledgement.
pub fn send(to: SocketAddr, connections: usize, bodies: &[Vec<u8>]) -> (Duration, Vec<Duration>) {
    let threads = THREADS.min(connections);
    let shares = bodies.chunks(bodies.len().div_ceil(threads));
    let each = connections / threads;
    let started = Instant::now();
    let times = std::thread::scope(|scope| {
        let sending: Vec<_> =
            shares.map(|share| scope.spawn(move || send_share(to, each, share))).collect();
        sending.into_iter().flat_map(|thread| thread.join().expect("answers")).collect()
    });
    (started.elapsed(), times)
}

fn send_share(to: SocketAddr, connections: usize, bodies: &[Vec<u8>]) -> Vec<Duration> {
    let connect = |_| {
        let stream = TcpStream::connect(to).expect("a connection");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
        stream
    };
    let mut streams: Vec<TcpStream> = (0..connections).map(connect).collect();
    let mut times = Vec::with_capacity(bodies.len());
    for round in bodies.chunks(connections) {
        let mut sent = Vec::with_capacity(connections);
        for (stream, body) in streams.iter_mut().zip(round) {
            sent.push(Instant::now());
            stream.write_all(body).expect("a request");
        }
        for (stream, sent) in streams.iter_mut().zip(sent) {
            let answer = answer(stream);
            let text = String::from_utf8_lossy(&answer);
            assert!(text.ends_with(r#"{"stored":true}"#), "{text}");
            times.push(sent.elapsed());
        }
    }
    times
}

/// One answer, to the end of its body.
fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    let mut some = [0; 1024];
    loop {
        let count = stream.read(&mut some).expect("an answer");
        assert!(count > 0, "the connection was closed");
        bytes.extend_from_slice(&some[..count]);
        if bytes.ends_with(b"}") && bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            return bytes;
        }
    }
}
