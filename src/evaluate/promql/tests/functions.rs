//! Every function, by values worked out by hand.

use super::*;

fn world() -> Memory {
    memory(
        10,
        &[
            "g{h=\"a\"} 1 3 2 2 NaN 5",
            "c_total{h=\"a\"} 0 10 20 5 15 25",
            "t{h=\"a\"} 2 4 6 8 10 12",
            "v{x=\"a1\"} 0.25 0.25 0.25 0.25 0.25 0.25",
            "w{x=\"b-2\",y=\"z\"} -1.5 -1.5 -1.5 -1.5 -1.5 -1.5",
        ],
    )
}

#[test]
fn numbers_one_by_one() {
    let half = std::f64::consts::FRAC_PI_2;
    all(
        &world(),
        50,
        &[
            ("abs(w)", "x=b-2,y=z:1.5"),
            ("ceil(w)", "x=b-2,y=z:-1"),
            ("floor(w)", "x=b-2,y=z:-2"),
            ("sgn(w)", "x=b-2,y=z:-1"),
            ("sqrt(v)", "x=a1:0.5"),
            ("exp(v * 4)", "x=a1:2.718281828"),
            ("ln(v * 4)", "x=a1:0"),
            ("log2(v)", "x=a1:-2"),
            ("log10(v * 400)", "x=a1:2"),
            ("round(w)", "x=b-2,y=z:-1"),
            ("round(w, 4)", "x=b-2,y=z:0"),
            ("clamp(w, -1, 1)", "x=b-2,y=z:-1"),
            ("clamp(w, 1, -1)", ""),
            ("clamp_min(w, -1)", "x=b-2,y=z:-1"),
            ("clamp_max(w, -2)", "x=b-2,y=z:-2"),
            ("sin(v * 2 * pi())", "x=a1:1"),
            ("cos(v * 4 * pi())", "x=a1:-1"),
            ("tan(v * pi())", "x=a1:1"),
            ("asin(v * 4) * 2", &format!("x=a1:{}", number(2.0 * half))),
            ("acos(v * 4)", "x=a1:0"),
            ("atan(v * 4) * 4", &format!("x=a1:{}", number(2.0 * half))),
            ("sinh(v * 0) + cosh(v * 0) + tanh(v * 0)", "x=a1:1"),
            ("asinh(v * 0) + acosh(v * 4) + atanh(v * 0)", "x=a1:0"),
            ("deg(v * pi())", "x=a1:45"),
            ("rad(v * 720)", "x=a1:3.141592654"),
            ("max_of(1, 2) + min_of(3, 4)", "5"),
            ("sqrt(w)", "x=b-2,y=z:NaN"),
        ],
    );
}

#[test]
fn windows_one_by_one() {
    all(
        &world(),
        50,
        &[
            ("avg_over_time(t[30s])", "h=a:10"),
            ("sum_over_time(t[30s])", "h=a:30"),
            ("min_over_time(g[1m])", "h=a:1"),
            ("max_over_time(g[1m])", "h=a:5"),
            ("sum_over_time(g[1m])", "h=a:NaN"),
            ("count_over_time(g[1m])", "h=a:6"),
            ("present_over_time(g[1m])", "h=a:1"),
            ("last_over_time(g[1m])", "name=g,h=a:5"),
            ("first_over_time(g[1m])", "name=g,h=a:1"),
            ("quantile_over_time(0.5, t[30s])", "h=a:10"),
            ("quantile_over_time(2, t[30s])", "h=a:inf"),
            ("stdvar_over_time(t[30s])", "h=a:2.666666667"),
            ("stddev_over_time(t[20s])", "h=a:1"),
            ("mad_over_time(t[50s])", "h=a:2"),
            ("ts_of_max_over_time(g[1m])", "h=a:50"),
            ("ts_of_min_over_time(g[1m])", "h=a:0"),
            ("ts_of_first_over_time(t[20s])", "h=a:40"),
            ("ts_of_last_over_time(t[20s])", "h=a:50"),
            ("changes(g[1m])", "h=a:4"),
            ("resets(c_total[1m])", "h=a:1"),
            ("deriv(t[30s])", "h=a:0.2"),
            ("predict_linear(t[30s], 100)", "h=a:32"),
            ("idelta(t[30s])", "h=a:2"),
            ("irate(c_total[30s])", "h=a:1"),
            // 5, 15, 25 at 30, 40, 50 s in (20, 50]: 20 in 20 s; the left edge is 10 s away, but zero is only 5 s away.
            ("increase(c_total[30s])", "h=a:25"),
            // In (15, 35]: 20 at 20 s, 5 at 30 s: a fall to 5 is a rise of 5, stretched by 5 s to both edges.
            ("increase(c_total[20s] @ 35)", "h=a:10"),
            ("rate(c_total[20s] @ 35)", "h=a:0.5"),
            ("delta(t[20s] @ 35)", "h=a:4"),
            ("rate(t[10s])", ""),
            // x0 = 2, x1 = 4: level 2, trend 2; each next value lies on the line.
            ("double_exponential_smoothing(t[1m], 0.5, 0.5)", "h=a:12"),
        ],
    );
    let wrong = "! invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000";
    assert_eq!(show(&world(), "double_exponential_smoothing(t[1m], 1, 0.5)", 50), wrong);
}

