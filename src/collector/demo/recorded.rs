//! The recorded fleet: what its heartbeats said, and when they came.
//!
//! One rule: what is read is moved by whole weeks to end now, and is otherwise what the simulated clients sent.
//!
//! After a head the file holds numbers (seven bits in each byte, the lowest first) and words: the day before which
//! everything was received; the words, of which heartbeats are made (their text between two commas); then for each
//! install its network and its heartbeats. Of a heartbeat are written the seconds since the one before, the seconds
//! that it was on the way, its id and the day that was made on where they change, and the words that differ from
//! those of the one before; for the first of an install, from the first of the install before.

use crate::contract::timestamp;

const HEAD: &[u8] = b"mcpproxy fleet 1\n";
const DAY: u64 = 86_400;
const WEEK: i64 = 7;

/// A heartbeat of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// As it was sent, with times of the present.
    pub bytes: Vec<u8>,
    /// When it was received.
    pub received: u64,
    /// The number of the network that it came from.
    pub network: u64,
}

/// Where a heartbeat differs from the one before.
#[derive(Default)]
struct Previous {
    received: u64,
    id: u64,
    made: i64,
    words: Vec<usize>,
}

/// The heartbeats of `packed` that were received until `now`, in order of receipt, moved so that they end now;
/// `None` when the file is not what `scripts/demo-fleet` writes.
pub fn read(packed: &[u8], now: u64) -> Option<Vec<Recorded>> {
    let mut file = File(packed.strip_prefix(HEAD)?);
    let until = file.number()?;
    let words: Vec<&[u8]> = file.list(|file| {
        let length = usize::try_from(file.number()?).ok()?;
        file.bytes(length)
    })?;
    // Today is recorded to its end, and days of the week stay what they are.
    let days = i64::try_from(now / DAY).ok()? + 1 - i64::try_from(until).ok()?;
    let moved = -((-days).div_euclid(WEEK)) * WEEK;
    let mut all = Vec::new();
    let mut first = Vec::new();
    for _ in 0..file.number()? {
        let network = file.number()?;
        let mut before =
            Previous { received: until.checked_mul(DAY)?, words: first, ..Previous::default() };
        first = Vec::new();
        for nth in 0..file.number()? {
            let received = before.received.checked_add_signed(file.signed()?)?;
            let claimed = received.checked_add_signed(file.signed()?.checked_neg()?)?;
            let changed = file.number()?;
            if changed & 1 == 1 {
                before.id = file.number()?;
            }
            if changed & 2 == 2 {
                before.made = i64::try_from(until).ok()?.checked_sub(file.signed()?)?;
            }
            file.words(&mut before.words)?;
            before.received = received;
            if nth == 0 {
                first.clone_from(&before.words);
            }
            let moved_to = |second: u64| second.checked_add_signed(moved * DAY.cast_signed());
            let received = moved_to(received)?;
            if received <= now {
                let made = u64::try_from(before.made + moved).ok()?.checked_mul(DAY)?;
                let bytes = text(&words, &before, moved_to(claimed)?, made)?;
                all.push(Recorded { bytes, received, network });
            }
        }
    }
    all.sort_by_key(|one| one.received);
    file.0.is_empty().then_some(all)
}

/// The heartbeat that these words make.
fn text(words: &[&[u8]], of: &Previous, claimed: u64, made: u64) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(1536);
    for (at, word) in of.words.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        for byte in *words.get(*word)? {
            match byte {
                1 => text.extend_from_slice(id(of.id).as_bytes()),
                2 => text.extend_from_slice(timestamp::format(claimed).as_bytes()),
                3 => text.extend_from_slice(timestamp::format(made).get(..10)?.as_bytes()),
                byte => text.push(*byte),
            }
        }
    }
    Some(text)
}

/// The id of that number: a UUID of version 4, which no client has made.
fn id(number: u64) -> String {
    format!("de300000-0000-4000-8000-{number:012x}")
}

/// What is left of the file.
struct File<'f>(&'f [u8]);

impl<'f> File<'f> {
    fn bytes(&mut self, length: usize) -> Option<&'f [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes(1)?.first()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        let half = i64::try_from(number / 2).ok()?;
        Some(if number % 2 == 0 { half } else { -half - 1 })
    }

    fn place(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| one(self)).collect()
    }

    /// The words of a heartbeat, which differ in some places from those that are there.
    fn words(&mut self, words: &mut Vec<usize>) -> Option<()> {
        let new = self.number()?;
        if new > 0 {
            *words = (0..new).map(|_| self.place()).collect::<Option<_>>()?;
            return Some(());
        }
        let mut at = 0;
        for _ in 0..self.number()? {
            at += self.place()?;
            *words.get_mut(at)? = self.place()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::demo::FLEET;
    use crate::gate;

    /// 2026-11-28T12:00:00Z, a Saturday.
    const NOW: u64 = 1_795_867_200;

    #[test]
    fn every_recorded_heartbeat_passes_the_gate_and_the_last_ones_are_of_today() {
        for later in [0, 1, 3, 6, 7, 400] {
            let now = NOW + later * DAY;
            let all = read(FLEET, now).expect("the recorded fleet");
            assert!(all.len() > 3_000, "{} heartbeats", all.len());
            assert!(all.iter().map(|one| one.received).is_sorted());
            let last = all.last().expect("a heartbeat").received;
            assert!(last <= now && last / DAY == now / DAY, "{last} of {now}");
            if later < 2 {
                for one in &all {
                    let checked = gate::check_received(&one.bytes);
                    assert!(checked.is_ok(), "{}", String::from_utf8_lossy(&one.bytes));
                }
            }
        }
    }

    #[test]
    fn days_of_the_week_stay_what_they_are() {
        let weekday = |one: &Recorded| (one.received / DAY) % 7;
        let (today, tomorrow) = (read(FLEET, NOW), read(FLEET, NOW + DAY));
        let (today, tomorrow) = (today.expect("a fleet"), tomorrow.expect("a fleet"));
        assert_eq!(today.first().map(weekday), tomorrow.first().map(weekday));
    }

    #[test]
    fn a_damaged_file_is_no_fleet() {
        let first = FLEET.get(..FLEET.len() - 1).expect("a file");
        assert_eq!(read(first, NOW), None);
        assert_eq!(read(&[FLEET, &[0]].concat(), NOW), None);
        assert_eq!(read(b"mcpproxy fleet 2\n", NOW), None);
        assert_eq!(read(b"", NOW), None);
    }
}
