//! The decoder against a slow, obvious one that is built on `serde_json`, over generated records and mutated bytes.
//!
//! The idea: the reference keeps every member of an object in order, walks the rules of the format one after the other
//! without any sharing, and must come to the same numbers, series, lines and rejects.

use std::collections::{BTreeMap, BTreeSet};

use bongsu::decode::{Csv, Decoder, Limits, Place, frame, record_line, recorded};
use bongsu::model::{Decoded, Kind, PULSE_KEY};
use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

const NOW: i64 = 1_764_000_001_000;
const DAY: i64 = 86_400_000;

/// JSON with nothing lost.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Int(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(member) = members.next_entry()? {
            map.push(member);
        }
        Ok(Tree::Map(map))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Tree {
    fn get(&self, name: &str) -> Option<&Tree> {
        match self {
            Tree::Map(map) => map.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }
    fn int(&self) -> Option<i64> {
        if let Tree::Int(value) = self { i64::try_from(*value).ok() } else { None }
    }
    fn text(&self) -> Option<&str> {
        if let Tree::Text(value) = self { Some(value) } else { None }
    }
    fn list(&self) -> Option<&[Tree]> {
        if let Tree::List(value) = self { Some(value) } else { None }
    }
    fn repeats_a_key(&self) -> bool {
        match self {
            Tree::List(list) => list.iter().any(Tree::repeats_a_key),
            Tree::Map(map) => {
                let names: BTreeSet<_> = map.iter().map(|(key, _)| key).collect();
                names.len() < map.len() || map.iter().any(|(_, value)| value.repeats_a_key())
            }
            _ => false,
        }
    }
}

type Labels = BTreeMap<String, String>;

/// What both decoders say, in one comparable form.
#[derive(Debug, Default, PartialEq)]
struct Verdict {
    kind: Kind,
    host: String,
    misplaced: bool,
    sent: Option<i64>,
    series: Vec<(String, Labels)>,
    values: Vec<f64>,
    lines: Vec<(i64, String, String)>,
    rejects: BTreeSet<(&'static str, String)>,
}

fn labels_of(tree: &Tree) -> Option<Labels> {
    let Tree::Map(map) = tree else { return None };
    map.iter()
        .map(|(name, value)| {
            let fits = !name.is_empty() && name != "host";
            fits.then(|| Some((name.clone(), value.text()?.to_owned()))).flatten()
        })
        .collect()
}

fn refused(code: &'static str, place: &str) -> Verdict {
    Verdict { rejects: BTreeSet::from([(code, place.to_owned())]), ..Verdict::default() }
}

fn reference(tree: &Tree, key: &[u8]) -> Verdict {
    if !matches!(tree, Tree::Map(_)) {
        return refused("bad-field", "");
    }
    if tree.repeats_a_key() {
        return refused("duplicate-key", "");
    }
    if tree.get("v") != Some(&Tree::Int(1)) {
        return refused("unknown-version", "v");
    }
    if tree.get("pulse") == Some(&Tree::Bool(true)) {
        return Verdict { kind: Kind::Pulse, ..Verdict::default() };
    }
    let host = tree.get("host").and_then(Tree::text).unwrap_or("");
    if host.is_empty() || host.len() > 255 || host.chars().any(char::is_control) {
        return refused("no-host", "host");
    }
    let mut verdict = Verdict { host: host.to_owned(), misplaced: key != host.as_bytes(), ..Verdict::default() };
    if let Some(place) = bad_field(tree) {
        verdict.rejects.insert(("bad-field", place));
        return verdict;
    }
    match tree.get("sent").map(Tree::int) {
        None => {}
        Some(None) => drop(verdict.rejects.insert(("bad-field", "sent".to_owned()))),
        Some(Some(sent)) if !(0..=253_402_300_799_999).contains(&sent) => {
            verdict.rejects.insert(("bad-time", "sent".to_owned()));
        }
        Some(sent) => verdict.sent = sent,
    }
    let mut own = tree.get("labels").and_then(labels_of).unwrap_or_default();
    own.insert("host".to_owned(), host.to_owned());
    reference_points(tree, &own, &mut verdict);
    reference_lines(tree, &mut verdict);
    if !verdict.values.is_empty() || !verdict.lines.is_empty() || verdict.rejects.is_empty() {
        verdict.kind = Kind::Data;
    }
    verdict
}

fn bad_field(tree: &Tree) -> Option<String> {
    if tree.get("ts").and_then(Tree::int).is_none() {
        return Some("ts".to_owned());
    }
    match tree.get("labels") {
        Some(labels @ Tree::Map(map)) if labels_of(labels).is_none() => {
            let first = map.iter().find(|(n, v)| labels_of(&Tree::Map(vec![(n.clone(), v.clone())])).is_none());
            return first.map(|(name, _)| format!("labels.{name}"));
        }
        None | Some(Tree::Map(_)) => {}
        Some(_) => return Some("labels".to_owned()),
    }
    for name in ["points", "lines"] {
        if tree.get(name).is_some_and(|list| list.list().is_none()) {
            return Some(name.to_owned());
        }
    }
    (tree.get("points").is_none() && tree.get("lines").is_none()).then(String::new)
}

fn bad_time(at: i64) -> bool {
    !(946_684_800_000..=NOW + DAY).contains(&at)
}

fn reference_points(tree: &Tree, own: &Labels, verdict: &mut Verdict) {
    let points = tree.get("points").and_then(Tree::list).unwrap_or(&[]);
    if bad_time(tree.get("ts").and_then(Tree::int).unwrap_or(0)) {
        if !points.is_empty() {
            verdict.rejects.insert(("bad-time", "ts".to_owned()));
        }
        return;
    }
    for (n, point) in points.iter().enumerate() {
        match reference_point(point, own) {
            Ok((series, value)) if !verdict.series.contains(&series) => {
                verdict.series.push(series);
                verdict.values.push(value);
            }
            Ok(_) => drop(verdict.rejects.insert(("bad-point", format!("points[{n}]")))),
            Err(code) => drop(verdict.rejects.insert((code, format!("points[{n}]")))),
        }
    }
}

fn reference_point(point: &Tree, own: &Labels) -> Result<((String, Labels), f64), &'static str> {
    let parts = point.list().filter(|parts| parts.len() == 2 || parts.len() == 3).ok_or("bad-point")?;
    let name = parts[0].text().filter(|name| !name.is_empty()).ok_or("bad-point")?;
    let value = match parts[1] {
        Tree::Int(value) => value as f64,
        Tree::Float(value) => value,
        _ => return Err("bad-number"),
    };
    let mut labels = own.clone();
    if let Some(extra) = parts.get(2) {
        let extra = labels_of(extra).ok_or("bad-point")?;
        labels.extend(extra);
    }
    Ok(((name.to_owned(), labels), value))
}

fn reference_lines(tree: &Tree, verdict: &mut Verdict) {
    for (n, line) in tree.get("lines").and_then(Tree::list).unwrap_or(&[]).iter().enumerate() {
        let parts = line.list().unwrap_or(&[]);
        let read = match parts {
            [ts, level, text] => ts.int().zip(level.text()).zip(text.text()),
            _ => None,
        };
        match read {
            None => drop(verdict.rejects.insert(("bad-line", format!("lines[{n}]")))),
            Some(((ts, _), _)) if bad_time(ts) => {
                verdict.rejects.insert(("bad-time", format!("lines[{n}]")));
            }
            Some(((ts, level), text)) => verdict.lines.push((ts, level.to_owned(), text.to_owned())),
        }
    }
}

fn verdict(out: &Decoded) -> Verdict {
    let series = out.shape.iter().flat_map(|shape| &shape.series);
    Verdict {
        kind: out.kind,
        host: out.host.to_string(),
        misplaced: out.misplaced,
        sent: out.sent,
        series: series
            .map(|s| (s.name.to_string(), s.labels.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
            .collect(),
        values: out.values.clone(),
        lines: out.lines.iter().map(|line| (line.ts, line.level.clone(), line.text.clone())).collect(),
        rejects: out.rejects.iter().map(|reject| (reject.reason.code(), reject.place.clone())).collect(),
    }
}

/// `serde_json` may be off in the last bit of a float, so values are compared with room for that.
fn assert_same(mut ours: Verdict, mut theirs: Verdict, text: &str) {
    let (a, b) = (std::mem::take(&mut ours.values), std::mem::take(&mut theirs.values));
    assert_eq!(ours, theirs, "{text}");
    assert_eq!(a.len(), b.len(), "{text}");
    for (a, b) in a.iter().zip(&b) {
        assert!(a == b || ((a - b) / b).abs() < 1e-15, "{a} {b} in {text}");
    }
}

fn check(decoder: &mut Decoder, value: &[u8]) {
    let mut out = Decoded::default();
    decoder.decode(NOW, b"db-01", value, &mut out);
    assert_eq!(out.values.len(), out.shape.as_ref().map_or(0, |shape| shape.series.len()));
    assert!(out.values.iter().all(|value| value.is_finite()));
    let text = String::from_utf8_lossy(value);
    let codes: Vec<_> = out.rejects.iter().map(|reject| reject.reason.code()).collect();
    match serde_json::from_slice::<Tree>(value) {
        Ok(tree) => assert_same(verdict(&out), reference(&tree, b"db-01"), &text),
        Err(_) if std::str::from_utf8(value).is_err() => assert_eq!(codes, ["not-utf8"], "{text}"),
        // What a strict reader cannot know: numbers out of range, and the words for what is no number.
        Err(e) => {
            let lower = text.to_lowercase();
            let beyond = e.to_string().contains("out of range") || lower.contains("nan") || lower.contains("inf");
            assert!(beyond || codes == ["not-json"], "{e}: {codes:?} for {text}");
        }
    }
}

fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(choices).prop_map(str::to_owned)
}

fn point() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        6 => any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| format!("{v}")),
        3 => any::<f32>().prop_filter("finite", |v| v.is_finite()).prop_map(|v| format!("{v:e}")),
        3 => any::<i64>().prop_map(|v| v.to_string()),
        2 => one_of(&["1e999", "-1e400", "NaN", "\"1\"", "null", "[1]", "{}", "99999999999999999999", "1E-2", "0.0"]),
    ];
    let name = one_of(&["\"a\"", "\"a\"", "\"system.cpu.utilization\"", "\"가\"", "\"\\u0061\"", "\"\"", "5"]);
    let labels = one_of(&[
        "",
        "",
        "",
        ",{}",
        ",{\"x\":\"1\"}",
        ",{\"x\":\"1\",\"y\":\"\\n\"}",
        ",{\"y\":\"\\n\",\"x\":\"1\"}",
        ",{\"env\":\"other\"}",
        ",{\"host\":\"x\"}",
        ",{\"x\":1}",
        ",{\"x\":\"1\",\"x\":\"2\"}",
        ",5",
    ]);
    let whole = (name, value, labels).prop_map(|(name, value, labels)| format!("[{name},{value}{labels}]"));
    prop_oneof![9 => whole, 1 => one_of(&["[]", "5", "[\"a\"]", "{\"a\":1}"])]
}

