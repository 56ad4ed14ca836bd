//! A running collector, an HTTP client that does as it is told, and heartbeats.

use crate::engine;
use mcpproxy::collector::store::{Location, Reader};
use mcpproxy::contract::timestamp;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longer than anything takes on a slow machine: what hangs fails, and nothing else is timed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The product of the heartbeats here.
pub const PRODUCT: &str = "notes-mcp";

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// The program, with nothing of the developer's environment but the search path.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcpproxy"));
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// `mcpproxy collector` with these arguments, to its end.
pub fn collector(dir: &Path, words: &[&str]) -> Output {
    let mut command = program();
    command.arg("collector").args(words).arg("--data-dir").arg(dir);
    on_its_engine(&mut command, dir).output().expect("the built command")
}

/// Whether the rows of a directory are on a server: what is said of a file is not tested there.
pub fn is_on_a_server(dir: &Path) -> bool {
    engine::of(dir).is_some()
}

/// The same command, with the rows of the directory where they are.
pub fn on_its_engine<'c>(command: &'c mut Command, dir: &Path) -> &'c mut Command {
    command.envs(engine::of(dir).map(|(address, _)| ("MCPPROXY_COLLECTOR_DATABASE", address)))
}

/// A collector that receives.
pub struct Collector {
    child: Child,
    pub address: SocketAddr,
    pub dir: PathBuf,
    scheme: String,
    base: String,
}

impl Collector {
    /// Starts one that receives [`PRODUCT`] and `mcpproxy` in the directory `dir`.
    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &["--product", PRODUCT, "--product", "mcpproxy"], &[])
    }

    pub fn start_with(dir: &Path, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = program();
        command
            .args(["collector", "--ephemeral", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir)
            .args(words)
            .envs(variables.iter().copied());
        Self::spawn(command, dir)
    }

    /// Waits until the collector that `command` starts has said where it receives.
    pub fn spawn(mut command: Command, dir: &Path) -> Self {
        on_its_engine(&mut command, dir);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the built command");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("Receiving heartbeats at ").unwrap_or_default();
        let rest = url.split_once("://").and_then(|(scheme, rest)| {
            rest.split_once('/').map(|(address, path)| (scheme, address, path))
        });
        let (scheme, address, path) = rest.unwrap_or_else(|| panic!("{line:?}"));
        let base = path.strip_suffix("heartbeat").expect("the path of heartbeats");
        Self {
            child,
            address: address.parse().expect("an address"),
            dir: dir.to_owned(),
            scheme: scheme.to_owned(),
            base: format!("/{}", base.trim_end_matches('/')).trim_end_matches('/').to_owned(),
        }
    }

    /// The same for one that says it in its log alone, which goes to the file `log`.
    pub fn spawn_quiet(mut command: Command, dir: &Path, log: &Path) -> Self {
        on_its_engine(&mut command, dir);
        let child = command.stdout(Stdio::null()).spawn().expect("the built command");
        let address = || {
            let text = std::fs::read_to_string(log).ok()?;
            text.split_once("http://")?.1.split_once('/')?.0.parse().ok()
        };
        wait_until("it says where it receives", || address().is_some());
        let address = address().expect("an address");
        Self { child, address, dir: dir.to_owned(), scheme: "http".to_owned(), base: String::new() }
    }

    /// `MCPPROXY_TELEMETRY_ENDPOINT` of its clients.
    pub fn endpoint(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, self.base)
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address).expect("a connection")
    }

    /// The answer to a heartbeat over a connection of its own.
    pub fn post(&self, body: &[u8]) -> Answer {
        self.connect().post(body).expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        self.connect().ask(request.as_bytes()).expect("an answer")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and the end of the process.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("its end");
    }

    /// Asks it to stop.
    pub fn ask_to_stop(&self) {
        signal(self.pid(), "TERM");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        self.ask_to_stop();
        self.ended()
    }

    pub fn ended(&mut self) -> ExitStatus {
        crate::endure::end_within(&mut self.child, PATIENCE).expect("it ends")
    }

    pub fn reader(&self) -> Reader {
        let server = engine::of(&self.dir).map(|(_, server)| server);
        Reader::open(&Location { dir: self.dir.clone(), server }).expect("its database")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub fn signal(pid: u32, name: &str) {
    let kill = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(kill.expect("the command kill").success());
}

/// The clock of a collector, which stands still until it is set.
pub struct StoppedClock(PathBuf);

impl StoppedClock {
    /// Kept in `file`.
    pub fn at(file: PathBuf, seconds: u64) -> Self {
        let clock = Self(file);
        clock.set(seconds);
        clock
    }

    pub fn set(&self, seconds: u64) {
        std::fs::write(&self.0, seconds.to_string()).expect("a file");
    }

    /// Starts a collector by it.
    pub fn variable(&self) -> (&'static str, &str) {
        ("MCPPROXY_TEST_CLOCK_FILE", self.0.to_str().expect("text"))
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn is_stored(&self) -> bool {
        (self.code, self.body.as_str()) == (200, r#"{"stored":true}"#)
    }

    pub fn is_duplicate(&self) -> bool {
        (self.code, self.body.as_str()) == (200, r#"{"stored":false,"duplicate":true}"#)
    }
}

/// Bytes in both directions: plain, or through TLS.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// One connection.
pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// HTTP over this.
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    pub fn post(&mut self, body: &[u8]) -> io::Result<Answer> {
        self.post_as("content-type: application/json\r\n", body)
    }

    /// With these headers beside `Host` and `Content-Length`.
    pub fn post_as(&mut self, headers: &str, body: &[u8]) -> io::Result<Answer> {
        self.ask(&request(headers, body))
    }

    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The next answer on this connection.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(gone)?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if !line.ends_with('\n') {
                return Err(gone());
            }
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { code, headers, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body)?;
        answer.body = String::from_utf8(body).map_err(io::Error::other)?;
        Ok(answer)
    }

    /// All that comes until the other side closes, or has nothing to say for [`PATIENCE`].
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // What came before an error counts.
        let _ = self.stream.read_to_end(&mut rest);
        rest
    }

    /// Whether the other side closes.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
            }
        }
    }
}

