//! What the notice says.
//!
//! One rule: it names the product, who receives, what is in it, when the first goes out, and a command that
//! works as it is printed.

use super::command::Program;
use crate::contract::product::OWN_PRODUCT;
use crate::paths::DataDir;
use std::fmt;

/// One notice.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    /// The product's name.
    pub product: &'a str,
    /// Who receives: the endpoint's host.
    pub host: &'a str,
    /// Seconds until the first heartbeat.
    pub first_in: u64,
    /// The data directory.
    pub dir: &'a DataDir,
    /// The program that its commands name.
    pub program: &'a Program,
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { product, host, .. } = self;
        writeln!(
            f,
            "mcpproxy: {product} counts its installs: one heartbeat a day to {host} says that this one is in"
        )?;
        writeln!(
            f,
            "mcpproxy: use. It holds a random id, the names of the MCP clients seen and counts; no paths,"
        )?;
        writeln!(
            f,
            "mcpproxy: prompts or tool arguments. The first goes out {}.",
            Span(self.first_in)
        )?;
        writeln!(
            f,
            "mcpproxy:   every field   {}/blob/main/docs/payload.md",
            env!("CARGO_PKG_REPOSITORY")
        )?;
        match self.program.command(self.dir) {
            Some(command) => {
                let of_product = match *product {
                    OWN_PRODUCT => String::new(),
                    product => format!(" --product {product}"),
                };
                let [before, after] = &command;
                writeln!(
                    f,
                    "mcpproxy:   your payload  {before} telemetry show-payload{of_product}{after}"
                )?;
                writeln!(
                    f,
                    "mcpproxy:   switch off    {before} telemetry disable{of_product}{after}"
                )?;
                writeln!(
                    f,
                    "mcpproxy:                 or DO_NOT_TRACK=1, which stops every product"
                )
            }
            // A program that embeds the library has no such commands; the user's own configuration is read all the same.
            None if *product != OWN_PRODUCT => {
                writeln!(
                    f,
                    "mcpproxy:   switch off    DO_NOT_TRACK=1 in its environment, which stops every product, or"
                )?;
                writeln!(
                    f,
                    "mcpproxy:                 {{\"telemetry\":{{\"products\":{{\"{product}\":{{\"enabled\":false}}}}}}}} in ~/.mcpproxy/mcp_config.json"
                )
            }
            None => writeln!(
                f,
                "mcpproxy:   switch off    DO_NOT_TRACK=1 in its environment, which stops every product"
            ),
        }
    }
}

/// When the first heartbeat goes out, in words.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("now"),
            1 => f.write_str("in one second"),
            seconds @ 2..=89 => write!(f, "in {seconds} seconds"),
            seconds => write!(f, "in about {} minutes", seconds.div_ceil(60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_to_whom_what_when_and_how_to_stop_it() {
        let dir = DataDir::at("/data dir");
        let program = Program::at("/opt/mcp proxy/mcpproxy".into());
        let notice = Notice {
            product: "notes-mcp",
            host: "t.example.org:8443",
            first_in: 300,
            dir: &dir,
            program: &program,
        };
        let text = notice.to_string();
        for part in [
            "notes-mcp",
            "t.example.org:8443",
            "random id",
            "clients",
            "in about 5 minutes",
            "DO_NOT_TRACK=1",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.lines().all(|line| line.starts_with("mcpproxy: ")), "{text}");
        if cfg!(unix) {
            let command = "'/opt/mcp proxy/mcpproxy' telemetry disable --product notes-mcp --data-dir '/data dir'\n";
            assert!(text.contains(command), "{text}");
        }
        let own = Notice { product: "mcpproxy", first_in: 0, ..notice }.to_string();
        assert!(!own.contains("--product") && own.contains("goes out now"), "{own}");
    }

    #[test]
    fn a_program_without_our_commands_names_none() {
        let dir = DataDir::at("/data");
        let program = Program::Embedding;
        let notice = Notice { product: "p", host: "h", first_in: 1, dir: &dir, program: &program };
        let text = notice.to_string();
        assert!(!text.contains("telemetry disable") && text.contains("DO_NOT_TRACK=1"), "{text}");
        let switch = r#"{"telemetry":{"products":{"p":{"enabled":false}}}}"#;
        assert!(text.contains(switch), "{text}");
    }
}
