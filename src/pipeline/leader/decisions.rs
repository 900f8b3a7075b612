//! The decision to tell or not, as a table: what was told before, what happens now, who hears of it and why.
//!
//! A row is two short scripts and the pages that the second one causes. It is run three times: as it is, with a change of
//! leaders after every commit, and from the ledger alone. The cases are those of Alertmanager's notification log (first,
//! new, resolved, repeat) and what Bongsu adds to them: severities, acks, silences, sources of inhibition, groups.
//!
//! A script is parts apart by `;`: `S2` fires (or goes on firing at) that severity, `fire S2` fires anew although it
//! fires, `end` ends, `+5m` lets time pass, `off` and `on` are everybody's phones; `ack 1h`, `unack`, `resolve`,
//! `reopen`, `handover` and `silence 1h`, `approve`, `expire` are people. `late` before a signal: it is read ten minutes after it
//! happened; `caught up`: the reader is no longer behind. A part may begin with what it is about: `b` is another host,
//! `node` is what explains `db`, `m1` and `m2` are two members of one service. Left out: `db`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::stand::{Stand, people, rule, signal};
use super::{Leader, World};
use crate::model::*;
use crate::time::{DAY, MINUTE, parse_duration};

/// What it shows, before, now, who hears (person, channels, reason).
type Row = (&'static str, &'static str, &'static str, &'static str);

