//! Public reports of misjudged machines, each with its neighbours: the kind behind a report is judged right, not
//! the line alone.
#![cfg(all(feature = "detect-container", feature = "detect-display", feature = "detect-tty"))]

use mcpproxy::contract::{AgentEnv, EnvKind};
use mcpproxy::environment::{Classification, RecordedEvidence, classify};
use serde_json::{Map, Value, json};

/// Reports as their authors gave them: evidence, and the verdict that would have been right.
const CASES: &str = include_str!("data/environments.jsonl");

struct Case {
    id: u64,
    evidence: Value,
    kind: EnvKind,
    agent_env: AgentEnv,
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = CASES
        .lines()
        .map(|line| {
            let case: Value = serde_json::from_str(line).unwrap();
            let agent_env = case["want_agent_env"].as_str().unwrap_or("none");
            Case {
                id: case["id"].as_u64().unwrap(),
                evidence: case["in"].clone(),
                kind: EnvKind::from_spelling(case["want"].as_str().unwrap()).unwrap(),
                agent_env: AgentEnv::from_spelling(agent_env).unwrap(),
            }
        })
        .collect();
    assert_eq!(cases.len(), 18);
    cases
}

fn case(id: u64) -> Case {
    cases().into_iter().find(|case| case.id == id).unwrap()
}

fn judge(evidence: &Value) -> Classification {
    classify(&RecordedEvidence::from_json(evidence.to_string().as_bytes()).unwrap())
}

fn verdict(evidence: &Value) -> (EnvKind, AgentEnv) {
    let verdict = judge(evidence);
    (verdict.env_kind, verdict.agent_env)
}

fn variables(evidence: &Value) -> Map<String, Value> {
    evidence["env"].as_object().cloned().unwrap_or_default()
}

fn with(evidence: &Value, name: &str, value: &str) -> Value {
    let mut evidence = evidence.clone();
    evidence["env"][name] = value.into();
    evidence
}

/// Without a variable, a path or a key.
fn without(evidence: &Value, mark: &str) -> Value {
    let mut evidence = evidence.clone();
    let dropped = if mark.starts_with('/') {
        let paths = evidence["paths"].as_array_mut().unwrap();
        let before = paths.len();
        paths.retain(|path| path != mark);
        before - paths.len()
    } else if let Some(of_env) =
        evidence.get_mut("env").and_then(|env| env.as_object_mut()?.remove(mark))
    {
        assert!(of_env.is_string());
        1
    } else {
        usize::from(evidence.as_object_mut().unwrap().remove(mark).is_some())
    };
    assert_eq!(dropped, 1, "{mark} is not in {evidence}");
    evidence
}

const AGENTS: [(&str, &str); 5] = [
    ("CLAUDECODE", "1"),
    ("AI_AGENT", "goose"),
    ("CURSOR_EXTENSION_HOST_ROLE", "agent-exec"),
    ("AWS_EXECUTION_ENV", "AmazonQ-For-CLI Version/1"),
    ("CODEX_CI", "1"),
];
const OF_USERS: [(&str, &str); 8] = [
    ("CODEX_HOME", "/x"),
    ("COPILOT_MODEL", "x"),
    ("COPILOT_ALLOW_ALL", "true"),
    ("GOOSE_PROVIDER", "x"),
    ("AMP_HOME", "/x"),
    ("AGENT", "smith"),
    ("TERM_PROGRAM", "WarpTerminal"),
    ("IS_SANDBOX", "0"),
];

#[test]
fn every_report_is_judged_right() {
    for case in cases() {
        let found = judge(&case.evidence);
        assert_eq!(
            (found.env_kind, found.agent_env),
            (case.kind, case.agent_env),
            "{}: {found:?}",
            case.id
        );
    }
}

