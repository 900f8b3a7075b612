//! What templates say, compared with texts worked out by hand from Go's and Prometheus's documents.

use super::*;

fn labels() -> Labels {
    Labels::new([("instance", "db-01:9100"), ("job", "노드")])
}

fn answer(query: &str) -> Result<Vec<Element>, String> {
    match query {
        "two" => Ok(vec![(Labels::new([("host", "b")]), 2.0), (Labels::new([("host", "a")]), 1.5)]),
        "none" => Ok(Vec::new()),
        _ => Err(format!("`{query}` is not known")),
    }
}

fn render_with(text: &str, value: f64) -> Result<String, String> {
    let external = Labels::new([("site", "대구")]);
    let labels = labels();
    let scene = Scene {
        labels: &labels,
        value,
        external_labels: &external,
        external_url: "https://bongsu.test/a",
        query: &answer,
    };
    let told = |problem: Problem| format!("{}: {}", text.get(problem.at.clone()).unwrap_or("?"), problem.message);
    Template::parse(text).and_then(|template| template.render(&scene)).map_err(told)
}

fn render(text: &str) -> String {
    render_with(text, 1234.5).unwrap()
}

#[test]
fn labels_and_values_are_filled_in() {
    assert_eq!(render("{{ $labels.instance }} 값 {{ $value }}"), "db-01:9100 값 1234.5");
    assert_eq!(render("{{.Labels.job}}/{{.Value}}/{{$.Labels.job}}"), "노드/1234.5/노드");
    assert_eq!(render("{{ $labels }}"), "map[instance:db-01:9100 job:노드]");
    assert_eq!(render("[{{ $labels.none }}]"), "[]");
    assert_eq!(
        render("{{ $externalLabels.site }} {{ .ExternalLabels.site }} {{ $externalURL }}"),
        "대구 대구 https://bongsu.test/a"
    );
    assert_eq!(render("{{ externalURL }} {{ pathPrefix }}"), "https://bongsu.test/a /a");
    assert_eq!(render(r#"{{ index $labels "job" }} {{ len $labels }}"#), "노드 2");
}

#[test]
fn numbers_print_as_in_go() {
    for (value, text) in [
        (0.0, "0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (100_000.0, "100000"),
        (1_000_000.0, "1e+06"),
        (123_456_789.0, "1.23456789e+08"),
        (0.0001, "0.0001"),
        (0.000_012_5, "1.25e-05"),
        (-2.5, "-2.5"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (1e100, "1e+100"),
    ] {
        assert_eq!(number(value), text);
    }
}

#[test]
fn printf_formats_as_in_go() {
    for (call, text) in [
        (r#"printf "%.2f" $value"#, "1234.50"),
        (r#"printf "%8.1f|%-8.1f|%08.1f|%+.0f" 3.14159 3.14159 -3.14159 2.5"#, "     3.1|3.1     |-00003.1|+2"),
        (r#"printf "%s is %v" $labels.job $value"#, "노드 is 1234.5"),
        (r#"printf "%d/%5d/%-3d|%03d/%x" 7 7 7 7 255"#, "7/    7/7  |007/ff"),
        (r#"printf "%q %t %c%%" "가" true 'A'"#, "\"가\" true A%"),
        (r#"printf "%.3g %g %e %G" 1234.5678 1e21 12345.678 1e-7"#, "1.23e+03 1e+21 1.234568e+04 1E-07"),
        (r#"printf "%d" $value"#, "%!d(float64=1234.5)"),
        (r#"printf "%.1f" "x""#, "%!f(string=x)"),
        (r#"printf "%s %s" "a""#, "a %!s(MISSING)"),
        (r#"printf "%s" "a" 5"#, "a%!(EXTRA int=5)"),
        (r#"printf "%5s|%-5s|%.1s" "ab" "ab" "가나""#, "   ab|ab   |가"),
        (r#"printf "%""#, "%!(NOVERB)"),
        (r#"$value | printf "%.1f%s" 2.25"#, "2.2%!s(float64=1234.5)"),
        (r#"print 1 2 "a" "b" 3"#, "1 2ab3"),
    ] {
        assert_eq!(render(&format!("{{{{ {call} }}}}")), text, "{call}");
    }
}

#[test]
fn numbers_are_made_readable() {
    for (name, value, text) in [
        ("humanize", 1_234_567.0, "1.235M"),
        ("humanize", 0.00123, "1.23m"),
        ("humanize", 0.0, "0"),
        ("humanize", 999.9, "999.9"),
        ("humanize", -12_345.0, "-12.35k"),
        ("humanize", f64::INFINITY, "+Inf"),
        ("humanize1024", 1_048_576.0, "1Mi"),
        ("humanize1024", 1.0, "1"),
        ("humanize1024", 1536.0, "1.5ki"),
        ("humanizeDuration", 93_784.0, "1d 2h 3m 4s"),
        ("humanizeDuration", 7384.0, "2h 3m 4s"),
        ("humanizeDuration", -184.5, "-3m 4s"),
        ("humanizeDuration", 59.123_45, "59.12s"),
        ("humanizeDuration", 0.001_234, "1.234ms"),
        ("humanizeDuration", 0.0, "0s"),
        ("humanizePercentage", 0.123_456, "12.35%"),
        ("humanizePercentage", 1.0, "100%"),
        ("humanizeTimestamp", 1_435_065_584.128, "2015-06-23 13:19:44.128 +0000 UTC"),
        ("humanizeTimestamp", 0.0, "1970-01-01 00:00:00 +0000 UTC"),
        ("humanizeTimestamp", f64::NAN, "NaN"),
    ] {
        assert_eq!(render_with(&format!("{{{{ $value | {name} }}}}"), value).unwrap(), text, "{name} {value}");
    }
    assert_eq!(render(r#"{{ "1500" | humanize }}"#), "1.5k", "a text that is a number");
}

#[test]
fn texts_are_changed() {
    assert_eq!(render(r#"{{ "disk is full" | title }} {{ toUpper "ab" }} {{ "AB" | toLower }}"#), "Disk Is Full AB ab");
    assert_eq!(render(r#"{{ reReplaceAll "(.*):\\d+" "$1" $labels.instance }}"#), "db-01");
    assert_eq!(render(r#"{{ if match "^db-" $labels.instance }}yes{{ end }}"#), "yes");
    assert_eq!(render(r#"{{ stripPort "a:1" }} {{ stripPort "[::1]:9" }} {{ stripPort "::1" }}"#), "a ::1 ::1");
    assert_eq!(render(r#"{{ urlQueryEscape "a b&c/가" }}"#), "a+b%26c%2F%EA%B0%80");
    assert_eq!(render(r#"{{ tableLink "up == 0" }}"#), "/graph?g0.expr=up+%3D%3D+0&g0.tab=1");
    assert_eq!(render(r#"{{ parseDuration "1h30m" }}"#), "5400");
}

#[test]
fn blocks_choose_and_repeat() {
    assert_eq!(render("{{ if gt $value 1000.0 }}많음{{ else }}적음{{ end }}"), "많음");
    assert_eq!(render("{{ if lt $value 5.0 }}a{{ else if eq $labels.job `노드` `b` }}b{{ else }}c{{ end }}"), "b");
    assert_eq!(render("{{ with $labels.none }}a{{ else }}b{{ end }}{{ with $labels.job }}{{ . }}{{ end }}"), "b노드");
    assert_eq!(render("{{ range query `two` }}{{ .Labels.host }}={{ .Value }} {{ end }}"), "b=2 a=1.5 ");
    assert_eq!(
        render("{{ range $i, $e := query `two` | sortByLabel `host` }}{{ $i }}{{ $e.Labels.host }}{{ end }}"),
        "0a1b"
    );
    assert_eq!(render("{{ range query `none` }}x{{ else }}nobody{{ end }}"), "nobody");
    assert_eq!(render("{{ range query `two` }}{{ . | label `host` }}{{ break }}{{ end }}"), "b");
    assert_eq!(render("{{ with query `two` }}{{ . | first | value | humanize }}{{ end }}"), "2");
    assert_eq!(render("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}"), "2");
    assert_eq!(render("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}"), "instance=db-01:9100;job=노드;");
    assert_eq!(render("{{ and true 0 `x` }} {{ or 0 `y` }} {{ not 0 }}"), "0 y true");
    assert_eq!(render("{{ or true (query `bad`) }}"), "true", "what decides ends it");
}

#[test]
fn blanks_are_trimmed_and_comments_left_out() {
    assert_eq!(render("a \n {{- $value -}} \n b"), "a1234.5b");
    assert_eq!(render("a {{/* 설명 */}} b {{- /* x */ -}} c"), "a  bc");
    assert_eq!(render("{{ `}}` }}{{ \"{{\" }} } { "), "}}{{ } { ");
    assert_eq!(render("{{-3}}"), "-3");
}

#[test]
fn mistakes_are_told_at_their_place() {
    for (text, told) in [
        ("가 {{ $label.foo }}", "$label: undefined variable `$label`"),
        ("가 {{ $value | humanise }}", "humanise: function `humanise` is not defined"),
        ("{{ instance }}", "instance: function `instance` is not defined"),
        ("{{ $value", "{{: this {{ is never closed"),
        ("{{ if true }}x", "{{ if true }}: this `if` never ends"),
        ("x{{ end }}", "{{ end }}: `end` without an `if`, `with` or `range` before it"),
        ("{{ }}", "{{ }}: an action without anything in it"),
        ("{{ $value | 5 }}", "5: behind a `|` stands a function, not a value"),
        ("{{ \"가 }}", "\": this quotation mark is never closed"),
        ("{{ (len $labels }}", "(: this `(` is never closed"),
        ("{{ template \"x\" }}", "{{ template \"x\" }}: `template` is not taken here: there is no other template"),
        ("{{ $labels. }}", ".: a blank is missing before this"),
        ("{{ nil }}", "nil: `nil` is no command"),
        ("{{ break }}", "{{ break }}: `break` outside of a `range`"),
        ("{{ if true }}{{ else }}{{ else }}{{ end }}", "{{ else }}: a second `else`"),
        ("{{ $value ! }}", "!: `!` means nothing here"),
    ] {
        let found = Template::parse(text).map_err(|p| format!("{}: {}", text.get(p.at).unwrap_or("?"), p.message));
        assert_eq!(found, Err(told.to_owned()), "{text}");
    }
    let near = |text: &str| Template::parse(text).unwrap_err().help;
    assert_eq!(near("{{ $value | humanise }}"), "did you mean `humanize`?");
    assert_eq!(near("{{ $label.foo }}"), "did you mean `$labels`?");
}

#[test]
fn what_cannot_be_done_is_told_when_it_is_rendered() {
    for (text, told) in [
        (
            "{{ if gt $value 5 }}x{{ end }}",
            "gt $value 5: gt: a number and a whole number cannot be compared; write the whole number with a point, as 5.0",
        ),
        ("{{ query `none` | first }}", "first: first: the query has no answer, so there is no first element"),
        ("{{ query `bad` }}", "query `bad`: query: `bad` is not known"),
        ("{{ $labels.job | humanize }}", "humanize: humanize: `노드` is no number"),
        ("{{ toUpper $value }}", "toUpper $value: toUpper: a text is needed, this is a number"),
        ("{{ humanize }}", "humanize: `humanize` takes 1 arguments, here are 0"),
        ("{{ $value.x }}", "$value.x: a number has no `.x`"),
        ("{{ .Nothing }}", ".Nothing: there is no `.Nothing`"),
        ("{{ $labels \"x\" }}", "$labels: this is a value and takes no arguments"),
        ("{{ query `two` }}", "query `two`: a query's answer cannot be printed"),
    ] {
        assert_eq!(render_with(text, 1.0), Err(told.to_owned()), "{text}");
    }
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let text = "{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}{{ . }}{{ end }}{{ end }}{{ end }}";
    assert!(render_with(text, 1.0).is_err());
    let deep = format!("{}x{}", "{{ if true }}".repeat(100), "{{ end }}".repeat(100));
    assert!(Template::parse(&deep).is_err());
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Template::parse(&nested).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_panics(text in "[{}()|.$\"`' a-z0-9:=%\\\\가-]{0,40}") {
        let _ = render_with(&text, 0.5);
        let _ = render_with(&format!("{{{{ {text} }}}}"), 0.5);
        let _ = render_with(&format!("{{{{ printf \"%{text}\" 1.5 }}}}"), 0.5);
    }
}
