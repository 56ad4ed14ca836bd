//! A running `mcpproxy serve`, and how it is asked without any SDK.

use crate::session::{Home, MCPPROXY, happens, signal, wait};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

/// Longer than the gateway waits for calls and servers when it is asked to stop.
const FAREWELL: Duration = Duration::from_secs(30);

/// An HTTP answer.
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, parsed.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// One request to a loopback address; `head` is request line and headers without `Host`.
pub fn ask(address: &str, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).expect("connect to the gateway");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("send the request");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("read the answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = bytes.split_off(end + 4);
    assert!(!head.to_lowercase().contains("transfer-encoding"), "the body is in chunks");
    Answer { code, body }
}

/// The config of a gateway in front of these servers; it sends to nobody.
pub fn config(servers: &Value) -> String {
    json!({ "telemetry": { "endpoint": "http://127.0.0.1:9" }, "mcpServers": servers }).to_string()
}

/// `command` as an entry of `mcpServers`.
pub fn entry(command: &[OsString]) -> Value {
    let words: Vec<&str> = command.iter().map(|word| word.to_str().expect("UTF-8")).collect();
    // Where every core is busy, Python alone may take longer than the usual half minute to start.
    json!({ "command": words[0], "args": words[1..], "startup_timeout_sec": 120 })
}

/// A gateway that listens on a loopback port. Ended when dropped.
pub struct Gateway {
    /// Where it lives.
    pub home: Home,
    /// Its process id.
    pub pid: u32,
    /// `127.0.0.1:PORT`
    pub address: String,
    /// What the page is opened with.
    pub page: String,
    shell: Child,
}

impl Gateway {
    /// Starts one in `home` and waits until it says where it listens.
    pub fn start(home: Home, exports: &[(&str, &str)]) -> Gateway {
        let pid_file = home.root().join("gateway.pid");
        // The shell becomes the gateway; the shells above it (the shelter) only wait.
        let became = ["sh", "-c", "echo $$ >\"$0\"; exec \"$@\""];
        let mut command: Vec<OsString> = became.map(OsString::from).to_vec();
        command.push(pid_file.clone().into());
        command.extend([MCPPROXY, "serve", "--listen", "127.0.0.1:0"].map(OsString::from));
        let log = std::fs::File::create(home.root().join("gateway.log")).expect("a log");
        let mut shell = home.shell(exports, &command);
        let mut shell = shell.stdout(Stdio::piped()).stderr(log).spawn().expect("start a gateway");
        let mut said = BufReader::new(shell.stdout.take().expect("piped")).lines();
        let mut value_of = |what: &str| {
            let line = said.next().and_then(Result::ok).unwrap_or_default();
            let value = line.strip_prefix(what).map(|value| value.trim().to_owned());
            value.unwrap_or_else(|| panic!("{what} is not announced: {line}; {}", log_of(&home)))
        };
        let mcp = value_of("MCP over HTTP:");
        let page = value_of("Status page:");
        let address = mcp.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
        let pid = std::fs::read_to_string(pid_file).expect("its pid");
        Gateway { pid: pid.trim().parse().expect("a number"), home, address, page, shell }
    }

    /// Starts one in front of these servers and waits until each was tried.
    pub fn before(servers: &Value) -> Gateway {
        let gateway = Gateway::start(Home::with_config(&config(servers)), &[]);
        let settled = || gateway.servers().iter().all(|server| server["state"] != "connecting");
        assert!(happens(settled), "not settled: {:?}; {}", gateway.servers(), gateway.log());
        gateway
    }

    /// The same where each must be connected.
    pub fn connected_to(servers: &Value) -> Gateway {
        let gateway = Gateway::start(Home::with_config(&config(servers)), &[]);
        let connected = || gateway.servers().iter().all(|server| server["state"] == "connected");
        let is_connected = happens(connected) || happens(connected);
        assert!(is_connected, "{:?}; {}", gateway.servers(), gateway.log());
        gateway
    }

    /// `http://127.0.0.1:PORT/mcp`
    pub fn mcp(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// The API key.
    pub fn key(&self) -> &str {
        self.page.split_once("#key=").expect("the key in the fragment").1
    }

    /// `GET path` of the API with the key.
    pub fn get(&self, path: &str) -> Value {
        let head = format!("GET {path} HTTP/1.1\r\nX-API-Key: {}", self.key());
        let answer = ask(&self.address, &head, "");
        assert_eq!(answer.code, 200, "{path}");
        let body = answer.json();
        assert_eq!(body["success"], true, "{body}");
        body["data"].clone()
    }

    /// What the status says of the servers.
    pub fn servers(&self) -> Vec<Value> {
        self.get("/api/v1/status")["servers"].as_array().expect("a list").clone()
    }

    /// What the status says of one server.
    pub fn server(&self, name: &str) -> Value {
        let all = self.servers();
        all.into_iter().find(|server| server["name"] == name).unwrap_or_default()
    }

    /// What it wrote on standard error.
    pub fn log(&self) -> String {
        log_of(&self.home)
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        signal("TERM", &self.pid.to_string());
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait(&mut self.shell, FAREWELL);
        status.unwrap_or_else(|| panic!("it does not stop: {}", self.log()))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if self.shell.try_wait().is_ok_and(|status| status.is_none()) && is_alive(self.pid) {
            signal("TERM", &self.pid.to_string());
            let _ = wait(&mut self.shell, FAREWELL);
        }
    }
}

fn log_of(home: &Home) -> String {
    std::fs::read_to_string(home.root().join("gateway.log")).unwrap_or_default()
}

/// Whether there is such a process, and it is no zombie.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// The living children of a process, by their ids.
pub fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("this needs /proc");
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, parent)| parent == of && state != "Z"))
        .collect()
}

/// The command line of a process.
pub fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(String, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
