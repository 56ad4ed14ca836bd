//! The marks of agents, sandboxes and hosting, and of people who were missed: each with its rule, its values, and the
//! values that prove nothing.
#![cfg(all(feature = "detect-container", feature = "detect-display", feature = "detect-tty"))]

use mcpproxy::contract::{AgentEnv, EnvKind};
use mcpproxy::environment::{Classification, RecordedEvidence, Rule, classify, names};
use serde_json::{Value, json};

/// Set by an agent for each child.
const AGENT: &str = "AI_AGENT AGENT=amp AGENT=goose AGENT=crush AGENT=1 CLAUDECODE CLAUDE_CODE CLAUDE_CODE_SESSION_ID \
    CLAUDE_CODE_EXECPATH CLAUDE_CODE_CHILD_SESSION CLAUDE_PROJECT_DIR CLAUDE_CODE_ENTRYPOINT=cli \
    CLAUDE_CODE_ENTRYPOINT=claude-vscode CLAUDE_CODE_ENTRYPOINT=desktop CLAUDE_CODE_ENTRYPOINT=sdk-ts \
    CLAUDE_CODE_ENTRYPOINT=sdk-py CLAUDE_CODE_ENTRYPOINT=sdk-cli CLAUDE_CODE_ENTRYPOINT=mcp CURSOR_AGENT \
    CURSOR_EXTENSION_HOST_ROLE=agent-exec CURSOR_CONVERSATION_ID CURSOR_SANDBOX GEMINI_CLI QWEN_CODE IFLOW_CLI \
    GROK_AGENT KIMI_CLI DROID_CLI VTCODE KILO CODEX_THREAD_ID CODEX_CI CODEX_SANDBOX \
    CODEX_SANDBOX_NETWORK_DISABLED CODEX_SESSION_ID COPILOT_CLI COPILOT_AGENT COPILOT_AGENT_SESSION_ID \
    GITHUB_COPILOT_CLI_MODE VSCODE_AGENT OPENCODE=1 AMP_CURRENT_THREAD_ID AUGMENT_AGENT CLINE_ACTIVE CLINE_TASK_ID \
    ROO_CODE_TASK_ID ANTIGRAVITY_AGENT CRUSH PI_CODING_AGENT PI_SESSION_ID GOOSE_TERMINAL HERMES_SESSION_ID \
    KIRO_AGENT_PATH TRAE_AI_SHELL_ID JUNIE_DATA OZ_RUN_ID WARP_RUN_ID AWS_EXECUTION_ENV=AmazonQ-For-CLI \
    CLAUDE_CODE_ENTRYPOINT=local-agent \
    AI_AGENT=claude-code_2-1-232_agent AI_AGENT=pydantic-ai AI_AGENT=claude-code@2.1";

/// Where nobody sits.
const CLOUD: &str = "AI_AGENT=github_copilot_cloud_agent AI_AGENT=github_copilot_cloud_agent@1.2 \
    AI_AGENT=github_copilot_cloud_agent_1-2_agent CLAUDE_CODE_ENTRYPOINT=remote CLAUDE_CODE_ENTRYPOINT=remote_mobile \
    CLAUDE_CODE_ENTRYPOINT=claude-in-teams CLAUDE_CODE_ENVIRONMENT_KIND=byoc \
    CLAUDE_CODE_ENVIRONMENT_KIND=anthropic_cloud CLAUDE_CODE_REMOTE CLAUDE_CODE_REMOTE_SESSION_ID \
    CURSOR_AGENT_WORKER_ID CURSOR_WORKER_POOL_NAME CODEX_INTERNAL_ORIGINATOR_OVERRIDE=codex_web_agent \
    COPILOT_AGENT_JOB_ID REPLIT_AGENT REPLIT_MODE=assistant GITHUB_AW=true POSTHOG_TASK_RUN_ID";
const SANDBOX: &str = "E2B_SANDBOX=true MODAL_TASK_ID MODAL_SANDBOX_ID HOME=/home/vercel-sandbox DAYTONA_SANDBOX_ID \
    CLOUDFLARE_DURABLE_OBJECT_ID";

