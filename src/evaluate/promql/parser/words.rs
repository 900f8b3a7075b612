//! "Did you mean": the known word that is nearest to a mistyped one.
//!
//! The idea: the fewest single-character changes, a swap of neighbours counting as one; nothing is offered where more
//! than a third of the word would change, because a wrong guess costs more than none.

/// The nearest of `words`, where one is near.
pub(in crate::evaluate::promql) fn near<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_ascii_lowercase();
    let limit = (word.len() / 3).clamp(1, 3);
    words.map(|known| (distance(&word, known), known)).filter(|(d, _)| *d <= limit).min().map(|(_, known)| known)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = row[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            next[j] = change.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                next[j] = next[j].min(before[j - 2] + 1);
            }
        }
        before = row;
        row = next;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        let words = ["rate", "irate", "increase", "histogram_quantile"];
        assert_eq!(near("raet", words.into_iter()), Some("rate"));
        assert_eq!(near("histogram_quantil", words.into_iter()), Some("histogram_quantile"));
        assert_eq!(near("incraese", words.into_iter()), Some("increase"));
        assert_eq!(near("frobnicate", words.into_iter()), None);
    }
}
