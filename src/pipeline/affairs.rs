//! What the store knows of an instance or an incident that somebody asks about: its incidents and their pages.
//!
//! The idea: the running service and a command without one read the same rows by the same rules, so that both tell the
//! same story. It looks at no window and words nothing; that is [`explained`](super::explained)'s.

use crate::model::{Incident, PageRow, People};
use crate::page::EmptyStep;
use crate::pipeline::empty;
use crate::pipeline::explained::{Affairs, Question, Stands};
use crate::store::{self, Store};
use crate::time::Ms;

/// Incidents among which one is looked for, newest first.
const INCIDENTS_MAX: usize = 10_000;
/// Incidents of one rule that an explanation looks at.
const TOLD_MAX: usize = 50;
/// Pages of one incident that are read.
const PAGES_MAX: usize = 10_000;

/// What was asked for, and what the store knows of it.
#[derive(Debug, Clone)]
pub struct Filed {
    /// The rule and labels that were asked for, or those of the incident.
    pub question: Question,
    /// Its incidents, newest last.
    pub incidents: Vec<Incident>,
    /// Their pages in the order of their decision.
    pub pages: Vec<Stands>,
    /// Steps of their chains that told nobody, as that stands now; none where the past was asked for.
    pub empty: Vec<(String, EmptyStep)>,
}

impl Filed {
    /// The same for an explanation, with the contacts in force.
    pub fn affairs<'a>(&'a self, people: &'a People) -> Affairs<'a> {
        let (incidents, pages, empty) = (self.incidents.iter().collect(), self.pages.clone(), self.empty.clone());
        Affairs { incidents, pages, people: Some(people), empty }
    }
}

/// Finds an incident by its number, or those of a rule whose labels hold what is asked for; with `until`, only what had
/// begun and what was decided by then. `None`: there is no incident of that number.
///
/// # Errors
/// The store cannot be read.
pub fn filed(
    store: &dyn Store,
    incident: Option<&str>,
    question: Question,
    until: Option<Ms>,
) -> store::Result<Option<Filed>> {
    let mut all = store.incidents(INCIDENTS_MAX)?;
    let begun = |at: Ms| until.is_none_or(|until| at <= until);
    all.retain(|incident| begun(incident.detected));
    let Some(question) = (match incident {
        Some(id) => {
            // One that was asked for is told of alone.
            all.retain(|incident| incident.id == id);
            all.first().map(of)
        }
        None => {
            all.retain(|incident| fits(incident, &question));
            Some(question)
        }
    }) else {
        return Ok(None);
    };
    // The newest first in the store, last in the story.
    all.truncate(TOLD_MAX);
    all.reverse();
    let mut pages = Vec::new();
    for incident in &all {
        let mut rows = store.pages(Some(&incident.id), PAGES_MAX)?;
        rows.retain(|row| begun(row.page.decided));
        rows.sort_by(|a, b| (a.page.decided, &a.page.id).cmp(&(b.page.decided, &b.page.id)));
        pages.extend(rows.into_iter().map(stands));
    }
    let empty = if until.is_none() { empty::of(store)? } else { Vec::new() };
    Ok(Some(Filed { question, incidents: all, pages, empty }))
}

/// What is said of an incident that is not there.
pub fn no_incident(id: &str) -> String {
    format!("{id} 번호의 장애가 없습니다. 번호를 확인하십시오")
}

fn of(incident: &Incident) -> Question {
    let labels = incident.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Question { rule: incident.rule.to_string(), labels }
}

fn fits(incident: &Incident, question: &Question) -> bool {
    let wanted = |(name, value): &(String, String)| incident.labels.get(name) == Some(value);
    *incident.rule == *question.rule && question.labels.iter().all(wanted)
}

fn stands(row: PageRow) -> Stands {
    let PageRow { page, state, detail, sending, .. } = row;
    Stands { page, state: Some(state), detail, sending }
}