const CI: &str = "TASKCLUSTER_ROOT_URL RWX CAPAWESOME_CLOUD ALPIC_HOST RELEASE_BUILD_ID CI_NAME=codeship \
    CI_NAME=sourcehut NETLIFY BUILD_BUILDID PIP_IS_CI";
const HOSTING: &str = "RENDER RAILWAY_PROJECT_ID FLY_APP_NAME DYNO AWS_LAMBDA_FUNCTION_NAME DENO_DEPLOYMENT_ID \
    WEBSITE_INSTANCE_ID NOMAD_ALLOC_ID";
const CONTAINER: &str = "APPTAINER_CONTAINER SINGULARITY_CONTAINER container=openvz container=pouch \
    container=buildah container=crio";
const STRONG: &str = "AWS_EXECUTION_ENV=CloudShell DEVWORKSPACE_ID CHE_WORKSPACE_ID REPLIT_SESSION REPLIT_USER \
    JUPYTERHUB_USER KAGGLE_KERNEL_RUN_TYPE CODER CODER_WORKSPACE_AGENT_NAME";
const WEAK: &str = "CSB CSB_SANDBOX_ID BOLT_ENV";

/// What proves nothing: values that a rule does not name, halves, and what users configure.
const NOTHING: &str = "AI_AGENT=0 AI_AGENT=false AI_AGENT=no AI_AGENT=off AI_AGENT=FALSE AGENT=smith AGENT=2 AGENT=/tmp/ssh \
    CURSOR_EXTENSION_HOST_ROLE=other CODEX_INTERNAL_ORIGINATOR_OVERRIDE=codex_cli OPENCODE=0 REPLIT_MODE=workspace \
    AWS_EXECUTION_ENV=AWS_ECS_FARGATE GITHUB_AW=false IS_SANDBOX=1 IS_SANDBOX=yes E2B_SANDBOX=false \
    E2B_SANDBOX_ID=x HOME=/home/jules USER=swebot HOME=/home/vercel-sandbox2 CI_NAME=mine NETLIFY_LOCAL \
    AWS_APP_ID AWS_BRANCH VERCEL VERCEL_ENV GITHUB_ACTOR=copilot-swe-agent[bot] \
    GITHUB_TRIGGERING_ACTOR=copilot-swe-agent[bot] CODEX_HOME COPILOT_MODEL COPILOT_ALLOW_ALL COPILOT_GITHUB_TOKEN \
    OPENCODE_TERMINAL GOOSE_PROVIDER AMP_HOME TERM_PROGRAM=WarpTerminal SSH_CONNECTION VSCODE_IPC_HOOK_CLI \
    container=flatpak container=none";

fn judge(recording: &Value) -> Classification {
    classify(&RecordedEvidence::from_json(recording.to_string().as_bytes()).unwrap())
}

/// Each mark of a list, as name and value.
fn marks(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split_whitespace().map(|mark| mark.split_once('=').unwrap_or((mark, "x")))
}

fn env(variables: &[(&str, &str)], os: &str) -> Value {
    let mut env = json!({});
    for (name, value) in variables {
        env[*name] = (*value).into();
    }
    json!({"env": env, "os": os})
}

fn verdict(variables: &[(&str, &str)], os: &str) -> (Rule, EnvKind, AgentEnv) {
    let verdict = judge(&env(variables, os));
    (verdict.rule, verdict.env_kind, verdict.agent_env)
}

const HEADLESS: (Rule, EnvKind, AgentEnv) = (Rule::Headless, EnvKind::Headless, AgentEnv::None);
const DESKTOP: (Rule, EnvKind, AgentEnv) = (Rule::DesktopOs, EnvKind::Interactive, AgentEnv::None);

