use super::*;

fn read(list: List, pages: &[&str]) -> (Vec<String>, Vec<String>, Vec<Option<String>>) {
    let mut faults = Faults::default();
    let mut cursors = Vec::new();
    let all = if list == List::Tools {
        let mut items = Items::new(list, Tool::read, &mut faults);
        cursors.extend(pages.iter().map(|page| items.page(page).expect("a page")));
        items.all.iter().map(|tool| tool.name.clone()).collect()
    } else {
        let (_, key) = list.members();
        let mut items = Items::new(list, |text: &str| Item::read(key, text), &mut faults);
        cursors.extend(pages.iter().map(|page| items.page(page).expect("a page")));
        items.all.iter().map(|item| item.key.clone()).collect()
    };
    (all, faults.sentences(), cursors)
}

#[test]
fn one_bad_tool_costs_itself_and_is_named_with_its_place() {
    let page = r#"{"tools":[
        {"name":5,"inputSchema":{}}, {"description":"no name"}, null, "str", {"name":""},
        {"name":"far","inputSchema":{"maximum":1e400}},
        {"name":"good","inputSchema":{"type":"object"},"_meta":{"ui":{"x":1}}}
    ]}"#;
    let (tools, faults, _) = read(List::Tools, &[page]);
    assert_eq!(tools, ["good"]);
    assert_eq!(faults.len(), 6, "{faults:?}");
    for (fault, words) in faults.iter().zip([
        "the tool at place 1 is left out: it has no name",
        "place 2",
        "place 3 is left out: it is null, not an object",
        "place 4 is left out: it is text, not an object",
        "place 5",
        "tool `far` (place 6) is left out: it holds a number",
    ]) {
        assert!(fault.contains(words), "{words} in {fault}");
    }
}

#[test]
fn a_tool_without_a_schema_that_is_one_takes_any_object() {
    for (schema, named) in [
        ("", "no input schema"),
        (",\"inputSchema\":null", "null"),
        (",\"inputSchema\":true", "a boolean"),
        (",\"inputSchema\":[]", "an array"),
    ] {
        let text = format!("{{\"name\":\"a\"{schema},\"icons\":[{{\"src\":\"x\"}}]}}");
        let (tool, fault) = Tool::read(&text).expect("a tool");
        let members = tool.members();
        assert_eq!(members["inputSchema"], json!({"type": "object"}));
        assert_eq!(members["icons"], json!([{"src": "x"}]));
        assert!(fault.expect("one").contains(named), "{schema}");
    }
}

#[test]
fn a_tool_is_kept_as_it_is_written() {
    let text = r#"{"name":"a","inputSchema":{"maximum":18446744073709551616},"execution":{"taskSupport":"required"},"x":[1E5]}"#;
    assert_eq!(&*Tool::read(text).expect("a tool").0.text, text);
}

#[test]
fn a_list_that_is_null_is_empty_and_one_that_is_none_is_malformed() {
    assert_eq!(read(List::Prompts, &[r#"{"prompts":null}"#]), (vec![], vec![], vec![None]));
    for page in ["{}", r#"{"tools":{"echo":{}}}"#, "[]", "null", r#"{"tools":1}"#] {
        let mut faults = Faults::default();
        assert!(Items::new(List::Tools, Tool::read, &mut faults).page(page).is_err(), "{page}");
    }
}

#[test]
fn a_cursor_may_be_text_or_a_number_and_an_empty_one_is_none() {
    let page = |cursor| format!(r#"{{"resources":[],"nextCursor":{cursor}}}"#);
    for (cursor, expected) in
        [("\"\"", None), ("null", None), ("\"a\"", Some("a")), ("2", Some("2")), ("{}", None)]
    {
        let (_, faults, cursors) = read(List::Resources, &[&page(cursor)]);
        assert_eq!(cursors, [expected.map(str::to_owned)], "{cursor}");
        assert_eq!(faults.len(), usize::from(cursor == "{}"), "{cursor}");
    }
}

#[test]
fn what_comes_twice_is_there_once() {
    let first = r#"{"resources":[{"uri":"file:///a","name":"a"}]}"#;
    let (items, faults, _) = read(List::Resources, &[first, first]);
    assert_eq!((items, faults.len()), (vec!["file:///a".to_owned()], 0));
    let other = r#"{"resources":[{"uri":"file:///a","name":"b"}]}"#;
    let (items, faults, _) = read(List::Resources, &[first, other]);
    assert_eq!(items.len(), 1);
    assert!(faults[0].contains("`file:///a` (place 2)"), "{faults:?}");
}

/// Items of these names, each of so many MiB.
fn sized(items: &[(&str, usize)]) -> Vec<Item> {
    let item = |(name, mib): &(&str, usize)| Item {
        key: (*name).to_owned(),
        text: " ".repeat(mib << 20).into(),
    };
    items.iter().map(item).collect()
}

/// What is kept of a list that is read in these two pages, beside others that leave `left`.
fn kept(list: List, pages: [Vec<Item>; 2], left: &mut usize, faults: &mut Faults) -> Vec<String> {
    let mut allowance = Allowance::default();
    let mut items: Vec<Item> = pages.into_iter().flatten().collect();
    items.retain(|item| allowance.takes(item));
    allowance.keep(&mut items, list, left, faults);
    items.into_iter().map(|item| item.key).collect()
}

#[test]
fn what_is_beyond_16_mib_is_left_out_and_named_and_a_small_one_still_fits() {
    let (mut left, mut faults) = (MOST_OFFERED, Faults::default());
    let pages =
        [sized(&[("a", 10), ("too\u{202e}big", 17), ("b", 1)]), sized(&[("c", 6), ("d", 0)])];
    assert_eq!(kept(List::Prompts, pages, &mut left, &mut faults), ["a", "b", "d"]);
    let expected = "of its prompts those beyond 16 MiB, which all it offers may come to, are left out: \
                    `too\\u202ebig`, `c`";
    assert_eq!(faults.sentences(), [expected]);
    // The next list has what is left, whatever it took for itself.
    let pages =
        [sized(&[("u", 6), ("v", 4), ("w", 2), ("x", 2)]), sized(&[("y", 2), ("z", 2), ("0", 2)])];
    assert_eq!(kept(List::Resources, pages, &mut left, &mut faults), ["v"]);
    let said = &faults.sentences()[1];
    assert!(said.contains("resources") && said.ends_with("and 1 more"), "{said}");
    let mut faults = Faults::default();
    let fits = [sized(&[("a", 8), ("b", 8)]), Vec::new()];
    assert_eq!(kept(List::Tools, fits, &mut MOST_OFFERED.clone(), &mut faults), ["a", "b"]);
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn an_item_that_has_no_room_costs_itself_and_the_pages_after_too_much() {
    let mut faults = Faults::default();
    let mut items = Items::new(List::Tools, Tool::read, &mut faults);
    let large = " ".repeat(MOST_OFFERED);
    let page =
        format!(r#"{{"tools":[{{"name":"large","inputSchema":{{{large}}}}},{{"name":"small"}}]}}"#);
    items.page(&page).expect("a page");
    assert_eq!(items.all.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["small"]);
    assert!(items.allowance.is_used_up());
}
