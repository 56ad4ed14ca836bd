//! A real HTTP receiver on loopback that answers as it is told, hangs, or hangs up.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /heartbeat HTTP/1.1`
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of one header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What to do with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status with headers and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// A status with a body.
    Body(u16, String),
    /// Read the request and never answer.
    Hang,
    /// Read the request and close.
    HangUp,
    /// Answer with 202 once the gate is opened.
    WaitForGate,
    /// Answer with something that is not HTTP.
    Garbage,
}

impl Reply {
    /// A bare status.
    pub fn status(code: u16) -> Self {
        Self::Status(code, Vec::new())
    }
}

#[derive(Default)]
struct Inner {
    requests: Vec<Request>,
    connections: usize,
    script: VecDeque<Reply>,
    erases: bool,
    gate_open: bool,
    held: Vec<TcpStream>,
}

/// The receiver; its threads end with the test process.
#[derive(Clone)]
pub struct Receiver {
    inner: Arc<(Mutex<Inner>, Condvar)>,
    port: u16,
}

impl Receiver {
    /// Answers by `script`, then with 202.
    pub fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let inner = Inner { script: script.into_iter().collect(), ..Inner::default() };
        let receiver = Self { inner: Arc::new((Mutex::new(inner), Condvar::new())), port };
        let serving = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        receiver
    }

    /// What `MCPPROXY_TELEMETRY_ENDPOINT` is set to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on every `DELETE` is answered with 204, whatever the script says.
    pub fn erase(&self) {
        self.inner.0.lock().expect("unpoisoned").erases = true;
    }

    /// The port alone.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.0.lock().expect("unpoisoned").requests.clone()
    }

    /// Connections so far, with or without a request.
    pub fn connections(&self) -> usize {
        self.inner.0.lock().expect("unpoisoned").connections
    }

    /// Lets every [`Reply::WaitForGate`] answer.
    pub fn open_gate(&self) {
        self.inner.0.lock().expect("unpoisoned").gate_open = true;
        self.inner.1.notify_all();
    }

    /// Waits until `count` requests have arrived.
    pub fn wait_for(&self, count: usize, at_most: Duration) -> Vec<Request> {
        let until = Instant::now() + at_most;
        let mut inner = self.inner.0.lock().expect("unpoisoned");
        while inner.requests.len() < count {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} requests arrived", inner.requests.len());
            inner = self.inner.1.wait_timeout(inner, left).expect("unpoisoned").0;
        }
        inner.requests.clone()
    }

    fn serve(&self, stream: TcpStream) {
        self.inner.0.lock().expect("unpoisoned").connections += 1;
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let Some(request) = read(&mut reader) else { return };
        let reply = {
            let mut inner = self.inner.0.lock().expect("unpoisoned");
            let erases = inner.erases && request.line.starts_with("DELETE ");
            inner.requests.push(request);
            let scripted = if erases { Some(Reply::status(204)) } else { inner.script.pop_front() };
            scripted.unwrap_or(Reply::status(202))
        };
        self.inner.1.notify_all();
        self.answer(stream, reply);
    }

    fn answer(&self, mut stream: TcpStream, reply: Reply) {
        match reply {
            Reply::Status(code, headers) => {
                let mut text = format!("HTTP/1.1 {code} Whatever\r\ncontent-length: 0\r\n");
                for (name, value) in headers {
                    text.push_str(&format!("{name}: {value}\r\n"));
                }
                text.push_str("\r\n");
                let _ = stream.write_all(text.as_bytes());
            }
            Reply::Body(code, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {code} Whatever\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all((head + &body).as_bytes());
            }
            Reply::Hang => self.inner.0.lock().expect("unpoisoned").held.push(stream),
            Reply::HangUp => {}
            Reply::WaitForGate => {
                let inner = self.inner.0.lock().expect("unpoisoned");
                drop(self.inner.1.wait_while(inner, |inner| !inner.gate_open));
                self.answer(stream, Reply::status(202));
            }
            Reply::Garbage => {
                let _ = stream.write_all(b"220 smtp.example ESMTP\r\n");
            }
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { line: line.trim_end().to_owned(), headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}
