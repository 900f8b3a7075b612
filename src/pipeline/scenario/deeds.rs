//! What people and the world do in a scenario.
//!
//! The idea: people act through the same inputs as in the service, on the incident as it is at that instant; the world
//! acts on the site: its gateways, clocks, partitions, disk and process. Whoever acts on something that is not there yet
//! tries once more at the end of the instant; then it is a mistake of the scenario.

use std::path::{Path, PathBuf};

use crate::config::{self, ANY, Action, Answer, Ask, Code, Hours, Hush, Own};
use crate::config::{ClockOf, Fate, Level, Reload, Verb, Which};
use crate::model::wire::silence_from_json;
use crate::model::{
    BROKEN_CONFIG, Channel, Incident, IncidentState, Input, Matcher, Outcome, PageRow, PageState, Preview, Silence,
    SilenceAsk, State, WALL_CLOCK,
};
use crate::store::{About, Store};
use crate::time::{Clock, HOUR, MINUTE, Ms, SECOND, SystemClock};

use super::Failure;
use super::run::{Deed, Do, Play};

/// An ack holds so long unless it says otherwise.
const ACK_HOLD: Ms = 4 * HOUR;
/// A wall clock that has not jumped again for so long is good.
const JUMP_OVER: Ms = MINUTE;
/// A clock that jumps by more is a trouble.
const JUMP: Ms = 5 * SECOND;
/// More rows than any scenario makes.
const ALL: usize = 10_000_000;

