//! Results as JUnit XML, which build servers show.
//!
//! The idea: a file is a suite, a case is a test case; a refused one is an error, because its author must know that
//! nothing was tested.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Case, Outcome};
use crate::time::show_duration;

/// All cases as one document.
pub(super) fn xml(cases: &[Case]) -> String {
    let mut suites: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        suites.entry(&case.file).or_default().push(case);
    }
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(out, "<testsuites name=\"bongsu test\" {}>", counts(cases.iter()));
    for (file, cases) in suites {
        let _ = writeln!(out, "  <testsuite name=\"{}\" {}>", escaped(file), counts(cases.iter().copied()));
        cases.into_iter().for_each(|case| test(case, &mut out));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.result {
            Outcome::Pass => {}
            Outcome::Fail => failures += 1,
            Outcome::Refused(_) => errors += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn test(case: &Case, out: &mut String) {
    let name = escaped(&format!("{} at {}", case.name, show_duration(case.at)));
    let _ = write!(out, "    <testcase classname=\"{}.{}\" name=\"{name}\"", case.kind, case.group);
    let (tag, why) = match &case.result {
        Outcome::Pass => {
            out.push_str("/>\n");
            return;
        }
        Outcome::Fail => ("failure", case.message.lines().next().unwrap_or("")),
        Outcome::Refused(construct) => ("error", construct.as_str()),
    };
    let _ = writeln!(out, ">");
    let _ = writeln!(out, "      <{tag} message=\"{}\">{}</{tag}>", escaped(why), escaped(&case.message));
    let _ = writeln!(out, "    </testcase>");
}

/// What XML takes: signs of its own are written out, control characters left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_suite_and_signs_are_written_out() {
        let case = |name: &str, result, message: &str| Case {
            file: "가.yml".to_owned(),
            group: 1,
            kind: "expr",
            name: name.to_owned(),
            at: 60_000,
            result,
            message: message.to_owned(),
        };
        let cases = [
            case("a < b", Outcome::Fail, "expected: 1\ncame: \"2\" & more"),
            case("c", Outcome::Pass, ""),
            case("d", Outcome::Refused("native histogram".to_owned()), "가.yml:3:1: native histogram on line 3"),
        ];
        let text = xml(&cases);
        for part in [
            "<testsuite name=\"가.yml\" tests=\"3\" failures=\"1\" errors=\"1\">",
            "<testcase classname=\"expr.1\" name=\"a &lt; b at 1m\">",
            "<failure message=\"expected: 1\">expected: 1&#10;came: &quot;2&quot; &amp; more</failure>",
            "<testcase classname=\"expr.1\" name=\"c at 1m\"/>",
            "<error message=\"native histogram\">",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}
