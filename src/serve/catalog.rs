//! Everything that all connected servers offer, under names that are unique across them.
//!
//! One rule: pure. A tool or prompt `x` of server `s` is `s:x`; a resource `u` is `mcpproxy://s/u`.

use super::brief;
use super::offer::{Item, Offer, Tool};
use super::search::{SearchIndex, ToolText};
use crate::config::servers::SEPARATOR;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;

/// What stands before the server in the address of a resource.
const SCHEME: &str = "mcpproxy://";

/// Which server, and what it calls the thing itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The server.
    pub server: &'a str,
    /// Its own name or address for the thing.
    pub name: &'a str,
}

/// A tool that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// `server:tool`
    pub full_name: &'a str,
    /// The server that has it.
    pub server: &'a str,
    /// As its server describes it.
    pub tool: &'a Tool,
    /// Greater is better; comparable within one answer only.
    pub score: f32,
}

/// Where something of a server stands in its offer.
struct Place {
    full_name: Box<str>,
    offer: u32,
    at: u32,
}

/// Places of one kind, each under a name that no other has.
struct Places {
    all: Vec<Place>,
    /// Which of them come in which order of their names.
    by_name: Vec<u32>,
}

/// The merged offers.
pub struct Catalog {
    offers: Vec<(Arc<str>, Arc<Offer>)>,
    tools: Places,
    prompts: Places,
    index: SearchIndex,
}

impl Catalog {
    /// Merges the offers, in order. Where two things of a server come by one name, the first has it. A server
    /// with the separator in its name has nothing: the config knows no such server.
    pub fn new(mut offers: Vec<(Arc<str>, Arc<Offer>)>) -> Self {
        offers.retain(|(server, _)| !server.contains(SEPARATOR));
        let tools = Places::of(&offers, |offer| {
            offer.tools.iter().map(|tool| tool.name.as_str()).collect()
        });
        let prompts =
            Places::of(&offers, |offer| offer.prompts.iter().map(|p| p.key.as_str()).collect());
        let listed = tools.all.iter().filter_map(|place| {
            let (server, offer) = place.offer(&offers)?;
            let tool = offer.tools.get(place.at as usize)?;
            Some((&**server, tool.name.as_str(), tool.searched()))
        });
        // For as long as it takes; schemas are text in it as well.
        let listed: Vec<_> = listed.collect();
        let index = SearchIndex::new(listed.iter().map(|(server, name, searched)| ToolText {
            server,
            name,
            title: searched.title.as_deref(),
            description: searched.description.as_deref(),
            input_schema: searched.input_schema,
        }));
        drop(listed);
        Self { offers, tools, prompts, index }
    }

    /// How many tools can be found.
    pub fn tool_count(&self) -> usize {
        self.tools.all.len()
    }

    /// At most `limit` tools that fit `query`, best first.
    pub fn search(&self, query: &str, limit: usize) -> Vec<Found<'_>> {
        let hits = self.index.search(query, limit).into_iter();
        hits.filter_map(|hit| {
            let place = self.tools.all.get(hit.position)?;
            let (server, offer) = place.offer(&self.offers)?;
            let tool = offer.tools.get(place.at as usize)?;
            Some(Found { full_name: &place.full_name, server, tool, score: hit.score })
        })
        .collect()
    }

    /// The tool of that full name.
    pub fn tool(&self, full_name: &str) -> Option<Owner<'_>> {
        let place = self.tools.named(full_name)?;
        let (server, offer) = place.offer(&self.offers)?;
        Some(Owner { server, name: &offer.tools.get(place.at as usize)?.name })
    }

    /// The prompt of that full name.
    pub fn prompt(&self, full_name: &str) -> Option<Owner<'_>> {
        let place = self.prompts.named(full_name)?;
        let (server, offer) = place.offer(&self.offers)?;
        Some(Owner { server, name: &offer.prompts.get(place.at as usize)?.key })
    }

    /// All prompts, under their full names.
    pub fn prompts(&self) -> Vec<Value> {
        let full = self.prompts.all.iter().filter_map(|place| {
            let (_, offer) = place.offer(&self.offers)?;
            let mut prompt = offer.prompts.get(place.at as usize)?.members();
            brief::descriptions(&mut prompt);
            prompt.insert("name".into(), (*place.full_name).into());
            Some(Value::Object(prompt))
        });
        full.collect()
    }

    /// All resources, under their full addresses.
    pub fn resources(&self) -> Vec<Value> {
        self.addressed("uri", |offer| &offer.resources)
    }

    /// All resource templates, under their full addresses.
    pub fn templates(&self) -> Vec<Value> {
        self.addressed("uriTemplate", |offer| &offer.templates)
    }

    fn addressed(&self, key: &str, items: impl Fn(&Offer) -> &[Item]) -> Vec<Value> {
        let mut full = Vec::new();
        for (server, offer) in &self.offers {
            full.extend(items(offer).iter().map(|item| {
                let mut members = item.members();
                brief::descriptions(&mut members);
                members.insert(key.into(), full_uri(server, &item.key).into());
                Value::Object(members)
            }));
        }
        full
    }

    /// How the servers want to be used, those that say so.
    pub fn instructions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.offers
            .iter()
            .filter_map(|(server, offer)| Some((&**server, offer.instructions.as_deref()?)))
    }

    /// Whether `other` has the same prompts.
    pub fn has_prompts_of(&self, other: &Self) -> bool {
        self.is_alike(other, |offer| [&offer.prompts, &[]])
    }

    /// Whether `other` has the same resources and templates.
    pub fn has_resources_of(&self, other: &Self) -> bool {
        self.is_alike(other, |offer| [&offer.resources, &offer.templates])
    }

    fn is_alike<'a>(
        &'a self,
        other: &'a Self,
        items: impl Fn(&'a Offer) -> [&'a [Item]; 2],
    ) -> bool {
        let of = |catalog: &'a Self| {
            let named = catalog.offers.iter().map(|(server, offer)| (server, items(offer)));
            named.filter(|(_, lists)| lists.iter().any(|list| !list.is_empty())).collect::<Vec<_>>()
        };
        of(self) == of(other)
    }

    /// Who has the resource or template of that address: a full one, or (because results of tools hold
    /// those) a server's own one, that it listed or that fits a template of its. A full address leads to the
    /// server that it names and to no other, connected or not: others may list what they like.
    pub fn resource<'a>(&'a self, uri: &'a str) -> Option<Owner<'a>> {
        if let Some(rest) = strip_scheme(uri) {
            let (server, own) = rest.split_once('/')?;
            let of = |(name, _): &&(Arc<str>, _)| encoded(name) == server;
            let (name, _) = self.offers.iter().find(of)?;
            return Some(Owner { server: name, name: own });
        }
        let lists = |(_, offer): &&(Arc<str>, Arc<Offer>)| {
            offer.resources.iter().any(|resource| resource.key == uri)
        };
        let fits = |(_, offer): &&(Arc<str>, Arc<Offer>)| {
            offer.templates.iter().any(|template| fits(&template.key, uri))
        };
        let (name, _) = self.offers.iter().find(lists).or_else(|| self.offers.iter().find(fits))?;
        Some(Owner { server: name, name: uri })
    }
}

