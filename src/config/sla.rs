//! `sla:` of `chains.yaml`: what is promised to which services, as a [`SlaPlan`].
//!
//! The idea: terms begin as a grade of the SLA standard and say only what is different, so an empty file is the strictest
//! grade for everything. The file is that of the chains because whoever tunes who is told when tunes both.

use super::near::nearest;
use super::problem::Notes;
use super::read::Obj;
use super::scalar;
use super::table::{Kind, Table, may, must, or};
use crate::model::{GRADES, Outage, PPM, Severity, SlaPlan, Terms};
use crate::time::{DAY, Ms, SECOND};

const LENGTH: Kind = Kind::Duration(SECOND, 31 * DAY);
const SEVERITIES: Kind = Kind::List(&Kind::Word(&["S1", "S2", "S3", "S4"]), 0);

static BY_SEVERITY: Table = Table {
    name: "times by severity",
    doc: "Differences from the grade by severity.",
    keys: &[may("S1", LENGTH, "중대"), may("S2", LENGTH, "보통"), may("S3", LENGTH, "경미"), may("S4", LENGTH, "정보")],
};

static TERMS: Table = Table {
    name: "terms",
    doc: "What is promised to some services.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        may("match", Kind::Map(&Kind::Matcher), "labels, joined ones, kind, domain, rule; left out: everything"),
        or("grade", "1등급", Kind::Word(&["1등급", "2등급"]), "grade of the SLA standard that it begins with"),
        may("availability", Kind::Number, "of a calendar month, such as 99.95%"),
        may("notify_within", Kind::Table(&BY_SEVERITY), "from the detection to the first accepted message"),
        may("ack_within", Kind::Table(&BY_SEVERITY), "from the first accepted message to the first ack"),
        may("recover_within", Kind::Table(&BY_SEVERITY), "from the occurrence to the recovery"),
        may("warn", SEVERITIES, "severities warned of at 50, 75 and 90 %; left out: S1 and S2"),
    ],
};

static OUTAGE: Table = Table {
    name: "outage",
    doc: "When customers must be told of an outage of a contracted service by law.",
    keys: &[
        may("chain", Kind::Id, "the chain whose people tell them; left out: the one that fits"),
        or("continuous", "10m", LENGTH, "one outage of this length"),
        or("repeated", "15m", LENGTH, "two or more of this length together"),
        or("within", "24h", LENGTH, "within this time"),
    ],
};

/// The keys of `sla:`.
pub(super) static SLA: Table = Table {
    name: "sla",
    doc: "Service levels.",
    keys: &[
        may("terms", Kind::List(&Kind::Table(&TERMS), 0), "the first that fits counts; where none fits: 1등급"),
        or("counts_from", "5m", Kind::Duration(0, DAY), "a shorter outage does not count against a month"),
        may("outage", Kind::Table(&OUTAGE), "when customers must be told by law"),
    ],
};

/// The plan of a checked chains file, or of a file of scenarios that has one.
pub(super) fn sla(file: Obj<'_>, notes: &mut Notes) -> SlaPlan {
    let (part, rest) = (file.sub("sla"), SlaPlan::default());
    let mut all: Vec<Terms> = Vec::new();
    for item in part.subs("terms") {
        let Some(id) = item.owned("id").filter(|id| scalar::id(id)) else { continue };
        if all.iter().any(|other| other.id == id) {
            notes.error("duplicate-id", item.at("id"), format!("terms `{id}` stand twice"), "keep one");
            continue;
        }
        all.push(terms(id, item, notes));
    }
    let outage = part.sub("outage");
    let chains: Vec<String> = file.subs("chains").filter_map(|chain| chain.owned("id")).collect();
    let chain = outage.owned("chain");
    if let Some(name) = chain.as_ref().filter(|name| !chains.contains(name)) {
        let words: Vec<&str> = chains.iter().map(String::as_str).collect();
        let help = match nearest(name, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", words.join(", ")),
        };
        notes.error("unknown-chain", outage.at("chain"), format!("no chain is called `{name}`"), &help);
    }
    let length = |key: &str, default: Ms| outage.duration(key).unwrap_or(default);
    SlaPlan {
        terms: all,
        counts_from: part.duration("counts_from").unwrap_or(rest.counts_from),
        outage: Outage {
            chain,
            continuous: length("continuous", rest.outage.continuous),
            repeated: length("repeated", rest.outage.repeated),
            within: length("within", rest.outage.within),
        },
        rest: rest.rest,
    }
}

