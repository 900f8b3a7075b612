//! From a sample to the phone: the service with its real parts in a process of its own making, samples on an open loop, and
//! what the eight stamps of every page say afterwards.
//!
//! The idea: samples are due at fixed times and carry that time, whether the service was ready for them or not, so a stall
//! is in the figures of everything that came during it (no coordinated omission). The figures come from the rows in the
//! store, as anybody could read them; the carrier's own account says what reached a phone. A message that did not is lost,
//! and a stamp that is missing or earlier than the one before it is a fault like that.

mod carrier;
mod load;
mod site;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::model::{PageRow, PageState};
use crate::pipeline::latency::site::Site;
use crate::pipeline::wake::Wake;
use crate::telemetry::{Hops, Quantiles};
use crate::time::{Clock, Ms, SECOND, SystemClock};

/// After the last sample its page may take so long to the phone.
const FINISH: Ms = 60 * SECOND;
/// Between looks while waiting.
const LOOK: Duration = Duration::from_millis(100);
/// Examples kept of what is wrong.
const EXAMPLES: usize = 10;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Samples that each fire a rule of their own identity: as many pages.
    pub pages: u64,
    /// How many a second.
    pub rate: f64,
    /// The rule is one that is judged at each record, without the wait for its tick.
    pub early: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Samples that were due.
    pub sent: u64,
    /// Of these, such that the door did not take: their messages are lost.
    pub refused: u64,
    /// Pages that reached the phone.
    pub pages: u64,
    /// Samples without a page on the phone.
    pub lost: u64,
    /// Pages on the phone that lack a stamp.
    pub incomplete: u64,
    /// Pages with a stamp that is earlier than the one before it.
    pub disordered: u64,
    /// Hops in the order of the way, then the whole way.
    pub hops: Vec<Quantiles>,
    /// What is wrong, some examples.
    pub examples: Vec<String>,
}

impl Report {
    /// Whether anything is not as it should be.
    pub fn is_wrong(&self) -> bool {
        self.lost + self.incomplete + self.disordered > 0
    }

    fn wrong(&mut self, what: String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(what);
        }
    }
}

/// Runs it in `dir`, an empty directory that it may fill; `progress` hears how many of the samples have left.
///
/// # Errors
/// The service cannot be started.
pub fn run(dir: &Path, plan: Plan, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<Report> {
    let site = Site::start(dir, plan.early)?;
    let refused = load::send(&site, plan, progress)?;
    let until = SystemClock.elapsed() + FINISH;
    while SystemClock.elapsed() < until && !has_all(&site, plan.pages - refused)? {
        Wake::default().wait(LOOK);
    }
    let (store, taken) = site.end()?;
    let mut report = Report { sent: plan.pages, refused, ..Report::default() };
    // As long as nothing is wrong there is one page for each sample.
    account(&mut report, &store.pages(None, usize::MAX >> 1)?, &taken);
    Ok(report)
}

/// Whether `pages` pages are on the phone.
fn has_all(site: &Site, pages: u64) -> anyhow::Result<bool> {
    let rows = site.store()?.pages(None, usize::MAX >> 1)?;
    Ok(rows.iter().filter(|row| row.state == PageState::Delivered).count() as u64 >= pages)
}

/// Reads the rows against what the carrier `taken`.
fn account(report: &mut Report, rows: &[PageRow], taken: &BTreeSet<String>) {
    let hops = Hops::default();
    for row in rows {
        let id = &row.page.id;
        if row.state != PageState::Delivered || !taken.contains(id) {
            report.wrong(format!("page {id} of {} is {}: {}", row.page.incident, row.state.word(), row.detail));
            continue;
        }
        report.pages += 1;
        hops.row(row);
        let stamps = row.stamps();
        if let Some(stamp) = stamps.missing() {
            report.incomplete += 1;
            report.wrong(format!("page {id} has no stamp `{}`", stamp.word()));
        }
        if let Some(hop) = stamps.disorder() {
            report.disordered += 1;
            let (from, to) = (stamps.get(hop.from).unwrap_or(0), stamps.get(hop.to).unwrap_or(0));
            report.wrong(format!("page {id}: `{}` is {} ms before `{}`", hop.to.word(), from - to, hop.from.word()));
        }
    }
    report.lost = report.sent.saturating_sub(report.pages);
    report.hops = hops.quantiles(false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Came, Hop, Sending, Stamp, wire};

    fn row(id: &str, sending: Sending) -> PageRow {
        let text = format!(
            r#"{{"type":"page","at":1030,"id":"{id}","incident":"INC-2611-001","severity":"S2","reason":"first",
            "step":0,"round":0,"occurrence":1,"to":"duty-1","channel":"sms","title":"","text":"","due":1030,
            "deadline":9000,"prompt":true}}"#
        );
        let mut page = wire::page_from_json(&serde_json::from_str(&text).expect("JSON")).expect("a page");
        page.came = Some(Came { sampled: 1_000, appended: 1_010, consumed: 1_020 });
        let (detail, handed, done) = (String::new(), Some(1), Some(2));
        PageRow { page, state: PageState::Delivered, detail, handed, done, tries: 1, sending }
    }

    #[test]
    fn what_is_lost_incomplete_or_out_of_order_is_counted_and_named() {
        let all =
            Sending { queued: Some(1_040), submitted: Some(1_050), accepted: Some(1_090), delivered: Some(1_200) };
        let rows = [
            row("good", all),
            row("blank", Sending { submitted: None, ..all }),
            row("early", Sending { accepted: Some(1_045), ..all }),
            row("unseen", all),
            PageRow { state: PageState::Accepted, ..row("under-way", all) },
        ];
        let taken = ["good", "blank", "early", "under-way"].map(str::to_owned).into();
        let mut report = Report { sent: 6, ..Report::default() };
        account(&mut report, &rows, &taken);
        assert_eq!((report.pages, report.lost, report.incomplete, report.disordered), (3, 3, 1, 1));
        assert!(report.is_wrong());
        assert_eq!(report.examples.len(), 4, "{:?}", report.examples);
        assert!(report.examples[1].contains("`accepted` is 5 ms before `submitted`"), "{:?}", report.examples);
        let whole = Hop { from: Stamp::Sampled, to: Stamp::Delivered };
        let whole = report.hops.iter().find(|it| it.hop == whole).expect("a figure");
        assert_eq!((whole.count, whole.max), (3, 200));
    }
}
