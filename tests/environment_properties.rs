//! Properties of classification: precedence, full markers, and values that never leave.
#![cfg(all(feature = "detect-container", feature = "detect-display", feature = "detect-tty"))]

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
    container: bool,
    toolbox: bool,
    display: bool,
    tty: bool,
    wsl: bool,
    os: &'static str,
}

prop_compose! {
    fn switches()(on in any::<[bool; 9]>(), os in 0..4usize) -> Switches {
        let [strong, weak, provider, generic, container, toolbox, display, tty, wsl] = on;
        let os = ["linux", "darwin", "windows", "haiku"][os];
        Switches { strong, weak, provider, generic, container, toolbox, display, tty, wsl, os }
    }
}

impl Switches {
    fn recording(&self) -> Value {
        let env: Map<String, Value> = [
            (self.strong, "CODESPACES"),
            (self.weak, "DEVPOD"),
            (self.provider, "GITLAB_CI"),
            (self.generic, "CI"),
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
        json!({"env": env, "paths": paths, "tty": self.tty, "os": self.os})
    }

    /// The specification's sentences, written a second time.
    fn expected(&self) -> Rule {
        let person = self.display || self.tty || self.wsl || self.toolbox;
        match self.os {
            _ if self.strong => Rule::CloudIde,
            _ if self.weak && !self.provider => Rule::CloudIde,
            _ if self.provider || self.generic => Rule::Ci,
            _ if self.container && !self.toolbox => Rule::Container,
            "darwin" | "windows" => Rule::DesktopOs,
            "linux" if person => Rule::DesktopLinux,
            "linux" => Rule::Headless,
            _ => Rule::None,
        }
    }
}

/// Text whose beginning cannot occur in our own words.
const SECRET: &str = "[QJXZ]{4}[0-9]{8}[ -~]{0,20}";
const SECRET_START: usize = 12;

proptest! {
    #[test]
    fn the_first_matching_rule_wins_and_markers_are_always_full(machine in switches()) {
        let verdict = judge(&machine.recording());
        prop_assert_eq!(verdict.rule, machine.expected());
        prop_assert_eq!(verdict.env_kind, verdict.rule.env_kind());
        let markers = verdict.markers;
        prop_assert_eq!(markers.has_cloud_ide_env, machine.strong || machine.weak);
        prop_assert_eq!(markers.has_ci_env, machine.provider || machine.generic);
        prop_assert_eq!(markers.is_container, machine.container || machine.toolbox);
        prop_assert_eq!(markers.has_display, machine.display);
        prop_assert_eq!(markers.has_tty, machine.tty);
    }

    #[test]
    fn values_never_leave(
        values in proptest::collection::vec(SECRET, names::all().count()),
        keep in proptest::collection::vec(any::<bool>(), names::all().count()),
        texts in proptest::collection::vec(SECRET, 5),
    ) {
        let env: Map<String, Value> = names::all()
            .zip(&values)
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|((name, value), _)| (name.to_owned(), json!(value)))
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
        for secret in values.iter().chain(&texts) {
            prop_assert!(!out.contains(&secret[..SECRET_START]), "a value left");
        }
    }

    #[test]
    fn a_refused_recording_names_the_key_and_never_the_value(
        secret in SECRET,
        key in prop::sample::select(vec![
            "paths", "files", "env", "cgroup", "mountinfo", "os", "tty", "osrelease",
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
    fn env(&self, name: &str) -> Option<Cow<'_, str>> {
        self.note(&format!("env:{name}"));
        self.env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    }
    fn path_exists(&self, path: &str) -> bool {
        self.note("path");
        self.path == Some(path)
    }
    fn file(&self, _path: &str) -> Option<Cow<'_, str>> {
        self.note("file");
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
    fn os_release(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[test]
fn mountinfo_is_asked_last_and_only_while_nothing_proved_a_container() {
    let undecided = Witness::new();
    classify(&undecided);
    let mountinfo = undecided.position("mountinfo").expect("nothing else decided");
    for cheaper in ["path", "file", "cgroup", "env:container"] {
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

#[test]
fn only_listed_names_are_asked_for() {
    let witness = Witness { env: vec![("JENKINS_URL", "x"), ("TASK_ID", "1")], ..Witness::new() };
    classify(&witness);
    for asked in witness.asked.borrow().iter().filter_map(|asked| asked.strip_prefix("env:")) {
        assert!(names::is_asked_for(asked.as_bytes()), "{asked}");
    }
}
