//! Why no page leaves about an incident although it fires: maintenance, silences, inhibition, as values.
//!
//! The idea: muting never touches what an incident is. It is a reason beside it ([`Muted`]) with its beginning, its end
//! as far as that is known, and who is answerable for it. Who matches what is decided in `incident::mute`.

use crate::model::{Calendar, Incident, Matcher, Severity, Test, TimeInterval};
use crate::time::{DAY, Ms};

/// First characters of the numbers of silences.
pub const SILENCE_PREFIX: &str = "SIL";

impl Incident {
    /// Whether it may speak for `other`: what is muted says nothing to anybody, and drills speak for drills.
    pub fn speaks_to(&self, other: &Incident) -> bool {
        self.muted.is_none() && self.is_drill() == other.is_drill()
    }

    /// Whether pages about it must wait for the moment, `resolved` to those told of the beginning aside: it is held back,
    /// muted, or another incident speaks for it.
    pub const fn holds_pages(&self) -> bool {
        self.held_until.is_some() || self.muted.is_some() || self.parent.is_some()
    }
}

impl Matcher {
    /// Reads `label=value`, `label!=value`, `label=~regex` or `label!~regex`; the value may stand in double quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.find(['=', '!'])?;
        let (label, rest) = text.split_at(at);
        let test =
            [Test::Fits, Test::FitsNot, Test::IsNot, Test::Is].into_iter().find(|it| rest.starts_with(it.sign()))?;
        let value = rest.get(test.sign().len()..)?;
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | ':');
        let fits = !label.is_empty() && label.chars().all(is_name);
        fits.then(|| Self { label: label.to_owned(), test, value: bare.to_owned() })
    }
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{}", self.label, self.test.sign(), self.value)
    }
}

/// What mutes, in the order in which it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MuteKind {
    /// A maintenance window.
    Maintenance,
    /// A silence.
    Silence,
    /// Another incident that explains this one.
    Inhibition,
}

impl MuteKind {
    /// Every kind, in order.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::Silence, Self::Inhibition];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Silence => "silence",
            Self::Inhibition => "inhibition",
        }
    }

    /// Its word for people.
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Maintenance => "정기점검",
            Self::Silence => "알림중지",
            Self::Inhibition => "상위장애",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// By what an incident is muted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muted {
    /// What kind.
    pub kind: MuteKind,
    /// Id of the window or silence, or number of the incident that stands for this one.
    pub by: String,
    /// Who is answerable; empty for inhibition.
    pub who: String,
    /// Why.
    pub why: String,
    /// Since when nothing leaves.
    pub since: Ms,
    /// Until when, where that is known.
    pub until: Option<Ms>,
    /// Its severity just before; `None` where it began muted.
    pub severity: Option<Severity>,
}

/// Maintenance that is planned: once, or again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Stable id.
    pub id: String,
    /// What it mutes; all must fit.
    pub matchers: Vec<Matcher>,
    /// `[from, until)` of single windows.
    pub once: Vec<(Ms, Ms)>,
    /// Recurring times.
    pub times: Vec<TimeInterval>,
    /// Why.
    pub reason: String,
    /// Who is answerable.
    pub who: String,
}

/// One incident makes others of no news.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InhibitRule {
    /// What a live incident must fit to mute others.
    pub source: Vec<Matcher>,
    /// What it then mutes,
    pub target: Vec<Matcher>,
    /// where these labels are equal; a missing one is empty.
    pub equal: Vec<String>,
}

/// All that mutes by configuration, and the limits of silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Muting {
    /// Maintenance in file order.
    pub windows: Vec<Window>,
    /// Inhibition in file order.
    pub inhibit: Vec<InhibitRule>,
    /// Which days are off.
    pub calendar: Calendar,
    /// The longest a silence may last, ms.
    pub silence_length: Ms,
    /// A silence that would have hidden more incidents than this in 30 days needs a second approver.
    pub silence_incidents: i64,
}

impl Muting {
    /// The longest a silence may last unless configured, ms.
    pub const SILENCE_LENGTH: Ms = 7 * DAY;
    /// Incidents that a silence may hide in 30 days without a second approver, unless configured.
    pub const SILENCE_INCIDENTS: i64 = 20;
}

impl Default for Muting {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            inhibit: Vec::new(),
            calendar: Calendar::default(),
            silence_length: Self::SILENCE_LENGTH,
            silence_incidents: Self::SILENCE_INCIDENTS,
        }
    }
}

/// A silence as somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SilenceAsk {
    /// What it mutes; all must fit.
    pub matchers: Vec<Matcher>,
    /// From when on; `None`: at once.
    pub from: Option<Ms>,
    /// Until when.
    pub until: Ms,
    /// Who is answerable.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Contact who shall approve it, where one is named.
    pub approver: Option<String>,
    /// Number of the silence that it takes the place of: an edit.
    pub replaces: Option<String>,
    /// What it would have hidden.
    pub hides: Preview,
}

/// What a silence would have hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preview {
    /// Incidents.
    pub incidents: i64,
    /// Those of S1.
    pub s1: i64,
    /// Pages that had left about them.
    pub pages: i64,
    /// How many incidents were looked at.
    pub of: i64,
    /// Over how long, ms.
    pub over: Ms,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its number, `SIL-YYMM-nnn`.
    pub id: String,
    /// What it mutes; all must fit.
    pub matchers: Vec<Matcher>,
    /// From when on.
    pub from: Ms,
    /// Until when; earlier than planned where somebody ended it.
    pub until: Ms,
    /// Who is answerable.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub made: Ms,
    /// What it would have hidden.
    pub hides: Preview,
    /// Why it needs a second approver; `None`: it does not.
    pub needs: Option<String>,
    /// Who shall approve it; `None`: any contact but its owner.
    pub approver: Option<String>,
    /// Who approved it and when.
    pub approved: Option<(String, Ms)>,
    /// Who ended it before its time.
    pub expired_by: Option<String>,
    /// Number of the silence whose place it took.
    pub replaces: Option<String>,
}

/// Where a silence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    /// It waits for a second approver, and mutes nothing.
    Waiting,
    /// It has not begun.
    Pending,
    /// It mutes.
    Active,
    /// It is over.
    Expired,
}

impl SilenceState {
    /// Its word in output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where it stands at `now`.
    pub fn state(&self, now: Ms) -> SilenceState {
        if self.until <= now {
            SilenceState::Expired
        } else if self.needs.is_some() && self.approved.is_none() {
            SilenceState::Waiting
        } else if now < self.from {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }
}
