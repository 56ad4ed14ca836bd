//! The policy of the machine, where it really stands: `/etc` of these runs is an empty file system of a mount
//! namespace of their own.

use super::receiver::Receiver;
use super::*;

const FILE: &str = "/etc/mcpproxy/policy.json";
const OFF: &str = r#"{"telemetry": false}"#;

/// `unshare`, with what it takes to mount here; `None`, said aloud, where that is not allowed.
fn unshare() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-rm"]];
    let works = |way: &&&[&str]| {
        let mut command = Command::new(way[0]);
        command.args(&way[1..]).args(["mount", "-t", "tmpfs", "none", "/etc"]);
        let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        ended.is_ok_and(|status| status.success())
    };
    let way = ways.iter().find(works);
    if way.is_none() {
        skipped!("no mount namespace of its own can be had here");
    }
    way.copied()
}

/// `script` runs where the policy is made by `make`.
fn under(home: &Home, make: &str, own: &[(&str, &str)], script: &str) -> Option<(bool, String)> {
    let setup = format!(
        "mount -t tmpfs none /etc && mkdir /etc/mcpproxy && {{ {make}; }} && {{ {script}; }} 2>&1"
    );
    let mut command: Vec<&OsStr> = unshare()?.iter().map(OsStr::new).collect();
    command.extend([OsStr::new("sh"), "-c".as_ref(), setup.as_ref()]);
    let own = [own, &[("MCPPROXY", MCPPROXY)]].concat();
    let (ended, said) = run(&mut home.shell(&[], &own, &command), home, "said");
    Some((ended.success(), said))
}

fn written(text: &str) -> String {
    format!("printf %s '{text}' > {FILE}")
}

const STATUS: &str = "$MCPPROXY telemetry status --product mcpproxy -o json";

#[test]
fn a_policy_is_final_and_named_and_what_cannot_be_read_is_one() {
    let allowing =
        [("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9"), ("MCPPROXY_TELEMETRY", "1")];
    let cases = [
        (written(OFF), "policy:telemetry"),
        (written(r#"{"telemetry": true}"#), "default"),
        ("true".to_owned(), "default"),
        ("rmdir /etc/mcpproxy".to_owned(), "default"),
        (written(r#"{"telemetry": fal"#), "policy:unusable"),
        (written("{}"), "policy:unusable"),
        (written(""), "policy:unusable"),
        (format!("mkdir {FILE}"), "policy:unusable"),
        (format!("mkfifo {FILE}"), "policy:unusable"),
        (format!("ln -s /nowhere {FILE}"), "policy:unusable"),
        (format!("ln -s policy.json {FILE}"), "policy:unusable"),
        ("rmdir /etc/mcpproxy && touch /etc/mcpproxy".to_owned(), "policy:unusable"),
    ];
    for (make, rule) in cases {
        let home = Home::new();
        home.config(r#"{"telemetry":{"enabled":true}}"#);
        let Some((ended, said)) = under(&home, &make, &allowing, STATUS) else { return };
        assert!(ended, "{make}: {said}");
        let said = said.replace("\": ", "\":");
        assert!(said.contains(&format!("\"rule\":\"{rule}\"")), "{make}: {said}");
        let is_on = said.contains(r#""effective":"on""#);
        assert_eq!(is_on, rule == "default", "{make}: {said}");
        assert!(rule == "default" || said.contains(FILE), "{make}: {said}");
    }
}

#[test]
fn no_command_and_no_variable_overrides_a_policy_and_nothing_is_sent_or_made() {
    let receiver = Receiver::start([]);
    let endpoint = receiver.endpoint();
    let own = [("MCPPROXY_TELEMETRY_ENDPOINT", &*endpoint), ("MCPPROXY_TELEMETRY", "1")];
    let home = Home::new();
    let send = "$MCPPROXY telemetry send --now";
    let Some((sent, said)) = under(&home, &written(OFF), &own, send) else { return };
    assert!(!sent && said.contains("(policy:telemetry)") && said.contains(FILE), "{said}");
    assert!(!home.data().exists());
    let tap = "$MCPPROXY tap -- cat";
    let (ended, said) = under(&home, &written(OFF), &own, tap).expect("as before");
    assert_eq!((ended, said.as_str()), (true, REQUEST));
    assert!(!home.data().exists());
    let (_, said) =
        under(&home, &written(OFF), &own, "$MCPPROXY telemetry enable").expect("as before");
    assert!(said.contains("still off (policy:telemetry)"), "{said}");
    assert!(said.contains("nothing overrides that"), "{said}");
    #[cfg(feature = "full")]
    {
        let doctor = "$MCPPROXY doctor || true";
        let (_, said) = under(&home, &written(OFF), &own, doctor).expect("as before");
        assert!(said.contains("(policy:telemetry)") && said.contains(FILE), "{said}");
    }
    assert_eq!(receiver.connections(), 0);
}

/// What was sent before the policy came may still be erased: the command is the user's own word.
#[test]
fn under_a_policy_forget_asks_to_be_erased() {
    let receiver = Receiver::start([]);
    receiver.erase();
    let endpoint = receiver.endpoint();
    let own = [("MCPPROXY_TELEMETRY_ENDPOINT", &*endpoint)];
    let home = Home::new();
    let send = "$MCPPROXY telemetry send --now";
    let Some((sent, said)) = under(&home, "true", &own, send) else { return };
    assert!(sent, "{said}");
    let forget = "$MCPPROXY telemetry forget";
    let (ended, said) = under(&home, &written(OFF), &own, forget).expect("as before");
    assert!(ended && said.contains("erased what it received"), "{said}");
    let lines: Vec<String> = receiver.requests().into_iter().map(|sent| sent.line).collect();
    assert_eq!(lines, ["POST /heartbeat HTTP/1.1", "DELETE /installs HTTP/1.1"]);
}

/// Answers every line.
const ANSWERING: &str =
    r#"while read line; do echo '{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'; done"#;

/// As with any objection: within a second.
#[test]
fn a_policy_that_appears_stops_a_running_host() {
    let calls = |policy: &str| -> Option<String> {
        let home = Home::new();
        std::fs::write(home.path("server"), ANSWERING).expect("written");
        let script = format!(
            "cd {home} && mkfifo in out && {{ $MCPPROXY tap -- sh server <in >out 2>notice & }} && exec 3>in 4<out \
             && say() {{ cat input >&3 && read line <&4; }} && say \
             && until {STATUS} | grep -q '\"retrieve_tools_calls_24h\": *1'; do sleep 0.05; done \
             && {{ {policy}; }} && sleep 1 && say && exec 3>&- && wait \
             && rm -f {FILE} && {STATUS}",
            home = home.text(),
        );
        let (ended, said) = under(&home, "true", &[], &script)?;
        assert!(ended, "{said}");
        let at = said.find("\"retrieve_tools_calls_24h\"").expect("counts");
        Some(said[at..].lines().next()?.split(':').nth(1)?.trim_matches([' ', ',']).to_owned())
    };
    let Some(free) = calls("true") else { return };
    assert_eq!(free, "2", "without a policy the same host counts on");
    assert_eq!(calls(&written(OFF)).as_deref(), Some("1"));
}
