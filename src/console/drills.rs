//! `POST /v1/drills`: somebody starts a drill (모의훈련). It is ended like any incident, by its number.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::{App, api};
use crate::model::{DRILL_HOLD, DRILL_MAX, DRILL_MIN, DrillAsk, Input, Labels, Severity};
use crate::time::{parse_duration, show_duration};

/// The body of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Body {
    rule: String,
    labels: Value,
    severity: String,
    #[serde(rename = "for")]
    hold: Option<String>,
    by: String,
    note: String,
}

/// Hands it to the leader and gives its answer.
pub(super) async fn start(State(app): State<App>, body: Bytes) -> Response {
    match api::json_body(&body).and_then(ask) {
        Ok(ask) => {
            let (status, answer) = api::submit(&app, Input::Drill(Box::new(ask))).await;
            (status, Json(answer)).into_response()
        }
        Err(why) => api::error(StatusCode::BAD_REQUEST, &why),
    }
}

fn ask(body: Body) -> Result<DrillAsk, String> {
    let by = api::who_and_note(&body.by, &body.note)?;
    if body.rule.is_empty() {
        return Err("`rule`이 없습니다. 어느 규칙이 발생한 것으로 할지 쓰십시오".to_owned());
    }
    let labels = match &body.labels {
        Value::Null => Labels::default(),
        labels => Labels::from_json(labels).ok_or("`labels`는 이름과 문자열 값의 객체여야 합니다")?,
    };
    let severity = Severity::parse(&body.severity).ok_or("`severity`는 S1, S2, S3, S4 가운데 하나입니다")?;
    let hold = match body.hold.as_deref() {
        None => DRILL_HOLD,
        Some(text) => {
            let known = parse_duration(text).filter(|hold| (DRILL_MIN..=DRILL_MAX).contains(hold));
            known.ok_or_else(|| {
                format!(
                    "`for`: `{text}` {}에서 {} 사이로 30m 처럼 쓰십시오",
                    show_duration(DRILL_MIN),
                    show_duration(DRILL_MAX)
                )
            })?
        }
    };
    Ok(DrillAsk { rule: body.rule, labels, severity, hold, by, note: body.note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::MINUTE;

    fn read(text: &str) -> Result<DrillAsk, String> {
        api::json_body(text.as_bytes()).and_then(ask)
    }

    #[test]
    fn a_drill_names_a_rule_and_a_severity_and_has_an_end() {
        let full = r#"{"rule":"r","labels":{"host":"a"},"severity":"S1","for":"1h","by":"duty-1","note":"합동"}"#;
        let wanted = DrillAsk {
            rule: "r".to_owned(),
            labels: Labels::new([("host", "a")]),
            severity: Severity::S1,
            hold: 60 * MINUTE,
            by: "duty-1".to_owned(),
            note: "합동".to_owned(),
        };
        assert_eq!(read(full), Ok(wanted));
        assert_eq!(read(r#"{"rule":"r","severity":"S3"}"#).map(|ask| ask.hold), Ok(DRILL_HOLD));
        for wrong in [
            r#"{"severity":"S1"}"#,
            r#"{"rule":"r"}"#,
            r#"{"rule":"r","severity":"S9"}"#,
            r#"{"rule":"r","severity":"S1","labels":{"a":1}}"#,
            r#"{"rule":"r","severity":"S1","for":"9h"}"#,
            r#"{"rule":"r","severity":"S1","for":"5s"}"#,
            r#"{"rule":"r","severity":"S1","until":"5s"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
