//! `bongsu route`: who would be told, when, on what channel, muted by what. Works on the configuration alone, Bongsu's or
//! one of Alertmanager's.

mod alertmanager;

use std::path::PathBuf;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::output::{self, Format};
use crate::cli::table::Columns;
use crate::config::Loaded;
use crate::model::{Domain, Labels, Reason, Severity, mask_email, mask_phone};
use crate::pipeline::route::{Question, Route, Told, route};
use crate::time::{Clock, KST, Ms, SystemClock, parse_instant, rfc3339, show_duration};

/// `bongsu route`.
#[derive(Debug, clap::Args)]
pub(crate) struct RouteArgs {
    /// Labels of the incident, for example host=db-01; what the inventory says of the host joins them. `rule` and
    /// `severity` among them mean what --rule and --severity mean.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, num_args = 1..)]
    labels: Vec<(String, String)>,
    /// Its rule; left out: any rule.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Its severity; left out: the worst that the rule gives, else S1.
    #[arg(long, value_name = "S1..S4", value_parser = severity)]
    severity: Option<Severity>,
    /// Its 구간; left out: the rule's, else 인프라.
    #[arg(long, value_name = "인프라|응용|통신|보안", value_parser = domain)]
    domain: Option<Domain>,
    /// When it begins, +09:00 unless it says else; left out: now.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Ms>,
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = "configs/bongsu.yaml")]
    config: PathBuf,
    /// Asks a configuration of Alertmanager instead: which of its routes take an alert with these labels, how they group
    /// and repeat, which time interval keeps them quiet, which rule inhibits it. Read strictly, every mistake at its line
    /// and column; zones follow today's rules.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rule", "severity", "domain", "config"])]
    alertmanager: Option<PathBuf>,
    /// Labels of what fires already and may inhibit it or speak for it, `rule` and `severity` among them, for example
    /// rule=source-silent,host=db-01 (of Alertmanager: alertname=NodeDown,node=n1); may be given again.
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = labels)]
    firing: Vec<Labels>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn labels(text: &str) -> Result<Labels, String> {
    let pairs: Vec<_> = text.split(',').filter(|part| !part.is_empty()).map(label).collect::<Result<_, _>>()?;
    Ok(Labels::new(pairs))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is no label; write name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| "write S1, S2, S3 or S4".to_owned())
}

fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).ok_or_else(|| "write 인프라, 응용, 통신 or 보안".to_owned())
}

fn instant(text: &str) -> Result<Ms, String> {
    parse_instant(text, KST).ok_or_else(|| "write for example 2026-11-24T03:00".to_owned())
}

pub(crate) fn run(args: &RouteArgs) -> anyhow::Result<u8> {
    if let Some(file) = &args.alertmanager {
        let at = args.at.unwrap_or_else(|| SystemClock.wall());
        return alertmanager::run(file, &Labels::new(args.labels.clone()), &args.firing, at, args.format);
    }
    let loaded = crate::cli::run::load(&args.config)?;
    crate::cli::run::refuse_broken(&loaded)?;
    let question = question(args)?;
    let route = route(&loaded, &question)?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            for object in objects(&loaded, &question, &route) {
                output::json(&mut out, object)?;
            }
        }
        Format::Human => {
            for line in lines(&loaded, &question, &route) {
                output::line(&mut out, &line)?;
            }
        }
    }
    Ok(u8::from(route.told.is_empty()))
}

/// What is asked; `rule` and `severity` are no labels of an incident, so they are taken as what they name.
fn question(args: &RouteArgs) -> anyhow::Result<Question> {
    let named = |name: &str| args.labels.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
    let labelled = |text: &str| {
        let found = Severity::parse(text);
        found.ok_or_else(|| anyhow!("`{text}` is no severity\n  help: write severity=S1, S2, S3 or S4"))
    };
    for text in args.firing.iter().filter_map(|labels| labels.get("severity")) {
        labelled(text)?;
    }
    let severity = named("severity").map(labelled).transpose()?;
    let own = args.labels.iter().filter(|(name, _)| !matches!(name.as_str(), "rule" | "severity"));
    Ok(Question {
        labels: Labels::new(own.cloned()),
        rule: args.rule.clone().or_else(|| named("rule").map(str::to_owned)),
        domain: args.domain,
        severity: args.severity.or(severity),
        at: args.at.unwrap_or_else(|| SystemClock.wall()),
        firing: args.firing.clone(),
    })
}

