//! Inhibition by labels alone: which firing source mutes a target, by which rule.
//!
//! The first rows are the cases that Alertmanager publishes for its inhibitor, told as facts; the others are what people
//! have asked about it since. What a life of incidents adds (a source that ends, is silenced or comes back) is shown with
//! the leader.

use super::*;
use crate::model::Matcher;

/// Source, target, equal labels; parts apart by a blank.
type RuleText = (&'static str, &'static str, &'static str);

struct Row {
    name: &'static str,
    rules: &'static [RuleText],
    firing: &'static [&'static str],
    target: &'static str,
    /// Rule and source, by place; `None`: not muted.
    by: Option<(usize, usize)>,
}

const fn row(
    name: &'static str,
    rules: &'static [RuleText],
    firing: &'static [&'static str],
    target: &'static str,
    by: Option<(usize, usize)>,
) -> Row {
    Row { name, rules, firing, target, by }
}

const SRC: &[RuleText] = &[("src=1", "src!=1", "a")];
const SRC_AB: &[RuleText] = &[("src=1", "src!=1", "a b")];
const ALL: &[RuleText] = &[("src=1", "src!=1", "")];
const TWO: &[RuleText] = &[("s1=1", "t1=1", "e"), ("s2=1", "t2=1", "e")];
const NOT: &[RuleText] = &[("s1=1", "t1!=1", "e"), ("s2=1", "t2=1", "e")];
/// Fits the source side of the first rule; and both sides of the second.
const BOTH: &[&str] = &["s1=1 t1=2 e=1", "s2=1 t2=1 e=1"];
const ST: &[RuleText] = &[("s=1", "t=1", "e")];
const NODE: &[RuleText] = &[("rule=node-down", "severity=~S2|S3", "cluster node")];
const GRADES: &[RuleText] =
    &[("severity=S1", "severity=~S2|S3|S4", "rule host"), ("severity=S2", "severity=~S3|S4", "rule host")];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("no source at all", SRC, &[], "a=b", None),
    row("without equal labels any source will do", ALL, &["src=1"], "a=b", Some((0, 0))),
    row("what is resolved is no longer among the sources", SRC_AB, &["src=1 a=b b=f"], "a=b b=c", None),
    row("one of two sources has the same value", SRC, &["src=1 a=x c=d", "src=1 a=b c=f"], "a=b", Some((0, 1))),
    row("the value differs", SRC, &["src=1 a=c c=d", "src=1 a=c c=f"], "a=b", None),
    row("the target of the first rule", TWO, BOTH, "t1=1 e=1", Some((0, 0))),
    row("the target of the second rule", TWO, BOTH, "t2=1 e=1", Some((1, 1))),
    row("labels beside it change nothing", TWO, BOTH, "t1=1 t3=1 e=1", Some((0, 0))),
    row("the target of both rules", TWO, BOTH, "t1=1 t2=1 e=1", Some((0, 0))),
    row("no target of any", TWO, BOTH, "t1=0 e=1", None),
    row("both sides, and the source is a source alone", TWO, BOTH, "s1=1 t1=1 e=1", Some((0, 0))),
    row("both sides, and the source is both too", TWO, BOTH, "s2=1 t2=1 e=1", None),
    row("the equal label differs", TWO, BOTH, "t1=1 e=0", None),
    row("negative: it has the value that is excluded", NOT, BOTH, "t1=1 e=1", None),
    row("negative: it lacks the label, which is the empty text", NOT, BOTH, "t2=1 e=1", Some((0, 0))),
    row("negative: excluded, labels beside it", NOT, BOTH, "t1=1 t3=1 e=1", None),
    row("negative: excluded by the first, taken by the second", NOT, BOTH, "t1=1 t2=1 e=1", Some((1, 1))),
    row("negative: another value", NOT, BOTH, "t1=0 e=1", Some((0, 0))),
    row("negative: a source that is excluded as a target", NOT, BOTH, "s1=1 t1=1 e=1", None),
    row("negative: both sides of the second, but a target of the first", NOT, BOTH, "s2=1 t2=1 e=1", Some((0, 0))),
    row("negative: the equal label differs", NOT, BOTH, "t1=1 e=0", None),
    row("the source has not fired", ST, &["t=1 e=f"], "t=1 e=f", None),
    row("it has", ST, &["t=1 e=f", "s=1 e=f"], "t=1 e=f", Some((0, 1))),
    row("a source is not muted by its target", ST, &["t=1 e=f", "s=1 e=f"], "s=1 e=f", None),
    row("nothing mutes itself", &[("x=1", "x=1", "")], &["x=1"], "x=1", None),
    row("nor do twins that fit both sides mute each other", &[("x=1", "x=1", "")], &["x=1 n=1", "x=1 n=2"], "x=1 n=1", None),
    row("a label that both lack is equal", ST, &["s=1"], "t=1", Some((0, 0))),
    row("a label that only the source lacks is not", ST, &["s=1"], "t=1 e=f", None),
    row("a label that only the target lacks is not", ST, &["s=1 e=f"], "t=1", None),
    row("written empty and not there are the same", ST, &["s=1 e="], "t=1", Some((0, 0))),
    row("all of several equal labels", SRC_AB, &["src=1 a=1 b=2"], "a=1 b=2", Some((0, 0))),
    row("all but one of them", SRC_AB, &["src=1 a=1 b=2"], "a=1 b=3", None),
    row("one lacking on both sides, the other the same", SRC_AB, &["src=1 a=1"], "a=1", Some((0, 0))),
    row("values are not joined: a b and ab are two", SRC_AB, &["src=1 a=xy b="], "a=x b=y", None),
    row("a pattern is anchored", &[("rule=~node", "t=1", "")], &["rule=node-down"], "t=1", None),
    row("a pattern that fits", &[("rule=~node-.*", "t=1", "")], &["rule=node-down"], "t=1", Some((0, 0))),
    row("a negative pattern", &[("s=1", "rule!~node-.*", "")], &["s=1 rule=node-x"], "rule=disk", Some((0, 0))),
    row("a negative pattern turns away", &[("s=1", "rule!~node-.*", "")], &["s=1 rule=x"], "rule=node-up", None),
    row("a pattern that takes the empty text takes a missing label", &[("s=1", "zone=~(prod)?", "")], &["s=1 zone=x"], "t=1", Some((0, 0))),
    row("equal to nothing asks for a missing label", &[("s=1", "zone=", "")], &["s=1 zone=x"], "t=1", Some((0, 0))),
    row("and turns away one that is there", &[("s=1", "zone=", "")], &["s=1 zone=x"], "zone=prod", None),
    row("all matchers of a side must fit", &[("rule=a host=h1", "t=1", "")], &["rule=a host=h2"], "t=1", None),
    row("a node and what stands on it", NODE, &["rule=node-down cluster=k node=n1"], "severity=S2 cluster=k node=n1", Some((0, 0))),
    row("the same node of another cluster", NODE, &["rule=node-down cluster=k node=n1"], "severity=S2 cluster=j node=n1", None),
    row("S1 is no target", NODE, &["rule=node-down cluster=k node=n1"], "severity=S1 cluster=k node=n1", None),
    row("the graver mutes the milder of the same rule", GRADES, &["severity=S1 rule=r host=h"], "severity=S3 rule=r host=h", Some((0, 0))),
    row("never the other way round", GRADES, &["severity=S3 rule=r host=h"], "severity=S1 rule=r host=h", None),
    row("the middle one is target of the first rule and source of the second", GRADES, &["severity=S1 rule=r host=h"], "severity=S2 rule=r host=h", Some((0, 0))),
    row("and mutes by the second what the first does not reach", GRADES, &["severity=S2 rule=r host=h"], "severity=S4 rule=r host=h", Some((1, 0))),
    row("rules are asked in their order", GRADES, &["severity=S2 rule=r host=h", "severity=S1 rule=r host=h"], "severity=S4 rule=r host=h", Some((0, 1))),
    row("of several sources the first speaks", ST, &["s=1 e=f n=1", "s=1 e=f n=2"], "t=1 e=f", Some((0, 0))),
    row("a muted source mutes on: a chain of two", &[("a=1", "b=1", ""), ("b=1", "c=1", "")], &["a=1", "b=1"], "c=1", Some((1, 1))),
    row("the first of a chain does not reach past it", &[("a=1", "b=1", ""), ("b=1", "c=1", "")], &["a=1"], "c=1", None),
    row("words that mean something to incidents are labels like others here", &[("severity=중대", "severity=경미", "구간")], &["severity=중대 구간=응용"], "severity=경미 구간=응용", Some((0, 0))),
    row("and are told apart as they are written", &[("severity=중대", "구간=응용", "")], &["severity=S1"], "구간=응용", None),
    row("no rules", &[], &["s=1"], "t=1", None),
    row("a side without matchers fits everything", &[("s=1", "", "e")], &["s=1 e=f"], "e=f", Some((0, 0))),
    row("and so also the source itself, which is then on both sides", &[("s=1", "", "e")], &["s=1 e=f"], "s=1 e=f", None),
];

