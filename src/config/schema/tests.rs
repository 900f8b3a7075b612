//! The schemas judge as the readers do: what an editor underlines is what `check` refuses, as far as shapes go.
//!
//! The idea: the part of JSON Schema draft-07 that the tables draw is small enough to be evaluated here, over the same
//! tree that the reader sees; the files are the shipped ones and single rules of every form.

use std::path::Path;

use serde_json::{Value, json};

use super::SCHEMAS;
use crate::config::problem::Notes;
use crate::config::tree::{self, Data, Node, Style};
use crate::config::{Ask, load};
use crate::model::Severity;

fn schema(name: &str) -> Value {
    let draw = SCHEMAS.iter().find(|(file, _)| *file == format!("{name}.schema.json")).unwrap().1;
    serde_json::from_str(&draw()).unwrap()
}

/// A tree as an editor sees it: scalars without quotes may be numbers or truth values.
fn value(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Scalar { text, style: Style::Plain } => match text.as_str() {
            "true" => json!(true),
            "false" => json!(false),
            number => serde_json::from_str(number).unwrap_or_else(|_| json!(number)),
        },
        Data::Scalar { text, .. } => json!(text),
        Data::List(items) => items.iter().map(value).collect(),
        Data::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), value(&e.value))).collect()),
    }
}

fn parsed(text: &str) -> Value {
    value(&tree::parse(text, &mut Notes::new("a.yaml")).unwrap())
}

/// Where `value` is not what `schema` wants.
fn faults(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let known = ["type", "enum", "anyOf", "oneOf", "properties", "patternProperties", "required", "items", "pattern"];
    let bounds = ["minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties", "format"];
    let rest = ["additionalProperties", "description", "default", "title", "$schema"];
    let mut found = Vec::new();
    for (key, wanted) in schema.as_object().unwrap() {
        assert!(known.iter().chain(&bounds).chain(&rest).any(|word| word == key), "this test does not judge `{key}`");
        let holds = match key.as_str() {
            "type" => is_of(wanted, value),
            "enum" => wanted.as_array().unwrap().contains(value),
            "anyOf" | "oneOf" => {
                let fits = |one: &&Value| faults(one, value, at).is_empty();
                let fitting = wanted.as_array().unwrap().iter().filter(fits).count();
                if key == "anyOf" { fitting > 0 } else { fitting == 1 }
            }
            "pattern" => {
                value.as_str().is_none_or(|text| regex::Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text))
            }
            "required" => value.as_object().is_none_or(|map| {
                wanted.as_array().unwrap().iter().all(|name| map.contains_key(name.as_str().unwrap()))
            }),
            "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap()),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
            _ => true,
        };
        if !holds {
            found.push(format!("{at}: {key} {wanted}, found {value}"));
        }
    }
    if let Some(items) = schema.get("items") {
        let list = value.as_array().into_iter().flatten().enumerate();
        found.extend(list.flat_map(|(n, item)| faults(items, item, &format!("{at}[{n}]"))));
    }
    for (key, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) if schema.get("patternProperties").is_none() => {
                found.push(format!("{at}: unknown key"));
            }
            (Value::Null, Value::Object(free)) => found.extend(faults(&json!(free), inner, &at)),
            (Value::Null, _) => {}
            (known, _) => found.extend(faults(known, inner, &at)),
        }
    }
    found
}

fn is_of(wanted: &Value, value: &Value) -> bool {
    let one = |name: &Value| match name.as_str().unwrap() {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        other => panic!("this test does not judge the type `{other}`"),
    };
    wanted.as_array().map_or_else(|| one(wanted), |names| names.iter().any(one))
}

/// Whether the reader takes a rule file without an error.
fn taken(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, text).unwrap();
    load(&[path], &Ask { env: &[], now: 0, whole: false }).errors() == 0
}

#[test]
fn shipped_files_fit_the_schemas_of_their_editors() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut rules: Vec<_> = std::fs::read_dir(configs.join("rules")).unwrap().map(|e| e.unwrap().path()).collect();
    rules.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    assert!(rules.len() > 5);
    let mut files: Vec<_> = rules.into_iter().map(|path| ("rules", path)).collect();
    let names = ["bongsu", "contacts", "chains", "inventory", "calendar"];
    files.extend(names.map(|name| (name, configs.join(format!("{name}.yaml")))));
    for (kind, path) in files {
        let file = parsed(&std::fs::read_to_string(&path).unwrap());
        let found = faults(&schema(kind), &file, "");
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
    }
}

#[test]
fn the_short_form_of_a_severity_is_known_to_reader_and_schema_alike() {
    let rules = schema("rules");
    let rule = |rest: &str| format!("rules:\n  - {{ id: a, title: 시험, expr: 'up == 0', {rest} }}\n");
    let mut cases: Vec<(String, bool)> =
        Severity::ALL.iter().map(|one| (rule(&format!("for: 5m, severity: {}", one.code())), true)).collect();
    cases.push((rule("severity: { S2: { for: 5m }, S1: { for: 1h } }"), true));
    cases.push((rule("severity: S5"), false));
    cases.push((rule("severity: [S2]"), false));
    cases.push((rule("severity: { S2: soon }"), false));
    for (text, wanted) in cases {
        let found = faults(&rules, &parsed(&text), "");
        assert_eq!((found.is_empty(), taken(&text)), (wanted, wanted), "{text}{found:#?}");
    }
}

#[test]
fn a_rule_with_windows_is_judged_alike() {
    let rules = schema("rules");
    let rule = |rest: &str| format!("rules:\n  - {{ id: a, title: 시험, metric: m, when: above, {rest} }}\n");
    for (rest, wanted) in [
        ("window: { fn: avg, over: 5m }, severity: { S1: { value: 95% } }", true),
        ("window: { fn: p99.5, over: 5m }, severity: { S1: { value: 1, for: 2m } }", true),
        ("window: { fn: mean, over: 5m }, severity: { S1: { value: 1 } }", false),
        ("window: { fn: avg, over: soon }, severity: { S1: { value: 1 } }", false),
        ("window: { fn: avg, over: 5m }, severity: { S9: { value: 1 } }", false),
        ("window: { fn: avg, over: 5m }, severity: { S1: { value: 1 } }, recovery: 1", false),
    ] {
        let text = rule(rest);
        let found = faults(&rules, &parsed(&text), "");
        assert_eq!((found.is_empty(), taken(&text)), (wanted, wanted), "{text}{found:#?}");
    }
}
