//! A notice that was written where few people look, such as the standard error of a server that a client
//! started.
//!
//! One rule: shown to a person once more, and then remembered as seen.

use crate::activation::Store;
use crate::consent::{Consent, Effective};
use crate::heartbeat::timing::Timing;
use crate::heartbeat::{live, schedule};
use crate::identity::install;
use crate::machine::Surroundings;
use crate::notice::{self, Notice, Program};
use crate::paths::Place;
use crate::products::Subject;

/// The notice of one product towards one endpoint host.
pub(crate) struct Unseen {
    place: Place,
    host: String,
    /// What it says.
    pub(crate) text: String,
}

impl Unseen {
    /// `None` when nothing is sent, when it was not written yet, or a person could see it.
    pub(crate) fn find(
        subject: &Subject,
        place: &Place,
        consent: &Consent,
        host: &str,
        around: &Surroundings,
        now: u64,
    ) -> Option<Self> {
        let kept = install::read(place).ok()??.notice?;
        let is_unseen = kept.host == host && kept.written_at != 0 && kept.visible_at == 0;
        if !is_unseen || consent.effective != Effective::On {
            return None;
        }
        let state = Store::peek(place, now).ok().flatten().unwrap_or_default();
        let since = live::live_host(&state, now).map(|host| host.started_at);
        let next = schedule::next_attempt(&state, &Timing::of(around), since, now).unwrap_or(now);
        let notice = Notice {
            product: &subject.product.name,
            host,
            first_in: next.saturating_sub(now),
            dir: &subject.dir,
            program: Program::current(),
        };
        Some(Self { place: place.clone(), host: host.to_owned(), text: notice.to_string() })
    }

    /// A person saw it at `now`. Should that not be remembered, it is shown again.
    pub(crate) fn seen(&self, now: u64) {
        let _ = notice::seen(&self.place, &self.host, now);
    }
}