fn record() -> impl Strategy<Value = String> {
    let line = one_of(&[
        "[1764000000123,\"ERROR\",\"x\"]",
        "[1764000000123,\"\",\"\\\"역\\\"\"]",
        "[5,\"A\",\"b\"]",
        "[1764000000123,\"A\"]",
        "[\"x\",\"A\",\"b\"]",
        "7",
    ]);
    let version = one_of(&["\"v\":1", "\"v\":1", "\"v\":1", "\"v\":1", "\"v\":1", "\"v\":1", "\"v\":2", "\"x\":1"]);
    let ts = one_of(&[
        "1764000000000",
        "1764000000000",
        "1764000000000",
        "1764000000000",
        "5",
        "1764999900000",
        "1.5",
        "null",
    ]);
    let host = one_of(&["\"db-01\"", "\"db-01\"", "\"db-01\"", "\"db-02\"", "\"\"", "7", "\"a\\tb\""]);
    let extra = one_of(&[
        "",
        "",
        "",
        ",\"sent\":1764000000450",
        ",\"sent\":-5",
        ",\"sent\":\"x\"",
        ",\"labels\":{\"env\":\"prod\"}",
        ",\"labels\":{\"env\":\"prod\",\"role\":\"db\"}",
        ",\"labels\":{\"host\":\"x\"}",
        ",\"labels\":5",
        ",\"log\":{\"a\":[{\"b\":null}]}",
        ",\"ts\":1",
        ",\"pulse\":true",
        ",\"pulse\":false",
    ]);
    let points = prop::collection::vec(point(), 0..6);
    let lines = prop::option::weighted(0.3, prop::collection::vec(line, 0..3));
    (version, ts, host, extra, points, lines).prop_map(|(version, ts, host, extra, points, lines)| {
        let lines = lines.map(|lines| format!(",\"lines\":[{}]", lines.join(", "))).unwrap_or_default();
        format!("{{{version},\"ts\":{ts},\"host\":{host}{extra},\"points\":[{}]{lines}}}", points.join(","))
    })
}