const FIRST: &str = "msp-duty-1 sms first";
const WORSE: &str = "msp-duty-1 sms worsened";
const AGAIN: &str = "msp-duty-1 sms reopened";
const OVER: &str = "msp-duty-1 sms resolved";
const NEXT: &str = "csp-duty sms+mail escalated";
const LAST: &str = "boss sms+mail escalated, owner sms+mail escalated";
const REPEAT: &str = "boss sms+mail repeat, owner sms+mail repeat";
const NOBODY: &str = "";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Nothing was told before.
    ("it fires for the first time", "", "S2", FIRST),
    ("an end of what never was", "", "end", NOBODY),
    ("over before anybody could be told", "off; S2; end", "on; +1h", NOBODY),
    ("and the morning says that it was", "off; S2; end", "on; +1d", "msp-duty-1 sms digest"),
    ("taken before anybody could be told", "off; S2; ack 1h", "on; +30m", NOBODY),
    ("another host is another incident", "S2", "b S2", FIRST),
    ("S4 waits for the morning", "", "S4; +1h", NOBODY),
    ("and is told then, once", "S4", "+2d", "msp-duty-1 sms digest"),
    ("S4 that ends before the morning is a line of the digest still", "S4; end", "+1d", "msp-duty-1 sms digest"),
    ("read late: nobody is woken until the reader has caught up", "", "late S2; +10s", NOBODY),
    ("it has, and it still fires", "late S2; +10s", "caught up", FIRST),
    ("it has, and it was over meanwhile: one line in the morning", "late S2; late end", "caught up; +1h", NOBODY),
    // The same again.
    ("it goes on firing", "S2", "S2", NOBODY),
    ("it fires anew without having ended", "S2; +1m", "fire S2", NOBODY),
    ("the wait for an ack is not over", "S2", "+299s", NOBODY),
    ("it is: the next step", "S2", "+5m", NEXT),
    ("and the last group", "S2; +5m", "+5m", LAST),
    ("the repeat interval is not over", "S2; +10m", "+599s", NOBODY),
    ("it is", "S2; +10m", "+10m", REPEAT),
    ("S3 goes up to the second step", "S3", "+5m", NEXT),
    ("and no further", "S3; +5m", "+3h", NOBODY),
    // Severity.
    ("worse than told", "S3", "S1", WORSE),
    ("worse after the second step: all told so far", "S3; +6m", "S2", "msp-duty-1 sms worsened, csp-duty sms+mail worsened"),
    ("milder than told", "S1", "S3", NOBODY),
    ("milder and as bad as told again", "S1; S3; +1m", "S1", WORSE),
    ("S4 that becomes S2 before the morning", "S4; +1m", "S2", FIRST),
    ("S1 that becomes S4: no digest of what was told", "S1; ack 2d; S4", "+1d", NOBODY),
    ("S2 that becomes S4 before anybody took it: its chain wakes nobody any more", "S2; +1m; S4", "+12h", NOBODY),
    ("and the morning tells that it is still there", "S2; +1m; S4", "+1d", "msp-duty-1 sms digest"),
    ("so too where it is given back", "S2; +1m; ack 1h; S4; +1m; unack", "+1d", "msp-duty-1 sms digest"),
    ("S4 that somebody took before the morning", "S4; ack 2d", "+1d", NOBODY),
    ("S4 under a silence in the morning", "S4; silence 2d", "+1d", NOBODY),
    ("the silence ends, it is there still: the next morning", "S4; silence 30h; +30h", "+1d", "msp-duty-1 sms digest"),
    // The end.
    ("those told of the beginning hear of the end", "S2", "end", OVER),
    ("on every channel they were told on", "S2; +6m", "end", "msp-duty-1 sms resolved, csp-duty sms+mail resolved"),
    ("whoever took it too", "S2; ack 1h", "end", OVER),
    ("an end is told once", "S2; end", "end", NOBODY),
    ("nothing follows an end", "S2; end", "+2h", NOBODY),
    ("a page that never left needs no end", "off; S2; +1m", "end; on; +1m", NOBODY),
    ("a page that leaves late is one still", "off; S2; +1m", "on", FIRST),
    // Back again.
    ("back within half an hour", "S2; +1m; end; +10m", "S2", AGAIN),
    ("back worse", "S2; +1m; end; +10m", "S1", AGAIN),
    ("back milder", "S1; +1m; end; +10m", "S3", AGAIN),
    ("back later: another incident", "S2; end; +31m", "S2", FIRST),
    ("back for the third time in an hour", "S2; end; +1m; S2; end; +1m; S2; end; +1m", "S2", "msp-duty-1 sms flapping"),
    ("and goes on so", "S2; end; +1m; S2; end; +1m; S2; end; +1m; S2", "end; +1m; S2; end; +1m; S2", NOBODY),
    ("but a first S1 is never held back", "S2; end; +1m; S2; end; +1m; S2; end; +1m; S2", "S1", WORSE),
    ("calm again: the end is told", "S2; end; +1m; S2; end; +1m; S2; end; +1m; S2; end", "+30m", OVER),
    // People.
    ("somebody has it", "S2; ack 1h", "+50m", NOBODY),
    ("their time is over: the step at which it stood speaks again", "S2; ack 30m", "+30m", "msp-duty-1 sms escalated"),
    ("they give it back: so too", "S2; +6m; ack 1d; +1m", "unack; +1s", NEXT),
    ("and on from there", "S2; +6m; ack 1d; +1m; unack", "+5m", LAST),
    ("worse than what they took", "S2; ack 1d", "S1", WORSE),
    ("milder than what they took", "S1; ack 1d", "S3; +1h", NOBODY),
    ("an ack of one is no ack of another", "S2; ack 1d", "b S2", FIRST),
    ("handed over: the next person is told", "S2; ack 1d", "handover", "boss sms handover"),
    ("a person says it is over", "S2", "resolve", OVER),
    ("it fires on as they saw it", "S2; resolve", "S2; +1h", NOBODY),
    ("they were wrong", "S2; resolve; +1m", "reopen", AGAIN),
    // Silences.
    ("it begins under a silence", "silence 1h", "S2; +59m", NOBODY),
    ("the silence ends, it fires: a first", "silence 1h; S2", "+1h", FIRST),
    ("the silence is ended by hand", "silence 1h; S2", "expire", FIRST),
    ("the silence ends, it is over", "silence 1h; S2; +1m; end", "+2h", NOBODY),
    ("told before: the chain rests", "S2; +1m; silence 1h", "+1h", NOBODY),
    ("and goes on with what was left of its wait", "S2; +1m; silence 1h; +1h", "+4m", NEXT),
    ("over under the silence: whoever was told hears of it", "S2; +1m; silence 1h", "end", OVER),
    ("worse under the silence: told when it ends", "S2; +1m; silence 1h; S1; +30m", "+30m", WORSE),
    ("worse and back under the silence is no news", "S2; +1m; silence 1h; S1; S2", "+59m", NOBODY),
    ("milder under the silence is no news", "S1; +1m; silence 1h; approve; S3", "+59m", NOBODY),
    ("over and back under the silence: reopened when it ends", "S2; +1m; end; silence 20m; +1m; S2", "+19m", AGAIN),
    ("taken under the silence", "silence 1h; S2; ack 3h", "+2h", NOBODY),
    ("a silence of one hides no other", "silence 1h", "b S2", FIRST),
    ("a page that waits is withdrawn by a silence", "off; S2; silence 1h", "on; +1m", NOBODY),
    ("a silence over an S1 that nobody else approved hides nothing", "S1; +1m; silence 1h", "+4m", NEXT),
    // What explains it.
    ("its source fires", "node S1; node ack 1d", "S2; +30m", NOBODY),
    ("the source ends: ten seconds for its own end", "node S1; node ack 1d; S2; +1m", "node end; +9s", OVER),
    ("none came: a first", "node S1; node ack 1d; S2; +1m; node end", "+10s", FIRST),
    ("it came: nobody heard of it", "node S1; node ack 1d; S2; +1m; node end; +5s", "end; +1h", NOBODY),
    ("a source that comes later withdraws nothing that left", "S2; +1m", "node S2; node ack 1d; +30m", FIRST),
    ("over while its source fires: whoever was told hears of it", "S2; +1m; node S2; node ack 1d; +1m", "end", OVER),
    ("a source that is silenced explains all the same", "node silence 1h; node S2", "S2; +30m", NOBODY),
    // Groups.
    ("a second member of a group", "m1 S2; +1m", "m2 S2; +1m", NOBODY),
    ("one that is worse raises the group", "m1 S3; +1m", "m2 S1", WORSE),
    ("a member that was never told ends", "m1 S2; m2 S2; +1m", "m2 end", NOBODY),
    ("the first ends: it is told, and the other speaks for itself", "m1 S2; m2 S2; +1m", "m1 end", "msp-duty-1 sms resolved, msp-duty-1 sms first"),
    ("all end: one end for one beginning", "m1 S2; m2 S2; +1m", "m2 end; m1 end", OVER),
    ("the one that speaks is silenced: the other speaks for itself", "m1 S2; m2 S2; +1m", "m1 silence 1h", FIRST),
    ("and its chain goes on", "m1 S2; m2 S2; +1m; m1 silence 1h", "+5m", NEXT),
    ("one that comes under the silence hangs under whoever speaks", "m2 S2; +1m; m1 silence 1h", "m1 S2; +2m", NOBODY),
    ("both are silenced: nobody speaks", "m1 S2; m2 S2; +1m; m2 silence 1h", "m1 silence 1h; +5m", NOBODY),
    ("an ack of the group keeps a new member of the same severity quiet", "m1 S2; m1 ack 1d; +1m", "m2 S2; +1h", NOBODY),
    ("but not a worse one", "m1 S2; m1 ack 1d; +1m", "m2 S1", WORSE),
];

