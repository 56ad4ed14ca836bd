//! Which tools fit a question: BM25 over names, descriptions and parameters.
//!
//! One rule: pure; the same tools and the same query give the same answer.
//!
//! Words are split, stemmed and freed of stop words with the tokenizer of the crate `bm25`. Its scorer
//! knows documents without fields, looks through a whole document for each word of a query, and leaves
//! equal scores in the order of a hash map; so the sum itself is made here, over posting lists whose
//! entries are ready to be added (BM25F: what a field counts is in how often a word occurs).

mod boilerplate;
mod fields;
mod meanings;
mod names;
mod shapes;
mod vectors;
mod words;

use boilerplate::Boilerplate;
use fields::{FIELDS, Field, bounded};
use meanings::Meanings;
use names::Names;
use shapes::Piece;
use std::collections::{HashMap, HashSet};
use vectors::Meaning;
use words::{Term, Vocabulary, VocabularyBuilder};

/// Bytes of a query that are read.
const QUERY_BOUND: usize = 4 * 1024;
/// Different words of a query that are looked for.
const QUERY_WORDS: usize = 64;

/// What of a tool is searched.
#[derive(Clone, Copy, Debug)]
pub struct ToolText<'a> {
    /// The server that has it.
    pub server: &'a str,
    /// Its name on that server.
    pub name: &'a str,
    /// Its human-readable title.
    pub title: Option<&'a str>,
    /// Its description.
    pub description: Option<&'a str>,
    /// Its `inputSchema`, as JSON: names and descriptions of parameters are searched.
    pub input_schema: &'a str,
}

/// One tool that fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// The position of the tool in what the index was made from.
    pub position: usize,
    /// Greater is better; comparable within one answer only.
    pub score: f32,
}

/// What counts how much; the choice is measured, see `docs/search.md`.
struct Weights {
    /// What one occurrence in a field counts, in the order of [`Field`].
    field: [f32; FIELDS],
    /// How much the length of a field counts against its words, from 0 to 1.
    length: [f32; FIELDS],
    /// How soon more of the same word stops to count.
    saturation: f32,
    /// What a word of the same meaning or root counts, where the word itself counts 1.
    meaning: f32,
    /// How much a tool loses for words of the query that it lacks.
    coverage: f32,
    /// What a word counts for a tool that other tools of its server have, where all of them have it.
    server: f32,
    /// What the nearness in meaning counts, from -1 to 1, where the best of all words counts 1.
    nearness: f32,
}

const WEIGHTS: Weights = Weights {
    field: [2.0, 2.0, 1.0, 1.0, 0.3, 0.3, 0.1],
    length: [0.5, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75],
    saturation: 1.2,
    meaning: 0.75,
    coverage: 0.65,
    server: 0.5,
    nearness: 0.3,
};

/// An index over all tools. `Send` and `Sync`; made once, read by many.
///
/// Of one tool at most 256 bytes of each name and title, 8 KiB of the description, and 8 KiB of
/// parameters (512 schemas, 6 levels) are searched.
pub struct SearchIndex {
    count: usize,
    vocabulary: Vocabulary,
    meanings: &'static Meanings,
    names: Names,
    /// Numbers in names of tools.
    numbers: HashSet<String>,
    /// For each tool the number of its server, and for each server how many tools it has.
    servers: (Vec<u32>, Vec<u32>),
    /// What names and first sentences mean.
    tool_meanings: Vec<Meaning>,
    postings: Postings,
    weights: Weights,
}

/// How often a term occurs in a field of a tool.
struct Occurrences {
    term: Term,
    tool: u32,
    counts: [u16; FIELDS],
}

