//! The reports in a terminal and the exports: the numbers of the pages, chosen by the same filters.

use crate::running::{PRODUCT, collector};
use crate::shown::{Shown, a_few, many, text, words};
use serde_json::Value;
use std::fs;

#[test]
fn page_export_and_report_say_the_same() {
    let shown = Shown::of(&[PRODUCT, "mcpproxy"], &many());
    let filters: [(&str, &[&str]); 5] = [
        ("", &[]),
        ("?show=machines", &["--machines"]),
        ("?show=all&since=2026-10-21", &["--all", "--since", "2026-10-21"]),
        ("?product=notes-mcp", &["--product", PRODUCT]),
        ("?product=mcpproxy&show=people", &["--product", "mcpproxy", "--people"]),
    ];
    for (query, options) in filters {
        for topic in ["overview", "retention", "activation", "environments", "clients", "health"] {
            let words_of = |form| [&[topic][..], options, &["-o", form]].concat();
            let csv = shown.report(&words_of("csv"));
            assert_eq!(shown.page(&format!("/{topic}.csv{query}")), text(csv.stdout), "{query}");
            let mut json: Value =
                serde_json::from_slice(&shown.report(&words_of("json")).stdout).expect("JSON");
            let mut exported = shown.json(&format!("/{topic}.json{query}"));
            // Read a moment apart.
            for one in [&mut json, &mut exported] {
                let as_of = one.as_object_mut().expect("an object").remove("as_of");
                assert!(
                    as_of.is_some_and(|text| text.as_str().is_some_and(|text| text < "2026-11-29"))
                );
            }
            assert_eq!(json, exported, "{topic}{query}");
        }
        // Every cell of the export stands on the page.
        let page = words(&shown.page(&format!("/retention{query}")));
        for cohort in
            shown.json(&format!("/retention.json{query}"))["cohorts"].as_array().expect("rows")
        {
            let week = cohort["week"].as_str().expect("a week");
            for measure in ["day_1", "week_1", "week_4"] {
                let cell = &cohort[measure];
                let count = format!("{} of {}", cell["count"], cell["of"]);
                assert!(page.contains(week) && page.contains(&count), "{week} {measure}: {count}");
            }
        }
    }
}

#[test]
fn the_gateway_has_six_steps_and_a_wrapped_server_four() {
    let shown = Shown::of(&[PRODUCT, "mcpproxy"], &many());
    let steps = |query: &str| -> Vec<String> {
        let json = shown.json(&format!("/activation.json{query}"));
        let steps = json["steps"].as_array().expect("steps").iter();
        steps.map(|step| step["step"].as_str().expect("a name").to_owned()).collect()
    };
    let wrapped = [
        "first_heartbeat",
        "first_real_tool_call",
        "active_on_a_second_day",
        "active_in_a_second_week",
    ];
    assert_eq!(steps("?product=notes-mcp"), wrapped);
    assert_eq!(steps(""), wrapped, "of all products: what is true of each");
    assert_eq!(
        steps("?product=mcpproxy"),
        [
            "first_heartbeat",
            "server_configured",
            "server_connected",
            "client_seen",
            "tools_searched",
            "first_real_tool_call"
        ]
    );
}

#[test]
fn a_filter_that_is_not_understood_is_refused() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    for (query, code, sentence) in [
        ("?show=robots", 400, "`show` is one of people, machines, all."),
        ("?since=yesterday", 400, "`since` is a day such as 2026-11-02."),
        ("?product=other", 404, "There is no product of this name."),
        (
            "?kind=robot",
            400,
            "`kind` is one of interactive, ci, cloud_ide, container, headless, unknown.",
        ),
        ("?version=latest", 400, "`version` is a version such as 1.4.0."),
        ("?os=linux&os=darwin", 400, "`os` is given twice: give it once."),
        ("?show=all&show=all", 400, "`show` is given twice: give it once."),
        ("?table=weather", 404, "This page has no table of that name"),
        ("?table=%22%3E", 404, "This page has no table of that name"),
        ("?audience=all", 400, "The parameters are `show`, `product`, `since`, `kind`,"),
    ] {
        for path in ["/", "/retention", "/activation.json"] {
            let answer = shown.get(&format!("{path}{query}"));
            assert_eq!(answer.code, code, "{path}{query}");
            assert!(words(&answer.body).contains(sentence), "{path}{query}: {}", answer.body);
        }
    }
    for (words, sentence) in [
        (&["weather"][..], "PAGE is one of overview, retention, activation"),
        (&["overview", "-o", "yaml"], "--output must be table, csv or json"),
        (&["overview", "--since", "soon"], "--since needs a day such as 2026-11-02"),
        (&["overview", "--all", "--people"], "give one of them"),
        (&["overview", "--kind", "robot"], "--kind is one of interactive, ci, cloud_ide"),
        (&["overview", "--edition", "robot"], "--edition is one of personal"),
        (&["overview", "--product-version", "latest"], "--product-version needs a version"),
        (&["retention", "--table", "survival"], "give -o csv as well"),
        (
            &["retention", "-o", "csv", "--table", "none"],
            "tables of retention: cohorts, rolling, rolling_pooled, survival",
        ),
        (&["overview", "--product", "other"], "there is no product of this name"),
    ] {
        let output = shown.report(words);
        let told = text(output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {told}");
        assert!(told.contains(sentence), "{words:?}: {told}");
    }
}

