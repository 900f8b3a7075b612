//! Functions: their tables, and how a call is carried out.
//!
//! The idea: a function is one row in the table of its family (`math`, `over_time`, `counter`, `clock`, `label`,
//! `vector`, `histogram`), with its types and its body. To add one, add a row there: parser, type check, usage text
//! and "did you mean" read the tables. A body is as small as its kind allows: a number to a number, the samples of a
//! window to a number, or everything. To add for example the range between the extremes of a window, one row in
//! `over_time`:
//!
//! ```text
//! window("spread_over_time", |w| Some(greatest(w.values()) - least(w.values()))),
//! ```
//!
//! Such a body reads the window again whenever a sample came. Where its value can be carried on from sample to sample
//! the row also says by which memory (`moving`): `.recalling(Memory::…)`.

mod clock;
mod counter;
mod histogram;
mod kept;
mod label;
mod math;
mod moving;
mod over_time;
mod standing;
mod stretch;
mod vector;

use std::ops::Range;

use crate::evaluate::promql::ast::{Call, Kind, Node};
use crate::evaluate::promql::eval::{Got, Item, Scene, Track, Tracks, trouble};
use crate::evaluate::promql::storage::NAME;
use crate::evaluate::promql::value::{Level, Trouble};
use crate::time::Ms;

pub(super) use kept::{Kept, eval as kept};
use moving::Memory;

/// One function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The kinds of its arguments.
    pub takes: &'static [Kind],
    /// How many of them must be there; the others may be left out.
    pub least: usize,
    /// The last may be given any number of times.
    pub repeats: bool,
    /// What it gives.
    pub gives: Kind,
    body: Body,
    /// What helps it when the window moves on.
    memory: Memory,
    keeps_name: bool,
}

/// What a function does.
#[derive(Debug)]
enum Body {
    /// A number to a number, for each series.
    Each(fn(f64) -> f64),
    /// The same with the call's scalars, left to right; `None` leaves the series out.
    EachBy(fn(f64, &[f64]) -> Option<f64>),
    /// The samples of a window to a number, for each series; `None` leaves the series out. It hangs on the samples and
    /// the call's scalars alone.
    Window(fn(&Window<'_>) -> Option<f64>),
    /// The same, and it hangs on the time too.
    Moving(fn(&Window<'_>) -> Option<f64>),
    /// The change in a window, drawn out to its edges.
    Drawn(counter::Drawn),
    /// Anything else.
    Whole(fn(&Asked<'_>) -> Result<Got, Trouble>),
}

/// A row: vector to vector, number by number.
const fn each(name: &'static str, f: fn(f64) -> f64) -> Function {
    row(name, &[Kind::Vector], Kind::Vector, Body::Each(f))
}

/// A row: range to vector, window by window.
const fn window(name: &'static str, f: fn(&Window<'_>) -> Option<f64>) -> Function {
    row(name, &[Kind::Range], Kind::Vector, Body::Window(f))
}

/// A row whose arguments are all needed.
const fn row(name: &'static str, takes: &'static [Kind], gives: Kind, body: Body) -> Function {
    Function {
        name,
        takes,
        least: takes.len(),
        repeats: false,
        gives,
        body,
        memory: Memory::Nothing,
        keeps_name: false,
    }
}

impl Function {
    /// The same with a memory, from which the body's value follows bit for bit.
    const fn recalling(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// Its value for one series; `None` leaves the series out, also where it looks at no window.
    fn of_window(&self, window: &Window<'_>) -> Option<f64> {
        match &self.body {
            Body::Window(f) | Body::Moving(f) => f(window),
            Body::Drawn(drawn) => drawn.out(window, drawn.change(window.points)?),
            Body::Each(_) | Body::EachBy(_) | Body::Whole(_) => None,
        }
    }

    /// How it is called, for example `clamp_max(instant vector, scalar)`.
    pub fn usage(&self) -> String {
        let mut args = String::new();
        for (n, kind) in self.takes.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            args.push_str(&if n < self.least { format!("{comma}{kind}") } else { format!("[{comma}{kind}]") });
        }
        format!("{}({args}{})", self.name, if self.repeats { ", …" } else { "" })
    }
}

const TABLES: [&[Function]; 7] =
    [math::TABLE, over_time::TABLE, counter::TABLE, clock::TABLE, label::TABLE, vector::TABLE, histogram::TABLE];

/// Functions of Prometheus that are not answered, and what a refusal counts them as.
const REFUSED: &[(&str, &str)] = &[
    ("histogram_avg", "native histogram"),
    ("histogram_count", "native histogram"),
    ("histogram_stddev", "native histogram"),
    ("histogram_stdvar", "native histogram"),
    ("histogram_sum", "native histogram"),
    ("histogram_quantiles", "function histogram_quantiles"),
    ("info", "function info"),
    ("integral", "function integral"),
    ("start_timestamp", "function start_timestamp"),
    ("start", "duration expression"),
    ("end", "duration expression"),
    ("range", "duration expression"),
    ("step", "duration expression"),
];

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES.into_iter().flatten().find(|row| row.name == name)
}

/// The names of all functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().flatten().map(|row| row.name)
}

/// What a function that Prometheus knows and this engine does not is called in refusals.
pub(super) fn refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(known, _)| *known == name).map(|(_, construct)| *construct)
}

/// The samples of one series in a window, and the call's scalars.
struct Window<'a> {
    points: &'a [(Ms, f64)],
    /// Its edges: (after, until].
    after: Ms,
    until: Ms,
    /// The time of the evaluation.
    at: Ms,
    /// The scalars of the call, left to right.
    params: &'a [f64],
}

