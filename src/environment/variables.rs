//! The variables that tell CI jobs and cloud workspaces from people's machines.
//!
//! One rule: only whether a variable is set is looked at, of generic ones also whether they say "no".
//! Lists: section 2 of the specification, collected from the vendors' documentation and `ci-info`.

use super::{Evidence, Found};

/// Set by one CI product each; the value does not matter.
pub const CI_PROVIDER: &[&str] = &[
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "HUDSON_URL",
    "CIRCLECI",
    "BUILDKITE",
    "TF_BUILD",
    "TRAVIS",
    "DRONE",
    "BITBUCKET_BUILD_NUMBER",
    "BITBUCKET_COMMIT",
    "TEAMCITY_VERSION",
    "APPVEYOR",
    "GITEA_ACTIONS",
    "CODEBUILD_BUILD_ARN",
    "CODEBUILD_BUILD_ID",
    "bamboo_planKey",
    "BITRISE_IO",
    "BUDDY_WORKSPACE_ID",
    "CIRRUS_CI",
    "CF_BUILD_ID",
    "CM_BUILD_ID",
    "CF_PAGES",
    "WORKERS_CI",
    "AGOLA_GIT_REF",
    "AC_APPCIRCLE",
    "DSARI",
    "EARTHLY_CI",
    "EAS_BUILD",
    "GERRIT_PROJECT",
    "GO_PIPELINE_LABEL",
    "BUILDER_OUTPUT",
    "HARNESS_BUILD_ID",
    "LAYERCI",
    "MAGNUM",
    "NEVERCODE",
    "PROW_JOB_ID",
    "SAILCI",
    "SCREWDRIVER",
    "SEMAPHORE",
    "STRIDER",
    "VELA",
    "APPCENTER_BUILD_ID",
    "CI_XCODE_PROJECT",
    "XCS",
    "JB_SPACE_API_URL",
    "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI",
    "NOW_BUILDER",
];

/// Set by many products, and by people who want plain output.
pub const CI_GENERIC: &[&str] = &["CI", "CONTINUOUS_INTEGRATION"];

/// TaskCluster sets both; each alone is anyone's.
pub const CI_TASKCLUSTER: [&str; 2] = ["TASK_ID", "RUN_ID"];

/// Alone a user's setting: the address of a Jenkins to talk to.
pub const CI_JENKINS: &str = "JENKINS_URL";

/// With one of these beside it, a Jenkins job.
pub const CI_JENKINS_JOB: [&str; 2] = ["BUILD_ID", "JENKINS_HOME"];

/// Workspaces whose every process belongs to a person.
pub const CLOUD_STRONG: &[&str] = &[
    "CODESPACES",
    "GITPOD_WORKSPACE_ID",
    "GITPOD_ENVIRONMENT_ID",
    "REPL_ID",
    "STACKBLITZ_ENV",
    "DAYTONA_WS_ID",
    "CODER_AGENT_TOKEN",
    "CODER_WORKSPACE_NAME",
    "CODESANDBOX_HOST",
    "CODESANDBOX_SSE",
    "MONOSPACE_ENV",
    "CLOUD_SHELL",
    "ACC_CLOUD",
    "GOOGLE_CLOUD_WORKSTATIONS",
    "C9_PID",
    "COLAB_RELEASE_TAG",
];

/// Workspaces that CI jobs use as well.
pub const CLOUD_WEAK: &[&str] =
    &["DEVPOD", "DEVCONTAINER", "REMOTE_CONTAINERS", "DAYTONA_SANDBOX_ID"];

/// Which CI markers were found.
#[derive(Clone, Copy)]
pub(super) struct Ci {
    pub provider: bool,
    pub generic: bool,
}

pub(super) fn ci(evidence: &dyn Evidence, found: &mut Found) -> Ci {
    let mut provider = found.variables(evidence, CI_PROVIDER);
    if CI_TASKCLUSTER.iter().all(|name| is_set(evidence, name)) {
        provider |= found.variables(evidence, &CI_TASKCLUSTER);
    }
    if is_set(evidence, CI_JENKINS) && CI_JENKINS_JOB.iter().any(|name| is_set(evidence, name)) {
        provider |= found.variables(evidence, &[CI_JENKINS]);
        found.variables(evidence, &CI_JENKINS_JOB);
    }
    let mut generic = false;
    for name in CI_GENERIC {
        if evidence.env(name).is_some_and(|value| says_yes(&value)) {
            generic = true;
            found.variable(name);
        }
    }
    Ci { provider, generic }
}

/// Which workspace markers were found.
#[derive(Clone, Copy)]
pub(super) struct Cloud {
    pub strong: bool,
    pub weak: bool,
}

pub(super) fn cloud_ide(evidence: &dyn Evidence, found: &mut Found) -> Cloud {
    Cloud {
        strong: found.variables(evidence, CLOUD_STRONG),
        weak: found.variables(evidence, CLOUD_WEAK),
    }
}

/// Set and not empty.
pub(super) fn is_set(evidence: &dyn Evidence, name: &str) -> bool {
    evidence.env(name).is_some_and(|value| !value.is_empty())
}

/// `CI=false` is how people switch CI behaviour off.
fn says_yes(value: &str) -> bool {
    let word = value.trim();
    !value.is_empty() && !["false", "0", "no", "off"].iter().any(|no| word.eq_ignore_ascii_case(no))
}
