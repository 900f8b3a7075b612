//! An expression as a tree: every node knows its bytes and what kind of value it gives.
//!
//! The idea: the tree is what the parser understood and nothing else: parentheses and signs stay, so that a message,
//! a caret or a lint check can point at what was written. What can be asked without evaluating (which series are read,
//! and how far back) is asked here. Types were checked before an [`Expr`] exists; see `check`.

use std::fmt;
use std::ops::Range;

use crate::evaluate::promql::aggregate::Aggregator;
use crate::evaluate::promql::functions::Function;
use crate::evaluate::promql::matcher::Matcher;
use crate::evaluate::promql::operator::Operator;
use crate::time::{MINUTE, Ms};

/// How far an instant selector looks back for a newest sample: (t − 5 m, t].
pub const LOOK_BACK: Ms = 5 * MINUTE;
/// The step of a subquery that names none.
pub const SUBQUERY_STEP: Ms = MINUTE;

/// What kind of value a node gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One number.
    Scalar,
    /// One number per series.
    Vector,
    /// Several samples per series.
    Range,
    /// A text.
    String,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Range => "range vector",
            Self::String => "string",
        })
    }
}

/// A whole expression that parses and whose types fit.
#[derive(Debug, Clone)]
pub struct Expr {
    text: Box<str>,
    root: Node,
}

/// One node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What it is.
    pub what: What,
    /// Where its value is kept among those of all expressions that are evaluated together; `None` = nowhere.
    pub(super) place: Option<Place>,
}

/// Where the value of a node is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Equal expressions have the same one.
    pub(super) id: u32,
    /// It is worth keeping for the others that ask at the same time; of a subquery: its steps may be kept.
    pub(super) shared: bool,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum What {
    /// A number; durations are seconds.
    Number(f64),
    /// A text.
    Text(String),
    /// `name{…}`, with or without a range.
    Select(Selector),
    /// `expr[over:step]`
    Subquery(Box<Subquery>),
    /// `(expr)`
    Paren(Box<Node>),
    /// `-expr` or `+expr`
    Sign(Sign),
    /// `function(args)`
    Call(Call),
    /// `sum by (…) (expr)`
    Aggregate(Box<Aggregate>),
    /// `left op right`
    Binary(Box<Binary>),
}

/// A leaf of the tree: series, and which part of them.
#[derive(Debug, Clone)]
pub struct Selector {
    /// All must hold; the metric's name is one on `__name__`.
    pub matchers: Vec<Matcher>,
    /// `[over]`; `None` is an instant selector.
    pub over: Option<Ms>,
    /// `offset` and `@`.
    pub shift: Shift,
    /// The place of its matchers among those that the storage knows beforehand.
    pub(super) set: Option<u32>,
}

/// From where a selector or a subquery looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shift {
    /// `offset`; negative looks ahead.
    pub offset: Ms,
    /// `@`; `None` is the time of the evaluation.
    pub pin: Option<Pin>,
}

/// A time that `@` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// `@ 1700000000`
    At(Ms),
    /// `@ start()`
    Start,
    /// `@ end()`
    End,
}

/// `expr[over:step]`
#[derive(Debug, Clone)]
pub struct Subquery {
    /// What is evaluated at each step.
    pub of: Node,
    /// How far back.
    pub over: Ms,
    /// The step; `None` is [`SUBQUERY_STEP`].
    pub step: Option<Ms>,
    /// `offset` and `@`.
    pub shift: Shift,
}

/// `-expr` or `+expr`
#[derive(Debug, Clone)]
pub struct Sign {
    /// `-`
    pub minus: bool,
    /// Of what.
    pub of: Box<Node>,
}

/// A call of a function.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which one.
    pub function: &'static Function,
    /// The bytes of its name.
    pub name: Range<usize>,
    /// Its arguments.
    pub args: Vec<Node>,
}

/// An aggregation over series.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Which one.
    pub with: &'static Aggregator,
    /// `by (…)` or `without (…)`.
    pub grouping: Grouping,
    /// The k of `topk`, the φ of `quantile`, the label of `count_values`.
    pub param: Option<Node>,
    /// What is aggregated.
    pub of: Node,
}

/// Which labels name a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// `without`: all labels but these and the name.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// A binary operation.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Which one.
    pub op: Operator,
    /// The bytes of the operator.
    pub at: Range<usize>,
    /// `bool`: 0 and 1 instead of a filter.
    pub gives_bool: bool,
    /// How the two sides find each other.
    pub matching: Matching,
    /// Left side.
    pub left: Node,
    /// Right side.
    pub right: Node,
}

