//! Pages that tell of several incidents: folds over the cap, and the daily digest.
//!
//! The idea: a member of a fold is a page that was decided but has not left; it leaves in the summary, becomes an
//! ordinary page if it is alone, or drops out when its incident is taken or over. A summary names only a count and one
//! number.

use crate::model::{Channel, Incident, IncidentState, Outcome, Page, Reason, Severity};
use crate::time::{MINUTE, Ms};

use super::cap::{Counts, DIGEST_MAX, Digest, Fold, FoldKey, Line, Many, Member};
use super::chain::stays_true;
use super::empty::{KIND, empty_steps};
use super::group::{self, Seat};
use super::outbox::{lifetime, within};
use super::size;
use super::wording::{self, Several};
use super::{Call, Decisions, Desk, Incidents, PageKey, nobody, snapshot};

/// S1 summaries to one person follow each other at least so far apart.
const S1_SUMMARY_GAP: Ms = MINUTE;

impl Desk {
    /// Adds a page over the cap to its person's fold; `free` is when the cap has room again.
    pub(super) fn fold(&mut self, key: FoldKey, member: Member, free: Ms, now: Ms) {
        self.changed_notes.insert(format!("fold/{}", key.text()));
        let is_s1 = key.is_s1;
        let fold = self.folds.entry(key).or_default();
        if fold.members.is_empty() {
            fold.due = if is_s1 { fold.last.map_or(now, |last| now.max(last + S1_SUMMARY_GAP)) } else { free };
        }
        // The newest word about an incident replaces an older one that has not left.
        fold.members.retain(|known| known.incident != member.incident);
        fold.members.push(member);
    }

    pub(super) fn is_folded(&self, incident: &str) -> bool {
        let mut begins = self.folds.iter().filter(|(key, _)| !key.is_end);
        begins.any(|(_, fold)| fold.members.iter().any(|member| member.incident == incident))
    }

    /// Takes an incident's beginning out of all folds and of summaries that have not left; the others of such a summary
    /// are folded again, to leave at once.
    pub(super) fn unfold(&mut self, id: &str, why: &str, now: Ms, out: &mut Decisions) -> Vec<(Seat, i64, Reason)> {
        let holds = |members: &[Member]| members.iter().any(|member| member.incident == id);
        let is_back = |many: &Many| !many.is_handed && !many.is_end && !many.is_digest && holds(&many.members);
        let back: Vec<String> =
            self.many.iter().filter(|(_, many)| is_back(many)).map(|(page, _)| page.clone()).collect();
        for page in back {
            let Some(many) = self.many.remove(&page) else { continue };
            self.changed_notes.insert(format!("many/{page}"));
            out.cancels.push(crate::model::Cancel { page, why: why.to_owned() });
            let Some(channel) = Channel::parse(&many.channel) else { continue };
            if let Some(counts) = self.counts.get_mut(&many.to).filter(|_| !many.is_s1) {
                counts.give_back(Severity::S2, channel, many.decided);
                self.changed_notes.insert(format!("cap/{}", many.to));
            }
            let key = FoldKey { to: many.to, channel, is_s1: many.is_s1, is_end: false, is_drill: many.is_drill };
            self.changed_notes.insert(format!("fold/{}", key.text()));
            let fold = self.folds.entry(key).or_default();
            fold.due = now;
            let newer = std::mem::take(&mut fold.members);
            fold.members = many.members;
            fold.members.retain(|old| newer.iter().all(|new| new.incident != old.incident));
            fold.members.extend(newer);
        }
        self.take_out(id, false).into_iter().map(|(seat, member)| (seat, member.step, member.reason())).collect()
    }

    /// Takes an incident's end out of all folds.
    pub(super) fn unfold_ends(&mut self, id: &str) -> Vec<Seat> {
        self.take_out(id, true).into_iter().map(|(seat, _)| seat).collect()
    }

