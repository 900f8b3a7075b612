//! What people ask of a loaded configuration: how much is wrong, how many rules there are, which text a problem is in.

use super::load::Loaded;
use super::problem::{Level, Problem};
use super::reach::Gap;
use crate::model::ExprStep;
use crate::time;

impl Loaded {
    /// How many problems forbid a start.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.level == Level::Error).count()
    }

    /// How many problems do not.
    pub fn warnings(&self) -> usize {
        self.problems.iter().filter(|problem| problem.level == Level::Warning).count()
    }

    /// How many rules there are, Prometheus's among them.
    pub fn rule_count(&self) -> usize {
        let steps = self.rules.groups.iter().flat_map(|group| &group.steps);
        let records = steps.filter(|step| matches!(step, ExprStep::Record { .. })).count();
        self.rules.rules.len() + records
    }

    /// The text of the file that a problem is in.
    pub fn text(&self, problem: &Problem) -> Option<&str> {
        self.files.iter().find(|file| file.path.display().to_string() == problem.file).map(|file| &*file.text)
    }
}

/// What a gap is about, and from when to when.
pub(super) fn told_of(gap: &Gap) -> String {
    let codes: Vec<&str> = gap.severities.iter().map(|severity| severity.code()).collect();
    let (from, until) = (time::rfc3339(gap.from), time::rfc3339(gap.until));
    let whose = match &gap.resources {
        None => String::new(),
        Some((1, id)) => format!(" on {id}"),
        Some((n, id)) => format!(" on {n} resources ({id}, …)"),
    };
    format!("{} {}{whose} from {from} until {until}", gap.domain.word(), codes.join(", "))
}
