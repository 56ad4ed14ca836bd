//! The pages and the report, of heartbeats that were received: nothing, a few, many.

use crate::running::{
    Answer, Collector, PRODUCT, collector, heartbeat, heartbeat_of, now, program,
};
use mcpproxy::collector::answer::Answer as Received;
use mcpproxy::collector::receive::Receiver;
use mcpproxy::collector::store::StoreOptions;
use mcpproxy::contract::timestamp;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

const DAY: u64 = 86_400;
/// The moment at which the pages are read here: a Saturday, 2026-W48.
const NOW: &str = "2026-11-28T12:00:00Z";
/// The Monday of 2026-W40: all its cells are final.
const OLD_MONDAY: &str = "2026-09-28T09:00:00Z";
/// The Monday of 2026-W48: all its cells are open.
const NEW_MONDAY: &str = "2026-11-23T09:00:00Z";

const PAGES: [&str; 3] = ["/", "/retention", "/activation"];
const EXPORTS: [&str; 6] = [
    "/overview.csv",
    "/overview.json",
    "/retention.csv",
    "/retention.json",
    "/activation.csv",
    "/activation.json",
];

fn at(text: &str) -> u64 {
    timestamp::parse(text).expect("a time")
}

/// What the collector's clock must be moved by, so that it shows [`NOW`].
fn offset() -> String {
    (at(NOW).cast_signed() - now().cast_signed()).to_string()
}

/// Receives heartbeats as they arrived: at the time that each claims.
fn receive(dir: &Path, products: &[&str], heartbeats: &[(Vec<u8>, u64)]) {
    let options = StoreOptions {
        dir: dir.to_owned(),
        products: products.iter().map(|name| (*name).to_owned()).collect(),
        ephemeral: true,
        ..StoreOptions::default()
    };
    let receiver = Receiver::open(&options).expect("a database");
    let all = heartbeats.iter().map(|(bytes, at)| (bytes.as_slice(), *at));
    for answer in receiver.accept_all(all) {
        assert_eq!(answer, Received::Stored);
    }
}

