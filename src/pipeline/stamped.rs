//! A page's stamps, in Korean for people and as JSON; and the figures of hops as JSON.
//!
//! The idea: of each stamp the time of day and how long after the one before; the whole way, and where most of it went. What
//! is not known is shown as not known, and what two clocks make negative as it is. It words what `model` has; it counts
//! nothing.

use serde_json::{Map, Value, json};

use crate::model::{Hop, Page, Sending, Stamp, Stamps};
use crate::telemetry::Quantiles;
use crate::time::{show_span, time_of_day};

/// The way of a page, in two lines: its stamps, and what became of the time.
pub fn lines(page: &Page, sending: &Sending) -> Vec<String> {
    let stamps = Stamps::of(page, sending);
    let mut before = None;
    let mut way = Vec::new();
    for stamp in Stamp::ALL {
        let Some(at) = stamps.get(stamp) else {
            way.push(format!("{} —", stamp.title()));
            continue;
        };
        let since = before.replace(at).map_or_else(String::new, |from| format!("(+{})", show_span(at - from)));
        way.push(format!("{} {}{since}", stamp.title(), time_of_day(at)));
    }
    let mut lines = vec![format!("    {}", way.join(" · "))];
    lines.extend(sum(page, &stamps).map(|sum| format!("    {sum}")));
    lines
}

/// The whole way and its slowest hop. `None` where nobody has the page yet.
fn sum(page: &Page, stamps: &Stamps) -> Option<String> {
    let whole = |to: Stamp| Some((to, stamps.hop(Hop { from: Stamp::Sampled, to })?));
    let mut all: Vec<String> = [Stamp::Accepted, Stamp::Delivered]
        .into_iter()
        .filter_map(whole)
        .map(|(to, took)| format!("{}→{} {}", Stamp::Sampled.title(), to.title(), show_span(took)))
        .collect();
    let slowest = Hop::ALL[..7].iter().filter_map(|hop| Some((stamps.hop(*hop)?, *hop))).max_by_key(|(took, _)| *took);
    let (took, hop) = slowest.filter(|_| stamps.get(Stamp::Accepted).is_some())?;
    let planned = if hop.has_decision() && !page.prompt { " (예정된 대기)" } else { "" };
    all.push(format!("가장 오래 걸린 단계 {}→{} {}{planned}", hop.from.title(), hop.to.title(), show_span(took)));
    Some(all.join(", "))
}

/// The same as JSON: epoch ms of each stamp and ms of each hop, left out where not known.
pub fn json(page: &Page, sending: &Sending) -> Value {
    let stamps = Stamps::of(page, sending);
    let at: Map<String, Value> =
        Stamp::ALL.into_iter().filter_map(|stamp| Some((stamp.word().to_owned(), stamps.get(stamp)?.into()))).collect();
    let took: Map<String, Value> =
        Hop::ALL.into_iter().filter_map(|hop| Some((hop.word().to_owned(), stamps.hop(hop)?.into()))).collect();
    json!({ "stamps": at, "hops_ms": took, "prompt": page.prompt })
}

/// The figures of hops: `channel` is left out where they are of all channels together.
pub fn figures(hops: &[Quantiles]) -> Value {
    let one = |it: &Quantiles| {
        let mut one = json!({ "hop": it.hop.word(), "count": it.count, "p50_ms": it.p50, "p90_ms": it.p90,
            "p99_ms": it.p99, "max_ms": it.max });
        if let Some(channel) = it.channel {
            one["channel"] = channel.word().into();
        }
        one
    };
    hops.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Came;
    use crate::time::Ms;

    /// 09:00:00 KST.
    const AT: Ms = 1_764_028_800_000;

    fn page(prompt: bool) -> Page {
        let came = Some(Came { sampled: AT, appended: AT + 12, consumed: AT + 20 });
        Page { decided: AT + 65_100, due: AT + 65_100, came, prompt, ..Page::sample(AT) }
    }

    #[test]
    fn every_stamp_is_shown_with_the_time_since_the_one_before() {
        let at = |ms| Some(AT + 65_100 + ms);
        let sending = Sending { queued: at(3), submitted: at(10), accepted: at(1_510), delivered: at(3_510) };
        assert_eq!(
            lines(&page(false), &sending),
            [
                "    수집 09:00:00.000 · 적재 09:00:00.012(+12ms) · 판독 09:00:00.020(+8ms) · \
                 결정 09:01:05.100(+1분 5초) · 대기열 09:01:05.103(+3ms) · 발송 09:01:05.110(+7ms) · \
                 접수 09:01:06.610(+1.50초) · 도착 09:01:08.610(+2.00초)",
                "    수집→접수 1분 6초, 수집→도착 1분 8초, 가장 오래 걸린 단계 판독→결정 1분 5초 (예정된 대기)",
            ]
        );
        assert_eq!(json(&page(true), &sending)["hops_ms"]["submitted_accepted"], 1_500);
        assert_eq!(json(&page(true), &sending)["stamps"]["delivered"], AT + 65_100 + 3_510);
    }

    #[test]
    fn what_is_not_known_is_shown_as_that() {
        let old = Page { came: None, ..page(true) };
        assert_eq!(
            lines(&old, &Sending::default()),
            ["    수집 — · 적재 — · 판독 — · 결정 09:01:05.100 · 대기열 — · 발송 — · 접수 — · 도착 —"]
        );
        assert_eq!(json(&old, &Sending::default())["stamps"], json!({ "decided": AT + 65_100 }));
    }
}
