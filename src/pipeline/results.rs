//! What a replay amounts to, rule by rule and person by person: episodes, minutes, flaps, pages, nights, misses.
//!
//! The idea: it listens to the same happenings that are printed and keeps only the spans: an *episode* is one instance
//! from firing to resolved, an incident from its opening to its end, a page at the instant at which it leaves. Every
//! figure is a fold over these three lists, so `--against`, `--sweep` and `--truth` work on the same values.
//! It decides nothing and prints nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{Fingerprint, IncidentState, Labels, Reason, Severity, Signal, State};
use crate::pipeline::backtest::{Backtest, Happening};
use crate::time::{DAY, HOUR, KST, MINUTE, Ms};

/// An instance that fires again within so long after its end flaps: as long as an incident may be reopened.
pub const FLAP: Ms = 30 * MINUTE;
/// Civil hours between which a page wakes people: from 22:00 to 07:00 KST.
const NIGHT: (Ms, Ms) = (22 * HOUR, 7 * HOUR);

/// One instance from firing to resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// First tick of the pending that led here.
    pub occurred: Ms,
    /// When it fired.
    pub fired: Ms,
    /// When it was over; `None`: not yet at the end of the input.
    pub ended: Option<Ms>,
    /// The worst severity that it had.
    pub severity: Option<Severity>,
    /// It fired again within [`FLAP`] of its last end.
    pub flap: bool,
}

/// One incident from opening to end.
#[derive(Debug, Clone, PartialEq)]
pub struct Affair {
    /// Its number.
    pub id: String,
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// When it opened.
    pub opened: Ms,
    /// When it was over for the last time; `None`: not yet.
    pub ended: Option<Ms>,
    /// The worst severity that it had.
    pub severity: Severity,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The rule of its incident; empty for a digest of several.
    pub rule: Arc<str>,
    /// The identity of its incident.
    pub labels: Labels,
    /// Contact id.
    pub to: String,
    /// When it leaves.
    pub at: Ms,
    /// Why.
    pub reason: Reason,
}

/// What a run amounts to.
#[derive(Debug, Clone, Default)]
pub struct Results {
    from: Option<Ms>,
    /// Episodes, in the order in which they fired.
    pub episodes: Vec<Episode>,
    /// Incidents, by number.
    pub affairs: BTreeMap<String, Affair>,
    /// Pages, in the order in which they were decided.
    pub pages: Vec<Told>,
    /// Numbers of incidents of which nobody was told in time.
    pub overdue: Vec<String>,
    /// First and last instant of the input.
    pub span: (Ms, Ms),
    going: HashMap<Fingerprint, usize>,
    over: HashMap<Fingerprint, Ms>,
}

/// The figures of one rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleFigures {
    /// How often it fired.
    pub episodes: usize,
    /// Incidents that it opened.
    pub incidents: usize,
    /// Time of firing over all identities, ms.
    pub firing: Ms,
    /// Episodes that came within [`FLAP`] of the one before.
    pub flaps: usize,
    /// From the first pending tick to firing, ms, sorted.
    pub to_fire: Vec<Ms>,
    /// Pages.
    pub pages: usize,
    /// Pages at night.
    pub night: usize,
    /// Openings of which nobody was told within the SLA.
    pub misses: usize,
}

/// The figures of one person.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PersonFigures {
    /// Pages.
    pub pages: usize,
    /// Pages between 22:00 and 07:00.
    pub night: usize,
    /// Nights with at least one page.
    pub nights: usize,
    /// Pages by rule.
    pub by_rule: BTreeMap<Arc<str>, usize>,
}

impl Results {
    /// Nothing yet; what happens before `from` does not count.
    pub fn since(from: Option<Ms>) -> Self {
        Self { from, ..Self::default() }
    }

