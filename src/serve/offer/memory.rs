//! What offers take in memory, byte by byte: read from their pages, merged, and ready to be searched.

use super::super::catalog::Catalog;
use super::*;
use mcpproxy_platform::counting::{self, Counting};
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many bytes of memory a byte of JSON may take for as long as its server is connected.
const KEPT: f64 = 3.0;
/// How many for a moment, while the index is made.
const MOST: f64 = 6.0;

/// The offer of a server that answers with this list.
fn offer(page: &str) -> Arc<Offer> {
    let mut faults = Faults::default();
    let mut items = Items::new(List::Tools, Tool::read, &mut faults);
    assert_eq!(items.page(page), Ok(None));
    let tools = items.all;
    Arc::new(Offer { tools, faults, ..Offer::default() })
}

/// Reads the pages of servers and makes a catalog of them; bytes of memory for each byte of JSON.
#[track_caller]
fn is_bounded(what: &str, pages: &[(String, String)]) {
    // Tables that all catalogs share are there from now on.
    let _ = Catalog::new(vec![("a".into(), offer(r#"{"tools":[{"name":"read_file"}]}"#))]);
    let (bytes, catalog) = counting::count(|| {
        let offers = pages.iter().map(|(server, page)| (server.as_str().into(), offer(page)));
        Catalog::new(offers.collect())
    });
    let json: usize = pages.iter().map(|(_, page)| page.len()).sum();
    let each = |bytes: isize| bytes as f64 / json as f64;
    let (kept, most, tools) = (each(bytes.kept), each(bytes.most), catalog.tool_count());
    println!("{what}: {tools} tools, {json} bytes of JSON; {kept:.2} kept, {most:.2} at most");
    assert!(tools > 300, "{what}: {tools} tools");
    assert!(kept <= KEPT && most <= MOST, "{what}: {kept:.2} kept, {most:.2} at most");
    drop(catalog);
}

#[test]
fn tools_of_real_servers_take_three_times_their_text() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/search/tools.json");
    let text = std::fs::read_to_string(file).expect("the tools");
    let servers: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let pages: Vec<(String, String)> = servers
        .iter()
        .map(|server| {
            let name = server["server"].as_str().expect("a name");
            (name.to_owned(), json!({"tools": server["tools"]}).to_string())
        })
        .collect();
    is_bounded("real tools", &pages);
}

#[test]
fn large_schemas_stay_text() {
    // As values they take more than ten times as much.
    let property = |at: usize| {
        let parts: Vec<Value> =
            (0..8).map(|_| json!({"type": ["null", "integer"], "minimum": at})).collect();
        (format!("parameter_{at}"), json!({"anyOf": parts, "enum": [1, 2, 3, 4, 5, null]}))
    };
    let schema = json!({"type": "object", "properties": Map::from_iter((0..6).map(property))});
    let tool = |at: usize| json!({"name": format!("tool_{at}"), "inputSchema": schema, "outputSchema": schema});
    let tools: Vec<Value> = (0..400).map(tool).collect();
    is_bounded("large schemas", &[("s".to_owned(), json!({"tools": tools}).to_string())]);
}
