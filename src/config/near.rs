//! "Did you mean …?": the known word that is nearest to what somebody wrote.
//!
//! The idea: edits between two words, where swapped neighbours are one edit, and a limit that grows with their length.

/// What people know from elsewhere, and what it is called here.
const CALLED: &[(&str, &str)] = &[
    ("<", "below"),
    ("<=", "at_most"),
    ("=", "equals"),
    ("==", "equals"),
    (">", "above"),
    (">=", "at_least"),
    ("aggregation", "fn"),
    ("average", "avg"),
    ("condition", "when"),
    ("critical", "S1"),
    ("deriv", "slope"),
    ("fatal", "S1"),
    ("filter", "match"),
    ("function", "fn"),
    ("ge", "at_least"),
    ("gt", "above"),
    ("gte", "at_least"),
    ("info", "S4"),
    ("le", "at_most"),
    ("lt", "below"),
    ("lte", "at_most"),
    ("major", "S2"),
    ("maximum", "max"),
    ("mean", "avg"),
    ("minimum", "min"),
    ("minor", "S3"),
    ("operator", "when"),
    ("period", "over"),
    ("predict_linear", "forecast(T)"),
    ("promql", "expr"),
    ("query", "expr"),
    ("stdev", "stddev"),
    ("threshold", "severity"),
    ("total", "sum"),
    ("warning", "S2"),
];

/// The word of `words` that somebody who wrote `name` may have meant.
pub fn nearest<'w>(name: &str, words: &[&'w str]) -> Option<&'w str> {
    let called = |word: &&str| CALLED.iter().any(|(other, own)| *other == name && own == word);
    if let Some(own) = words.iter().copied().find(called) {
        return Some(own);
    }
    let far = |word: &str| distance(name, word);
    let best = words.iter().copied().min_by_key(|word| far(word))?;
    let limit = (best.chars().count().max(name.chars().count()) / 3).clamp(1, 3);
    (far(best) <= limit).then_some(best)
}

/// Edits (insert, remove, replace, swap neighbours) from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let by_one = rows[i - 1][j].min(rows[i][j - 1]) + 1;
                let swapped = if swap { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                replace.min(by_one).min(swapped)
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_words_and_words_of_other_programs_are_understood() {
        let words = ["above", "at_least", "below", "avg", "S1"];
        for (wrote, meant) in [("abvoe", "above"), (">=", "at_least"), ("average", "avg"), ("critical", "S1")] {
            assert_eq!(nearest(wrote, &words), Some(meant), "{wrote}");
        }
        assert_eq!(nearest("critical", &["above"]), None, "a word that is not taken here is not offered");
    }
}