fn terms(id: String, item: Obj<'_>, notes: &mut Notes) -> Terms {
    let grade = GRADES.iter().find(|(word, ..)| item.text("grade") == Some(word)).unwrap_or(&GRADES[0]);
    let grade = Terms::grade(*grade);
    let times = |key: &str, from: [Option<Ms>; 4]| {
        let part = item.sub(key);
        Severity::ALL.map(|severity| part.duration(severity.code()).or(from[severity.index()]))
    };
    let warn: Vec<Severity> = item.list("warn").iter().filter_map(|node| Severity::parse(node.as_text()?)).collect();
    Terms {
        matchers: item.matchers("match"),
        availability: availability(item, notes).unwrap_or(grade.availability),
        notify: times("notify_within", grade.notify),
        ack: times("ack_within", grade.ack),
        recover: times("recover_within", grade.recover),
        warns: if item.has("warn") { Severity::ALL.map(|severity| warn.contains(&severity)) } else { grade.warns },
        id,
    }
}

/// The promised availability in ppm. A bare 99.95 would mean 9,995 %.
fn availability(item: Obj<'_>, notes: &mut Notes) -> Option<i64> {
    let share = item.number("availability")?;
    if !(0.5..1.0).contains(&share) {
        let help = "write a percentage below 100, with its sign: 99.92%";
        notes.error("out-of-range", item.at("availability"), format!("availability of {}%", share * 100.0), help);
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between 500,000 and 1,000,000")]
    let ppm = (share * PPM as f64).round() as i64;
    Some(ppm)
}

#[cfg(test)]
mod tests {
    use super::super::chain::CHAINS;
    use super::super::read::check;
    use super::super::tree;
    use super::*;
    use crate::time::{HOUR, MINUTE};

    fn read(text: &str) -> (SlaPlan, Vec<String>) {
        let mut notes = Notes::new("chains.yaml");
        let root = tree::parse(text, &mut notes).expect("YAML");
        check(&root, &CHAINS, &mut notes);
        let plan = sla(Obj::new(&root, &CHAINS), &mut notes);
        let told = notes.into_list();
        (plan, told.into_iter().map(|it| format!("{}:{}:{}", it.id, it.line, it.col)).collect())
    }

    const CHAIN: &str = "chains: [{ id: a, default: true, steps: [{ to: [MSP/duty], by: [sms] }], \
                         last: { to: [MSP/duty], by: [sms] } }]\n";

    #[test]
    fn without_a_word_everything_has_the_first_grade() {
        assert_eq!(read(CHAIN), (SlaPlan::default(), Vec::new()));
        assert_eq!(SlaPlan::default().rest, Terms::grade(("1등급", 999_200, 2 * HOUR)));
    }

    #[test]
    fn terms_say_what_is_different_from_their_grade() {
        let (plan, problems) = read(&format!(
            "{CHAIN}sla:\n  counts_from: 3m\n  terms:\n    - {{ id: lab, match: {{ service: lab }}, grade: 2등급 }}\n    \
             - {{ id: own, availability: 99.95%, recover_within: {{ S1: 1h }}, warn: [S1] }}\n  outage: {{ chain: a }}\n"
        ));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((plan.counts_from, plan.outage.chain.as_deref()), (3 * MINUTE, Some("a")));
        let [lab, own] = plan.terms.as_slice() else { panic!("{plan:?}") };
        assert_eq!((lab.availability, lab.recover[0], lab.matchers.len()), (999_000, Some(3 * HOUR), 1));
        assert_eq!((own.availability, own.recover), (999_500, [Some(HOUR), Some(2 * HOUR), None, None]));
        assert_eq!(own.warns, [true, false, false, false]);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let (_, problems) = read(&format!(
            "{CHAIN}sla:\n  terms:\n    - {{ id: a, availability: 99.95 }}\n    - {{ id: a }}\n    \
             - {{ id: b, grade: 3등급 }}\n  outage: {{ chain: b }}\n"
        ));
        let told = ["out-of-range:4:30", "duplicate-id:5:13", "unknown-word:6:23", "unknown-chain:7:20"];
        let mut found = problems;
        found.sort_by_key(|it| it.split(':').nth(1).and_then(|line| line.parse::<u32>().ok()));
        assert_eq!(found, told);
    }
}
