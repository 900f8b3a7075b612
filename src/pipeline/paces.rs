//! How long channels take from the send to the provider's yes: measured here, told to the leader.
//!
//! The idea: one histogram per channel over the life of the process. The leader decides by the figure that it was told
//! last, so it is told only of changes that matter: the first figure once there are enough messages, then what is a
//! quarter more or less. Two processes that send tell both; the newer one counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

use crate::model::Channel;
use crate::time::{HOUR, Ms, SECOND};

/// Fewer messages give no figure worth a decision.
const ENOUGH: u64 = 20;
/// A change of less than this is no news.
const NEWS: Ms = SECOND;

/// What is known of one channel.
#[derive(Debug)]
struct Pace {
    took: Histogram<u64>,
    told: Option<Ms>,
}

/// The channels of this process.
#[derive(Debug, Default)]
pub struct Paces(Mutex<BTreeMap<Channel, Pace>>);

impl Paces {
    /// A message of `channel` was taken `took` ms after it was sent; the p99 where the leader should hear of it.
    pub fn took(&self, channel: Channel, took: Ms) -> Option<Ms> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = all.entry(channel).or_insert_with(|| Pace {
            took: Histogram::new_with_max(HOUR.unsigned_abs(), 3).expect("bounds that are right"),
            told: None,
        });
        pace.took.saturating_record(took.max(0).unsigned_abs());
        let p99 = Ms::try_from(pace.took.value_at_quantile(0.99)).unwrap_or(HOUR);
        let is_news = pace.told.is_none_or(|told| (p99 - told).abs() >= NEWS.max(told / 4));
        if pace.took.len() < ENOUGH || !is_news {
            return None;
        }
        pace.told = Some(p99);
        Some(p99)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_hears_of_a_figure_and_of_changes_that_matter() {
        let paces = Paces::default();
        let told: Vec<Option<Ms>> = (0..30).map(|_| paces.took(Channel::Sms, 2_000)).collect();
        assert_eq!(told.iter().flatten().count(), 1, "{told:?}");
        assert!(told[19].is_some_and(|p99| (2_000..2_010).contains(&p99)), "with the twentieth message");
        let slow: Vec<Ms> = (0..30).filter_map(|_| paces.took(Channel::Sms, 9_000)).collect();
        assert!(matches!(slow[..], [p99] if (9_000..9_050).contains(&p99)), "{slow:?}");
        assert_eq!(paces.took(Channel::Mail, 1), None, "each channel for itself");
    }
}
