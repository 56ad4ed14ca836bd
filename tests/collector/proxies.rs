//! Behind nginx, with the configuration that the documentation shows.

use crate::running::{Collector, PATIENCE, PRODUCT, heartbeat, kept, now, program, wait_until};
use crate::tls::{Files, client, fixture};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// nginx, until it is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        crate::running::signal(self.0.id(), "TERM");
        let _ = crate::endure::end_within(&mut self.0, PATIENCE);
        let _ = self.0.kill();
    }
}

fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join("nginx")).find(|file| file.is_file())
}

/// The `server` block of the documentation, with other ports and another certificate.
fn documented(listen: u16, upstream: SocketAddr, files: &Files) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/collector/proxies.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let block = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut block = block.expect("a block for nginx").to_owned();
    let path = |path: &Path| path.to_str().expect("text").to_owned();
    for (from, to) in [
        ("listen 443 ssl;", format!("listen 127.0.0.1:{listen} ssl;")),
        ("http://127.0.0.1:8787", format!("http://{upstream}")),
        ("/etc/letsencrypt/live/t.example.org/fullchain.pem", path(&files.certificate)),
        ("/etc/letsencrypt/live/t.example.org/privkey.pem", path(&files.key)),
    ] {
        assert_eq!(block.matches(from).count(), 1, "{from}");
        block = block.replace(from, &to);
    }
    block
}

fn start(program: &Path, dir: &Path, server: &str) -> Nginx {
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        temporary.push_str(&format!("{kind}_temp_path {kind};\n"));
    }
    let configuration = format!(
        "worker_processes 1;\npid nginx.pid;\nerror_log error.log;\ndaemon off;\n\
         events {{ worker_connections 512; }}\nhttp {{\naccess_log access.log;\n{temporary}{server}}}\n"
    );
    std::fs::write(dir.join("nginx.conf"), configuration).expect("a configuration");
    let mut command = Command::new(program);
    command.arg("-p").arg(dir).args(["-e", "error.log", "-c", "nginx.conf"]);
    Nginx(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx"))
}

#[test]
fn the_documented_nginx_passes_on_what_it_must_and_hides_nobody() {
    let Some(nginx) = nginx() else {
        skipped!("a collector behind nginx: nginx is not installed");
        return;
    };
    let place = tempfile::tempdir().expect("a temporary directory");
    let files = Files::new(place.path());
    let words = ["--product", PRODUCT, "--base-path", "/telemetry", "--trusted-proxy", "127.0.0.1"];
    let collector = Collector::start_with(&place.path().join("data"), &words, &[]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let server = documented(port.port(), collector.address, &files);
    let running = start(&nginx, place.path(), &server);
    wait_until("nginx listens", || TcpStream::connect(port).is_ok());

    let endpoint = format!("https://127.0.0.1:{}/telemetry", port.port());
    let authority = fixture("authority.pem");
    let output = program()
        .args(["collector", "doctor", &endpoint, "--product", PRODUCT, "--ca"])
        .arg(&authority)
        .output()
        .expect("the built command");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("fail") && !text.contains("warn"), "{text}");
    assert_eq!(kept(&collector.reader()), (0, 0), "nothing stays behind");

    // Pages and their links, below the path; the cookie is for TLS alone.
    let key = std::fs::read_to_string(place.path().join("data/pages.key")).expect("a key");
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t.example.org\r\n\r\n");
        client(port).ask(request.as_bytes()).expect("an answer")
    };
    let entered = get(&format!("/telemetry/?key={}", key.trim()));
    assert_eq!((entered.code, entered.header("location")), (303, Some("./")));
    assert!(entered.header("set-cookie").is_some_and(|cookie| cookie.ends_with("; Secure")));
    assert_eq!(get("/telemetry").code, 301);
    assert_eq!(get("/telemetry/metrics").code, 401);
    assert_eq!(get(&format!("/telemetry/metrics?key={}", key.trim())).code, 200);
    assert!(get("/telemetry/privacy").body.contains("https://t.example.org/telemetry"));

    // Its own network is limited for some seconds, so this one goes to the collector itself.
    let beat = heartbeat(1, now());
    let head = format!(
        "POST /telemetry/heartbeat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        beat.len()
    );
    let answer = collector.connect().ask(&[head.as_bytes(), &beat].concat()).expect("an answer");
    assert!(answer.is_stored(), "{answer:?}");
    drop(running);
    let log = std::fs::read_to_string(place.path().join("access.log")).unwrap_or_default();
    assert_eq!(log, "", "no address is logged");
}
