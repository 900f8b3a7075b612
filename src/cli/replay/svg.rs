//! One picture of one rule instance: its value, its thresholds, its states and its pages over time, as SVG text.
//!
//! The idea: a plain string with no library behind it; every text is escaped, every number has one decimal, so the same
//! run draws the same bytes. It knows nothing of rules: what is drawn comes as a [`Picture`].

use std::fmt::Write;

use crate::time::{Ms, civil};

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 104.0;
const TOP: f64 = 64.0;
/// Where the curve ends and the band of states begins.
const FLOOR: f64 = 300.0;
const BAND: f64 = 16.0;
/// Marks on the time axis.
const MARKS: i64 = 6;
/// Pages that are drawn; more would be a line.
const PAGES_DRAWN: usize = 200;

/// What is drawn.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    /// First line: what people call it.
    pub title: String,
    /// Second line: which identity, and the expression.
    pub subtitle: String,
    /// Tick and value; `None` where there was none, which breaks the line.
    pub values: Vec<(Ms, Option<f64>)>,
    /// Thresholds: what is written beside it, value, colour, dashed.
    pub lines: Vec<(String, f64, &'static str, bool)>,
    /// States: from, to, colour.
    pub bands: Vec<(Ms, Ms, &'static str)>,
    /// Spans in which nothing was known, drawn over the lower half of the states.
    pub unknown: Vec<(Ms, Ms, &'static str)>,
    /// Instants of pages.
    pub pages: Vec<Ms>,
    /// What the colours of the bands mean.
    pub legend: Vec<(&'static str, &'static str)>,
}

/// Draws it.
pub(super) fn draw(picture: &Picture) -> String {
    let frame = Frame::of(picture);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"'Nanum Gothic','NanumGothic','Noto Sans KR','Malgun Gothic',sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"28\" font-size=\"18\" font-weight=\"bold\" fill=\"#1e2124\">{}</text>\n\
         <text x=\"{LEFT}\" y=\"48\" font-size=\"12\" fill=\"#58616a\">{}</text>\n",
        escaped(&picture.title),
        escaped(&picture.subtitle)
    );
    axes(&frame, &mut out);
    for (spans, top, height) in [(&picture.bands, FLOOR, BAND), (&picture.unknown, FLOOR + BAND / 2.0, BAND / 2.0)] {
        for (from, to, colour) in spans {
            let (left, right) = (frame.x(*from), frame.x(*to));
            let width = (right - left).max(1.5);
            let _ = writeln!(
                out,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{colour}\"/>"
            );
        }
    }
    thresholds(picture, &frame, &mut out);
    curve(picture, &frame, &mut out);
    for at in picture.pages.iter().take(PAGES_DRAWN) {
        let (x, y) = (frame.x(*at), FLOOR + BAND + 4.0);
        let _ = writeln!(out, "<path d=\"M{x:.1} {y:.1}l4 8h-8z\" fill=\"#1e2124\"/>");
    }
    legend(picture, &mut out);
    out.push_str("</svg>\n");
    out
}

/// Where times and values lie on the picture.
struct Frame {
    from: Ms,
    to: Ms,
    low: f64,
    high: f64,
}

impl Frame {
    fn of(picture: &Picture) -> Self {
        let times = || picture.values.iter().map(|(at, _)| *at);
        let (from, to) = (times().min().unwrap_or(0), times().max().unwrap_or(1));
        let values = picture.values.iter().filter_map(|(_, value)| *value);
        let all = values.chain(picture.lines.iter().map(|(_, value, ..)| *value)).filter(|value| value.is_finite());
        let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if high > low { (high - low) * 0.08 } else { high.abs().max(1.0) * 0.1 };
        // What is never negative is not drawn below zero.
        let bottom = if low >= 0.0 { (low - room).max(0.0) } else { low - room };
        Self { from, to: to.max(from + 1), low: bottom, high: high + room }
    }

    #[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
    fn x(&self, at: Ms) -> f64 {
        let share = (at.clamp(self.from, self.to) - self.from) as f64 / (self.to - self.from) as f64;
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        FLOOR - share.clamp(0.0, 1.0) * (FLOOR - TOP)
    }
}

fn axes(frame: &Frame, out: &mut String) {
    let right = WIDTH - RIGHT;
    for n in 0..=4 {
        let value = frame.low + (frame.high - frame.low) * f64::from(n) / 4.0;
        let y = frame.y(value);
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#e6e8ea\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"end\" fill=\"#58616a\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            short(value)
        );
    }
    for n in 0..=MARKS {
        let at = frame.from + (frame.to - frame.from) / MARKS * n;
        let (x, c) = (frame.x(at), civil(at));
        let _ = writeln!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{FLOOR}\" stroke=\"#f4f5f6\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"11\" text-anchor=\"middle\" fill=\"#58616a\">\
             {:02}-{:02} {:02}:{:02}</text>",
            FLOOR + 46.0,
            c.month,
            c.day,
            c.hour,
            c.minute
        );
    }
}

