//! What a script needs beside itself.
//!
//! One rule: its first line is read, and nothing is run.

use crate::serve::programs;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// A first line is no longer.
const MOST_BYTES: u64 = 256;

/// The program that the first line of `file` has `env` look for, if no directory has it of the `PATH` that the server
/// is started with (`env`: of its entry).
pub fn missing(file: &Path, env: &[(String, String)]) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let wanted = wanted(&String::from_utf8_lossy(&bytes))?;
    programs::found(wanted.as_ref(), env).is_none().then_some(wanted)
}

/// The program that a script is for, where `env` looks for it: `node` of `#!/usr/bin/env node`.
fn wanted(text: &str) -> Option<String> {
    let mut words = text.strip_prefix("#!")?.lines().next()?.split_whitespace();
    if Path::new(words.next()?).file_name()? != "env" {
        return None;
    }
    words.find(|word| !word.starts_with('-') && !word.contains('=')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn a_first_line_names_its_interpreter() {
        for (text, program) in [
            ("#!/usr/bin/env node\nconsole.log()", Some("node")),
            ("#! /usr/bin/env -S A=1 python3 -u\n", Some("python3")),
            ("#!/bin/sh\n", None),
            ("#!\n", None),
            ("\u{7f}ELF", None),
            ("#!/usr/bin/env\n", None),
        ] {
            assert_eq!(wanted(text).as_deref(), program, "{text}");
        }
    }
}
