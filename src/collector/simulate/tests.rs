//! Tests of the fleet itself: that it is what its options say, and nothing else decides.

use super::*;

/// Says yes to everything, and remembers it.
#[derive(Default)]
struct Yes {
    received: Vec<(u64, Vec<u8>)>,
}

impl Collect for Yes {
    fn receive(&mut self, batch: &[Delivery]) -> Result<Vec<Answer>, SimulationError> {
        self.received.extend(batch.iter().map(|one| (one.received, one.bytes.clone())));
        Ok(vec![Answer { status: 200, retry_after: None }; batch.len()])
    }
}

fn log_of(options: &Options) -> Vec<String> {
    let mut out = Vec::new();
    run(options, &mut Yes::default(), &mut out).expect("the fleet runs");
    String::from_utf8(out).expect("the log is text").lines().map(str::to_owned).collect()
}

#[test]
fn the_same_seed_gives_the_same_events_and_another_seed_others() {
    let options = Options { installs: 40, days: 12, seed: 7 };
    assert_eq!(log_of(&options), log_of(&options));
    assert_ne!(log_of(&options), log_of(&Options { seed: 8, ..options }));
}

#[test]
fn one_install_more_changes_none_of_the_others() {
    let options = Options { installs: 30, days: 12, seed: 3 };
    let more = log_of(&Options { installs: 31, ..options });
    let of_the_first_30: Vec<_> =
        more.into_iter().skip(1).filter(|line| !line.contains(r#""install":30"#)).collect();
    assert_eq!(log_of(&options)[1..], of_the_first_30);
}

#[test]
fn events_stand_in_order_of_their_time() {
    let times = log_of(&Options { installs: 60, days: 20, seed: 1 }).into_iter().map(|line| {
        let digits = line.strip_prefix(r#"{"at":"#).and_then(|rest| rest.split_once(','));
        digits.and_then(|(digits, _)| digits.parse::<u64>().ok()).expect("a time")
    });
    assert!(times.is_sorted());
}

#[test]
fn heartbeats_of_an_install_are_received_in_order() {
    let mut collector = Yes::default();
    let options = Options { installs: 1, days: 60, seed: 12 };
    run(&options, &mut collector, &mut io::sink()).expect("the fleet runs");
    assert!(collector.received.iter().map(|(at, _)| at).is_sorted());
}
