//! `printf`, as Go's `fmt.Sprintf` does it.
//!
//! The idea: a verb that does not fit its argument is printed as Go prints it (`%!d(float64=1.5)`) instead of failing,
//! because the alert must go out, and because the text is compared with Prometheus's.

use super::print;
use super::value::Value;

/// One `%…`.
#[derive(Debug, Default, Clone, Copy)]
struct Verb {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Wider than this is a mistake, not a layout.
const WIDTH_MAX: usize = 1_000;

/// Formats `args` by `format`.
pub(super) fn printf(format: &str, args: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.peek().copied() {
            match flag {
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                '#' => verb.sharp = true,
                ' ' => verb.space = true,
                '0' => verb.zero = true,
                _ => break,
            }
            chars.next();
        }
        verb.width = digits(&mut chars);
        if chars.peek() == Some(&'.') {
            chars.next();
            verb.precision = Some(digits(&mut chars).unwrap_or(0));
        }
        let Some(letter) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if letter == '%' {
            out.push('%');
            continue;
        }
        match args.get(next) {
            None => out.push_str(&format!("%!{letter}(MISSING)")),
            Some(value) => out.push_str(&one(verb, letter, value)?),
        }
        next += 1;
    }
    if let Some(rest) = args.get(next..).filter(|rest| !rest.is_empty()) {
        let rest: Result<Vec<String>, String> = rest.iter().map(typed).collect();
        out.push_str(&format!("%!(EXTRA {})", rest?.join(", ")));
    }
    Ok(out)
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut read: Option<usize> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        read = Some((read.unwrap_or(0) * 10 + digit as usize).min(WIDTH_MAX));
        chars.next();
    }
    read
}

/// A value with its Go type, as complaints print it.
fn typed(value: &Value) -> Result<String, String> {
    let kind = match value {
        Value::Nil => return Ok("<nil>".to_owned()),
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float64",
        Value::Text(_) => "string",
        Value::Labels(_) => "map[string]string",
        Value::Sample(..) | Value::Vector(_) | Value::Root => {
            return Err(format!("{} cannot be printed", value.kind()));
        }
    };
    Ok(format!("{kind}={}", print::value(value)?))
}

fn one(verb: Verb, letter: char, value: &Value) -> Result<String, String> {
    let text = match (letter, value) {
        ('v', Value::Float(n)) => return Ok(float(verb, 'g', *n)),
        ('v' | 'd', Value::Int(n)) => return Ok(whole(verb, *n)),
        ('v', Value::Text(text)) if verb.sharp => format!("{text:?}"),
        ('v' | 's', Value::Text(text)) => cut(text, verb.precision),
        ('v' | 't', Value::Bool(yes)) => yes.to_string(),
        ('v' | 's', Value::Labels(_)) | ('v', Value::Nil | Value::Sample(..)) => print::value(value)?,
        ('q', Value::Text(text)) => format!("{:?}", cut(text, verb.precision)),
        ('x' | 'X', Value::Text(text)) => {
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            if letter == 'X' { hex.to_uppercase() } else { hex }
        }
        ('x', Value::Int(n)) => signed(*n < 0, &format!("{:x}", n.unsigned_abs()), verb),
        ('X', Value::Int(n)) => signed(*n < 0, &format!("{:X}", n.unsigned_abs()), verb),
        ('o', Value::Int(n)) => signed(*n < 0, &format!("{:o}", n.unsigned_abs()), verb),
        ('b', Value::Int(n)) => signed(*n < 0, &format!("{:b}", n.unsigned_abs()), verb),
        ('c', Value::Int(n)) => {
            u32::try_from(*n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER).to_string()
        }
        ('f' | 'F' | 'e' | 'E' | 'g' | 'G', Value::Float(n)) => return Ok(float(verb, letter, *n)),
        _ => return Ok(format!("%!{letter}({})", typed(value)?)),
    };
    Ok(pad(verb, &text, false))
}

fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect())
}

fn signed(negative: bool, digits: &str, verb: Verb) -> String {
    let sign = match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    format!("{sign}{digits}")
}

fn whole(verb: Verb, value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let least = verb.precision.unwrap_or(1);
    let filled = format!("{digits:0>least$}");
    pad(verb, &signed(value < 0, &filled, verb), verb.precision.is_none())
}

fn float(verb: Verb, letter: char, value: f64) -> String {
    let text = match letter {
        'e' | 'E' => print::exponent(value, Some(verb.precision.unwrap_or(6)), letter == 'E'),
        'f' | 'F' => print::fixed(value, Some(verb.precision.unwrap_or(6))),
        _ => print::general(value, verb.precision, letter == 'G'),
    };
    let text = match (text.starts_with(['-', '+']), value.is_nan()) {
        // Infinity has its sign already.
        (true, _) => text,
        (false, true) if !verb.plus && !verb.space => text,
        _ => signed(false, &text, verb),
    };
    pad(verb, &text, value.is_finite())
}

/// Fills up to the width: on the left unless `-`, with zeros behind the sign where that is allowed.
fn pad(verb: Verb, text: &str, zeros: bool) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.chars().count());
    if missing == 0 {
        return text.to_owned();
    }
    if verb.minus {
        return format!("{text}{}", " ".repeat(missing));
    }
    if verb.zero && zeros {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+', ' '])));
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    format!("{}{text}", " ".repeat(missing))
}
