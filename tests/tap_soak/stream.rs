//! Traffic that both sides can make for themselves: who receives it knows every byte that has to come.

use super::endure::Random;
use std::ops::Range;

/// The largest line.
pub const GIANT: usize = 64 << 20;

/// Lines of all sizes, some of them messages.
pub struct Stream {
    random: Random,
    noise: Vec<u8>,
    line: Vec<u8>,
    at: usize,
    largest: usize,
    giant_next: bool,
}

const MESSAGES: [&str; 4] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"retrieve_tools","_meta":{"io.modelcontextprotocol/clientInfo":{"name":"claude-code","version":"1"}}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"tools":[{"name":"a"}],"total_indexed_tools":40}}}"#,
    r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"other","arguments":{"a":[1,2,3]}}}"#,
    r#"[{"jsonrpc":"2.0","id":"x","error":{"code":-32000,"message":"no"}},{"jsonrpc":"2.0","method":"n"}]"#,
];

impl Stream {
    /// The stream of `seed`; no line but one that is asked for is longer than `largest`.
    pub fn new(seed: u64, largest: usize) -> Self {
        let mut random = Random::new(seed, 0);
        let mut noise = vec![0; 256 << 10];
        random.fill(&mut noise);
        noise.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        Self { random, noise, line: Vec::new(), at: 0, largest, giant_next: false }
    }

    /// Makes the next line one of 64 MB.
    pub fn ask_for_giant(&mut self, wanted: bool) {
        self.giant_next = wanted;
    }

    /// The next bytes, at most `most` and at most to the end of a line.
    pub fn next(&mut self, most: usize) -> &[u8] {
        if self.at == self.line.len() {
            self.make_line();
        }
        let range: Range<usize> = self.at..(self.at + most.max(1)).min(self.line.len());
        self.at = range.end;
        &self.line[range]
    }

    /// Takes what came for the next bytes; false if it is not what had to come.
    pub fn expect(&mut self, mut came: &[u8]) -> bool {
        while !came.is_empty() {
            let wanted = self.next(came.len());
            let (now, later) = came.split_at(wanted.len());
            if now != wanted {
                return false;
            }
            came = later;
        }
        true
    }

    fn make_line(&mut self) {
        self.line.clear();
        self.at = 0;
        let kind = self.random.below(100);
        if kind < 20 && !self.giant_next {
            self.line.extend_from_slice(self.random.one_of(&MESSAGES).as_bytes());
        } else {
            let most = match kind {
                20..70 => 200,
                70..90 => 5000,
                90..97 => 100_000,
                _ => 2 << 20,
            };
            let mut left = self.random.below(most.min(self.largest) + 1);
            if std::mem::take(&mut self.giant_next) {
                left = GIANT - 1;
            }
            while left > 0 {
                let from = self.random.below(self.noise.len());
                let part = left.min(self.noise.len() - from);
                self.line.extend_from_slice(&self.noise[from..from + part]);
                left -= part;
            }
        }
        self.line.push(b'\n');
    }
}
