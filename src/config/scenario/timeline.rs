//! The readable notation of a feed: `0.5 for 5m, 0.5 to 0.97 for 1m, nothing for 2m, 97%`.
//!
//! The idea: pieces one after the other, each a value, a ramp or a gap and how long it lasts; samples come at the feed's
//! distance, so the same text means the same course of things whatever `every` is. The last piece may be without a
//! length: one sample.

use super::series::{Slip, VALUES_MAX};
use crate::config::scalar;
use crate::time::{Ms, parse_duration};

/// What one piece shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// A value, or a straight line from one to another that is reached as the next piece begins.
    Line(f64, f64),
    /// No samples.
    Nothing,
}

/// Reads and expands a timeline into samples `every` ms apart; `None` is a sample that is missing.
pub(super) fn timeline(text: &str, every: Ms) -> Result<Vec<Option<f64>>, Slip> {
    let mut out = Vec::new();
    let (mut at, mut begins) = (0, 0);
    let pieces: Vec<&str> = text.split(',').collect();
    for (n, piece) in pieces.iter().enumerate() {
        let blanks = piece.chars().take_while(|c| c.is_whitespace()).count();
        let slip = |why: String| Slip { at: at + blanks, why };
        let (shape, length) = read(piece.trim()).map_err(slip)?;
        let is_last = n + 1 == pieces.len();
        let length = match length {
            Some(length) => length,
            None if is_last => every,
            None => return Err(slip(format!("`{}` needs a length: `{} for 5m`", piece.trim(), piece.trim()))),
        };
        let ends = begins + length;
        if ends / every >= Ms::try_from(VALUES_MAX).unwrap_or(Ms::MAX) {
            return Err(slip(format!("more than {VALUES_MAX} values")));
        }
        while let Some(time) = Ms::try_from(out.len()).ok().map(|n| n * every).filter(|time| *time < ends) {
            out.push(sample(shape, time - begins, length));
        }
        begins = ends;
        at += piece.chars().count() + 1;
    }
    Ok(out)
}

#[expect(clippy::cast_precision_loss, reason = "both are far below 2^53 ms")]
fn sample(shape: Shape, after: Ms, length: Ms) -> Option<f64> {
    match shape {
        Shape::Nothing => None,
        Shape::Line(from, to) => Some(from + (to - from) * (after as f64 / length as f64)),
    }
}

/// One piece: what it shows and how long, where it says so.
fn read(piece: &str) -> Result<(Shape, Option<Ms>), String> {
    let (what, length) = match piece.rsplit_once(" for ") {
        None => (piece, None),
        Some((what, text)) => {
            let length = parse_duration(text.trim()).filter(|length| *length > 0);
            (what.trim(), Some(length.ok_or_else(|| format!("`{}` is no length: write 5m or 90s", text.trim()))?))
        }
    };
    let number = |text: &str| {
        scalar::number(text.trim()).ok_or_else(|| format!("`{}` is no value: write 0.5, 97% or nothing", text.trim()))
    };
    let shape = match what.split_once(" to ") {
        None if what == "nothing" => Shape::Nothing,
        None => number(what).map(|value| Shape::Line(value, value))?,
        Some((from, to)) => Shape::Line(number(from)?, number(to)?),
    };
    Ok((shape, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Option<f64>> {
        timeline(text, 10_000).unwrap_or_else(|slip| panic!("{text}: {slip:?}"))
    }

    #[test]
    fn pieces_follow_one_another() {
        let some = |list: &[f64]| list.iter().copied().map(Some).collect::<Vec<_>>();
        assert_eq!(read("0.5 for 30s, 97%"), some(&[0.5, 0.5, 0.5, 0.97]));
        assert_eq!(read("1 to 4 for 30s, 4 for 10s"), some(&[1.0, 2.0, 3.0, 4.0]));
        assert_eq!(
            read("1 for 10s, nothing for 20s, -2 for 20s"),
            [some(&[1.0]), vec![None; 2], some(&[-2.0; 2])].concat()
        );
        assert_eq!(read("1 for 5s, 2 for 10s, 3 for 6s"), some(&[1.0, 2.0, 3.0]), "samples stay on their distance");
    }

    #[test]
    fn a_mistake_has_its_place() {
        let at = |text: &str| timeline(text, 10_000).map_err(|slip| slip.at);
        assert_eq!(at("0.5 for 5m, x for 1m"), Err(12));
        assert_eq!(at("0.5, 0.7"), Err(0), "only the last piece may be without a length");
        assert_eq!(at("1 for soon"), Err(0));
        assert_eq!(at("1 for 0s"), Err(0));
        assert_eq!(at("1 for 400d,"), Err(0), "more than a series may have");
        assert!(at("").is_err() && at("1 for 1m, ").is_err());
    }
}
