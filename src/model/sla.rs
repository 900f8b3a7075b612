//! What a service-level agreement promises, and the clocks that an incident runs under.
//!
//! The idea: [`SlaPlan`] is what the file says and may change; [`SlaClocks`] is what one incident was promised when it
//! opened (or changed severity), so its deadlines are its own fields and no reload moves them. How budgets add up is
//! `incident::sla`'s affair; nothing here computes.

use crate::model::{Matcher, Severity};
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND};

/// Parts per million: the unit of availability, so that 99.92 % is exactly 999,200.
pub const PPM: i64 = 1_000_000;

/// What is promised to some services. Arrays are indexed by [`Severity::index`]; `None` = no such promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its name: a grade, or one's own.
    pub id: String,
    /// Which incidents it is for: labels, those joined from the inventory, and `kind`, `domain`, `rule`.
    pub matchers: Vec<Matcher>,
    /// Availability of a calendar month, ppm.
    pub availability: i64,
    /// From the detection to the first accepted page, ms.
    pub notify: [Option<Ms>; 4],
    /// From the first accepted page to the first ack, ms.
    pub ack: [Option<Ms>; 4],
    /// From the occurrence to the recovery, ms.
    pub recover: [Option<Ms>; 4],
    /// Which severities are warned of.
    pub warns: [bool; 4],
}

/// Grades of the SLA standard for public information systems of 2025-08-28 (행안부): name, availability in ppm, longest
/// time to recover.
pub const GRADES: [(&str, i64, Ms); 2] = [("1등급", 999_200, 2 * HOUR), ("2등급", 999_000, 3 * HOUR)];

impl Terms {
    /// The terms of a grade: times to notify and to ack by severity are this product's defaults, the rest the
    /// standard's. The time to recover holds for what people feel: S1 and S2.
    pub fn grade((id, availability, recover): (&str, i64, Ms)) -> Self {
        Self {
            id: id.to_owned(),
            matchers: Vec::new(),
            availability,
            notify: [Some(60 * SECOND), Some(5 * MINUTE), Some(30 * MINUTE), None],
            ack: [Some(5 * MINUTE), Some(10 * MINUTE), Some(30 * MINUTE), None],
            recover: [Some(recover), Some(recover), None, None],
            warns: [true, true, false, false],
        }
    }

    /// The budget of a month of `length` ms: how long a service may be down in it.
    pub const fn budget(&self, length: Ms) -> Ms {
        length * (PPM - self.availability) / PPM
    }

    /// Within which time of the detection somebody must have been told of `severity`.
    pub const fn notify_within(&self, severity: Severity) -> Option<Ms> {
        self.notify[severity.index()]
    }
}

/// When customers must be told of an outage by law (클라우드컴퓨팅법 시행령 제16조): after [`Outage::continuous`], or at
/// the second outage within [`Outage::within`] that makes [`Outage::repeated`] in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// The chain whose people have to do it; `None` = the one that fits like any other.
    pub chain: Option<String>,
    /// One outage of this length, ms.
    pub continuous: Ms,
    /// Several of this length together, ms.
    pub repeated: Ms,
    /// Within this time, ms.
    pub within: Ms,
}

/// Everything that the file says about service levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaPlan {
    /// Terms in file order: the first that fits counts.
    pub terms: Vec<Terms>,
    /// Where none fits.
    pub rest: Terms,
    /// A shorter outage does not count against a month, ms: 5:00 counts, 4:59 does not.
    pub counts_from: Ms,
    /// When customers must be told.
    pub outage: Outage,
}

impl Default for SlaPlan {
    fn default() -> Self {
        Self {
            terms: Vec::new(),
            rest: Terms::grade(GRADES[0]),
            counts_from: 5 * MINUTE,
            outage: Outage { chain: None, continuous: 10 * MINUTE, repeated: 15 * MINUTE, within: DAY },
        }
    }
}

/// One of the clocks beside notify-within.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlaClock {
    /// Told, and nobody took it.
    Ack,
    /// Not recovered.
    Recover,
    /// The service's budget of the month.
    Month,
}

impl SlaClock {
    /// Every clock.
    pub const ALL: [Self; 3] = [Self::Ack, Self::Recover, Self::Month];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Recover => "recover",
            Self::Month => "month",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|clock| clock.word() == word)
    }
}

/// The clocks of one incident's present occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlaClocks {
    /// Id of its [`Terms`].
    pub terms: String,
    /// Whose month it burns: the service, or the resource where it is of none; `None` = no contract covers it.
    pub service: Option<String>,
    /// When this occurrence began: recovery is counted from here.
    pub from: Ms,
    /// From the first accepted page somebody has so long to take it, ms.
    pub ack_within: Option<Ms>,
    /// By when somebody must have taken it; `None` before the first accepted page, and once somebody has.
    pub ack_by: Option<Ms>,
    /// What was left of that time when another incident began to speak for it, ms: the clock stands meanwhile.
    pub ack_left: Option<Ms>,
    /// When somebody took it first.
    pub acked: Option<Ms>,
    /// By when it must be over.
    pub recover_by: Option<Ms>,
    /// Since when its service counts as down because of it.
    pub down_since: Option<Ms>,
    /// Whether its severity is warned of.
    pub warns: bool,
    /// The highest share of a clock that was warned of, per cent; 0 = none.
    pub warned: i64,
    /// The clock of that warning and when it runs out.
    pub tight: Option<(SlaClock, Ms)>,
    /// Clocks that ran out.
    pub missed: Vec<SlaClock>,
}
