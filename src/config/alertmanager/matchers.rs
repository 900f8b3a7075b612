//! Matchers as Alertmanager writes them: `{owner="team-A", level!="critical"}`, one or several in a text.
//!
//! The idea: read by hand, one character after the other, so that a mistake has its place. Braces may be left out, a
//! value may stand without quotes; in quotes `\"`, `\\` and `\n` are escapes and any other backslash stands for itself.

use crate::model::{Matcher, Test};

/// What is wrong, and at which character of the text.
pub(super) type Wrong = (usize, String);

/// The matchers of `text`.
pub(super) fn matchers(text: &str) -> Result<Vec<Matcher>, Wrong> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    reader.skip_space();
    let is_braced = reader.eat('{');
    let mut found = Vec::new();
    loop {
        reader.skip_space();
        if reader.at == reader.chars.len() {
            return if is_braced { Err((reader.at, "`}` is missing".to_owned())) } else { Ok(found) };
        }
        if is_braced && reader.eat('}') {
            reader.skip_space();
            let rest = reader.at < reader.chars.len();
            return if rest { Err((reader.at, "something stands behind `}`".to_owned())) } else { Ok(found) };
        }
        found.push(reader.matcher(is_braced)?);
        reader.skip_space();
        let more = reader.eat(',');
        let ends = reader.at == reader.chars.len() || (is_braced && reader.peek() == Some('}'));
        if !more && !ends {
            return Err((reader.at, "`,` is missing before the next matcher".to_owned()));
        }
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn matcher(&mut self, is_braced: bool) -> Result<Matcher, Wrong> {
        let start = self.at;
        let label = if self.eat('"') { self.quoted()? } else { self.name() };
        if label.is_empty() {
            return Err((start, "a label name is missing".to_owned()));
        }
        self.skip_space();
        let test = self.test().ok_or_else(|| (self.at, format!("=, !=, =~ or !~ is missing behind `{label}`")))?;
        self.skip_space();
        let value_at = self.at;
        let value = if self.eat('"') { self.quoted()? } else { self.bare(is_braced) };
        if matches!(test, Test::Fits | Test::FitsNot) {
            let pattern = regex::RegexBuilder::new(&format!("^(?s:{value})$")).size_limit(1 << 20).build();
            pattern.map_err(|_| (value_at, format!("`{value}` is no regular expression of this engine")))?;
        }
        Ok(Matcher { label, test, value })
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| !c.is_whitespace() && !"{}=!~,\"\\'`".contains(c)) {
            self.at += 1;
        }
        self.text(start, self.at)
    }

    fn test(&mut self) -> Option<Test> {
        let two = [('=', '~', Test::Fits), ('!', '=', Test::IsNot), ('!', '~', Test::FitsNot)];
        let next = self.chars.get(self.at + 1).copied();
        if let Some((.., test)) = two.into_iter().find(|(a, b, _)| self.peek() == Some(*a) && next == Some(*b)) {
            self.at += 2;
            return Some(test);
        }
        self.eat('=').then_some(Test::Is)
    }

    /// The rest of a text in quotes, behind the first one.
    fn quoted(&mut self) -> Result<String, Wrong> {
        let start = self.at.saturating_sub(1);
        let mut value = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match (c, self.peek()) {
                ('"', _) => return Ok(value),
                ('\\', Some(next @ ('"' | '\\'))) => value.push(next),
                ('\\', Some('n')) => value.push('\n'),
                _ => {
                    value.push(c);
                    continue;
                }
            }
            self.at += 1;
        }
        Err((start, "a quotation mark is not closed".to_owned()))
    }

    /// A value without quotes: up to the next comma, or the closing brace at the end.
    fn bare(&mut self, is_braced: bool) -> String {
        let start = self.at;
        while let Some(c) = self.peek() {
            let is_end = c == '}' && is_braced && self.chars.iter().skip(self.at + 1).all(|c| c.is_whitespace());
            if c == ',' || is_end {
                break;
            }
            self.at += 1;
        }
        self.text(start, self.at).trim_end().to_owned()
    }

    fn text(&self, from: usize, until: usize) -> String {
        self.chars.get(from..until).unwrap_or(&[]).iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_read_as_alertmanager_reads_them() {
        let rows: &[(&str, &[&str])] = &[
            (r#"{foo = "bar", dings != "bums", }"#, &["foo=bar", "dings!=bums"]),
            ("foo=bar,dings!=bums", &["foo=bar", "dings!=bums"]),
            ("foo=bar, dings!=bums", &["foo=bar", "dings!=bums"]),
            (
                r#"{quote="She said: \"Hi, ladies! That's gender-neutral\""}"#,
                &["quote=She said: \"Hi, ladies! That's gender-neutral\""],
            ),
            (r#"statuscode=~"5..""#, &["statuscode=~5.."]),
            (r#"tricky=~"~=!=\\=~=""#, &[r"tricky=~~=!=\=~="]),
            (r#"trickier!=\\=\"\\""#, &[r#"trickier!=\\=\"\\""#]),
            (
                r#"contains_quote != "\"foo" , contains_comma !~ "foo,bar" , "#,
                &["contains_quote!=\"foo", "contains_comma!~foo,bar"],
            ),
            (r#"label="a\nb""#, &["label=a\nb"]),
            (r#"label="a\tb""#, &["label=a\\tb"]),
            ("empty=", &["empty="]),
            (r#"empty="""#, &["empty="]),
            ("", &[]),
            ("{}", &[]),
            (r#"{ "이름 표"=~"가.*" }"#, &["이름 표=~가.*"]),
            ("job=~.*", &["job=~.*"]),
        ];
        for (text, wanted) in rows {
            let found: Vec<String> = matchers(text)
                .unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(found, *wanted, "{text}");
        }
        let wrong = [
            ("foo", 3),
            ("=bar", 0),
            ("{foo=\"bar\"", 10),
            ("foo=\"bar", 4),
            ("foo=~\"[\"", 5),
            ("{a=\"b\"} c", 8),
            ("a=\"b\" c=\"d\"", 6),
        ];
        for (text, place) in wrong {
            assert_eq!(matchers(text).map_err(|(at, _)| at), Err(place), "{text}");
        }
        assert_eq!(matchers("a==~b").map(|found| found[0].value.clone()), Ok("=~b".to_owned()), "= and then the value");
    }
}
