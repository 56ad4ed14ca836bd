//! The charts: each has an address, its numbers as a table under it, and files beside it; the filters stay.

use crate::running::PRODUCT;
use crate::shown::{Shown, a_few, many, words};
use serde_json::Value;

/// Every table of every page, and whether it is drawn.
const TABLES: [(&str, &[(&str, bool)]); 7] = [
    ("overview", &[("new_installs", true)]),
    (
        "retention",
        &[("cohorts", true), ("survival", true), ("rolling_pooled", true), ("rolling", true)],
    ),
    ("activation", &[("steps", true), ("delays", true)]),
    (
        "environments",
        &[
            ("kinds", true),
            ("agent_environments", true),
            ("launch_sources", true),
            ("transparency", false),
            ("once", true),
        ],
    ),
    ("versions", &[("newest", true), ("adoption", true), ("by_week", true), ("crashes", true)]),
    ("clients", &[("hidden", false)]),
    ("health", &[("answers", false), ("marks", false), ("database", false)]),
];

fn path(topic: &str) -> String {
    if topic == "overview" { "/".to_owned() } else { format!("/{topic}") }
}

/// The text between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    text.split_once(from)?.1.split_once(to).map(|(inner, _)| inner)
}

/// The card of a table.
fn card<'p>(page: &'p str, table: &str) -> &'p str {
    between(page, &format!("<section class=\"card\" id=\"{table}\">"), "</section>")
        .unwrap_or_else(|| panic!("no card for {table}: {page}"))
}

#[test]
fn every_table_has_an_address_with_its_chart_and_its_files() {
    let shown = Shown::of(&[PRODUCT, "mcpproxy"], &many());
    for (topic, tables) in TABLES {
        let page = shown.page(&format!("{}?show=all", path(topic)));
        for (table, is_drawn) in tables {
            let card_here = card(&page, table);
            let own = format!("{topic}?show=all&amp;table={table}");
            assert!(
                card_here.contains(&own) || topic == "overview",
                "{topic}: {table}: {card_here}"
            );
            let alone = shown.page(&format!("{}?show=all&table={table}", path(topic)));
            assert_eq!(alone.matches("<section class=\"card\" id=").count(), 1, "{table}");
            let alone = card(&alone, table);
            assert_eq!(alone.contains("role=\"img\""), *is_drawn, "{table}: {alone}");
            assert!(alone.contains("<table>"), "{table}");
            for ending in ["csv", "json"] {
                let link = format!("href=\"{topic}.{ending}?show=all&amp;table={table}\"");
                assert!(alone.contains(&link), "{table}: {link}");
            }
            let json = shown.json(&format!("/{topic}.json?show=all&table={table}"));
            let rows = json[*table].as_array().expect("rows").len();
            let csv = shown.page(&format!("/{topic}.csv?show=all&table={table}"));
            assert_eq!(csv.lines().count(), rows + 1, "{csv}");
            // Under the chart stand all its numbers.
            assert_eq!(alone.matches("<tr>").count(), rows + 1, "{table}");
            let picture = shown.get(&format!("/{topic}.svg?show=all&table={table}"));
            assert_eq!(picture.code, if *is_drawn { 200 } else { 404 }, "{table}");
            if *is_drawn {
                assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
                let policy = picture.header("content-security-policy").expect("a policy");
                assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            }
        }
    }
}

#[test]
fn a_chart_says_in_words_what_it_shows() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let page = shown.page("/retention");
    let cohorts = card(&page, "cohorts");
    assert!(
        cohorts
            .contains("<title id=\"cohorts-1-name\">Who came back: Week 1: days 7 to 13</title>"),
        "{cohorts}"
    );
    assert!(cohorts.contains("All final weeks: 42 %, 5 of 12."), "{cohorts}");
    // Of 12 installs, 7 were not heard of after day 0, and 5 not after day 8.
    let survival = card(&page, "survival");
    assert!(survival.contains("after day 0: 42 %, 15 to 67 % (n = 12)"), "{survival}");
    for attribute in ["aria-labelledby=\"survival-0-name\"", "aria-describedby=\"survival-0-told\""]
    {
        assert!(survival.contains(attribute), "{attribute}");
    }
    let environments = shown.page("/environments?show=all");
    let kinds = card(&environments, "kinds");
    assert!(kinds.contains("2026-W48 so far, ci: 21 of 28"), "{kinds}");
}

#[test]
fn what_is_open_is_hatched_and_a_week_without_installs_is_no_bar() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let page = shown.page("/retention?table=cohorts");
    let plot =
        between(&page, "<desc id=\"cohorts-1-told\">", "</svg>").expect("the chart of week 1");
    let mark = |week: &str| {
        let from = format!("<title>{week}: ");
        between(plot, &from, "</g>").unwrap_or_else(|| panic!("no {week}: {plot}")).to_owned()
    };
    // Of few installs the bar is the interval.
    assert!(mark("2026-W40").contains("class=\"range\""), "{plot}");
    assert!(mark("2026-W48").contains("url(#hatch)"), "{plot}");
    let none = mark("2026-W41");
    assert!(none.starts_with("no installs") && none.contains("<circle"), "{none}");
    assert!(!none.contains("<rect"), "{none}");
}