    /// Takes the end of an incident out of the folds of one person.
    pub(super) fn unfold_end_of(&mut self, id: &str, (to, channel): &Seat) {
        let is_theirs = |key: &FoldKey| key.is_end && key.to == *to && key.channel == *channel;
        for (key, fold) in self.folds.iter_mut().filter(|(key, _)| is_theirs(key)) {
            let n_before = fold.members.len();
            fold.members.retain(|member| member.incident != id);
            if fold.members.len() < n_before {
                self.changed_notes.insert(format!("fold/{}", key.text()));
            }
        }
    }

    fn take_out(&mut self, id: &str, is_end: bool) -> Vec<(Seat, Member)> {
        let mut found = Vec::new();
        for (key, fold) in self.folds.iter_mut().filter(|(key, _)| key.is_end == is_end) {
            while let Some(at) = fold.members.iter().position(|member| member.incident == id) {
                found.push(((key.to.clone(), key.channel), fold.members.remove(at)));
                self.changed_notes.insert(format!("fold/{}", key.text()));
            }
        }
        found
    }

    pub(super) fn due_folds(&mut self, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        let is_due = |fold: &Fold| !fold.members.is_empty() && fold.due <= now;
        let due = self.folds.iter().filter(|(_, fold)| is_due(fold)).map(|(key, _)| key.clone());
        for key in due.collect::<Vec<_>>() {
            self.leave(&key, incidents, now, out);
        }
    }

    /// A fold leaves: as a summary, or as an ordinary page where one member is left.
    fn leave(&mut self, key: &FoldKey, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        let hour_max = self.hour_max();
        let counts = self.counts.entry(key.to.clone()).or_default();
        let class = if key.is_s1 { Severity::S1 } else { Severity::S2 };
        let room = if key.is_s1 { Ok(()) } else { counts.take(class, key.channel, (hour_max, now)) };
        self.changed_notes.insert(format!("cap/{}", key.to));
        self.changed_notes.insert(format!("fold/{}", key.text()));
        let Some(fold) = self.folds.get_mut(key) else { return };
        if let Err(free) = room {
            fold.due = free;
            return;
        }
        let wanted = |member: &Member| {
            let incident = incidents.get(&member.incident);
            let is_so = |it: &Incident| it.state == IncidentState::Open && it.occurrence == member.occurrence;
            // That it comes and goes is so in whatever occurrence.
            let is_flapping = |it: &Incident| {
                let is_open = it.state == IncidentState::Open && member.reason() == Reason::Flapping;
                it.flapping && (is_open || stays_true(it, member.reason()))
            };
            key.is_end || incident.is_some_and(|it| !it.holds_pages() && (is_so(it) || is_flapping(it)))
        };
        let members: Vec<Member> = std::mem::take(&mut fold.members).into_iter().filter(wanted).collect();
        let Some(first) = members.first().cloned() else { return };
        (fold.last, fold.n_left) = (Some(now), fold.n_left + 1);
        let n_left = fold.n_left;
        let alone = incidents.get(&first.incident).filter(|_| members.len() == 1);
        if let Some(incident) = alone {
            let place = (first.step, first.round, first.reason());
            self.send(Call { incident, now }, place, (&key.to, key.channel), out);
            return;
        }
        let severity = members.iter().map(Member::severity).min().unwrap_or(class);
        // A storm stands for all that hangs under it.
        let weight = |member: &Member| incidents.get(&member.incident).map_or(1, size::size);
        let n = members.iter().map(weight).sum();
        let n_over = if key.is_end { n } else { 0 };
        let several =
            Several { first: &first.incident, n, n_over, severity, daily: false, is_drill: key.is_drill, now };
        let step = if key.is_end { STEP_ENDS } else { STEP_STORM };
        self.send_many(&several, (step, n_left, first.occurrence), (&key.to, key.channel), out);
        let id = out.pages.last().map(|page| page.id.clone()).unwrap_or_default();
        let many = Many {
            to: key.to.clone(),
            channel: key.channel.word().to_owned(),
            is_s1: key.is_s1,
            is_end: key.is_end,
            is_digest: false,
            is_drill: key.is_drill,
            is_handed: false,
            decided: now,
            members,
        };
        self.keep_many(id, many);
    }

