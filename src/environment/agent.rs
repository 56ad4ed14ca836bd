//! Environments of agents without a person: clouds and sandboxes.
//!
//! One rule: what an agent sets for its children on a person's machine is no mark of these.

use super::marks::class;
use super::seen::Seen;
use super::{Evidence, Found};
use crate::contract::AgentEnv;

/// Devin's machine, and Jules'.
const CLOUD_PATHS: &[&str] = &["/opt/.devin", "/opt/environment_summary.sh"];
const SANDBOX_PATH: &str = "/run/e2b/.E2B_SANDBOX";
const KERNEL: &str = "/proc/version";

pub(super) fn probe(
    evidence: &dyn Evidence,
    seen: &mut Seen,
    is_bare_container: bool,
    found: &mut Found,
) -> AgentEnv {
    // People say so as well, for an agent that refuses to run without questions as root: it counts where no person
    // is seen.
    if is_bare_container {
        seen.turn(class::SAYS_SANDBOX, class::CLOUD_AGENT);
    }
    let mut cloud = seen.has(class::CLOUD_AGENT);
    CLOUD_PATHS.iter().for_each(|path| cloud |= found.path(evidence, path));
    let mut sandbox = seen.has(class::SANDBOX) | found.path(evidence, SANDBOX_PATH);
    // `4.4.0` alone, which gVisor said for years, is the kernel of old distributions as well.
    let is_gvisor = |text: &str| text.to_ascii_lowercase().contains("gvisor");
    if evidence.os_release().is_some_and(|release| is_gvisor(&release)) {
        sandbox = found.note("osrelease", true);
    } else if evidence.file(KERNEL).is_some_and(|text| is_gvisor(&text)) {
        sandbox = true;
        found.push("file:", KERNEL);
    }
    match (cloud, sandbox) {
        (true, _) => AgentEnv::Cloud,
        (_, true) => AgentEnv::Sandbox,
        _ => AgentEnv::None,
    }
}
