//! Silences: asked for, approved, ended, kept.
//!
//! The idea: a silence has an owner, a reason and an end, or it is none. What would have hidden much, an S1 or
//! everything waits until another contact approves. It never changes what it matches: an edit ends it and makes a new
//! one. After its end it is kept for [`KEPT`], so that nobody wonders who had silenced what.

use std::collections::{BTreeMap, BTreeSet};

use super::fits::{Fits, Subject};
use super::{Hit, Setup, may_hide};
use crate::incident::notes::Notes;
use crate::model::wire::{silence_from_json, silence_to_json};
use crate::model::{Incident, MuteKind, Severity, Silence, SilenceAsk, SilenceState, spoken};
use crate::time::{DAY, Ms, SECOND, rfc3339_seconds as rfc3339, show_days, show_duration};

/// How long a silence is kept after its end.
const KEPT: Ms = 90 * DAY;
/// Silences that are not over, at most.
const MOST: usize = 500;
/// Matchers of one silence, at most.
const MATCHERS_MAX: usize = 20;
/// First characters of the notes that hold silences, after those of the stage.
pub const SILENCE_NOTES: &str = "silence/";

/// All silences that are kept, by number.
#[derive(Debug, Clone, Default)]
pub(in crate::incident) struct Silences {
    all: BTreeMap<String, (Silence, Fits)>,
    changed: BTreeSet<String>,
}

impl Silences {
    pub(in crate::incident) fn load(notes: &Notes) -> Self {
        let read = |(_, text): (String, String)| {
            let silence = silence_from_json(&serde_json::from_str(&text).ok()?)?;
            let fits = Fits::new(&silence.matchers).ok()?;
            Some((silence.id.clone(), (silence, fits)))
        };
        Self { all: notes.under(SILENCE_NOTES).into_iter().filter_map(read).collect(), changed: BTreeSet::new() }
    }

