//! Properties of classification: precedence, full markers, and values that never leave.
#![cfg(all(feature = "detect-container", feature = "detect-display", feature = "detect-tty"))]

use mcpproxy::contract::{AgentEnv, EnvKind};
use mcpproxy::environment::{
    Classification, Evidence, OsKind, RecordedEvidence, Rule, classify, names,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cell::RefCell;

fn judge(recording: &Value) -> Classification {
    classify(&RecordedEvidence::from_json(recording.to_string().as_bytes()).unwrap())
}

/// One machine, as switches.
#[derive(Clone, Debug)]
struct Switches {
    strong: bool,
    weak: bool,
    provider: bool,
    generic: bool,
    agent: bool,
    cloud: bool,
    sandbox: bool,
    hosting: bool,
    container: bool,
    toolbox: bool,
    display: bool,
    tty: bool,
    terminal: bool,
    wsl: bool,
    os: &'static str,
}

prop_compose! {
    fn switches()(on in any::<[bool; 9]>(), new in any::<[bool; 5]>(), os in 0..4usize) -> Switches {
        let [strong, weak, provider, generic, container, toolbox, display, tty, wsl] = on;
        let [agent, cloud, sandbox, hosting, terminal] = new;
        let os = ["linux", "darwin", "windows", "haiku"][os];
        Switches {
            strong, weak, provider, generic, agent, cloud, sandbox, hosting, container, toolbox, display, tty,
            terminal, wsl, os,
        }
    }
}

impl Switches {
    fn recording(&self) -> Value {
        let env: Map<String, Value> = [
            (self.strong, "CODESPACES"),
            (self.weak, "DEVPOD"),
            (self.provider, "GITLAB_CI"),
            (self.generic, "CI"),
            (self.agent, "CLAUDECODE"),
            (self.cloud, "CLAUDE_CODE_REMOTE"),
            (self.sandbox, "MODAL_TASK_ID"),
            (self.hosting, "FLY_APP_NAME"),
            (self.display, "DISPLAY"),
            (self.wsl, "WSL_DISTRO_NAME"),
            (true, "BUILD_NUMBER"),
        ]
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| (name.to_owned(), json!("1")))
        .collect();
        let paths: Vec<&str> =
            [(self.container, "/.dockerenv"), (self.toolbox, "/run/.toolboxenv")]
                .into_iter()
                .filter_map(|(there, path)| there.then_some(path))
                .collect();
        json!({
            "env": env, "paths": paths, "tty": self.tty, "os": self.os,
            "ancestors": [{}, {"terminal": self.terminal}],
        })
    }

    /// The specification's sentences, written a second time.
    fn expected(&self) -> Rule {
        let person = self.display || self.tty || self.wsl || self.toolbox;
        match self.os {
            _ if self.strong => Rule::CloudIde,
            _ if (self.cloud || self.sandbox) && self.provider => Rule::AgentInCi,
            _ if self.cloud || self.sandbox => Rule::Agent,
            _ if self.provider => Rule::Ci,
            _ if self.generic && !self.agent => Rule::Ci,
            _ if self.weak => Rule::CloudIde,
            _ if self.container && !self.toolbox => Rule::Container,
            _ if self.hosting => Rule::Hosting,
            "darwin" | "windows" => Rule::DesktopOs,
            "linux" if person => Rule::DesktopLinux,
            "linux" if self.terminal => Rule::RemotePerson,
            "linux" => Rule::Headless,
            _ => Rule::None,
        }
    }

    fn expected_agent_env(&self) -> AgentEnv {
        match (self.cloud, self.sandbox) {
            (true, _) => AgentEnv::Cloud,
            (_, true) => AgentEnv::Sandbox,
            _ => AgentEnv::None,
        }
    }
}

fn is_person(verdict: &Classification) -> bool {
    verdict.agent_env == AgentEnv::None
        && matches!(verdict.env_kind, EnvKind::Interactive | EnvKind::CloudIde)
}

