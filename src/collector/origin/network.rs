//! A network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
//!
//! One rule: what is written must be what is meant; a network with bits beyond its length is an error.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network of IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    length: u32,
}

/// Why a text is no network that can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkError {
    /// It is no address with a length.
    Form,
    /// The address has bits beyond the length; the network that holds it.
    Bits(Network),
    /// It holds every address.
    Everything,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str(
                "must be the address or the network of a proxy, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8",
            ),
            Self::Bits(network) => {
                write!(f, "names an address with a length: the network that holds it is {network}")
            }
            Self::Everything => f.write_str(
                "would trust every address, so that anybody could write the forwarding header: name the network of \
                 the proxy",
            ),
        }
    }
}

impl std::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, length) = match text.split_once('/') {
            None => (text, None),
            Some((address, length)) => {
                let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
                let length = length.parse::<u32>().ok().filter(|_| is_number);
                (address, Some(length.ok_or(NetworkError::Form)?))
            }
        };
        let written: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        let bits = if written.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(bits);
        if length > bits {
            return Err(NetworkError::Form);
        }
        // An IPv4 network may be written as it arrives on a socket of both families.
        let first = written.to_canonical();
        let length = if first.is_ipv4() && bits == 128 {
            length.checked_sub(96).ok_or(NetworkError::Form)?
        } else {
            length
        };
        if length == 0 {
            return Err(NetworkError::Everything);
        }
        let network = Self { first: masked(first, length), length };
        if network.first == first { Ok(network) } else { Err(NetworkError::Bits(network)) }
    }
}

impl Network {
    /// Whether it holds this address, which is canonical: an IPv4 address is never written as IPv6.
    pub fn holds(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.length) == self.first
    }
}

/// The first address of the network of that length.
fn masked(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}
