//! The pages, of heartbeats that were received: closed without the key, safe, and true of nothing and of a few.

use crate::running::{Collector, PRODUCT, collector, heartbeat};
use crate::shown::{NEW_MONDAY, Shown, a_few, at, many, of_a_machine, text, words};
use serde_json::Value;
use std::fs;

const PAGES: [&str; 7] =
    ["/", "/retention", "/activation", "/environments", "/versions", "/clients", "/health"];
const EXPORTS: [&str; 8] = [
    "/overview.csv",
    "/overview.json",
    "/retention.csv?table=survival",
    "/retention.json",
    "/retention.svg",
    "/activation.csv",
    "/environments.svg?table=kinds",
    "/health.json",
];

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
    // A chart of nothing is none.
    for path in PAGES.iter().chain(EXPORTS.iter().filter(|path| !path.contains(".svg"))) {
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
            for part in
                ["<script", "<style", " style=", " onclick=", " onload=", "javascript:", "src="]
            {
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
        for path in EXPORTS.iter().filter(|path| path.contains(".svg")) {
            let picture = shown.get(path).body;
            let foreign = picture.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("//") && !foreign.contains("<script"), "{path}: {foreign}");
        }
    }
}

#[test]
fn an_empty_page_says_what_to_do_next() {
    let shown = Shown::of(&[PRODUCT], &[]);
    for path in PAGES {
        let words = words(&shown.page(path));
        let command = format!(
            "mcpproxy tap --product {PRODUCT} \\ --product-version 1.0.0 \\ --endpoint http://{} \\ -- node server.js",
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
    assert!(overview.contains("All products, as of 2026-11-28"), "{overview}");
    // 7 people of 28 installs that were active in the last 28 days.
    assert!(overview.contains("Share of people 25 % 13 to 43 %, 7 of 28"), "{overview}");
    let machines = words(&shown.page("/?show=machines"));
    assert!(machines.contains("Left out: 19 people"), "{machines}");
    let all = shown.json("/overview.json?show=all");
    assert_eq!((&all["installs"], &all["left_out"]["ci"]), (&Value::from(40), &Value::from(0)));
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
