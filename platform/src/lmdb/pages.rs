//! LMDB's file format, read without LMDB: whether a file is safe to map, and the records in it.
//!
//! One rule: every offset comes from the file and is checked before it is used. LMDB trusts its file (a
//! damaged page is a signal or a broken heap), so a file that this module refuses is never mapped.
//!
//! Layout after `mdb.c` of LMDB 0.9 (data version 1): native byte order and word size, two meta pages,
//! then B+tree pages. Our stores have the unnamed database only, without duplicates.

use std::ops::Range;

/// What is wrong with a file.
pub type Damage = &'static str;

/// A record: key, value.
pub type Record<'a> = (&'a [u8], &'a [u8]);

/// The newest committed snapshot of a file that is safe to map.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// The transaction that committed it.
    pub transaction: u64,
    /// Its records in the order of their keys.
    pub records: Vec<Record<'a>>,
}

const WORD: usize = size_of::<usize>();
const PAGE_HEADER: usize = WORD + 8;
const NODE_HEADER: usize = 8;
const DATABASE: usize = 8 + 5 * WORD;
const NO_PAGE: usize = usize::MAX;
const META_PAGES: usize = 2;
/// Deeper than any tree that fits the map.
const MAX_DEPTH: u16 = 8;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;
/// The only node flag we use: the value lies on overflow pages.
const BIG_DATA: u16 = 0x01;
/// `MDB_INTEGERKEY`, set on the free list; environment flags (`MDB_NOSUBDIR`) are kept beside it.
const FREE_LIST_FLAGS: u16 = 0x08;
const NO_SUB_DIR: u16 = 0x4000;

/// Checks `file` as a whole and lists its records. `max_size` is the size of the map.
pub fn read(file: &[u8], max_size: usize) -> Result<Snapshot<'_>, Damage> {
    let metas = [Meta::read(file, 0)?, Meta::read(file, 1)?];
    let [first, second] = &metas;
    if first.page_size != second.page_size {
        return Err("its meta pages disagree on the page size");
    }
    let newest = if first.transaction < second.transaction { second } else { first };
    if newest.last_page < META_PAGES - 1 || newest.last_page >= max_size / newest.page_size {
        return Err("its last page lies outside the map");
    }
    let mut walk = Walk {
        file,
        page_size: newest.page_size,
        transaction: newest.transaction,
        seen: vec![false; newest.last_page + 1],
    };
    let records = walk.tree(&newest.main, Kind::Records)?;
    for (id, pages) in walk.tree(&newest.free, Kind::FreeList)? {
        walk.free_pages(word(id, 0)?, pages)?;
    }
    // Every page is in use or free. A count that is damaged upwards would leave no room to write; where there
    // is room, pages that are nobody's hurt nobody.
    let has_lost = walk.seen.iter().skip(META_PAGES).any(|seen| !seen);
    if has_lost && newest.last_page >= max_size / newest.page_size / 2 {
        return Err("it counts pages that it does not have");
    }
    Ok(Snapshot { transaction: newest.transaction as u64, records })
}

fn bytes(file: &[u8], range: Range<usize>) -> Result<&[u8], Damage> {
    file.get(range).ok_or("it ends too early")
}

fn short(file: &[u8], at: usize) -> Result<u16, Damage> {
    let value = file.get(at..).and_then(|rest| rest.first_chunk()).ok_or("it ends too early")?;
    Ok(u16::from_ne_bytes(*value))
}

fn long(file: &[u8], at: usize) -> Result<u32, Damage> {
    let value = file.get(at..).and_then(|rest| rest.first_chunk()).ok_or("it ends too early")?;
    Ok(u32::from_ne_bytes(*value))
}

fn word(file: &[u8], at: usize) -> Result<usize, Damage> {
    let value = file.get(at..).and_then(|rest| rest.first_chunk()).ok_or("it ends too early")?;
    Ok(usize::from_ne_bytes(*value))
}

/// Which of the two trees of a meta page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    FreeList,
    Records,
}