#[test]
fn what_an_agent_sets_says_only_who_set_ci() {
    let job = (Rule::Ci, EnvKind::Ci, AgentEnv::None);
    for mark in marks(AGENT) {
        assert_eq!(verdict(&[mark], "linux"), HEADLESS, "{mark:?}");
        assert_eq!(verdict(&[mark], "darwin"), DESKTOP, "{mark:?}");
        for generic in [("CI", "1"), ("CI", "true"), ("CONTINUOUS_INTEGRATION", "1")] {
            assert_eq!(verdict(&[mark, generic], "darwin"), DESKTOP, "{mark:?}");
            assert_eq!(verdict(&[mark, generic, ("BUILDKITE", "true")], "darwin"), job);
            let seen = judge(&env(&[mark, generic], "darwin"));
            assert!(seen.markers.has_ci_env, "markers are what was seen");
            assert!(seen.evidence.contains(&format!("env:{}", mark.0)), "{mark:?}");
        }
        assert_eq!(verdict(&[(mark.0, ""), ("CI", "1")], "darwin"), job, "{mark:?}");
    }
}

#[test]
fn a_cloud_agent_is_a_container_or_a_job() {
    for mark in marks(CLOUD) {
        for os in ["linux", "darwin", "windows", "freebsd"] {
            let expected = (Rule::Agent, EnvKind::Container, AgentEnv::Cloud);
            assert_eq!(verdict(&[mark], os), expected, "{mark:?}");
            assert_eq!(verdict(&[mark, ("CI", "true")], os), expected, "{mark:?}");
            let job = (Rule::AgentInCi, EnvKind::Ci, AgentEnv::Cloud);
            assert_eq!(verdict(&[mark, ("GITLAB_CI", "true")], os), job, "{mark:?}");
        }
        let seen = judge(&env(&[mark], "linux"));
        assert!(!seen.markers.is_container, "what was not seen is not said");
        assert_eq!(seen.evidence, [format!("env:{}", mark.0)]);
        let workspace = (Rule::CloudIde, EnvKind::CloudIde, AgentEnv::Cloud);
        assert_eq!(verdict(&[mark, ("REPL_ID", "x")], "linux"), workspace, "{mark:?}");
        let weak = (Rule::Agent, EnvKind::Container, AgentEnv::Cloud);
        assert_eq!(verdict(&[mark, ("DEVCONTAINER", "x")], "linux"), weak, "{mark:?}");
        assert_eq!(verdict(&[(mark.0, "")], "linux"), HEADLESS, "{mark:?}");
    }
    for actor in ["GITHUB_ACTOR", "GITHUB_TRIGGERING_ACTOR"] {
        let job = |name: &str| verdict(&[("GITHUB_ACTIONS", "true"), (actor, name)], "linux");
        let agents = (Rule::AgentInCi, EnvKind::Ci, AgentEnv::Cloud);
        assert_eq!(job("copilot-swe-agent[bot]"), agents);
        assert_eq!(job("tim"), (Rule::Ci, EnvKind::Ci, AgentEnv::None));
    }
    let jules = [("HOME", "/home/jules"), ("USER", "swebot")];
    assert_eq!(verdict(&jules, "linux").2, AgentEnv::Cloud);
    let other_home = [("HOME", "/home/vercel-sandbox"), ("USER", "swebot")];
    assert_eq!(
        verdict(&other_home, "linux").2,
        AgentEnv::Sandbox,
        "both halves are of one machine"
    );
    for path in ["/opt/.devin", "/opt/environment_summary.sh"] {
        let found = judge(&json!({"os": "linux", "paths": [path], "tty": true}));
        assert_eq!((found.rule, found.agent_env), (Rule::Agent, AgentEnv::Cloud));
        assert_eq!(found.evidence, [format!("path:{path}"), "tty".into()]);
    }
}

#[test]
fn names_of_agents_count_whole() {
    for name in [
        "github_copilot_cloud_agents",
        "my_github_copilot_cloud_agent",
        "github_copilot_cloud_agent2",
        "github",
    ] {
        assert_eq!(verdict(&[("AI_AGENT", name)], "linux"), HEADLESS, "{name}");
    }
}

