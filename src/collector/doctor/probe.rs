//! The one install that is sent: accepted, known again, erased, and erased for good.
//!
//! One rule: it is a development version in CI, which no usual view counts, and it does not stay.

use super::{Check, Dialer, JSON, is_answer, is_code, outcome};
use crate::contract::{
    Activation, AgentEnv, Arch, Edition, EnvKind, EnvMarkers, LaunchSource, Os, Payload, Product,
    Shutdown, TokensBucket, timestamp,
};

/// Of a product whose version is not known.
const VERSION: &str = "0.0.0-dev";

/// The checks of a heartbeat of `product`.
pub(super) fn heartbeat(dialer: &Dialer, product: &str, now: u64) -> Vec<Check> {
    let Some(id) = fresh_id() else {
        let found = "the system gave no random bytes for an id";
        return vec![Check::fail("heartbeat", found, "try again")];
    };
    let body = payload(product, &id, now).encode();
    let send = || dialer.ask("POST", "/heartbeat", JSON, &body);
    let first = send();
    let is_unknown = is_answer(&first, 400, "\"rule\":\"product\"");
    let advice = match &first {
        _ if is_unknown => "receive the product: `mcpproxy collector product add NAME`",
        Ok(answer) if answer.code == 429 => "wait a minute: this network has used its share",
        Ok(answer) if answer.code == 503 => {
            "read the collector's log: the database cannot be written"
        }
        _ => "let the proxy pass on POST /heartbeat and its answer as they are",
    };
    let mut checks = vec![Check::of(
        "heartbeat",
        is_answer(&first, 200, "\"stored\":true"),
        "a heartbeat is stored",
        &|| match is_unknown {
            true => "a heartbeat of this product is refused".to_owned(),
            false => format!("a heartbeat: {}", outcome(&first)),
        },
        advice,
    )];
    let is_stored = is_answer(&first, 200, "\"stored\":true");
    if is_stored {
        let again = send();
        checks.push(Check::of(
            "repetition",
            is_answer(&again, 200, "\"duplicate\":true"),
            "the same heartbeat again is a duplicate",
            &|| format!("the same heartbeat again: {}", outcome(&again)),
            "let the proxy answer nothing itself, and cache nothing",
        ));
    }
    // Even where its answer was lost or strange: it may be stored.
    let erasure = format!(r#"{{"product":"{product}","id":"{id}"}}"#);
    let erased = dialer.ask("DELETE", "/installs", JSON, erasure.as_bytes());
    let is_erased = is_code(&erased, 204);
    checks.push(Check::of(
        "erasure",
        is_erased,
        "the install that was sent is erased",
        &|| format!("DELETE /installs: {}; the install {id} of this check may stay", outcome(&erased)),
        "let the proxy pass on DELETE /installs with its body, and erase that install with `mcpproxy collector forget`",
    ));
    if is_erased && is_stored {
        let late = send();
        checks.push(Check::of(
            "late retry",
            is_code(&late, 204),
            "a late copy does not bring it back",
            &|| format!("a late copy of the erased install: {}", outcome(&late)),
            "put a collector of this version behind the endpoint, and let the proxy repeat nothing",
        ));
    }
    checks
}

/// A random UUID of version 4.
fn fresh_id() -> Option<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Some([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

fn payload(product: &str, id: &str, now: u64) -> Payload {
    Payload {
        product: Product { name: product.to_owned(), version: VERSION.to_owned() },
        anonymous_id: id.to_owned(),
        env_kind: EnvKind::Ci,
        env_markers: EnvMarkers { has_ci_env: true, ..EnvMarkers::default() },
        agent_env: AgentEnv::None,
        launch_source: LaunchSource::Unknown,
        autostart_enabled: None,
        activation: Activation {
            first_connected_server_ever: false,
            first_mcp_client_ever: false,
            first_retrieve_tools_call_ever: false,
            first_real_tool_call_ever: false,
            mcp_clients_seen_ever: Vec::new(),
            retrieve_tools_calls_24h: 0,
            estimated_tokens_saved_24h_bucket: TokensBucket::Zero,
            configured_ide_count: 0,
        },
        version: format!("v{VERSION}"),
        current_version: None,
        previous_version: None,
        edition: Edition::Personal,
        os: Os::Linux,
        arch: Arch::Amd64,
        server_count: None,
        connected_server_count: None,
        tool_count: None,
        uptime_hours: None,
        routing_mode: None,
        timestamp: timestamp::format(now),
        anonymous_id_created_at: timestamp::format(now - now % timestamp::DAY),
        carried_over: false,
        days_since_install: 0,
        active_days_30d: 0,
        previous_shutdown: Shutdown::Unknown,
        surface_requests: None,
        builtin_tool_calls: None,
        upstream_tool_call_count_bucket: None,
        server_protocol_counts: None,
        diagnostics: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{self, PrivateWords};

    #[test]
    fn the_probe_passes_the_gate_and_is_in_no_usual_view() {
        let id = fresh_id().expect("an id");
        let payload = payload("notes-mcp", &id, 1_790_000_000);
        assert_eq!(gate::check(&payload.encode(), None, &PrivateWords::default()), Ok(()));
        assert_eq!(payload.env_kind, EnvKind::Ci);
        assert!(payload.product.version.contains('-'), "no release");
        assert_ne!(fresh_id(), fresh_id());
    }
}
