//! Consent, identity, notice and store, as `telemetry status` has them.

use super::{Check, Level};
use crate::activation::Store;
use crate::consent::Effective;
use crate::contract::timestamp;
use crate::diagnostics::Code;
use crate::status::{Status, storage};

/// Off is a wish, unless it is because a file cannot be read.
pub(super) fn consent(status: &Status) -> Check {
    let word = match status.consent.effective {
        Effective::On => "on",
        Effective::LocalOnly => "local only",
        Effective::Off => "off",
    };
    let consent = &status.consent;
    let found = format!("telemetry is {word}: {} ({})", consent.detail, consent.rule);
    match consent.code() {
        Some(code @ Code::ConsentUnreadable) => {
            let advice = "repair that file; until it can be read, telemetry stays off";
            Check::fail("consent", found, advice).with(code)
        }
        _ => Check::ok("consent", found),
    }
}

pub(super) fn identity(status: &Status) -> Check {
    match (&status.id_trouble, &status.id) {
        (Some(trouble), _) => {
            Check::fail("identity", trouble.clone(), "nothing is sent until then")
        }
        (None, Some(_)) => Check::ok("identity", "this install has an anonymous id"),
        (None, None) => Check::ok("identity", "there is no id yet; the first host makes one"),
    }
}

/// What is in the way of sending, besides what other checks say.
pub(super) fn sent(status: &Status) -> Option<Check> {
    let trouble = status.trouble.clone().filter(|_| Store::check(&status.place).is_ok())?;
    let check = Check::fail("sent", trouble, "nothing is sent until then");
    Some(check.with(Code::StoreReadOnly))
}

pub(super) fn notice(status: &Status) -> Check {
    if let Some(why) = status.awaits_notice {
        return Check::warn("notice", why, "nothing is sent until then");
    }
    Check::ok(
        "notice",
        match status.state.install.notice_shown_at {
            0 => "the first-run notice was not shown yet; nothing is sent before it is".to_owned(),
            at => format!("the first-run notice was shown on {}", timestamp::format(at)),
        },
    )
}

/// The store, and what was put aside beside it.
pub(super) fn store(status: &Status) -> Vec<Check> {
    let (word, detail) = &status.store;
    let found = detail.clone().unwrap_or_else(|| (*word).to_owned());
    let space = "make the data directory writable and make room, or move it with MCPPROXY_HOME";
    let mut checks = vec![
        match (*word, detail) {
            ("ok", None) => Check::ok("store", "it is sound"),
            ("ok", Some(_)) => Check::warn("store", found, "nothing needs to be done"),
            ("none", None) => Check::ok("store", "there is none yet; the first host makes it"),
            ("none", Some(_)) | ("busy", _) => {
                Check::warn("store", found, "start a host, or try again")
            }
            ("not_built", _) => Check::ok("store", found),
            ("remote", _) => {
                Check::warn("store", found, "move the data directory with MCPPROXY_HOME")
            }
            ("damaged", _) => {
                Check::fail("store", found, "the next host puts it aside and restores what it can")
            }
            _ => Check::fail("store", found, space),
        }
        .with(storage::code(word)),
    ];
    let aside = Store::quarantines(&status.place).len();
    if aside > 0 {
        let found = format!("damaged stores were put aside: {aside} (telemetry.corrupt-...)");
        let advice =
            "keep them for a bug report, or delete them; if it happens again, check the disk";
        checks.push(Check::warn("store", found, advice));
    }
    if status.state.install.anonymity_violations > 0 {
        checks.push(Check {
            level: Level::Warn,
            advice: Some(
                "please report it, with the output of `mcpproxy telemetry show-payload`".into(),
            ),
            code: Some(Code::GateRefused),
            ..Check::ok("gate", "the anonymity gate refused heartbeats: nothing of them was sent")
        });
    }
    checks
}
