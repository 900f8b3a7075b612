//! A plan as a file for `bongsu test`: the world's rules and people, what came in, what was done, and the promises.
//!
//! The idea: whoever debugs a seed wants to see what happened in order, to change it, and to keep what is left as a test.
//! The records are those that the world's own hosts send, to the byte; a wish of a person is a verb. What the notation has
//! no word for is a comment at its place: which of three processes dies or stands still (a scenario has one, which is all
//! of them), and what is no text.

use std::fmt::Write as _;

use crate::config::{self, Ask};
use crate::model::Matcher;
use crate::pipeline::scenario::{self, Over};
use crate::pipeline::sim::gateway::Mood;
use crate::pipeline::sim::hands::{about, person};
use crate::pipeline::sim::hosts::{Hosts, Record};
use crate::pipeline::sim::plan::{Act, Code, Hush, Plan, Who};
use crate::pipeline::sim::setting::HOSTS;
use crate::pipeline::sim::world::BEGINNING;
use crate::pipeline::sim::{CALM, CALM_BEAT};
use crate::time::Ms;

/// The plan as a file.
pub fn tell(plan: &Plan) -> String {
    let mut teller = Teller::new(plan);
    for step in &plan.steps {
        teller.at += step.pass;
        step.acts.iter().for_each(|act| teller.act(act));
    }
    teller.calm();
    teller.file()
}

/// Takes such a file as `bongsu test` does, and runs it over a store; what was not as it should be, told in sentences.
///
/// # Errors
/// The file cannot be read: its problems.
pub fn act_out(file: &str, over: Over) -> Result<Vec<String>, String> {
    let ask = Ask { env: &[], now: BEGINNING, whole: false };
    let loaded = config::load_text("world.yaml", file, &ask);
    if loaded.errors() > 0 {
        return Err(format!("{:?}", loaded.problems));
    }
    let played = loaded.scenarios.iter().flat_map(|told| scenario::play_over(told, &loaded, over.clone()).failures);
    Ok(played.map(|failure| failure.what).collect())
}

/// Who tells it, and how far it has come.
struct Teller<'a> {
    plan: &'a Plan,
    hosts: Hosts,
    /// On the scenario's clock.
    at: Ms,
    /// How far the wall clock is ahead of it, and the log's ahead of the wall clock.
    wall_ahead: Ms,
    log_ahead: Ms,
    feed: String,
    deeds: String,
}

