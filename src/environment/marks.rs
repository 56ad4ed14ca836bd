//! The marks: every variable that tells people from machines, and the class of each.
//!
//! One rule: a value is looked at once, while it is read; no more than the word that this table has for it is kept.
//! Sources: section 2 of the specification, the vendors' documents, `ci-info`, `std-env` and the agents' own.

/// What a mark says. A letter each, because the table is text: a list of strings takes several times its size.
pub(super) mod class {
    /// A workspace: each process in it is a person's.
    pub const STRONG: u8 = b'W';
    /// A workspace that build servers use as well.
    pub const WEAK: u8 = b'w';
    /// An editor: a person is near.
    pub const EDITOR: u8 = b'E';
    /// A build server.
    pub const CI: u8 = b'P';
    /// Many build servers, people who want plain output, and agents who want no prompts.
    pub const CI_GENERIC: u8 = b'G';
    /// An agent sets it for each child: the client is an agent, and its user may sit before it.
    pub const AGENT: u8 = b'S';
    /// An agent in a cloud, without a person.
    pub const CLOUD_AGENT: u8 = b'C';
    /// A sandbox that is made for agents, without a person.
    pub const SANDBOX: u8 = b'X';
    /// A sandbox, as its user says, who may be a person that wants to be asked less: see `agent`.
    pub const SAYS_SANDBOX: u8 = b'I';
    /// A platform that runs servers.
    pub const HOSTING: u8 = b'H';
    /// A container.
    pub const CONTAINER: u8 = b'K';
    /// A container on Linux. Elsewhere it comes from tools that show a laptop the variables of a pod.
    pub const POD: u8 = b'k';
    /// A person's desktop in a container.
    pub const TOOLBOX: u8 = b'T';
    /// A graphical session.
    pub const DISPLAY: u8 = b'D';
    /// A person's Linux inside of another system.
    pub const GUEST: u8 = b'L';
    /// A half of a mark: alone it is anybody's.
    pub const HALF: u8 = b'x';
    /// Nothing: not set, or a value that proves nothing.
    pub const NONE: u8 = b'-';
    /// The class is a matter of the value.
    pub const BY_VALUE: u8 = b'=';
}

