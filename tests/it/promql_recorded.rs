//! PromQL against what the real engine said: recorded cases, replayed without it.
//!
//! The idea: random expressions over random data were given to Prometheus 3.16 (its Go module, both ways of dropping
//! names), and its answers were written down: label sets, times, values, errors, and which texts it does not read. Here
//! each is asked again and must be the same, numbers to one part in a billion.

use std::collections::BTreeMap;
use std::fs;

use bongsu::evaluate::promql::{Memory, Query, Value, parse};
use bongsu::model::Labels;
use bongsu::pipeline::promqltest::samples;
use serde_json::Value as Json;

type Found = BTreeMap<String, Vec<(i64, f64)>>;

fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()) || (a - b).abs() <= 1e-9
}

fn number(json: &Json) -> f64 {
    json.as_str().and_then(|text| text.parse().ok()).expect("a recorded number")
}

fn wanted(answer: &Json) -> Found {
    let series = answer["s"].as_array().map(Vec::as_slice).unwrap_or_default();
    let labels = |json: &Json| Labels::from_json(json).expect("recorded labels").to_string();
    let points = |json: &Json| {
        let points = json.as_array().map(Vec::as_slice).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "recorded times are whole milliseconds")]
        points.iter().map(|point| (number(&point[0]) as i64, number(&point[1]))).collect()
    };
    series.iter().map(|series| (labels(&series["l"]), points(&series["p"]))).collect()
}

fn found(value: &Value, at: i64) -> Found {
    match value {
        Value::Scalar(value) => [("{}".to_owned(), vec![(at, *value)])].into(),
        Value::Vector(samples) => samples.iter().map(|s| (s.labels.to_string(), vec![(at, s.value)])).collect(),
        Value::Matrix(series) => series.iter().map(|s| (s.labels.to_string(), s.points.clone())).collect(),
        Value::String(_) => Found::new(),
    }
}

fn equal(a: &Found, b: &Found) -> bool {
    let points = |a: &Vec<(i64, f64)>, b: &Vec<(i64, f64)>| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    };
    a.len() == b.len() && a.iter().all(|(labels, a)| b.get(labels).is_some_and(|b| points(a, b)))
}

/// The same words; which two of several series are named depends on the order in which a storage finds them.
fn alike(ours: &str, theirs: &str) -> bool {
    let several = "found duplicate series for the match group";
    ours == theirs || (ours.starts_with(several) && theirs.starts_with(several))
}

/// What is wrong with one recorded evaluation, if anything.
fn judge(case: &Json, data: &Memory) -> Option<String> {
    let text = case["e"].as_str()?;
    let want = &case["want"];
    let at: Vec<i64> = case["at"].as_array()?.iter().filter_map(Json::as_i64).collect();
    let query = Query { names_late: case["late"].as_bool().unwrap_or(false) };
    let expr = match parse(text) {
        Ok(expr) => expr,
        Err(_) if want["err"].as_str().is_some_and(|error| error.contains("parse error")) => return None,
        Err(problem) => return Some(problem.to_string()),
    };
    let answer = match at[..] {
        [at] => query.instant(&expr, data, at),
        [from, to, step] => query.range(&expr, data, (from, to, step)),
        _ => return Some("no time".to_owned()),
    };
    match (answer, want["err"].as_str()) {
        (Ok(answer), None) => {
            let got = found(&answer.value, at[0]);
            if equal(&got, &wanted(want)) { None } else { Some(format!("{got:?}")) }
        }
        (Err(trouble), Some(error)) if alike(&trouble.message, error) => None,
        (got, _) => Some(format!("{got:?}")),
    }
}

#[test]
fn every_recorded_evaluation_is_the_same() {
    // `tests/promql/oracle/run` hands in fresh ones.
    let path = std::env::var("PROMQL_RECORDED").unwrap_or_else(|_| "tests/promql/evaluations.ndjson".to_owned());
    let text = fs::read_to_string(path).unwrap();
    let mut data = Memory::default();
    let (mut count, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        if let Some(load) = case["load"].as_str() {
            data = samples(load).unwrap();
            continue;
        }
        count += 1;
        if let Some(why) = judge(&case, &data) {
            wrong.push(format!("{case}\n  {why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 500, "only {count} cases");
}

#[test]
fn every_recorded_text_is_read_or_not_as_recorded() {
    let text = fs::read_to_string("tests/promql/texts.ndjson").unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let expression = case["e"].as_str().unwrap();
        let reads = case["reads"].as_bool().unwrap();
        count += 1;
        match parse(expression) {
            // What is refused by name is neither: it is read, and not answered.
            Err(problem) if problem.construct.is_some() => {}
            result if result.is_ok() == reads => {}
            result => wrong.push(format!("{expression}\n  reads: {reads}, here {:?}", result.err())),
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 500, "only {count} texts");
}
