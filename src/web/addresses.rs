//! How many connections each other machine has.
//!
//! One rule: this machine has no bound of its own. Of an IPv6 network the first 64 bits are one machine: it gives
//! itself as many addresses as it likes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The connections of all machines.
#[derive(Clone)]
pub struct Addresses {
    most: usize,
    counts: Counts,
}

/// One connection of a machine, until it is dropped.
pub struct Counted(Option<(IpAddr, Counts)>);

impl Addresses {
    /// At most so many of each.
    pub fn new(most: usize) -> Self {
        Self { most, counts: Counts::default() }
    }

    /// One more of `address`; `None` when it has as many as it may.
    pub fn take(&self, address: IpAddr) -> Option<Counted> {
        let address = machine(address);
        if address.is_loopback() {
            return Some(Counted(None));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted(Some((address, self.counts.clone()))))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((address, counts)) = self.0.take() else { return };
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
    }
}

fn machine(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            let [a, b, c, d, ..] = six.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_has_so_many_connections_and_this_one_as_many_as_there_are() {
        let addresses = Addresses::new(2);
        let take = |text: &str| addresses.take(text.parse().expect("an address"));
        let held = [take("192.0.2.1"), take("::ffff:192.0.2.1")];
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some(), "another one");
        let six = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(six.iter().all(Option::is_some));
        assert!(take("2001:db8::3").is_none(), "the same network");
        assert!(take("2001:db8:0:1::3").is_some());
        let here: Vec<_> = (0..9).map(|_| take("127.0.0.1")).chain([take("::1")]).collect();
        assert!(here.iter().all(Option::is_some));
        drop(held);
        assert!(take("192.0.2.1").is_some());
        drop((six, here));
        assert!(
            addresses.counts.lock().expect("counts").is_empty(),
            "nothing is kept of those gone"
        );
    }
}
