//! Alerts of one rule: pending, firing, kept, ended.
//!
//! The idea: an alert is a label set that the expression gives; whether it is pending, firing or kept is for the state
//! machine of all rules to say ([`Verdict`]), which live alerts go through too.

use std::collections::BTreeMap;

use super::{At, Setting, Wrong, expression, vector, without_empty};
use crate::evaluate::Verdict;
use crate::evaluate::promql::{Memory, NAME, Sample};
use crate::evaluate::template::{Problem, Scene, Template};
use crate::model::{GroupRule, GroupRuleKind, Labels, Level, Severity, State, Threshold};
use crate::time::{Ms, SECOND};

/// Label that names an alert.
const ALERT_NAME: &str = "alertname";

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its annotations, rendered at the last evaluation that gave it.
    pub annotations: Labels,
    /// Value of its expression when it was last given.
    pub value: f64,
    verdict: Verdict,
}

impl Alert {
    /// Firing, or still pending.
    pub fn firing(&self) -> bool {
        self.verdict.state().is_active()
    }

    /// First evaluation that gave it, ms.
    pub fn active_at(&self) -> Ms {
        self.verdict.occurred().unwrap_or_default()
    }
}

/// What an alerting rule needs beside its expression, and its alerts.
#[derive(Debug)]
pub(super) struct Plan {
    /// Its `for`; there is one severity.
    levels: [Level; 1],
    /// Its `keep_firing_for`, ms.
    keep: Ms,
    labels: Vec<(String, Template)>,
    annotations: Vec<(String, Template)>,
    active: BTreeMap<Labels, Alert>,
}

impl Plan {
    /// The plan of an alert; `None` for a recording rule.
    pub(super) fn new(rule: &GroupRule) -> Result<Option<Self>, Problem> {
        let GroupRuleKind::Alert { hold, keep, annotations } = &rule.kind else { return Ok(None) };
        Ok(Some(Self {
            levels: [Level { severity: Severity::S1, threshold: Threshold::One(0.0), hold: *hold }],
            keep: *keep,
            labels: templates(&rule.labels)?,
            annotations: templates(annotations)?,
            active: BTreeMap::new(),
        }))
    }

    /// Pending and firing alerts, by labels.
    pub(super) fn active(&self) -> impl Iterator<Item = &Alert> {
        self.active.values()
    }

    /// One evaluation: `found` is what the expression gave. The series that show the alerts.
    pub(super) fn step(
        &mut self,
        rule: &GroupRule,
        found: Vec<Sample>,
        memory: &Memory,
        setting: &Setting,
        when: At,
    ) -> Result<Vec<Sample>, Wrong> {
        let given = self.given(rule, found, memory, setting, when)?;
        for (labels, new) in &given {
            let alert = self.active.entry(labels.clone()).or_insert_with(|| new.clone());
            alert.value = new.value;
            alert.annotations = new.annotations.clone();
        }
        for (labels, alert) in &mut self.active {
            alert.verdict.answer(&self.levels, self.keep, when.at, given.contains_key(labels));
        }
        self.active.retain(|_, alert| alert.verdict.state() != State::Inactive);
        if when.limit > 0 && self.active.len() > when.limit {
            let message = format!("{} alerts, more than the group's limit of {}", self.active.len(), when.limit);
            self.active.clear();
            return Err((message, None));
        }
        Ok(self.active.values().flat_map(|alert| shown(rule, alert)).collect())
    }

    /// The alerts that the expression gives, as they would be if they were new.
    fn given(
        &self,
        rule: &GroupRule,
        found: Vec<Sample>,
        memory: &Memory,
        setting: &Setting,
        when: At,
    ) -> Result<BTreeMap<Labels, Alert>, Wrong> {
        let query = |text: &str| {
            let expr = expression(text, setting.interval).map_err(|wrong| wrong.message)?;
            let found = vector(&expr, memory, when.at).map_err(|(message, _)| message)?;
            Ok(found.into_iter().map(|sample| (sample.labels, sample.value)).collect())
        };
        let mut given = BTreeMap::new();
        for sample in found {
            let scene = Scene {
                labels: &sample.labels,
                value: sample.value,
                external_labels: &setting.external_labels,
                external_url: &setting.external_url,
                query: &query,
            };
            let own = rendered(&self.labels, &scene);
            let bare = sample.labels.iter().filter(|(name, _)| *name != NAME);
            let named = [(ALERT_NAME, rule.name.as_str())];
            let labels = without_empty(bare.chain(own.iter().map(|(n, v)| (n.as_str(), v.as_str()))).chain(named));
            let alert = Alert {
                labels: labels.clone(),
                annotations: Labels::new(rendered(&self.annotations, &scene)),
                value: sample.value,
                verdict: Verdict::default(),
            };
            if given.insert(labels, alert).is_some() {
                return Err(("several series have the same labels once the rule's own are added".to_owned(), None));
            }
        }
        Ok(given)
    }
}

fn templates(texts: &Labels) -> Result<Vec<(String, Template)>, Problem> {
    texts.iter().map(|(name, text)| Ok((name.to_owned(), Template::parse(text)?))).collect()
}

/// Rendered texts; one that cannot be rendered says why, because an alert must not fail for its text.
fn rendered(templates: &[(String, Template)], scene: &Scene<'_>) -> Vec<(String, String)> {
    let render = |template: &Template| {
        template.render(scene).unwrap_or_else(|wrong| format!("<error expanding template: {}>", wrong.message))
    };
    templates.iter().map(|(name, template)| (name.clone(), render(template))).collect()
}

/// The two series that show an alert.
fn shown(rule: &GroupRule, alert: &Alert) -> [Sample; 2] {
    let state = if alert.firing() { "firing" } else { "pending" };
    // As in Prometheus, the alert's labels lie over the rule's own texts: a label that its template leaves empty is
    // shown here as the template.
    let labels = without_empty(rule.labels.iter().chain(alert.labels.iter()));
    let is = labels.with(NAME, "ALERTS").with("alertstate", state);
    let since = labels.with(NAME, "ALERTS_FOR_STATE");
    #[expect(clippy::cast_precision_loss, reason = "seconds of this calendar are exact")]
    let seconds = alert.active_at().div_euclid(SECOND) as f64;
    [Sample { labels: is, value: 1.0 }, Sample { labels: since, value: seconds }]
}