#[test]
fn a_filter_chooses_installs_by_their_first_heartbeat_on_pages_exports_and_in_the_terminal() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let installs = |path: &str| {
        let page: Value = serde_json::from_str(&shown.get(path).body).expect("JSON");
        (page["installs"].as_u64(), page["filters"].clone())
    };
    assert_eq!(installs("/retention.json?show=all"), (Some(40), Value::Null));
    let (people, machines) = (
        installs("/retention.json?show=all&kind=interactive"),
        installs("/retention.json?kind=ci"),
    );
    assert_eq!(people, (Some(19), serde_json::json!({ "kind": "interactive" })));
    assert_eq!(machines.0, Some(0), "the view is of people");
    let page = words(&shown.page("/retention?kind=interactive&os=linux"));
    assert!(page.contains("kind interactive") && page.contains("os linux"), "{page}");

    let report = |words: &[&str]| text(shown.report(words).stdout);
    let told = report(&["activation", "--all", "--kind", "interactive"]);
    assert!(told.contains("Whose first heartbeat said: kind interactive"), "{told}");
    assert!(told.contains("19 of 19"), "{told}");
    let none = report(&["activation", "--product-version", "9.9.9"]);
    assert!(none.contains("No installs whose first heartbeat said this."), "{none}");
    assert!(!none.contains("No installs yet"), "{none}");
}

#[test]
fn every_report_has_its_tables_in_the_terminal_in_csv_and_in_json() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let report = |words: &[&str]| text(shown.report(words).stdout);
    for (topic, tables) in [
        ("retention", &["rolling", "rolling_pooled", "survival"][..]),
        ("activation", &["delays"]),
        (
            "environments",
            &["kinds", "agent_environments", "launch_sources", "transparency", "once"],
        ),
        ("versions", &["adoption", "newest", "upgrades", "by_week", "crashes", "error_codes"]),
        ("clients", &["names", "hidden"]),
        ("health", &["answers", "marks", "database"]),
    ] {
        let json: Value =
            serde_json::from_str(&report(&[topic, "--all", "-o", "json"])).expect("JSON");
        for table in tables {
            let csv = report(&[topic, "--all", "-o", "csv", "--table", table]);
            let rows = json[*table].as_array().unwrap_or_else(|| panic!("{topic}: {table}"));
            assert_eq!(csv.lines().count(), rows.len() + 1, "{csv}");
            let fields = |line: &str| line.split(',').count();
            let head = csv.lines().next().map(fields);
            assert!(csv.lines().all(|line| Some(fields(line)) == head), "{csv}");
        }
    }
    let health = report(&["health"]);
    let stored = health.lines().find(|line| line.starts_with("stored")).expect("a line");
    assert_eq!(stored.split_whitespace().next_back(), Some("45"), "{health}");
    let versions = report(&["versions", "--all"]);
    assert!(versions.contains("On the newest release"), "{versions}");
}

#[test]
fn a_report_of_no_database_is_one_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = collector(directory.path(), &["report", "overview"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(output.stderr);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("there is no collector.db"), "{told}");
    assert_eq!(fs::read_dir(directory.path()).expect("entries").count(), 0, "nothing was made");
}

#[test]
fn the_report_for_people_has_every_share_with_its_interval_and_n() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let retention = text(shown.report(&["retention"]).stdout);
    let old = retention.lines().find(|line| line.starts_with("2026-W40")).expect("the week");
    assert!(old.contains("19 to 68 %, 42 %, 5 of 12"), "{retention}");
    let new = retention.lines().find(|line| line.starts_with("2026-W48")).expect("the week");
    assert!(new.contains("still open, 0 of 7 so far"), "{retention}");
    assert!(retention.contains("Left out: 21 CI jobs. --all shows everything."), "{retention}");
}
