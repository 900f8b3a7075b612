//! `POST /v1/explain`: why an instance or an incident is as it is.
//!
//! The idea: a question that only reads, but carries labels with any characters, so it comes as a body. What is looked at
//! and how it is worded is not known here; see [`View::explain`](super::View::explain).

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{App, ExplainAsk, api};
use crate::model::Labels;

/// Longest body, bytes.
const BODY_BYTES: usize = 16 << 10;

/// The body of a question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    incident: Option<String>,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    labels: Value,
}

/// Answers a question: `{"explain": [{…, "lines": ["…"]}]}`.
pub(super) async fn explain(State(app): State<App>, body: Bytes) -> Response {
    let ask = match read(&body) {
        Ok(ask) => ask,
        Err(why) => return api::error(StatusCode::BAD_REQUEST, &why),
    };
    match app.blocking(move |parts| parts.view.explain(&ask)).await.and_then(|found| found) {
        Ok(found) => Json(json!({ "explain": found })).into_response(),
        Err(why) => api::error(StatusCode::NOT_FOUND, &why),
    }
}

fn read(body: &[u8]) -> Result<ExplainAsk, String> {
    if body.len() > BODY_BYTES {
        return Err(format!("the request is longer than {BODY_BYTES} bytes"));
    }
    let ask: Ask = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let labels = match &ask.labels {
        Value::Null => Labels::default(),
        labels => Labels::from_json(labels).ok_or("`labels` is no object of strings")?,
    };
    if ask.incident.is_none() && ask.rule.is_empty() {
        return Err("name an `incident`, or a `rule` with `labels`".to_owned());
    }
    let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(ExplainAsk { incident: ask.incident, rule: ask.rule, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_an_incident_or_a_rule() {
        let ask = read(br#"{"rule":"r","labels":{"host":"a"}}"#).unwrap();
        assert_eq!((ask.rule.as_str(), ask.labels), ("r", vec![("host".to_owned(), "a".to_owned())]));
        assert_eq!(read(br#"{"incident":"INC-2611-001"}"#).unwrap().incident.as_deref(), Some("INC-2611-001"));
        for wrong in ["", "{}", r#"{"rule":"r","labels":{"a":1}}"#, r#"{"rule":"r","label":{}}"#] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