/// A few of each form of rule.
const AGENTS: &[(&str, &str)] = &[
    ("CLAUDE_PROJECT_DIR", "/x"),
    ("CODEX_CI", "1"),
    ("AI_AGENT", "any"),
    ("AGENT", "goose"),
    ("OPENCODE", "1"),
    ("CLAUDE_CODE_ENTRYPOINT", "sdk-ts"),
    ("AWS_EXECUTION_ENV", "AmazonQ-For-CLI"),
];
const OF_USERS: &[&str] = &[
    "CODEX_HOME",
    "COPILOT_MODEL",
    "COPILOT_ALLOW_ALL",
    "COPILOT_GITHUB_TOKEN",
    "GOOSE_PROVIDER",
    "AMP_HOME",
    "TERM_PROGRAM",
    "SSH_CONNECTION",
    "VSCODE_IPC_HOOK_CLI",
];

/// Text whose beginning cannot occur in our own words.
const SECRET: &str = "[QJXZ]{4}[0-9]{8}[ -~]{0,20}";
const SECRET_START: usize = 12;

proptest! {
    #[test]
    fn the_first_matching_rule_wins_and_markers_are_always_full(machine in switches()) {
        let verdict = judge(&machine.recording());
        prop_assert_eq!(verdict.rule, machine.expected());
        prop_assert_eq!(verdict.env_kind, verdict.rule.env_kind());
        prop_assert_eq!(verdict.agent_env, machine.expected_agent_env());
        let markers = verdict.markers;
        prop_assert_eq!(markers.has_cloud_ide_env, machine.strong || machine.weak);
        prop_assert_eq!(markers.has_ci_env, machine.provider || machine.generic);
        prop_assert_eq!(markers.is_container, machine.container || machine.toolbox);
        prop_assert_eq!(markers.has_display, machine.display);
        prop_assert_eq!(markers.has_tty, machine.tty);
    }

    #[test]
    fn no_mark_that_an_agent_sets_makes_a_machine_of_a_person(
        machine in switches(),
        mark in prop::sample::select(AGENTS),
        sandbox in any::<bool>(),
    ) {
        let mut before = machine.recording();
        if sandbox {
            before["env"]["IS_SANDBOX"] = "1".into();
        }
        let mut after = before.clone();
        after["env"][mark.0] = mark.1.into();
        let (before, after) = (judge(&before), judge(&after));
        prop_assert!(is_person(&after) || !is_person(&before), "{:?} {:?}", before, after);
        prop_assert_eq!(before.agent_env, after.agent_env);
        prop_assert_eq!(before.markers, after.markers);
    }

    #[test]
    fn what_a_user_configures_changes_nothing(
        machine in switches(),
        mark in prop::sample::select(OF_USERS),
        value in ".{0,20}",
    ) {
        let before = machine.recording();
        let mut after = before.clone();
        after["env"][mark] = value.into();
        prop_assert_eq!(judge(&before), judge(&after));
    }

    #[test]
    fn a_terminal_undoes_no_verdict_on_a_machine(machine in switches(), which in 0..3usize) {
        let before = judge(&machine.recording());
        let mut after = machine.recording();
        match which {
            0 => after["tty"] = true.into(),
            1 => after["terminal"] = true.into(),
            _ => after["ancestors"] = json!([{"terminal": true}]),
        }
        let after = judge(&after);
        if before.env_kind != EnvKind::Headless {
            prop_assert_eq!(after.env_kind, before.env_kind);
        }
        prop_assert_eq!(after.agent_env, before.agent_env);
    }

    #[test]
    fn values_never_leave(
        value in SECRET,
        keep in proptest::collection::vec(any::<bool>(), names::all().count()),
        texts in proptest::collection::vec(SECRET, 5),
    ) {
        let env: Map<String, Value> = names::all()
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(name, _)| (name.to_owned(), json!(value)))
            .collect();
        let recording = json!({
            "env": env,
            "files": {"/run/systemd/container": texts[0], "/run/host/container-manager": texts[1]},
            "cgroup": format!("0::/kubepods/{}", texts[2]),
            "mountinfo": format!("1 2 3 /docker/containers/{} /etc/hosts {}", texts[2], texts[3]),
            "osrelease": format!("{}microsoft", texts[4]),
            "os": "linux",
        });
        let recorded = RecordedEvidence::from_json(recording.to_string().as_bytes()).unwrap();
        let out = format!("{:?} {:?}", classify(&recorded), recorded);
        for secret in std::iter::once(&value).chain(&texts) {
            prop_assert!(!out.contains(&secret[..SECRET_START]), "a value left");
        }
    }

    #[test]
    fn a_refused_recording_names_the_key_and_never_the_value(
        secret in SECRET,
        key in prop::sample::select(vec![
            "paths", "files", "env", "cgroup", "mountinfo", "os", "tty", "osrelease", "terminal", "ancestors",
        ]),
        wrap in 0..4usize,
    ) {
        let wrong = match wrap {
            0 => json!([[secret]]),
            1 => json!({"A": [secret]}),
            2 => json!([{"A": secret}]),
            _ => json!([secret, {"A": secret}]),
        };
        let line = json!({key: wrong}).to_string();
        let error = RecordedEvidence::from_json(line.as_bytes()).unwrap_err().to_string();
        prop_assert!(error.starts_with(key), "{}", error);
        prop_assert!(!error.contains(&secret[..SECRET_START]));
    }

    #[test]
    fn no_text_panics(
        line in any::<Vec<u8>>(),
        text in any::<String>(),
        mountinfo in "[0-9 /\\\\a-z\n:.-]{0,200}",
    ) {
        let _ = RecordedEvidence::from_json(&line);
        judge(&json!({"cgroup": text, "mountinfo": mountinfo, "os": "linux"}));
        judge(&json!({"mountinfo": text, "files": {"/run/systemd/container": text}}));
    }
}