impl SearchIndex {
    /// Indexes `tools`, in order.
    pub fn new<'a>(tools: impl IntoIterator<Item = ToolText<'a>>) -> Self {
        Self::with_weights(tools, WEIGHTS)
    }

    fn with_weights<'a>(tools: impl IntoIterator<Item = ToolText<'a>>, weights: Weights) -> Self {
        let mut builder = VocabularyBuilder::new();
        let mut lengths: Vec<[u32; FIELDS]> = Vec::new();
        let mut named_numbers = HashSet::new();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut servers = (Vec::new(), Vec::new());
        let mut occurrences = Vec::new();
        let mut terms: Vec<(Term, Field)> = Vec::new();
        let mut heads: Vec<Vec<Term>> = Vec::new();
        let tools: Vec<ToolText> = tools.into_iter().collect();
        let boilerplate = Boilerplate::new(&tools);
        for (position, tool) in tools.iter().enumerate() {
            // Positions beyond would not fit a posting; no list of tools is that long.
            let Ok(number) = u32::try_from(position) else { break };
            words::split(bounded(tool.name, fields::NAME_BOUND), |word| {
                if word.bytes().all(|b| b.is_ascii_digit()) {
                    named_numbers.insert(word.to_owned());
                }
            });
            let next = servers.1.len() as u32;
            let server = *numbers.entry(tool.server).or_insert(next);
            if server == next {
                servers.1.push(0);
            }
            servers.0.push(server);
            servers.1[server as usize] += 1;
            terms.clear();
            let mut length = [0; FIELDS];
            let description = boilerplate.without(tool);
            let own = ToolText { description: Some(&description), ..*tool };
            fields::read(&own, |field, text| {
                builder.read(text, |term| {
                    terms.push((term, field));
                    length[field as usize] += 1;
                });
            });
            lengths.push(length);
            let of_head = |field: Field| matches!(field, Field::Name | Field::Lead);
            let head = terms.iter().filter(|(_, field)| of_head(*field));
            heads.push(head.map(|(term, _)| *term).collect());
            count(&mut terms, number, &mut occurrences);
        }
        let (vocabulary, terms) = builder.finish();
        let stems = vocabulary.stems();
        let meaning = |head: &Vec<Term>| Meaning::of(head.iter().map(|term| stems[*term as usize]));
        let tool_meanings = heads.iter().map(meaning).collect();
        let postings = Postings::new(terms, &lengths, &occurrences, &weights);
        let names = Names::new(tools.iter().map(|tool| (tool.server, tool.name)));
        let meanings = Meanings::shared();
        Self {
            count: lengths.len(),
            vocabulary,
            meanings,
            names,
            numbers: named_numbers,
            servers,
            tool_meanings,
            postings,
            weights,
        }
    }

    /// How many tools are indexed.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no tool is indexed.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// At most `limit` tools that fit `query`, best first; ties in the order of the index.
    ///
    /// A tool whose name the query is or contains comes first: as it is called (`create_issue`), with
    /// its server (`github:create_issue`) or in another spelling (`createIssue`). A name that is one
    /// plain word (`fetch`) must be the whole query, or come with its server.
    ///
    /// The answer is empty when no word of the query is known: an empty query, stop words only, words
    /// that no tool has. Tools are not guessed. Of a query the first 4 KiB and of those the first 64
    /// different words are read.
    pub fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let query = bounded(query, QUERY_BOUND);
        let mut scores = self.scores(query);
        let step = scores.iter().copied().fold(0.0, f32::max) + 1.0;
        for (position, precision) in self.names.named(query) {
            scores[position] += step * f32::from(precision as u8);
        }
        let scores = scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0);
        let mut hits: Vec<Hit> = scores.map(|(position, score)| Hit { position, score }).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.position.cmp(&b.position)));
        hits.truncate(limit);
        hits
    }

    /// The score of every tool, by its text alone.
    fn scores(&self, query: &str) -> Vec<f32> {
        let (server_of, tools_of) = &self.servers;
        let mut scores = vec![0.0_f32; self.count];
        let mut covered = vec![0.0_f32; self.count];
        // Of the tools and servers that have the word at hand.
        let mut best = vec![(0.0_f32, 0.0_f32); self.count];
        let mut sums = vec![0.0_f32; tools_of.len()];
        let mut touched: Vec<u32> = Vec::new();
        let mut from_servers = vec![0.0_f32; tools_of.len()];
        let mut all = 0.0;
        for concept in self.concepts(query) {
            for (term, weight) in concept {
                for (tool, score) in self.postings.of(term) {
                    let (best, weight_of_best) = &mut best[*tool as usize];
                    if *best == 0.0 {
                        touched.push(*tool);
                    }
                    *best = best.max(score * weight);
                    *weight_of_best = weight_of_best.max(weight);
                }
            }
            if touched.is_empty() {
                // No tool has it: it tells nothing about how the tools differ.
                continue;
            }
            let rarity = rarity(self.count, touched.len());
            all += rarity;
            for tool in touched.drain(..) {
                let tool = tool as usize;
                let (score, weight) = std::mem::take(&mut best[tool]);
                scores[tool] += rarity * score;
                covered[tool] += rarity * weight;
                sums[server_of[tool] as usize] += score;
            }
            for ((sum, tools), from) in sums.iter_mut().zip(tools_of).zip(&mut from_servers) {
                // One tool more: what a server's only tool has is no word of the server.
                *from += rarity * std::mem::take(sum) / (*tools as f32 + 1.0);
            }
        }
        let servers = server_of.iter().map(|server| from_servers[*server as usize]);
        for ((score, covered), from_server) in scores.iter_mut().zip(covered).zip(servers) {
            // A tool without a word of the query is not guessed by its neighbours.
            if *score > 0.0 {
                *score += self.weights.server * from_server;
                *score *= 1.0 - self.weights.coverage * (1.0 - covered / all);
            }
        }
        self.bring_near(query, &mut scores);
        scores
    }

    /// Puts those first of the tools with words of `query` that are near to it in meaning as well.
    fn bring_near(&self, query: &str, scores: &mut [f32]) {
        let mut stems = Vec::new();
        words::split(query, |word| {
            if stems.len() < QUERY_WORDS {
                stems.extend(self.vocabulary.stemmer().stems(word));
            }
        });
        let meaning = Meaning::of(stems.iter().map(String::as_str));
        let best = scores.iter().copied().fold(0.0, f32::max);
        for (score, tool) in scores.iter_mut().zip(&self.tool_meanings) {
            if *score > 0.0 {
                // One more, for the score to stay above zero.
                *score = *score / best + self.weights.nearness * (meaning.nearness(tool) + 1.0);
            }
        }
    }

    /// What the query asks for: for each of its words the terms that answer it, and how well. A tool
    /// that has several of them answers the word once, by the best; and the word is as rare as all of
    /// them together, or else an unusual word for something common would outweigh the rest.
    fn concepts(&self, query: &str) -> Vec<Vec<(Term, f32)>> {
        let mut concepts = Concepts { index: self, read: Vec::new(), concepts: Vec::new() };
        shapes::read(query, |piece| match piece {
            Piece::Text(text) => words::split(text, |word| concepts.word(word)),
            Piece::Data(words) => concepts.data(words),
            // Most are data; they differ from question to question, not from tool to tool.
            Piece::Number(number) if !self.numbers.contains(number) => {}
            Piece::Number(number) => concepts.word(number),
        });
        concepts.concepts
    }
}