#[test]
fn it_does_not_matter_where_a_variable_is_set() {
    for case in cases() {
        let expected = judge(&case.evidence);
        let env = variables(&case.evidence);
        let reduced = json!({"HOME": "/home/u", "PATH": "/bin"});
        let at = |own: Value, ancestors: Value| {
            let mut evidence = case.evidence.clone();
            evidence["env"] = own;
            evidence["ancestors"] = ancestors;
            assert_eq!(judge(&evidence), expected, "{}: {evidence}", case.id);
        };
        at(reduced.clone(), json!([{"env": env}]));
        at(reduced.clone(), json!([{"env": reduced}, {}, {"env": env}]));
        for (name, value) in &env {
            let mut rest = env.clone();
            rest.remove(name);
            at(json!(rest), json!([{"env": reduced}, {"env": {name: value}}]));
            at(json!({name: value}), json!([{"env": rest}]));
            // The nearest value counts.
            at(json!(env), json!([{"env": {name: "other"}}]));
        }
        let backwards: Map<String, Value> = env.into_iter().rev().collect();
        at(json!(backwards), json!([]));
    }
}

#[test]
fn with_one_mark_less_the_rest_decides() {
    use AgentEnv::{Cloud, None, Sandbox};
    use EnvKind::{CloudIde, Container, Headless, Interactive};
    let expected: &[(u64, &[&str], EnvKind, AgentEnv)] = &[
        (1, &["CI"], Interactive, None),
        (1, &["CURSOR_AGENT"], EnvKind::Ci, None),
        (1, &["CURSOR_TRACE_ID"], Interactive, None),
        (1, &["os"], EnvKind::Unknown, None),
        (2, &["CI"], Interactive, None),
        (2, &["TERM"], Interactive, None),
        (2, &["NO_COLOR"], Interactive, None),
        (2, &["PI_CODING_AGENT"], EnvKind::Ci, None),
        (2, &["/tmp/.X11-unix/X0"], Headless, None),
        (3, &["CI"], EnvKind::Ci, Cloud),
        (3, &["GITHUB_ACTIONS"], Container, Cloud),
        (3, &["GITHUB_ACTOR"], EnvKind::Ci, Cloud),
        (3, &["COPILOT_AGENT_JOB_ID"], EnvKind::Ci, Cloud),
        (3, &["COPILOT_AGENT_SESSION_ID"], EnvKind::Ci, Cloud),
        (3, &["COPILOT_CLI"], EnvKind::Ci, Cloud),
        (3, &["COPILOT_AGENT_JOB_ID", "GITHUB_ACTOR"], EnvKind::Ci, None),
        // `CI` that an agent set, and nothing else.
        (3, &["COPILOT_AGENT_JOB_ID", "GITHUB_ACTIONS"], Headless, None),
        (4, &["CI"], Interactive, None),
        (4, &["tty"], Interactive, None),
        (5, &["RENDER"], Headless, None),
        (6, &["TASKCLUSTER_ROOT_URL"], Headless, None),
        (7, &["osrelease"], Interactive, None),
        (7, &["tty"], Container, Sandbox),
        (8, &["E2B_SANDBOX"], Interactive, None),
        (8, &["E2B_SANDBOX_ID"], Container, Sandbox),
        (8, &["tty"], Container, Sandbox),
        (10, &["DAYTONA_SANDBOX_ID"], Headless, None),
        (12, &["CLAUDECODE"], Interactive, None),
        (12, &["CLAUDE_CODE_SESSION_ID"], Interactive, None),
        (12, &["CLAUDE_CODE_ENTRYPOINT"], Interactive, None),
        (13, &["CLAUDECODE"], Container, Cloud),
        (13, &["CLAUDE_CODE_ENTRYPOINT"], Container, Cloud),
        (13, &["CLAUDE_CODE_ENVIRONMENT_KIND"], Container, Cloud),
        (13, &["osrelease"], Container, Cloud),
        // The kernel alone is Ubuntu 16.04's as well.
        (13, &["CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_ENVIRONMENT_KIND"], Interactive, None),
        (15, &["/opt/.devin"], Interactive, None),
        (15, &["tty"], Container, Cloud),
        (17, &["cgroup"], Interactive, None),
        (17, &["tty"], Headless, None),
        (18, &["mountinfo"], Interactive, None),
        (18, &["tty"], Headless, None),
        (20, &["container"], Container, None),
        (20, &["/run/.containerenv"], Container, None),
        (20, &["container", "/run/.containerenv"], Interactive, None),
        (22, &["mountinfo"], Interactive, None),
        (22, &["osrelease"], Container, None),
        (23, &["/run/WSL"], Interactive, None),
        (23, &["/proc/sys/fs/binfmt_misc/WSLInterop"], Interactive, None),
        (23, &["/proc/sys/fs/binfmt_misc/WSLInterop", "/run/WSL"], Headless, None),
        (23, &["osrelease"], Interactive, None),
        (25, &["AWS_EXECUTION_ENV"], Headless, None),
        (25, &["os"], CloudIde, None),
    ];
    for (id, dropped, kind, agent_env) in expected {
        let evidence = dropped.iter().fold(case(*id).evidence, |rest, mark| without(&rest, mark));
        assert_eq!(verdict(&evidence), (*kind, *agent_env), "{id} without {dropped:?}");
    }
    for case in cases() {
        let is_there = |mark: &str| {
            expected.iter().any(|(id, dropped, ..)| *id == case.id && *dropped == [mark])
        };
        assert!(variables(&case.evidence).keys().all(|name| is_there(name)), "{}", case.id);
    }
}

