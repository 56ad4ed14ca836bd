//! Which codes of the catalog the program says, and which the tests have seen.

use crate::reading::has_word;
use crate::{house, root};
use mcpproxy::diagnostics::Code;
use std::fs;
use std::path::Path;

fn in_code(code: Code) -> String {
    format!("Code::{code:?}")
}

/// The catalog says so: who reads that a code is reserved does not look for its cause.
#[test]
fn a_code_is_reserved_as_long_as_the_program_does_not_say_it() {
    let house = house();
    let others = house.iter().filter(|source| source.room != "diagnostics");
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let is_said = others.clone().any(|source| source.has_word(&in_code(code)));
        match (is_said, code.is_reserved()) {
            (true, true) => wrong.push(format!("{code} is said: take it out of RESERVED")),
            (false, false) => wrong.push(format!("{code} is not said: put it into RESERVED")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "src/diagnostics/catalog.rs:\n{}", wrong.join("\n"));
}

#[test]
fn a_test_names_every_code_that_the_program_says() {
    let mut texts = Vec::new();
    read(&root().join("tests"), false, &mut texts);
    read(&root().join("src"), true, &mut texts);
    let unseen = Code::ALL.into_iter().filter(|code| {
        let is_named =
            |text: &String| has_word(text, code.as_str()) || has_word(text, &in_code(*code));
        !code.is_reserved() && !texts.iter().any(is_named)
    });
    assert_eq!(unseen.collect::<Vec<_>>(), []);
}

/// The texts of all tests below `folder`, but those of the catalog itself.
fn read(folder: &Path, only_tests: bool, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "diagnostics" {
            read(&path, only_tests && name != "tests", texts);
        } else if name.ends_with(if only_tests { "tests.rs" } else { ".rs" }) {
            texts.push(fs::read_to_string(&path).expect("source"));
        }
    }
}