type Offers = [(Arc<str>, Arc<Offer>)];

impl Place {
    fn offer<'o>(&self, offers: &'o Offers) -> Option<&'o (Arc<str>, Arc<Offer>)> {
        offers.get(self.offer as usize)
    }
}

impl Places {
    fn of(offers: &Offers, names: impl Fn(&Offer) -> Vec<&str>) -> Self {
        let mut all = Vec::new();
        let mut known = HashSet::new();
        for (offer, (server, offered)) in (0..).zip(offers) {
            for (at, name) in (0..).zip(names(offered)) {
                // A server's name is in the configuration once.
                if known.insert((&**server, name)) {
                    all.push(Place { full_name: full_name(server, name).into(), offer, at });
                }
            }
        }
        all.shrink_to_fit();
        let mut by_name: Vec<u32> = (0..all.len() as u32).collect();
        by_name.sort_unstable_by_key(|at| &*all[*at as usize].full_name);
        Self { all, by_name }
    }

    fn named(&self, full_name: &str) -> Option<&Place> {
        let name = |at: &u32| self.all.get(*at as usize).map(|place| &*place.full_name);
        let at = self.by_name.binary_search_by(|at| name(at).cmp(&Some(full_name))).ok()?;
        self.all.get(*self.by_name.get(at)? as usize)
    }
}

/// The name under which a client reaches the tool or prompt `name` of `server`. No server has the separator in
/// its name, so the first one ends the server's name, whatever the server calls its own.
pub fn full_name(server: &str, name: &str) -> String {
    format!("{server}{SEPARATOR}{name}")
}

/// Whether a template (RFC 6570) may stand for `uri`, or is it: its literal parts are there, in order. What is
/// between them is its server's to judge. A template that begins with an expression fits nothing but itself.
fn fits(template: &str, uri: &str) -> bool {
    if template == uri {
        return true;
    }
    let mut literals = template.split('{').enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('}').map_or(part, |(_, literal)| literal),
    });
    let first = literals.next().unwrap_or_default();
    let rest: Vec<&str> = literals.collect();
    let (Some(mut left), Some((last, middle))) = (uri.strip_prefix(first), rest.split_last())
    else {
        return false;
    };
    for literal in middle {
        let Some((_, after)) = left.split_once(literal) else { return false };
        left = after;
    }
    first.contains(':') && left.ends_with(last)
}

/// The address under which a client reaches the resource (or template) `uri` of `server`.
pub fn full_uri(server: &str, uri: &str) -> String {
    format!("{SCHEME}{}/{uri}", encoded(server))
}

