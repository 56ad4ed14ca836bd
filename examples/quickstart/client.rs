//! A small MCP client over stdio: one session, line by line, as any client would do it.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// One running session.
pub struct Session {
    child: Child,
    to_server: Option<ChildStdin>,
    from_server: BufReader<ChildStdout>,
}

impl Session {
    /// Starts the server (or what wraps it) with piped standard streams, as MCP clients do.
    pub fn start(command: &mut Command) -> std::io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let to_server = child.stdin.take();
        let from_server = child.stdout.take().map(BufReader::new);
        match from_server {
            Some(from_server) => Ok(Self { child, to_server, from_server }),
            None => Err(std::io::Error::other("no pipe from the server")),
        }
    }

    /// The handshake and two calls.
    pub fn talk(&mut self) -> Result<(), Box<dyn Error>> {
        self.ask(
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"Visual Studio Code","version":"1.107.0"}}}"#,
        )?;
        self.tell(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        self.ask(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)?;
        self.ask(
            r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"retrieve_tools","arguments":{"query":"read a file"}}}"#,
        )?;
        Ok(())
    }

    /// Closes the server's input and waits for its exit.
    pub fn finish(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.to_server.take());
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the session ended with {status}").into())
        }
    }

    fn tell(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        println!("  client > {}", shorten(message));
        let pipe = self.to_server.as_mut().ok_or("the session is closed")?;
        writeln!(pipe, "{message}")?;
        Ok(())
    }

    fn ask(&mut self, message: &str) -> Result<(), Box<dyn Error>> {
        self.tell(message)?;
        let mut answer = String::new();
        if self.from_server.read_line(&mut answer)? == 0 {
            return Err("the server closed the session".into());
        }
        println!("  server < {}", shorten(answer.trim_end()));
        Ok(())
    }
}

fn shorten(message: &str) -> String {
    const WIDTH: usize = 110;
    match message.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}..", &message[..at]),
        None => message.to_string(),
    }
}
