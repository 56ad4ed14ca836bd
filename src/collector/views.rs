//! The views of one snapshot that were asked for last: a page, its charts and its files are one view.
//!
//! One rule: each is computed once, one after the other, and a newer snapshot begins without any.

use super::snapshot::Snapshot;
use super::view::{Selection, Topic, View};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are remembered.
const MOST: usize = 16;

/// The views of a snapshot, those that were asked for last in front.
#[derive(Debug, Default)]
pub struct Views(Mutex<VecDeque<(Topic, Arc<View>)>>);

impl Snapshot {
    /// The view of `selection` with what `topic` shows.
    pub fn view(&self, selection: Selection, topic: Topic) -> Arc<View> {
        let mut views = self.views.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(of, view): &(Topic, Arc<View>)| *of == topic && view.selection == selection;
        let view = match views.iter().position(same).and_then(|at| views.remove(at)) {
            Some((_, view)) => view,
            None => Arc::new(View::with(self, selection, &[topic])),
        };
        views.push_front((topic, view.clone()));
        views.truncate(MOST);
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::definitions::{Audience, Now};

    fn of(product: usize) -> Selection {
        Selection { product: Some(format!("product-{product}")), ..Selection::default() }
    }

    #[test]
    fn a_view_is_computed_once_for_each_snapshot_and_few_are_remembered() {
        let snapshot = Snapshot::new(Now(1_790_000_000), Vec::new());
        let first = snapshot.view(of(0), Topic::Retention);
        let same = |topic, selection| Arc::ptr_eq(&first, &snapshot.view(selection, topic));
        assert!(same(Topic::Retention, of(0)));
        assert!(!same(Topic::Overview, of(0)));
        assert!(!same(Topic::Retention, Selection { audience: Audience::All, ..of(0) }));
        let later = snapshot.unchanged_at(Now(1_790_000_060));
        assert_eq!(later.view(of(0), Topic::Retention).as_of, Now(1_790_000_060));
        assert_eq!(snapshot.view(of(0), Topic::Retention).as_of, Now(1_790_000_000));
        for product in 1..=MOST {
            snapshot.view(of(product), Topic::Retention);
        }
        assert_eq!(snapshot.views.0.lock().expect("views").len(), MOST);
        assert!(!same(Topic::Retention, of(0)), "it was forgotten for others");
    }
}
