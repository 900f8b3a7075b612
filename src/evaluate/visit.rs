//! A visit: what the windows of an instance hold at a tick, what follows from it, and when to look again.
//!
//! The idea: a healthy instance whose window stays on the good side of every threshold is *calm*: bounds for its series
//! ([`guard`](super::guard)) take the place of visits until a sample breaks them or the window runs empty. One that must
//! look at every sample remembers its window in blocks, and asks for bounds a few times a window at most: what a sample
//! costs does not grow with the window, calm or not.

use std::sync::Arc;

use crate::evaluate::Effects;
use crate::evaluate::guard;
use crate::evaluate::judge::{self, Next};
use crate::evaluate::leaf::{Changed, Leaf, LeafTick, Offer, Seen};
use crate::evaluate::panes::ROOM;
use crate::evaluate::partition::Partition;
use crate::evaluate::window::{Memo, of_panes, value};
use crate::time::Ms;

/// So often in the length of a window at most is it tried whether samples may pass unseen.
const TRIES: Ms = 8;

impl Partition {
    pub(super) fn visit(&mut self, id: u32, at: Ms, out: &mut Effects) {
        self.catch_up(id);
        let Some(place) = self.board.get(id).map(|it| it.rule) else { return };
        self.remember(id, place, at);
        let (seen, leaf) = self.look(id, place, at);
        let compiled = &self.plan.rules[place];
        let Some(it) = self.board.get_mut(id) else { return };
        let verdict = match (self.live, compiled.local) {
            (true, true) => judge::judge(it, compiled, at, &seen, Some(out)),
            (true, false) => judge::leaf(it, compiled, at, &seen, out),
            (false, _) => judge::judge(it, compiled, at, &seen, None),
        };
        out.counters.thin += u64::from(self.live && seen.thin);
        let doubtful = it.verdict.unknown.is_some() || (!compiled.local && at - it.last() >= compiled.quiet);
        if !compiled.local {
            self.hand_over(id, at, leaf.filter(|_| verdict != Next::Forgotten), out);
        }
        match verdict {
            Next::Due(due) => {
                let calm = self.calm(id, place, at, seen);
                if calm.is_some() {
                    self.forget_dear(id);
                }
                self.board.schedule(id, calm.unwrap_or(due));
                // Where nothing is known, or will not be, each record may change why: of the next a part may be refused.
                if !seen.speaking || doubtful {
                    self.wait(id);
                }
            }
            Next::Forgotten => self.forget(id),
        }
    }

    /// Reads off its series what passed unseen since the last visit; from here on nothing passes.
    pub(super) fn catch_up(&mut self, id: u32) {
        let Some(it) = self.board.get_mut(id).filter(|it| it.calm) else { return };
        it.calm = false;
        let Some(member) = self.members.get(id as usize) else { return };
        for (_, series) in &member.series {
            let Some((hot, series)) = self.intake.series.both_mut(*series) else { continue };
            if hot.newest.time > Ms::MIN {
                it.newest = it.newest.max(Some(hot.newest.time));
            }
            series.shut(hot, id);
        }
    }

    /// Who looks at nothing any more need not remember what a single look tells.
    fn forget_dear(&mut self, id: u32) {
        let Some(it) = self.board.get(id) else { return };
        let compiled = &self.plan.rules[it.rule];
        let Some(member) = self.members.get(id as usize) else { return };
        for (n, series) in &member.series {
            let dear = compiled.parts.get(usize::from(*n)).is_some_and(|part| Memo::is_dear(part.function));
            let Some((_, series)) = self.intake.series.both_mut(*series).filter(|_| dear) else { continue };
            series.links.iter_mut().filter(|link| (link.to, link.part) == (id, *n)).for_each(|link| link.memo = None);
        }
    }

    /// Brings what is remembered of long windows up to `at`; nothing is remembered of a ring that a broken clock marked.
    pub(super) fn remember(&mut self, id: u32, place: usize, at: Ms) {
        let compiled = &self.plan.rules[place];
        if !compiled.parts.iter().any(|part| part.memo) {
            return;
        }
        let restless = self.board.get(id).is_some_and(|it| at < it.restless);
        let Some(member) = self.members.get(id as usize) else { return };
        for (n, series) in &member.series {
            let part = compiled.parts.get(usize::from(*n)).filter(|part| part.remembers(restless));
            let Some(part) = part else { continue };
            let span = part.span(at, compiled.rule.interval);
            let Some((hot, series)) = self.intake.series.both_mut(*series) else { continue };
            for link in series.links.iter_mut().filter(|link| (link.to, link.part) == (id, *n)) {
                if let Some(panes) = &mut link.panes {
                    let held = panes.len();
                    panes.refresh(at);
                    self.intake.room = self.intake.room.saturating_sub((held - panes.len()) * ROOM);
                    continue;
                }
                if hot.ring.marked() {
                    link.memo = None;
                    continue;
                }
                if link.memo.is_none() {
                    link.memo = Memo::of(part.function, part.over, hot.ring.view(span).len()).map(Box::new);
                }
                if let Some(memo) = &mut link.memo {
                    memo.refresh(&hot.ring, span);
                }
            }
        }
    }

    /// The same for all, before something happens that is not a visit.
    pub(super) fn catch_all_up(&mut self) {
        for id in self.board.ids() {
            self.catch_up(id);
        }
        self.intake.series.shut();
    }

