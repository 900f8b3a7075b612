//! What needs somebody's hand, before everything else on the page.
//!
//! The idea: at 3 a.m. nobody scrolls. Whatever keeps people from being told, or rules from being judged, is a sentence at
//! the top that says what to do; where all is well there is no such part.

use super::html::Html;
use super::seams::{EmptyStepView, GatewayView, StatusView};
use super::sections::Shown;
use crate::model::{SilenceState, detail_of, step_of};
use crate::time::rfc3339_seconds;

/// Incidents named of an empty step.
const NAMED: usize = 3;

/// The part of the overview; nothing where all is well.
pub(super) fn concerns(html: &mut Html, shown: &Shown) {
    let mut all = of_status(&shown.status);
    let waiting = shown.silences.iter().filter(|it| it.state(shown.now) == SilenceState::Waiting);
    all.extend(waiting.map(|it| {
        let why = it.needs.as_deref().unwrap_or_default();
        format!("알림중지 {}({}): 다른 담당자의 승인을 기다립니다. 그때까지 계속 통보합니다. {why}", it.id, it.by)
    }));
    if all.is_empty() {
        return;
    }
    html.raw("<section id=\"concerns\"><h2>조치 필요</h2>");
    notices(html, &all);
    html.raw("</section>");
}

/// Sentences, each a notice.
pub(super) fn notices(html: &mut Html, all: &[String]) {
    for text in all {
        html.raw("<p class=\"notice\" role=\"alert\">").text(text).raw("</p>");
    }
}

fn of_status(it: &StatusView) -> Vec<String> {
    let mut all = it.health.troubles.clone();
    if let Some(why) = &it.unknown {
        all.push(format!("저장소를 읽을 수 없어 장애와 발송 상태를 알 수 없습니다: {why}"));
    }
    if let Some(broken) = &it.rules.broken {
        all.push(format!("설정 오류(이전 설정으로 동작 중): {broken}. 고치면 바로 적용됩니다."));
    }
    let rule =
        |(rule, why): (&String, &String)| format!("규칙 {rule}: 식이 결과를 내지 못해 이전 판정을 유지합니다: {why}");
    all.extend(it.rules.troubles.iter().map(rule));
    all.extend(it.gateways.iter().filter(|it| it.failing).map(gateway));
    all.extend(it.empty_steps.iter().flatten().map(empty_step));
    all
}

fn gateway(it: &GatewayView) -> String {
    let since = it.since.map_or_else(String::new, |at| format!(" {}부터", rfc3339_seconds(at)));
    let last = it.last.as_deref().map_or_else(String::new, |word| format!(" ({})", detail_of(word)));
    format!("발송 경로 {}({}):{since} 발송하지 못하고 있습니다{last}. 급한 통보는 전화로 하십시오.", it.id, it.channel)
}

/// A step of a chain that nobody is behind.
pub(super) fn empty_step(it: &EmptyStepView) -> String {
    let who = it.to.join(", ");
    let (step, came) = match it.is_last {
        true => ("마지막 단계".to_owned(), "다른 담당자에게 알렸습니다"),
        false => {
            let step = i64::try_from(it.step).ok().and_then(step_of).unwrap_or_default();
            (step, "바로 다음 단계로 넘어갔습니다")
        }
    };
    let shown = it.incidents.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = it.incidents.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" 외 {more}건") } else { String::new() };
    format!(
        "비상연락 체계 {} {step}({who}): 연락할 사람이 없어 {came}({shown}{more}). 연락처를 확인하십시오.",
        it.chain
    )
}