/// What a query asks for, as it is read.
struct Concepts<'a> {
    index: &'a SearchIndex,
    /// What was read: each counts once.
    read: Vec<String>,
    concepts: Vec<Vec<(Term, f32)>>,
}

impl Concepts<'_> {
    fn is_new(&mut self, what: &str) -> bool {
        let new = self.read.len() < QUERY_WORDS && !self.read.iter().any(|read| read == what);
        if new {
            self.read.push(what.to_owned());
        }
        new
    }

    /// `others` and their weight, after those that answer best.
    fn add(&mut self, best: Option<Term>, weight: f32, others: impl Iterator<Item = Term>) {
        let best = best.into_iter().map(|term| (term, 1.0));
        self.concepts.push(best.chain(others.map(|term| (term, weight))).collect());
    }

    fn word(&mut self, word: &str) {
        let SearchIndex { vocabulary, meanings, weights, .. } = self.index;
        let term = |stem: &String| vocabulary.term(stem);
        let stems = vocabulary.stemmer().stems(word);
        let meant = meanings.stop(word);
        if stems.is_empty() && !meant.is_empty() && self.is_new(word) {
            self.add(None, weights.meaning, meant.iter().filter_map(term));
        }
        for stem in stems.iter().filter(|stem| !meanings.is_filler(stem)) {
            for stem in meanings.phrase(stem).iter().chain([stem]) {
                if self.is_new(stem) {
                    let others = meanings.same(stem).iter().filter_map(term);
                    let others = others.chain(vocabulary.family(stem).iter().copied());
                    self.add(term(stem), weights.meaning, others);
                }
            }
        }
    }

    fn data(&mut self, words: &'static str) {
        if self.is_new(words) {
            let vocabulary = &self.index.vocabulary;
            let stems = words.split(' ').flat_map(|word| vocabulary.stemmer().stems(word));
            self.add(None, 1.0, stems.filter_map(|stem| vocabulary.term(&stem)));
        }
    }
}