#[test]
fn days_that_no_install_has_come_to_make_no_plot_and_no_column_on_a_small_screen() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let page = shown.page("/retention");
    let rolling = card(&page, "rolling");
    assert!(rolling.contains("id=\"rolling-0-name\""), "{rolling}");
    assert!(!rolling.contains("id=\"rolling-4-name\""), "{rolling}");
    assert!(words(rolling).contains("Days 336 to 363 nothing final yet"), "{rolling}");
    let head =
        |class: &str, title: &str| format!("<th class=\"{class}\" scope=\"col\">{title}</th>");
    assert!(rolling.contains(&head("number", "Days 1 to 28")), "{rolling}");
    assert!(rolling.contains(&head("number wide", "Days 336 to 363")), "{rolling}");
    let left_out = "Columns of zeros are left out on a small screen.";
    assert!(words(rolling).contains(left_out), "{rolling}");
    // Few columns fit, whatever is in them.
    let cohorts = card(&page, "cohorts");
    assert!(cohorts.contains(&head("number", "Week 4")), "{cohorts}");
    assert!(!words(cohorts).contains(left_out), "{cohorts}");
}

#[test]
fn on_a_small_screen_the_product_stands_above_the_version() {
    let narrow =
        |product: &str| format!("<td class=\"date\"><span class=\"narrow small\">{product}</span>");
    let shown = Shown::of(&[PRODUCT, "mcpproxy"], &many());
    for table in ["adoption", "crashes", "by_week"] {
        let page = shown.page(&format!("/versions?show=all&table={table}"));
        let card = card(&page, table);
        assert!(card.contains(&narrow(PRODUCT)) && card.contains(&narrow("mcpproxy")), "{card}");
        assert!(card.contains("wide\" scope=\"col\">Product</th>"), "{card}");
    }
    // Of one product it says nothing.
    let page = shown.page(&format!("/versions?show=all&product={PRODUCT}&table=crashes"));
    assert!(!words(card(&page, "crashes")).contains(PRODUCT), "{page}");
}

#[test]
fn a_picture_says_the_share_of_all_final_weeks() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let picture = words(&shown.page("/retention.svg?table=cohorts"));
    assert!(picture.contains("Week 1: days 7 to 13: 19 to 68 %, 5 of 12"), "{picture}");
    let picture = words(&shown.page("/retention.svg?table=rolling"));
    assert!(picture.contains("Days 336 to 363: nothing final yet"), "{picture}");
}

#[test]
fn parts_of_a_chart_differ_in_more_than_their_colour() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let page = shown.page("/environments?show=all&table=kinds");
    let paths: Vec<&str> = page.split("<pattern id=\"p").skip(1).collect();
    let paths: Vec<_> = paths.iter().filter_map(|one| between(one, " d=\"", "\"")).collect();
    assert_eq!(paths.len(), 6);
    for (at, one) in paths.iter().enumerate() {
        assert!(!paths[..at].contains(one), "two patterns are the same: {one}");
    }
    let legend = between(card(&page, "kinds"), "<ul class=\"legend\"", "</ul>").expect("a legend");
    let legend = words(legend);
    assert!(legend.contains("interactive: ") && legend.contains("ci: "), "{legend}");
    // 2026-W48 has a dashed line around it.
    assert!(legend.contains("still open"), "{legend}");
    assert!(card(&page, "kinds").contains("fill=\"url(#p1)\""));
}

#[test]
fn links_and_the_form_keep_the_filters() {
    let shown = Shown::of(&[PRODUCT, "mcpproxy"], &many());
    let query = "show=all&product=notes-mcp&since=2026-10-12&os=linux";
    let escaped = query.replace('&', "&amp;");
    for topic in ["./", "retention", "versions"] {
        let page = shown.page(&format!("/{}?{query}", topic.trim_start_matches("./")));
        let nav = between(&page, "<nav class=\"pages\"", "</nav>").expect("the navigation");
        assert_eq!(nav.matches("href=").count(), 7);
        assert_eq!(nav.matches(&escaped).count(), 7, "{nav}");
        let form = between(&page, "<form class=\"select\"", "</form>").expect("the form");
        assert!(form.contains("name=\"show\" value=\"all\""), "{form}");
        assert!(form.contains("<option value=\"linux\" selected>"), "{form}");
        assert!(form.contains("name=\"since\" value=\"2026-10-12\""), "{form}");
        assert!(words(&page).contains("notes-mcp, installs since 2026-W42, os linux"));
    }
    // The view of one table is left for another audience, not for another table.
    let alone = shown.page("/retention?product=notes-mcp&table=survival");
    let segments = between(&alone, "<nav class=\"segments\"", "</nav>").expect("the audiences");
    assert!(
        segments.contains("show=machines&amp;product=notes-mcp&amp;table=survival"),
        "{segments}"
    );
    let form = between(&alone, "<form class=\"select\"", "</form>").expect("the form");
    assert!(form.contains("name=\"table\" value=\"survival\""), "{form}");
}

#[test]
fn a_filter_that_nothing_fits_says_so_and_leads_back() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let page = shown.page("/versions?show=all&version=9.9.9");
    let said = words(&page);
    assert!(said.contains("No such installs") && !said.contains("No heartbeats yet"), "{said}");
    assert!(page.contains("href=\"versions?show=all\""), "{page}");
}

#[test]
fn the_health_of_the_data_is_shown_before_there_are_installs() {
    let shown = Shown::of(&[PRODUCT], &[]);
    assert_eq!(shown.collector.post(b"{}").code, 400);
    let page = shown.page("/health");
    let said = words(&page);
    assert!(said.contains("No heartbeats yet") && said.contains("Bytes"), "{said}");
    let health: Value = shown.json("/health.json");
    assert_eq!(health["database"][1]["count"], 0, "{health}");
}

#[test]
fn a_lower_k_is_warned_of() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let warning = "such a name can name a user";
    assert!(!words(&shown.page("/clients?show=all")).contains(warning));
    assert!(words(&shown.page("/clients?show=all&k=2")).contains(warning));
    let answer = shown.get("/clients?k=0");
    assert_eq!(answer.code, 400);
    assert!(words(&answer.body).contains("`k` is a number from 1 to 5."), "{}", answer.body);
}
