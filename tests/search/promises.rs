//! What the search promises for any tools and any question.

use super::relevance::real_tools;
use super::{Tool, found, index};
use mcpproxy::serve::search::SearchIndex;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

fn some_tools() -> Vec<Tool> {
    vec![
        Tool::new("github", "create_issue", "Opens a new issue in a repository"),
        Tool::new(
            "github",
            "list_issues",
            "Lists issues; create_issue makes one. Issue, issue, issue",
        ),
        Tool::new("gitlab", "create_issue", "Opens a new issue in a project"),
        Tool::new("jira", "createSprint", "Starts a sprint"),
        Tool::new("web", "fetch", "Downloads an address"),
        Tool::new("web", "HTTPServerStart", "Serves a folder"),
        Tool::new("shop", "running-totals", "Sums of all orders"),
        Tool::new("shop", "export_v2", "Writes JavaScript"),
    ]
}

fn ask(query: &str) -> Vec<String> {
    let tools = some_tools();
    found(&index(&tools), &tools, query, 10)
}

#[test]
fn an_exact_name_comes_first() {
    for query in ["create_issue", "please call create_issue now", "use `create_issue`, then list"] {
        assert_eq!(ask(query)[..2], ["github:create_issue", "gitlab:create_issue"], "{query}");
    }
    let qualified = ["gitlab:create_issue", "gitlab/create_issue", "mcp__gitlab__create_issue"];
    for query in qualified {
        assert_eq!(ask(query)[0], "gitlab:create_issue", "{query}");
        assert_eq!(ask(&format!("what does {query} do?"))[0], "gitlab:create_issue", "{query}");
    }
    assert_eq!(ask("fetch")[0], "web:fetch");
    assert_eq!(ask("web:fetch the issue issue")[0], "web:fetch");
}

#[test]
fn another_spelling_of_a_name_comes_after_the_exact_one() {
    let tools = [Tool::new("a", "createIssue", ""), Tool::new("b", "create_issue", "")];
    let index = index(&tools);
    assert_eq!(found(&index, &tools, "create_issue", 9), ["b:create_issue", "a:createIssue"]);
    assert_eq!(found(&index, &tools, "createIssue", 9), ["a:createIssue", "b:create_issue"]);
    assert_eq!(found(&index, &tools, "create-issue", 9).len(), 2);
}

#[test]
fn a_name_that_is_a_plain_word_does_not_win_a_sentence() {
    assert_eq!(ask("fetch the list of issues in github")[0], "github:list_issues");
}

#[test]
fn names_come_apart_at_their_seams() {
    assert_eq!(ask("sprint"), ["jira:createSprint"]);
    assert_eq!(ask("http server"), ["web:HTTPServerStart"]);
    assert_eq!(ask("totals"), ["shop:running-totals"]);
    assert_eq!(ask("version 2"), ["shop:export_v2"]);
    assert_eq!(ask("v2"), ["shop:export_v2"]);
    assert_eq!(ask("javascript"), ["shop:export_v2"]);
}

#[test]
fn words_are_found_in_their_other_forms_and_accents() {
    assert_eq!(ask("total of an order")[0], "shop:running-totals");
    assert_eq!(ask("http")[0], "web:HTTPServerStart");
    assert_eq!(ask("exporter")[0], "shop:export_v2");
    assert_eq!(ask("SÉRVING FOLDERS")[0], "web:HTTPServerStart");
    assert_eq!(ask("directory"), ["web:HTTPServerStart"]);
}

#[test]
fn nothing_is_guessed() {
    for query in ["", " \t\n", "?!", "the and of", "please help me", "zxqv wvut", "\u{301}"] {
        assert_eq!(ask(query), [""; 0], "{query:?}");
    }
    assert_eq!(index(&[]).search("create_issue", 5), []);
    assert_eq!(index(&some_tools()).search("create_issue", 0), []);
}

