//! JSON as a flat row of nodes, and the walk over it.
//!
//! The idea: simd-json fills a tape whose memory is used again for every record; what it refuses is read once more by
//! the [lenient](super::lenient) parser, which knows numbers that no `f64` holds, so that one bad point does not cost
//! its whole record. Both give the same nodes, hence the formats have one walk.
//! Meaning is not here: a node says what was written, not whether it may be.

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape};

use crate::decode::lenient;
use crate::model::{Reject, RejectReason};

/// Deepest nesting of a record. Ours needs four levels; the rest is room for fields that we do not know.
pub(super) const DEPTH_MAX: usize = 64;

/// Longest `detail` of a reject, bytes.
const DETAIL_BYTES_MAX: usize = 200;

/// Objects up to this size are checked for repeated keys by comparing all pairs, which is quicker than sorting.
const PAIRWISE_MAX: usize = 8;

/// The parser's memory, kept between records.
pub(super) struct Scratch {
    bytes: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { bytes: Vec::new(), buffers: Buffers::with_max_depth(4_096, DEPTH_MAX), tape: Tape(Vec::new()) }
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("bytes", &self.bytes.capacity()).finish_non_exhaustive()
    }
}

impl Scratch {
    /// Parses `value` and hands its nodes to `work`. Errors: [`RejectReason::NotUtf8`], [`RejectReason::NotJson`].
    pub(super) fn parse<R>(&mut self, value: &[u8], work: impl FnOnce(&[Node<'_>]) -> R) -> Result<R, Reject> {
        self.bytes.clear();
        self.bytes.extend_from_slice(value);
        self.bytes.resize(value.len() + INPUT_PADDING, 0);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let filled = simd_json::fill_tape_padded(&mut self.bytes, value.len(), &mut self.buffers, &mut tape);
        let result = match filled {
            Ok(()) => Ok(work(&tape.0)),
            Err(_) => {
                let text = std::str::from_utf8(value)
                    .map_err(|e| reject(RejectReason::NotUtf8, "", format!("at byte {}", e.valid_up_to())));
                text.and_then(|text| lenient::parse(text, work))
            }
        };
        self.tape = tape.reset();
        result
    }
}

/// A reject whose detail is cut to what people need.
pub(super) fn reject(reason: RejectReason, place: impl Into<String>, detail: impl Into<String>) -> Reject {
    let mut detail = detail.into();
    if detail.len() > DETAIL_BYTES_MAX {
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
    }
    Reject { reason, place: place.into(), detail }
}

/// What a node is, in words for people.
pub(super) fn kind_of(node: Option<&Node<'_>>) -> &'static str {
    match node {
        None => "nothing",
        Some(Node::String(_)) => "a string",
        Some(Node::Object { .. }) => "an object",
        Some(Node::Array { .. }) => "an array",
        Some(Node::Static(StaticNode::Null)) => "null",
        Some(Node::Static(StaticNode::Bool(_))) => "a boolean",
        Some(Node::Static(_)) => "a number",
    }
}

/// How many nodes the value at a node takes, itself included.
fn span(node: &Node<'_>) -> usize {
    match node {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        _ => 1,
    }
}

/// The values of an array, or names and values of an object (one after the other), as positions on the tape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Children<'t, 'i> {
    nodes: &'t [Node<'i>],
    next: usize,
    left: usize,
}

impl Iterator for Children<'_, '_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let at = self.next;
        self.next += span(self.nodes.get(at)?);
        Some(at)
    }
}

/// The values of the array at `at`; `None` where no array is.
#[inline]
pub(super) fn items<'t, 'i>(nodes: &'t [Node<'i>], at: usize) -> Option<Children<'t, 'i>> {
    match nodes.get(at)? {
        Node::Array { len, .. } => Some(Children { nodes, next: at + 1, left: *len }),
        _ => None,
    }
}

/// Names and value positions of the object at `at`; `None` where no object is.
#[inline]
pub(super) fn members<'t, 'i>(
    nodes: &'t [Node<'i>],
    at: usize,
) -> Option<impl Iterator<Item = (&'i str, usize)> + use<'t, 'i>> {
    let Node::Object { len, .. } = nodes.get(at)? else { return None };
    let mut children = Children { nodes, next: at + 1, left: len * 2 };
    Some(std::iter::from_fn(move || {
        let name = string(nodes, children.next()?)?;
        Some((name, children.next()?))
    }))
}

/// The string at `at`.
#[inline]
pub(super) fn string<'i>(nodes: &[Node<'i>], at: usize) -> Option<&'i str> {
    match nodes.get(at)? {
        Node::String(text) => Some(text),
        _ => None,
    }
}

/// The whole number at `at`; `None` also for one written with a fraction or too large for `i64`.
#[inline]
pub(super) fn integer(nodes: &[Node<'_>], at: usize) -> Option<i64> {
    match nodes.get(at)? {
        Node::Static(StaticNode::I64(number)) => Some(*number),
        Node::Static(StaticNode::U64(number)) => i64::try_from(*number).ok(),
        _ => None,
    }
}

/// The number at `at`, which may be infinite or NaN.
#[inline]
pub(super) fn number(nodes: &[Node<'_>], at: usize) -> Option<f64> {
    // A whole number beyond 2^53 loses its last digits, as in every JSON reader that knows one kind of number.
    match nodes.get(at)? {
        Node::Static(StaticNode::F64(number)) => Some(*number),
        Node::Static(StaticNode::U64(number)) => Some(*number as f64),
        Node::Static(StaticNode::I64(number)) => Some(*number as f64),
        _ => None,
    }
}

/// A key that stands twice in one object anywhere in the record.
pub(super) fn repeated_key<'i>(nodes: &[Node<'i>]) -> Option<&'i str> {
    for (at, node) in nodes.iter().enumerate() {
        let Node::Object { len, .. } = node else { continue };
        if *len < 2 {
            continue;
        }
        let found = if *len <= PAIRWISE_MAX { repeated_among_few(nodes, at) } else { repeated_among_many(nodes, at) };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn repeated_among_few<'i>(nodes: &[Node<'i>], at: usize) -> Option<&'i str> {
    let mut seen = [""; PAIRWISE_MAX];
    for (n, (name, _)) in members(nodes, at)?.enumerate() {
        if seen.get(..n)?.contains(&name) {
            return Some(name);
        }
        *seen.get_mut(n)? = name;
    }
    None
}

fn repeated_among_many<'i>(nodes: &[Node<'i>], at: usize) -> Option<&'i str> {
    let mut names: Vec<&str> = members(nodes, at)?.map(|(name, _)| name).collect();
    names.sort_unstable();
    names.windows(2).find_map(|pair| if pair[0] == pair[1] { Some(pair[0]) } else { None })
}