/// What follows our scheme, however its letters are written.
fn strip_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// A server's name as a host: everything but unreserved characters of RFC 3986 percent-encoded.
fn encoded(server: &str) -> String {
    let mut out = String::new();
    for byte in server.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn offer() -> Arc<Offer> {
        Arc::new(Offer {
            tools: vec![tool("read"), tool("a:b"), tool("read")],
            prompts: vec![item("name", "greet")],
            resources: vec![item("uri", "file:///a?b#c")],
            templates: vec![item("uriTemplate", "demo://{id}")],
            ..Offer::default()
        })
    }

    fn tool(name: &str) -> Tool {
        let text = json!({"name": name, "inputSchema": {}}).to_string().into();
        Tool { name: name.into(), text }
    }

    fn item(key: &str, named: &str) -> Item {
        let text = json!({key: named, "name": "n", "icons": [{"src": "x"}]}).to_string().into();
        Item { key: named.into(), text }
    }

    fn catalog() -> Catalog {
        Catalog::new(vec![("one".into(), offer()), ("my server".into(), offer())])
    }

    #[test]
    fn names_lead_to_their_server_and_the_first_of_a_name_has_it() {
        let catalog = catalog();
        assert_eq!(catalog.tool_count(), 4);
        let owner = |server, name| Some(Owner { server, name });
        assert_eq!(catalog.tool("one:read"), owner("one", "read"));
        assert_eq!(catalog.tool("my server:a:b"), owner("my server", "a:b"));
        assert_eq!(catalog.prompt("one:greet"), owner("one", "greet"));
        assert_eq!(catalog.prompts()[1]["name"], "my server:greet");
        // All else that its server says of it stays.
        assert_eq!(catalog.prompts()[1]["icons"], json!([{"src": "x"}]));
        for missing in ["read", "one:", ":read", "two:read", "one:Read"] {
            assert_eq!(catalog.tool(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_server_takes_nothing_of_another_by_what_it_calls_its_own() {
        let of = |tool: &str, uri: &str| {
            Arc::new(Offer {
                tools: vec![self::tool(tool)],
                prompts: vec![item("name", tool)],
                resources: vec![item("uri", uri)],
                ..Offer::default()
            })
        };
        let catalog = Catalog::new(vec![
            ("github".into(), of("work:create", "mcpproxy://bank/file:///a")),
            // The config fails such an entry; and were it here, it would have nothing.
            ("github:work".into(), of("create", "file:///b")),
            ("evil".into(), of("github:work:create", "MCPPROXY://bank/x")),
        ]);
        let owner = |server, name| Some(Owner { server, name });
        assert_eq!(catalog.tool("github:work:create"), owner("github", "work:create"));
        assert_eq!(catalog.tool("evil:github:work:create"), owner("evil", "github:work:create"));
        assert_eq!(catalog.prompt("github:work:create"), owner("github", "work:create"));
        assert_eq!(catalog.tool_count(), 2);
        // `bank` is not connected: nobody else answers for it.
        for uri in ["mcpproxy://bank/file:///a", "MCPPROXY://bank/x"] {
            assert_eq!(catalog.resource(uri), None, "{uri}");
        }
    }

    #[test]
    fn addresses_of_resources_lead_back_to_the_servers_own() {
        let catalog = catalog();
        let full = catalog.resources();
        assert_eq!(full[0]["uri"], "mcpproxy://one/file:///a?b#c");
        assert_eq!(full[1]["uri"], "mcpproxy://my%20server/file:///a?b#c");
        let own = Owner { server: "my server", name: "file:///a?b#c" };
        assert_eq!(catalog.resource(full[1]["uri"].as_str().unwrap()), Some(own));
        let first = Owner { server: "one", name: "file:///a?b#c" };
        assert_eq!(catalog.resource("file:///a?b#c"), Some(first));
        assert_eq!(catalog.templates()[0]["uriTemplate"], "mcpproxy://one/demo://{id}");
        let expanded = Owner { server: "one", name: "demo://7" };
        assert_eq!(catalog.resource("mcpproxy://one/demo://7"), Some(expanded));
        assert_eq!(catalog.resource("mcpproxy://nobody/demo://7"), None);
        // As a link in a tool's result has it.
        assert_eq!(catalog.resource("demo://7"), Some(expanded));
        assert_eq!(catalog.resource("demo:/7"), None);
    }

    #[test]
    fn a_template_fits_what_has_its_literal_parts_in_order() {
        for (template, uri) in [
            ("demo://{id}", "demo://7"),
            ("demo://{id}", "demo://{id}"),
            ("demo://{id}/data", "demo://7/data"),
            ("demo://{a}/x/{b}", "demo://1/x/2"),
            ("demo://list{?page,size}", "demo://list?page=2"),
            ("demo://list{?page}", "demo://list"),
            ("file:///{+path}", "file:///a/b"),
        ] {
            assert!(fits(template, uri), "{template} {uri}");
        }
        for (template, uri) in [
            ("demo://{id}/data", "demo://7"),
            ("demo://{a}/x/{b}", "demo://1/y/2"),
            ("demo://7", "demo://77"),
            ("{+uri}", "demo://7"),
            ("de{mo}", "demo://7"),
            ("demo://{id", "other://7"),
        ] {
            assert!(!fits(template, uri), "{template} {uri}");
        }
    }
}