/// Bytes that hurt JSON, more often than others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(&b"\"\\{}[],:0123456789.eE+-uNnIitrd \n\t\0"[..]),
        1 => any::<u8>(),
    ]
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3u8, byte()), 1..4);
    (record(), edits).prop_map(|(record, edits)| {
        let mut bytes = record.into_bytes();
        for (index, how, byte) in edits {
            let at = index.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// One small decoder reads several records, so its table is emptied on the way.
    #[test]
    fn generated_records_decode_like_the_reference(records in prop::collection::vec(record(), 1..6)) {
        let mut decoder = Decoder::new(Limits { record_bytes: 1 << 20, shapes: 2 });
        for record in &records {
            check(&mut decoder, record.as_bytes());
        }
    }

    #[test]
    fn mutated_records_decode_like_the_reference(bytes in mutated()) {
        check(&mut Decoder::new(Limits::default()), &bytes);
    }

    #[test]
    fn values_come_out_bit_for_bit(
        values in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..20),
    ) {
        let points: Vec<_> = values.iter().enumerate().map(|(n, v)| format!("[\"m{n}\",{v}]")).collect();
        let text = format!("{{\"v\":1,\"ts\":{NOW},\"host\":\"a\",\"points\":[{}]}}", points.join(","));
        let mut out = Decoded::default();
        Decoder::new(Limits::default()).decode(NOW, b"a", text.as_bytes(), &mut out);
        let bits = |values: &[f64]| values.iter().map(|v| if *v == 0.0 { 0 } else { v.to_bits() }).collect::<Vec<_>>();
        prop_assert_eq!(bits(&out.values), bits(&values), "{}", text);
    }

    #[test]
    fn no_bytes_make_it_panic_or_lose_a_recording(
        key in prop::collection::vec(byte(), 0..6),
        value in prop_oneof![prop::collection::vec(byte(), 0..80), mutated()],
        muted: bool,
    ) {
        check(&mut Decoder::new(Limits::default()), &value);
        let mut out = Decoded::default();
        Decoder::new(Limits::default()).decode(i64::MAX, &key, &value, &mut out);
        let framed = frame(&value);
        if out.kind == Kind::Data {
            prop_assert_eq!(framed.map(|framed| framed.host), Ok(out.host.to_string()));
        }
        let text = String::from_utf8_lossy(&value);
        prop_assert!(Csv::new(&text, 0).count() <= text.lines().count());
        let _ = recorded(&text);
        let place = Place { topic: "t".to_owned(), partition: 0, offset: 1, at: 2 };
        let back = recorded(&record_line(&place, &key, &value, muted)).expect("our own line");
        prop_assert_eq!((back.place, back.muted), (Some(place), muted));
        prop_assert_eq!(&back.key, &key);
        prop_assert!(back.body == value || back.pulse && back.key == PULSE_KEY);
    }
}