#[test]
fn a_sandbox_is_a_container() {
    let expected = (Rule::Agent, EnvKind::Container, AgentEnv::Sandbox);
    for mark in marks(SANDBOX) {
        assert_eq!(verdict(&[mark], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("DISPLAY", ":0")], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("GITPOD_WORKSPACE_ID", "x")], "linux").1, EnvKind::CloudIde);
        // An agent's cloud may be made of sandboxes.
        assert_eq!(verdict(&[mark, ("CLAUDE_CODE_REMOTE", "1")], "linux").2, AgentEnv::Cloud);
    }
    for (evidence, name) in [
        (json!({"paths": ["/run/e2b/.E2B_SANDBOX"]}), "path:/run/e2b/.E2B_SANDBOX"),
        (json!({"osrelease": "4.19.0-gvisor"}), "osrelease"),
        (json!({"files": {"/proc/version": "Linux version 4.4.0 (gVisor)"}}), "file:/proc/version"),
    ] {
        let mut evidence = evidence;
        evidence["os"] = "linux".into();
        for _ in 0..2 {
            let found = judge(&evidence);
            assert_eq!((found.rule, found.env_kind, found.agent_env), expected, "{evidence}");
            assert_eq!(found.evidence[0], name);
            evidence["terminal"] = true.into();
        }
    }
    let old = json!({"os": "linux", "osrelease": "4.4.0", "files": {"/proc/version": "Linux version 4.4.0"}});
    assert_eq!(judge(&old).rule, Rule::Headless);
}

#[test]
fn who_says_sandbox_is_believed_in_containers_only() {
    let says = |more: Value| {
        let mut evidence = json!({"os": "linux", "env": {"IS_SANDBOX": "1", "CLAUDECODE": "1"}});
        let all = evidence.as_object_mut().unwrap();
        for (key, value) in more.as_object().unwrap() {
            match value {
                Value::Object(env) => all["env"].as_object_mut().unwrap().extend(env.clone()),
                _ => drop(all.insert(key.clone(), value.clone())),
            }
        }
        judge(&evidence).agent_env
    };
    assert_eq!(says(json!({})), AgentEnv::None);
    assert_eq!(says(json!({"tty": true})), AgentEnv::None);
    assert_eq!(says(json!({"paths": ["/.dockerenv"]})), AgentEnv::Cloud);
    for person in ["DEVCONTAINER", "CODESPACES", "DISTROBOX_ENTER_PATH"] {
        let container = json!({"paths": ["/.dockerenv"], "env": {person: "1"}});
        assert_eq!(says(container), AgentEnv::None, "{person}");
    }
    let workspace = json!({"paths": ["/.dockerenv", "/google/idx"]});
    assert_eq!(says(workspace), AgentEnv::None, "a workspace that is known by a path");
}

#[test]
fn build_servers_that_were_missed() {
    for mark in marks(CI) {
        let expected = (Rule::Ci, EnvKind::Ci, AgentEnv::None);
        assert_eq!(verdict(&[mark], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("DEVPOD", "1")], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("CLAUDECODE", "1")], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[(mark.0, "")], "linux"), HEADLESS, "{mark:?}");
    }
    assert_eq!(verdict(&[("AWS_APP_ID", "a"), ("AWS_BRANCH", "b")], "linux").1, EnvKind::Ci);
    assert_eq!(verdict(&[("NETLIFY", "true"), ("NETLIFY_LOCAL", "true")], "linux"), HEADLESS);
    let dropped = judge(&env(&[("NETLIFY", "true"), ("NETLIFY_LOCAL", "true")], "linux"));
    assert!(dropped.evidence.is_empty());
}

#[test]
fn generic_ci_beats_weak_workspaces_only() {
    for weak in ["DEVPOD", "DEVCONTAINER", "REMOTE_CONTAINERS", "CSB", "CSB_SANDBOX_ID", "BOLT_ENV"]
    {
        assert_eq!(verdict(&[(weak, "1"), ("CI", "1")], "linux").0, Rule::Ci, "{weak}");
        let agents = [(weak, "1"), ("CI", "1"), ("CURSOR_AGENT", "1")];
        assert_eq!(verdict(&agents, "linux").0, Rule::CloudIde, "{weak}");
    }
    assert_eq!(verdict(&[("CODESPACES", "1"), ("CI", "1")], "linux").0, Rule::CloudIde);
}

