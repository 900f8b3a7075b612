//! The parts of a rule: what each of its conditions looks at, and how their values become one verdict.
//!
//! The idea: a plain rule has one part, a ratio two, a rule with `all` or `any` one for each condition. A part folds the
//! series of an identity into one number; here those numbers are put together. With conditions, a severity holds where
//! all (or any) of them do, and is undecided while one that would decide it has no value: then the tick has none, and the
//! last verdict stands. Windows and clocks are not known here.

use regex::Regex;

use crate::evaluate::explain;
use crate::evaluate::panes::edge;
use crate::evaluate::ring::Span;
use crate::evaluate::terms::Terms;
use crate::evaluate::window::Memo;
use crate::model::{
    Bound, Checks, Comparison, Condition, Facts, Fold, Function, Join, Labels, Rule, Selector, Threshold, Watch,
    pattern_or_nothing,
};
use crate::time::Ms;

/// More conditions than this no rule has.
pub(super) const PARTS_MAX: usize = 8;

/// One part of a rule.
#[derive(Debug)]
pub(super) struct Part {
    /// Name of its series.
    pub(super) name: String,
    /// The window function.
    pub(super) function: Function,
    /// What is known of it.
    pub(super) facts: &'static Facts,
    /// The window's length.
    pub(super) over: Ms,
    /// The length of its panes.
    pub(super) step: Option<Ms>,
    /// How series become one number.
    pub(super) fold: Fold,
    /// It has a value in an empty window, as long as the source speaks.
    pub(super) empty: bool,
    /// It counts log lines.
    pub(super) lines: bool,
    /// Its windows are in panes, or remembered from visit to visit where they are long.
    pub(super) memo: bool,
    when: Comparison,
    /// The threshold of each severity, where they are not the rule's.
    thresholds: [Option<Threshold>; 4],
    checks: Checks,
    pattern: Option<Regex>,
}

/// How the parts of a rule become one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum How {
    /// There is one.
    One,
    /// The first by the second, where that is at least so much.
    Ratio(f64),
    /// Conditions.
    Conditions(Join),
}

/// What the parts of a rule say together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Said {
    /// The value to show; `None` = no value.
    pub(super) value: Option<f64>,
    /// The severities that hold, a bit each.
    pub(super) bad: u8,
    /// The recover condition holds.
    pub(super) good: bool,
    /// The denominator of a ratio was too small.
    pub(super) thin: bool,
}

impl Part {
    /// The parts of a rule, and how they become one.
    pub(super) fn all(rule: &Rule) -> (Vec<Self>, How) {
        let own = |name: String, checks, pattern, lines| {
            let windows = (rule.function, rule.over, rule.step);
            Self::new(name, windows, (rule.across, rule.when), (checks, pattern, lines))
        };
        match &rule.watch {
            Watch::Metric { name, matchers } => {
                let first = own(name.clone(), Checks::of(matchers), None, false);
                let also = rule.also.iter().map(Self::of_condition);
                let parts: Vec<Self> = std::iter::once(first).chain(also).take(PARTS_MAX).collect();
                let how = if parts.len() > 1 { How::Conditions(rule.join) } else { How::One };
                (parts, how)
            }
            Watch::Log { matchers, pattern } => {
                let pattern = pattern.as_deref().map(pattern_or_nothing);
                (vec![own(format!("log:{}", rule.id), Checks::of(matchers), pattern, true)], How::One)
            }
            // Evaluated as a whole, elsewhere.
            Watch::Expr { .. } => (Vec::new(), How::One),
            Watch::Ratio { of, to, min } => {
                let part = |of: &Selector| own(of.name.clone(), Checks::of(&of.matchers), None, false);
                (vec![part(of), part(to)], How::Ratio(*min))
            }
        }
    }

    fn of_condition(condition: &Condition) -> Self {
        let Condition { what, function, over, step, across, when, thresholds } = condition;
        let checks = Checks::of(&what.matchers);
        let part = Self::new(what.name.clone(), (*function, *over, *step), (*across, *when), (checks, None, false));
        Self { thresholds: *thresholds, ..part }
    }

