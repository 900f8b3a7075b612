//! What people do in a world: take, hand over, give back, end and reopen incidents; silence, approve, drill.
//!
//! The idea: a plan says "the third of whatever is open", and here that becomes the input that a person's command would be,
//! noted word for word, so that the audit can ask whether it was taken as it was given.

use crate::model::wire::silence_from_json;
use crate::model::{
    BROKEN_CONFIG, DRILL_LABEL, DrillAsk, Incident, IncidentState, Input, Labels, Matcher, Preview, Severity, Silence,
    SilenceAsk, State,
};
use crate::pipeline::own::own_signal;
use crate::pipeline::sim::plan::{Act, Code, Hush};
use crate::pipeline::sim::setting::{HOSTS, PERSONS};
use crate::pipeline::sim::site::is;
use crate::pipeline::sim::world::World;
use crate::time::{HOUR, MINUTE, Ms};

/// More rows than any world makes.
const ALL: usize = 1_000_000;
/// How long a drill lasts at most.
const DRILL_LENGTH: Ms = 3 * MINUTE;

impl World {
    /// What a person asks for.
    pub(super) fn person(&mut self, act: &Act) -> Result<(), String> {
        let input = match act {
            Act::Silence(hush) => Some(self.silence(hush)?),
            Act::Expire(pick, by) => {
                self.picked_silence(*pick)?.map(|silence| Input::Expire { silence, by: person(*by) })
            }
            Act::Approve(pick, by) => {
                self.picked_silence(*pick)?.map(|silence| Input::Approve { silence, by: person(*by) })
            }
            Act::Drill(host, severity) => self.drill(*host, *severity)?,
            Act::BrokenFile(is_broken) => Some(self.broken_file(*is_broken)),
            _ => self.about_an_incident(act)?,
        };
        input.map_or(Ok(()), |input| self.ask(input))
    }

    fn ask(&mut self, input: Input) -> Result<(), String> {
        let row = self.ground.store.add_input(&input, self.now()).map_err(|error| error.to_string())?;
        self.asked.push((row, input));
        Ok(())
    }

    /// Of an incident that is not closed.
    fn about_an_incident(&self, act: &Act) -> Result<Option<Input>, String> {
        let (pick, by) = match *act {
            Act::Ack(pick, by, _) | Act::AckCode(pick, by, _) | Act::Handover(pick, by, _) => (pick, by),
            Act::Unack(pick, by) | Act::Resolve(pick, by) | Act::Reopen(pick, by) => (pick, by),
            _ => return Ok(None),
        };
        let all = self.ground.store.incidents(ALL).map_err(|error| error.to_string())?;
        let open: Vec<&Incident> = all.iter().filter(|it| it.state != IncidentState::Closed).collect();
        let Some(it) = open.get(pick % open.len().max(1)) else { return Ok(None) };
        let (incident, note, hand) = (it.id.clone(), String::new(), person(by));
        Ok(Some(match *act {
            Act::Ack(_, _, hold) => Input::Ack { incident, by: hand, note, hold },
            Act::AckCode(_, _, code) => {
                let (occurrence, used) = match code {
                    Code::Newest => (it.occurrence, it.codes_used),
                    Code::Used => (it.occurrence, it.codes_used - 1),
                    Code::Expired => (it.occurrence - 1, it.codes_used),
                };
                Input::AckCode { incident, occurrence, used, by: hand, note, hold: HOUR }
            }
            Act::Handover(_, _, hold) => Input::Handover { incident, by: hand, to: person(by + 1), note, hold },
            Act::Unack(..) => Input::Unack { incident, by: hand },
            Act::Resolve(..) => Input::Resolve { incident, by: hand, note },
            _ => Input::Reopen { incident, by: hand },
        }))
    }

    fn silence(&self, hush: &Hush) -> Result<Input, String> {
        let now = self.now();
        let from = (hush.after > 0).then(|| now + hush.after);
        let replaces = match hush.replaces {
            Some(pick) => self.picked_silence(pick)?,
            None => None,
        };
        Ok(Input::Silence(Box::new(SilenceAsk {
            matchers: about(hush.about),
            from,
            until: from.unwrap_or(now) + hush.length,
            by: person(hush.by),
            reason: "점검".to_owned(),
            // One more than there are persons is nobody.
            approver: hush.approver.map(|n| format!("person-{}", n + 1)),
            replaces,
            hides: Preview { s1: i64::from(hush.is_grave), ..Preview::default() },
        })))
    }

    /// A silence, over or not.
    fn picked_silence(&self, pick: usize) -> Result<Option<String>, String> {
        let prefix = format!("{}{}", crate::incident::NOTES, crate::incident::mute::SILENCE_NOTES);
        let notes = self.ground.store.notes(&prefix).map_err(|error| error.to_string())?;
        let read = |(_, text): &(String, String)| silence_from_json(&serde_json::from_str(text).ok()?);
        let all: Vec<Silence> = notes.iter().filter_map(read).collect();
        Ok(all.get(pick % all.len().max(1)).map(|silence| silence.id.clone()))
    }

    /// Somebody starts a drill, or ends the newest.
    fn drill(&self, host: usize, severity: Option<usize>) -> Result<Option<Input>, String> {
        let by = person(host);
        let Some(severity) = severity else {
            let all = self.ground.store.incidents(ALL).map_err(|error| error.to_string())?;
            let is_drill = |it: &&Incident| it.state != IncidentState::Closed && it.labels.get(DRILL_LABEL).is_some();
            let drill = all.iter().find(is_drill);
            return Ok(drill.map(|it| Input::Resolve { incident: it.id.clone(), by, note: String::new() }));
        };
        Ok(Some(Input::Drill(Box::new(DrillAsk {
            rule: "value-high".to_owned(),
            labels: Labels::new([("host", HOSTS[host])]),
            severity: Severity::ALL[severity],
            hold: DRILL_LENGTH,
            by,
            note: String::new(),
        }))))
    }

    /// What was edited stays as it was before, and that is an incident.
    fn broken_file(&self, is_broken: bool) -> Input {
        let to = if is_broken { State::Firing } else { State::Resolved };
        Input::Own(own_signal(&BROKEN_CONFIG, Labels::new([("file", "rules.yaml")]), to, self.now()))
    }
}

/// The id of a person.
pub(super) fn person(n: usize) -> String {
    format!("person-{}", n % PERSONS + 1)
}

/// What a silence is about.
pub(super) fn about(kind: usize) -> Vec<Matcher> {
    match kind {
        host if host < HOSTS.len() => vec![is("host", HOSTS[host])],
        8 => vec![is("rule", "value-high")],
        9 => vec![is("rule", "beat-gone")],
        10 => vec![is("severity", "S2")],
        11 => vec![is("drill", "true")],
        12 => vec![is("domain", "보안")],
        _ => vec![is("host", HOSTS[0]), is("severity", "S3")],
    }
}