#[test]
fn vectors_and_absence() {
    all(
        &world(),
        50,
        &[
            ("vector(3)", ":3"),
            ("scalar(t)", "12"),
            ("scalar({h=\"a\"})", "NaN"),
            ("absent(t)", ""),
            ("absent(nope{a=\"x\",b=~\"y\",c!=\"z\"})", "a=x:1"),
            ("absent(nope{a=\"x\",a=\"y\",b=\"c\"})", "b=c:1"),
            ("absent((nope{a=\"x\"}))", "a=x:1"),
            ("absent(sum(nope{a=\"x\"}))", ":1"),
            ("absent_over_time(nope{a=\"x\"}[5m])", "a=x:1"),
            ("absent_over_time(t[5m])", ""),
            ("sort({h=\"a\"})", "name=g,h=a:5 name=t,h=a:12 name=c_total,h=a:25"),
            ("sort_desc({h=\"a\"})", "name=c_total,h=a:25 name=t,h=a:12 name=g,h=a:5"),
        ],
    );
}

#[test]
fn times_and_dates() {
    all(
        &world(),
        50,
        &[
            ("time()", "50"),
            ("timestamp(t)", "h=a:50"),
            ("minute()", ":0"),
            // 2024-02-29T23:59:30Z, a Thursday.
            ("minute(vector(1709251170))", ":59"),
            ("hour(vector(1709251170))", ":23"),
            ("day_of_week(vector(1709251170))", ":4"),
            ("day_of_month(vector(1709251170))", ":29"),
            ("day_of_year(vector(1709251170))", ":60"),
            ("days_in_month(vector(1709251170))", ":29"),
            ("month(vector(1709251170))", ":2"),
            ("year(vector(1709251170))", ":2024"),
            ("year(t)", "h=a:1970"),
        ],
    );
}

#[test]
fn labels_are_replaced_joined_and_sorted_by() {
    all(
        &world(),
        50,
        &[
            ("label_replace(v, \"n\", \"$1-$2\", \"x\", \"([a-z])(\\\\d)\")", "name=v,n=a-1,x=a1:0.25"),
            ("label_replace(v, \"n\", \"$1\", \"x\", \"a\")", "name=v,x=a1:0.25"),
            ("label_replace(v, \"x\", \"\", \"x\", \".*\")", "name=v:0.25"),
            ("label_replace(v, \"n\", \"all\", \"nope\", \"\")", "name=v,n=all,x=a1:0.25"),
            ("label_join(w, \"n\", \"/\", \"x\", \"y\", \"nope\")", "name=w,n=b-2/z/,x=b-2,y=z:-1.5"),
            ("sort_by_label({x!=\"\"}, \"x\")", "name=v,x=a1:0.25 name=w,x=b-2,y=z:-1.5"),
            ("sort_by_label_desc({x!=\"\"}, \"x\")", "name=w,x=b-2,y=z:-1.5 name=v,x=a1:0.25"),
            (
                "label_replace({h=\"a\"}, \"__name__\", \"same\", \"h\", \"a\")",
                "! vector cannot contain metrics with the same labelset",
            ),
            ("label_replace(v, \"n\", \"\", \"x\", \"(\")", "! invalid regular expression in label_replace(): ("),
        ],
    );
}

#[test]
fn quantiles_of_classic_histograms() {
    let buckets = memory(
        10,
        &[
            "b_bucket{h=\"a\",le=\"1\"} 10",
            "b_bucket{h=\"a\",le=\"2\"} 30",
            "b_bucket{h=\"a\",le=\"+Inf\"} 40",
            "b_bucket{h=\"b\",le=\"1\"} 10",
            "b_bucket{h=\"c\",le=\"x\"} 10",
        ],
    );
    all(
        &buckets,
        0,
        &[
            ("histogram_quantile(0.5, b_bucket{h=\"a\"})", "h=a:1.5"),
            ("histogram_quantile(0.9, b_bucket)", "h=a:2 h=b:NaN"),
            ("histogram_fraction(1, 2, b_bucket{h=\"a\"})", "h=a:0.5"),
            ("histogram_quantile(0.125, sum by (le) (b_bucket{h=\"a\"}))", ":0.5"),
        ],
    );
}

#[test]
fn remarks_say_what_is_odd() {
    let world = world();
    let notes = |text: &str| {
        let expr = parse(text).unwrap();
        let answer = Query::default().instant(&expr, &world, 50 * SECOND).unwrap();
        answer.notes.into_iter().map(|note| (note.level, note.at, note.message)).collect::<Vec<_>>()
    };
    assert_eq!(notes("rate(c_total[1m])"), []);
    let gauge = &notes("rate(t[1m])")[0];
    assert_eq!((gauge.0, gauge.1.clone()), (Level::Info, 5..10));
    let phi = &notes("quantile(2, t)")[0];
    assert_eq!(
        (phi.0, phi.1.clone(), phi.2.as_str()),
        (Level::Warning, 9..10, "quantile value should be between 0 and 1, got 2")
    );
    assert_eq!(notes("histogram_quantile(0.5, t)")[0].0, Level::Warning);
}
