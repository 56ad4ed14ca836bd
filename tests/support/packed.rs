//! Data directories as older programs left them, packed.

use mcpproxy::paths::DataDir;
use std::path::Path;

/// Makes a data directory of a fixture: the inverse of `pack` in `tests/data/stores/make.rs`.
pub fn unpack(fixture: &Path, dir: &DataDir) {
    let packed = std::fs::read(fixture).expect("a fixture");
    let mut rest = packed.as_slice();
    while !rest.is_empty() {
        let length = number(&mut rest);
        let name = std::str::from_utf8(take(&mut rest, length)).expect("a name");
        let mut bytes = vec![0; number(&mut rest)];
        loop {
            let at = number(&mut rest);
            if at == usize::MAX {
                break;
            }
            let length = number(&mut rest);
            bytes[at..at + length].copy_from_slice(take(&mut rest, length));
        }
        let path = dir.root().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(length);
    *rest = left;
    taken
}

fn number(rest: &mut &[u8]) -> usize {
    u64::from_le_bytes(take(rest, 8).try_into().expect("eight bytes")) as usize
}
