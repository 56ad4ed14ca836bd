//! Many senders, slow senders, and a stop while they send.

use crate::running::{Client, Collector, PRODUCT, heartbeat, kept, now, request, wait_until};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Who says nothing for ten seconds is let go.
const LET_GO: Duration = Duration::from_secs(8);
const JSON: &str = "content-type: application/json\r\n";

#[test]
fn two_hundred_connections_at_once_are_all_answered() {
    const CONNECTIONS: u64 = 200;
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let (address, all) = (collector.address, Arc::new(Barrier::new(CONNECTIONS as usize)));
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|install| {
            let all = all.clone();
            std::thread::spawn(move || {
                let mut client = Client::connect(address).expect("a connection");
                all.wait();
                let today = now();
                let stored = |claimed| client.post(&heartbeat(install, claimed));
                [today, today + 1].map(stored).map(|answer| answer.expect("an answer"))
            })
        })
        .collect();
    for sender in senders {
        for answer in sender.join().expect("a sender") {
            assert!(answer.is_stored(), "{answer:?}");
        }
    }
    assert_eq!(kept(&collector.reader()), (200, 400));
}

#[test]
fn slow_senders_are_let_go_and_others_are_served() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let beat = heartbeat(1, now());
    let begun = Instant::now();
    let mut slow: Vec<Client> = (0..100)
        .map(|number| {
            let mut client = collector.connect();
            let whole = request(JSON, &beat);
            // Half a head, and a head with half a body.
            let part = if number % 2 == 0 { &whole[..40] } else { &whole[..whole.len() - 40] };
            client.send(part).expect("sent");
            client
        })
        .collect();
    assert!(collector.post(&beat).is_stored(), "an honest sender among slow ones");
    for client in &mut slow {
        // 408 to a body, or just the end: each is the end, long before the patience of this test.
        assert!(client.is_closed(), "after {:?}", begun.elapsed());
    }
    assert!(collector.post(&beat).is_duplicate());
    assert_eq!(kept(&collector.reader()), (1, 1));
}

/// A number of kB in a file of the process in /proc; `None` where there is no /proc.
fn status(pid: u32, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().ok()
}

/// How many connections of 10,000 this process may open.
fn allowed() -> usize {
    const WANTED: usize = 10_000;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    // Other tests run beside this one.
    let allowed = soft.unwrap_or(1_024).saturating_sub(600).min(WANTED);
    if allowed < WANTED {
        eprintln!("ONLY {allowed} of {WANTED} connections: `ulimit -n 12000` allows them all");
    }
    allowed
}

#[test]
fn ten_thousand_connections_that_hang_keep_no_honest_heartbeat_out() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::start(place.path());
    let whole = request(JSON, &heartbeat(0, now()));
    assert!(collector.post(&heartbeat(1, now())).is_stored());
    let before = status(collector.pid(), "VmRSS");
    let (mut hanging, many) = (Vec::new(), allowed());
    let (mut began, mut is_fast) = (Instant::now(), false);
    for number in 0..many {
        let mut client = collector.connect();
        // Nothing, half a head, a head, a head with half a body.
        let part = match number % 4 {
            0 => 0,
            1 => 40,
            2 => whole.len() - heartbeat(0, now()).len(),
            _ => whole.len() - 40,
        };
        // It may have been let go already.
        let _ = client.send(&whole[..part]);
        hanging.push(client);
        if number % 1_000 == 999 {
            // More than there are places for, before the first of them has hung for too long.
            is_fast = is_fast || number > 1_000 && began.elapsed() < LET_GO;
            began = Instant::now();
            let install = number as u64;
            let answer = collector.post(&heartbeat(install, now()));
            assert!(answer.is_stored(), "among {number}: {answer:?}");
        }
    }
    // Who hangs is let go after 10 s anyway: that honest ones were stored does not say that they had to wait for it.
    // A machine so slow that they go by themselves shows nothing of it; `places.rs` does.
    let metrics = collector.get("/metrics").body;
    let given_away = metrics
        .lines()
        .find_map(|line| line.strip_prefix("mcpproxy_collector_connections_given_away_total "))
        .and_then(|number| number.parse::<u64>().ok());
    assert!(!is_fast || given_away > Some(0), "{given_away:?} of {many} gave their place away");
    let honest: Vec<_> = (20_000..20_020).map(|install| (collector.connect(), install)).collect();
    for (mut client, install) in honest {
        let answer = client.post(&heartbeat(install, now())).expect("an answer");
        assert!(answer.is_stored(), "{answer:?}");
    }
    if let (Some(before), Some(after)) = (before, status(collector.pid(), "VmRSS")) {
        assert!(after < before + (64 << 10), "{before} kB, and {after} kB with all of them");
    }
    if let Ok(files) = std::fs::read_dir(format!("/proc/{}/fd", collector.pid())) {
        let files = files.count();
        assert!(files < 1_000, "{files} open files");
    }
    drop(hanging);
    assert!(collector.post(&heartbeat(2, now())).is_stored());
}

