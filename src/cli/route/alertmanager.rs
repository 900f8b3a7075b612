//! `bongsu route --alertmanager FILE`: what a configuration of Alertmanager does with an alert, for whoever moves over.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::output::{self, Format};
use crate::config::alertmanager;
use crate::model::{AlertRoute, Labels};
use crate::pipeline::taken_over::{Inhibited, OldRoute, Quiet, TakenOver, old_route};
use crate::time::{Ms, rfc3339, show_duration};

/// Prints the answer; 1 where nobody would be told, 2 where the file cannot be used.
pub(super) fn run(file: &Path, labels: &Labels, firing: &[Labels], at: Ms, format: Format) -> anyhow::Result<u8> {
    let read = alertmanager(file);
    for problem in &read.problems {
        output::note(&problem.to_human(Some(&read.text)));
    }
    let Some(config) = &read.config else { anyhow::bail!("{} cannot be used", file.display()) };
    let route = old_route(config, labels, firing, at);
    let mut out = std::io::stdout().lock();
    match format {
        Format::Json => objects(labels, &route, at).into_iter().try_for_each(|it| output::json(&mut out, it))?,
        Format::Human => lines(file, labels, &route, at).iter().try_for_each(|it| output::line(&mut out, it))?,
    }
    Ok(u8::from(!route.tells()))
}

fn group_by(route: &AlertRoute) -> Value {
    if route.group_by_all { json!(["..."]) } else { json!(route.group_by) }
}

fn objects(labels: &Labels, route: &OldRoute<'_>, at: Ms) -> Vec<Value> {
    let inhibited = route.inhibited.as_ref().map(|Inhibited { line, by }| json!({"line": line, "by": by.to_json()}));
    let mut all = vec![json!({
        "type": "alertmanager",
        "at": at,
        "labels": labels.to_json(),
        "receivers": route.taken.iter().map(|taken| &taken.route.receiver).collect::<Vec<_>>(),
        "inhibited": inhibited,
        "told": route.told(),
    })];
    all.extend(route.taken.iter().map(|TakenOver { route, group, quiet }| {
        let (muted, inactive) = match quiet {
            Some(Quiet::Muted(name)) => (json!(name), Value::Null),
            Some(Quiet::Inactive(names)) => (Value::Null, json!(names)),
            None => (Value::Null, Value::Null),
        };
        json!({
            "type": "receiver",
            "receiver": route.receiver,
            "line": route.line,
            "path": route.path,
            "group_by": group_by(route),
            "group": group.to_json(),
            "group_wait_ms": route.group_wait,
            "group_interval_ms": route.group_interval,
            "repeat_interval_ms": route.repeat_interval,
            "muted_by": muted,
            "inactive_outside": inactive,
        })
    }));
    all
}

fn lines(file: &Path, labels: &Labels, route: &OldRoute<'_>, at: Ms) -> Vec<String> {
    let mut lines = vec![format!("Alertmanager {} · {labels} · {}", file.display(), rfc3339(at))];
    if let Some(Inhibited { line, by }) = &route.inhibited {
        lines.push(format!("억제됨: {by} 발생 중 (inhibit_rules, {line}행)"));
    }
    for TakenOver { route, group, quiet } in &route.taken {
        lines.push(format!("수신자 {} · {}행 · {}", route.receiver, route.line, route.path));
        let by = match (route.group_by_all, route.group_by.as_slice()) {
            (true, _) => "모든 레이블".to_owned(),
            (false, []) => "하나로".to_owned(),
            (false, names) => names.join(", "),
        };
        lines.push(format!(
            "  묶음 {by} {group} · 첫 통보 전 {} · 추가 통보 {}마다 · 반복 {}마다",
            show_duration(route.group_wait),
            show_duration(route.group_interval),
            show_duration(route.repeat_interval)
        ));
        match quiet {
            Some(Quiet::Muted(name)) => lines.push(format!("  발송 보류: mute_time_intervals {name}")),
            Some(Quiet::Inactive(names)) => {
                lines.push(format!("  발송 보류: active_time_intervals {} 밖", names.join(", ")));
            }
            None => {}
        }
    }
    if !route.tells() {
        lines.push("아무도 통보받지 않음".to_owned());
    }
    lines
}
