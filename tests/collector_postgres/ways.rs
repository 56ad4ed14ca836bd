//! The ways to a server: with a password and TLS, to the one of several that can be written, through a pooler.

use crate::running::{PRODUCT, heartbeat, kept, now, program, wait_until};
use crate::server::{Programs, Server, USER, free_port, owned, signal, skip, versions};
use crate::together::{key, reader, start};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collector/certificates").join(name)
}

fn oldest() -> Option<Programs> {
    versions().into_iter().next()
}

#[test]
fn a_password_and_a_certificate_are_checked_and_neither_is_told() {
    let place = tempfile::tempdir().expect("a directory");
    for programs in versions() {
        let Some(mut server) = Server::start(&programs) else { continue };
        server.sql("fleet", &format!("ALTER USER {USER} PASSWORD 'hunter:2'"));
        for (name, file) in [("first.pem", "server.crt"), ("first.key", "server.key")] {
            server.add(file, &fs::read(fixture(name)).expect("a certificate"));
        }
        server.add("pg_hba.conf", b"hostssl all all 127.0.0.1/32 scram-sha-256\n");
        server.restart_with(&["-c", "ssl=on"]);
        let roots = fixture("authority.pem");
        let base = format!("postgres://{USER}@localhost:{}/fleet", server.port);
        let trusting = format!("{base}?sslmode=verify-full&sslrootcert={}", roots.display());
        let run = |address: &str, variables: &[(&str, &str)]| {
            let mut command = program();
            command.args(["collector", "product", "add", PRODUCT, "--ephemeral", "--data-dir"]);
            command.arg(place.path()).args(["--database", address]).envs(variables.iter().copied());
            let output = command.output().expect("the built command");
            let text = String::from_utf8(output.stderr).expect("text");
            assert!(!text.contains("hunter"), "{text}");
            (output.status.success(), text)
        };
        let right = ("PGPASSWORD", "hunter:2");
        let (_, text) = run(&trusting, &[]);
        assert!(text.contains("the user or the password"), "{text}");
        let (_, text) = run(&trusting, &[("PGPASSWORD", "hunter3")]);
        assert!(text.contains("the user or the password"), "{text}");
        let (_, text) = run(&format!("{base}?sslmode=verify-full"), &[right]);
        assert!(text.contains("its certificate is not trusted"), "{text}");
        // The certificate is of this name, not of every name that leads here.
        let elsewhere = trusting.replace("@localhost", "@other.example.org");
        let (_, text) = run(&format!("{elsewhere}&hostaddr=127.0.0.1"), &[right]);
        assert!(text.contains("its certificate is not trusted"), "{text}");
        // The server wants TLS.
        assert!(!run(&base, &[right]).0);

        let (is_done, text) = run(&trusting, &[right]);
        assert!(is_done, "{text}");
        let file = place.path().join("passwords");
        fs::write(&file, "localhost:*:fleet:*:hunter\\:2\n").expect("a file");
        let variables = [("PGPASSFILE", file.to_str().expect("text"))];
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
        assert!(!run(&trusting, &variables).0, "others may read it");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
        let (is_done, text) = run(&trusting, &variables);
        assert!(is_done, "{text}");
    }
}

#[test]
fn of_several_hosts_the_one_that_can_be_written_is_taken() {
    let Some(programs) = oldest() else { return };
    let Some(standby) = Server::start_with(&programs, &["-c", "default_transaction_read_only=off"])
    else {
        return;
    };
    standby.sql("fleet", "ALTER DATABASE fleet SET default_transaction_read_only = on");
    let Some(primary) = Server::start(&programs) else { return };
    let place = tempfile::tempdir().expect("a directory");
    let (dead, first, second) = (free_port(), standby.port, primary.port);
    let address =
        format!("postgres://{USER}@127.0.0.1:{dead},127.0.0.1:{first},127.0.0.1:{second}/fleet");
    let collector = start(place.path(), &address, &key(place.path()));
    assert!(collector.post(&heartbeat(1, now())).is_stored());
    collector.stop();
    assert_eq!(kept(&reader(&primary.address("fleet"))), (1, 1));
}

/// pgbouncer, until it is dropped.
struct Bouncer(Child);

impl Drop for Bouncer {
    fn drop(&mut self) {
        signal(&self.0, "INT");
        let _ = self.0.wait();
    }
}

#[test]
fn through_a_pooler_that_gives_each_transaction_another_session() {
    let bouncer = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
        .into_iter()
        .find(|one| Path::new(one).is_file());
    let Some(bouncer) = bouncer else {
        return skip("there is no pgbouncer (apt install pgbouncer)");
    };
    let Some(programs) = oldest() else { return };
    let Some(server) = Server::start(&programs) else { return };
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    owned(place.path());
    let (port, behind) = (free_port(), server.port);
    let log = place.path().join("log");
    fs::write(
        place.path().join("pgbouncer.ini"),
        format!(
            "[databases]\nfleet = host=127.0.0.1 port={behind} dbname=fleet user={USER}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nserver_round_robin = 1\nlogfile = {}\n",
            log.display()
        ),
    )
    .expect("a configuration");
    let mut command = Command::new(bouncer);
    command.arg(place.path().join("pgbouncer.ini")).stdout(Stdio::null()).stderr(Stdio::null());
    crate::server::as_nobody(&mut command);
    let running = Bouncer(command.spawn().expect("pgbouncer"));
    wait_until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

    let address = &format!("postgres://{USER}@127.0.0.1:{port}/fleet");
    let key = &key(place.path());
    let collectors = ["one", "other"].map(|name| start(&place.path().join(name), address, key));
    let (installs, at) = (60_u64, now());
    std::thread::scope(|scope| {
        for (number, collector) in collectors.iter().chain(&collectors).enumerate() {
            scope.spawn(move || {
                let mut client = collector.connect();
                for n in (0..installs).filter(|n| (n + number as u64).is_multiple_of(2)) {
                    let answer = client.post(&heartbeat(n, at)).expect("an answer");
                    assert!(answer.is_stored() || answer.is_duplicate(), "{answer:?}");
                }
            });
        }
    });
    assert_eq!(kept(&reader(address)), (installs as usize, installs));
    for collector in collectors {
        assert!(collector.stop().success());
    }
    drop(running);
    let said = fs::read_to_string(&log).unwrap_or_default();
    assert!(!said.contains("prepared statement"), "{said}");
}
