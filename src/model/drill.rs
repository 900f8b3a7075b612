//! Drills (모의훈련) as values: what makes an incident one, and how somebody asks for one.
//!
//! The idea: a drill is an incident like any other with a label that no real one has, so that it goes the whole way and
//! still stands apart everywhere. Who is told that it is one is the wording's affair, what it may touch the incident
//! stage's.

use crate::model::{Incident, Labels, Severity};
use crate::time::{HOUR, MINUTE, Ms};

/// First characters of the numbers of drills (모의훈련).
pub const DRILL_PREFIX: &str = "DRL";
/// The label that makes an incident a drill, with the value `true`.
pub const DRILL_LABEL: &str = "drill";
/// A drill that somebody starts lasts at least so long …
pub const DRILL_MIN: Ms = MINUTE;
/// … and at most so long: one that never ends is forgotten, and then taken for the real thing.
pub const DRILL_MAX: Ms = 8 * HOUR;

/// How long one lasts where nobody says.
pub const DRILL_HOLD: Ms = 30 * MINUTE;

/// What somebody asks for who starts a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillAsk {
    /// The rule that it pretends to fire.
    pub rule: String,
    /// Labels of what it pretends to be about, without `drill`.
    pub labels: Labels,
    /// At which severity.
    pub severity: Severity,
    /// How long it lasts at most, ms.
    pub hold: Ms,
    /// Contact id, or who says so.
    pub by: String,
    /// What to note in the ledger.
    pub note: String,
}

/// What an incident remembers of whoever started it as a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// Contact id, or who said so.
    pub by: String,
    /// When it ends by itself.
    pub until: Ms,
    /// What they noted.
    pub note: String,
}

impl Incident {
    /// Whether it is a drill: drills never mute or inhibit real incidents, nor the other way round.
    pub fn is_drill(&self) -> bool {
        self.id.starts_with(DRILL_PREFIX) || self.labels.get(DRILL_LABEL) == Some("true")
    }
}
