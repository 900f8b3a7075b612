//! Building HTML so that nothing from outside becomes markup.
//!
//! The idea: markup can only be a `&'static str`, that is, text of this program; every value goes through
//! [`Html::text`], which escapes for elements and quoted attributes alike. Characters that could hide or reorder text are shown as `�`.

use crate::time::{Ms, civil, rfc3339};

/// A growing piece of HTML.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, as it is written in this program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A value from anywhere.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        for c in value.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                c if c.is_control() || is_invisible(c) => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A number.
    pub(super) fn num(&mut self, value: impl Into<i128>) -> &mut Self {
        self.0.push_str(&value.into().to_string());
        self
    }

    /// A table cell.
    pub(super) fn cell(&mut self, value: &str) -> &mut Self {
        self.raw("<td>").text(value).raw("</td>")
    }

    /// An instant as people read it, `11-25 01:00:00`, with the full one for machines; a dash where there is none.
    pub(super) fn time(&mut self, at: Option<Ms>) -> &mut Self {
        let Some(at) = at.filter(|at| *at > 0) else { return self.raw("–") };
        let c = civil(at);
        let short = format!("{:02}-{:02} {:02}:{:02}:{:02}", c.month, c.day, c.hour, c.minute, c.second);
        self.raw("<time datetime=\"").text(&rfc3339(at)).raw("\">").text(&short).raw("</time>")
    }

    /// An instant that follows `first`: without its date where that is the same.
    pub(super) fn time_after(&mut self, first: Ms, at: Option<Ms>) -> &mut Self {
        let (Some(then), before) = (at.map(civil), civil(first)) else { return self.time(at) };
        if (then.year, then.month, then.day) != (before.year, before.month, before.day) {
            return self.time(at);
        }
        let short = format!("{:02}:{:02}:{:02}", then.hour, then.minute, then.second);
        self.raw("<time datetime=\"").text(&rfc3339(at.unwrap_or(first))).raw("\">").text(&short).raw("</time>")
    }

    /// A badge whose look is one of the style sheet's.
    pub(super) fn badge(&mut self, look: &'static str, word: &str) -> &mut Self {
        self.raw("<span class=\"badge ").raw(look).raw("\">").text(word).raw("</span>")
    }

    /// The finished text.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// Zero-width characters and those that change the direction of what follows.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_never_become_markup() {
        let mut html = Html::default();
        html.raw("<p title=\"").text("\" onload='x'").raw("\">").text("</p><script>&\u{202e}\0").raw("</p>");
        assert_eq!(
            html.into_string(),
            "<p title=\"&quot; onload=&#39;x&#39;\">&lt;/p&gt;&lt;script&gt;&amp;\u{fffd}\u{fffd}</p>"
        );
    }
}
