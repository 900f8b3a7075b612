//! Lengths of time in and beside expressions: ranges, offsets, subqueries, `for`.
//!
//! The idea: a length means something only beside another one: the pace of samples, the distance of evaluations, what the
//! log keeps.

use super::facts::{conditional, each, known, metric, selectors, series_of};
use super::view::{Becomes, Written};
use crate::config::lint::{Found, Look, Site, check};
use crate::config::settings::{Role, Settings};
use crate::evaluate::promql::{Call, Node, SUBQUERY_STEP, Selector, What};
use crate::model::Severity;
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND, show_duration};

/// Restoring reads so much further back than the longest window (SEMANTICS §1).
const RESTORE: Ms = 10 * MINUTE;
/// Evaluations inside of one: what a subquery of a day costs at the step that Prometheus takes by itself.
const STEPS_MAX: Ms = 1440;

check!(RANGE_SHORT, "expr-range-short", Warning, Look::Expr(range_short),
    what: "A range that holds too few samples of its metric: fewer than two, or fewer than four where they are compared.",
    why: "rate, increase and their like need two samples. One record that comes late leaves one: the series drops out of the \
        result, and a firing alert resolves in the middle of the outage.",
    repair: "Make the range at least four times as long as the distance of samples.");

fn range_short(written: &Written<'_>, site: &Site<'_>, found: &mut Found) {
    let Some(every) = pace(site) else { return };
    ranges(written, &mut |node, selector, call| {
        let Some(over) = selector.over.filter(|_| known(selector).is_some_and(|known| known.ours)) else { return };
        short(written, (node, over, every), call, found);
    });
}

/// How often the own agent collects, ms.
fn pace(site: &Site<'_>) -> Option<Ms> {
    let settings = site.settings?;
    settings.roles.contains(&Role::Agent).then_some(settings.agent.every.max(SECOND))
}

/// Calls `see` with every selector that has a range, and the call around it.
pub(super) fn ranges<'w>(written: &'w Written<'_>, see: &mut impl FnMut(&'w Node, &'w Selector, &'w Call)) {
    each(written.expr.root(), &mut |node| {
        let What::Call(call) = &node.what else { return };
        let Some(argument) = series_of(call).map(Node::bare) else { return };
        if let What::Select(selector) = &argument.what {
            see(argument, selector, call);
        }
    });
}

/// Says that a range is too short for samples that come `every` so often.
pub(super) fn short(written: &Written<'_>, (node, over, every): (&Node, Ms, Ms), call: &Call, found: &mut Found) {
    let name = call.function.name;
    let pairs = ["rate", "increase", "delta", "irate", "idelta", "deriv", "predict_linear"].contains(&name);
    let least = if pairs { 4 * every } else { 2 * every };
    if over < least {
        let (over, every) = (show_duration(over), show_duration(every));
        let message = format!("`{name}` over {over}, and samples come every {every}: one late record leaves too few");
        found.say(written.at(&node.span), message, format!("make it {} or longer", show_duration(least)));
    }
}

check!(RETENTION, "expr-retention", Warning, Look::Expr(retention),
    what: "The expression looks back further than the log keeps records.",
    why: "After a restart its windows are filled again from the log. What that no longer has is missing: an increase over a \
        week is too small until a week has passed, and a forecast is drawn through a stump.",
    repair: "Raise `log.keep` above the longest range with its offset, or make the range shorter.");

fn retention(written: &Written<'_>, site: &Site<'_>, found: &mut Found) {
    let Some(keeps) = site.settings.and_then(Settings::keeps) else { return };
    let leaves = written.expr.selectors();
    let Some(longest) = leaves.iter().max_by_key(|leaf| leaf.look_back) else { return };
    if longest.look_back + RESTORE > keeps {
        let (back, keeps) = (show_duration(longest.look_back), show_duration(keeps));
        let message = format!("looks back {back}, the log keeps {keeps}");
        let help = "after a restart it is wrong until it has filled: raise log.keep";
        found.say(written.at(&longest.span), message, help);
    }
}

check!(NOISY, "expr-noisy-no-for", Warning, Look::Expr(noisy),
    what: "An alert without `for` on samples as they come.",
    why: "One odd sample, a scrape in the middle of a restart for example, wakes somebody, and the next one is good again \
        before that person has found the lamp.",
    repair: "Give it a `for` of a few evaluations, or take a function over time: avg_over_time, min_over_time, rate.");

fn noisy(written: &Written<'_>, site: &Site<'_>, found: &mut Found) {
    let root = written.expr.root();
    let sudden = written.levels.iter().any(|(severity, hold)| *hold == 0 && *severity != Severity::S4);
    let reads = selectors(root);
    // A recording is as calm as what it records; one that is recorded elsewhere (level:metric:operation) is let pass.
    let recorded = |name: &str| {
        if !site.recorded.contains(name) {
            return name.contains(':');
        }
        let own = site.exprs.iter().find(|other| other.becomes == Becomes::Record && other.name == name);
        own.is_some_and(|own| calm(own.expr.root()))
    };
    let steady = calm(root) || reads.iter().any(|selector| metric(selector).is_some_and(recorded));
    // What compares nothing has a name of its own.
    if sudden && conditional(root) && !reads.is_empty() && !steady {
        found.say(written.at(&root.span), "one odd sample fires it: no `for`, and nothing over time", "write for: 2m");
    }
}