/// `MDB_db`.
struct Tree {
    depth: u16,
    branch_pages: usize,
    leaf_pages: usize,
    overflow_pages: usize,
    entries: usize,
    root: usize,
}

impl Tree {
    fn read(file: &[u8], at: usize, flags: &[u16]) -> Result<Self, Damage> {
        if !flags.contains(&short(file, at + 4)?) {
            return Err("its databases are of another kind");
        }
        Ok(Self {
            depth: short(file, at + 6)?,
            branch_pages: word(file, at + 8)?,
            leaf_pages: word(file, at + 8 + WORD)?,
            overflow_pages: word(file, at + 8 + 2 * WORD)?,
            entries: word(file, at + 8 + 3 * WORD)?,
            root: word(file, at + 8 + 4 * WORD)?,
        })
    }
}

/// `MDB_meta`.
struct Meta {
    page_size: usize,
    free: Tree,
    main: Tree,
    last_page: usize,
    transaction: usize,
}

impl Meta {
    fn read(file: &[u8], number: usize) -> Result<Self, Damage> {
        let first = PAGE_HEADER;
        // The first meta page says how large pages are, and so where the second is.
        let size_at = first + 8 + 2 * WORD;
        let page_size = long(file, size_at)? as usize;
        if !page_size.is_power_of_two() || !(4096..=32768).contains(&page_size) {
            return Err("it is not an LMDB file");
        }
        let page = bytes(file, number * page_size..(number + 1) * page_size)?;
        if word(page, 0)? != number || short(page, WORD + 2)? != META {
            return Err("it is not an LMDB file");
        }
        if long(page, first)? != 0xBEEF_C0DE {
            return Err("it is not an LMDB file");
        }
        if long(page, first + 4)? != 1 {
            return Err("it was written by another version of LMDB");
        }
        let databases = first + 8 + 2 * WORD;
        let after = databases + 2 * DATABASE;
        let meta = Self {
            page_size: long(page, size_at)? as usize,
            free: Tree::read(page, databases, &[FREE_LIST_FLAGS, FREE_LIST_FLAGS | NO_SUB_DIR])?,
            main: Tree::read(page, databases + DATABASE, &[0])?,
            last_page: word(page, after)?,
            transaction: word(page, after + WORD)?,
        };
        // Transaction n is committed to meta page n % 2; both start at 0.
        // One so late that it would soon be followed by 0 was never reached.
        let is_late = meta.transaction > NO_PAGE / 2;
        if meta.transaction != 0 && meta.transaction % 2 != number || is_late {
            return Err("its meta pages are damaged");
        }
        Ok(meta)
    }
}

/// Visits every page that the newest snapshot refers to, each at most once.
struct Walk<'a> {
    file: &'a [u8],
    page_size: usize,
    transaction: usize,
    seen: Vec<bool>,
}

/// What a walk through one tree has counted and found.
#[derive(Default)]
struct Found<'a> {
    branch_pages: usize,
    leaf_pages: usize,
    overflow_pages: usize,
    records: Vec<Record<'a>>,
}

/// One node of a page.
struct Node<'a> {
    /// Data size of a leaf node, low bits of the page number of a branch node.
    low: u32,
    flags: u16,
    key: &'a [u8],
    /// Where its data starts on the page.
    data: usize,
}

