//! Whatever the system answers when the config is read, other than that there is none: off. The answers are
//! put in its mouth (`strace -e inject`), on the config file only.

use super::*;

const CALLS: [&str; 3] = ["statx", "openat", "read"];
const ANSWERS: [&str; 10] = [
    "EIO",
    "EACCES",
    "EPERM",
    "ENOMEM",
    "EMFILE",
    "ENFILE",
    "ELOOP",
    "ESTALE",
    "ETIMEDOUT",
    "ENXIO",
];

#[test]
fn every_error_in_reading_the_config_is_an_objection() {
    if !strace_works(&["-e", "inject=openat:error=EIO:when=999", "-P", "/nonexistent"]) {
        return;
    }
    let mut checked = 0;
    for answer in ANSWERS {
        for call in CALLS {
            let said = status_with(call, answer);
            assert!(said.contains(r#""effective":"off""#), "{call} {answer}: {said}");
            assert!(said.contains(r#""rule":"config:unusable""#), "{call} {answer}: {said}");
            checked += 1;
        }
    }
    println!("{checked} errors of the system: off");
}

#[test]
fn without_an_error_the_same_run_is_on() {
    if !strace_works(&["-e", "inject=openat:error=EIO:when=999", "-P", "/nonexistent"]) {
        return;
    }
    let said = status_with("openat", "EIO:when=99");
    assert!(said.contains(r#""effective":"on""#), "{said}");
}

fn status_with(call: &str, answer: &str) -> String {
    let home = Home::new();
    home.config(r#"{"telemetry":{"enabled":true}}"#);
    let config = home.data().join("mcp_config.json");
    let inject = format!("inject={call}:error={answer}");
    let options = ["strace", "-f", "-o", "/dev/null", "-e", inject.as_str(), "-P"];
    let mut command: Vec<&OsStr> = options.map(OsStr::new).into();
    command.extend([config.as_os_str(), MCPPROXY.as_ref()]);
    command.extend(["telemetry", "status", "--product", "mcpproxy", "-o", "json"].map(OsStr::new));
    let own = [("MCPPROXY_TELEMETRY_ENDPOINT", "http://127.0.0.1:9")];
    let (ended, said) = run(&mut home.shell(&[], &own, &command), &home, "said");
    assert!(ended.success(), "{call} {answer}: {ended}: {said}");
    said.replace("\": ", "\":")
}
