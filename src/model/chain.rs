//! Chains as values: whom to tell in which order, with which waits, and for which incidents.
//!
//! The idea: a chain is chosen by the labels of an incident and the hour, then kept by it as it was; what a name in it
//! stands for (a role, a rota) is asked anew whenever it speaks, because people come and go.

use crate::model::{Channel, Domain, Inventory, Labels, Matcher, Severity};
use crate::time::Ms;

/// Whom a step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `ORG/role`: every valid contact of that organisation and role whose domains fit.
    Role {
        /// Organisation.
        org: String,
        /// Role.
        role: String,
    },
    /// `@contact`.
    Contact(String),
    /// `rota:NAME`: whoever is on duty by it, whatever their 구간.
    Rota(String),
}

impl Target {
    /// As it stands in files, rows and output.
    pub fn word(&self) -> String {
        match self {
            Self::Role { org, role } => format!("{org}/{role}"),
            Self::Contact(id) => format!("@{id}"),
            Self::Rota(id) => format!("rota:{id}"),
        }
    }

    /// Reads [`Target::word`]; whether what it names exists is not asked.
    pub fn parse(word: &str) -> Option<Self> {
        if let Some(id) = word.strip_prefix('@') {
            return (!id.is_empty()).then(|| Self::Contact(id.to_owned()));
        }
        if let Some(id) = word.strip_prefix("rota:") {
            return (!id.is_empty()).then(|| Self::Rota(id.to_owned()));
        }
        let (org, role) = word.split_once('/')?;
        let is_right = !org.is_empty() && !role.is_empty() && !role.contains('/');
        is_right.then(|| Self::Role { org: org.to_owned(), role: role.to_owned() })
    }
}

/// The hours in which a chain or a step counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Business hours.
    Business,
    /// Every other hour: nights, weekends, days off.
    Off,
    /// A named time of the calendar.
    Interval(String),
}

impl When {
    /// As it stands in files, rows and output.
    pub fn word(&self) -> &str {
        match self {
            Self::Business => "business",
            Self::Off => "off",
            Self::Interval(id) => id,
        }
    }

    /// Reads [`When::word`].
    pub fn parse(word: &str) -> Self {
        match word {
            "business" => Self::Business,
            "off" => Self::Off,
            id => Self::Interval(id.to_owned()),
        }
    }
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Whom to tell.
    pub to: Vec<Target>,
    /// On which channels, all at once.
    pub by: Vec<Channel>,
    /// From the decision of this step to the next, ms.
    pub wait: Ms,
    /// Passed over at other hours; `None` = it always counts.
    pub when: Option<When>,
}

/// The last group of a chain: never empty, repeated until somebody takes the incident.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Last {
    /// Whom to tell.
    pub to: Vec<Target>,
    /// On which channels.
    pub by: Vec<Channel>,
    /// Distance of repeats, ms.
    pub repeat: Ms,
}

/// What a chain does differently for one severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeverityPlan {
    /// 0-based last step; the last group is then left out.
    pub upto: Option<usize>,
    /// Deferred to the digest.
    pub digest: bool,
    /// Deferred outside business hours alone.
    pub digest_off_hours: bool,
}

/// Ordered steps of people to tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// Stable id.
    pub id: String,
    /// Fits incidents with these labels; none, and no `when`: only those whose rule names it.
    pub matchers: Vec<Matcher>,
    /// Not there at other hours.
    pub when: Option<When>,
    /// Taken where no other fits.
    pub default: bool,
    /// The steps.
    pub steps: Vec<Step>,
    /// The last group.
    pub last: Last,
    /// Differences, indexed by [`Severity::index`].
    pub severities: [SeverityPlan; 4],
    /// The hour of the daily digest, 0 to 23 KST.
    pub digest_hour: u8,
    /// The digest leaves on working days alone.
    pub digest_working_days: bool,
}

impl Chain {
    /// What it does differently for `severity`.
    pub fn plan(&self, severity: Severity) -> SeverityPlan {
        self.severities[severity.index()]
    }

    /// Whether incidents can come to it without a rule that names it.
    pub fn is_open(&self) -> bool {
        self.default || self.when.is_some() || !self.matchers.is_empty()
    }
}

/// The labels by which a chain is chosen: those of the incident, of the inventory (`kind`, `class`, `zone`, `parent`,
/// `service`, `owner`, `contracted`), and `domain`, `severity` and `rule`, which say what the incident is.
pub fn chain_labels(
    inventory: &Inventory,
    identity: &Labels,
    (rule, domain, severity): (&str, Domain, Severity),
) -> Labels {
    let joined = inventory.describe(identity);
    let own = [("domain", domain.word()), ("severity", severity.code()), ("rule", rule)];
    Labels::new(joined.iter().chain(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Resource;

    #[test]
    fn targets_read_back_as_they_are_written() {
        for word in ["MSP/duty", "이용기관/owner", "@msp-duty-1", "rota:night"] {
            assert_eq!(Target::parse(word).map(|target| target.word()).as_deref(), Some(word));
        }
        for wrong in ["MSP", "MSP/", "/duty", "a/b/c", "@", "rota:", ""] {
            assert_eq!(Target::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_an_incident_is_wins_over_a_label_of_that_name() {
        let resource = Resource {
            id: "db-01".to_owned(),
            kind: "vm".to_owned(),
            zone: Some("prod".to_owned()),
            owner: Some("CSP".to_owned()),
            contracted: true,
            ..Resource::default()
        };
        let inventory = Inventory { resources: [("db-01".to_owned(), resource)].into() };
        let identity = Labels::new([("host", "db-01"), ("severity", "page"), ("zone", "edge")]);
        let labels = chain_labels(&inventory, &identity, ("cpu", Domain::Infra, Severity::S2));
        let wanted = [
            ("contracted", Some("true")),
            ("domain", Some("인프라")),
            ("kind", Some("vm")),
            ("owner", Some("CSP")),
            ("rule", Some("cpu")),
            ("service", None),
            ("severity", Some("S2")),
            ("zone", Some("edge")),
        ];
        for (name, value) in wanted {
            assert_eq!(labels.get(name), value, "{name}");
        }
    }
}