impl Play<'_> {
    /// Refuses what cannot be done here.
    pub(super) fn possible(&self, action: &Action) -> Result<(), Failure> {
        let refuse = |what: String| Err(Failure { line: action.line, what });
        match &action.verb {
            Verb::Partition { partition, .. } if *partition >= self.stage.partitions => {
                let n = self.stage.partitions;
                refuse(format!("there is no partition {partition}: `partitions: {n}`, counted from 0"))
            }
            _ => Ok(()),
        }
    }

    /// Does it; `false`: what it is about is not there.
    pub(super) fn act(&mut self, deed: &Deed) -> Result<bool, String> {
        match &deed.what {
            Do::Boot => {
                self.stage.boot()?;
                self.wake = true;
            }
            Do::ClockGood => self.tell(deed, Input::Own(self.clock_signal(State::Resolved))),
            Do::Verb(verb) => return self.verb(deed, verb),
        }
        Ok(true)
    }

    /// Notes that nothing was there to act on.
    pub(super) fn in_vain(&mut self, deed: &Deed) {
        if self.is_lenient() {
            return;
        }
        let at = crate::time::show_duration(self.stage.now());
        let what = match &deed.what {
            Do::Verb(Verb::Receipt { to, .. }) => format!("at {at}, no page to `{to}` that a carrier has"),
            Do::Verb(Verb::Expire { .. } | Verb::Approve { .. }) => {
                format!("at {at}, no silence of that is left: its matchers are the same as where it was made")
            }
            Do::Verb(verb) => match verb.which() {
                Some(which) => format!("at {at}, no incident of `{}` that this could be done to", which.rule),
                None => format!("at {at}, nothing that this could be done to"),
            },
            _ => format!("at {at}, nothing that this could be done to"),
        };
        self.fail(deed.line, what);
    }

    fn verb(&mut self, deed: &Deed, verb: &Verb) -> Result<bool, String> {
        match verb {
            Verb::Receipt { to, channel, pick, fate } => {
                let row = match pick {
                    Some(pick) => self.picked_page(*pick, *channel),
                    None => self.last_page(to, *channel),
                };
                return Ok(row.is_some_and(|row| self.receipt(deed, &row, *fate)));
            }
            Verb::Gateway { channel, answers, look_up, length } => {
                self.stage.ways.answer(*channel, *answers, *look_up);
                let well = Verb::Gateway { channel: *channel, answers: Answer::Ok, look_up: None, length: None };
                self.plan_end(deed, *length, well);
            }
            Verb::Reload(reload) => self.reload(deed, reload)?,
            Verb::Restart(away) if self.stage.is_up() => {
                self.stage.end()?;
                self.look();
                self.boot_after(deed, *away)?;
            }
            Verb::Crash { away, writes: Some(writes), kept } if self.stage.is_up() => {
                self.stage.store.plan_crash(i64::try_from(*writes).unwrap_or(i64::MAX), *kept);
                self.dying = Some((deed.line, *away));
            }
            Verb::Crash { away, .. } if self.stage.is_up() => {
                self.stage.kill();
                self.watching.killed();
                self.boot_after(deed, *away)?;
            }
            Verb::Restart(_) | Verb::Crash { .. } => {}
            Verb::Clock { by, of } => self.clock(deed, *by, *of)?,
            Verb::Partition { partition, up } => {
                self.stage.log.set_down(*partition, !up);
                self.wake |= *up;
            }
            Verb::Disk { log, well, length } => {
                let why = (!well).then_some(if *log { "no space left on device" } else { "connection refused" });
                self.stage.store.set_full(why);
                self.stage.log.set_full(why.filter(|_| *log));
                self.wake |= *well;
                self.plan_end(deed, *length, Verb::Disk { log: *log, well: true, length: None });
            }
            Verb::Leader => self.stage.usurp(),
            Verb::Drill(ask) => self.ask(deed, Input::Drill(Box::new(ask.clone())))?,
            Verb::Silence(hush) => {
                let ask = self.hush(hush);
                self.ask(deed, Input::Silence(Box::new(ask)))?;
                self.approve_at_once(deed, hush)?;
            }
            Verb::Expire { matchers, pick, by } => {
                let Some(silence) = self.silence(matchers, *pick) else { return Ok(false) };
                self.ask(deed, Input::Expire { silence, by: by.clone() })?;
            }
            Verb::Approve { matchers, pick, by } => {
                let Some(silence) = self.silence(matchers, *pick) else { return Ok(false) };
                self.ask(deed, Input::Approve { silence, by: by.clone() })?;
            }
            _ => return Ok(self.by_hand(deed, verb)),
        }
        Ok(true)
    }

    /// What people do to an incident.
    fn by_hand(&mut self, deed: &Deed, verb: &Verb) -> bool {
        // What is not about an incident was refused before the run began.
        let Some(which) = verb.which() else { return true };
        let Some(incident) = self.incident(which) else { return false };
        let input = match verb.clone() {
            Verb::Ack { by, hold, note, code: Some(code), .. } => {
                by_code(&incident, code, by, note, hold.unwrap_or(ACK_HOLD))
            }
            Verb::Ack { by, hold, note, .. } => {
                Input::Ack { incident: incident.id, by, note, hold: hold.unwrap_or(ACK_HOLD) }
            }
            Verb::Unack { by, .. } => Input::Unack { incident: incident.id, by },
            Verb::Handover { by, to, note, hold, .. } => Input::Handover { incident: incident.id, by, to, note, hold },
            Verb::Resolve { by, note, .. } => Input::Resolve { incident: incident.id, by, note },
            Verb::Reopen { by, .. } => Input::Reopen { incident: incident.id, by },
            _ => return true,
        };
        self.tell(deed, input);
        true
    }

    /// The silence that somebody asks for.
    fn hush(&self, hush: &Hush) -> SilenceAsk {
        let now = self.stage.wall();
        let from = (hush.after > 0).then(|| now + hush.after);
        SilenceAsk {
            matchers: hush.matchers.clone(),
            from,
            until: from.unwrap_or(now) + hush.length,
            by: self.owner(hush),
            reason: hush.reason.clone(),
            approver: hush.approver.clone(),
            replaces: hush.replaces.and_then(|pick| self.silence(&[], Some(pick))),
            hides: Preview { s1: i64::from(hush.hides_s1), ..Preview::default() },
        }
    }

    /// Whoever is answerable for a silence. Where the only contact is, nobody is left to approve it: then the duty desk is.
    fn owner(&self, hush: &Hush) -> String {
        let contacts = &self.loaded.people.contacts;
        let is_alone = contacts.iter().all(|contact| contact.id == hush.by);
        if is_alone && !hush.waits { "operator".to_owned() } else { hush.by.clone() }
    }

    /// Has somebody else approve a silence that waits for it, so that a scenario that only says `silence` has one.
    fn approve_at_once(&mut self, deed: &Deed, hush: &Hush) -> Result<(), String> {
        let owner = self.owner(hush);
        let other = self.loaded.people.contacts.iter().map(|contact| &contact.id).find(|id| **id != owner);
        let (false, Some(by)) = (hush.waits, other.cloned()) else { return Ok(()) };
        let waiting = self.silence_that(&hush.matchers, None, |it| it.needs.is_some() && it.approved.is_none());
        match waiting {
            Some(silence) => self.ask(deed, Input::Approve { silence, by }),
            None => Ok(()),
        }
    }

    /// The newest silence with these matchers that is not over, or the one at a place among all with them.
    fn silence(&self, matchers: &[Matcher], pick: Option<usize>) -> Option<String> {
        self.silence_that(matchers, pick, |_| true)
    }

    /// The same among those of which `is` holds.
    fn silence_that(&self, matchers: &[Matcher], pick: Option<usize>, is: impl Fn(&Silence) -> bool) -> Option<String> {
        let now = self.stage.wall();
        let prefix = format!("{}{}", crate::incident::NOTES, crate::incident::mute::SILENCE_NOTES);
        let read = |(_, text): (String, String)| silence_from_json(&serde_json::from_str(&text).ok()?);
        let fits = |silence: &Silence| matchers.iter().all(|it| silence.matchers.contains(it)) && is(silence);
        let mut silences: Vec<Silence> =
            self.stage.memory.notes(&prefix).into_iter().filter_map(read).filter(fits).collect();
        let at = match pick {
            Some(pick) => pick % silences.len().max(1),
            None => silences.iter().rposition(|silence| silence.until > now)?,
        };
        (at < silences.len()).then(|| silences.swap_remove(at).id)
    }

    /// Hands an input over at once; one that is refused is a mistake of the scenario.
    fn ask(&mut self, deed: &Deed, input: Input) -> Result<(), String> {
        let Ok(row) = self.stage.input(&input) else {
            self.plan(self.stage.now() + SECOND, deed.clone());
            return Ok(());
        };
        self.asked.push((row, input));
        self.settle()?;
        match self.stage.memory.answer(row) {
            Ok(Some((false, why))) if !self.is_lenient() => self.fail(deed.line, format!("refused: {why}")),
            Ok(Some((true, said))) => self.hint(deed.line, format!("it was answered: {said}")),
            _ => {}
        }
        Ok(())
    }

    /// Hands an input over, or again in a second where the store does not take it.
    fn tell(&mut self, deed: &Deed, input: Input) {
        match self.stage.input(&input) {
            Ok(row) => {
                self.asked.push((row, input));
                self.lines.push((row, deed.line));
            }
            Err(_) => self.plan(self.stage.now() + SECOND, deed.clone()),
        }
    }

    /// What was said to those who found nothing to do: two people may take one incident, so it is no mistake.
    pub(super) fn hint_refusals(&mut self) {
        for (row, line) in std::mem::take(&mut self.lines) {
            if let Ok(Some((false, why))) = self.stage.memory.answer(row) {
                self.hint(line, format!("it was refused: {why}"));
            }
        }
    }

    /// The newest incident that fits, or the one at a place among those that are not closed.
    fn incident(&self, which: &Which) -> Option<Incident> {
        let fits = |incident: &Incident| {
            let labels = which.labels.iter().all(|(name, value)| incident.labels.get(name) == Some(value));
            incident.id == which.rule || ((*incident.rule == *which.rule || which.rule == ANY) && labels)
        };
        let mut all: Vec<Incident> = self.stage.memory.incidents(ALL).unwrap_or_default();
        let Some(pick) = which.pick else { return all.into_iter().find(fits) };
        all.retain(|incident| incident.state != IncidentState::Closed && fits(incident));
        (!all.is_empty()).then(|| all.swap_remove(pick % all.len()))
    }

    /// The newest page that a carrier has not reported on; else the newest that it has: carriers repeat themselves.
    fn last_page(&self, to: &str, channel: Option<Channel>) -> Option<PageRow> {
        let mut all = self.stage.memory.pages(None, ALL).unwrap_or_default();
        all.retain(|row| row.page.to == to && channel.is_none_or(|channel| channel == row.page.channel));
        let newest = |states: [PageState; 2]| all.iter().find(|row| states.contains(&row.state)).cloned();
        newest([PageState::Accepted, PageState::Unknown]).or_else(|| newest([PageState::Delivered, PageState::Failed]))
    }

    fn picked_page(&self, pick: usize, channel: Option<Channel>) -> Option<PageRow> {
        let mut all = self.stage.memory.accepted(Ms::MIN, ALL).unwrap_or_default();
        all.retain(|row| channel.is_none_or(|channel| channel == row.page.channel));
        (!all.is_empty()).then(|| all.swap_remove(pick % all.len()))
    }

    fn receipt(&mut self, deed: &Deed, row: &PageRow, fate: Fate) -> bool {
        let outcome = match fate {
            Fate::Delivered => Outcome::Delivered { id: row.detail.clone() },
            Fate::Failed => Outcome::Failed { reason: crate::notify::Refusal::Recipient.word().to_owned() },
        };
        let about = About::Page(&row.page.id);
        if self.stage.store.receipt(&about, &outcome, self.stage.wall()).is_err() {
            self.plan(self.stage.now() + SECOND, deed.clone());
        }
        true
    }

    fn boot_after(&mut self, deed: &Deed, away: Ms) -> Result<(), String> {
        let boot = Deed { line: deed.line, what: Do::Boot };
        if away > 0 {
            self.plan(self.stage.now() + away, boot);
            return Ok(());
        }
        self.act(&boot).map(drop)
    }

    fn plan_end(&mut self, deed: &Deed, length: Option<Ms>, end: Verb) {
        if let Some(length) = length {
            self.plan(self.stage.now() + length, Deed { line: deed.line, what: Do::Verb(end) });
        }
    }

    fn clock(&mut self, deed: &Deed, by: Ms, of: ClockOf) -> Result<(), String> {
        // Up to here everybody knows what time it was: a quiet log has pulses.
        self.stage.pulse();
        self.settle()?;
        let (wall, log) = match of {
            ClockOf::Both => (by, by),
            ClockOf::Wall => (by, 0),
            ClockOf::Log => (0, by),
        };
        self.stage.jump(wall, log);
        self.wake = true;
        if self.stage.has_builtins() && by.abs() > JUMP && of != ClockOf::Log {
            self.tell(deed, Input::Own(self.clock_signal(State::Firing)));
            self.plan(self.stage.now() + JUMP_OVER, Deed { line: deed.line, what: Do::ClockGood });
        }
        Ok(())
    }

    fn clock_signal(&self, to: State) -> crate::model::Signal {
        self.stage.own_signal(&WALL_CLOCK, to)
    }

    fn reload(&mut self, deed: &Deed, reload: &Reload) -> Result<(), String> {
        let read;
        let parts = match reload {
            Reload::Same => &Own::default(),
            Reload::Parts(parts) => parts.as_ref(),
            Reload::File(path) => {
                let Some(path) = self.edited(path) else {
                    self.fail(deed.line, format!("there is no file `{}` to be read", path.display()));
                    return Ok(());
                };
                read = self.read(path);
                match &read {
                    Some(parts) => parts,
                    None => return self.set_broken(deed, true),
                }
            }
            Reload::Broken => return self.set_broken(deed, true),
        };
        self.set_broken(deed, false)?;
        // What was before is judged by the rules before; the tick of this instant by the new ones.
        self.stage.tell_time();
        self.settle()?;
        self.change(parts)?;
        self.wake = true;
        Ok(())
    }

    /// A broken file keeps the old set and is an incident of its own.
    fn set_broken(&mut self, deed: &Deed, broken: bool) -> Result<(), String> {
        if std::mem::replace(&mut self.broken, broken) != broken {
            let to = if broken { State::Firing } else { State::Resolved };
            self.tell(deed, Input::Own(self.stage.own_signal(&BROKEN_CONFIG, to)));
        }
        Ok(())
    }

    /// An edited file, beside the scenario's own or where it says; `None` where there is none.
    fn edited(&self, path: &Path) -> Option<PathBuf> {
        let beside = Path::new(self.file()).parent().map(|folder| folder.join(path));
        beside.into_iter().chain([path.to_owned()]).find(|file| file.exists())
    }

    /// The parts of an edited file; `None` where it has mistakes.
    fn read(&self, path: PathBuf) -> Option<Own> {
        let ask = Ask { env: &[], now: SystemClock.wall(), whole: false };
        let loaded = config::load(&[path], &ask);
        if loaded.problems.iter().any(|problem| problem.level == Level::Error) {
            return None;
        }
        let some = |empty: bool| (!empty).then_some(());
        Some(Own {
            rules: some(loaded.rules.rules.is_empty())
                .map(|()| loaded.rules.rules.iter().map(|rule| rule.as_ref().clone()).collect()),
            contacts: some(loaded.people.contacts.is_empty()).map(|()| loaded.people.contacts.clone()),
            rotas: None,
            chains: some(loaded.people.chains.is_empty()).map(|()| loaded.people.chains.clone()),
            sla: some(loaded.people.chains.is_empty()).map(|()| loaded.people.sla.clone()),
            inventory: some(loaded.inventory.resources.is_empty()).map(|()| loaded.inventory.clone()),
            inhibit: some(loaded.muting.inhibit.is_empty()).map(|()| loaded.muting.inhibit.clone()),
            maintenance: some(loaded.muting.windows.is_empty()).map(|()| loaded.muting.windows.clone()),
            hours: Hours::default(),
        })
    }
}

/// Somebody takes an incident by a code, as good as it is.
fn by_code(it: &Incident, code: Code, by: String, note: String, hold: Ms) -> Input {
    let (occurrence, used) = match code {
        Code::Newest => (it.occurrence, it.codes_used),
        Code::Used => (it.occurrence, it.codes_used - 1),
        Code::Expired => (it.occurrence - 1, it.codes_used),
    };
    Input::AckCode { incident: it.id.clone(), occurrence, used, by, note, hold }
}
