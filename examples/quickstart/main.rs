//! The whole story on one screen: a small MCP client talks to a small MCP server through the real
//! `mcpproxy tap`, the funnel moves, and one heartbeat passes the gate and reaches a receiver.
//!
//! `cargo run --release --example quickstart` needs nothing else installed, talks to loopback only, and
//! leaves nothing behind: its data directory is a temporary one.

mod client;
mod receiver;
mod server;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(|mode| mode.to_str()) {
        // This binary plays all three parts, so that nothing but Cargo is needed.
        Some("mcpproxy") => mcpproxy::cli::run(args.collect()),
        Some("server") => server::run(),
        Some(_) => {
            eprintln!("quickstart: takes no arguments");
            ExitCode::from(2)
        }
        None => match story() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("quickstart: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn story() -> Result<(), Box<dyn Error>> {
    let me = std::env::current_exe()?;
    let data_dir = std::env::temp_dir().join(format!("mcpproxy-quickstart-{}", std::process::id()));
    let receiver = receiver::Receiver::start()?;
    let stage = Stage { me: &me, data_dir: &data_dir, endpoint: receiver.endpoint() };
    let outcome = play(&stage, &receiver);
    std::fs::remove_dir_all(&data_dir).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    outcome
}

fn play(stage: &Stage<'_>, receiver: &receiver::Receiver) -> Result<(), Box<dyn Error>> {
    step(1, "What kind of machine is this, and why?", "mcpproxy detect --explain");
    stage.show(&["detect", "--explain"])?;

    step(2, "Is telemetry on here?", "mcpproxy telemetry status");
    let before = stage.status()?;
    let effective = text_at(&before, "effective");
    println!("  {effective} ({})", text_at(&before, "rule"));
    if effective == "off" {
        println!(
            "\nYou objected to telemetry on this machine, so mcpproxy records and sends nothing, here \
             and everywhere else.\nThat is the end of this story: an objection cannot be overridden."
        );
        return Ok(());
    }

    step(
        3,
        "A client talks to a server through the tap; not a byte is changed.",
        "mcpproxy tap -- SERVER",
    );
    let mut session =
        client::Session::start(stage.mcpproxy().args(["tap", "--"]).arg(stage.me).arg("server"))?;
    session.talk()?;

    step(4, "The funnel has moved.", "mcpproxy telemetry status --product mcpproxy -o json");
    let funnel = stage.wait_for_funnel()?;
    for line in funnel {
        println!("  {line}");
    }

    step(
        5,
        "One heartbeat passes the gate and arrives (five minutes cut down to a second).",
        "POST <endpoint>/heartbeat",
    );
    let body = receiver
        .wait_for_heartbeat(Duration::from_secs(30))
        .ok_or("no heartbeat arrived within 30 s")?;
    println!("  {}", String::from_utf8_lossy(&body));

    step(
        6,
        "Every heartbeat is kept for you, byte for byte, and can be checked.",
        "mcpproxy telemetry verify FILE",
    );
    let copies = sent_copies(stage.data_dir)?;
    let [copy] = copies.as_slice() else {
        return Err(format!("expected one sent copy, found {}", copies.len()).into());
    };
    if std::fs::read(copy)? != body {
        return Err("the copy in sent/ is not what arrived".into());
    }
    println!(
        "  sent/{}: the same {} bytes",
        copy.file_name().unwrap_or_default().display(),
        body.len()
    );
    stage.show(&["telemetry", "verify", &copy.to_string_lossy()])?;
    session.finish()?;

    step(7, "One command stops it, running hosts included.", "mcpproxy telemetry disable");
    stage.show(&["telemetry", "disable"])?;
    println!("  now: {}", text_at(&stage.status()?, "effective"));
    Ok(())
}

struct Stage<'a> {
    me: &'a Path,
    data_dir: &'a Path,
    endpoint: String,
}

impl Stage<'_> {
    /// This binary in the part of `mcpproxy`, with a data directory and an endpoint of its own.
    fn mcpproxy(&self) -> Command {
        let mut command = Command::new(self.me);
        command
            .arg("mcpproxy")
            .env("MCPPROXY_HOME", self.data_dir)
            // `telemetry disable` speaks for the user, and the one of this story is not you.
            .env("HOME", self.data_dir)
            .env("USERPROFILE", self.data_dir)
            .env("MCPPROXY_TELEMETRY_ENDPOINT", &self.endpoint)
            .env("MCPPROXY_TELEMETRY_INITIAL_DELAY", "1");
        command
    }

    fn show(&self, args: &[&str]) -> Result<(), Box<dyn Error>> {
        let output = self.mcpproxy().args(args).stdin(Stdio::inherit()).output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("  {line}");
        }
        if output.status.success() {
            Ok(())
        } else {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("mcpproxy {} failed: {}", args.join(" "), error.trim()).into())
        }
    }

    fn status(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        Ok(self
            .mcpproxy()
            .args(["telemetry", "status", "--product", "mcpproxy", "-o", "json"])
            .output()?
            .stdout)
    }

    /// The funnel's lines, once the tap has recorded the session (it never delays traffic to do so).
    fn wait_for_funnel(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let status = self.status()?;
            let value = mcpproxy::json::parse(&status)?;
            let activation = value.get("activation").ok_or("status has no activation")?;
            let done = activation.get("first_retrieve_tools_call_ever").and_then(|v| v.as_bool());
            if done == Some(true) {
                let members = activation.members().unwrap_or_default();
                return Ok(members
                    .iter()
                    .map(|m| {
                        let text = String::from_utf8_lossy(&status[m.value.span.clone()]);
                        // Status is indented for people; here a member is one line.
                        let text: String = text.split_whitespace().collect();
                        format!("{:<34} {text}", m.key)
                    })
                    .collect());
            }
            if Instant::now() > deadline {
                return Err("the funnel did not move within 10 s".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn step(number: u32, what: &str, command: &str) {
    println!("\n{number}. {what}\n   $ {command}");
}

fn text_at(status: &[u8], key: &str) -> String {
    mcpproxy::json::parse(status)
        .ok()
        .and_then(|value| Some(value.get(key)?.as_str()?.to_string()))
        .unwrap_or_default()
}

fn sent_copies(data_dir: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    // The copy is written after the acknowledgement is recorded, a moment after the answer.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found: Vec<_> = match std::fs::read_dir(data_dir.join("sent")) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|e| e == "json"))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if !found.is_empty() || Instant::now() > deadline {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