impl Window<'_> {
    fn values(&self) -> impl ExactSizeIterator<Item = f64> {
        self.points.iter().map(|(_, value)| *value)
    }

    fn param(&self, n: usize) -> f64 {
        self.params.get(n).copied().unwrap_or(f64::NAN)
    }

    /// The samples one by one with the one before.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.points.windows(2).map(|pair| (pair[0].1, pair[1].1))
    }
}

/// A call with its arguments evaluated.
struct Asked<'a> {
    scene: &'a Scene<'a>,
    call: &'a Call,
    args: Vec<Got>,
    at: Ms,
    span: &'a Range<usize>,
}

impl Asked<'_> {
    /// The samples of the `n`-th argument; none where it was left out.
    fn items(&self, n: usize) -> &[Item] {
        match self.args.get(n) {
            Some(Got::Vector(items)) => items,
            _ => &[],
        }
    }

    fn tracks(&self, n: usize) -> Option<&Tracks> {
        match self.args.get(n) {
            Some(Got::Range(tracks)) => Some(tracks),
            _ => None,
        }
    }

    fn scalar(&self, n: usize) -> f64 {
        match self.args.get(n) {
            Some(Got::Scalar(value)) => *value,
            _ => f64::NAN,
        }
    }

    fn text(&self, n: usize) -> &str {
        match self.args.get(n) {
            Some(Got::String(text)) => text,
            _ => "",
        }
    }

    /// The bytes of the `n`-th argument, or of the call.
    fn place(&self, n: usize) -> &Range<usize> {
        self.call.args.get(n).map_or(self.span, |arg| &arg.span)
    }

    fn trouble(&self, n: usize, message: impl Into<String>) -> Trouble {
        trouble(self.place(n), message)
    }
}

/// The value of a call at `at`, as plainly as can be.
pub(super) fn eval(scene: &Scene<'_>, call: &Call, node: &Node, at: Ms) -> Result<Got, Trouble> {
    let args = call.args.iter().map(|arg| scene.eval(arg, at)).collect::<Result<Vec<_>, _>>()?;
    let asked = Asked { scene, call, args, at, span: &node.span };
    let scalars = |got: &Got| if let Got::Scalar(value) = got { Some(*value) } else { None };
    let params: Vec<f64> = asked.args.iter().filter_map(scalars).collect();
    let vector = || asked.args.iter().position(|got| matches!(got, Got::Vector(_))).unwrap_or(0);
    match call.function.body {
        Body::Whole(f) => f(&asked),
        Body::Each(f) => Ok(by_item(&asked, vector(), |value| Some(f(value)))),
        Body::EachBy(f) => Ok(by_item(&asked, vector(), |value| f(value, &params))),
        Body::Window(_) | Body::Moving(_) | Body::Drawn(_) => {
            let ranges = asked.args.iter().position(|got| matches!(got, Got::Range(_))).unwrap_or(0);
            check_params(&asked, &params)?;
            Ok(by_window(&asked, ranges, &params))
        }
    }
}