#[test]
fn what_agents_set_and_users_configure_changes_no_report() {
    for case in cases() {
        for (name, value) in AGENTS.iter().chain(&OF_USERS) {
            if case.evidence["env"].get(name).is_some() {
                continue;
            }
            let added = with(&case.evidence, name, value);
            assert_eq!(verdict(&added), (case.kind, case.agent_env), "{} with {name}", case.id);
        }
    }
}

#[test]
fn a_cloud_or_a_sandbox_is_no_persons_machine_whatever_else_is_there() {
    for case in cases() {
        let before = judge(&case.evidence);
        let kind = match (before.env_kind, before.markers.has_ci_env) {
            (EnvKind::CloudIde, _) => EnvKind::CloudIde,
            (EnvKind::Ci, true) => EnvKind::Ci,
            _ => EnvKind::Container,
        };
        for (name, value) in [
            ("CLAUDE_CODE_REMOTE", "true"),
            ("CURSOR_AGENT_WORKER_ID", "w"),
            ("AI_AGENT", "github_copilot_cloud_agent"),
        ] {
            let added = with(&case.evidence, name, value);
            assert_eq!(verdict(&added), (kind, AgentEnv::Cloud), "{} with {name}", case.id);
        }
        let added = with(&case.evidence, "MODAL_SANDBOX_ID", "m");
        let agents = match case.agent_env {
            AgentEnv::Cloud => AgentEnv::Cloud,
            _ => AgentEnv::Sandbox,
        };
        assert_eq!(verdict(&added), (kind, agents), "{} in a sandbox", case.id);
        // A build server's own mark makes each a job, but for a workspace.
        let job = if kind == EnvKind::CloudIde { kind } else { EnvKind::Ci };
        let added = with(&case.evidence, "GITLAB_CI", "true");
        assert_eq!(verdict(&added), (job, case.agent_env), "{} as a job", case.id);
    }
}

#[test]
fn a_workspace_is_a_persons_but_where_an_agent_works() {
    for case in cases() {
        let added = with(&case.evidence, "CODESPACES", "true");
        assert_eq!(verdict(&added), (EnvKind::CloudIde, case.agent_env), "{}", case.id);
    }
}

#[test]
fn a_terminal_makes_people_of_headless_machines_only() {
    let terminals = [
        json!({"tty": true}),
        json!({"terminal": true}),
        json!({"ancestors": [{}, {"terminal": true}]}),
    ];
    for case in cases() {
        for terminal in &terminals {
            let mut evidence = case.evidence.clone();
            evidence.as_object_mut().unwrap().extend(terminal.as_object().unwrap().clone());
            assert_eq!(verdict(&evidence), (case.kind, case.agent_env), "{} {terminal}", case.id);
        }
    }
}
