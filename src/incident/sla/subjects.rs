//! Which promise is for which incident, and whose month it burns.
//!
//! The idea: the plan and the inventory are compiled once per world; an incident is then asked by its labels, those that
//! the inventory joins, and `kind`, `domain` and `rule`. What the inventory knows and no contract covers has neither a
//! time to recover nor a month.

use std::collections::BTreeSet;

use regex::Regex;

use crate::model::{Domain, Inventory, Labels, Matcher, SOURCE_SILENT, SlaPlan, Terms, Test, builtin};

/// A plan and an inventory, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Subjects {
    plan: SlaPlan,
    inventory: Inventory,
    /// Services of which some resource is contracted.
    services: BTreeSet<String>,
    /// Compiled patterns of the plan's terms, in its order.
    patterns: Vec<Vec<Option<Regex>>>,
}

/// What an incident is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) rule: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) domain: Domain,
}

impl Subjects {
    /// Compiles them.
    pub fn new(plan: SlaPlan, inventory: Inventory) -> Self {
        let contracted = inventory.resources.values().filter(|resource| resource.contracted);
        let services = contracted.filter_map(|resource| resource.service.clone()).collect();
        let patterns = plan.terms.iter().map(|terms| terms.matchers.iter().map(pattern).collect()).collect();
        Self { plan, inventory, services, patterns }
    }

    /// The plan.
    pub(super) fn plan(&self) -> &SlaPlan {
        &self.plan
    }

    /// The terms that are for it.
    pub(super) fn terms(&self, about: About<'_>) -> &Terms {
        let joined = self.inventory.join(about.labels);
        let host = about.labels.get("host").and_then(|host| self.inventory.resources.get(host));
        let value = |label: &str| match label {
            "rule" => about.rule,
            "domain" => about.domain.word(),
            "kind" => host.map_or("", |resource| resource.kind.as_str()),
            _ => joined.get(label).unwrap_or(""),
        };
        let fits = |(terms, patterns): &(&Terms, &Vec<Option<Regex>>)| {
            let mut checks = terms.matchers.iter().zip(patterns.iter());
            checks.all(|(matcher, pattern)| holds(matcher, pattern.as_ref(), value(&matcher.label)))
        };
        let found = self.plan.terms.iter().zip(&self.patterns).find(fits);
        found.map_or(&self.plan.rest, |(terms, _)| terms)
    }

    /// Whether it has to be recovered within a time: the engine's own troubles and what no contract covers do not.
    pub(super) fn is_covered(&self, about: About<'_>) -> bool {
        let is_own = builtin(about.rule).is_some() && about.rule != SOURCE_SILENT.id;
        let known = about.labels.get("host").and_then(|host| self.inventory.resources.get(host));
        !is_own && known.is_none_or(|resource| resource.contracted)
    }

    /// Whose month it burns: the service of its contracted host, or the host where that is of none; without a host, the
    /// service that it names.
    pub(super) fn service(&self, about: About<'_>) -> Option<String> {
        if !self.is_covered(about) {
            return None;
        }
        match about.labels.get("host") {
            Some(host) => {
                let resource = self.inventory.resources.get(host)?;
                Some(resource.service.clone().unwrap_or_else(|| resource.id.clone()))
            }
            None => about.labels.get("service").filter(|name| self.services.contains(*name)).map(str::to_owned),
        }
    }
}

/// A pattern that does not compile was refused long before; here it fits nothing.
fn pattern(matcher: &Matcher) -> Option<Regex> {
    let is_pattern = matches!(matcher.test, Test::Fits | Test::FitsNot);
    is_pattern.then(|| Regex::new(&format!("^(?s:{})$", matcher.value)).ok()).flatten()
}

fn holds(matcher: &Matcher, pattern: Option<&Regex>, value: &str) -> bool {
    match matcher.test {
        Test::Is => matcher.value == value,
        Test::IsNot => matcher.value != value,
        Test::Fits => pattern.is_some_and(|pattern| pattern.is_match(value)),
        Test::FitsNot => pattern.is_some_and(|pattern| !pattern.is_match(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GRADES, Resource};

    fn subjects() -> Subjects {
        let resource = |id: &str, kind: &str, service: Option<&str>, contracted| Resource {
            id: id.to_owned(),
            kind: kind.to_owned(),
            service: service.map(str::to_owned),
            contracted,
            ..Resource::default()
        };
        let resources = [
            resource("db-01", "vm", Some("dispatch"), true),
            resource("lb-01", "lb", None, true),
            resource("lab-01", "vm", Some("lab"), false),
        ];
        let terms = |id: &str, label: &str, test, value: &str| Terms {
            id: id.to_owned(),
            matchers: vec![Matcher { label: label.to_owned(), test, value: value.to_owned() }],
            ..Terms::grade(GRADES[1])
        };
        let plan = SlaPlan {
            terms: vec![
                terms("balancers", "kind", Test::Is, "lb"),
                terms("dispatch", "service", Test::Fits, "disp.*"),
                terms("security", "domain", Test::Is, "보안"),
            ],
            ..SlaPlan::default()
        };
        let inventory = Inventory { resources: resources.into_iter().map(|it| (it.id.clone(), it)).collect() };
        Subjects::new(plan, inventory)
    }

    #[test]
    fn terms_service_and_cover_by_what_an_incident_is_about() {
        let subjects = subjects();
        for (rule, labels, domain, terms, covered, service) in [
            ("cpu", ("host", "db-01"), Domain::Infra, "dispatch", true, Some("dispatch")),
            ("cpu", ("host", "lb-01"), Domain::Infra, "balancers", true, Some("lb-01")),
            ("cpu", ("host", "lab-01"), Domain::Infra, "1등급", false, None),
            ("cpu", ("host", "unknown"), Domain::Infra, "1등급", true, None),
            ("cpu", ("host", "unknown"), Domain::Security, "security", true, None),
            ("http", ("service", "dispatch"), Domain::Application, "dispatch", true, Some("dispatch")),
            ("http", ("service", "lab"), Domain::Application, "1등급", true, None),
            ("source-silent", ("host", "db-01"), Domain::Infra, "dispatch", true, Some("dispatch")),
            ("wall-clock", ("host", "db-01"), Domain::Infra, "dispatch", false, None),
        ] {
            let labels = Labels::new([labels]);
            let about = About { rule, labels: &labels, domain };
            let found = (subjects.terms(about).id.as_str(), subjects.is_covered(about), subjects.service(about));
            assert_eq!(found, (terms, covered, service.map(str::to_owned)), "{rule} {labels:?}");
        }
    }
}
