//! Words that mean the same to people who ask for tools.
//!
//! One rule: general vocabulary only. Names of products and servers are not in it.

use super::words::Stemmer;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Each line is a group; a word may be in several.
const GROUPS: &[&str] = &[
    // What is done.
    "delete remove erase destroy forget",
    "create make new",
    "add append insert attach put",
    "update change edit modify replace",
    "get read retrieve fetch load",
    "list show view display see enumerate",
    "find search lookup query",
    "send post write publish",
    "run execute launch start",
    "call request invoke",
    "stop end cancel terminate kill abort",
    "move rename",
    "copy duplicate clone",
    "download fetch save",
    "save store write",
    "undo revert rollback",
    "check verify inspect status",
    "choose select pick",
    "watch monitor observe track",
    "simulate emulate mimic",
    "convert transform translate",
    "install deploy",
    "summarize summary overview",
    "schedule plan",
    "join merge combine",
    "compare difference diff",
    "navigate visit browse open",
    "extract scrape crawl parse",
    "print output log",
    "switch change toggle",
    "approve accept confirm",
    "reject decline refuse deny",
    "enable activate",
    "disable deactivate",
    "upload import",
    "download export",
    "sort order rank",
    "pay charge",
    "buy purchase order",
    "notify alert remind",
    "build compile",
    "backup snapshot",
    "sum total add",
    // What it is done to.
    "folder directory dir",
    "file document",
    "picture image photo screenshot png jpeg",
    "person people user member account",
    "ticket issue bug",
    "comment reply answer response",
    "web website site internet online url",
    "link url address",
    "label tag category",
    "box field input",
    "database db sql",
    "repository repo",
    "kubernetes k8s",
    "javascript js",
    "documentation docs manual",
    "configuration config settings preferences options",
    "environment env variables",
    "history past log",
    "place location",
    "information info details metadata properties",
    "shell terminal console command",
    "error exception failure",
    "mail email",
    "meeting event appointment calendar",
    "task todo job",
    "team group",
    "thread conversation discussion",
    "route directions way",
    "disk drive storage filesystem",
    "permission access rights restriction",
    "phone mobile device",
    "several multiple many batch bulk",
    "fast slow speed performance",
    "far near distance",
    "height altitude elevation",
    "weather forecast temperature",
    "price cost amount",
    "bill invoice payment",
    "customer client contact",
    "company organization",
    "login auth authentication",
    "password secret credential token",
    "video movie clip recording",
    "audio sound music song",
    "chart plot diagram",
    "count number amount",
    "server host machine",
    "column field attribute",
    "row entry record",
    "table sheet spreadsheet",
    "article post blog",
    "package library module dependency",
    "version release",
];

/// Abbreviations of more than one word.
const PHRASES: &[(&str, &str)] = &[("pr", "pull request"), ("mr", "merge request")];

/// Words of a question that say nothing about the tool, beside the stop words of English.
const FILLERS: &str = "please want need would could like let give tell help tool use using us hi hello hey thanks \
    thank ok okay maybe perhaps actually really quite rather even well just simply probably \
    certainly already still yet ever never always usually sometimes also instead ago soon enough \
    something anything nothing thing things stuff else much lot lots bit somehow anyway";

/// `word: other other`: who says the word may mean the others, but not the other way round.
const EVERYDAY: &str = include_str!("everyday.txt");
/// `word: other other`: who says one of the others may mean the word, but not the other way round.
const GLOSSARY: &str = include_str!("glossary.txt");

/// The groups and tables, stemmed.
pub struct Meanings {
    same: HashMap<String, Vec<String>>,
    /// For stop words, which have no stem.
    stops: HashMap<&'static str, Vec<String>>,
    phrases: HashMap<String, Vec<String>>,
    fillers: Vec<String>,
}

impl Meanings {
    /// They are the same for every index.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Meanings> = LazyLock::new(|| Meanings::new(&Stemmer::new()));
        &SHARED
    }

    fn new(stemmer: &Stemmer) -> Self {
        let stems = |words: &str| -> Vec<String> {
            words.split(' ').flat_map(|word| stemmer.stems(word)).collect()
        };
        let mut same: HashMap<String, Vec<String>> = HashMap::new();
        for group in GROUPS {
            let group = stems(group);
            for word in &group {
                let others = group.iter().filter(|other| *other != word).cloned();
                same.entry(word.clone()).or_default().extend(others);
            }
        }
        let mut stops = HashMap::new();
        for (word, meant) in lines(EVERYDAY) {
            let meant = stems(meant);
            match stemmer.stems(word).pop() {
                Some(stem) => same.entry(stem).or_default().extend(meant),
                None => _ = stops.insert(word, meant),
            }
        }
        for (word, said) in lines(GLOSSARY) {
            let word = stems(word);
            for said in said.split(' ') {
                match stemmer.stems(said).pop() {
                    Some(stem) => same.entry(stem).or_default().extend(word.clone()),
                    None => stops.entry(said).or_default().extend(word.clone()),
                }
            }
        }
        let phrases = PHRASES.iter().map(|(short, long)| ((*short).to_owned(), stems(long)));
        Self { same, stops, phrases: phrases.collect(), fillers: stems(FILLERS) }
    }

    /// Other stems for `stem`.
    pub fn same(&self, stem: &str) -> &[String] {
        self.same.get(stem).map_or(&[], Vec::as_slice)
    }

    /// Stems for the stop word `word`.
    pub fn stop(&self, word: &str) -> &[String] {
        self.stops.get(word).map_or(&[], Vec::as_slice)
    }

    /// The stems that `stem` abbreviates.
    pub fn phrase(&self, stem: &str) -> &[String] {
        self.phrases.get(stem).map_or(&[], Vec::as_slice)
    }

    /// Whether `stem` says nothing.
    pub fn is_filler(&self, stem: &str) -> bool {
        self.fillers.iter().any(|filler| filler == stem)
    }
}

/// The entries of a table.
fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": "))
}