/// Whether something in it is more than one sample can change: a range, a clock that is compared with.
fn calm(node: &Node) -> bool {
    let mut found = false;
    each(node, &mut |node| {
        found |= match &node.what {
            What::Call(call) => {
                let jumpy = ["irate", "idelta", "last_over_time", "first_over_time"];
                let ranged = series_of(call).is_some_and(|arg| arg.kind() == crate::evaluate::promql::Kind::Range);
                (ranged && !jumpy.contains(&call.function.name)) || ["time", "absent"].contains(&call.function.name)
            }
            _ => false,
        }
    });
    found
}

check!(FOR_BELOW, "expr-for-below-tick", Warning, Look::Expr(for_below),
    what: "`for` is shorter than the distance of evaluations.",
    why: "It is looked at once per `interval`, so the wait is a whole interval, not what is written: the page comes later \
        than the file says. A group without `interval` is evaluated every minute.",
    repair: "Make `for` a multiple of `interval`, or `interval` of the group smaller.");

fn for_below(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let tick = written.interval;
    if let Some((_, hold)) = written.levels.iter().find(|(_, hold)| *hold > 0 && *hold < tick) {
        let (hold, tick) = (show_duration(*hold), show_duration(tick));
        let message = format!("`for: {hold}` is shorter than the distance of evaluations, {tick}");
        found.say(written.place("for"), message, format!("write {tick}, or give the group an `interval`"));
    }
}

check!(FOR_LONG, "expr-for-long", Warning, Look::Expr(for_long),
    what: "`for` of more than a day, or of more than an hour where S1 is raised.",
    why: "Whoever is to be told within a minute is told after hours, and one evaluation without the series begins the wait \
        anew.",
    repair: "Watch a mean over the long time (avg_over_time(…[1d])) with a short `for`.");

fn for_long(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let most = |severity: Severity| if severity == Severity::S1 { HOUR } else { DAY };
    if let Some((severity, hold)) = written.levels.iter().find(|(severity, hold)| *hold > most(*severity)) {
        let message = format!("{} waits {} before anybody is told", severity.code(), show_duration(*hold));
        found.say(written.place("for"), message, "use a function over the long time, and a short `for`");
    }
}

check!(IRATE, "expr-irate", Warning, Look::Expr(irate),
    what: "`irate` or `idelta` in an alert.",
    why: "They look at the last two samples of the range alone: a single busy second fires, and a single quiet one resets \
        `for`. They are made for graphs that somebody zooms into.",
    repair: "Write rate, or delta.");

fn irate(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Call(call) = &node.what else { return };
        let better = match call.function.name {
            "irate" if written.alerts() => "rate",
            "idelta" if written.alerts() => "delta",
            _ => return,
        };
        let message = format!("`{}` is the last two samples, whatever the range", call.function.name);
        found.say(written.at(&call.name), message, format!("write {better}"));
    });
}

check!(SUBQUERY, "expr-subquery-cost", Warning, Look::Expr(subquery),
    what: "A subquery that evaluates its inside more than 1,440 times at every evaluation.",
    why: "Each of these evaluations reads all its series again. In the storm in which everything is late anyway, this alert \
        is what holds up the others.",
    repair: "Give it a longer step, such as [7d:1h], or record the inside as a metric of its own.");

fn subquery(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Subquery(subquery) = &node.what else { return };
        let steps = subquery.over / subquery.step.unwrap_or(SUBQUERY_STEP).max(1);
        if steps > STEPS_MAX {
            let step = if subquery.step.is_none() { ", a minute apart as no step is given" } else { "" };
            let at = subquery.of.span.end..node.span.end;
            let refused = i64::try_from(crate::evaluate::promql::STEPS_MAX).is_ok_and(|most| steps > most);
            let refused = if refused { ": more than are carried out, so it never has a result" } else { "" };
            let message = format!("{steps} evaluations inside of each{step}{refused}");
            found.say(written.at(&at), message, format!("write [{}:1h]", show_duration(subquery.over)));
        }
    });
}

check!(AHEAD, "expr-looks-ahead", Warning, Look::Expr(ahead),
    what: "A negative offset, or a time that `@` pins, in a rule.",
    why: "A rule is evaluated at the newest time there is: nothing lies ahead of it, and a pinned time is further away every \
        day, until its samples are gone.",
    repair: "Leave it out, or take a positive offset.");

fn ahead(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let shift = match &node.what {
            What::Select(selector) => selector.shift,
            What::Subquery(subquery) => subquery.shift,
            _ => return,
        };
        if shift.offset < 0 {
            let message = format!("looks {} ahead, where there is nothing yet", show_duration(-shift.offset));
            found.say(written.at(&node.span), message, "take the offset without its sign, or leave it out");
        } else if matches!(shift.pin, Some(crate::evaluate::promql::Pin::At(_))) {
            found.say(written.at(&node.span), "`@` pins it to one moment for ever", "leave `@` out");
        }
    });
}