    /// Lets pass unseen what cannot change the verdict of a healthy instance; `None` where nothing may. Gives the tick
    /// at which it must be looked at all the same.
    fn calm(&mut self, id: u32, place: usize, at: Ms, mut seen: Seen) -> Option<Ms> {
        let compiled = &self.plan.rules[place];
        let it = self.board.get_mut(id)?;
        let terms = compiled.terms.get(it.terms)?;
        if at < it.restless {
            return None;
        }
        it.restless = at + compiled.over / TRIES;
        if terms.safe.is_none() || seen.warm.is_some() || !it.is_healthy() {
            return None;
        }
        let member = self.members.get(id as usize)?;
        let n = member.series.len();
        self.guards.clear();
        let mut until = None;
        for (_, series) in &member.series {
            let hot = self.intake.series.hot(*series)?;
            // After a clock break the newest sample may be one of the segment that was left, which counts for nobody.
            if Some(hot.newest.time) > it.newest {
                return None;
            }
            let (guard, held) = guard::weigh((&compiled.parts[0], terms), &hot.ring, at, n)?;
            self.guards.push(guard);
            until = until.max(held);
        }
        seen.change = Some(until?);
        for ((_, series), guard) in member.series.iter().zip(&self.guards) {
            if let Some((hot, series)) = self.intake.series.both_mut(*series) {
                series.open(hot, id, *guard);
            }
        }
        it.calm = true;
        Some(judge::due(it, compiled, at, &seen))
    }

    /// What the windows of an instance hold at `at`, and the leaf of the one series that an instance of a wide rule
    /// has.
    pub(super) fn look(&self, id: u32, place: usize, at: Ms) -> (Seen, Option<Leaf>) {
        let compiled = &self.plan.rules[place];
        let it = self.board.get(id);
        let Some(member) = self.members.get(id as usize) else { return (Seen::default(), None) };
        let host = || it.and_then(|it| it.labels.get("host")).and_then(|host| self.sources.known(host));
        let source = member.source.or_else(host).and_then(|source| self.sources.get(source));
        let base = Leaf {
            value: None,
            samples: 0,
            newest: it.and_then(|it| it.newest),
            speaking: source.is_some_and(|source| source.speaks(at, compiled.quiet)),
            rejecting: source.is_some_and(|source| source.rejects(at, compiled.quiet)),
            warm: self.warm(compiled.over).filter(|until| at < *until && it.is_none_or(|it| it.born <= self.started)),
        };
        let restless = it.is_some_and(|it| at < it.restless);
        let mut change: Option<Ms> = None;
        let mut last = None;
        let series = member.series.iter().filter_map(|(n, series)| {
            Some((*n, *series, compiled.parts.get(usize::from(*n))?, self.intake.series.hot(*series)?))
        });
        let leaves = series.map(|(n, series, part, hot)| {
            let span = part.span(at, compiled.rule.interval);
            let window = hot.ring.view(span);
            // Most look at nothing but the ring: the other half of a series lies elsewhere in memory.
            let series = if part.remembers(restless) { self.intake.series.get(series) } else { None };
            let link = series.and_then(|series| series.link(id, n));
            let panes = link.and_then(|link| link.panes.as_ref());
            let found = match (panes, link.and_then(|link| link.memo.as_ref())) {
                (Some(panes), _) => of_panes(part.function, panes, span, part.lines),
                (None, Some(memo)) if memo.is_of(span) => memo.value(part.function, window, span),
                (None, _) => value(part.function, window, span, part.lines),
            };
            let moves = part.facts.moves && !part.lines && found.samples > 1;
            let next = match panes {
                _ if moves => Some(at + 1),
                Some(panes) => panes.change(),
                None => window.change(),
            };
            change = change.into_iter().chain(next).min();
            let leaf = Leaf { value: found.value, samples: found.samples, ..base };
            last = Some(leaf);
            (n, leaf)
        });
        let leaves = leaves.chain(member.series.is_empty().then_some((0, base)));
        let mut seen = match it {
            Some(it) if compiled.local => Seen::of(compiled, it.terms, leaves),
            _ => Seen::of_leaf(compiled, leaves),
        };
        seen.change = change;
        let until = |from: Ms| Some(from + compiled.quiet);
        seen.speaks_until = source.and_then(|source| until(source.last));
        seen.rejects_until = source.and_then(|source| until(source.rejected?));
        (seen, last)
    }

    fn hand_over(&mut self, id: u32, at: Ms, leaf: Option<Leaf>, out: &mut Effects) {
        let Some(rule) = self.board.get(id).map(|it| Arc::clone(&self.plan.rules[it.rule].rule.id)) else { return };
        let Some(member) = self.members.get_mut(id as usize) else { return };
        let same = leaf.is_some() && member.sent == leaf;
        let first = member.series.first().copied();
        let series = first.and_then(|(part, series)| Some((part, self.intake.series.get(series)?)));
        if let (false, Some((part, series))) = (same, series) {
            member.sent = leaf;
            let series = series.key.clone();
            let changed = Changed { tick: at, segment: self.epoch, rule, part, series, leaf };
            out.leaves.push(LeafTick(Offer::Leaf(changed)));
        }
    }

    /// Visits it again with the next record of its source.
    fn wait(&mut self, id: u32) {
        let Some(member) = self.members.get_mut(id as usize).filter(|member| !member.waiting) else { return };
        if let Some(source) = member.source.and_then(|source| self.sources.get_mut(source)) {
            member.waiting = true;
            source.waiting.push(id);
        }
    }

    fn forget(&mut self, id: u32) {
        self.board.remove(id);
        let Some(member) = self.members.get_mut(id as usize).map(std::mem::take) else { return };
        for (_, series) in member.series {
            self.unlink(series, id);
        }
    }
}
