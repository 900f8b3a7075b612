//! Which samples an expression sees: look-back, staleness, ranges, offsets, `@`, subqueries.

use super::*;

fn world() -> Memory {
    memory(10, &["m{a=\"x\"} 0 1 stale 3", "m{a=\"y\"} 10 11 12 13 14 15", "n{a=\"x\"} 5"])
}

#[test]
fn an_instant_selector_sees_the_newest_of_five_minutes() {
    let world = world();
    all(
        &world,
        10,
        &[
            ("m", "name=m,a=x:1 name=m,a=y:11"),
            ("m{a!=\"x\"}", "name=m,a=y:11"),
            ("{a=\"x\"}", "name=m,a=x:1 name=n,a=x:5"),
        ],
    );
    assert_eq!(show(&world, "m", 20), "name=m,a=y:12", "a stale marker ends the series");
    assert_eq!(show(&world, "m{a=\"x\"}", 329), "name=m,a=x:3");
    assert_eq!(show(&world, "m{a=\"x\"}", 330), "", "exactly 5 m old is gone");
    assert_eq!(show(&world, "m", -1), "");
}

#[test]
fn a_range_is_left_open_and_holds_no_stale_markers() {
    let world = world();
    all(
        &world,
        20,
        &[
            ("m{a=\"y\"}[10s]", "name=m,a=y:12@20"),
            ("m{a=\"y\"}[20]", "name=m,a=y:11@10,12@20"),
            ("m{a=\"x\"}[10s]", ""),
            ("count_over_time(m[1m])", "a=x:2 a=y:3"),
        ],
    );
}

#[test]
fn offsets_and_pins_move_the_window() {
    let world = world();
    all(
        &world,
        40,
        &[
            ("m{a=\"y\"} offset 30s", "name=m,a=y:11"),
            ("m{a=\"y\"} offset -10s", "name=m,a=y:15"),
            ("m{a=\"y\"} @ 20", "name=m,a=y:12"),
            ("m{a=\"y\"} @ 20 offset 10s", "name=m,a=y:11"),
            ("m{a=\"y\"} offset 10s @ 20", "name=m,a=y:11"),
            ("m{a=\"y\"} @ end()", "name=m,a=y:14"),
            ("sum_over_time(m{a=\"y\"}[20s] @ 30)", "a=y:25"),
            ("timestamp(m{a=\"y\"} offset 15s)", "a=y:20"),
            ("timestamp(m{a=\"y\"} + 0)", "a=y:40"),
        ],
    );
}

#[test]
fn start_and_end_are_those_of_the_whole_range() {
    let expr = parse("m{a=\"y\"} @ start() + m{a=\"y\"} @ end()").unwrap();
    let Value::Matrix(found) = range(&expr, &world(), 10 * SECOND, 30 * SECOND, 10 * SECOND).unwrap() else { panic!() };
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].points, [(10_000, 24.0), (20_000, 24.0), (30_000, 24.0)]);
}

#[test]
fn a_subquery_steps_on_multiples_since_1970() {
    let world = world();
    all(
        &world,
        45,
        &[
            // 20, 30, 40: the first multiple of 10 above 45 − 35 is 20, because the window is left-open.
            ("(m{a=\"y\"} + 0)[35s:10s]", "a=y:12@20,13@30,14@40"),
            ("m{a=\"y\"}[35s:20s] offset 10s", "name=m,a=y:12@20"),
            ("sum_over_time((m{a=\"y\"} > 12)[35s:10s])", "a=y:27"),
            ("max_over_time(m{a=\"y\"}[1m:])", "a=y:10"),
            ("rate(m{a=\"y\"}[40s:10s])", "a=y:0.1"),
        ],
    );
}

#[test]
fn a_subquery_of_endless_steps_is_refused() {
    let text = "count_over_time(m[2h:1ms]) + 1";
    let trouble = instant(&parse(text).unwrap(), &Memory::default(), 0).unwrap_err();
    assert_eq!((trouble.at, trouble.message.as_str()), (16..25, "more than 1000000 steps of subqueries"));
    let last = range(&parse("1").unwrap(), &Memory::default(), Ms::MAX - 5, Ms::MAX, 10);
    assert!(matches!(last, Ok(Value::Matrix(series)) if series[0].points.len() == 1));
}

#[test]
fn series_that_differ_in_their_name_alone_may_not_become_one() {
    let world = memory(10, &["b{x=\"1\"} 1 _", "c{x=\"1\"} _ 2", "c{x=\"2\"} 1"]);
    assert_eq!(show(&world, "-{x=\"1\"}", 0), "x=1:-1");
    assert_eq!(show(&world, "-{x=\"1\"}", 10), "! vector cannot contain metrics with the same labelset");
    let expr = parse("-{x=\"1\"}").unwrap();
    let late = Query { names_late: true };
    assert!(late.instant(&expr, &world, 10 * SECOND).is_err());
    // One after the other they are one series of the range.
    let short = memory(600, &["b 1 _", "c _ 2"]);
    let expr = parse("-{__name__=~\"b|c\"}").unwrap();
    let Ok(Value::Matrix(found)) = range(&expr, &short, 0, 600 * SECOND, 600 * SECOND) else { panic!() };
    assert_eq!((found.len(), found[0].points.len()), (1, 2));
    // What had its name at its first step has it at all of them, where names go at the end.
    let gone = memory(60, &["c 5 5 stale stale"]);
    let expr = parse("c or increase(c[4m])").unwrap();
    let Ok(answer) = late.range(&expr, &gone, (60 * SECOND, 180 * SECOND, 60 * SECOND)) else { panic!() };
    let Value::Matrix(found) = answer.value else { panic!() };
    assert_eq!((found.len(), found[0].labels.get("__name__"), found[0].points.len()), (1, Some("c"), 3));
}

#[test]
fn a_range_of_nothing_a_text_or_a_range_vector_is_trouble() {
    for (text, step) in [("m", 0), ("m[5m]", 10), ("\"a\"", 10)] {
        assert!(range(&parse(text).unwrap(), &world(), 0, 10, step).is_err(), "{text}");
    }
    let Ok(Value::Matrix(found)) = range(&parse("1").unwrap(), &world(), 0, 20, 10) else { panic!() };
    assert_eq!(found, [Series { labels: Labels::default(), points: vec![(0, 1.0), (10, 1.0), (20, 1.0)] }]);
}