fn by_item(asked: &Asked<'_>, n: usize, f: impl Fn(f64) -> Option<f64>) -> Got {
    let keeps = asked.call.function.keeps_name;
    let one = |item: &Item| {
        let value = f(item.value)?;
        let (labels, nameless) =
            if keeps { (item.labels.clone(), item.nameless) } else { asked.scene.unnamed(&item.labels) };
        Some(Item { labels, value, nameless })
    };
    Got::Vector(asked.items(n).iter().filter_map(one).collect())
}

fn by_window(asked: &Asked<'_>, n: usize, params: &[f64]) -> Got {
    let Some(tracks) = asked.tracks(n) else { return Got::Vector(Vec::new()) };
    let function = asked.call.function;
    let one = |track: &Track| {
        let (points, (after, until)) = (&track.points, (tracks.after, tracks.until));
        let value = function.of_window(&Window { points, after, until, at: asked.at, params })?;
        if function.name == "rate" || function.name == "increase" {
            note_gauge(asked, n, track);
        }
        let (labels, nameless) = if function.keeps_name {
            (track.labels.clone(), track.nameless)
        } else {
            asked.scene.unnamed(&track.labels)
        };
        Some(Item { labels, value, nameless })
    };
    Got::Vector(tracks.series.iter().filter_map(one).collect())
}

/// A rate of what does not look like a counter.
fn note_gauge(asked: &Asked<'_>, n: usize, track: &Track) {
    let name = track.labels.get(NAME).unwrap_or_default();
    let counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|end| name.ends_with(end));
    if !name.is_empty() && !counter {
        let message =
            format!("metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {name:?}");
        asked.scene.note(Level::Info, asked.place(n), message);
    }
}

/// Scalars that a window function judges before it looks at a series.
fn check_params(asked: &Asked<'_>, params: &[f64]) -> Result<(), Trouble> {
    let first = params.first().copied().unwrap_or_default();
    match asked.call.function.name {
        "quantile_over_time" if asked.tracks(1).is_some_and(|tracks| !tracks.series.is_empty()) => {
            note_quantile(asked.scene, first, asked.place(0));
        }
        "double_exponential_smoothing" if asked.tracks(0).is_some_and(|tracks| !tracks.series.is_empty()) => {
            for (n, (what, value)) in ["smoothing", "trend"].iter().zip(params).enumerate() {
                if *value <= 0.0 || *value >= 1.0 {
                    let bound = if n == 0 { "sf" } else { "tf" };
                    let message = format!("invalid {what} factor. Expected: 0 < {bound} < 1, got: {value:.6}");
                    return Err(asked.trouble(n + 1, message));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Sorting in a range, where the series are put in order by their labels anyway.
fn note_sorting(asked: &Asked<'_>) {
    if asked.scene.start != asked.scene.end {
        let message = "sort is ineffective for range queries since results are always ordered by labels";
        asked.scene.note(Level::Warning, asked.span, message.to_owned());
    }
}

/// A φ that is not between 0 and 1.
pub(super) fn note_quantile(scene: &Scene<'_>, phi: f64, at: &Range<usize>) {
    if !(0.0..=1.0).contains(&phi) {
        let shown =
            if phi.is_infinite() { if phi > 0.0 { "+Inf".into() } else { "-Inf".into() } } else { phi.to_string() };
        scene.note(Level::Warning, at, format!("quantile value should be between 0 and 1, got {shown}"));
    }
}
