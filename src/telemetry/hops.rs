//! How long each hop of a page's way takes: one histogram for each hop and channel.
//!
//! The idea: a page is counted once when a provider takes it, with every hop up to there, and once more when its receipt
//! comes, with the rest; what is counted comes from its stamps, so these figures and what `explain` shows of a page cannot
//! differ. Histograms keep three digits of everything from a millisecond to a week; `/metrics` gets them as buckets, which
//! can be added up over processes, people get quantiles.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;

use crate::model::{Channel, Hop, PageRow, Passage, Stamp};
use crate::time::{DAY, Ms};

/// What took longer counts as this: no message is worth sending after a week.
const LONGEST: Ms = 7 * DAY;
/// Edges of the buckets, ms. The borders of the SLA (60 s, 5 min, 30 min) are among them.
const EDGES: [u64; 16] =
    [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 15_000, 60_000, 300_000, 1_800_000, 7_200_000];

/// Labels of a histogram, from closed lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    hop: &'static str,
    channel: &'static str,
}

/// One hop of one channel.
#[derive(Debug)]
struct Figure {
    took: Histogram<u64>,
    sum: u64,
}

/// What people are shown of one hop, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantiles {
    /// Which hop.
    pub hop: Hop,
    /// On which channel; `None` = all of them together.
    pub channel: Option<Channel>,
    /// How many pages.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: Ms,
    /// Nine of ten.
    pub p90: Ms,
    /// 99 of 100.
    pub p99: Ms,
    /// The slowest.
    pub max: Ms,
}

/// The histograms.
#[derive(Debug, Default)]
pub struct Hops(Mutex<BTreeMap<(Hop, Channel), Figure>>);

impl Hops {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(Hop, Channel), Figure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A provider took a page: every hop up to there.
    pub fn accepted(&self, passage: &Passage) {
        self.add(passage, |hop| hop.to <= Stamp::Accepted);
    }

    /// A receipt says that a page is on its phone. Where nobody knew before that the provider had it, it says that too.
    pub fn delivered(&self, passage: &Passage) {
        let at = |stamp| passage.stamps.get(stamp);
        if at(Stamp::Accepted) == at(Stamp::Delivered) {
            self.accepted(passage);
        }
        self.add(passage, |hop| hop.to == Stamp::Delivered);
    }

    /// Counts a page as its row has it.
    pub fn row(&self, row: &PageRow) {
        let passage = Passage::of(&row.page, &row.sending);
        let (accepted, delivered) = (row.sending.accepted, row.sending.delivered);
        if accepted.is_some() && accepted != delivered {
            self.accepted(&passage);
        }
        if delivered.is_some() {
            self.delivered(&passage);
        }
    }

    fn add(&self, passage: &Passage, fits: impl Fn(Hop) -> bool) {
        let mut all = self.all();
        for hop in Hop::ALL.into_iter().filter(|hop| fits(*hop)) {
            let Some(took) = passage.hop(hop) else { continue };
            let took = took.clamp(0, LONGEST).unsigned_abs();
            let figure = all.entry((hop, passage.channel)).or_insert_with(Figure::new);
            figure.took.saturating_record(took);
            figure.sum += took;
        }
    }

    /// What there is, hop by hop in the order of the way; each with the channels apart, or all channels together.
    pub fn quantiles(&self, apart: bool) -> Vec<Quantiles> {
        let mut found = Vec::new();
        let all = self.all();
        for hop in Hop::ALL {
            let mut whole = Figure::new();
            for ((_, channel), figure) in all.iter().filter(|((of, _), _)| *of == hop) {
                if apart {
                    found.extend(figure.quantiles(hop, Some(*channel)));
                } else {
                    // Both have the same bounds.
                    let added = whole.took.add(&figure.took);
                    debug_assert!(added.is_ok(), "{added:?}");
                }
            }
            found.extend(whole.quantiles(hop, None));
        }
        found
    }
}

impl Figure {
    fn new() -> Self {
        let took = Histogram::new_with_max(LONGEST.unsigned_abs(), 3).expect("bounds that are right");
        Self { took, sum: 0 }
    }

    fn quantiles(&self, hop: Hop, channel: Option<Channel>) -> Option<Quantiles> {
        let count = self.took.len();
        let max = self.took.max();
        // A histogram rounds up to three digits: no quantile may look slower than the slowest.
        let at = |quantile| Ms::try_from(self.took.value_at_quantile(quantile).min(max)).unwrap_or(LONGEST);
        let max = Ms::try_from(max).unwrap_or(LONGEST);
        (count > 0).then(|| Quantiles { hop, channel, count, p50: at(0.5), p90: at(0.9), p99: at(0.99), max })
    }

