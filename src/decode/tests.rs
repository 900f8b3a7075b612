//! What the decoder must make of good, bad and hostile records.

use std::sync::Arc;

use super::*;
use crate::model::{Decoded, Kind, LABEL_BYTES_MAX, LABELS_MAX, Labels, PULSE_KEY, RejectReason};
use crate::time::DAY;

const NOW: i64 = 1_764_000_001_000;

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

fn decode(value: impl AsRef<[u8]>) -> Decoded {
    let mut out = Decoded::default();
    decoder().decode(NOW, b"db-01", value.as_ref(), &mut out);
    out
}

/// A record of db-01 with `points`.
fn with_points(points: &str) -> String {
    format!(r#"{{"v":1,"ts":1764000000000,"host":"db-01","points":{points}}}"#)
}

fn series(out: &Decoded) -> Vec<String> {
    let shape = out.shape.iter().flat_map(|shape| &shape.series);
    shape.map(|series| format!("{}{}", series.name, series.labels)).collect()
}

fn reasons(out: &Decoded) -> Vec<(&str, &str)> {
    out.rejects.iter().map(|reject| (reject.reason.code(), reject.place.as_str())).collect()
}

#[test]
fn a_full_record_becomes_numbers_and_lines() {
    let out = decode(
        r#"{"v":1,"ts":1764000000000,"sent":1764000000450,"host":"db-01","labels":{"env":"prod","role":"db"},
        "points":[["a",0.932],["b",7,{"mountpoint":"/데이터","env":"test"}]],
        "lines":[[1764000000123,"ERROR","connection \"refused\""]],"extra":{"deep":[1,{"a":2}]}}"#,
    );
    assert_eq!(
        (out.kind, out.misplaced, out.ts, out.sent),
        (Kind::Data, false, 1_764_000_000_000, Some(1_764_000_000_450))
    );
    assert_eq!(out.values, [0.932, 7.0]);
    assert_eq!(
        series(&out),
        [r#"a{env="prod",host="db-01",role="db"}"#, r#"b{env="test",host="db-01",mountpoint="/데이터",role="db"}"#]
    );
    assert_eq!(out.labels, Labels::new([("env", "prod"), ("role", "db"), ("host", "db-01")]));
    assert_eq!((out.lines[0].level.as_str(), out.lines[0].text.as_str()), ("ERROR", "connection \"refused\""));
    assert_eq!(out.rejects, []);
}

#[test]
fn pulses_are_told_from_records() {
    let mut out = Decoded::default();
    decoder().decode(NOW, PULSE_KEY, b"", &mut out);
    assert_eq!(out.kind, Kind::Pulse);
    assert_eq!(decode(r#"{"v":1,"pulse":true,"log":{"at":1}}"#).kind, Kind::Pulse);
    assert_eq!(reasons(&decode("")), [("not-json", "")]);
    assert_eq!(reasons(&decode(r#"{"v":2,"pulse":true}"#)), [("unknown-version", "v")]);
    assert_eq!(reasons(&decode(r#"{"v":1,"pulse":1}"#)), [("no-host", "host")]);
}

#[test]
fn a_bad_point_costs_only_itself() {
    let out = decode(with_points(
        r#"[["a",1],["b","2"],["c",1e999],["d",NaN],["e",-Infinity],["f",null],["g"],["h",1,{},2],"i",
            ["",1],[5,1],["j",1,{"host":"x"}],["k",1,{"n":5}],["l",1,["x"]],["m",1,{"":"x"}],["n",2],["a",3]]"#,
    ));
    assert_eq!(out.kind, Kind::Data);
    assert_eq!(out.values, [1.0, 2.0]);
    assert_eq!(series(&out), [r#"a{host="db-01"}"#, r#"n{host="db-01"}"#]);
    let bad_number = (1..=5).map(|n| ("bad-number".to_owned(), format!("points[{n}]")));
    let bad_point = (6..=14).chain([16]).map(|n| ("bad-point".to_owned(), format!("points[{n}]")));
    let expected: Vec<_> = bad_number.chain(bad_point).collect();
    let found: Vec<_> = reasons(&out).iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_record_whose_points_are_all_bad_is_rejected_but_has_a_host() {
    let out = decode(with_points(r#"[["a","1"]]"#));
    assert_eq!((out.kind, &*out.host, out.shape.is_none()), (Kind::Rejected, "db-01", true));
    assert_eq!(decode(with_points("[]")).kind, Kind::Data, "an empty batch is a sign of life");
}

#[test]
fn the_head_stands_for_the_whole_record() {
    let cases: &[(&[u8], &str, &str)] = &[
        (b"{", "not-json", ""),
        (b"nonsense", "not-json", ""),
        (br#"{"v":1} x"#, "not-json", ""),
        (br#"{"v":1,}"#, "not-json", ""),
        (br#"{"v":01}"#, "not-json", ""),
        (b"\xff\xfe{}", "not-utf8", ""),
        (b"{\"v\":1,\"host\":\"\xc3\x28\"}", "not-utf8", ""),
        (b"[]", "bad-field", ""),
        (b"null", "bad-field", ""),
        (br#"{"v":1,"v":1,"host":"a"}"#, "duplicate-key", ""),
        (br#"{"v":1,"ts":1,"host":"a","points":[["a",1,{"x":"1","\u0078":"2"}]]}"#, "duplicate-key", ""),
        (br#"{"v":1,"ts":1,"host":"a","extra":[{"x":{"y":1,"y":2}}],"points":[]}"#, "duplicate-key", ""),
        (br#"{"ts":1,"host":"a","points":[]}"#, "unknown-version", "v"),
        (br#"{"v":2,"ts":1,"host":"a","points":[]}"#, "unknown-version", "v"),
        (br#"{"v":"1","ts":1,"host":"a","points":[]}"#, "unknown-version", "v"),
        (br#"{"v":1.0,"ts":1,"host":"a","points":[]}"#, "unknown-version", "v"),
        (br#"{"v":1,"ts":1,"points":[]}"#, "no-host", "host"),
        (br#"{"v":1,"ts":1,"host":"","points":[]}"#, "no-host", "host"),
        (br#"{"v":1,"ts":1,"host":5,"points":[]}"#, "no-host", "host"),
        (br#"{"v":1,"ts":1,"host":"a\nb","points":[]}"#, "no-host", "host"),
        (br#"{"v":1,"host":"a","points":[]}"#, "bad-field", "ts"),
        (br#"{"v":1,"ts":1.5,"host":"a","points":[]}"#, "bad-field", "ts"),
        (br#"{"v":1,"ts":"1","host":"a","points":[]}"#, "bad-field", "ts"),
        (br#"{"v":1,"ts":99999999999999999999,"host":"a","points":[]}"#, "bad-field", "ts"),
        (br#"{"v":1,"ts":1,"host":"a","labels":[],"points":[]}"#, "bad-field", "labels"),
        (br#"{"v":1,"ts":1,"host":"a","labels":{"x":1},"points":[]}"#, "bad-field", "labels.x"),
        (br#"{"v":1,"ts":1,"host":"a","labels":{"host":"b"},"points":[]}"#, "bad-field", "labels.host"),
        (br#"{"v":1,"ts":1,"host":"a","points":{}}"#, "bad-field", "points"),
        (br#"{"v":1,"ts":1,"host":"a","lines":5}"#, "bad-field", "lines"),
        (br#"{"v":1,"ts":1,"host":"a","point":[]}"#, "bad-field", ""),
    ];
    for (value, code, place) in cases {
        let out = decode(value);
        let shown = String::from_utf8_lossy(value);
        assert_eq!((out.kind, reasons(&out)), (Kind::Rejected, vec![(*code, *place)]), "{shown}");
        assert!(out.values.is_empty() && out.lines.is_empty(), "{shown}");
    }
}

#[test]
fn too_many_labels_and_labels_that_are_texts_are_left_out_alone() {
    let many = |n: usize| (0..n).map(|i| format!("\"l{i}\":\"v\"")).collect::<Vec<_>>().join(",");
    let long = |n: usize| "x".repeat(n);
    let (most, beyond) = (many(LABELS_MAX), many(LABELS_MAX + 1));
    let (fits, too_long) = (long(LABEL_BYTES_MAX), long(LABEL_BYTES_MAX + 1));
    let points = format!(
        "[[\"a\",1,{{{most}}}],[\"b\",2,{{{beyond}}}],[\"c\",3,{{\"t\":\"{fits}\"}}],[\"d\",4,{{\"t\":\"{too_long}\"}}]]"
    );
    let out = decode(with_points(&points));
    assert_eq!((out.kind, out.values.as_slice()), (Kind::Data, &[1.0, 3.0][..]));
    assert_eq!(reasons(&out), [("label-limit", "points[1]"), ("label-limit", "points[3]")]);
    let whole = format!("{{\"v\":1,\"ts\":{NOW},\"host\":\"a\",\"labels\":{{{beyond}}},\"points\":[[\"a\",1]]}}");
    let out = decode(whole);
    assert_eq!((out.kind, reasons(&out)), (Kind::Rejected, vec![("label-limit", "labels")]));
}

#[test]
fn a_nan_elsewhere_does_not_hide_the_fault_behind_it() {
    let twice = with_points(r#"[["a",NaN]],"x":{"k":1,"k":2}"#);
    assert_eq!(reasons(&decode(twice)), [("duplicate-key", "")]);
    assert_eq!(reasons(&decode(with_points(r#"[["a",NaN],]"#))), [("not-json", "")]);
}

#[test]
fn times_out_of_range_are_bad_where_they_stand() {
    let record = |ts: i64, line: i64| {
        decode(format!(
            r#"{{"v":1,"ts":{ts},"host":"db-01","points":[["a",1],["b",2]],"lines":[[{line},"","x"],[{NOW},"","y"]]}}"#
        ))
    };
    let early = record(946_684_799_999, NOW + DAY + 1);
    assert_eq!(reasons(&early), [("bad-time", "ts"), ("bad-time", "lines[0]")]);
    assert_eq!((early.kind, early.values.len(), early.lines.len()), (Kind::Data, 0, 1));
    assert_eq!(reasons(&record(NOW + DAY + 1, 946_684_800_000)), [("bad-time", "ts")]);
    assert_eq!(reasons(&record(NOW + DAY, NOW + DAY)), []);
    assert_eq!(reasons(&record(i64::MIN, i64::MAX)), [("bad-time", "ts"), ("bad-time", "lines[0]")]);
}

#[test]
fn a_wrong_sent_is_dropped_and_the_record_stays() {
    for (sent, code) in [("-1", "bad-time"), ("9223372036854775807", "bad-time"), ("\"x\"", "bad-field")] {
        let out = decode(format!(r#"{{"v":1,"ts":{NOW},"sent":{sent},"host":"db-01","points":[["a",1]]}}"#));
        assert_eq!((out.kind, out.sent, reasons(&out)), (Kind::Data, None, vec![(code, "sent")]));
    }
}

#[test]
fn a_bad_line_costs_only_itself() {
    let out = decode(format!(
        r#"{{"v":1,"ts":{NOW},"host":"db-01",
        "lines":[[{NOW},"INFO","a"],[{NOW},"b"],[{NOW},null,"c"],["x","","d"],{{}}]}}"#
    ));
    assert_eq!((out.kind, out.lines.len(), out.shape.is_none()), (Kind::Data, 1, true));
    let bad: Vec<_> = (1..=4).map(|n| format!("lines[{n}]")).collect();
    assert_eq!(reasons(&out), bad.iter().map(|place| ("bad-line", place.as_str())).collect::<Vec<_>>());
}

#[test]
fn another_key_is_taken_and_marked() {
    let mut out = Decoded::default();
    for (key, misplaced) in [(&b"db-01"[..], false), (b"", true), (b"db-02", true)] {
        decoder().decode(NOW, key, with_points("[]").as_bytes(), &mut out);
        assert_eq!((out.kind, out.misplaced), (Kind::Data, misplaced));
    }
}

#[test]
fn a_record_over_the_limit_is_not_read() {
    let mut decoder = Decoder::new(Limits { record_bytes: 100, shapes: 10 });
    let mut out = Decoded::default();
    let just = format!("{:<100}", with_points("[]"));
    decoder.decode(NOW, b"db-01", just.as_bytes(), &mut out);
    assert_eq!(out.kind, Kind::Data);
    decoder.decode(NOW, b"db-01", format!("{just} ").as_bytes(), &mut out);
    assert_eq!(reasons(&out), [("too-large", "")]);
}

#[test]
fn deep_nesting_is_refused_by_both_parsers_at_the_same_depth() {
    for broken in ["", ",NaN"] {
        for (depth, fits) in [(61, true), (62, true), (63, false), (100_000, false)] {
            let value = with_points(&format!("[[\"a\",1{broken}]],\"x\":[{}{}]", "[".repeat(depth), "]".repeat(depth)));
            let out = decode(&value);
            assert_eq!(reasons(&out).contains(&("not-json", "")), !fits, "{depth}{broken} {:?}", reasons(&out));
        }
    }
}

#[test]
fn the_same_identity_is_one_shape_and_another_is_not() {
    let mut decoder = decoder();
    let mut out = Decoded::default();
    let mut shape = |value: &str| {
        decoder.decode(NOW, b"db-01", value.as_bytes(), &mut out);
        out.shape.clone().unwrap()
    };
    let first = shape(&with_points(r#"[["a",1],["b",2,{"x":"y"}]]"#));
    let again = shape(r#"{"host":"db-01", "points":[["a",9],["b",-2.5e3,{"x":"\u0079"}]], "ts":1764000000009,"v":1}"#);
    assert!(Arc::ptr_eq(&first, &again));
    // The same letters, cut elsewhere.
    for other in
        [r#"[["a",1],["b",2,{"xy":""}]]"#, r#"[["a",1,{"b":"x"}]]"#, r#"[["ab",1],["",2]]"#, r#"[["b",1],["a",2]]"#]
    {
        let other = shape(&with_points(other));
        assert_ne!(first.id, other.id);
        assert_ne!(first.series, other.series);
    }
}

#[test]
fn a_full_table_begins_a_new_generation_and_gives_the_same_series() {
    let mut decoder = Decoder::new(Limits { record_bytes: 1 << 20, shapes: 3 });
    let mut out = Decoded::default();
    let mut seen = Vec::new();
    for n in [0, 1, 2, 0, 3, 0, 1] {
        decoder.decode(NOW, b"db-01", with_points(&format!("[[\"m{n}\",{n}]]")).as_bytes(), &mut out);
        let shape = out.shape.clone().unwrap();
        assert_eq!(&*shape.series[0].name, format!("m{n}"));
        seen.push((shape.generation, shape.id));
        assert!(decoder.shapes() <= 3);
    }
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (0, 0), (1, 0), (1, 1), (1, 2)]);
}

#[test]
fn nothing_of_an_earlier_record_stays_in_the_next() {
    let mut decoder = decoder();
    let mut out = Decoded::default();
    let full = format!(
        r#"{{"v":1,"ts":{NOW},"sent":5,"host":"db-01","labels":{{"a":"b"}},
        "points":[["a",1],["b","x"]],"lines":[[{NOW},"long level","long text"]]}}"#
    );
    decoder.decode(NOW, b"other", full.as_bytes(), &mut out);
    decoder.decode(NOW, b"", b"{", &mut out);
    let fresh = decode("{");
    assert_eq!(format!("{out:?}"), format!("{fresh:?}"));
    decoder.decode(
        NOW,
        b"db-01",
        format!(r#"{{"v":1,"ts":{NOW},"host":"db-01","lines":[[{NOW},"","x"]]}}"#).as_bytes(),
        &mut out,
    );
    assert_eq!((out.lines[0].level.as_str(), out.lines[0].text.as_str()), ("", "x"));
}

#[test]
fn a_flood_of_bad_points_keeps_its_count_but_not_its_words() {
    let out = decode(with_points(&format!("[{}0]", "0,".repeat(9_999))));
    assert_eq!(out.rejects.len(), 10_000);
    assert!(out.rejects.iter().skip(100).all(|reject| reject.detail.is_empty()));
    let long = decode(with_points(&format!("[[\"{}\",null]]", "가".repeat(1_000))));
    assert!(long.rejects[0].detail.len() <= 200);
}

#[test]
fn a_bare_number_has_the_labels_it_was_given() {
    let mut decoder = decoder();
    let mut out = Decoded::default();
    decoder.number("cpu", &Labels::new([("zone", "a")]), NOW, 5.0, &mut out);
    assert_eq!((out.kind, &*out.host, series(&out)), (Kind::Data, "", vec![r#"cpu{zone="a"}"#.to_owned()]));
    decoder.number("cpu", &Labels::new([("host", "i-1")]), NOW, 5.0, &mut out);
    assert_eq!((&*out.host, series(&out)), ("i-1", vec![r#"cpu{host="i-1"}"#.to_owned()]));
    decoder.number("cpu", &Labels::default(), 5, 5.0, &mut out);
    assert_eq!((out.kind, reasons(&out)), (Kind::Rejected, vec![("bad-time", "")]));
    decoder.number("cpu", &Labels::default(), NOW, f64::NAN, &mut out);
    assert_eq!((out.kind, reasons(&out)), (Kind::Rejected, vec![("bad-number", "")]));
}

#[test]
fn the_door_frames_and_leaves_points_alone() {
    assert_eq!(frame(with_points(r#"[["a","x"],NaN]"#).as_bytes()), Ok(Framed { host: "db-01".to_owned() }));
    for (value, reason) in [
        (r#"{"v":3,"host":"a"}"#, RejectReason::UnknownVersion),
        (r#"{"v":1}"#, RejectReason::NoHost),
        (r#"{"v":1,"pulse":true}"#, RejectReason::NoHost),
        (r#"{"v":1,"host":"a","host":"a"}"#, RejectReason::DuplicateKey),
        ("5", RejectReason::BadField),
        ("", RejectReason::NotJson),
    ] {
        assert_eq!(frame(value.as_bytes()), Err(reason), "{value}");
    }
    assert_eq!(frame(b"\xff"), Err(RejectReason::NotUtf8));
}

fn place() -> Place {
    Place { topic: "tele\"metry".to_owned(), partition: 3, offset: 7, at: NOW }
}

#[test]
fn every_payload_comes_back_byte_for_byte() {
    let data = with_points("[]");
    let cases: &[(&[u8], &[u8])] = &[
        (b"db-01", data.as_bytes()),
        (b"other", data.as_bytes()),
        (b"", data.as_bytes()),
        (b"\xff\x00", data.as_bytes()),
        (PULSE_KEY, b""),
        (b"db-01", b""),
        (b"", b""),
        (PULSE_KEY, b"{}"),
        (b"x", b"{}"),
        (b"x", br#"{"v":1,"pulse":true,"host":"x"}"#),
        (b"a", b"{\"v\":1,\n\"host\":\"a\"}"),
        (b"a", br#"{"v":1,"host":"a","log":5}"#),
        (b"a", br#"{"v":1,"host":"a","raw":"Zg=="}"#),
        (b"a", br#"{"v":1,"host":"a","state":{}}"#),
        (b"a", br#"{"v":1,"host":"a","muted":true}"#),
        (b"a", br#"{"v":1,"host":"a","points":[["x",NaN]]}"#),
        (b"a", br#"{"v":1,"v":1,"host":"a"}"#),
        (b"a", br#"{"v":1,"host":"a"} "#),
        (b"a", br#" {"v":1,"host":"a"}"#),
        (b"a", b"\xff\xfe"),
        (b"\xfe", b"not json"),
        (b"a", b"[]"),
    ];
    for (key, value) in cases {
        for muted in [false, true] {
            let line = record_line(&place(), key, value, muted);
            let shown = format!("{line} for {}", String::from_utf8_lossy(value));
            assert!(!line.contains('\n'), "{shown}");
            serde_json::from_str::<serde_json::Value>(&line).expect(&shown);
            let back = recorded(&line).expect(&shown);
            assert_eq!((&*back.key, &*back.body), (*key, *value), "{shown}");
            assert_eq!((back.place, back.muted, back.state), (Some(place()), muted, None), "{shown}");
        }
    }
}

#[test]
fn a_json_pulse_is_recorded_as_a_pulse() {
    for key in [PULSE_KEY, b"x"] {
        let back = recorded(&record_line(&place(), key, br#"{"v":1,"pulse":true}"#, false)).unwrap();
        assert!(back.pulse);
        let mut out = Decoded::default();
        decoder().decode(NOW, &back.key, &back.body, &mut out);
        assert_eq!((out.kind, &*back.key), (Kind::Pulse, key));
    }
}

#[test]
fn lines_written_by_hand_are_read_too() {
    let back = recorded(r#"{"log":{"at":5,"offset":1,"partition":0,"topic":"t"},"v":1,"ts":9,"host":"a","points":[]}"#);
    let back = back.unwrap();
    assert_eq!((back.place.unwrap().at, back.ts, &*back.key), (5, Some(9), &b"a"[..]));
    assert_eq!(decode(&back.body).kind, Kind::Data);
    let plain = recorded(r#" {"v":1,"ts":9,"host":"a","points":[]} "#).unwrap();
    assert_eq!((plain.place, plain.muted, plain.body[0]), (None, false, b'{'));
    let state = recorded(&state_line(&serde_json::json!({"rule":"r"}))).unwrap();
    assert_eq!(state.state, Some(serde_json::json!({"rule":"r"})));
    for (line, reason) in [
        ("{", RejectReason::NotJson),
        (r#"{"v":1,"log":{"topic":"t"}}"#, RejectReason::BadField),
        (r#"{"v":1,"log":{"topic":"t","partition":-1,"offset":1,"at":1}}"#, RejectReason::BadField),
        (r#"{"v":1,"raw":"?","log":{"topic":"t","partition":0,"offset":1,"at":1}}"#, RejectReason::BadField),
        (r#"{"v":1,"state":5}"#, RejectReason::BadField),
    ] {
        assert_eq!(recorded(line), Err(reason), "{line}");
    }
}

#[test]
fn both_parsers_read_the_same_escapes() {
    for broken in ["", ",[\"z\",NaN]"] {
        let points = |name: &str| decode(with_points(&format!("[[\"{name}\",1]{broken}]")));
        let out = points(r#"\ud83d\ude00\u00e9\/\\\"\b\f\n\r\t가"#);
        assert_eq!(&*out.shape.unwrap().series[0].name, "😀é/\\\"\u{8}\u{c}\n\r\t가", "{broken}");
        for wrong in [r"\ud83d", r"\ude00", r"\ud83d\u0041", r"\ud83d\n", r"\u12", r"\x", "\n", r"\u+123"] {
            assert_eq!(reasons(&points(wrong)), [("not-json", "")], "{wrong:?}{broken}");
        }
    }
}