    /// Writes one page about several incidents.
    fn send_many(
        &mut self,
        several: &Several<'_>,
        (step, round, occurrence): (i64, i64, i64),
        (to, channel): (&str, Channel),
        out: &mut Decisions,
    ) {
        let (incident, reason) = (several.first, Reason::Digest);
        let text = wording::render_several(several, channel);
        out.pages.push(Page {
            id: PageKey { incident, step, round, to, channel, reason, occurrence }.id(),
            incident: incident.to_owned(),
            severity: several.severity,
            reason,
            step,
            round,
            occurrence,
            to: to.to_owned(),
            channel,
            title: text.title,
            text: text.text,
            decided: several.now,
            due: several.now,
            wanted: several.now + within(several.severity, if several.daily { reason } else { Reason::Escalated }),
            deadline: several.now + lifetime(several.severity, reason),
            came: None,
            prompt: false,
        });
    }

    fn keep_many(&mut self, page: String, many: Many) {
        self.changed_notes.insert(format!("many/{page}"));
        self.many.insert(page, many);
    }

    pub(super) fn handed_many(&mut self, page: &str) {
        let Some(many) = self.many.get_mut(page) else { return };
        many.is_handed = true;
        let many = many.clone();
        self.changed_notes.insert(format!("many/{page}"));
        let Some(channel) = Channel::parse(&many.channel) else { return };
        for member in many.members.iter().filter(|_| !many.is_end && !many.is_digest) {
            self.tell(&member.incident, member.occurrence, (many.to.clone(), channel));
        }
    }

    pub(super) fn outcome_many(&mut self, page: &str, outcome: &Outcome, out: &mut Decisions) {
        let arrives = matches!(outcome, Outcome::Accepted { .. } | Outcome::Delivered { .. });
        let is_final = arrives || matches!(outcome, Outcome::Failed { .. });
        let Some(many) = self.many.get(page).cloned().filter(|_| is_final) else { return };
        self.many.remove(page);
        self.changed_notes.insert(format!("many/{page}"));
        let members = many.members.into_iter().filter(|_| !many.is_end).map(|member| member.incident);
        if arrives {
            let members: Vec<String> = members.collect();
            members.iter().for_each(|incident| self.set_hurry(incident, None));
            out.told.extend(members);
        } else if let Some(channel) = Channel::parse(&many.channel).filter(|_| !many.is_digest) {
            members.for_each(|incident| self.untell(&incident, &(many.to.clone(), channel), out));
        }
    }

    /// Puts an incident on the digest of its chain; returns when that leaves.
    pub(super) fn add_digest_line(&mut self, call: Call<'_>) -> Ms {
        let Some(run) = self.runs.get(&call.incident.id) else { return call.now };
        let key = run.chain.id.clone();
        self.changed_notes.insert(format!("digest/{key}"));
        let digest = self.digests.entry(key).or_insert_with(|| Digest {
            chain: run.row.snapshot.clone(),
            due: self.people.calendar.next_hour(run.chain.digest_hour, run.chain.digest_working_days, call.now),
            ..Digest::default()
        });
        let Incident { id, severity, .. } = call.incident;
        let line = Line { incident: id.clone(), severity: severity.code().to_owned() };
        if let Some(known) = digest.lines.iter_mut().find(|known| known.incident == *id) {
            *known = line;
        } else if digest.lines.len() < DIGEST_MAX {
            digest.lines.push(line);
        } else {
            digest.more += 1;
        }
        digest.due
    }