    /// Edge in seconds and how many lie between it and the one before.
    #[expect(clippy::cast_precision_loss, reason = "edges are far below 2^53 ms")]
    fn buckets(&self) -> Vec<(f64, u64)> {
        let mut counts = [0; EDGES.len() + 1];
        for step in self.took.iter_recorded() {
            let place = EDGES.partition_point(|edge| *edge < step.value_iterated_to());
            counts[place] += step.count_since_last_iteration();
        }
        let edges = EDGES.iter().map(|edge| *edge as f64 / 1e3).chain([f64::MAX]);
        edges.zip(counts).collect()
    }
}

impl Collector for Hops {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let all = self.all();
        if all.is_empty() {
            return Ok(());
        }
        let help = "How long a hop of a page's way took; sampled_accepted and sampled_delivered are the whole way";
        let mut family = encoder.encode_descriptor("page_hop_seconds", help, None, MetricType::Histogram)?;
        for ((hop, channel), figure) in all.iter() {
            let labels = Labels { hop: hop.word(), channel: channel.word() };
            #[expect(clippy::cast_precision_loss, reason = "a sum of latencies is far below 2^53 ms")]
            let sum = figure.sum as f64 / 1e3;
            family.encode_family(&labels)?.encode_histogram::<Labels>(
                sum,
                figure.took.len(),
                &figure.buckets(),
                None,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Came, Page, Sending};

    fn passage(channel: Channel, prompt: bool, accepted: Ms, delivered: Option<Ms>) -> Passage {
        let came = Some(Came { sampled: 1_000, appended: 1_010, consumed: 1_020 });
        let page = Page { channel, wanted: 61_000, came, prompt, ..Page::sample(1_040) };
        let (queued, submitted) = (Some(1_050), Some(1_100));
        Passage::of(&page, &Sending { queued, submitted, accepted: Some(accepted), delivered })
    }

    fn counts(hops: &Hops) -> Vec<(&'static str, u64, Ms)> {
        hops.quantiles(false).iter().map(|it| (it.hop.word(), it.count, it.max)).collect()
    }

    #[test]
    fn each_page_is_counted_once_at_each_hop_and_a_planned_wait_at_none() {
        let hops = Hops::default();
        hops.accepted(&passage(Channel::Sms, true, 1_400, None));
        hops.accepted(&passage(Channel::Mail, false, 1_900, None));
        let wanted = [
            ("sampled_appended", 2, 10),
            ("appended_consumed", 2, 10),
            ("consumed_decided", 1, 20),
            ("decided_queued", 2, 10),
            ("queued_submitted", 2, 50),
            ("submitted_accepted", 2, 800),
            ("sampled_accepted", 1, 400),
        ];
        assert_eq!(counts(&hops), wanted, "the mail was decided by a timer");
        hops.delivered(&passage(Channel::Sms, true, 1_400, Some(2_400)));
        let found = counts(&hops);
        assert_eq!(
            found[6..],
            [("accepted_delivered", 1, 1_000), ("sampled_accepted", 1, 400), ("sampled_delivered", 1, 1_400)]
        );
        assert_eq!(found[..6], wanted[..6], "nothing was counted twice");
        hops.delivered(&passage(Channel::Sms, true, 2_000, Some(2_000)));
        assert_eq!(counts(&hops)[5], ("submitted_accepted", 3, 900), "its receipt was the first word of it");
    }

    #[test]
    fn buckets_hold_what_ends_at_their_edge_and_add_up() {
        let mut figure = Figure::new();
        for took in [0, 1, 2, 250, 251, 60_000, 700_000_000] {
            figure.took.saturating_record(took.min(LONGEST.unsigned_abs()));
        }
        let buckets = figure.buckets();
        let of = |edge: f64| buckets.iter().find(|(at, _)| *at == edge).map(|(_, n)| *n);
        assert_eq!((of(0.001), of(0.005), of(0.25), of(0.5)), (Some(2), Some(1), Some(1), Some(1)));
        assert_eq!(buckets.iter().map(|(_, n)| n).sum::<u64>(), 7);
        assert_eq!(buckets.last().map(|(_, n)| *n), Some(1), "beyond the last edge");
    }
}