    /// Takes what happened, in order.
    pub fn take(&mut self, happened: &[Happening]) {
        for happening in happened {
            if self.from.is_some_and(|from| happening.at() < from) {
                continue;
            }
            match happening {
                Happening::Signal(_, signal) => self.signal(signal),
                Happening::Incident(at, incident) => {
                    let over = matches!(incident.state, IncidentState::Resolved | IncidentState::Closed);
                    let affair = self.affairs.entry(incident.id.clone()).or_insert_with(|| Affair {
                        id: incident.id.clone(),
                        rule: Arc::clone(&incident.rule),
                        labels: incident.labels.clone(),
                        opened: *at,
                        ended: None,
                        severity: incident.severity,
                    });
                    affair.severity = affair.severity.min(incident.severity);
                    affair.ended = if over { affair.ended.or(Some(*at)) } else { None };
                }
                Happening::Page(_, page) => {
                    let of = self.affairs.get(&page.incident);
                    self.pages.push(Told {
                        rule: of.map_or_else(|| Arc::from(""), |affair| Arc::clone(&affair.rule)),
                        labels: of.map_or_else(Labels::default, |affair| affair.labels.clone()),
                        to: page.to.clone(),
                        at: page.due.max(page.decided),
                        reason: page.reason,
                    });
                }
            }
        }
    }

    fn signal(&mut self, signal: &Signal) {
        let of = signal.fingerprint;
        let active = signal.to.is_active();
        if let Some(episode) = self.going.get(&of).and_then(|n| self.episodes.get_mut(*n)) {
            episode.severity = [episode.severity, signal.severity].into_iter().flatten().min();
            if !active {
                episode.ended = Some(signal.at);
                self.over.insert(of, signal.at);
                self.going.remove(&of);
            }
        } else if active && signal.from != State::Recovering {
            let flap = self.over.get(&of).is_some_and(|ended| signal.at - ended <= FLAP);
            self.going.insert(of, self.episodes.len());
            self.episodes.push(Episode {
                rule: Arc::clone(&signal.rule),
                labels: signal.labels.clone(),
                occurred: signal.since.unwrap_or(signal.at).min(signal.at),
                fired: signal.at,
                ended: None,
                severity: signal.severity,
                flap,
            });
        }
    }

    /// The run is over: `span` is the first and last instant of its input.
    pub fn finish(&mut self, run: &Backtest, span: (Ms, Ms)) {
        self.span = (self.from.map_or(span.0, |from| from.max(span.0)), span.1);
        let counts = |at: &Ms| self.from.is_none_or(|from| *at >= from);
        self.overdue = run.overdue().iter().filter(|(at, _)| counts(at)).map(|(_, id)| id.clone()).collect();
    }

    /// How many of `n` come in a week; `None` of less than a day of input, which tells nothing of weeks.
    #[expect(clippy::cast_precision_loss, reason = "counts, and lengths of time far below 2^52 ms")]
    pub fn per_week(&self, n: usize) -> Option<f64> {
        let length = self.span.1 - self.span.0;
        (length >= DAY).then(|| n as f64 * (7 * DAY) as f64 / length as f64)
    }

    /// The figures of every rule that did something, by id; pages of several incidents under the empty id.
    pub fn by_rule(&self) -> BTreeMap<Arc<str>, RuleFigures> {
        let mut found: BTreeMap<Arc<str>, RuleFigures> = BTreeMap::new();
        for episode in &self.episodes {
            let figures = found.entry(Arc::clone(&episode.rule)).or_default();
            figures.episodes += 1;
            figures.firing += self.end_of(episode) - episode.fired;
            figures.flaps += usize::from(episode.flap);
            figures.to_fire.push(episode.fired - episode.occurred);
        }
        for affair in self.affairs.values() {
            found.entry(Arc::clone(&affair.rule)).or_default().incidents += 1;
        }
        for page in &self.pages {
            let figures = found.entry(Arc::clone(&page.rule)).or_default();
            figures.pages += 1;
            figures.night += usize::from(is_night(page.at));
        }
        for id in &self.overdue {
            if let Some(affair) = self.affairs.get(id) {
                found.entry(Arc::clone(&affair.rule)).or_default().misses += 1;
            }
        }
        found.values_mut().for_each(|figures| figures.to_fire.sort_unstable());
        found
    }

    /// The figures of everybody who was told something, by contact id.
    pub fn by_person(&self) -> BTreeMap<String, PersonFigures> {
        let mut found: BTreeMap<String, PersonFigures> = BTreeMap::new();
        let mut nights: BTreeSet<(&str, Ms)> = BTreeSet::new();
        for page in &self.pages {
            let figures = found.entry(page.to.clone()).or_default();
            figures.pages += 1;
            *figures.by_rule.entry(Arc::clone(&page.rule)).or_default() += 1;
            if is_night(page.at) {
                figures.night += 1;
                figures.nights += usize::from(nights.insert((&page.to, night_of(page.at))));
            }
        }
        found
    }