/// Notes what is asked.
struct Witness {
    env: Vec<(&'static str, &'static str)>,
    path: Option<&'static str>,
    cgroup: &'static str,
    asked: RefCell<Vec<String>>,
}

impl Witness {
    fn new() -> Self {
        Self { env: Vec::new(), path: None, cgroup: "0::/\n", asked: RefCell::default() }
    }

    fn note(&self, what: &str) {
        self.asked.borrow_mut().push(what.to_owned());
    }

    fn position(&self, what: &str) -> Option<usize> {
        self.asked.borrow().iter().position(|asked| asked == what)
    }
}

impl Evidence for Witness {
    fn variables(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.note("variables");
        self.env.iter().for_each(|(name, value)| visit(name, value));
    }
    fn path_exists(&self, path: &str) -> bool {
        self.note("path");
        self.path == Some(path)
    }
    fn file(&self, path: &str) -> Option<Cow<'_, str>> {
        // The kernel's version is no matter of containers.
        if path != "/proc/version" {
            self.note("file");
        }
        None
    }
    fn cgroup(&self) -> Option<Cow<'_, str>> {
        self.note("cgroup");
        Some(self.cgroup.into())
    }
    fn mountinfo(&self) -> Option<Cow<'_, str>> {
        self.note("mountinfo");
        None
    }
    fn display_socket(&self) -> Option<Cow<'_, str>> {
        None
    }
    fn os(&self) -> OsKind {
        OsKind::Linux
    }
    fn stdin_is_terminal(&self) -> bool {
        false
    }
    fn controlling_terminal(&self) -> Option<usize> {
        None
    }
    fn os_release(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[test]
fn mountinfo_is_asked_last_and_only_while_nothing_proved_a_container() {
    let undecided = Witness::new();
    classify(&undecided);
    let mountinfo = undecided.position("mountinfo").expect("nothing else decided");
    for cheaper in ["variables", "path", "file", "cgroup"] {
        assert!(undecided.position(cheaper).unwrap() < mountinfo, "{cheaper}");
    }

    let by_cgroup = Witness { cgroup: "0::/kubepods/x\n", ..Witness::new() };
    let by_path = Witness { path: Some("/.dockerenv"), ..Witness::new() };
    let by_toolbox = Witness { path: Some("/run/.toolboxenv"), ..Witness::new() };
    let by_variable = Witness { env: vec![("K_SERVICE", "x")], ..Witness::new() };
    for (witness, reads_cgroup) in
        [(&by_cgroup, true), (&by_path, false), (&by_toolbox, false), (&by_variable, false)]
    {
        assert!(classify(witness).markers.is_container);
        assert_eq!(witness.position("mountinfo"), None);
        assert_eq!(witness.position("cgroup").is_some(), reads_cgroup);
    }

    // A workspace decides the kind, but not whether it is a container.
    let workspace = Witness { env: vec![("CODESPACES", "true")], ..Witness::new() };
    classify(&workspace);
    assert!(workspace.position("mountinfo").is_some());
}
