//! How incidents hang together: what a rule says of it, and what an incident remembers of it.
//!
//! The idea: one incident may hang under another (`Incident::parent`), which then speaks for it. Why it does, how many do,
//! and what the evidence points at stand beside the incident in one [`Group`], so that a new leader finds them again.
//! Nothing here decides anything: see `incident::group`.

use std::sync::Arc;

use crate::model::{Domain, Severity};
use crate::time::Ms;

/// What an incident of a rule explains of other incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Explains {
    /// Nothing: a figure is too high, and that alone is no reason for anything else.
    #[default]
    Nothing,
    /// What users feel of the resource and of what needs it.
    Users,
    /// That, and whatever else is wrong with the same resource.
    Same,
    /// That, and what is wrong with everything that runs on it or needs it: the thing itself is gone.
    Below,
}

impl Explains {
    /// Every word.
    pub const WORDS: &'static [&'static str] = &["nothing", "users", "same", "below"];

    /// Reads the word of edited files.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Nothing, Self::Users, Self::Same, Self::Below].into_iter().find(|own| own.word() == word)
    }

    /// The word of edited files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Users => "users",
            Self::Same => "same",
            Self::Below => "below",
        }
    }
}

/// How the incidents of a rule hang together with others, as its file says; what is left out is known or assumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bonds {
    /// What they explain.
    pub explains: Option<Explains>,
    /// They are felt by users, so what the resource needs may explain them.
    pub symptom: Option<bool>,
    /// Incidents of the rule with equal values of these labels hang under the oldest of them; sorted.
    pub by: Vec<String>,
}

/// Why an incident hangs under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// The other explains it.
    Cause,
    /// They are alike.
    Alike,
    /// Both are part of a storm.
    Storm,
}

impl Tie {
    /// Every tie.
    pub const ALL: [Self; 3] = [Self::Cause, Self::Alike, Self::Storm];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Alike => "alike",
            Self::Storm => "storm",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tie| tie.word() == word)
    }
}

/// How many incidents hang under one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Ever, since the parent opened.
    pub total: i64,
    /// Live now, by [`Severity::index`].
    pub severities: [i64; 4],
    /// Live now, in the order of [`Domain::ALL`].
    pub domains: [i64; 4],
    /// When one came or went last.
    pub last: Option<Ms>,
}

impl Tally {
    /// How many are live.
    pub fn live(&self) -> i64 {
        self.severities.iter().sum()
    }

    /// The worst severity among those that live.
    pub fn worst(&self) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| self.severities.get(severity.index()).is_some_and(|n| *n > 0))
    }
}

/// What a likely cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuspectKind {
    /// Another incident that explains it.
    Incident,
    /// A resource that they all stand on.
    Resource,
    /// One rule found most of them.
    Rule,
}

impl SuspectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Incident, Self::Resource, Self::Rule];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Resource => "resource",
            Self::Rule => "rule",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A likely cause of several incidents, with what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// What it is.
    pub kind: SuspectKind,
    /// Number of the incident, id of the resource or of the rule: for the console, never for a message.
    pub what: String,
    /// 0 to 1000: how much speaks for it.
    pub score: i64,
    /// How many of the incidents it would explain …
    pub covers: i64,
    /// … of how many.
    pub of: i64,
    /// It began before all that it would explain.
    pub first: bool,
}

/// One live incident that says something about another's 구간.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its number.
    pub incident: String,
    /// Its rule.
    pub rule: Arc<str>,
    /// How it stands to the one that is judged: self, host, above, needs, service, beside, below.
    pub relation: String,
    /// The 구간 that it speaks for.
    pub domain: Domain,
    /// How loudly.
    pub points: i64,
}

/// Which 구간 the evidence points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triage {
    /// The 구간 with the most points.
    pub domain: Domain,
    /// Points in the order of [`Domain::ALL`].
    pub points: [i64; 4],
    /// The loudest pieces of evidence, loudest first.
    pub evidence: Vec<Evidence>,
}

/// What an incident remembers of those that it hangs together with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Why it hangs under its parent.
    pub tie: Option<Tie>,
    /// The severity that its own rule gives it, where those under it made it worse.
    pub own: Option<Severity>,
    /// Those under it.
    pub tally: Tally,
    /// What the last word about its size said, and when it was said: storms only.
    pub said: Option<(i64, Ms)>,
    /// What may be behind it and those under it, the likeliest first.
    pub suspects: Vec<Suspect>,
    /// Which 구간 the evidence points at.
    pub triage: Option<Triage>,
}
