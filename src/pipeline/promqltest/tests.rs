//! The runner judges what it should judge: right, wrong, refused.

use super::*;

fn verdicts(script: &str) -> Vec<Verdict> {
    run_script("script", script).into_iter().map(|case| case.verdict).collect()
}

const LOAD: &str = "load 10s\n  m{a=\"x\"} 1+1x5\n  m{a=\"y\"} 5 _ stale 7 _x2\n  h{a=\"x\"} {{schema:0 count:1}}x5\n";

#[test]
fn results_are_compared_with_labels_values_and_times() {
    let script = format!(
        "{LOAD}\n# comment\neval instant at 30s m\n  m{{a=\"x\"}} 4\n  m{{a=\"y\"}} 7\n\neval instant at 30s m\n  m{{a=\"x\"}} 4\n\n\
         eval range from 0 to 30s step 10s m{{a=\"y\"}}\n  m{{a=\"y\"}} 5 5 _ 7\n\neval instant at 0 1 + 1\n  2\n\n\
         eval instant at 0 \"a\"\n  expect string 'a'\n\neval instant at 20s m[20s]\n  expect range vector from 10s to \
         20s step 10s\n  m{{a=\"x\"}} 2 3\n"
    );
    let found = verdicts(&script);
    assert!(matches!(found[1], Verdict::Fail(_)), "a series too many: {:?}", found[1]);
    let right = [0, 2, 3, 4, 5].map(|n| &found[n]);
    assert_eq!(right, [&Verdict::Pass; 5]);
}

#[test]
fn native_series_are_refused_only_where_they_are_read() {
    let found =
        verdicts(&format!("{LOAD}\neval instant at 0 sum(h)\n\neval instant at 0 m{{a=\"x\"}}\n  m{{a=\"x\"}} 1\n"));
    assert!(
        matches!(&found[0], Verdict::Refused { construct, at, .. } if construct == "native histogram" && *at == (4..5)),
        "{:?}",
        found[0]
    );
    assert_eq!(found[1], Verdict::Pass);
}

#[test]
fn series_with_start_times_are_refused() {
    let script = "load 1m\n  s@st 0 0 60s\n  s 1 2 3\n  m{a=\"x\"} 1\n\neval instant at 0 s\n  s 1\n\neval instant at 0 m\n  m{a=\"x\"} 1\n";
    let found = verdicts(script);
    assert!(matches!(&found[0], Verdict::Refused { construct, .. } if construct == "start timestamp"), "{found:?}");
    assert_eq!(found[1], Verdict::Pass);
    let mut tally = Tally::default();
    tally.add(&run_script("script", script));
    assert_eq!(tally.to_string(), "answered 1 (0 wrong), refused 1: start timestamp 1");
}

#[test]
fn failures_and_remarks_are_judged_by_their_words() {
    let script = format!(
        "{LOAD}\neval_fail instant at 0 m + on() m\n\neval instant at 0 topk(NaN, m)\n  expect fail msg: Parameter value is NaN\n\n\
         eval instant at 0 topk(NaN, m)\n  expect fail msg: else\n\neval instant at 0 quantile(2, m)\n  expect warn\n  {{}} +Inf\n\n\
         eval instant at 0 sum(m)\n  expect fail\n\neval instant at 0 quantile(2, m)\n  expect no_warn\n  {{}} +Inf\n\n\
         eval instant at 0 foo(m)\n"
    );
    let found = verdicts(&script);
    assert_eq!([&found[0], &found[1], &found[3]], [&Verdict::Pass; 3]);
    assert!(matches!(&found[2], Verdict::Refused { construct, .. } if construct == "wording of an error"));
    assert!(found[4..].iter().all(|verdict| matches!(verdict, Verdict::Fail(_))), "{found:?}");
}

#[test]
fn order_counts_where_it_is_asked_for() {
    let sorted = |first: &str, second: &str| {
        verdicts(&format!("{LOAD}\neval_ordered instant at 0 sort_desc(m)\n  {first}\n  {second}\n"))
    };
    assert_eq!(sorted("m{a=\"y\"} 5", "m{a=\"x\"} 1"), [Verdict::Pass]);
    assert!(matches!(sorted("m{a=\"x\"} 1", "m{a=\"y\"} 5")[0], Verdict::Fail(_)));
}

#[test]
fn an_eval_without_an_empty_line_before_it_is_no_series() {
    let cases = run_script("a.test", "load 1m\n  s 1 2 3\neval instant at 1m s\n  s 2\n");
    assert_eq!(cases.len(), 1);
    assert!(
        matches!(&cases[0].verdict, Verdict::Fail(why) if why.contains("line 3: an empty line is missing")),
        "{cases:?}"
    );
}
