//! An edited file as a tree in which every key and value knows its place.
//!
//! The idea: YAML is parsed once, from parser events, into [`Node`]s; scalars stay text, because only the reader of a
//! key knows whether `010` is a number, and duplicate keys are found here, because a map would hide them.
//! The work is bounded whatever the file holds: nesting by [`DEPTH_MAX`], nodes (aliases expanded) by [`NODES_MAX`],
//! length by [`BYTES_MAX`]; the stack is a `Vec`, never the thread's.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::problem::{Mark, Notes};

/// Longest edited file: the largest rule file known in the field is a tenth of it.
pub(super) const BYTES_MAX: usize = 4 << 20;
/// Nodes of one file, aliases expanded: a file of the longest length without aliases has fewer that mean anything.
const NODES_MAX: usize = 500_000;
/// Nesting: the deepest file shape needs eight.
const DEPTH_MAX: usize = 32;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// Nothing was written, or `~` or `null`.
    Null,
    /// Text, and how it was written.
    Scalar {
        /// The text, escapes undone.
        text: String,
        /// How it was written.
        style: Style,
    },
    /// A list.
    List(Vec<Node>),
    /// A map in file order, keys unique.
    Map(Vec<Entry>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: may be meant as a number or a truth value.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|` or `>`
    Block,
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is.
    pub at: Mark,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A node of text that no file holds (an environment variable).
    pub(super) fn text(at: Mark, text: &str) -> Self {
        Self { at, data: Data::Scalar { text: text.to_owned(), style: Style::Plain } }
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self) -> &[Node] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The value of `key` in a map.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The text of a scalar.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The place of the `n`th character (from 0) of a scalar's text: for a mistake inside a pattern.
    pub(super) fn inside(&self, n: usize) -> Mark {
        let Data::Scalar { text, style } = &self.data else { return self.at };
        let doubled = |c: char| text.chars().take(n).filter(|d| *d == c).count();
        // What was written twice, or with a backslash, takes one more column than it has characters.
        let shift = match style {
            Style::Plain => 0,
            Style::Single => 1 + doubled('\''),
            Style::Double => 1 + doubled('\\') + doubled('"'),
            Style::Block => return self.at,
        };
        if self.at.line == 0 { self.at } else { Mark::new(self.at.line, self.at.col + shift + n, 1) }
    }

    /// What people would call it.
    pub(super) fn describe(&self) -> String {
        match &self.data {
            Data::Null => "nothing".to_owned(),
            Data::Scalar { text, .. } => format!("`{}`", shorten(text)),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }

    /// Gives every node below, itself included, the place `at`.
    pub(super) fn replant(&mut self, at: Mark) {
        self.at = at;
        match &mut self.data {
            Data::List(items) => items.iter_mut().for_each(|item| item.replant(at)),
            Data::Map(entries) => {
                for entry in entries {
                    entry.at = at;
                    entry.value.replant(at);
                }
            }
            Data::Null | Data::Scalar { .. } => {}
        }
    }

    fn count(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Self::count).sum(),
            Data::Map(entries) => entries.iter().map(|entry| 1 + entry.value.count()).sum::<usize>(),
            Data::Null | Data::Scalar { .. } => 0,
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.data {
            Data::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Data::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
            Data::Null | Data::Scalar { .. } => 0,
        }
    }
}

/// At most 40 characters of `text`, for messages.
pub(super) fn shorten(text: &str) -> String {
    const CHARS: usize = 40;
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one_line.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

/// Bytes as text, or a problem that points at the first byte that is not UTF-8.
pub(super) fn decode<'a>(bytes: &'a [u8], notes: &mut Notes) -> Option<&'a str> {
    if bytes.len() > BYTES_MAX {
        let message = format!("the file is {} bytes long, more than {BYTES_MAX}", bytes.len());
        notes.error("file-too-large", Mark::new(1, 1, 0), message, "split it into several files");
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(wrong) => {
            let before = String::from_utf8_lossy(bytes.get(..wrong.valid_up_to()).unwrap_or(&[]));
            let line = before.matches('\n').count() + 1;
            let col = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
            let help = "save it as UTF-8; an editor on Windows may have used EUC-KR (CP949)";
            notes.error("not-utf8", Mark::new(line, col, 1), "the file is not UTF-8 from here on", help);
            None
        }
    }
}

/// Parses `text`, one document. `None` where it is not YAML that we take; an empty file is [`Data::Null`].
pub(super) fn parse(text: &str, notes: &mut Notes) -> Option<Node> {
    single(documents(text, notes)?, notes)
}

/// The documents of a file.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// Their trees.
    pub roots: Vec<Node>,
    /// Where the second one begins.
    pub second: Option<Mark>,
}

/// The only one of `documents`; a second one is a problem.
pub(super) fn single(documents: Documents, notes: &mut Notes) -> Option<Node> {
    if let Some(second) = documents.second {
        let help = "put what stands behind `---` into a file of its own";
        notes.error("yaml-documents", second, "only the first document of a file is read", help);
        return None;
    }
    Some(documents.roots.into_iter().next().unwrap_or(Node { at: Mark::new(1, 1, 0), data: Data::Null }))
}

/// Parses every document of `text`. `None` where it is not YAML that we take.
pub(super) fn documents(text: &str, notes: &mut Notes) -> Option<Documents> {
    let mut parser = Parser::new_from_str(text);
    let mut grower = Grower::default();
    while let Some(next) = parser.next_event() {
        match next {
            Ok((event, span)) => {
                grower.event(event, span, notes)?;
            }
            Err(wrong) => {
                let at = Mark::new(wrong.marker().line(), wrong.marker().col() + 1, 1);
                let (at, help) = diagnose(text, at);
                notes.error("yaml-syntax", at, format!("not YAML: {}", wrong.info()), help);
                return None;
            }
        }
    }
    Some(grower.documents)
}

/// Where a syntax error really is, and what to do: the mistakes behind most of them, recognised in the lines at hand.
fn diagnose(text: &str, at: Mark) -> (Mark, String) {
    let near = text.lines().enumerate().skip(at.line.saturating_sub(2)).take(3);
    for (n, line) in near {
        // A tab makes the parser read on, and complain about a line that is right.
        let indent = line.chars().take_while(|c| c.is_whitespace());
        if let Some(tab) = indent.into_iter().position(|c| c == '\t').filter(|_| !line.trim().is_empty()) {
            return (Mark::new(n + 1, tab + 1, 1), "YAML does not take tabs for indentation: use spaces".to_owned());
        }
    }
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
    if line.matches('"').count() % 2 == 1 || line.matches('\'').count() % 2 == 1 {
        return (at, "a quotation mark seems to be missing on this line".to_owned());
    }
    let help = "look at this line and the one above: indentation, a missing `:`, or a text with `: ` or ` #` that \
        needs quotes";
    (at, help.to_owned())
}

