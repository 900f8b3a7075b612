//! How service levels stand, for people: which clock of each open incident runs out first, and each service's month.
//!
//! The idea: read off the incidents and the leader's notes as they are; nothing is decided here, and the same answer comes
//! from a running service and from its store.

use serde_json::{Value, json};

use crate::incident::NOTES;
use crate::incident::sla::{KEY, Service};
use crate::model::{Incident, IncidentState, SlaClock, SlaPlan};
use crate::store::{Store, StoreError};
use crate::time::Ms;

/// The clocks of an incident that run at `now`: name, when it runs out. The first one is the tightest.
pub fn running(incident: &Incident, months: &[Month], now: Ms) -> Vec<(&'static str, Ms)> {
    if !incident.state.is_live() {
        return Vec::new();
    }
    let clocks = incident.sla.as_ref();
    let has = |clock: SlaClock| clocks.is_some_and(|clocks| clocks.missed.contains(&clock));
    let notify = incident.notify_by.filter(|by| incident.notified.is_none() && *by > now);
    let is_open = incident.state == IncidentState::Open;
    let ack = clocks.and_then(|clocks| clocks.ack_by).filter(|_| is_open && !has(SlaClock::Ack));
    let recover = clocks.and_then(|clocks| clocks.recover_by).filter(|_| !has(SlaClock::Recover));
    let service = clocks.filter(|clocks| clocks.down_since.is_some()).and_then(|clocks| clocks.service.as_deref());
    let month = months.iter().find(|month| Some(month.service.as_str()) == service).and_then(|month| month.empty);
    let all = [("notify", notify), ("ack", ack), ("recover", recover), ("month", month)];
    let mut running: Vec<_> = all.into_iter().filter_map(|(name, by)| Some((name, by?))).collect();
    running.sort_by_key(|(_, by)| *by);
    running
}

/// The month of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// The service.
    pub service: String,
    /// How long it may be down this month, ms.
    pub budget: Ms,
    /// How long it was, ms.
    pub used: Ms,
    /// When the budget is empty if the outage that runs goes on; `None`: none runs, or it lasts to the month's end.
    pub empty: Option<Ms>,
}

/// The months of all services that were ever down; `live` are the incidents that are not over.
///
/// # Errors
/// The store cannot be read.
pub fn months(store: &dyn Store, live: &[Incident], plan: &SlaPlan, now: Ms) -> Result<Vec<Month>, StoreError> {
    let prefix = format!("{NOTES}{KEY}");
    let mut months = Vec::new();
    for (key, text) in store.notes(&prefix)? {
        let Some(service) = key.strip_prefix(&prefix) else { continue };
        let Ok(mut known) = serde_json::from_str::<Service>(&text) else { continue };
        for incident in live.iter().filter(|incident| incident.state.is_live()) {
            let clocks = incident.sla.as_ref().filter(|clocks| clocks.service.as_deref() == Some(service));
            if let Some(since) = clocks.and_then(|clocks| clocks.down_since) {
                known.recall(&incident.id, since);
            }
        }
        let (budget, used, empty) = known.month(now, plan);
        months.push(Month { service: service.to_owned(), budget, used, empty });
    }
    Ok(months)
}

/// Both as JSON, for `status` and the page.
///
/// # Errors
/// The store cannot be read.
pub fn standing(store: &dyn Store, incidents: &[Incident], plan: &SlaPlan, now: Ms) -> Result<Value, StoreError> {
    let months = months(store, incidents, plan, now)?;
    let clock = |(name, by): &(&str, Ms)| json!({ "clock": name, "by": by, "left_ms": by - now });
    let open = incidents.iter().filter(|incident| incident.state.is_live()).filter_map(|incident| {
        let clocks = incident.sla.as_ref()?;
        let running = running(incident, &months, now);
        let missed: Vec<&str> = clocks.missed.iter().map(|clock| clock.word()).collect();
        Some(json!({
            "incident": incident.id, "severity": incident.severity.code(), "terms": clocks.terms,
            "service": clocks.service, "warned": clocks.warned, "missed": missed,
            "tightest": running.first().map(clock), "running": running.iter().map(clock).collect::<Vec<_>>(),
        }))
    });
    let months_json: Vec<Value> = months
        .iter()
        .map(|month| {
            json!({ "service": month.service, "budget_ms": month.budget, "used_ms": month.used,
                "left_ms": month.budget - month.used, "empty_at": month.empty })
        })
        .collect();
    Ok(json!({ "incidents": open.collect::<Vec<_>>(), "months": months_json }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BookCommit, Domain, Fingerprint, Labels, Severity, SlaClocks};
    use crate::store::MemoryStore;
    use crate::time::{HOUR, MINUTE, parse_instant};

    #[test]
    fn the_tightest_clock_comes_first_and_a_month_counts_what_runs() {
        let now = parse_instant("2026-01-10 03:10", crate::time::KST).expect("a time");
        let clocks = SlaClocks {
            terms: "1등급".to_owned(),
            service: Some("dispatch".to_owned()),
            from: now - 10 * MINUTE,
            recover_by: Some(now - 10 * MINUTE + 2 * HOUR),
            down_since: Some(now - 10 * MINUTE),
            ..SlaClocks::default()
        };
        let labels = Labels::new([("host", "db-01")]);
        let incident = Incident {
            state: IncidentState::Acked,
            severity: Severity::S1,
            notified: Some(now - 9 * MINUTE),
            sla: Some(clocks),
            ..blank("INC-2601-001", Fingerprint::of("cpu", &labels), labels, now)
        };
        let store = MemoryStore::default();
        let seat = store.seat().expect("memory is never away");
        let epoch = store.lead("a", &seat).expect("memory").expect("free").epoch;
        let note = format!(
            "{{\"over\":[[{},{}]],\"availability\":999200,\"warned\":[0,0],\"told_to\":0,\"notice\":false,\"looked\":0}}",
            now - 2 * HOUR,
            now - 2 * HOUR + 20 * MINUTE
        );
        let notes = vec![("incident/sla/dispatch".to_owned(), Some(note))];
        store.commit(&BookCommit { epoch, notes, ..BookCommit::default() }).expect("memory");
        let told = standing(&store, &[incident], &SlaPlan::default(), now).expect("memory");
        let month = &told["months"][0];
        assert_eq!((month["used_ms"].as_i64(), month["budget_ms"].as_i64()), (Some(30 * MINUTE), Some(2_142_720)));
        let first = &told["incidents"][0]["tightest"];
        assert_eq!(
            (first["clock"].as_str(), first["left_ms"].as_i64()),
            (Some("month"), Some(2_142_720 - 30 * MINUTE))
        );
        assert_eq!(told["incidents"][0]["running"][1]["clock"], "recover");
    }

    fn blank(id: &str, fingerprint: Fingerprint, labels: Labels, at: Ms) -> Incident {
        let text = json!({
            "type": "incident", "id": id, "fingerprint": fingerprint.to_string(), "rule": "cpu",
            "labels": labels.to_json(), "title": "CPU", "domain": Domain::Infra.word(), "state": "open",
            "severity": "S1", "occurred": at, "detected": at, "reopened": [], "flapping": false, "occurrence": 1,
        });
        crate::model::wire::incident_from_json(&text).expect("an incident")
    }
}