/// The names of each class, in the order in which evidence is told. Those whose class is a matter of the value are followed by
/// clauses, of which the first that matches decides: a class, alone (any value), with `=` (this value; `*` stands
/// for anything at its end or around it; `@` is the name of an agent) or with `!` (a value that says no).
const TABLE: &[(u8, &str)] = &[
    (
        class::STRONG,
        "CODESPACES GITPOD_WORKSPACE_ID GITPOD_ENVIRONMENT_ID REPL_ID STACKBLITZ_ENV DAYTONA_WS_ID \
         CODER_AGENT_TOKEN CODER_WORKSPACE_NAME CODESANDBOX_HOST CODESANDBOX_SSE MONOSPACE_ENV CLOUD_SHELL \
         ACC_CLOUD GOOGLE_CLOUD_WORKSTATIONS C9_PID COLAB_RELEASE_TAG DEVWORKSPACE_ID CHE_WORKSPACE_ID \
         REPLIT_SESSION REPLIT_USER JUPYTERHUB_USER KAGGLE_KERNEL_RUN_TYPE CODER CODER_WORKSPACE_AGENT_NAME",
    ),
    (class::WEAK, "DEVPOD DEVCONTAINER REMOTE_CONTAINERS CSB CSB_SANDBOX_ID BOLT_ENV"),
    (class::EDITOR, "CURSOR_TRACE_ID"),
    (
        class::CI,
        "GITHUB_ACTIONS GITLAB_CI HUDSON_URL CIRCLECI BUILDKITE TF_BUILD TRAVIS DRONE BITBUCKET_BUILD_NUMBER \
         BITBUCKET_COMMIT TEAMCITY_VERSION APPVEYOR GITEA_ACTIONS CODEBUILD_BUILD_ARN CODEBUILD_BUILD_ID \
         bamboo_planKey BITRISE_IO BUDDY_WORKSPACE_ID CIRRUS_CI CF_BUILD_ID CM_BUILD_ID CF_PAGES WORKERS_CI \
         AGOLA_GIT_REF AC_APPCIRCLE DSARI EARTHLY_CI EAS_BUILD GERRIT_PROJECT GO_PIPELINE_LABEL \
         BUILDER_OUTPUT HARNESS_BUILD_ID LAYERCI MAGNUM NEVERCODE PROW_JOB_ID SAILCI SCREWDRIVER SEMAPHORE \
         STRIDER VELA APPCENTER_BUILD_ID CI_XCODE_PROJECT XCS JB_SPACE_API_URL \
         SYSTEM_TEAMFOUNDATIONCOLLECTIONURI NOW_BUILDER TASKCLUSTER_ROOT_URL RWX CAPAWESOME_CLOUD ALPIC_HOST \
         RELEASE_BUILD_ID BUILD_BUILDID PIP_IS_CI",
    ),
    (
        class::CLOUD_AGENT,
        "CLAUDE_CODE_ENVIRONMENT_KIND CLAUDE_CODE_REMOTE CLAUDE_CODE_REMOTE_SESSION_ID CURSOR_AGENT_WORKER_ID \
         CURSOR_WORKER_POOL_NAME COPILOT_AGENT_JOB_ID REPLIT_AGENT POSTHOG_TASK_RUN_ID",
    ),
    (
        class::SANDBOX,
        "MODAL_TASK_ID MODAL_SANDBOX_ID DAYTONA_SANDBOX_ID CLOUDFLARE_DURABLE_OBJECT_ID",
    ),
    (
        class::AGENT,
        "CLAUDECODE CLAUDE_CODE CLAUDE_CODE_SESSION_ID CLAUDE_CODE_EXECPATH CLAUDE_CODE_CHILD_SESSION \
         CLAUDE_PROJECT_DIR CURSOR_AGENT CURSOR_CONVERSATION_ID CURSOR_SANDBOX GEMINI_CLI QWEN_CODE IFLOW_CLI \
         GROK_AGENT KIMI_CLI DROID_CLI VTCODE KILO CODEX_THREAD_ID CODEX_CI CODEX_SANDBOX \
         CODEX_SANDBOX_NETWORK_DISABLED CODEX_SESSION_ID COPILOT_CLI COPILOT_AGENT COPILOT_AGENT_SESSION_ID \
         GITHUB_COPILOT_CLI_MODE VSCODE_AGENT AMP_CURRENT_THREAD_ID AUGMENT_AGENT CLINE_ACTIVE CLINE_TASK_ID \
         ROO_CODE_TASK_ID ANTIGRAVITY_AGENT CRUSH PI_CODING_AGENT PI_SESSION_ID GOOSE_TERMINAL \
         HERMES_SESSION_ID KIRO_AGENT_PATH TRAE_AI_SHELL_ID JUNIE_DATA OZ_RUN_ID WARP_RUN_ID",
    ),
    (
        class::HOSTING,
        "RENDER RAILWAY_PROJECT_ID FLY_APP_NAME DYNO AWS_LAMBDA_FUNCTION_NAME DENO_DEPLOYMENT_ID \
         WEBSITE_INSTANCE_ID NOMAD_ALLOC_ID",
    ),
    (class::POD, "KUBERNETES_SERVICE_HOST"),
    (
        class::CONTAINER,
        "ECS_CONTAINER_METADATA_URI ECS_CONTAINER_METADATA_URI_V4 K_SERVICE CLOUD_RUN_JOB CONTAINER_APP_NAME \
         APPTAINER_CONTAINER SINGULARITY_CONTAINER",
    ),
    (class::TOOLBOX, "DISTROBOX_ENTER_PATH"),
    (class::DISPLAY, "DISPLAY WAYLAND_DISPLAY"),
    (class::GUEST, "WSL_DISTRO_NAME WSL_INTEROP"),
    (
        class::HALF,
        "TASK_ID RUN_ID JENKINS_URL BUILD_ID JENKINS_HOME AWS_APP_ID AWS_BRANCH NETLIFY NETLIFY_LOCAL VERCEL",
    ),
    (
        class::BY_VALUE,
        "CI -! G;CONTINUOUS_INTEGRATION -! G;CI_NAME P=codeship P=sourcehut;VERCEL_ENV -=development x;\
         AI_AGENT -! C=@github_copilot_cloud_agent S;AGENT S=amp S=goose S=crush S=1;\
         CLAUDE_CODE_ENTRYPOINT C=remote* C=claude-in-teams S;CURSOR_EXTENSION_HOST_ROLE S=agent-exec;\
         CODEX_INTERNAL_ORIGINATOR_OVERRIDE C=codex_web_agent;OPENCODE S=1;REPLIT_MODE C=assistant;\
         AWS_EXECUTION_ENV W=CloudShell* S=*AmazonQ-For-CLI*;GITHUB_AW C=true;IS_SANDBOX I=1;\
         GITHUB_ACTOR x=copilot-swe-agent[bot];GITHUB_TRIGGERING_ACTOR x=copilot-swe-agent[bot];\
         E2B_SANDBOX X=true;HOME x=/home/jules X=/home/vercel-sandbox;USER x=swebot;\
         container K=docker K=podman K=oci K=lxc K=lxc-libvirt K=systemd-nspawn K=rkt K=openvz K=pouch \
         K=buildah K=crio L=wsl L=proot",
    ),
];

/// Halves that are a mark together, and its class.
pub(super) const TOGETHER: &[(u8, &str, &str)] = &[
    (class::CI, "TASK_ID", "RUN_ID"),
    // Alone it is a user's setting: the address of a Jenkins to talk to.
    (class::CI, "JENKINS_URL", "BUILD_ID"),
    (class::CI, "JENKINS_URL", "JENKINS_HOME"),
    (class::CI, "AWS_APP_ID", "AWS_BRANCH"),
    (class::HOSTING, "VERCEL", "VERCEL_ENV"),
    (class::CLOUD_AGENT, "GITHUB_ACTIONS", "GITHUB_ACTOR"),
    (class::CLOUD_AGENT, "GITHUB_ACTIONS", "GITHUB_TRIGGERING_ACTOR"),
    (class::CLOUD_AGENT, "HOME", "USER"),
];