    pub(super) fn due_digests(&mut self, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        let due = self.digests.iter().filter(|(_, digest)| digest.due <= now).map(|(key, _)| key.clone());
        for key in due.collect::<Vec<_>>() {
            self.changed_notes.insert(format!("digest/{key}"));
            let Some(mut digest) = self.digests.remove(&key) else { continue };
            // What is muted, or hangs under what speaks for it, is a line again when it no longer is; what somebody took
            // wakes nobody by itself.
            let is = |line: &Line, test: fn(&Incident) -> bool| incidents.get(&line.incident).is_some_and(test);
            digest.lines.retain(|line| !is(line, |it| it.muted.is_some() || it.parent.is_some()));
            digest.lines.sort_by_key(|line| is(line, |it| it.state == IncidentState::Acked));
            let Some(first) = digest.lines.first() else { continue };
            if is(first, |it| it.state == IncidentState::Acked) && digest.more == 0 {
                continue;
            }
            let chain = snapshot::read(&digest.chain).map_or_else(nobody, |(chain, _)| chain);
            let n_live = digest.lines.iter().filter(|line| is(line, |it| it.state.is_live())).count();
            let n = digest.lines.len() + digest.more;
            let severity = digest.lines.iter().filter_map(|line| Severity::parse(&line.severity)).min();
            let severity = severity.unwrap_or(Severity::S4);
            let several =
                Several { first: &first.incident, n, n_over: n - n_live, severity, daily: true, is_drill: false, now };
            for (to, channel) in group::digest(&self.people, &chain, now) {
                self.send_many(&several, (STEP_DIGEST, now, 0), (&to, channel), out);
                let id = out.pages.last().map(|page| page.id.clone()).unwrap_or_default();
                let members = digest.lines.iter().map(|line| Member {
                    incident: line.incident.clone(),
                    occurrence: 0,
                    step: STEP_DIGEST,
                    round: 0,
                    reason: Reason::Digest.word().to_owned(),
                    severity: line.severity.clone(),
                });
                let many = Many {
                    to,
                    channel: channel.word().to_owned(),
                    is_s1: false,
                    is_end: false,
                    is_digest: true,
                    is_drill: false,
                    is_handed: false,
                    decided: now,
                    members: members.collect(),
                };
                self.keep_many(id, many);
            }
        }
    }

    /// The text of a note, `None` where there is nothing to keep.
    pub(super) fn note(&self, key: &str) -> Option<String> {
        let (kind, rest) = key.split_once('/')?;
        match kind {
            "cap" => self.counts.get(rest).and_then(|counts| serde_json::to_string(counts).ok()),
            "fold" => self.folds.get(&FoldKey::parse(rest)?).and_then(|fold| serde_json::to_string(fold).ok()),
            "pace" => Some(self.paces.get(&Channel::parse(rest)?)?.to_string()),
            "many" => self.many.get(rest).and_then(|many| serde_json::to_string(many).ok()),
            "digest" => self.digests.get(rest).and_then(|digest| serde_json::to_string(digest).ok()),
            KIND => self.empties.get(rest).filter(|it| !it.is_empty()).and_then(|it| serde_json::to_string(it).ok()),
            _ => None,
        }
    }

    /// Reads what [`Desk::note`] gave. A note that cannot be read is left out: caps and summaries are not worth a halt.
    pub(super) fn load_note(&mut self, key: &str, text: &str) {
        let Some((kind, rest)) = key.split_once('/') else { return };
        let rest = rest.to_owned();
        match kind {
            "cap" => drop(serde_json::from_str::<Counts>(text).map(|counts| self.counts.insert(rest, counts))),
            "pace" => drop(Channel::parse(&rest).zip(text.parse().ok()).map(|(of, p99)| self.paces.insert(of, p99))),
            "many" => drop(serde_json::from_str(text).map(|many| self.many.insert(rest, many))),
            "digest" => drop(serde_json::from_str(text).map(|digest| self.digests.insert(rest, digest))),
            KIND => drop(empty_steps(text).map(|steps| self.empties.insert(rest, steps))),
            "fold" => {
                if let (Some(key), Ok(fold)) = (FoldKey::parse(&rest), serde_json::from_str(text)) {
                    self.folds.insert(key, fold);
                }
            }
            _ => {}
        }
    }
}

/// Steps of pages that belong to no step.
const STEP_STORM: i64 = -1;
const STEP_ENDS: i64 = -2;
const STEP_DIGEST: i64 = -3;
