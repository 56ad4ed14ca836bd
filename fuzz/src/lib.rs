//! What the targets share: the independent readers that the product is compared with.
//!
//! One rule: nothing here calls the product's own JSON reader.

/// The heartbeat of the gate's own tests.
#[path = "../../tests/gate/payload.rs"]
pub mod payload;
pub mod raw;
pub mod session;

/// Numbers that look random and follow from a seed.
pub struct Numbers(u64);

impl Numbers {
    /// From the bytes of an input, so that the input decides everything.
    pub fn of(bytes: &[u8]) -> Self {
        let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        Self(bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix) | 1)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