#[test]
fn servers_that_are_hosted() {
    let expected = (Rule::Hosting, EnvKind::Container, AgentEnv::None);
    let vercel = ["production", "preview", "staging"];
    let all = marks(HOSTING).map(|mark| vec![mark]);
    let all = all.chain(vercel.map(|kind| vec![("VERCEL", "1"), ("VERCEL_ENV", kind)]));
    for set in all {
        assert_eq!(verdict(&set, "linux"), expected, "{set:?}");
        let seen = judge(&env(&set, "linux"));
        assert_eq!(seen.markers, Default::default(), "{set:?}");
        assert_eq!(seen.evidence.len(), set.len(), "{set:?}");
        // Everything before it in the tree.
        for (more, rule) in [
            (("CI", "1"), Rule::Ci),
            (("CODESPACES", "1"), Rule::CloudIde),
            (("DEVCONTAINER", "1"), Rule::CloudIde),
            (("K_SERVICE", "x"), Rule::Container),
            (("E2B_SANDBOX", "true"), Rule::Agent),
        ] {
            let with_more: Vec<_> = set.iter().copied().chain([more]).collect();
            assert_eq!(verdict(&with_more, "linux").0, rule, "{with_more:?}");
        }
        // Everything behind it.
        let mut near = env(&set, "linux");
        near["tty"] = true.into();
        near["terminal"] = true.into();
        assert_eq!(judge(&near).rule, Rule::Hosting);
    }
    // `vercel dev` on a person's machine.
    assert_eq!(verdict(&[("VERCEL", "1"), ("VERCEL_ENV", "development")], "darwin"), DESKTOP);
}

#[test]
fn containers_that_were_missed() {
    for mark in marks(CONTAINER) {
        let expected = (Rule::Container, EnvKind::Container, AgentEnv::None);
        assert_eq!(verdict(&[mark], "linux"), expected, "{mark:?}");
    }
    let found = judge(&json!({"os": "linux", "paths": ["/.singularity.d"], "tty": true}));
    assert_eq!((found.rule, found.markers.is_container), (Rule::Container, true));
    let pod = [("KUBERNETES_SERVICE_HOST", "10.0.0.1")];
    assert_eq!(verdict(&pod, "linux").0, Rule::Container);
    for os in ["darwin", "windows"] {
        let mirrored = judge(&env(&pod, os));
        assert_eq!((mirrored.rule, mirrored.markers.is_container), (Rule::DesktopOs, false));
        assert!(mirrored.evidence.is_empty());
    }
}

fn root(source: &str) -> Value {
    json!({"os": "linux", "mountinfo": format!("22 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n36 25 0:32 / / rw - {source}\n")})
}

#[test]
fn a_layered_root_is_a_container_but_on_peoples_systems() {
    for source in [
        "overlay overlay rw,lowerdir=/a:/b,upperdir=/c",
        "overlay none rw",
        "fuse.fuse-overlayfs fuse-overlayfs rw",
    ] {
        let found = judge(&root(source));
        assert_eq!((found.rule, found.evidence), (Rule::Container, vec!["mountinfo".to_owned()]));
        // Docker Desktop's kernel names WSL, inside of containers as well.
        let mut guest = root(source);
        guest["osrelease"] = "6.6.87.2-microsoft-standard-WSL2".into();
        guest["terminal"] = true.into();
        guest["paths"] = json!(["/run/WSL"]);
        assert_eq!(judge(&guest).rule, Rule::Container);
        for toolbox in
            [json!({"paths": ["/run/.toolboxenv"]}), json!({"env": {"DISTROBOX_ENTER_PATH": "x"}})]
        {
            let mut person = root(source);
            person.as_object_mut().unwrap().extend(toolbox.as_object().unwrap().clone());
            assert_eq!(judge(&person).rule, Rule::DesktopLinux);
        }
        for live in [
            "/run/live",
            "/lib/live/mount",
            "/run/initramfs/live",
            "/run/archiso",
            "/cdrom/casper",
            "/rofs",
            "/media/root-ro",
            "/run/ostree-booted",
        ] {
            let mut person = root(source);
            person["paths"] = json!([live]);
            let found = judge(&person);
            assert_eq!((found.rule, found.markers.is_container), (Rule::Headless, false), "{live}");
        }
    }
    for source in [
        "ext4 /dev/sda1 rw",
        "ext4 overlay rw",
        "overlay /cow rw,lowerdir=/filesystem.squashfs,upperdir=/cow/upper,workdir=/cow/work",
        "overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs",
        "overlay composefs ro,lowerdir+=/run/ostree/.private/cfsroot-lower,datadir-only=/sysroot/ostree/repo/objects",
        "overlay overlayfs:/overlay rw,lowerdir=/,upperdir=/overlay/upper",
        "overlay LiveOS_rootfs rw,lowerdir=/run/rootfsbase,upperdir=/run/overlayfs",
    ] {
        assert_eq!(judge(&root(source)).rule, Rule::Headless, "{source}");
    }
    let two = "20 1 0:20 / / rw - overlay overlay rw\n36 25 8:1 / / rw - ext4 /dev/sda1 rw\n";
    assert_eq!(
        judge(&json!({"os": "linux", "mountinfo": two})).rule,
        Rule::Headless,
        "the later one"
    );
    let elsewhere = "36 25 0:32 / /var/lib/docker/overlay2/aa/merged rw - overlay overlay rw\n";
    assert_eq!(judge(&json!({"os": "linux", "mountinfo": elsewhere})).rule, Rule::Headless);
}

