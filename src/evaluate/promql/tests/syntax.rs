//! What parses, how it is grouped, and where a mistake is told.

use super::*;

/// The tree with every operation in parentheses.
fn grouped(node: &Node) -> String {
    match &node.what {
        What::Binary(binary) => {
            format!("({} {} {})", grouped(&binary.left), binary.op.text(), grouped(&binary.right))
        }
        What::Sign(sign) => format!("({}{})", if sign.minus { "-" } else { "+" }, grouped(&sign.of)),
        What::Number(value) => value.to_string(),
        What::Paren(inner) => grouped(inner),
        What::Select(selector) => selector.matchers[0].value.clone(),
        _ => "?".to_owned(),
    }
}

#[test]
fn operators_bind_as_in_prometheus() {
    for (text, wanted) in [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))"),
        ("-2 ^ 2", "(-(2 ^ 2))"),
        ("-2 ^ ---1 * 3", "((-(2 ^ (-(-(-1))))) * 3)"),
        ("-2 * 3", "((-2) * 3)"),
        ("1 + 2 atan2 3", "(1 + (2 atan2 3))"),
        ("a or b and c unless d", "(a or ((b and c) unless d))"),
        ("a > 1 and b == 2 + 3", "((a > 1) and (b == (2 + 3)))"),
        ("1 < bool 2 < bool 3", "((1 < 2) < 3)"),
    ] {
        assert_eq!(grouped(parse(text).unwrap().root()), wanted, "{text}");
    }
}

#[test]
fn keywords_are_also_metrics_and_labels() {
    for text in [
        "sum",
        "by{on=\"x\", by=\"y\", offset=\"z\"}",
        "offset offset 5m",
        "or or and",
        "sum(sum)",
        "sum by (by, without, group_left) (count)",
        "start @ start()",
        "a * on (on, bool) group_left (ignoring) b",
        "SUM WITHOUT (a) (b) AND ON () c",
        "avg:rate5m",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text).err());
    }
}

#[test]
fn selectors_in_all_their_forms() {
    for text in [
        "a{}",
        "a{b=\"c\",}",
        "{\"a.b\"}",
        "{\"a.b\", \"c.d\"=~'x|y', e!=`\\`}",
        "{__name__=~\"a.*\"}",
        "a[5m] offset -1h @ 1.5",
        "a @ -3 offset 60",
        "a[300]",
        "a[1h30m:]",
        "(a + b)[1d:5m] @ end()",
        "max_over_time(rate(a[1m])[1h:1m] offset 1d)",
        "a # comment\n > 0x1F",
        "topk by (x) (3, a)",
        "count_values(\"v\", a)",
    ] {
        assert!(parse(text).is_ok(), "{text}: {:?}", parse(text).err());
    }
}

#[test]
fn a_mistake_is_told_where_it_is() {
    for (text, at, part) in [
        ("", 0..0, "no expression"),
        ("a +", 3..3, "ends here"),
        ("a + )", 4..5, "unexpected `)`"),
        ("a = 1", 2..3, "unexpected `=`"),
        ("sum(a) b", 7..8, "unexpected `b`"),
        ("raet(a[5m])", 0..4, "unknown function `raet`"),
        ("rate(a)", 5..6, "takes a range vector"),
        ("rate(a[5m], 1)", 0..14, "takes 1 argument(s), here are 2"),
        ("abs(a[5m])", 4..9, "takes an instant vector"),
        ("topk(a)", 0..7, "takes 2 argument(s)"),
        ("a{}[5m] + 1", 0..7, "does not take a range vector"),
        ("1 > 2", 2..3, "only be compared with `bool`"),
        ("a + bool b", 4..8, "does not go with `+`"),
        ("a and 1", 2..5, "two instant vectors"),
        ("a * on (x) 1", 2..3, "two instant vectors"),
        ("a and on (x) group_left b", 13..23, "knows no grouping"),
        ("a * on (x) group_left (x) b", 11..21, "stands in `on`"),
        ("a * group_left b", 4..14, "without a matching"),
        ("{}", 0..2, "every series"),
        ("{a=~\".*\"}", 0..9, "every series"),
        ("a{__name__=\"b\"}", 2..14, "stands twice"),
        ("a{b=~\"(\"}", 5..8, "cannot be read"),
        ("a offset 5m offset 1m", 12..18, "stands twice"),
        ("a @ 1 @ 2", 6..7, "stands twice"),
        ("sum(a) offset 5m", 7..13, "behind something else"),
        ("a offset 5m [5m]", 12..16, "before `offset`"),
        ("a[5m][5m]", 5..9, "a range belongs to a selector"),
        ("a[5m][5m:]", 5..10, "a subquery of a range vector"),
        ("a[0s]", 2..4, "a range of nothing"),
        ("-a[5m]", 0..6, "a sign before a range vector"),
        ("\"a\" + 1", 0..3, "does not take a string"),
        ("sum by (a) (b) by (c)", 15..17, "stand twice"),
        ("a[293y]", 2..6, "neither a number nor a duration"),
    ] {
        let problem = parse(text).unwrap_err();
        assert!(problem.message.contains(part), "{text}: {problem}");
        assert_eq!((problem.at, problem.construct), (at, None), "{text}: {}", problem.message);
    }
}