/// How the samples of two vectors find each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matching {
    /// `on (…)`: by these labels; else by all but these and the name.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Which side may have several of a group.
    pub many: Many,
    /// Labels that `group_left` or `group_right` takes from the side of one.
    pub include: Vec<String>,
}

/// Which side of a binary operation may have several samples of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Many {
    /// None.
    #[default]
    Neither,
    /// `group_left`
    Left,
    /// `group_right`
    Right,
}

/// A selector of an expression, with what stands around it.
#[derive(Debug, Clone)]
pub struct Leaf<'a> {
    /// Its bytes.
    pub span: Range<usize>,
    /// Its matchers.
    pub matchers: &'a [Matcher],
    /// `[over]`; `None` is an instant selector, which looks back [`LOOK_BACK`].
    pub over: Option<Ms>,
    /// Its own `offset`; negative looks ahead.
    pub offset: Ms,
    /// Its own `@`.
    pub pin: Option<Pin>,
    /// Samples are needed from this long before the evaluation on: range or look-back, offset, and the subqueries
    /// around it. A time that `@` pins is counted as the evaluation's own.
    pub look_back: Ms,
}

impl Expr {
    pub(super) fn new(text: &str, root: Node) -> Self {
        Self { text: text.into(), root }
    }

    /// The text it was read from; spans are bytes of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree, to give its nodes their places.
    pub(super) fn root_mut(&mut self) -> &mut Node {
        &mut self.root
    }

    /// The tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// What kind of value it gives.
    pub fn kind(&self) -> Kind {
        self.root.kind()
    }

    /// Every selector, from left to right.
    pub fn selectors(&self) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        leaves(&self.root, 0, &mut found);
        found
    }

    /// How far before the time of an evaluation samples are needed: the longest of its selectors, 0 without one.
    pub fn look_back(&self) -> Ms {
        self.selectors().iter().map(|leaf| leaf.look_back).max().unwrap_or(0)
    }

    /// Calls `see` with every node, each before its children, from left to right.
    pub fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Node)) {
        visit(&self.root, see);
    }
}

impl Node {
    /// A node without a place.
    pub(super) fn new(span: Range<usize>, what: What) -> Self {
        Self { span, what, place: None }
    }

    /// What kind of value it gives.
    pub fn kind(&self) -> Kind {
        match &self.what {
            What::Number(_) => Kind::Scalar,
            What::Text(_) => Kind::String,
            What::Select(selector) if selector.over.is_some() => Kind::Range,
            What::Select(_) | What::Aggregate(_) => Kind::Vector,
            What::Subquery(_) => Kind::Range,
            What::Paren(inner) => inner.kind(),
            What::Sign(sign) => sign.of.kind(),
            What::Call(call) => call.function.gives,
            What::Binary(binary) => match (binary.left.kind(), binary.right.kind()) {
                (Kind::Scalar, Kind::Scalar) => Kind::Scalar,
                _ => Kind::Vector,
            },
        }
    }

    /// Its children, from left to right.
    pub fn children(&self) -> Vec<&Self> {
        match &self.what {
            What::Number(_) | What::Text(_) | What::Select(_) => Vec::new(),
            What::Subquery(subquery) => vec![&subquery.of],
            What::Paren(inner) => vec![inner],
            What::Sign(sign) => vec![&sign.of],
            What::Call(call) => call.args.iter().collect(),
            What::Aggregate(aggregate) => aggregate.param.iter().chain([&aggregate.of]).collect(),
            What::Binary(binary) => vec![&binary.left, &binary.right],
        }
    }

    /// It without the parentheses around it.
    pub fn bare(&self) -> &Self {
        match &self.what {
            What::Paren(inner) => inner.bare(),
            _ => self,
        }
    }
}

fn visit<'a>(node: &'a Node, see: &mut impl FnMut(&'a Node)) {
    see(node);
    for child in node.children() {
        visit(child, see);
    }
}

fn leaves<'a>(node: &'a Node, around: Ms, found: &mut Vec<Leaf<'a>>) {
    match &node.what {
        What::Select(selector) => {
            let over = selector.over.unwrap_or(LOOK_BACK);
            let reach = around.saturating_add(over).saturating_add(selector.shift.offset).max(0);
            found.push(Leaf {
                span: node.span.clone(),
                matchers: &selector.matchers,
                over: selector.over,
                offset: selector.shift.offset,
                pin: selector.shift.pin,
                look_back: reach,
            });
        }
        What::Subquery(subquery) => {
            let around = around.saturating_add(subquery.over).saturating_add(subquery.shift.offset);
            leaves(&subquery.of, around, found);
        }
        _ => {
            for child in node.children() {
                leaves(child, around, found);
            }
        }
    }
}