    pub(in crate::incident) fn save(&mut self, notes: &mut Notes) {
        for id in std::mem::take(&mut self.changed) {
            let key = format!("{SILENCE_NOTES}{id}");
            match self.all.get(&id) {
                Some((silence, _)) => notes.put(&key, silence_to_json(silence).to_string()),
                None => notes.remove(&key),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The wall clock was set: what had begun goes on to its end by the calendar.
    pub(in crate::incident) fn set_clock(&mut self, before: Ms, now: Ms) {
        for (id, (silence, _)) in &mut self.all {
            if silence.from <= before && silence.from > now {
                silence.from = now;
                self.changed.insert(id.clone());
            }
        }
    }

    /// The next instant at which one begins or ends.
    pub(super) fn next(&self, now: Ms) -> Option<Ms> {
        let edges = self.all.values().flat_map(|(silence, _)| [silence.from, silence.until]);
        edges.filter(|edge| *edge > now).min()
    }

    /// The silence that mutes an incident, the first by number.
    pub(super) fn hit(&self, incident: &Incident, subject: &Subject<'_>, now: Ms) -> Option<Hit> {
        let fits = |(silence, fits): &&(Silence, Fits)| {
            silence.state(now) == SilenceState::Active && hides(fits, incident, subject)
        };
        let (silence, _) = self.all.values().find(fits)?;
        Some(Hit {
            kind: MuteKind::Silence,
            by: silence.id.clone(),
            who: silence.by.clone(),
            why: silence.reason.clone(),
            until: Some(silence.until),
        })
    }

    /// Takes what was asked for: the sentence for whoever asked, or why it is refused. `number` draws the next number
    /// for an instant; `live` are the incidents that are open or acked.
    pub(in crate::incident) fn add<'a>(
        &mut self,
        ask: &SilenceAsk,
        setup: &Setup,
        live: impl Iterator<Item = &'a Incident>,
        number: impl FnOnce() -> String,
        now: Ms,
    ) -> Result<String, String> {
        let fits = self.sound(ask, setup, now)?;
        let needs = self.needs(ask, &fits, setup, live);
        if let Some(old) = &ask.replaces {
            self.is_living(old, now)?;
            if needs.is_none() {
                self.end(old, &ask.by, now)?;
            }
        }
        self.forget(now);
        let silence = Silence {
            id: number(),
            matchers: ask.matchers.clone(),
            from: ask.from.unwrap_or(now).max(now),
            until: ask.until,
            by: ask.by.clone(),
            reason: ask.reason.clone(),
            made: now,
            hides: ask.hides,
            needs,
            approver: ask.approver.clone(),
            approved: None,
            expired_by: None,
            replaces: ask.replaces.clone(),
        };
        let answer = told(&silence, now);
        self.changed.insert(silence.id.clone());
        self.all.insert(silence.id.clone(), (silence, fits));
        Ok(answer)
    }

    /// Everything that must be right about a silence whatever it hides.
    fn sound(&self, ask: &SilenceAsk, setup: &Setup, now: Ms) -> Result<Fits, String> {
        let from = ask.from.unwrap_or(now).max(now);
        let longest = setup.muting.silence_length;
        let blank = |text: &str| text.trim().is_empty();
        let living = self.all.values().filter(|(silence, _)| silence.until > now).count();
        let wrong = if ask.matchers.is_empty() {
            "대상이 없으면 모든 장애가 가려집니다. host=db-01 처럼 대상을 쓰십시오.".to_owned()
        } else if ask.matchers.len() > MATCHERS_MAX {
            format!("알림중지의 대상 조건은 {MATCHERS_MAX}개까지입니다.")
        } else if blank(&ask.by) || blank(&ask.reason) {
            "알림중지에는 담당자와 사유가 있어야 합니다.".to_owned()
        } else if ask.until < from + SECOND {
            format!("종료({})가 시작({}) 뒤가 아닙니다.", rfc3339(ask.until), rfc3339(from))
        } else if ask.until - from > longest {
            let help = "짧게 걸고 연장하거나 calendar.yaml에 정기점검으로 등록하십시오.";
            format!("알림중지는 최대 {}입니다. {help}", show_duration(longest))
        } else if living >= MOST {
            format!("알림중지가 이미 {MOST}건 있습니다. 필요 없는 것을 해제하십시오.")
        } else if ask.approver.as_ref() == Some(&ask.by) {
            "자기 알림중지는 승인할 수 없습니다. 다른 연락처를 승인자로 쓰십시오.".to_owned()
        } else if let Some(other) = ask.approver.as_ref().filter(|other| !setup.contacts.contains(*other)) {
            format!("승인자 `{other}` 연락처가 없습니다.")
        } else {
            return Fits::new(&ask.matchers);
        };
        Err(wrong)
    }

    /// Why a second approver is needed, where one is.
    fn needs<'a>(
        &self,
        ask: &SilenceAsk,
        fits: &Fits,
        setup: &Setup,
        live: impl Iterator<Item = &'a Incident>,
    ) -> Option<String> {
        let is_hidden = |it: &&Incident| hides(fits, it, &Subject::new(it, &setup.inventory));
        let grave = live.filter(|it| it.severity == Severity::S1).find(is_hidden);
        let days = ask.hides.over / DAY;
        let most = setup.muting.silence_incidents;
        if fits.is_broad() {
            Some("모든 장애가 대상".to_owned())
        } else if let Some(grave) = grave {
            Some(format!("중대(S1) 장애 {} 포함", grave.id))
        } else if ask.hides.s1 > 0 {
            Some(format!("지난 {days}일의 중대(S1) 장애 {}건 포함", ask.hides.s1))
        } else if ask.hides.incidents > most {
            let n = ask.hides.incidents;
            Some(format!("지난 {days}일의 장애 {n}건 포함({most}건 초과)"))
        } else {
            None
        }
    }

    fn is_living(&self, id: &str, now: Ms) -> Result<(), String> {
        match self.all.get(id) {
            None => Err(nowhere(id)),
            Some((silence, _)) if silence.until <= now => Err(format!("{id} 이미 끝난 알림중지입니다.")),
            Some(_) => Ok(()),
        }
    }

    /// Ends a silence before its time.
    pub(in crate::incident) fn end(&mut self, id: &str, by: &str, now: Ms) -> Result<String, String> {
        self.is_living(id, now)?;
        if let Some((silence, _)) = self.all.get_mut(id) {
            (silence.until, silence.expired_by) = (now, Some(by.to_owned()));
            self.changed.insert(id.to_owned());
        }
        Ok(format!("{id} 알림중지를 해제했습니다({}).", spoken(by)))
    }

    /// The second approver says yes.
    pub(in crate::incident) fn approve(
        &mut self,
        id: &str,
        by: &str,
        setup: &Setup,
        now: Ms,
    ) -> Result<String, String> {
        let Some((silence, _)) = self.all.get_mut(id) else { return Err(nowhere(id)) };
        if silence.state(now) != SilenceState::Waiting {
            return Err(format!("{id} 승인을 기다리는 알림중지가 아닙니다."));
        }
        if silence.by == by {
            return Err(format!("{id} {by} 자신의 알림중지입니다. 다른 연락처가 승인해야 합니다."));
        }
        if !setup.contacts.contains(by) {
            return Err(format!("`{by}` 연락처가 없습니다. 비상연락망에 있는 사람만 승인할 수 있습니다."));
        }
        if let Some(asked) = silence.approver.as_ref().filter(|asked| *asked != by) {
            return Err(format!("{id} {asked}의 승인을 기다립니다({by} 아님)."));
        }
        silence.approved = Some((by.to_owned(), now));
        let (until, old) = (silence.until, silence.replaces.clone());
        self.changed.insert(id.to_owned());
        if let Some(old) = old {
            // The one whose place it takes held until now; it may have ended by itself meanwhile.
            let _ = self.end(&old, by, now);
        }
        Ok(format!("{id} 승인했습니다({by}). {}까지 통보를 멈춥니다.", rfc3339(until)))
    }

    fn forget(&mut self, now: Ms) {
        let old = self.all.values().filter(|(silence, _)| silence.until + KEPT < now);
        for id in old.map(|(silence, _)| silence.id.clone()).collect::<Vec<_>>() {
            self.all.remove(&id);
            self.changed.insert(id);
        }
    }
}

/// Whether matchers that fit an incident may also hide it: drills and S1 of 보안 have to be meant outright.
pub fn hides(fits: &Fits, incident: &Incident, subject: &Subject<'_>) -> bool {
    let is_meant = !incident.is_drill() || fits.names("drill", "true") || fits.names("incident", &incident.id);
    is_meant && fits.fit(subject) && may_hide(fits, incident)
}

fn nowhere(id: &str) -> String {
    format!("`{id}` 알림중지가 없습니다. `bongsu silence list`에서 번호를 확인하십시오.")
}

/// The answer to whoever asked for it.
fn told(silence: &Silence, now: Ms) -> String {
    let Silence { id, until, hides, .. } = silence;
    let seen = format!(
        "지난 {}이라면 장애 {}건 가운데 {}건(중대 {}건)과 통보 {}건을 가렸을 것입니다",
        show_days(hides.over),
        hides.of,
        hides.incidents,
        hides.s1,
        hides.pages
    );
    match (&silence.needs, &silence.approver) {
        (Some(why), Some(who)) => {
            format!("{id} {who}의 승인을 기다립니다: {why}. {seen}. 승인 전에는 계속 통보합니다.")
        }
        (Some(why), None) => {
            format!("{id} 다른 연락처의 승인을 기다립니다: {why}. {seen}. 승인 전에는 계속 통보합니다.")
        }
        (None, _) if now < silence.from => {
            format!("{id} {}부터 {}까지 통보를 멈춥니다. {seen}.", rfc3339(silence.from), rfc3339(*until))
        }
        (None, _) => format!("{id} {}까지 통보를 멈춥니다. {seen}.", rfc3339(*until)),
    }
}