impl<'a> Walk<'a> {
    fn tree(&mut self, tree: &Tree, kind: Kind) -> Result<Vec<Record<'a>>, Damage> {
        let mut found = Found::default();
        if tree.root == NO_PAGE {
            if tree.depth != 0 {
                return Err("a tree has depth but no root");
            }
        } else {
            if tree.depth == 0 || tree.depth > MAX_DEPTH {
                return Err("a tree has an impossible depth");
            }
            self.page(tree.root, tree.depth, kind, &mut found)?;
        }
        let sorted = found.records.windows(2).all(|pair| match pair {
            [(one, _), (two, _)] => before(one, two, kind),
            _ => true,
        });
        if !sorted {
            return Err("keys are out of order");
        }
        let counts = [found.branch_pages, found.leaf_pages, found.overflow_pages];
        if counts != [tree.branch_pages, tree.leaf_pages, tree.overflow_pages]
            || found.records.len() != tree.entries
        {
            return Err("a tree does not have as many pages or records as it says");
        }
        Ok(found.records)
    }

    /// Takes `count` pages from `number` on; none may have been taken before.
    fn take(&mut self, number: usize, count: usize) -> Result<(), Damage> {
        let end = number.checked_add(count).ok_or("a page number is out of range")?;
        if number < META_PAGES {
            return Err("a page number is out of range");
        }
        let seen = self.seen.get_mut(number..end).ok_or("a page number is out of range")?;
        if seen.contains(&true) {
            return Err("a page is used twice");
        }
        seen.fill(true);
        Ok(())
    }

    /// The bytes of `count` pages from `number` on, which must be of the kind `flags`.
    fn pages(&self, number: usize, count: usize, flags: u16) -> Result<&'a [u8], Damage> {
        let size = self.page_size;
        let page = bytes(self.file, number * size..(number + count) * size)?;
        if word(page, 0)? != number || short(page, WORD + 2)? != flags {
            return Err("a page is not what its parent says");
        }
        Ok(page)
    }

    fn page(
        &mut self,
        number: usize,
        depth: u16,
        kind: Kind,
        found: &mut Found<'a>,
    ) -> Result<(), Damage> {
        self.take(number, 1)?;
        if depth > 1 {
            found.branch_pages += 1;
            let page = self.pages(number, 1, BRANCH)?;
            return self.branch(page, depth, kind, found);
        }
        found.leaf_pages += 1;
        let page = self.pages(number, 1, LEAF)?;
        for node in self.nodes(page, LEAF)? {
            self.record(page, &node, kind, found)?;
        }
        Ok(())
    }

    fn branch(
        &mut self,
        page: &'a [u8],
        depth: u16,
        kind: Kind,
        found: &mut Found<'a>,
    ) -> Result<(), Damage> {
        let nodes = self.nodes(page, BRANCH)?;
        if nodes.len() < 2 {
            return Err("a branch page has one child");
        }
        for (index, node) in nodes.iter().enumerate() {
            let high = if WORD > 4 { u64::from(node.flags) << 32 } else { 0 };
            let child = usize::try_from(u64::from(node.low) | high).unwrap_or(NO_PAGE);
            let before_child = found.records.len();
            self.page(child, depth - 1, kind, found)?;
            // The first separator of a page is not looked at by anybody.
            if index == 0 {
                continue;
            }
            if kind == Kind::FreeList && node.key.len() != WORD {
                return Err("a branch page has a bad separator");
            }
            let below = before_child.checked_sub(1).and_then(|last| found.records.get(last));
            let above = found.records.get(before_child);
            let fits = below.is_some_and(|(key, _)| before(key, node.key, kind))
                && above.is_some_and(|(key, _)| !before(key, node.key, kind));
            if !fits {
                return Err("a branch page has a bad separator");
            }
        }
        Ok(())
    }

    /// The nodes of a page, which must fill the space between its free space and its end exactly.
    fn nodes(&self, page: &'a [u8], kind: u16) -> Result<Vec<Node<'a>>, Damage> {
        let size = self.page_size;
        let lower = usize::from(short(page, WORD + 4)?);
        let upper = usize::from(short(page, WORD + 6)?);
        if lower <= PAGE_HEADER || lower % 2 != 0 || upper % 2 != 0 || lower > upper || upper > size
        {
            return Err("a page header is damaged");
        }
        let count = (lower - PAGE_HEADER) / 2;
        let mut nodes = Vec::with_capacity(count);
        let mut extents = Vec::with_capacity(count);
        for index in 0..count {
            let at = usize::from(short(page, PAGE_HEADER + 2 * index)?);
            if at % 2 != 0 || at < upper {
                return Err("a node lies outside its page");
            }
            let (node, end) = node(page, at, kind)?;
            if kind == LEAF && end - at > node_max(size) {
                return Err("a node is too large");
            }
            extents.push((at, end.next_multiple_of(2)));
            nodes.push(node);
        }
        extents.sort_unstable();
        let mut expected = upper;
        for (at, end) in extents {
            if at != expected {
                return Err("nodes overlap");
            }
            expected = end;
        }
        if expected == size { Ok(nodes) } else { Err("a node lies outside its page") }
    }

    fn record(
        &mut self,
        page: &'a [u8],
        node: &Node<'a>,
        kind: Kind,
        found: &mut Found<'a>,
    ) -> Result<(), Damage> {
        let key_is_good = match kind {
            Kind::FreeList => node.key.len() == WORD,
            Kind::Records => (1..=511).contains(&node.key.len()),
        };
        if !key_is_good {
            return Err("a key has a bad length");
        }
        let length = node.low as usize;
        let data = match node.flags {
            0 => bytes(page, node.data..node.data + length)?,
            BIG_DATA => {
                let number = word(page, node.data)?;
                let needed = length.saturating_add(PAGE_HEADER - 1) / self.page_size + 1;
                self.take(number, 1)?;
                let head = self.pages(number, 1, OVERFLOW)?;
                // LMDB keeps the pages of a larger value that was here before.
                let count = long(head, WORD + 4)? as usize;
                if count < needed {
                    return Err("a large value is longer than its pages");
                }
                if count > 1 {
                    self.take(number + 1, count - 1)?;
                }
                found.overflow_pages += count;
                let pages = self.pages(number, count, OVERFLOW)?;
                bytes(pages, PAGE_HEADER..PAGE_HEADER + length)?
            }
            _ => return Err("a record is of a kind we never write"),
        };
        found.records.push((node.key, data));
        Ok(())
    }

    /// One record of the free list: a count, then page numbers in descending order.
    fn free_pages(&mut self, transaction: usize, list: &[u8]) -> Result<(), Damage> {
        if transaction == 0 || transaction > self.transaction {
            return Err("the free list is from the future");
        }
        let count = word(list, 0)?;
        if count >= list.len() / WORD {
            return Err("the free list is longer than its record");
        }
        let mut previous = NO_PAGE;
        for index in 1..=count {
            let number = word(list, index * WORD)?;
            if number >= previous {
                return Err("the free list is out of order");
            }
            // Free pages need not exist in the file: LMDB writes them before it reads them.
            self.take(number, 1)?;
            previous = number;
        }
        Ok(())
    }
}