#[test]
fn parameters_are_searched_wherever_they_are() {
    let mut tools = some_tools();
    let schema = json!({"type": "object", "properties": {
        "recipient_list": {"type": "array", "items": {"type": "object", "properties": {
            "postcode": {"type": "string", "description": "of the parcel"}}}},
        "mode": {"anyOf": [{"enum": ["overnight", 3]}, {"description": "a drone"}]}}});
    tools[6].input_schema = schema.to_string();
    let index = index(&tools);
    for query in ["recipient", "postcode", "parcel", "overnight", "drone"] {
        assert_eq!(found(&index, &tools, query, 9), ["shop:running-totals"], "{query}");
    }
}

#[test]
fn equal_tools_keep_their_order_and_answers_repeat() {
    let tools: Vec<Tool> =
        (0..50).map(|n| Tool::new(&format!("s{n}"), "send_mail", "Sends a mail")).collect();
    let servers: Vec<String> = (0..50).map(|n| format!("s{n}:send_mail")).collect();
    assert_eq!(found(&index(&tools), &tools, "mail", 50), servers);
    let tools = real_tools();
    let (a, b) = (index(&tools), index(&tools));
    for query in ["create a page", "list files", "jira_get_issue with its comments"] {
        assert_eq!(a.search(query, 400), b.search(query, 400));
        assert_eq!(a.search(query, 400)[..7], a.search(query, 7));
    }
}

#[test]
fn huge_texts_cost_a_bounded_time() {
    let mut deep = json!({"description": "the deepest"});
    for _ in 0..100 {
        deep = json!({"properties": {"deeper": deep}});
    }
    let wide: Map<String, Value> = (0..100_000).map(|n| (format!("p{n}"), json!({}))).collect();
    let mut tools = some_tools();
    tools[0].description = Some("word ".repeat(100_000));
    tools[1].input_schema = deep.to_string();
    tools[2].input_schema = json!({"properties": wide}).to_string();
    tools[3].name = "n".repeat(1 << 20);
    let index = index(&tools);
    for unit in ["create_issue ", "a:", "日", "word", "\u{301}", "e\u{301}x ", "🍕", "delete v2 "]
    {
        let query = unit.repeat((1 << 20) / unit.len());
        let start = Instant::now();
        index.search(&query, 5);
        // Generous, because tests are not optimized and machines are busy.
        assert!(start.elapsed() < Duration::from_secs(2), "{unit}");
    }
}

#[test]
fn threads_share_an_index() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<SearchIndex>();
}

fn tool() -> impl Strategy<Value = Tool> {
    let schema = prop_oneof![
        Just(json!({})),
        any::<(String, String)>().prop_map(|(name, text)| json!({"properties": {
            name.clone(): {"description": text.clone(), "items": [{"enum": [text]}, 1]},
            "x": {"properties": {name: null}, "items": true}}})),
        any::<String>().prop_map(|text| json!({"properties": text})),
    ];
    let texts = any::<(String, String, Option<String>, Option<String>)>();
    (texts, schema).prop_map(|((server, name, title, description), schema)| {
        let input_schema = schema.to_string();
        Tool { server, name, title, description, input_schema }
    })
}

proptest! {
    #[test]
    fn any_tools_and_any_question_have_an_answer(
        tools in prop::collection::vec(tool(), 0..8), query: String, limit in 0_usize..10,
    ) {
        let hits = index(&tools).search(&query, limit);
        prop_assert!(hits.len() <= limit.min(tools.len()));
        for hit in &hits {
            prop_assert!(hit.position < tools.len() && hit.score > 0.0 && hit.score.is_finite());
        }
        for pair in hits.windows(2) {
            let earlier = pair[0].position < pair[1].position;
            prop_assert!(pair[0].score > pair[1].score || pair[0].score == pair[1].score && earlier);
        }
    }

    #[test]
    fn any_identifier_in_a_sentence_finds_its_tool_first(
        name in "[a-z]{2,9}(_[a-z]{2,9}){1,4}", before in "[a-z ]{0,30}", after in "[a-z ]{0,30}",
    ) {
        let mut tools = real_tools();
        tools.truncate(100);
        tools.push(Tool::new("new", &name, ""));
        let query = format!("{before} {name} {after}");
        let first = found(&index(&tools), &tools, &query, 1);
        prop_assert_eq!(first, [format!("new:{name}")]);
    }
}