/// Where a name stands in the table.
#[derive(Clone, Copy)]
struct Entry {
    group: u8,
    length: u8,
    start: u16,
}

const MOST: usize = 255;
const FOUND: ([Entry; MOST], usize) = {
    let mut entries = [Entry { group: 0, length: 0, start: 0 }; MOST];
    let (mut count, mut group) = (0, 0);
    while group < TABLE.len() {
        let by_value = TABLE[group].0 == class::BY_VALUE;
        let text = TABLE[group].1.as_bytes();
        let mut at = 0;
        while at < text.len() {
            let start = at;
            while at < text.len() && text[at] != b' ' {
                at += 1;
            }
            entries[count] =
                Entry { group: group as u8, length: (at - start) as u8, start: start as u16 };
            count += 1;
            while by_value && at < text.len() && text[at] != b';' {
                at += 1;
            }
            at += 1;
        }
        group += 1;
    }
    (entries, count)
};

/// How many names the table has.
pub(super) const COUNT: usize = FOUND.1;
static ENTRIES: [Entry; COUNT] = {
    let mut entries = [FOUND.0[0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        entries[at] = FOUND.0[at];
        at += 1;
    }
    entries
};

/// Twice as many as names at least, so that most names of an environment fall on an empty one.
const SLOTS: usize = 1024;
/// For each place of a name, its number in the table plus one. An environment holds a hundred names that
/// classification does not ask for, and nine environments are read at every start.
static PLACES: [u8; SLOTS] = {
    let mut places = [0; SLOTS];
    let mut at = 0;
    while at < COUNT {
        let Entry { group, length, start } = ENTRIES[at];
        let (_, name) = TABLE[group as usize].1.as_bytes().split_at(start as usize);
        let mut place = place_of(name.split_at(length as usize).0);
        while places[place] != 0 {
            place = (place + 1) % SLOTS;
        }
        places[place] = at as u8 + 1;
        at += 1;
    }
    places
};

/// Four bytes and the length tell most names apart.
const fn place_of(name: &[u8]) -> usize {
    let last = name.len() - 1;
    let [a, b, c, d] = [name[0], name[last / 3], name[last - last / 3], name[last]];
    let mixed = ((a as usize * 31 + b as usize) * 31 + c as usize) * 31 + d as usize;
    (mixed * 7 + name.len()) % SLOTS
}

/// The name with this number.
pub(super) fn name(number: usize) -> &'static str {
    let Entry { group, length, start } = ENTRIES[number];
    &TABLE[usize::from(group)].1[usize::from(start)..usize::from(start) + usize::from(length)]
}

/// The number of a name, if the table has it.
pub(super) fn find(asked: &[u8]) -> Option<usize> {
    if asked.is_empty() {
        return None;
    }
    let mut place = place_of(asked);
    loop {
        let number = usize::from(PLACES[place]).checked_sub(1)?;
        if name(number).as_bytes() == asked {
            return Some(number);
        }
        place = (place + 1) % SLOTS;
    }
}

/// The class of this value of the name with that number, and the word that is kept for it: one that has the same class.
pub(super) fn judge(number: usize, value: &str) -> (u8, &'static str) {
    if value.is_empty() {
        return (class::NONE, "");
    }
    let Entry { group, length, start } = ENTRIES[number];
    let (class, text) = TABLE[usize::from(group)];
    if class != class::BY_VALUE {
        return (class, "1");
    }
    // The files of the container interface hold one line; what follows the first is no value.
    let value = value.lines().next().unwrap_or_default().trim();
    let clauses = &text[usize::from(start) + usize::from(length)..];
    let clauses = clauses.split(';').next().unwrap_or_default();
    for clause in clauses.split(' ').skip(1) {
        let (class, test) = (clause.as_bytes()[0], &clause[1..]);
        let kept = match test.as_bytes().first() {
            None => Some("1"),
            Some(b'!') => says_no(value).then_some("0"),
            Some(_) => kept_of(&test[1..], value),
        };
        if let Some(kept) = kept {
            return (class, kept);
        }
    }
    (class::NONE, "?")
}

/// The value that `pattern` stands for, if it matches.
fn kept_of(pattern: &'static str, value: &str) -> Option<&'static str> {
    if let Some(agent) = pattern.strip_prefix('@') {
        return is_agent(agent, value).then_some(agent);
    }
    let word = pattern.trim_matches('*');
    let matches = match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, _) => value.contains(word),
        (_, true) => value.starts_with(word),
        _ => value == word,
    };
    matches.then_some(word)
}

/// Agents tell their version behind a `@`, or as `name_version_agent`. Only whole names count: `pydantic-ai`
/// is not `pi`.
fn is_agent(name: &str, value: &str) -> bool {
    let told = value.split('@').next().unwrap_or_default();
    told.strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || (rest.starts_with('_') && rest.ends_with("_agent")))
}

/// `CI=false` is how people switch off what a program does under CI.
fn says_no(value: &str) -> bool {
    ["false", "0", "no", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
}
