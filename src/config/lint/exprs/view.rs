//! An expression as it was written: its tree, its rule, and where each of its bytes stands in the file.
//!
//! The idea: `expr:` of our own form and the rules of Prometheus files look alike to a check; what differs (who is told,
//! how long, under which labels) is read here once. Rules with mistakes are left out: those were told.

use std::ops::Range;
use std::rc::Rc;

use crate::config::files::{FileKind, Source};
use crate::config::problem::Mark;
use crate::config::prometheus::{self, Lines, Standing};
use crate::config::read::Obj;
use crate::config::tree::Node as Yaml;
use crate::evaluate::promql::{self, Expr, Kind, Node};
use crate::model::{Rule, Severity, Watch};
use crate::time::{MINUTE, Ms};

/// What becomes of an expression's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config::lint) enum Becomes {
    /// Signals of a rule of our own form.
    Rule,
    /// An alert of a Prometheus file.
    Alert,
    /// A recorded metric.
    Record,
}

/// An expression with its rule.
#[derive(Debug)]
pub(in crate::config::lint) struct Written<'a> {
    /// Number of its file.
    pub source: usize,
    /// Id of the rule, name of the alert or of the recorded metric.
    pub name: String,
    /// What becomes of it.
    pub becomes: Becomes,
    /// Distance of evaluations, ms.
    pub interval: Ms,
    /// Severities with their `for`, ms; none for a recording.
    pub levels: Vec<(Severity, Ms)>,
    /// Its tree.
    pub expr: Expr,
    /// Its rule's map.
    item: &'a Yaml,
    /// Its group's map; the rule's own where it has none.
    group: &'a Yaml,
    node: &'a Yaml,
    lines: Rc<Lines<'a>>,
}

impl<'a> Written<'a> {
    /// A rule of our own form, if it is an expression.
    pub(in crate::config::lint) fn of_rule(
        source: usize,
        lines: &Rc<Lines<'a>>,
        item: Obj<'a>,
        rule: &Rule,
    ) -> Option<Self> {
        let Watch::Expr { text: expr } = &rule.watch else { return None };
        let node = item.get("expr")?;
        Some(Self {
            source,
            name: rule.id.to_string(),
            becomes: Becomes::Rule,
            interval: rule.interval,
            levels: rule.levels.iter().map(|level| (level.severity, level.hold)).collect(),
            expr: promql::parse(expr).ok()?,
            item: item.node()?,
            group: item.node()?,
            node,
            lines: Rc::clone(lines),
        })
    }

    /// The rules of a Prometheus file.
    pub(in crate::config::lint) fn of_file(number: usize, source: &'a Source) -> Vec<Self> {
        if source.kind != FileKind::Prometheus {
            return Vec::new();
        }
        let lines = Rc::new(Lines::of(&source.file.text));
        let one = |Standing { group, item }: Standing<'a>| {
            let node = item.get("expr")?;
            let alert = item.text("alert").filter(|name| !name.is_empty());
            let name = alert.or_else(|| item.text("record"))?.to_owned();
            let hold = item.length("for").unwrap_or(0);
            let severity = prometheus::severity(&prometheus::labels_of(group, item));
            Some(Self {
                source: number,
                name,
                becomes: if alert.is_some() { Becomes::Alert } else { Becomes::Record },
                interval: group.length("interval").filter(|length| *length > 0).unwrap_or(MINUTE),
                levels: if alert.is_some() { vec![(severity, hold)] } else { Vec::new() },
                expr: promql::parse(node.as_text()?)
                    .ok()
                    .filter(|expr| matches!(expr.kind(), Kind::Scalar | Kind::Vector))?,
                item: item.node()?,
                group: group.node()?,
                node,
                lines: Rc::clone(&lines),
            })
        };
        prometheus::standing(&source.documents).into_iter().filter_map(one).collect()
    }

    /// Whether somebody may be told of its result.
    pub(in crate::config::lint) fn alerts(&self) -> bool {
        self.becomes != Becomes::Record
    }

    /// Where these bytes of the expression stand.
    pub(in crate::config::lint) fn at(&self, span: &Range<usize>) -> Mark {
        self.lines.inside(self.node, span)
    }

    /// Where the value under `key` of its rule stands, or the expression begins.
    pub(in crate::config::lint) fn place(&self, key: &str) -> Mark {
        self.item.get(key).map_or_else(|| self.at(&self.expr.root().span), |node| node.at)
    }

    /// The texts of its rule's map `key`, each with its name.
    pub(in crate::config::lint) fn texts(&self, key: &str) -> Vec<(&'a str, &'a Yaml)> {
        let entries = self.item.get(key).map_or(&[][..], Yaml::entries);
        entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect()
    }

    /// Where these bytes of a text beside the expression stand.
    pub(in crate::config::lint) fn inside(&self, node: &Yaml, span: &Range<usize>) -> Mark {
        self.lines.inside(node, span)
    }

    /// Where its name stands.
    pub(in crate::config::lint) fn named(&self) -> Mark {
        let keys = ["id", "alert", "record"];
        keys.iter().find_map(|key| self.item.get(key)).map_or_else(|| self.place("expr"), |node| node.at)
    }

    /// Whether the two are of one group.
    pub(in crate::config::lint) fn same_group(&self, other: &Self) -> bool {
        std::ptr::eq(self.group, other.group)
    }

    /// What was written there.
    pub(in crate::config::lint) fn piece(&self, node: &Node) -> &str {
        self.expr.text().get(node.span.clone()).unwrap_or("")
    }

    /// Every node, each before its children, from left to right.
    pub(in crate::config::lint) fn nodes(&self) -> Vec<&Node> {
        let mut all = Vec::new();
        self.expr.visit(&mut |node| all.push(node));
        all
    }
}
