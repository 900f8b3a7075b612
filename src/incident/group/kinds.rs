//! Which incidents explain which: one table, and what is known of a rule without being told.
//!
//! The idea: an incident explains another only where the graph connects their resources *and* their kinds fit. What is
//! measured of a living resource (a full disk, a busy CPU) is explained by nothing but the end of that resource at about
//! the same time; what users feel may also be explained by what the resource needs. Whatever is in doubt stands alone:
//! one page too many is cheaper than a fault that nobody saw.
//!
//! | the other incident   | `below`             | `same`              | `users` |
//! |----------------------|---------------------|---------------------|---------|
//! | of the same resource: gone    | yes       | yes                 | no      |
//! | … a symptom                   | yes       | yes                 | yes     |
//! | … a figure                    | about then | about then         | no      |
//! | of what runs on it: gone or a symptom | yes | no                | no      |
//! | … a figure                    | about then | no                 | no      |
//! | of what needs it: a symptom   | yes       | no                  | yes     |
//! | … gone or a figure            | no        | no                  | no      |
//! | 보안, or an own trouble of the engine | no | no                  | no      |

use crate::model::{BUILTINS, Domain, Explains, Function, Incident, Rule, SOURCE_SILENT, STORM, Watch};
use crate::time::{MINUTE, Ms};

/// Nothing that began longer before an incident is explained by it.
pub(super) const EARLY: Ms = 5 * MINUTE;
/// A figure that is bad longer after its resource was found gone proves that it lives.
pub(super) const AFTERLIFE: Ms = 2 * MINUTE;

/// What an incident says of its resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It is not there, or nobody hears of it.
    Gone,
    /// Its users feel it.
    Symptom,
    /// A figure of it is bad: it lives.
    Figure,
    /// Never explained by another.
    Apart,
}

/// How the incidents of a rule hang together with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) explains: Explains,
    pub(super) effect: Effect,
    /// Alike where these labels are equal.
    pub(super) by: Vec<String>,
}

/// How the resource of one incident stands to that of another that may explain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Relation {
    /// They are one.
    Same,
    /// It runs on the other's.
    Above,
    /// It needs the other's.
    Needs,
}

impl Kind {
    /// What is known of an edited rule.
    pub(super) fn of(rule: &Rule) -> Self {
        let probe = is_probe(&rule.watch);
        let known = match &rule.watch {
            Watch::Metric { name, .. } if name == "k8s.node.condition_ready" => Explains::Below,
            _ if probe.is_some_and(|what| what == Probe::Answers) => Explains::Users,
            _ => Explains::Nothing,
        };
        let explains = rule.bonds.explains.unwrap_or(known);
        let effect = match rule.bonds.symptom.unwrap_or(probe.is_some()) {
            _ if rule.domain == Domain::Security => Effect::Apart,
            true => Effect::Symptom,
            false if explains == Explains::Below || rule.function == Function::Absent || rule.expected => Effect::Gone,
            false => Effect::Figure,
        };
        Self { explains, effect, by: rule.bonds.by.clone() }
    }

    /// What is known of a rule of the engine's own, or of one that is gone.
    pub(super) fn known(rule: &str) -> Self {
        let (explains, effect) = match rule {
            _ if rule == SOURCE_SILENT.id => (Explains::Below, Effect::Gone),
            _ if rule == STORM.id => (Explains::Nothing, Effect::Gone),
            _ if BUILTINS.iter().any(|own| own.id == rule) => (Explains::Nothing, Effect::Apart),
            _ => (Explains::Nothing, Effect::Figure),
        };
        Self { explains, effect, by: Vec::new() }
    }
}

/// Whether `cause`, of that kind, explains `other`, whose resource stands so to its own.
pub(super) fn explains((kind, cause): (&Kind, &Incident), (effect, other): (Effect, &Incident), by: Relation) -> bool {
    let in_time = other.occurred >= cause.occurred - EARLY;
    let about_then = in_time && other.occurred <= cause.detected + AFTERLIFE;
    let fits = match (effect, by) {
        (Effect::Apart, _) => false,
        (Effect::Gone | Effect::Figure, Relation::Same) => kind.explains >= Explains::Same,
        (Effect::Symptom, Relation::Same) => kind.explains >= Explains::Users,
        (Effect::Gone | Effect::Symptom | Effect::Figure, Relation::Above) => kind.explains == Explains::Below,
        (Effect::Symptom, Relation::Needs) => matches!(kind.explains, Explains::Users | Explains::Below),
        (Effect::Gone | Effect::Figure, Relation::Needs) => false,
    };
    fits && if effect == Effect::Figure { about_then } else { in_time }
}

/// What a probe sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// Whether there is an answer.
    Answers,
    /// How good it is.
    Quality,
}

/// Whether users feel what the rule watches.
fn is_probe(watch: &Watch) -> Option<Probe> {
    let of = |name: &str| match name {
        "httpcheck.status" | "tcpcheck.status" | "probe_success" => Some(Probe::Answers),
        _ => ["http.", "httpcheck.", "tcpcheck.", "probe_"]
            .iter()
            .any(|own| name.starts_with(own))
            .then_some(Probe::Quality),
    };
    match watch {
        Watch::Metric { name, .. } => of(name),
        Watch::Ratio { of: side, .. } => of(&side.name),
        Watch::Expr { text } => {
            let words = text.split(|ch: char| !ch.is_ascii_alphanumeric() && ch != '_');
            let known =
                |word: &str| ["http_", "httpcheck_", "tcpcheck_", "probe_"].iter().any(|own| word.starts_with(own));
            let mut found = words.filter(|word| known(word)).peekable();
            found.peek()?;
            let answers = found.any(|word| matches!(word, "probe_success" | "httpcheck_status" | "tcpcheck_status"));
            Some(if answers { Probe::Answers } else { Probe::Quality })
        }
        _ => None,
    }
}