/// Adds what `terms` of the tool `tool` are, counted, to `occurrences`.
fn count(terms: &mut [(Term, Field)], tool: u32, occurrences: &mut Vec<Occurrences>) {
    terms.sort_unstable_by_key(|(term, _)| *term);
    for same in terms.chunk_by(|(a, _), (b, _)| a == b) {
        let mut counts = [0_u16; FIELDS];
        for (_, field) in same {
            counts[*field as usize] = counts[*field as usize].saturating_add(1);
        }
        occurrences.push(Occurrences { term: same[0].0, tool, counts });
    }
}

/// The weight of a term that `tools` of `count` tools have.
fn rarity(count: usize, tools: usize) -> f32 {
    (1.0 + (count as f32 - tools as f32 + 0.5) / (tools as f32 + 0.5)).ln()
}

/// For each term the tools that have it, and how much they are about it: all in one piece.
struct Postings {
    /// Where those of each term begin; one more, where the last ones end.
    starts: Vec<u32>,
    entries: Vec<(u32, f32)>,
}

impl Postings {
    fn new(
        terms: usize,
        lengths: &[[u32; FIELDS]],
        occurrences: &[Occurrences],
        weights: &Weights,
    ) -> Self {
        let averages: [f32; FIELDS] = std::array::from_fn(|field| {
            let sum: f64 = lengths.iter().map(|length| f64::from(length[field])).sum();
            (sum / lengths.len().max(1) as f64) as f32
        });
        let mut starts = vec![0_u32; terms + 1];
        for Occurrences { term, .. } in occurrences {
            starts[*term as usize + 1] += 1;
        }
        for term in 0..terms {
            starts[term + 1] += starts[term];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0.0); occurrences.len()];
        for Occurrences { term, tool, counts } in occurrences {
            let lengths = &lengths[*tool as usize];
            let mut frequency = 0.0;
            for field in 0..FIELDS {
                if counts[field] > 0 {
                    let longer = lengths[field] as f32 / averages[field] - 1.0;
                    let length = 1.0 + weights.length[field] * longer;
                    frequency += weights.field[field] * f32::from(counts[field]) / length;
                }
            }
            let saturation = weights.saturation;
            let score = frequency * (saturation + 1.0) / (frequency + saturation);
            let at = &mut next[*term as usize];
            entries[*at as usize] = (*tool, score);
            *at += 1;
        }
        Self { starts, entries }
    }

    fn of(&self, term: Term) -> &[(u32, f32)] {
        let at = |term: usize| self.starts[term] as usize;
        &self.entries[at(term as usize)..at(term as usize + 1)]
    }
}