fn matchers(text: &str) -> Vec<Matcher> {
    text.split_whitespace().map(|part| Matcher::parse(part).expect("a matcher")).collect()
}

fn labels(text: &str) -> Labels {
    Labels::new(text.split_whitespace().map(|part| part.split_once('=').expect("a label")))
}

#[test]
fn a_source_mutes_what_it_explains_and_nothing_else() {
    let mut wrong = Vec::new();
    for Row { name, rules, firing, target, by } in ROWS {
        let rule = |(source, target, equal): &RuleText| InhibitRule {
            source: matchers(source),
            target: matchers(target),
            equal: equal.split_whitespace().map(str::to_owned).collect(),
        };
        let rules: Vec<InhibitRule> = rules.iter().map(rule).collect();
        let firing: Vec<Labels> = firing.iter().map(|text| labels(text)).collect();
        let found = inhibited(&rules, &labels(target), &firing);
        wrong.extend((found != *by).then(|| format!("{name}: {found:?}, not {by:?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whoever_comes_and_goes_touches_those_it_concerns_alone() {
    let rules =
        [Rule::new(&InhibitRule { source: matchers("s=1"), target: matchers("t=1"), equal: vec!["e".to_owned()] })
            .expect("plain matchers")];
    let mut index = Index::default();
    let mut file = |id: &str, text: Option<&str>, is_drill| {
        let labels = text.map(labels);
        index.file(&rules, id, labels.as_ref().map(Subject::bare).as_ref(), is_drill)
    };
    assert_eq!(file("t1", Some("t=1 e=a"), false), [""; 0], "no source: nobody is touched");
    assert_eq!(file("t2", Some("t=1 e=b"), false), [""; 0]);
    assert_eq!(file("t3", Some("t=1 e=a"), true), [""; 0]);
    assert_eq!(file("s", Some("s=1 e=a"), false), ["t1"], "not the other value, not the drill");
    assert_eq!(file("s", Some("s=1 e=a"), false), [""; 0], "filed as before: nothing is otherwise");
    assert_eq!(file("s", Some("s=1 e=b"), false), ["t1", "t2"], "it left one and came to the other");
    assert_eq!(file("s", None, false), ["t2"], "it is over");
}