fn site() -> World {
    let member = |id: &str| Resource { id: id.to_owned(), service: Some("web".to_owned()), ..Resource::default() };
    let resources = ["m-01", "m-02"].map(|id| (id.to_owned(), member(id))).into_iter().collect();
    let bonds = Bonds { by: vec!["service".to_owned()], ..Bonds::default() };
    let slow = Arc::new(Rule { bonds, ..(*rule("slow", "응답 지연")).clone() });
    let rules = vec![rule("cpu", "CPU 사용률 과다"), rule("node-down", "노드 중단"), slow];
    let is = |label: &str, value: &str| Matcher { label: label.to_owned(), test: Test::Is, value: value.to_owned() };
    let inhibit = InhibitRule {
        source: vec![is("rule", "node-down")],
        target: vec![is("rule", "cpu")],
        equal: vec!["host".to_owned()],
    };
    let rules = RuleSet { hash: "1".to_owned(), rules, groups: Vec::new() };
    World::new(rules, people(), Inventory { resources })
        .muted_by(&Muting { inhibit: vec![inhibit], ..Muting::default() })
}

/// Rule and host of a script's subject.
const SUBJECTS: [(&str, &str, &str); 5] = [
    ("db", "cpu", "db-01"),
    ("b", "cpu", "db-02"),
    ("node", "node-down", "db-01"),
    ("m1", "slow", "m-01"),
    ("m2", "slow", "m-02"),
];

struct Play {
    stand: Stand,
    silences: usize,
    /// Rule and host of what fires.
    firing: BTreeSet<(String, String)>,
}