fn thresholds(picture: &Picture, frame: &Frame, out: &mut String) {
    let right = WIDTH - RIGHT;
    let mut lines: Vec<_> = picture.lines.iter().map(|line| (frame.y(line.1), line)).collect();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut free = f64::MIN;
    for (y, (text, _, colour, dashed)) in lines {
        let dash = if *dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        // Words of lines that lie close together are moved down, one below the other.
        let words = (y + 4.0).max(free);
        free = words + 13.0;
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash}/>\
             <text x=\"{:.1}\" y=\"{words:.1}\" font-size=\"11\" fill=\"{colour}\">{}</text>",
            right + 6.0,
            escaped(text)
        );
    }
}

fn curve(picture: &Picture, frame: &Frame, out: &mut String) {
    let mut path = String::new();
    let mut pen = 'M';
    for (at, value) in &picture.values {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                let _ = write!(path, "{pen}{:.1} {:.1}", frame.x(*at), frame.y(value));
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    let _ = writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"#256ef4\" stroke-width=\"1.5\"/>");
}

fn legend(picture: &Picture, out: &mut String) {
    let mut x = LEFT;
    let y = HEIGHT - 20.0;
    for (text, colour) in &picture.legend {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12\" fill=\"#33363d\">{}</text>",
            y - 10.0,
            x + 18.0,
            escaped(text)
        );
        x += 36.0 + 13.0 * text.chars().map(|c| if c.is_ascii() { 0.6 } else { 1.0 }).sum::<f64>();
    }
    let _ = writeln!(
        out,
        "<path d=\"M{:.1} {:.1}l4 8h-8z\" fill=\"#1e2124\"/>\
         <text x=\"{:.1}\" y=\"{y:.1}\" font-size=\"12\" fill=\"#33363d\">통보</text>",
        x + 5.0,
        y - 8.0,
        x + 16.0
    );
}

/// A number as an axis has it.
pub(super) fn short(value: f64) -> String {
    const STEPS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")];
    for (step, unit) in STEPS {
        if value.abs() >= step {
            let step = if unit == "k" { 1e3 } else { step };
            return format!("{:.1}{unit}", value / step);
        }
    }
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 1.0 {
        1
    } else {
        3
    };
    format!("{value:.digits$}")
}

fn escaped(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_what_lies_outside_is_held_at_the_border() {
        let picture = Picture {
            title: "<b>\"A&B\"</b>\u{7}".to_owned(),
            values: vec![(0, Some(1.0)), (10, None), (20, Some(f64::NAN)), (30, Some(3.0)), (40, Some(2.0))],
            lines: vec![("S2".to_owned(), 2.5, "#f00", false)],
            bands: vec![(-100, 1_000, "#0f0")],
            ..Picture::default()
        };
        let text = draw(&picture);
        assert!(text.contains("&lt;b&gt;&quot;A&amp;B&quot;&lt;/b&gt; "), "{text}");
        let curve = text.lines().find(|line| line.contains("stroke=\"#256ef4\"")).unwrap();
        assert_eq!(curve.matches('M').count(), 2, "a gap lifts the pen: {curve}");
        assert!(!text.contains("NaN"), "{text}");
        let band = text.lines().find(|line| line.contains("fill=\"#0f0\"")).unwrap();
        assert!(band.contains(&format!("x=\"{LEFT:.1}\"")), "{band}");
    }

    #[test]
    fn axis_numbers_are_short() {
        let all = [0.95, 12.3, 431.0, 25_000.0, 3.2e6, 1.5e9, -0.25].map(short);
        assert_eq!(all, ["0.950", "12.3", "431", "25.0k", "3.2M", "1.5G", "-0.250"]);
    }
}
