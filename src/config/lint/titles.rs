//! Titles: what somebody reads on a phone in the dark.
//!
//! The idea: number, severity, 구간 and time come by themselves; the title has to say what happened.

use std::collections::BTreeMap;

use super::site::View;
use super::{Found, Look, Site, check};

/// Titles that say only that there is one.
const VAGUE: [&str; 22] = [
    "alarm",
    "alert",
    "error",
    "test",
    "warning",
    "감지",
    "경고",
    "경고 알림",
    "경보",
    "경보 발생",
    "문제",
    "문제 발생",
    "알람",
    "알림",
    "오류",
    "오류 발생",
    "이상",
    "이상 발생",
    "임계값 초과",
    "장애",
    "장애 발생",
    "테스트",
];

check!(MISSING, "title-missing", Warning, Look::Rule(missing),
    what: "A rule without a title.",
    why: "The message then reads \"임계값 초과\": of what, nobody knows before having opened a computer.",
    repair: "Write a Korean title that says what happened, at most 15 syllables.");

fn missing(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    if site.settings.is_some() && !view.item.has("title") {
        found.say(view.item.at("id"), "without a title", "write title: CPU 사용률 과다");
    }
}

check!(REPEATED, "title-repeated", Warning, Look::Site(repeated),
    what: "Two rules have the same title.",
    why: "Two messages cannot be told apart, and the second is taken for a repetition of the first.",
    repair: "Say in each what only it means.");

fn repeated(site: &Site<'_>, found: &mut Found) {
    let mut first: BTreeMap<&str, &View<'_>> = BTreeMap::new();
    for view in site.rules.iter().filter(|view| view.item.has("title")) {
        let other = *first.entry(&view.rule.title).or_insert(view);
        if other.rule.id != view.rule.id {
            found.within(view);
            let message = format!("the title of `{}` too", other.rule.id);
            found.say(view.item.at("title"), message, "say what only this rule means");
        }
    }
}

check!(VAGUE_TITLE, "title-vague", Warning, Look::Rule(vague),
    what: "The title says that something is wrong, not what.",
    why: "\"장애 발생\" at 3 a.m. is a riddle; the answer costs the minutes that the SLA counts.",
    repair: "Name the thing and what it does: 디스크 공간 부족, 복제 지연 과다.");

fn vague(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let title = view.rule.title.trim_end_matches(['!', '.']).to_lowercase();
    if view.item.has("title") && VAGUE.contains(&title.as_str()) {
        found.say(
            view.item.at("title"),
            format!("`{}` says nothing", view.rule.title),
            "name the thing and what it does",
        );
    }
}

check!(FOREIGN, "title-foreign", Warning, Look::Rule(foreign),
    what: "A title without a single Korean syllable.",
    why: "Messages go to people of five organisations, many of whom do not run computers; the rest of the text is \
        Korean.",
    repair: "Write it in Korean; terms such as CPU or TLS may stay.");

fn foreign(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let korean = view.rule.title.chars().any(|c| ('가'..='힣').contains(&c));
    if !korean {
        found.say(
            view.item.at("title"),
            format!("`{}` is not Korean", view.rule.title),
            "write what happened in Korean",
        );
    }
}

check!(TEMPLATE, "title-template", Warning, Look::Rule(template),
    what: "A title with `{{ … }}` in a rule of our own.",
    why: "It is sent as it stands, braces and all. Only annotations of Prometheus's alerts are templates; values of \
        labels never stand in a message, because it leaves the zone.",
    repair: "Write what happened in plain words; the incident's number leads to the values.");

fn template(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    if view.rule.title.contains("{{") {
        found.say(view.item.at("title"), "a title is no template", "write what happened in plain words");
    }
}