/// A whole request.
pub fn request(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("POST /heartbeat HTTP/1.1\r\nhost: x\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The id of an install.
pub fn id(install: u64) -> String {
    format!("1b4e28ba-2fa1-4d3b-883f-{install:012x}")
}

/// A heartbeat of [`PRODUCT`], schema 4, with one request over MCP in its counts.
pub fn heartbeat(install: u64, claimed: u64) -> Vec<u8> {
    heartbeat_of(PRODUCT, install, claimed)
}

pub fn heartbeat_of(product: &str, install: u64, claimed: u64) -> Vec<u8> {
    let v3 = String::from_utf8(heartbeat_v3(install, claimed)).expect("text");
    let day = timestamp::format(claimed / 86_400 * 86_400);
    let v4 = v3
        .replace(r#""schema_version":3"#, r#""schema_version":4"#)
        .replace(
            r#""mcp_clients_seen_ever""#,
            r#""first_real_tool_call_ever":true,"mcp_clients_seen_ever""#,
        )
        .replace(
            r#""surface_requests""#,
            &format!(
                r#""anonymous_id_created_at":"{day}","product":{{"name":"{product}","version":"1.4.0"}},"agent_env":"none","carried_over":false,"days_since_install":0,"active_days_30d":1,"previous_shutdown":"clean","surface_requests""#
            ),
        );
    v4.into_bytes()
}

/// A heartbeat of schema 3.
pub fn heartbeat_v3(install: u64, claimed: u64) -> Vec<u8> {
    let (id, at) = (id(install), timestamp::format(claimed));
    format!(
        r#"{{"schema_version":3,"anonymous_id":"{id}","env_kind":"interactive","env_markers":{{"has_ci_env":false,"has_cloud_ide_env":false,"is_container":false,"has_tty":true,"has_display":false}},"launch_source":"cli","autostart_enabled":null,"activation":{{"first_connected_server_ever":true,"first_mcp_client_ever":true,"first_retrieve_tools_call_ever":false,"mcp_clients_seen_ever":["claude-code"],"retrieve_tools_calls_24h":0,"estimated_tokens_saved_24h_bucket":"0","configured_ide_count":0}},"version":"v0.1.0","edition":"personal","os":"linux","arch":"amd64","server_count":1,"timestamp":"{at}","surface_requests":{{"mcp":1,"cli":0,"webui":0,"tray":0,"unknown":0}}}}"#
    )
    .into_bytes()
}

/// Installs of [`PRODUCT`], and what their deltas add up to: the number of heartbeats that count.
pub fn kept(reader: &Reader) -> (usize, u64) {
    let rows = reader.rows(PRODUCT).expect("rows");
    let days = reader.days(PRODUCT).expect("days");
    (rows.len(), days.iter().map(|(_, day)| day.deltas[0]).sum())
}

/// Waits until `is_so`.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < give_up, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