#[test]
fn workspaces_that_were_missed() {
    let expected = (Rule::CloudIde, EnvKind::CloudIde, AgentEnv::None);
    for mark in marks(STRONG) {
        assert_eq!(verdict(&[mark], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("GITHUB_ACTIONS", "true")], "linux"), expected, "{mark:?}");
        assert!(judge(&env(&[mark], "linux")).markers.has_cloud_ide_env);
    }
    for mark in marks(WEAK) {
        assert_eq!(verdict(&[mark], "linux"), expected, "{mark:?}");
        assert_eq!(verdict(&[mark, ("GITHUB_ACTIONS", "true")], "linux").0, Rule::Ci, "{mark:?}");
    }
    // Amazon Q adds itself to the word of its host.
    let q = ("AWS_EXECUTION_ENV", "CloudShell AmazonQ-For-CLI Version/1.2");
    assert_eq!(verdict(&[q], "linux"), expected);
    let found = judge(&json!({"os": "linux", "paths": ["/google/idx"]}));
    assert_eq!((found.rule, found.markers.has_cloud_ide_env), (Rule::CloudIde, true));
    assert_eq!(found.evidence, ["path:/google/idx"]);
}

#[test]
fn people_who_were_missed() {
    let person = (Rule::DesktopLinux, EnvKind::Interactive, AgentEnv::None);
    for mark in
        [("WSL_INTEROP", "/run/WSL/8_interop"), ("container", "proot"), ("CURSOR_TRACE_ID", "t")]
    {
        assert_eq!(verdict(&[mark], "linux"), person, "{mark:?}");
        assert_eq!(verdict(&[mark, ("K_SERVICE", "x")], "linux").0, Rule::Container, "{mark:?}");
        assert_eq!(verdict(&[mark, ("CI", "1")], "linux").0, Rule::Ci, "{mark:?}");
    }
    for path in [
        "/proc/sys/fs/binfmt_misc/WSLInterop",
        "/proc/sys/fs/binfmt_misc/WSLInterop-late",
        "/run/WSL",
        "/mnt/wslg",
    ] {
        let mut evidence = json!({"os": "linux", "paths": [path]});
        assert_eq!(judge(&evidence).rule, Rule::DesktopLinux, "{path}");
        evidence["paths"] = json!([path, "/.dockerenv"]);
        let found = judge(&evidence);
        assert_eq!(
            (found.rule, found.evidence),
            (Rule::Container, vec!["path:/.dockerenv".into()])
        );
    }
}

