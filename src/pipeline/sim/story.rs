//! A plan as people read it: a scenario, as far as the notation of scenario files goes.
//!
//! The idea: whoever debugs a seed wants to see what happened in order, and to paste what can be told by records and verbs
//! into a file for `bongsu test`. What the notation has no word for (crashes between two writes, a host's clock) is a
//! comment at its place.

use std::fmt::Write as _;

use crate::pipeline::sim::gateway::Mood;
use crate::pipeline::sim::plan::{Act, Plan, Who};
use crate::pipeline::sim::setting::HOSTS;
use crate::time::Ms;

/// The plan as YAML.
pub(super) fn tell(plan: &Plan) -> String {
    let ask = if plan.can_be_asked { "can be asked" } else { "cannot be asked" };
    let caps = if plan.site.is_roomy { "" } else { "; usual caps" };
    let mut text = String::from("scenarios:\n");
    let _ = writeln!(text, "  - name: seed {}", plan.seed);
    let _ = writeln!(text, "    # {} partitions; a gateway that {ask}{caps}", plan.partitions);
    text.push_str("    do:\n");
    let mut at = 0;
    for step in &plan.steps {
        at += step.pass;
        for act in &step.acts {
            let _ = writeln!(text, "      {}", line(at, act));
        }
    }
    text
}

fn line(at: Ms, act: &Act) -> String {
    let verb = |what: String| format!("- {{ at: {at}ms, {what} }}");
    let person = |n: usize| format!("person-{}", n + 1);
    match *act {
        Act::Ack(pick, by, hold) => verb(format!("ack: \"#{pick}\", by: {}, for: {hold}ms", person(by))),
        Act::AckCode(pick, by, code) => {
            verb(format!("ack: \"#{pick}\", by: {}", person(by))) + &format!(" # by a code: {code:?}")
        }
        Act::Handover(pick, by, _) => {
            verb(format!("handover: \"#{pick}\", by: {}, to: {}", person(by), person((by + 1) % 3)))
        }
        Act::Unack(pick, by) => verb(format!("unack: \"#{pick}\", by: {}", person(by))),
        Act::Resolve(pick, by) => verb(format!("resolve: \"#{pick}\", by: {}", person(by))),
        Act::Reopen(pick, by) => verb(format!("reopen: \"#{pick}\", by: {}", person(by))),
        Act::Receipt(pick, arrives) => verb(format!("receipt: \"#{pick}\", delivered: {arrives}")),
        Act::Mood(mood) => verb(format!("gateway: sms, answers: {}", answer(mood))),
        Act::LogClock(ahead) => verb(format!("clock: {ahead:+}ms")),
        Act::Reload(version) => verb("reload: true".to_owned()) + &format!(" # standing {version}"),
        Act::Crash(who, steps, after) => {
            let side = if after { "after" } else { "before" };
            verb("crash: true".to_owned()) + &format!(" # {who:?}, {side} its durable step {steps} from here")
        }
        Act::Pause(Who::Evaluator, length) => format!("# at {at}ms the evaluator stands still for {length} ms"),
        Act::Pause(who, length) => verb("leader: other".to_owned()) + &format!(" # {who:?} stands still {length} ms"),
        Act::Level(host, level) => format!("# at {at}ms {} goes to {level}", HOSTS[host]),
        Act::Record { host, late, .. } => format!("# at {at}ms {} sends, {late} ms late", HOSTS[host]),
        Act::Again(host) => format!("# at {at}ms {} sends its last record again", HOSTS[host]),
        Act::Garbage(host, kind) => format!("# at {at}ms {} sends garbage {kind}", HOSTS[host]),
        Act::Silent(host, length) => format!("# at {at}ms {} falls silent for {length} ms", HOSTS[host]),
        Act::Skew(host, by) => format!("# at {at}ms the clock of {} is {by} ms behind", HOSTS[host]),
        Act::WallClock(by) => format!("# at {at}ms the wall clock jumps by {by:+} ms"),
        ref other => format!("# at {at}ms {other:?}"),
    }
}

const fn answer(mood: Mood) -> &'static str {
    match mood {
        Mood::Accepts => "ok",
        Mood::Refuses => "500",
        Mood::Hangs => "hang",
        Mood::Loses | Mood::Rejects => "unknown",
    }
}
