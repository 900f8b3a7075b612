//! The load: one sample after the other at fixed times, each for an identity of its own that fires with it.
//!
//! The idea: an open loop. When a sample is due is decided before the first one leaves; nothing waits for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::pipeline::latency::Plan;
use crate::pipeline::latency::site::Site;
use crate::time::{Clock, Ms, SystemClock};

/// Hosts that send.
const HOSTS: u64 = 8;

/// Sends the samples of `plan`; says how many the door did not take.
pub(super) fn send(site: &Site, plan: Plan, progress: &(dyn Fn(u64) + Sync)) -> anyhow::Result<u64> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build()?;
    let (url, token) = (format!("http://{}/v1/records", site.listen), site.token()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let refused = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let (began, wall) = (SystemClock.elapsed(), SystemClock.wall());
        let mut under_way = JoinSet::new();
        for n in 0..plan.pages {
            #[expect(clippy::cast_precision_loss, reason = "at most some thousand samples")]
            let after = Duration::from_secs_f64(n as f64 / plan.rate);
            let after = Ms::try_from(after.as_millis()).unwrap_or(Ms::MAX);
            let ahead = u64::try_from(began + after - SystemClock.elapsed()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(ahead)).await;
            let due = wall + after;
            let post = client.post(&url).bearer_auth(&token).body(record(n, due));
            let refused = Arc::clone(&refused);
            under_way.spawn(async move {
                if !is_taken(post).await {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
            });
            progress(n + 1);
        }
        while under_way.join_next().await.is_some() {}
    });
    Ok(refused.load(Ordering::SeqCst))
}

async fn is_taken(post: reqwest::RequestBuilder) -> bool {
    let Ok(answer) = post.send().await else { return false };
    answer.json::<Value>().await.is_ok_and(|answer| answer["accepted"].as_u64() == Some(1))
}

/// A record that was due at `due`.
fn record(n: u64, due: Ms) -> String {
    let (host, sent) = (n % HOSTS, SystemClock.wall());
    format!(
        "{{\"v\":1,\"ts\":{due},\"sent\":{sent},\"host\":\"h-{host}\",\"labels\":{{\"job\":\"{n}\"}},\
         \"points\":[[\"latency.value\",99]]}}\n"
    )
}
