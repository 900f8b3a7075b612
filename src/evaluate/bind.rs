//! Who looks at a series: instances are born, bound to the series of their identities, and let go of them.
//!
//! The idea: which rules want a series is worked out once, when its first sample comes, and again only where that may
//! have changed: another rule set, an instance that was forgotten, room after a limit. How samples get into windows is
//! not known here; see `intake`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::evaluate::guard::Guard;
use crate::evaluate::instance::Instance;
use crate::evaluate::panes::{Panes, ROOM};
use crate::evaluate::partition::Partition;
use crate::evaluate::plan::{Compiled, Plan};
use crate::evaluate::series::{Hot, Link, Series};
use crate::model::{Fingerprint, Labels, SeriesKey};
use crate::time::{MINUTE, Ms};

/// A number that comes again within so long is known to be the same one where its window is in panes.
pub(super) const AGAIN_NUMBER: Ms = 10 * MINUTE;

impl Partition {
    pub(super) fn bind_where_needed(&mut self, id: u32, source: u32) {
        if self.intake.series.hot(id).is_some_and(|hot| !hot.bound) {
            self.bind(id, source, &[]);
        }
    }

    /// Works out which instances look at a series; new identities are born here, but not those of rules that are
    /// `kept`: if they are not there they have been forgotten, or come with their next sample.
    fn bind(&mut self, id: u32, source: u32, kept: &[bool]) {
        let Some((hot, series)) = self.intake.series.both_mut(id) else { return };
        hot.bound = true;
        let key = series.key.clone();
        let joined = self.setup.inventory.join(&key.labels);
        let places: Vec<(usize, u8)> = match series.lines {
            Some(place) => vec![(place, 0)],
            None => self.plan.watching(&key.name).to_vec(),
        };
        let mut later = false;
        for (place, part) in places {
            let compiled = &self.plan.rules[place];
            if !compiled.parts[usize::from(part)].fits(&joined) {
                continue;
            }
            let (labels, fingerprint) = if compiled.local {
                let labels = compiled.identity(&key.labels, &joined);
                let fingerprint = Fingerprint::of(&compiled.rule.id, &labels);
                (labels, fingerprint)
            } else {
                // One instance per series: its leaf is all that a partition knows of a wide rule.
                (key.labels.clone(), compiled.leaf(part, &key.labels))
            };
            let to = self.board.find(fingerprint);
            if to.is_some_and(|to| self.linked(id, to, part)) {
                continue;
            }
            if to.is_none() && kept.get(place).copied().unwrap_or(false) {
                later = true;
                continue;
            }
            if !self.admit(place, id, to) {
                continue;
            }
            let to = to.unwrap_or_else(|| self.seat(Instance::new(place, labels, fingerprint, self.clock)));
            self.join((part, id), to, source);
            if let Some((hot, series)) = self.intake.series.both_mut(id) {
                link(hot, series, (place, part, to), &self.plan.rules[place]);
            }
        }
        if let Some(hot) = self.intake.series.hot_mut(id).filter(|_| later) {
            hot.bound = false;
        }
    }

    /// The leaf of a wide rule comes back from its row: with its series, of which no sample may be left.
    pub(super) fn reseat(&mut self, place: usize, to: u32, (labels, newest): (Labels, Option<Ms>)) {
        let (compiled, known_as) = (&self.plan.rules[place], self.board.get(to).map(|it| it.fingerprint));
        let parts = (0..).zip(&compiled.parts);
        let mut mine = parts.filter(|(n, _)| Some(compiled.leaf(*n, &labels)) == known_as);
        let Some((part, of)) = mine.next() else { return };
        let lines = of.lines.then_some(place);
        let key = SeriesKey { name: Arc::from(of.name.as_str()), labels };
        let limit = self.setup.limits.series;
        let known = self.intake.series.find(&key);
        let Some(id) = known.or_else(|| self.intake.series.insert(key, lines, limit, 0)) else { return };
        if let (Some((hot, series)), Some(member)) =
            (self.intake.series.both_mut(id), self.members.get_mut(to as usize))
        {
            member.series.push((part, id));
            hot.newest.time = hot.newest.time.max(newest.unwrap_or(Ms::MIN));
            link(hot, series, (place, part, to), &self.plan.rules[place]);
        }
    }

    fn linked(&self, id: u32, to: u32, part: u8) -> bool {
        self.intake.series.get(id).is_some_and(|series| series.link(to, part).is_some())
    }

    /// Whether a rule may watch one more series.
    fn admit(&mut self, place: usize, id: u32, to: Option<u32>) -> bool {
        if self.intake.per_rule.len() <= place {
            self.intake.per_rule.resize(place + 1, 0);
        }
        let limit = self.setup.limits.series_per_rule;
        let admitted = self.intake.per_rule[place] < limit;
        if admitted {
            self.intake.per_rule[place] += 1;
        } else {
            let rule = &self.plan.rules[place].rule.id;
            self.intake.refusals.refuse("series_per_rule", Some(rule), limit, self.clock);
            self.intake.refusals.leave_out(id);
        }
        if let Some((to, it)) = to.and_then(|to| Some((to, self.board.get_mut(to)?)))
            && std::mem::replace(&mut it.limited, !admitted) == admitted
        {
            self.board.touch(to);
        }
        admitted
    }