impl<'a> Teller<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut teller = Self {
            plan,
            hosts: Hosts::new(),
            at: 0,
            wall_ahead: 0,
            log_ahead: 0,
            feed: String::new(),
            deeds: String::new(),
        };
        if !plan.can_be_asked {
            for channel in CHANNELS {
                teller.deed(&format!("gateway: {channel}, answers: ok, look_up: false"), "");
            }
        }
        teller
    }

    fn file(self) -> String {
        let Self { plan, at: until, feed, deeds, .. } = self;
        let limits = [("pages_per_hour", plan.site.pages_an_hour()), ("storm", plan.site.storm_after())];
        let limits: Vec<String> =
            limits.iter().filter_map(|(key, limit)| Some(format!("{key}: {}", (*limit)?))).collect();
        let limits =
            if limits.is_empty() { String::new() } else { format!("    limits: {{ {} }}\n", limits.join(", ")) };
        format!(
            "{}scenarios:
  - name: seed {}
    partitions: {}
    builtins: true
    promises: true
    lenient: true
    until: {until}ms
{limits}    feed:
{feed}    do:
{deeds}    expect: []
",
            plan.site.file(),
            plan.seed,
            plan.partitions,
        )
    }

    fn now(&self) -> Ms {
        BEGINNING + self.at + self.wall_ahead
    }

    /// The world heals: hosts are well, gateways take pages, and time passes.
    fn calm(&mut self) {
        for channel in CHANNELS {
            self.deed(&format!("gateway: {channel}, answers: ok"), "");
        }
        let (from, beats) = (self.at + CALM_BEAT, CALM / CALM_BEAT - 1);
        for host in HOSTS {
            for (metric, value) in [("sim.value", 10), ("sim.beat", 1)] {
                let service = &host[..2];
                let _ = writeln!(
                    self.feed,
                    "      - {{ series: '{metric}{{host=\"{host}\",service=\"{service}\"}}', at: {from}ms, every: \
                     {CALM_BEAT}ms, values: {value}x{beats}, skew: {:+}ms }}",
                    self.wall_ahead
                );
            }
        }
        self.at += CALM;
    }

    fn deed(&mut self, verb: &str, comment: &str) {
        let comment = if comment.is_empty() { String::new() } else { format!(" # {comment}") };
        let _ = writeln!(self.deeds, "      - {{ at: {}ms, {verb} }}{comment}", self.at);
    }

    /// What the notation has no word for, or what is seen by its records alone.
    fn aside(&mut self, what: &str) {
        let _ = writeln!(self.feed, "      # {}ms: {what}", self.at);
    }

    fn comes(&mut self, (key, value): Record) {
        let (key, value) = (String::from_utf8(key), String::from_utf8(value));
        match (key, value) {
            (Ok(key), Ok(value)) => {
                let value = value.replace('\'', "''");
                let _ = writeln!(self.feed, "      - {{ at: {}ms, key: {key}, record: '{value}' }}", self.at);
            }
            _ => self.aside("a record comes that is no text"),
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Level(host, level) => self.aside(&format!("{} goes to {level}", HOSTS[host])),
            Act::Silent(host, length) => self.aside(&format!("{} says nothing for {length} ms", HOSTS[host])),
            Act::Dark(part, length) => self.aside(&format!("part {part} of the hosts says nothing for {length} ms")),
            Act::Skew(host, by) => self.aside(&format!("the clock of {} is {by} ms behind", HOSTS[host])),
            _ => {}
        }
        if let Some(record) = self.hosts.act(act, self.now()) {
            self.comes(record);
        }
        match *act {
            Act::Mood(mood) => {
                for channel in CHANNELS {
                    self.deed(&format!("gateway: {channel}, answers: {}", answer(mood)), "");
                }
            }
            Act::LogClock(ahead) => {
                let by = ahead - std::mem::replace(&mut self.log_ahead, ahead);
                if by != 0 {
                    self.deed(&format!("clock: {by:+}ms, of: log"), "");
                }
                let records = self.hosts.all(self.now());
                records.into_iter().for_each(|record| self.comes(record));
            }
            Act::WallClock(by) => {
                self.deed(&format!("clock: {by:+}ms, of: wall"), "");
                (self.wall_ahead, self.log_ahead) = (self.wall_ahead + by, self.log_ahead - by);
            }
            Act::Crash(who, writes, kept) => {
                let last = if kept { "kept" } else { "lost" };
                self.deed(&format!("crash: true, writes: {writes}, last: {last}"), whom(who));
            }
            Act::Loss(who, steps) => self.aside(&format!("{} does not learn of write {steps} from now", whom(who))),
            Act::Pause(who, length) => {
                self.deed("leader: true", &format!("{} stands still for {length} ms", whom(who)));
            }
            Act::Reload(version) => self.reload(version),
            Act::BrokenFile(is_broken) => {
                self.deed(if is_broken { "reload: broken" } else { "reload: true" }, "");
            }
            Act::Receipt(pick, arrives) => {
                let said = if arrives { "delivered" } else { "failed" };
                self.deed(&format!("receipt: any, pick: {pick}, answers: {said}"), "");
            }
            _ => self.person(act),
        }
    }

    fn reload(&mut self, version: usize) {
        let parts = self.plan.site.parts(version);
        let _ = writeln!(self.deeds, "      - at: {}ms\n        reload: true", self.at);
        for line in parts.lines() {
            let _ = writeln!(self.deeds, "        {line}");
        }
    }

    /// What a person asks for.
    fn person(&mut self, act: &Act) {
        let verb = match *act {
            Act::Ack(pick, by, hold) => format!("ack: any, pick: {pick}, by: {}, for: {hold}ms", person(by)),
            Act::AckCode(pick, by, code) => {
                format!("ack: any, pick: {pick}, by: {}, for: 1h, code: {}", person(by), word(code))
            }
            Act::Handover(pick, by, hold) => {
                let hold = hold.map_or_else(String::new, |hold| format!(", for: {hold}ms"));
                format!("handover: any, pick: {pick}, by: {}, to: {}{hold}", person(by), person(by + 1))
            }
            Act::Unack(pick, by) => format!("unack: any, pick: {pick}, by: {}", person(by)),
            Act::Resolve(pick, by) => format!("resolve: any, pick: {pick}, by: {}", person(by)),
            Act::Reopen(pick, by) => format!("reopen: any, pick: {pick}, by: {}", person(by)),
            Act::Silence(ref hush) => silence(hush),
            Act::Expire(pick, by) => format!("expire: {{}}, pick: {pick}, by: {}", person(by)),
            Act::Approve(pick, by) => format!("approve: {{}}, pick: {pick}, by: {}", person(by)),
            Act::Drill(host, Some(severity)) => {
                let (name, severity, by) = (HOSTS[host], severity + 1, person(host));
                format!("drill: value-high, labels: {{ host: {name} }}, severity: S{severity}, for: 3m, by: {by}")
            }
            Act::Drill(host, None) => {
                format!("resolve: any, labels: {{ drill: \"true\" }}, pick: 0, by: {}", person(host))
            }
            _ => return,
        };
        self.deed(&verb, "");
    }
}

/// The ways out that chains use.
const CHANNELS: [&str; 2] = ["sms", "mail"];

fn silence(hush: &Hush) -> String {
    let matchers: Vec<String> =
        about(hush.about).iter().map(|Matcher { label, value, .. }| format!("{label}: \"{value}\"")).collect();
    let mut verb = format!(
        "silence: {{ {} }}, for: {}ms, by: {}, reason: 점검",
        matchers.join(", "),
        hush.length,
        person(hush.by)
    );
    if hush.after > 0 {
        let _ = write!(verb, ", after: {}ms", hush.after);
    }
    if let Some(approver) = hush.approver {
        let _ = write!(verb, ", approver: person-{}", approver + 1);
    }
    if let Some(replaces) = hush.replaces {
        let _ = write!(verb, ", replaces: {replaces}");
    }
    if hush.is_grave {
        verb.push_str(", hides_s1: true");
    }
    verb.push_str(", waits: true");
    verb
}

const fn word(code: Code) -> &'static str {
    match code {
        Code::Newest => "newest",
        Code::Used => "used",
        Code::Expired => "expired",
    }
}

const fn whom(who: Who) -> &'static str {
    match who {
        Who::Evaluator => "the evaluator",
        Who::First => "the first leader",
        Who::Second => "the second leader",
    }
}

const fn answer(mood: Mood) -> &'static str {
    match mood {
        Mood::Accepts => "ok",
        Mood::Refuses => "500",
        Mood::Hangs => "hang",
        Mood::Loses => "unknown",
        Mood::Rejects => "refused",
    }
}