/// Whether `one` sorts before `two`.
fn before(one: &[u8], two: &[u8], kind: Kind) -> bool {
    match kind {
        Kind::Records => one < two,
        Kind::FreeList => word(one, 0) < word(two, 0),
    }
}

/// `me_nodemax`: larger values go to overflow pages.
fn node_max(page_size: usize) -> usize {
    (((page_size - PAGE_HEADER) / 2) & !1) - 2
}

/// The node at `at`, and where it ends.
fn node(page: &[u8], at: usize, kind: u16) -> Result<(Node<'_>, usize), Damage> {
    let (one, two) = (u32::from(short(page, at)?), u32::from(short(page, at + 2)?));
    let low = if cfg!(target_endian = "little") { one | two << 16 } else { two | one << 16 };
    let flags = short(page, at + 4)?;
    let data = at + NODE_HEADER + usize::from(short(page, at + 6)?);
    let key = bytes(page, at + NODE_HEADER..data)?;
    let length = match (kind, flags) {
        (BRANCH, _) => 0,
        (_, BIG_DATA) => WORD,
        _ => low as usize,
    };
    let end = data.checked_add(length).ok_or("a node lies outside its page")?;
    if end > page.len() {
        return Err("a node lies outside its page");
    }
    Ok((Node { low, flags, key, data }, end))
}