    /// Puts a series at its place among those of an instance.
    fn join(&mut self, new: (u8, u32), to: u32, source: u32) {
        let table = &self.intake.series;
        let key = |(part, id): &(u8, u32)| (*part, table.get(*id).map(|series: &Series| &series.key));
        let Some(member) = self.members.get_mut(to as usize) else { return };
        member.source = Some(source);
        let place = member.series.partition_point(|other| key(other) < key(&new));
        member.series.insert(place, new);
    }

    /// Another rule set: every series finds its instances anew. `kept` are the rules that watch what they did.
    pub(super) fn rebind(&mut self, kept: &[bool], old: &Plan) {
        self.intake.per_rule.clear();
        self.intake.refusals.forget_rules();
        self.intake.logs.clear();
        self.intake.wanted.clear();
        self.intake.series.renew();
        let plan = &self.plan;
        let held: usize = self.intake.series.iter().map(|(_, series)| series.panes()).sum();
        self.intake.room = self.intake.room.saturating_sub(held * ROOM);
        let mut panes = HashMap::new();
        let places = self.intake.series.ids();
        for (place, (hot, series)) in places.into_iter().zip(self.intake.series.iter_mut()) {
            for link in series.links.drain(..).filter(|link| link.panes.is_some()) {
                let of = old.rules.get(link.rule).map(|compiled| Arc::clone(&compiled.rule.id));
                panes.extend(of.zip(link.panes).map(|(of, held)| ((place, of, link.part), held)));
            }
            (hot.keep, hot.reach, hot.guard, hot.bound) = (0, 0, Guard::SHUT, false);
            if series.lines.is_some() {
                let name = series.key.name.strip_prefix("log:").unwrap_or_default();
                series.lines = plan.logs.iter().copied().find(|place| *plan.rules[*place].rule.id == *name);
            }
        }
        for id in self.intake.series.ids() {
            let (Some(hot), Some(series)) = (self.intake.series.hot(id), self.intake.series.get(id)) else { continue };
            let host = series.key.labels.get("host").unwrap_or_default();
            let (newest, clock) = (hot.newest.time, self.clock);
            if let Some(source) = self.sources.known(host) {
                self.bind(id, source, kept);
            }
            self.reattach(id, kept, &mut panes);
            // Whoever goes on knows its newest sample itself: after a clock break, the series may hold a later one.
            for link in self.intake.series.get(id).map_or(&[][..], |series| &series.links) {
                if let Some(it) = self.board.get_mut(link.to).filter(|it| newest > Ms::MIN && it.born == clock) {
                    it.hear(newest.min(clock), clock, &self.plan.rules[link.rule]);
                }
            }
        }
        for (hot, _) in self.intake.series.iter_mut().filter(|(_, series)| series.links.is_empty()) {
            self.intake.room = self.intake.room.wrapping_add_signed(hot.ring.give_back());
        }
    }

    /// Gives the links of a series the panes that they had under the rule set before: windows outlive a reload.
    fn reattach(&mut self, id: u32, kept: &[bool], panes: &mut HashMap<(u32, Arc<str>, u8), Box<Panes>>) {
        let Some((_, series)) = self.intake.series.both_mut(id) else { return };
        for link in series.links.iter_mut().filter(|link| kept.get(link.rule).copied().unwrap_or(false)) {
            let rule = Arc::clone(&self.plan.rules[link.rule].rule.id);
            let (Some(held), Some(wanted)) = (panes.remove(&(id, rule, link.part)), &mut link.panes) else { continue };
            if let Some(held) = held.fit(wanted) {
                **wanted = held;
                self.intake.room += wanted.len() * ROOM;
            }
        }
    }

    /// An instance no longer looks at a series.
    pub(super) fn unlink(&mut self, id: u32, from: u32) {
        let Some((hot, series)) = self.intake.series.both_mut(id) else { return };
        // Its next sample finds out anew who looks at it.
        (hot.bound, hot.guard) = (false, Guard::SHUT);
        self.intake.room = self.intake.room.saturating_sub(series.panes() * ROOM);
        let per_rule = &mut self.intake.per_rule;
        series.links.retain(|link| {
            let stays = link.to != from;
            if let (false, Some(watched)) = (stays, per_rule.get_mut(link.rule)) {
                *watched = watched.saturating_sub(1);
            }
            stays
        });
        self.intake.room += series.panes() * ROOM;
        if series.links.is_empty() {
            hot.keep = 0;
            self.intake.room = self.intake.room.wrapping_add_signed(hot.ring.give_back());
        }
    }
}

/// An instance looks at a series from now on; it must be visited before anything may pass unseen.
fn link(hot: &mut Hot, series: &mut Series, (rule, part, to): (usize, u8, u32), of: &Compiled) {
    let Some(looks) = of.parts.get(usize::from(part)) else { return };
    let (over, interval) = (looks.over, of.rule.interval);
    hot.reach = if series.links.is_empty() { over } else { hot.reach.min(over) };
    // What panes have taken is asked for only to know what is delivered again.
    hot.keep = hot.keep.max(if looks.step.is_some() { AGAIN_NUMBER } else { over + interval });
    hot.guard = Guard::SHUT;
    let panes = looks.step.map(|step| Box::new(Panes::new(looks.function, over, step)));
    let step = looks.step.unwrap_or(0);
    series.links.push(Link { rule, to, part, over, step, interval, guard: Guard::SHUT, memo: None, panes });
}