/// The key that takes entries of other maps over.
const MERGE: &str = "<<";

/// An open list or map.
#[derive(Debug)]
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Mark)>,
    /// The key at hand was refused: its value is read and dropped.
    skip: bool,
    seen: BTreeMap<String, Mark>,
}

/// Builds the tree from events.
#[derive(Debug, Default)]
struct Grower {
    stack: Vec<Open>,
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
    documents: Documents,
    started: usize,
}

impl Grower {
    /// `None` = give up.
    fn event(&mut self, event: Event<'_>, span: Span, notes: &mut Notes) -> Option<()> {
        let at = place(span);
        match event {
            Event::DocumentStart(_) => {
                // Names of one document mean nothing in the next.
                self.anchors.clear();
                self.started += 1;
                self.documents.second = self.documents.second.or((self.started == 2).then_some(at));
            }
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain if tag.is_none() => Style::Plain,
                    // `!!str 5` is quoted in another way.
                    ScalarStyle::Plain | ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                self.tag(tag.as_deref(), at, notes);
                let data = match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if style == Style::Plain => Data::Null,
                    _ => Data::Scalar { text: text.into_owned(), style },
                };
                self.put(Node { at, data }, anchor, notes)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), at, notes);
                self.open(Node { at, data: Data::List(Vec::new()) }, anchor, notes)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), at, notes);
                self.open(Node { at, data: Data::Map(Vec::new()) }, anchor, notes)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.stack.pop() {
                    merge(&mut open.node, notes);
                    self.put(open.node, open.anchor, notes)?;
                }
            }
            Event::Alias(anchor) => {
                // An alias inside its own anchor has nothing to stand for yet.
                let (node, size) = self.anchors.get(&anchor).cloned().unwrap_or((Node { at, data: Data::Null }, 1));
                if self.stack.len() + node.depth() > DEPTH_MAX {
                    return too_deep(at, notes);
                }
                self.spend(size, at, notes)?;
                self.put(node, 0, notes)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn tag(&mut self, tag: Option<&Tag>, at: Mark, notes: &mut Notes) {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema()) {
            notes.error("yaml-tag", at, "YAML tags (`!…`) mean nothing here", "remove it, or put the text into quotes");
        }
    }

    fn spend(&mut self, nodes: usize, at: Mark, notes: &mut Notes) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} values, aliases (`*name`) counted as often as they are used");
            notes.error("yaml-budget", at, message, "write out what the aliases stand for, or split the file");
            return None;
        }
        Some(())
    }

    fn open(&mut self, node: Node, anchor: usize, notes: &mut Notes) -> Option<()> {
        if self.stack.len() >= DEPTH_MAX {
            return too_deep(node.at, notes);
        }
        if self.stack.last().is_some_and(|open| matches!(open.node.data, Data::Map(_)) && open.key.is_none()) {
            notes.error("yaml-key", node.at, "a key must be text, not a list or a map", "put the key into quotes");
            return None;
        }
        self.stack.push(Open { node, anchor, key: None, skip: false, seen: BTreeMap::new() });
        Some(())
    }

    fn put(&mut self, node: Node, anchor: usize, notes: &mut Notes) -> Option<()> {
        self.spend(1, node.at, notes)?;
        if anchor > 0 {
            let size = node.count();
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.stack.last_mut() else {
            self.documents.roots.push(node);
            return Some(());
        };
        match &mut open.node.data {
            Data::List(items) => items.push(node),
            Data::Map(entries) => match open.key.take() {
                None => Self::key(open, node, notes),
                Some(_) if open.skip => open.skip = false,
                Some((key, at)) => entries.push(Entry { key, at, value: settle(node, at) }),
            },
            Data::Null | Data::Scalar { .. } => {}
        }
        Some(())
    }

    fn key(open: &mut Open, node: Node, notes: &mut Notes) {
        let text = match node.data {
            Data::Scalar { text, .. } => text,
            _ => {
                notes.error("yaml-key", node.at, "a key must be text", "write the key before the `:`");
                String::new()
            }
        };
        if let Some(first) = open.seen.get(&text) {
            let message = format!("key `{}` stands twice in one map, first on line {}", shorten(&text), first.line);
            notes.error("duplicate-key", node.at, message, "keep one of the two");
            open.skip = true;
        } else if text.is_empty() {
            open.skip = true;
        } else {
            open.seen.insert(text.clone(), node.at);
        }
        open.key = Some((text, node.at));
    }
}

