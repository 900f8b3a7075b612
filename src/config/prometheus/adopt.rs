//! Prometheus's rules as the engine runs them: an alert becomes a rule, its group says when it is evaluated.
//!
//! The idea: what Prometheus leaves to Alertmanager is taken from labels that people use for it: `severity` (critical,
//! warning, info, or S1 to S4), `domain` (구간), `chain`, `mode`, `beside`. The title is the annotation `title`, else the alert's name: a
//! summary holds label values, which must not leave in a message. Nothing here looks for mistakes: `rule` did.

use std::collections::BTreeSet;
use std::sync::Arc;

use sha2::Digest;

use crate::config::guard::Guard;
use crate::evaluate::promql;
use crate::model::{
    Comparison, Domain, ExprGroup, ExprStep, Function, GroupRule, GroupRuleKind, Join, Labels, Level, Mode, NoData,
    Recover, Rule, RuleFile, RuleGroup, Severity, Then, Threshold, Watch,
};
use crate::time::{DAY, HOUR, MINUTE, Ms};

/// Of a group that does not say: Prometheus's own default.
const INTERVAL: Ms = MINUTE;
/// Where a title says what must not leave.
const PLAIN: &str = "임계값 초과";
/// Labels that become properties of the rule.
const TAKEN: [&str; 5] = ["severity", "domain", "chain", "mode", "beside"];
/// Longest id that is made of a name; a number may follow.
const ID_MAX: usize = 56;

/// Rules and groups of all files; `taken` are the ids that are in use.
pub(in crate::config) fn adopt(
    files: &[RuleFile],
    mut taken: BTreeSet<String>,
    guard: &Guard,
) -> (Vec<Rule>, Vec<ExprGroup>) {
    let all = || files.iter().flat_map(|file| &file.groups);
    let (mut rules, mut groups) = (Vec::new(), Vec::new());
    for group in all() {
        let interval = group.interval.unwrap_or(INTERVAL);
        let mut steps = Vec::new();
        for rule in &group.rules {
            let GroupRuleKind::Alert { hold, keep, annotations } = &rule.kind else {
                let (name, labels, expr) = (rule.name.clone(), rule.labels.clone(), rule.expr.clone());
                steps.push(ExprStep::Record { name, labels, expr });
                continue;
            };
            let id = free(&rule.name, &mut taken);
            // What became a property of the rule need not tell its instances apart.
            let labels = Labels::new(rule.labels.iter().filter(|(name, _)| !TAKEN.contains(name)));
            steps.push(ExprStep::Alert { rule: Arc::from(id.as_str()), labels });
            let over = look_back(&rule.expr).saturating_add(group.query_offset);
            let times = Times { interval, over, hold: *hold, keep: *keep };
            rules.push(alert(rule, &id, title(rule, annotations, guard), &times));
        }
        groups.push(ready(group, interval, steps));
    }
    (rules, groups)
}

fn ready(group: &RuleGroup, interval: Ms, steps: Vec<ExprStep>) -> ExprGroup {
    ExprGroup { name: group.name.clone(), interval, behind: group.query_offset, limit: group.limit, steps }
}

/// The times of an alert, ms.
struct Times {
    interval: Ms,
    over: Ms,
    hold: Ms,
    keep: Ms,
}

fn alert(rule: &GroupRule, id: &str, title: String, times: &Times) -> Rule {
    Rule {
        id: Arc::from(id),
        title,
        domain: rule.labels.get("domain").and_then(Domain::parse).unwrap_or(Domain::Infra),
        interval: times.interval,
        watch: Watch::Expr { text: rule.expr.clone() },
        by: None,
        function: Function::Last,
        over: times.over,
        step: None,
        across: None,
        when: Comparison::Present,
        // What the expression has left in is bad: the number says nothing.
        levels: vec![Level { severity: severity(&rule.labels), threshold: Threshold::One(0.0), hold: times.hold }],
        recover: Recover { threshold: None, hold: times.keep },
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: if rule.labels.get("mode") == Some("shadow") { Mode::Shadow } else { Mode::Live },
        beside: rule.labels.get("beside").map(str::to_owned),
        expected: false,
        bonds: Default::default(),
        min_samples: 1,
        no_data: NoData { after: HOUR, then: Then::Hold },
        forget: DAY,
        chain: rule.labels.get("chain").map(str::to_owned),
    }
}

/// What people write for how bad it is; what nobody knows is 보통.
pub(in crate::config) fn severity(labels: &Labels) -> Severity {
    match labels.get("severity").unwrap_or_default().to_ascii_lowercase().as_str() {
        "s1" | "critical" | "page" | "emergency" | "fatal" => Severity::S1,
        "s3" | "minor" | "low" => Severity::S3,
        "s4" | "info" | "none" | "notice" => Severity::S4,
        _ => Severity::S2,
    }
}

fn title(rule: &GroupRule, annotations: &Labels, guard: &Guard) -> String {
    let own = annotations.get("title").filter(|title| !title.contains("{{"));
    let title = own.unwrap_or(&rule.name).trim();
    if title.is_empty() || !guard.hits(title).is_empty() { PLAIN.to_owned() } else { title.to_owned() }
}

/// An id of an alert's name that nobody has yet. Alerts of one name are told apart by their order; names that hold what an
/// id may not, by their hash, so that two Korean names do not become one.
fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let mut id: String = name.chars().take(ID_MAX).map(plain).collect();
    if id != name {
        let digest = sha2::Sha256::digest(name.as_bytes());
        id.push('-');
        id.extend(digest.iter().take(3).map(|byte| format!("{byte:02x}")));
    }
    if !id.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        id.insert(0, 'a');
    }
    let mut found = id.clone();
    for n in 2.. {
        if taken.insert(found.clone()) {
            break;
        }
        found = format!("{id}-{n}");
    }
    found
}

fn look_back(expr: &str) -> Ms {
    promql::parse(expr).map_or(0, |expr| expr.look_back())
}
