//! What should have been done and was not: found in the rows by somebody who has no part in doing it.

use crate::model::{ChainRow, Incident, IncidentState};
use crate::time::Ms;

/// What kind of thing waits too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OverdueKind {
    /// A step of an incident's chain.
    Chain,
    /// The end of an ack, or of a hold.
    Incident,
    /// An outbox row that nobody took.
    Page,
    /// An input that the leader did not take.
    Input,
}

impl OverdueKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Chain, Self::Incident, Self::Page, Self::Input];

    /// Its word in rows, metrics and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Incident => "incident",
            Self::Page => "page",
            Self::Input => "input",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One thing that waits too long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Overdue {
    /// What kind.
    pub kind: OverdueKind,
    /// Number of the incident, id of the page, or row of the input.
    pub id: String,
    /// When it was due, wall time.
    pub due: Ms,
}

impl Overdue {
    /// What of an incident and its chain was due at `before` or earlier.
    pub fn of(incident: &Incident, chain: Option<&ChainRow>, before: Ms) -> Vec<Self> {
        let is_open = incident.state == IncidentState::Open && !incident.holds_pages();
        let step = chain.and_then(|row| row.due).filter(|_| is_open);
        let ack = incident.ack.as_ref().filter(|_| incident.state == IncidentState::Acked).map(|ack| ack.until);
        let held = incident.held_until.filter(|_| incident.state.is_live());
        let found = [(OverdueKind::Chain, step), (OverdueKind::Incident, ack), (OverdueKind::Incident, held)];
        let late = found.into_iter().filter_map(|(kind, due)| Some((kind, due.filter(|due| *due <= before)?)));
        late.map(|(kind, due)| Self { kind, id: incident.id.clone(), due }).collect()
    }
}