#[test]
fn an_open_parenthesis_is_told_rather_than_what_it_swallowed() {
    let wrong = parse("predict_linear(m[6h], 24*3600 < 0").unwrap_err();
    assert_eq!((wrong.at, wrong.message.as_str()), (14..15, "this `(` is never closed"));
    assert!(parse("predict_linear(m[6h], 24*3600 < 0)").unwrap_err().message.contains("bool"));
}

#[test]
fn a_near_name_is_offered() {
    let help = |text| parse(text).unwrap_err().help;
    assert_eq!(help("raet(a[5m])"), "did you mean `rate`?");
    assert_eq!(help("histogram_quantil(0.9, a)"), "did you mean `histogram_quantile`?");
    assert_eq!(help("rate(a)"), "give it a range, such as [5m]");
    assert_eq!(help("rate(sum(a))"), "make it a subquery, such as (…)[5m:]");
}

#[test]
fn what_is_outside_is_named_with_its_place() {
    for (text, at, construct) in [
        ("sum(histogram_count(a))", 4..19, "native histogram"),
        ("info(a)", 0..4, "function info"),
        ("limitk(2, a)", 0..6, "aggregation limitk"),
        ("rate(a[5m] smoothed)", 11..19, "modifier anchored or smoothed"),
        ("a[5m+1m]", 2..5, "duration expression"),
        ("a[step()]", 2..6, "duration expression"),
        ("a offset (5m)", 9..10, "duration expression"),
        ("a[max_of(5m, step())]", 2..8, "duration expression"),
        ("a </ 2", 2..4, "native histogram"),
        ("a + fill(0) b", 4..8, "modifier fill"),
        ("한글 > 1", 0..3, "unquoted name"),
        ("system.cpu.time > 1", 6..7, "unquoted name"),
        ("a{service.name=\"x\"}", 9..10, "unquoted name"),
    ] {
        let problem = parse(text).unwrap_err();
        assert_eq!((problem.at, problem.construct), (at, Some(construct)), "{text}: {}", problem.message);
    }
}

#[test]
fn a_hostile_depth_is_refused() {
    let deep = format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(parse(&deep).unwrap_err().message.contains("levels"));
    assert!(parse(&format!("{}1", "-".repeat(5_000))).is_err());
    assert!(parse(&vec!["a"; 5_000].join(" + ")).unwrap_err().message.contains("operations"));
    // As deep as it may be, it is evaluated on the stack of a plain thread.
    let terms = ["1"; 5].join(" + ");
    let deepest = (0..98).fold(terms, |inner, _| format!("({inner}) + 1 + 1 + 1 + 1 + 1"));
    assert_eq!(show(&Memory::default(), &deepest, 0), "495");
    let powers = ["1"; 98].join(" ^ ");
    assert_eq!(show(&Memory::default(), &format!("-{powers}"), 0), "-1");
}

#[test]
fn an_expression_says_what_it_reads_and_how_far_back() {
    let expr = parse("sum(rate(a{x=\"1\"}[10m] offset 1h)) > max_over_time((b + 1)[30m:1m] offset 5m)").unwrap();
    let leaves = expr.selectors();
    let minute = 60 * SECOND;
    assert_eq!(leaves.len(), 2);
    assert_eq!((leaves[0].over, leaves[0].offset, leaves[0].look_back), (Some(10 * minute), 60 * minute, 70 * minute));
    assert_eq!((leaves[1].over, leaves[1].look_back), (None, 40 * minute));
    assert_eq!(expr.look_back(), 70 * minute);
    assert_eq!(&expr.text()[leaves[0].span.clone()], "a{x=\"1\"}[10m] offset 1h");
    assert_eq!(parse("time() + 1").unwrap().look_back(), 0);
    assert_eq!(parse("a offset -10m").unwrap().look_back(), 0, "it lies ahead");
    let mut seen = Vec::new();
    let expr = parse("abs(a) + 2").unwrap();
    expr.visit(&mut |node| seen.push(&expr.text()[node.span.clone()]));
    assert_eq!(seen, ["abs(a) + 2", "abs(a)", "a", "2"]);
}

/// Whatever stands inside itself, however often: it is refused where it goes too deep, and nothing overflows.
#[test]
fn depth_has_a_limit_with_a_place() {
    for (one, end) in
        [("(", ")"), ("-", ""), ("sum(", ")"), ("abs(", ")"), ("1 ^ ", ""), ("max_over_time((", ")[1m:])")]
    {
        let text = format!("{}m{}", one.repeat(100_000), end.repeat(100_000));
        let problem = parse(&text).unwrap_err();
        assert_eq!(problem.message, "more than 100 levels", "{one}");
        assert!(problem.at.start >= 99 && problem.at.start < 2_000, "{one}: {:?}", problem.at);
        assert!(!problem.help.is_empty());
    }
    let long = vec!["m"; 100_000].join(" + ");
    let problem = parse(&long).unwrap_err();
    assert_eq!((problem.message.as_str(), problem.at), ("more than 500 operations", 2_002..2_003));
    let deep = format!("{}m{}", "(".repeat(99), ")".repeat(99));
    assert!(parse(&deep).is_ok());
}