impl Play {
    fn script(&mut self, script: &str) {
        for part in script.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let subject = SUBJECTS.iter().find(|(word, ..)| part.split(' ').next() == Some(word));
            let rest = subject.map_or(part, |(word, ..)| part[word.len()..].trim());
            let (_, rule, host) = *subject.unwrap_or(&SUBJECTS[0]);
            self.part(rule, host, rest);
        }
    }

    fn part(&mut self, rule: &str, host: &str, part: &str) {
        let stand = &mut self.stand;
        let length = |text: &str| parse_duration(text).unwrap_or_else(|| panic!("`{text}` is no length"));
        let by = || "boss".to_owned();
        match part.split_once(' ').unwrap_or((part, "")) {
            ("off", _) => stand.delivers = false,
            ("on", _) => {
                stand.delivers = true;
                stand.settle();
            }
            ("late", what) => {
                let at = stand.now - 10 * MINUTE;
                stand.signals(vec![signal(rule, host, Severity::parse(what), at)], 9, false);
            }
            ("caught", "up") => {
                stand.input(Input::CaughtUp { topic: "t".to_owned(), partition: 0 });
            }
            ("fire", severity) => stand.signal(rule, host, Severity::parse(severity)),
            ("end", _) => {
                stand.signal(rule, host, None);
                self.firing.remove(&(rule.to_owned(), host.to_owned()));
            }
            ("ack", hold) => {
                let incident = self.number(rule, host);
                assert!(self.stand.ack(&incident, length(hold)).0, "the ack was refused");
            }
            ("unack", _) => {
                let incident = self.number(rule, host);
                self.stand.input(Input::Unack { incident, by: by() });
            }
            ("resolve", _) => {
                let incident = self.number(rule, host);
                self.stand.input(Input::Resolve { incident, by: by(), note: String::new() });
            }
            ("reopen", _) => {
                let incident = self.number(rule, host);
                self.stand.input(Input::Reopen { incident, by: by() });
            }
            ("handover", _) => {
                let incident = self.number(rule, host);
                let by = "msp-duty-1".to_owned();
                let to = "boss".to_owned();
                self.stand.input(Input::Handover { incident, by, to, note: String::new(), hold: Some(DAY) });
            }
            ("silence", hold) => {
                self.silences += 1;
                let (rule, host) = (format!("rule={rule}"), format!("host={host}"));
                assert!(stand.silence(&[&rule, &host], length(hold)).0, "the silence was refused");
            }
            ("approve", _) => assert!(stand.approve(&format!("SIL-2611-{:03}", self.silences), "boss").0),
            ("expire", _) => assert!(stand.expire(&format!("SIL-2611-{:03}", self.silences)).0),
            (severity, _) if Severity::parse(severity).is_some() => self.fires(rule, host, severity),
            (time, _) => stand.pass(length(time.strip_prefix('+').unwrap_or_else(|| panic!("`{part}` is no part")))),
        }
    }

    fn fires(&mut self, rule: &str, host: &str, severity: &str) {
        let severity = Severity::parse(severity).expect("asked before");
        if self.firing.insert((rule.to_owned(), host.to_owned())) {
            self.stand.signal(rule, host, Some(severity));
        } else {
            self.stand.regrade(rule, host, severity);
        }
    }

    fn number(&self, rule: &str, host: &str) -> String {
        let of = |it: &&Incident| *it.rule == *rule && it.labels.get("host") == Some(host);
        self.stand.rows.incidents.iter().rfind(of).expect("an incident").id.clone()
    }
}

/// `person channels reason`, in the order in which they are told, of all pages but those that had left `before`.
fn heard(pages: &[PageRow], before: &BTreeSet<String>) -> String {
    let mut told: Vec<(&str, Vec<&str>, &str)> = Vec::new();
    let left = |row: &&PageRow| row.state != PageState::Cancelled && !before.contains(&row.page.id);
    for row in pages.iter().filter(left) {
        let (to, channel, reason) = (row.page.to.as_str(), row.page.channel.word(), row.page.reason.word());
        match told
            .iter_mut()
            .find(|(other, channels, why)| (*other, *why) == (to, reason) && !channels.contains(&channel))
        {
            Some((_, channels, _)) => channels.push(channel),
            None => told.push((to, vec![channel], reason)),
        }
    }
    let one = |(to, channels, reason): &(&str, Vec<&str>, &str)| format!("{to} {} {reason}", channels.join("+"));
    told.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn play((_, before, now, _): &Row, is_crashing: bool) -> (String, Stand) {
    let mut play = Play { stand: Stand::with(site()), silences: 0, firing: BTreeSet::new() };
    play.stand.is_crashing = is_crashing;
    play.script(before);
    let left = play.stand.pages.iter().filter(|row| row.handed.is_some());
    let left = left.map(|row| row.page.id.clone()).collect();
    play.script(now);
    (heard(&play.stand.pages, &left), play.stand)
}

#[test]
fn who_is_told_and_who_is_not() {
    assert!(ROWS.len() >= 70);
    let mut wrong = Vec::new();
    for row in ROWS {
        let (name, _, _, wanted) = row;
        for is_crashing in [false, true] {
            let (found, stand) = play(row, is_crashing);
            wrong.extend((found != *wanted).then(|| format!("{name} ({is_crashing}): {found:?}, not {wanted:?}")));
            let mut again = Leader::load(&BookRows { epoch: 7, ..BookRows::default() }, stand.world.clone());
            assert!(again.replay(&stand.entries, |_| None).is_ok(), "{name}: the ledger gives the same bytes again");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
