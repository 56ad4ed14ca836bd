//! The origin of a request: the network that it came from, as a number that leads nowhere.
//!
//! One rule: an address lives while its request is looked at. What is kept, in memory alone, is a hash of its /24
//! or /48 under a random key of this process. A forwarding header is believed from a trusted proxy only.

mod forwarded;
mod network;

pub use network::{Network, NetworkError};

use axum::http::HeaderMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

/// The network of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    key: u64,
    is_unproven: bool,
}

impl Origin {
    /// Its number: the same for all addresses of one network, and another one in the next process.
    pub(super) fn key(self) -> u64 {
        self.key
    }

    /// Whether it came with a forwarding header although no proxy is trusted: it may be a proxy that all come
    /// through, or somebody who forges the header.
    pub(super) fn is_unproven(self) -> bool {
        self.is_unproven
    }

    /// A network that is a number: of a fleet that is simulated, or recorded.
    pub(super) fn of_network(number: u64) -> Self {
        // A table takes the remainder of the key for its place.
        Self { key: number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32), is_unproven: false }
    }

    #[cfg(test)]
    pub(super) fn for_tests(key: u64) -> Self {
        Self { key, is_unproven: false }
    }

    #[cfg(test)]
    pub(super) fn unproven_for_tests(key: u64) -> Self {
        Self { key, is_unproven: true }
    }
}

/// Finds origins.
pub struct Origins {
    trusted: Vec<Network>,
    key: RandomState,
}

impl Origins {
    /// Origins of requests that may come through these proxies.
    pub fn new(trusted: Vec<Network>) -> Self {
        Self { trusted, key: RandomState::new() }
    }

    /// Whether a request says that it was forwarded.
    pub fn is_forwarded(headers: &HeaderMap) -> bool {
        forwarded::is_in(headers)
    }

    /// The origin of a request from `peer`. `None` is this machine itself, which no limit is for.
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Origin> {
        let peer = peer.to_canonical();
        let is_forwarded = forwarded::is_in(headers);
        if peer.is_loopback() && !is_forwarded {
            return None;
        }
        let address = self.address(peer, headers);
        let is_unproven = is_forwarded && self.trusted.is_empty();
        Some(Origin { key: self.hashed(address), is_unproven })
    }

    /// The address that the request came from, as far as it can be believed.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let along = |hops| self.last_untrusted(peer, hops);
        match (forwarded::list(headers), forwarded::standard(headers)) {
            (None, None) => peer,
            (Some(hops), None) | (None, Some(hops)) => along(hops),
            // A proxy writes one of them and may pass on the other as the client wrote it.
            (Some(one), Some(other)) => {
                let (one, other) = (along(one), along(other));
                if self.hashed(one) == self.hashed(other) { one } else { peer }
            }
        }
    }

    /// The rightmost address that is no trusted proxy; where a hop cannot be read, the last one that could.
    fn last_untrusted(&self, peer: IpAddr, hops: Vec<Option<IpAddr>>) -> IpAddr {
        let mut last = peer;
        for hop in hops.into_iter().rev() {
            let Some(hop) = hop else { break };
            last = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        last
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.holds(address))
    }

    fn hashed(&self, address: IpAddr) -> u64 {
        match address {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                self.key.hash_one((4_u8, [a, b, c]))
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                self.key.hash_one((6_u8, [a, b, c]))
            }
        }
    }
}

#[cfg(test)]
mod tests;
