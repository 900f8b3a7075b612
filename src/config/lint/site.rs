//! What the checks look at: rules with their places, people, inventory and settings, all of them typed and sound.
//!
//! The idea: a check asks its question and nothing else, so whatever every second one would work out (is the metric
//! known, how often does it come) is worked out here, once. What is not loaded is `None`, and not asked about.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::super::chain::ChainPlaces;
use super::super::files::{FileKind, Source};
use super::super::people::Placed;
use super::super::read::Obj;
use super::super::rules::{FILE, PlacedRule};
use super::super::settings::{Role, Settings};
use super::catalog::{self, Known};
use super::exprs::{Becomes, Written};
use crate::config::prometheus::Lines;
use crate::model::{Chain, Contact, Inventory, Matcher, People, Rule, Watch};
use crate::time::{Ms, SECOND};

/// A rule without mistakes, with its place.
#[derive(Debug)]
pub(super) struct View<'a> {
    /// Number of its file.
    pub source: usize,
    /// Its map in the file.
    pub item: Obj<'a>,
    /// Its value.
    pub rule: &'a Rule,
    /// What is known of its metric.
    pub known: Option<Known>,
}

impl View<'_> {
    /// The metric that it watches; `None` for log lines.
    pub(super) fn metric(&self) -> Option<&str> {
        metric(self.rule)
    }

    /// Where the conditions on labels stand: under the rule, or under `log`.
    pub(super) fn conditions(&self) -> Obj<'_> {
        if matches!(self.rule.watch, Watch::Log { .. }) { self.item.sub("log") } else { self.item }
    }
}

/// The metric that a rule watches by name.
pub(super) fn metric(rule: &Rule) -> Option<&str> {
    if let Watch::Metric { name, .. } = &rule.watch { Some(name) } else { None }
}

/// A rule's conditions on labels.
pub(super) fn matchers(rule: &Rule) -> &[Matcher] {
    match &rule.watch {
        Watch::Metric { matchers, .. } | Watch::Log { matchers, .. } => matchers,
        // Two selectors have no conditions in common.
        Watch::Expr { .. } | Watch::Ratio { .. } => &[],
    }
}

/// A file, for checks that look at files.
#[derive(Debug)]
pub(super) struct Paper<'a> {
    /// Its number.
    pub source: usize,
    /// Its top map.
    pub file: Obj<'a>,
}

/// Chains and contacts, both without mistakes.
#[derive(Debug)]
pub(super) struct Folk<'a> {
    /// Contacts with the places of their ids.
    pub contacts: &'a [Placed<Contact>],
    /// Chains with their places.
    pub chains: &'a [(Chain, ChainPlaces)],
    /// Number of the contacts' file.
    pub contacts_source: usize,
    /// Number of the chains' file.
    pub chains_source: usize,
    /// The same as values.
    pub people: &'a People,
}

/// Everything that was loaded.
#[derive(Debug)]
pub(super) struct Site<'a> {
    /// Wall time, ms.
    pub(super) now: Ms,
    /// The settings; `None` where rule files were checked alone.
    pub(super) settings: Option<&'a Settings>,
    /// Rules without mistakes, by file and place.
    pub(super) rules: Vec<View<'a>>,
    /// Expressions without mistakes, of rules of our own form first.
    pub(super) exprs: Vec<Written<'a>>,
    /// Names of the metrics that expressions record.
    pub(super) recorded: BTreeSet<String>,
    /// Rule files.
    pub(super) papers: Vec<Paper<'a>>,
    /// Chains and contacts; `None` where one of them is not loaded or has mistakes.
    pub(super) folk: Option<Folk<'a>>,
    /// Resources.
    pub(super) inventory: &'a Inventory,
}

/// The typed values that belong to the sources.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Parts<'a> {
    /// Wall time, ms.
    pub now: Ms,
    /// The settings, where they were loaded.
    pub settings: Option<&'a Settings>,
    /// Rules without mistakes, by id.
    pub rules: &'a BTreeMap<String, PlacedRule>,
    /// Contacts with places, where they are sound.
    pub contacts: Option<&'a [Placed<Contact>]>,
    /// Chains with places, where they are sound.
    pub chains: Option<&'a [(Chain, ChainPlaces)]>,
    /// Contacts and chains as values.
    pub people: &'a People,
    /// Resources.
    pub inventory: &'a Inventory,
}

impl<'a> Site<'a> {
    /// Puts together what was loaded.
    pub(super) fn of(sources: &'a [Source], parts: Parts<'a>) -> Self {
        let number = |kind: FileKind| sources.iter().position(|source| source.kind == kind);
        let folk = match (parts.contacts, parts.chains, number(FileKind::Contacts), number(FileKind::Chains)) {
            (Some(contacts), Some(chains), Some(contacts_source), Some(chains_source)) => {
                Some(Folk { contacts, chains, contacts_source, chains_source, people: parts.people })
            }
            _ => None,
        };
        let (mut rules, mut papers, mut exprs) = (Vec::new(), Vec::new(), Vec::new());
        let files = sources.iter().enumerate().filter(|(_, source)| source.kind == FileKind::Rules);
        for (source, text, root) in files.filter_map(|(n, source)| Some((n, &*source.file.text, source.root.as_ref()?)))
        {
            let file = Obj::new(root, &FILE);
            let lines = Rc::new(Lines::of(text));
            papers.push(Paper { source, file });
            for item in file.subs("rules") {
                let placed = item.text("id").and_then(|id| parts.rules.get(id));
                // Of two rules with one id only the first is a rule, and that one was refused too.
                let Some(placed) = placed.filter(|placed| placed.at == item.at("id")) else { continue };
                let known = metric(&placed.rule).and_then(catalog::known);
                exprs.extend(Written::of_rule(source, &lines, item, &placed.rule));
                rules.push(View { source, item, rule: &placed.rule, known });
            }
        }
        exprs.extend(sources.iter().enumerate().flat_map(|(n, source)| Written::of_file(n, source)));
        let recorded = exprs.iter().filter(|it| it.becomes == Becomes::Record).map(|it| it.name.clone()).collect();
        let Parts { now, settings, inventory, .. } = parts;
        Self { now, settings, rules, exprs, recorded, papers, folk, inventory }
    }

    /// How often the rule's metric comes, ms: our own agent's pace for what it collects; `None` = nobody knows.
    pub(super) fn every(&self, view: &View<'_>) -> Option<Ms> {
        view.known.filter(|known| known.ours)?;
        let settings = self.settings?;
        // A service without a collector of its own says nothing about the pace of others.
        settings.roles.contains(&Role::Agent).then_some(settings.agent.every.max(SECOND))
    }

    /// Whether a scenario, with mistakes or without, expects a signal or incident of the rule.
    pub(super) fn shown(&self, rule: &Rule) -> bool {
        let scenarios = self.papers.iter().flat_map(|paper| paper.file.subs("scenarios"));
        let mut expected = scenarios.flat_map(|scenario| scenario.subs("expect"));
        expected.any(|expect| ["signal", "incident"].iter().any(|key| expect.text(key) == Some(&*rule.id)))
    }
}