/// Organisation and roles of a contact, and its address on the channel, masked.
fn whose(loaded: &Loaded, told: &Told) -> (String, String) {
    let Some(contact) = loaded.people.contact(&told.to) else { return (String::new(), String::new()) };
    let address = match told.channel {
        crate::model::Channel::Mail => contact.email.as_deref().map(mask_email),
        _ => contact.phone.as_deref().map(mask_phone),
    };
    (format!("{}/{}", contact.org, contact.roles.join("+")), address.unwrap_or_default())
}

fn objects(loaded: &Loaded, question: &Question, route: &Route) -> Vec<Value> {
    let chain = route.chain.as_ref();
    let muted = route
        .muted
        .as_ref()
        .map(|(kind, by, why, until)| json!({ "kind": kind, "by": by, "why": why, "until": until }));
    let mut all = vec![json!({
        "type": "route",
        "at": question.at,
        "chain": chain.map(|chain| &chain.id),
        "domain": route.domain.word(),
        "severity": route.severity.code(),
        "labels": question.labels.to_json(),
        "muted": muted,
        "behind": route.behind.as_ref().map(|(rule, labels)| json!({ "rule": rule, "labels": labels.to_json() })),
        "shadow": route.shadow,
        "notify_by": route.notify_by,
        "repeat_ms": chain.filter(|_| repeats(route)).map(|chain| chain.last.repeat),
    })];
    let passed = route.passed.iter().map(|it| json!({ "type": "passed", "step": it.step, "why": it.why }));
    all.extend(passed);
    all.extend(route.told.iter().map(|told| {
        let (whose, address) = whose(loaded, told);
        json!({
            "type": "told",
            "at": told.at,
            "after_ms": told.at - question.at,
            "step": told.step,
            "reason": told.reason.word(),
            "to": told.to,
            "role": whose,
            "channel": told.channel.word(),
            "address": address,
        })
    }));
    all
}

fn repeats(route: &Route) -> bool {
    route.told.iter().any(|told| told.reason == Reason::Repeat)
}

fn lines(loaded: &Loaded, question: &Question, route: &Route) -> Vec<String> {
    let chain = route.chain.as_ref().map_or("없음", |chain| chain.id.as_str());
    let what = format!("{}/{}", route.severity.word(), route.domain.word());
    let mut lines = vec![format!("전파체계 {chain} · {what} · {}", rfc3339(question.at))];
    if route.shadow {
        lines.push("시험운영(shadow) 규칙: 아무에게도 알리지 않음".to_owned());
    }
    if let Some((kind, by, why, until)) = &route.muted {
        let until = until.map_or_else(|| "끝날 때까지".to_owned(), |until| format!("{}까지", rfc3339(until)));
        lines.push(format!("발송 보류: {kind} {by} ({why}), {until}"));
    }
    if let Some((rule, labels)) = &route.behind {
        lines.push(format!("대표 장애: {rule} {labels}"));
    }
    let last = route.chain.as_ref().map_or(0, |chain| chain.steps.len());
    let step_word = |step: i64| match usize::try_from(step) {
        Err(_) => "요약".to_owned(),
        Ok(step) if step >= last => "최종".to_owned(),
        Ok(step) => (step + 1).to_string(),
    };
    for passed in &route.passed {
        let step = i64::try_from(passed.step).map_or_else(|_| String::new(), step_word);
        let why = match passed.why.as_str() {
            "empty" => "받을 사람이 없음".to_owned(),
            when => format!("지금은 해당 시간({when})이 아님"),
        };
        lines.push(format!("건너뜀: {step}단계 — {why}"));
    }
    let mut table = Columns::new(&["시각", "경과", "단계", "사유", "대상", "소속/역할", "경로", "주소"], 99);
    for told in &route.told {
        let (whose, address) = whose(loaded, told);
        // A share of a month's error budget falls between seconds; people read seconds, JSON has the milliseconds.
        let seconds = |at: Ms| at.div_euclid(1_000) * 1_000;
        table.row(vec![
            rfc3339(seconds(told.at)),
            format!("+{}", show_duration(seconds(told.at - question.at))),
            if told.reason == Reason::Sla { "–".to_owned() } else { step_word(told.step) },
            told.reason.korean().to_owned(),
            told.to.clone(),
            whose,
            told.channel.word().to_owned(),
            address,
        ]);
    }
    if table.is_empty() {
        lines.push("아무도 통보받지 않음".to_owned());
    } else {
        lines.extend(table.lines());
    }
    if let Some(chain) = route.chain.as_ref().filter(|_| repeats(route)) {
        lines.push(format!("이후 수신확인까지 {}마다 최종 그룹 재통보", show_duration(chain.last.repeat)));
    }
    lines
}
