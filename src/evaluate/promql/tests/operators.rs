//! Operators and aggregations: arithmetic, comparisons, matching, sets, grouping.

use super::*;

fn world() -> Memory {
    memory(
        10,
        &[
            "cpu{host=\"a\",mode=\"idle\"} 6",
            "cpu{host=\"a\",mode=\"user\"} 4",
            "cpu{host=\"b\",mode=\"idle\"} 1",
            "role{host=\"a\",role=\"db\"} 1",
            "role{host=\"b\",role=\"web\"} 1",
            "limit{host=\"a\"} 5",
            "limit{host=\"b\"} NaN",
        ],
    )
}

#[test]
fn arithmetic_drops_the_name_and_comparisons_keep_it() {
    all(
        &world(),
        0,
        &[
            ("limit * 2", "host=a:10 host=b:NaN"),
            ("-limit", "host=a:-5 host=b:NaN"),
            ("+limit", "name=limit,host=a:5 name=limit,host=b:NaN"),
            ("limit > 3", "name=limit,host=a:5"),
            ("3 < limit", "name=limit,host=a:5"),
            ("limit != 5", "name=limit,host=b:NaN"),
            ("limit == NaN", ""),
            ("limit > bool 3", "host=a:1 host=b:0"),
            ("1 == bool 1", "1"),
            ("7 % 4 + 2 ^ 3 - 5 / 2", "8.5"),
            ("-7 % 4", "-3"),
            ("1 / 0", "inf"),
            ("5m + 0x10", "316"),
        ],
    );
}

#[test]
fn one_to_one_needs_one_on_each_side() {
    let world = world();
    all(
        &world,
        0,
        &[
            ("limit - on (host) role", "host=a:4 host=b:NaN"),
            ("limit * on (host) role{host=\"a\"}", "host=a:5"),
            ("role + ignoring (role) limit", "host=a:6 host=b:NaN"),
            ("limit > ignoring (role) role", "name=limit,host=a:5"),
            ("limit > on (host) role", "host=a:5"),
            ("nothing + on () cpu", ""),
            ("limit{host=\"a\"} + on () role{host=\"b\"}", ":6"),
        ],
    );
    let trouble = |text: &str| match instant(&parse(text).unwrap(), &world, 0) {
        Err(trouble) => trouble,
        Ok(value) => panic!("{text}: {value:?}"),
    };
    let many = trouble("limit * on (host) cpu");
    assert_eq!(many.at, 6..7);
    assert_eq!(
        many.message,
        "found duplicate series for the match group {host=\"a\"} on the right hand-side of the operation: \
         [{__name__=\"cpu\", host=\"a\", mode=\"idle\"}, {__name__=\"cpu\", host=\"a\", mode=\"user\"}];\
         many-to-many matching not allowed: matching labels must be unique on one side"
    );
    // Also where no sample passes.
    assert!(trouble("cpu < on (host) limit").message.starts_with("multiple matches for labels: many-to-one"));
}

#[test]
fn a_group_takes_labels_from_the_side_of_one() {
    all(
        &world(),
        0,
        &[
            (
                "cpu * on (host) group_left (role) role",
                "host=a,mode=idle,role=db:6 host=a,mode=user,role=db:4 host=b,mode=idle,role=web:1",
            ),
            (
                "role * on (host) group_right (role) cpu{host=\"a\"}",
                "host=a,mode=idle,role=db:6 host=a,mode=user,role=db:4",
            ),
            ("cpu / on (host) group_left sum by (host) (cpu{host=\"a\"})", "host=a,mode=idle:0.6 host=a,mode=user:0.4"),
            ("cpu > on (host) group_left (role) limit", "name=cpu,host=a,mode=idle:6"),
            (
                "sum by (host, mode) (cpu) * on (host) group_left (mode) limit",
                "! multiple matches for labels: grouping labels must ensure unique matches",
            ),
        ],
    );
}

#[test]
fn sets_look_at_labels_only() {
    all(
        &world(),
        0,
        &[
            ("cpu and on (host) role{role=\"web\"}", "name=cpu,host=b,mode=idle:1"),
            ("cpu unless on (host) role{role=\"web\"}", "name=cpu,host=a,mode=idle:6 name=cpu,host=a,mode=user:4"),
            ("limit or cpu{host=\"b\"}", "name=limit,host=a:5 name=limit,host=b:NaN name=cpu,host=b,mode=idle:1"),
            ("limit or on (host) cpu", "name=limit,host=a:5 name=limit,host=b:NaN"),
            ("limit and ignoring (role) role", "name=limit,host=a:5 name=limit,host=b:NaN"),
            ("limit and vector(1)", ""),
            ("limit and on () vector(1)", "name=limit,host=a:5 name=limit,host=b:NaN"),
        ],
    );
}

#[test]
fn aggregations_by_and_without() {
    all(
        &world(),
        0,
        &[
            ("sum(cpu)", ":11"),
            ("sum by (host) (cpu)", "host=a:10 host=b:1"),
            ("sum(cpu) without (mode)", "host=a:10 host=b:1"),
            ("sum by (nope) (cpu)", ":11"),
            ("sum by (name, mode) (cpu)", "mode=idle:7 mode=user:4"),
            ("avg(cpu{host=\"a\"})", ":5"),
            ("min(limit)", ":5"),
            ("max(limit)", ":5"),
            ("sum(limit)", ":NaN"),
            ("count(limit)", ":2"),
            ("group(cpu)", ":1"),
            ("count(nothing)", ""),
            ("stddev(cpu{host=\"a\"})", ":1"),
            ("stdvar(cpu)", ":4.222222222"),
            ("quantile(0.5, cpu)", ":4"),
            ("quantile(0.75, cpu)", ":5"),
            ("topk(1, cpu)", "name=cpu,host=a,mode=idle:6"),
            ("topk(2, limit)", "name=limit,host=a:5 name=limit,host=b:NaN"),
            ("bottomk by (host) (1, cpu)", "name=cpu,host=a,mode=user:4 name=cpu,host=b,mode=idle:1"),
            ("topk(0, cpu)", ""),
            ("topk(NaN, nothing)", "! Parameter value is NaN"),
            ("count_values(\"v\", role)", "v=1:2"),
            ("count_values by (host) (\"host\", role)", "host=1:2"),
        ],
    );
}

#[test]
fn sums_and_means_keep_small_values_beside_large_ones() {
    let world = memory(10, &["s{i=\"1\"} 2", "s{i=\"2\"} 8", "s{i=\"3\"} 1e100", "s{i=\"4\"} -1e100"]);
    all(&world, 0, &[("sum(s)", ":10"), ("avg(s)", ":2.5")]);
}