/// Puts the entries of the maps behind `<<` where the map has none of its own; the first of several maps wins.
fn merge(node: &mut Node, notes: &mut Notes) {
    let Data::Map(entries) = &mut node.data else { return };
    let Some(n) = entries.iter().position(|entry| entry.key == MERGE) else { return };
    let from = entries.remove(n);
    let maps = match from.value.data {
        Data::List(maps) => maps,
        data => vec![Node { at: from.value.at, data }],
    };
    for map in maps {
        let Data::Map(more) = map.data else {
            let message = format!("`<<` takes a map, not {}", map.describe());
            notes.error("yaml-merge", from.at, message, "name an anchor of a map: <<: *name");
            continue;
        };
        for entry in more {
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
    }
}

/// A value that was not written is reported at its key: there is nothing else to point at.
fn settle(mut node: Node, key: Mark) -> Node {
    if node.data == Data::Null && node.at.len == 0 {
        node.at = key;
    }
    node
}

fn too_deep(at: Mark, notes: &mut Notes) -> Option<()> {
    notes.error("yaml-depth", at, format!("nested deeper than {DEPTH_MAX}"), "no file of ours needs that: flatten it");
    None
}

fn place(span: Span) -> Mark {
    let (from, to) = (span.start, span.end);
    let len = if from.line() == to.line() { to.col().saturating_sub(from.col()) } else { 1 };
    Mark::new(from.line(), from.col() + 1, len)
}

#[cfg(test)]
mod tests;