    fn new(
        name: String,
        (function, over, step): (Function, Ms, Option<Ms>),
        (across, when): (Option<Fold>, Comparison),
        (checks, pattern, lines): (Checks, Option<Regex>, bool),
    ) -> Self {
        Self {
            name,
            function,
            facts: function.facts(),
            over,
            step,
            fold: explain::fold(across, function, when),
            empty: lines || matches!(function, Function::Count | Function::Absent),
            lines,
            memo: step.is_some() || (!lines && Memo::of(function, over, usize::MAX).is_some()),
            when,
            thresholds: [None; 4],
            checks,
            pattern,
        }
    }

    /// Whether something is remembered of its windows; `restless`: every sample is looked at.
    pub(super) fn remembers(&self, restless: bool) -> bool {
        self.memo && (restless || self.step.is_some() || !Memo::is_dear(self.function))
    }

    /// Whether a series with these labels belongs to it.
    pub(super) fn fits(&self, labels: &Labels) -> bool {
        self.checks.fit(labels)
    }

    /// Whether a line counts.
    pub(super) fn counts(&self, text: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    /// Its window that ends at `at`.
    pub(super) fn span(&self, at: Ms, interval: Ms) -> Span {
        let over = self.step.map_or(self.over, |step| at - edge(at, self.over, step));
        Span { at, over, interval }
    }

    /// Whether something is known of its value before it is computed.
    pub(super) fn is_bounded(&self) -> bool {
        self.facts.bound != Bound::Free && !self.lines && self.step.is_none()
    }

    /// What it is of nothing; `None` where nothing says nothing.
    pub(super) fn of_nothing(&self) -> Option<f64> {
        match self.function {
            Function::Absent => Some(1.0),
            _ if self.empty => Some(0.0),
            _ => None,
        }
    }
}

impl How {
    /// Puts the values of the parts together under `terms`.
    pub(super) fn say(self, parts: &[Part], terms: &Terms, values: &[Option<f64>; PARTS_MAX]) -> Said {
        let Some(first) = parts.first() else { return Said::default() };
        let mut said = Said::default();
        said.value = match self {
            Self::One => values[0],
            Self::Ratio(min) => {
                let to = values[1];
                said.thin = to.is_some_and(|to| !(to > 0.0 && to >= min));
                // Where nothing fits the numerator, nothing of what there is does.
                let none =
                    matches!(first.function, Function::Count | Function::Sum | Function::Rate | Function::Increase);
                let of = values[0].or(none.then_some(0.0));
                to.filter(|_| !said.thin).zip(of).map(|(to, of)| of / to)
            }
            Self::Conditions(join) => return conditions(join, parts, terms, values),
        };
        let Some(value) = said.value else { return said };
        for level in &terms.levels {
            said.bad |= u8::from(first.when.holds(value, level.threshold)) << level.severity.index();
        }
        let threshold = terms.recover.threshold.or(terms.levels.last().map(|level| level.threshold));
        said.good = threshold.is_none_or(|threshold| !first.when.holds(value, threshold));
        said
    }
}

fn conditions(join: Join, parts: &[Part], terms: &Terms, values: &[Option<f64>; PARTS_MAX]) -> Said {
    let mut said = Said { good: true, ..Said::default() };
    for level in &terms.levels {
        let place = level.severity.index();
        let mut holds = parts.iter().zip(values).enumerate().map(|(n, (part, value))| {
            let threshold = if n == 0 { Some(level.threshold) } else { part.thresholds[place] };
            value.map(|value| threshold.is_some_and(|threshold| part.when.holds(value, threshold)))
        });
        let decided = join == Join::Any;
        let verdict = holds.try_fold(Some(!decided), |known, holds| match holds {
            Some(holds) if holds == decided => Err(holds),
            Some(_) => Ok(known),
            None => Ok(None),
        });
        match verdict {
            Ok(None) => return Said::default(),
            Ok(Some(holds)) | Err(holds) => {
                said.bad |= u8::from(holds) << place;
                // Levels go from the worst to the mildest: the last one says whether it is good again.
                said.good = !holds;
            }
        }
    }
    said.value = values.iter().take(parts.len()).flatten().next().copied();
    said
}
