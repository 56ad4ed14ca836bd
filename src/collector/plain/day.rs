//! One day of an install, whose bytes are read a second time.
//!
//! One rule: the forms are written out here; nothing of the store's own reader is used.

use crate::contract::{CallBucket, EnvKind, LaunchSource, Shutdown};
use crate::diagnostics::CODES;

/// What stays of one day row, whose bytes are read here a second time: form, sum, six words by their places, numbers of
/// seven bits a byte, in the third form the codes, and the version.
pub fn day(packed: &[u8]) -> Option<Vec<(String, u64)>> {
    let (mut at, has_codes) = match packed.first()? {
        1 => (1, false),
        2 => (5, false),
        4 => (5, true),
        _ => return None,
    };
    let codes = packed.get(at..at + 6)?;
    at += 6;
    let mut numbers = [0_u64; 15];
    for number in &mut numbers {
        *number = next(packed, &mut at)?;
    }
    let mut met = Vec::new();
    if has_codes {
        for _ in 0..next(packed, &mut at)? {
            let code = match packed.get(at)? {
                0 => "other",
                place => CODES.get(usize::from(*place) - 1)?,
            };
            at += 1;
            met.push((code, next(packed, &mut at)?, next(packed, &mut at)?));
        }
    }
    let version = String::from_utf8(packed[at..].to_vec()).ok()?;
    let kind = EnvKind::ALL.get(usize::from(codes[0]))?.as_str();
    let launch = LaunchSource::ALL.get(usize::from(codes[1]))?.as_str();
    let mut cells = vec![
        ("installs".to_owned(), 1),
        (format!("kind.{kind}"), 1),
        (format!("launch.{launch}"), 1),
        (format!("version.{version}"), 1),
    ];
    if codes[4] > 0 {
        let bucket = CallBucket::ALL.get(usize::from(codes[4]) - 1)?.as_str();
        cells.push((format!("calls.{bucket}"), 1));
    }
    if codes[5] > 0 {
        let how = Shutdown::ALL.get(usize::from(codes[5]) - 1)?.as_str();
        cells.push((format!("shutdown.{how}"), 1));
        if how == "crash" {
            cells.push((format!("crashed.{version}"), 1));
        }
    }
    for (code, changes, servers) in met {
        cells.push((format!("met.{version} {code}"), changes.min(1)));
        cells.push((format!("standing.{version} {code}"), servers.min(1)));
    }
    let surfaces = ["mcp", "cli", "webui", "tray", "unknown"];
    let tools = ["retrieve_tools", "call_tool", "telemetry_status"];
    for (name, n) in surfaces.iter().zip(&numbers[7..12]) {
        cells.push((format!("surface.{name}"), *n));
    }
    for (name, n) in tools.iter().zip(&numbers[12..15]) {
        cells.push((format!("tool.{name}"), *n));
    }
    cells.retain(|(_, n)| *n > 0);
    Some(cells)
}

/// A number of seven bits a byte, lowest first; the eighth bit says that more follow.
fn next(packed: &[u8], at: &mut usize) -> Option<u64> {
    let (mut number, mut bits) = (0, 0);
    loop {
        let byte = *packed.get(*at)?;
        *at += 1;
        number += u64::from(byte % 128) << bits;
        bits += 7;
        if byte < 128 {
            return Some(number);
        }
        if bits > 56 {
            return None;
        }
    }
}