#[test]
fn a_stop_answers_what_it_has_accepted() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut collector = Collector::start(place.path());
    let mut clients: Vec<(Client, Vec<u8>)> = (0..50)
        .map(|install| {
            let (mut client, beat) = (collector.connect(), heartbeat(install, now()));
            let length = beat.len();
            let head = format!(
                "POST /heartbeat HTTP/1.1\r\nhost: x\r\n{JSON}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
            );
            // It says that it waits for the body: the request is accepted.
            let waits = client.ask(head.as_bytes()).expect("an answer");
            assert_eq!(waits.code, 100);
            (client, beat)
        })
        .collect();
    collector.ask_to_stop();
    wait_until("no new connection is taken", || Client::connect(collector.address).is_err());
    for (client, beat) in &mut clients {
        client.send(beat).expect("sent");
    }
    for (client, _) in &mut clients {
        let answer = client.answer().expect("an answer");
        assert!(answer.is_stored(), "{answer:?}");
    }
    assert!(collector.ended().success());
    assert_eq!(kept(&collector.reader()), (50, 50));
}

#[test]
fn both_families_of_addresses_are_listened_on() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        skipped!("both families of addresses: this machine has no IPv6");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut command = crate::running::program();
    command
        .args([
            "collector",
            "--ephemeral",
            "--listen",
            "[::]:0",
            "--product",
            PRODUCT,
            "--data-dir",
        ])
        .arg(place.path());
    let collector = Collector::spawn(command, place.path());
    let port = collector.address.port();
    for (install, address) in [(1, format!("127.0.0.1:{port}")), (2, format!("[::1]:{port}"))] {
        let mut client = Client::connect(address.parse().expect("an address")).expect("it listens");
        let answer = client.post(&heartbeat(install, now())).expect("an answer");
        assert!(answer.is_stored(), "{address}: {answer:?}");
    }
}

#[test]
fn both_families_are_listened_on_where_the_system_would_give_one() {
    let place = tempfile::tempdir().expect("a temporary directory");
    // A network of its own, in which `[::]` is IPv6 alone by default.
    let script = "ip link set lo up && echo 1 >/proc/sys/net/ipv6/bindv6only && exec \"$@\"";
    let can = Command::new("unshare").args(["--net", "sh", "-c", script, "sh", "true"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        skipped!(
            "both families where the system would give one: no network of its own (root, iproute2)"
        );
        return;
    }
    let mut command = Command::new("unshare");
    command
        .args(["--net", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_mcpproxy"), "collector"])
        .args(["--ephemeral", "--listen", "[::]:0", "--product", PRODUCT, "--data-dir"])
        .arg(place.path());
    let collector = Collector::spawn(command, place.path());
    for address in ["127.0.0.1", "::1"] {
        let port = collector.address.port();
        let ask = format!(
            "exec 3<>/dev/tcp/{address}/{port}; printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        );
        let target = collector.pid().to_string();
        let output = Command::new("nsenter")
            .args(["--net", "--target", &target, "bash", "-c", &ask])
            .output()
            .expect("nsenter");
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(answer.starts_with("HTTP/1.0 200"), "{address}: {answer} {output:?}");
    }
}