    /// When an episode ended, or the input did.
    pub fn end_of(&self, episode: &Episode) -> Ms {
        episode.ended.unwrap_or(self.span.1).max(episode.fired)
    }
}

impl Happening {
    /// When it happened.
    pub fn at(&self) -> Ms {
        match self {
            Self::Signal(_, signal) => signal.at,
            Self::Incident(at, _) | Self::Page(at, _) => *at,
        }
    }
}

/// Whether people sleep at `at`.
pub fn is_night(at: Ms) -> bool {
    let hour = (at + KST).rem_euclid(DAY);
    hour >= NIGHT.0 || hour < NIGHT.1
}

/// Which night it is, counted by the day on which it begins.
fn night_of(at: Ms) -> Ms {
    (at + KST - NIGHT.1).div_euclid(DAY)
}

/// The value below which a share of `of` (sorted) lies, by nearest rank; `None` of nothing.
pub fn quantile(of: &[Ms], share: f64) -> Option<Ms> {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = ((of.len() as f64 * share).ceil() as usize).max(1);
    of.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(at: Ms, from: State, to: State, since: Ms) -> Happening {
        let labels = Labels::new([("host", "a")]);
        let fingerprint = Fingerprint::of("r", &labels);
        let severity = to.is_active().then_some(Severity::S2);
        let (rule, value, unknown, ended) = (Arc::from("r"), Some(1.0), None, None);
        let since = Some(since);
        let acted = true;
        Happening::Signal(
            0,
            Signal { rule, labels, fingerprint, from, to, severity, value, unknown, at, since, ended, acted },
        )
    }

    #[test]
    fn an_episode_runs_from_firing_to_resolved_whatever_lies_between() {
        let mut results = Results::since(None);
        results.take(&[
            signal(0, State::Inactive, State::Pending, 0),
            signal(2 * MINUTE, State::Pending, State::Firing, 0),
            signal(3 * MINUTE, State::Firing, State::Recovering, 0),
            signal(4 * MINUTE, State::Recovering, State::Firing, 0),
            signal(7 * MINUTE, State::Firing, State::Resolved, 0),
            signal(30 * MINUTE, State::Inactive, State::Firing, 30 * MINUTE),
            signal(31 * MINUTE, State::Firing, State::Resolved, 30 * MINUTE),
            signal(2 * HOUR, State::Pending, State::Firing, 2 * HOUR - MINUTE),
        ]);
        results.span = (0, 3 * HOUR);
        let figures = results.by_rule().remove("r").unwrap();
        assert_eq!((figures.episodes, figures.flaps), (3, 1), "{:?}", results.episodes);
        assert_eq!(figures.firing, 5 * MINUTE + MINUTE + HOUR, "the last one goes on to the end");
        assert_eq!(figures.to_fire, [0, MINUTE, 2 * MINUTE]);
        assert_eq!(quantile(&figures.to_fire, 0.5), Some(MINUTE));
        assert_eq!(quantile(&figures.to_fire, 0.95), Some(2 * MINUTE));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn nights_are_korean_and_one_night_is_one_night() {
        let at = |hour: Ms| 100 * DAY - KST + hour * HOUR;
        assert!(is_night(at(22)) && is_night(at(3)) && !is_night(at(7)) && !is_night(at(21)));
        let page = |at| Told {
            rule: Arc::from("r"),
            labels: Labels::default(),
            to: "p".to_owned(),
            at,
            reason: Reason::First,
        };
        let pages = vec![page(at(23)), page(at(25)), page(at(30)), page(at(35)), page(at(47))];
        let results = Results { pages, ..Results::default() };
        let person = results.by_person().remove("p").unwrap();
        assert_eq!((person.pages, person.night, person.nights), (5, 4, 2));
        let over = |length| Results { span: (0, length), ..Results::default() }.per_week(3);
        assert_eq!((over(14 * DAY), over(DAY), over(HOUR)), (Some(1.5), Some(21.0), None));
    }
}