#[test]
fn a_controlling_terminal_makes_a_person_of_a_headless_linux() {
    for (terminal, name) in [
        (json!({"terminal": true}), "terminal"),
        (json!({"terminal": true, "ancestors": [{"terminal": true}]}), "terminal"),
        (json!({"ancestors": [{"terminal": true}]}), "terminal:ancestor"),
        (json!({"ancestors": [{}, {"env": {"X": "y"}}, {"terminal": true}]}), "terminal:ancestor"),
    ] {
        let on = |os: &str, more: Value| {
            let mut evidence = terminal.clone();
            evidence["os"] = os.into();
            evidence.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            judge(&evidence)
        };
        let found = on("linux", json!({}));
        assert_eq!((found.rule, found.env_kind), (Rule::RemotePerson, EnvKind::Interactive));
        assert_eq!(found.evidence, [name]);
        assert_eq!(found.markers, Default::default(), "standard input is none");
        for remote in ["SSH_CONNECTION", "VSCODE_IPC_HOOK_CLI", "TERM_PROGRAM"] {
            assert_eq!(on("linux", json!({"env": {remote: "x"}})).rule, Rule::RemotePerson);
        }
        for (more, rule) in [
            (json!({"env": {"DISPLAY": ":0"}}), Rule::DesktopLinux),
            (json!({"env": {"CI": "1"}}), Rule::Ci),
            (json!({"env": {"CLAUDE_CODE_REMOTE": "1"}}), Rule::Agent),
            (json!({"env": {"MODAL_TASK_ID": "1"}}), Rule::Agent),
            (json!({"env": {"FLY_APP_NAME": "1"}}), Rule::Hosting),
            (json!({"paths": ["/.dockerenv"]}), Rule::Container),
        ] {
            assert_eq!(on("linux", more.clone()).rule, rule, "{more}");
        }
        assert_eq!(on("darwin", json!({})).rule, Rule::DesktopOs);
        assert_eq!(on("freebsd", json!({})).rule, Rule::None);
    }
    assert_eq!(
        judge(&json!({"os": "linux", "terminal": false, "ancestors": [{"terminal": false}, {}]}))
            .rule,
        Rule::Headless
    );
}

#[test]
fn what_proves_nothing_changes_nothing() {
    for mark in marks(NOTHING) {
        assert_eq!(verdict(&[mark], "linux"), HEADLESS, "{mark:?}");
        assert_eq!(verdict(&[mark], "darwin"), DESKTOP, "{mark:?}");
        assert!(judge(&env(&[mark], "linux")).evidence.is_empty(), "{mark:?}");
        // Neither does it say who set `CI`.
        assert_eq!(verdict(&[mark, ("CI", "1")], "darwin").0, Rule::Ci, "{mark:?}");
    }
}

#[test]
fn no_more_is_kept_of_a_value_than_its_rule_needs() {
    let all = [AGENT, CLOUD, SANDBOX, CI, HOSTING, CONTAINER, STRONG, WEAK, NOTHING];
    let known = all.iter().flat_map(|list| marks(list));
    let secrets = names::all().map(|name| (name, "hunter2-@a b;c"));
    let edges =
        names::all().flat_map(|name| ["", "0", "1", "true", "off", " x\ny"].map(|v| (name, v)));
    for (name, value) in known.chain(secrets).chain(edges) {
        let Some(kept) = names::reduced(name.as_bytes(), value) else { continue };
        assert!(!kept.contains("hunter"), "{name}");
        assert_eq!(names::reduced(name.as_bytes(), kept), Some(kept), "{name}");
        for os in ["linux", "darwin"] {
            for more in [
                ("X", "y"),
                ("CI", "1"),
                ("GITHUB_ACTIONS", "1"),
                ("USER", "swebot"),
                ("VERCEL", "1"),
            ] {
                let of = |value: &str| judge(&env(&[more, (name, value)], os));
                assert_eq!(of(value), of(kept), "{name}={value}");
            }
        }
    }
}

#[test]
fn every_name_that_is_read_is_tested() {
    let tested = [include_str!("environment_table.rs"), include_str!("environment_marks.rs")];
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = tested.iter().flat_map(|text| text.split(|c| !is_of_names(c))).collect();
    for name in names::all() {
        assert!(words.contains(&name), "{name}");
    }
}