/// A CI job instead of a person.
fn of_a_machine(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(bytes).expect("text");
    let text = text.replace(r#""env_kind":"interactive""#, r#""env_kind":"ci""#);
    text.replace(r#""has_ci_env":false"#, r#""has_ci_env":true"#).into_bytes()
}

/// 12 installs of an old week, of which 5 came back on day 8; 7 of the present week; 21 machines.
fn a_few() -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    for install in 0..12 {
        all.push((heartbeat(install, at(OLD_MONDAY)), at(OLD_MONDAY)));
        if install < 5 {
            let back = at(OLD_MONDAY) + 8 * DAY;
            all.push((heartbeat(install, back), back));
        }
    }
    for install in 12..19 {
        all.push((heartbeat(install, at(NEW_MONDAY)), at(NEW_MONDAY)));
    }
    for install in 19..40 {
        all.push((of_a_machine(heartbeat(install, at(NEW_MONDAY))), at(NEW_MONDAY)));
    }
    all
}

/// Thousands of installs over ten weeks, of two products.
fn many() -> Vec<(Vec<u8>, u64)> {
    let mut all = Vec::new();
    for install in 0..3000 {
        let first = at(OLD_MONDAY) + install * 7919 % (60 * DAY);
        let product = if install % 5 == 0 { "mcpproxy" } else { PRODUCT };
        for back in [0, 1, 8, 30] {
            let seen = first + back * DAY;
            if (back == 0 || install % (back + 2) < 2) && seen <= at(NOW) {
                let bytes = heartbeat_of(product, install, seen);
                all.push((if install % 7 == 0 { of_a_machine(bytes) } else { bytes }, seen));
            }
        }
    }
    all
}

/// A running collector whose clock shows [`NOW`], and a directory that lives as long.
struct Shown {
    collector: Collector,
    directory: tempfile::TempDir,
}

impl Shown {
    fn of(products: &[&str], heartbeats: &[(Vec<u8>, u64)]) -> Self {
        Self::with(products, heartbeats, &[])
    }

    fn with(products: &[&str], heartbeats: &[(Vec<u8>, u64)], words: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        receive(directory.path(), products, heartbeats);
        let clock = [("MCPPROXY_TEST_CLOCK_OFFSET", &*offset())];
        let collector = Collector::start_with(directory.path(), words, &clock);
        Self { collector, directory }
    }

    fn key(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("pages.key")).expect("the key");
        text.trim().to_owned()
    }

    fn ask(&self, path: &str, headers: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address());
        self.collector.connect().ask(request.as_bytes()).expect("an answer")
    }

    fn address(&self) -> String {
        self.collector.address.to_string()
    }

    /// With the key.
    fn get(&self, path: &str) -> Answer {
        self.ask(path, &format!("x-api-key: {}\r\n", self.key()))
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.code, 200, "{path}: {}", answer.body);
        answer.body
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn report(&self, words: &[&str]) -> Output {
        let mut command = program();
        command.args(["collector", "report"]).args(words).arg("--data-dir");
        command.arg(self.directory.path()).env("MCPPROXY_TEST_CLOCK_OFFSET", offset());
        command.output().expect("the built command")
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

/// The words of a page, without elements.
fn words(html: &str) -> String {
    let mut out = String::new();
    let mut is_inside = false;
    for letter in html.chars() {
        match letter {
            '<' => is_inside = true,
            '>' => {
                is_inside = false;
                out.push(' ');
            }
            _ if !is_inside => out.push(letter),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn without_the_key_every_page_and_every_export_is_closed() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let wrong = "x-api-key: 0123456789abcdef\r\ncookie: mcpproxy-collector-00000000=0\r\n";
    for path in PAGES {
        for headers in ["", wrong] {
            let answer = shown.ask(path, headers);
            assert_eq!(answer.code, 401, "{path}");
            assert!(words(&answer.body).contains("Open the link that the collector printed"));
            assert!(!answer.body.contains(PRODUCT), "{path} names a product");
        }
    }
    for path in EXPORTS {
        let answer = shown.ask(path, wrong);
        assert_eq!(answer.code, 401, "{path}");
        assert!(answer.body.contains(r#""success":false"#), "{path}: {}", answer.body);
    }
    assert_eq!(shown.ask("/?key=0123456789abcdef", "").code, 401);
}

#[test]
fn the_printed_link_gives_a_cookie_and_leads_to_the_address_without_the_key() {
    let directory = tempfile::tempdir().expect("a directory");
    let shown = Shown::of(&[PRODUCT], &[]);
    let key = shown.key();
    let answer = shown.ask(&format!("/?key={key}"), "");
    assert_eq!((answer.code, answer.header("location")), (303, Some("./")));
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&key), "the cookie is not the key");
    let pair = cookie.split(';').next().expect("name and value");
    for path in PAGES.iter().chain(&EXPORTS) {
        assert_eq!(shown.ask(path, &format!("cookie: {pair}\r\n")).code, 200, "{path}");
    }
    // The same by the form.
    let body = format!("username=collector&key={key}");
    let form = format!(
        "POST /open HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = shown.collector.connect().ask(form.as_bytes()).expect("an answer");
    assert_eq!((answer.code, answer.header("set-cookie")), (303, Some(&*cookie)));
    // Another collector has another key.
    let other = Collector::start(directory.path());
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\ncookie: {pair}\r\n\r\n");
    assert_eq!(other.connect().ask(request.as_bytes()).expect("an answer").code, 401);
}

#[test]
fn the_key_in_an_address_takes_nothing_of_the_view_away() {
    let shown = Shown::with(&[PRODUCT], &[], &["--base-path", "/t"]);
    let key = shown.key();
    let answer = shown.ask(&format!("/t?key={key}&show=all"), "");
    let to = format!("/t/?key={key}&show=all");
    assert_eq!((answer.code, answer.header("location")), (308, Some(&*to)));
    let answer = shown.ask(&to, "");
    assert_eq!((answer.code, answer.header("location")), (303, Some("./?show=all")));
    let answer =
        shown.ask(&format!("/t/retention?product={PRODUCT}&key={key}&since=2026-11-02"), "");
    let view = format!("retention?product={PRODUCT}&since=2026-11-02");
    assert_eq!((answer.code, answer.header("location")), (303, Some(&*view)));
    // A filter that is not understood is said, and the key is taken.
    let answer = shown.ask(&format!("/t/retention?product=other&key={key}"), "");
    assert_eq!(answer.code, 404);
    let cookie = answer.header("set-cookie").expect("a cookie");
    let pair = cookie.split(';').next().expect("name and value");
    assert_eq!(shown.ask("/t/retention", &format!("cookie: {pair}\r\n")).code, 200);
    assert_eq!(shown.ask("/t/retention?product=other&key=0123456789abcdef", "").code, 401);
}

#[test]
fn a_page_runs_nothing_and_loads_nothing_from_elsewhere() {
    let shown = [
        Shown::of(&[PRODUCT], &[]),
        Shown::of(&[PRODUCT], &a_few()),
        Shown::of(&[PRODUCT, "mcpproxy"], &many()),
    ];
    for shown in &shown {
        for path in PAGES {
            let answer = shown.get(path);
            let policy = answer.header("content-security-policy").expect("a policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
            assert!(!policy.contains("script") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
            let page = &answer.body;
            for part in ["<script", " style=", " onclick=", " onload=", "javascript:", "src="] {
                assert!(!page.contains(part), "{path}: {part}");
            }
            for attribute in ["href=\"", "action=\""] {
                for target in page.split(attribute).skip(1) {
                    let target = target.split('"').next().expect("its end");
                    let is_own = !target.contains("//") && !target.starts_with('/');
                    assert!(is_own, "{path}: {attribute}{target}");
                }
            }
            assert!(page.contains("<html lang=\"en\">") && page.contains("<main"), "{path}");
            assert_eq!(page.matches("<h1>").count(), 1, "{path}");
        }
        let style = shown.ask("/style.css", "");
        assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
        assert!(!style.body.contains("url(") && !style.body.contains("@import"));
    }
}

#[test]
fn an_empty_page_says_what_to_do_next() {
    let shown = Shown::of(&[PRODUCT], &[]);
    for path in PAGES {
        let words = words(&shown.page(path));
        let command = format!(
            "mcpproxy tap --product {PRODUCT} --product-version 1.0.0 \\ --endpoint http://{} \\ -- node server.js",
            shown.address()
        );
        assert!(words.contains("No heartbeats yet") && words.contains(&command), "{words}");
    }
    let report = text(shown.report(&["overview"]).stdout);
    assert!(report.contains("No installs yet"), "{report}");
    // Machines only: the page says so, and where they are.
    let machine = (of_a_machine(heartbeat(1, at(NEW_MONDAY))), at(NEW_MONDAY));
    let shown = Shown::of(&[PRODUCT], &[machine]);
    let page = shown.page("/");
    assert!(words(&page).contains("there is 1 other install"), "{}", words(&page));
    assert!(page.contains("href=\"./?show=all\""));
}

#[test]
fn a_page_of_a_few_shows_intervals_n_and_what_is_open() {
    let shown = Shown::of(&[PRODUCT], &a_few());
    let retention = shown.page("/retention");
    // Of few installs the interval is what is large.
    let large = "<span class=\"large\">19 to 68 %</span>";
    assert!(retention.contains(large), "{retention}");
    let words_of = words(&retention);
    assert!(words_of.contains("42 % 5 of 12"), "{words_of}");
    assert!(words_of.contains("2026-W48 from 2026-11-23 7 still open 0 of 7 so far"), "{words_of}");
    assert!(words_of.contains("2026-W41 from 2026-10-05 0 no installs"), "{words_of}");
    assert!(retention.contains("hatched"));
    let overview = words(&shown.page("/"));
    assert!(
        overview.contains("Shows people with release versions . Left out: 21 CI jobs. Show all"),
        "{overview}"
    );
    // 7 people of 28 installs that were active in the last 28 days.
    assert!(overview.contains("Share of people 25 % 13 to 43 %, 7 of 28"), "{overview}");
    let machines = words(&shown.page("/?show=machines"));
    assert!(machines.contains("Left out: 19 people"), "{machines}");
    let all = shown.json("/overview.json?show=all");
    assert_eq!((&all["installs"], &all["left_out"]["ci"]), (&Value::from(40), &Value::from(0)));
}

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
        for topic in ["overview", "retention", "activation"] {
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
        ("?kind=robot", 400, "A filter has no such value"),
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
            "tables of retention: rolling, rolling_pooled, survival",
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

#[test]
fn pages_below_a_path_link_to_each_other() {
    let shown = Shown::with(&[PRODUCT], &a_few(), &["--base-path", "/t"]);
    assert_eq!(shown.get("/").code, 404);
    let bare = shown.get("/t");
    assert_eq!((bare.code, bare.header("location")), (308, Some("/t/")));
    let page = shown.page("/t/");
    assert!(page.contains("href=\"retention\"") && page.contains("href=\"style.css\""));
    assert_eq!(shown.get("/t/retention").code, 200);
    assert_eq!(shown.get("/t/style.css").code, 200);
}

#[test]
fn the_key_can_be_the_operators_own_and_is_not_printed_then() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("password");
    fs::write(&file, "a-password-of-my-own\n").expect("written");
    let words = ["--password-file", file.to_str().expect("a path")];
    let shown = Shown::with(&[PRODUCT], &a_few(), &words);
    assert_eq!(shown.ask("/", "x-api-key: a-password-of-my-own\r\n").code, 200);
    assert_eq!(shown.ask("/", "authorization: Bearer a-password-of-my-own\r\n").code, 200);
    assert!(!shown.directory.path().join("pages.key").exists(), "none was made");

    fs::write(&file, "short\n").expect("written");
    let output = collector(
        directory.path(),
        &["--ephemeral", "--listen", "127.0.0.1:0", words[0], words[1]],
    );
    let told = text(output.stderr);
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("is shorter than 16 characters") && !told.contains("short\n"), "{told}");
}
