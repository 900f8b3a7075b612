//! Numbers in order of size while some come and some go.
//!
//! The idea: sorted runs of a few hundred numbers. A number finds its run and its place in it by halving, and moves at
//! most one run's tail; a rank is found by counting whole runs. So one that comes or goes costs O(log n) comparisons and
//! a move within one run, and asking for a place one step for each run: n / 512 or so. The order is total: −0 comes
//! before 0, and a NaN is the smallest of all. Whose numbers they are is not known here.

/// A run that grows beyond it is cut in two.
const RUN: usize = 512;

/// Numbers by size, each as often as it came.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    runs: Vec<Vec<f64>>,
    held: usize,
}

/// What stands for `value` in the order: there is one NaN, below everything.
fn key(value: f64) -> f64 {
    if value.is_nan() { -f64::NAN.abs() } else { value }
}

/// `values` in the order of [`Sorted`].
pub(super) fn sort(values: &mut [f64]) {
    values.iter_mut().for_each(|value| *value = key(*value));
    values.sort_unstable_by(f64::total_cmp);
}

impl Sorted {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.held
    }

    /// The `n`-th, from 0; NaN where there are not so many.
    pub(super) fn nth(&self, mut n: usize) -> f64 {
        for run in &self.runs {
            match run.get(n) {
                Some(value) => return *value,
                None => n -= run.len(),
            }
        }
        f64::NAN
    }

    /// The first run whose greatest number is not below `value`.
    fn run(&self, value: f64) -> usize {
        let below = |run: &Vec<f64>| run.last().is_some_and(|last| last.total_cmp(&value).is_lt());
        self.runs.partition_point(below)
    }

    /// One comes.
    pub(super) fn insert(&mut self, value: f64) {
        let value = key(value);
        self.held += 1;
        let place = self.run(value).min(self.runs.len().saturating_sub(1));
        let Some(run) = self.runs.get_mut(place) else {
            self.runs.push(vec![value]);
            return;
        };
        run.insert(run.partition_point(|held| held.total_cmp(&value).is_lt()), value);
        if run.len() > RUN {
            let tail = run.split_off(RUN / 2);
            self.runs.insert(place + 1, tail);
        }
    }

    /// One goes; one that never came changes nothing.
    pub(super) fn remove(&mut self, value: f64) {
        let value = key(value);
        let place = self.run(value);
        let Some(run) = self.runs.get_mut(place) else { return };
        let at = run.partition_point(|held| held.total_cmp(&value).is_lt());
        if run.get(at).is_some_and(|held| held.total_cmp(&value).is_eq()) {
            run.remove(at);
            self.held -= 1;
        }
        if run.is_empty() {
            self.runs.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_total_and_nothing_is_lost() {
        let mut values = vec![3.0, f64::NAN, -0.0, 0.0, f64::INFINITY, -f64::NAN, f64::NEG_INFINITY, 3.0];
        let mut sorted = Sorted::default();
        values.iter().for_each(|value| sorted.insert(*value));
        sort(&mut values);
        let bits = |n: usize| sorted.nth(n).to_bits();
        assert!((0..values.len()).all(|n| bits(n) == values[n].to_bits()), "{values:?}");
        assert!(values[0].is_nan() && values[1].is_nan() && values[2] == f64::NEG_INFINITY);
        assert!(values[3].is_sign_negative() && values[4].is_sign_positive());
        values.iter().for_each(|value| sorted.remove(*value));
        sorted.remove(7.0);
        assert_eq!((sorted.len(), sorted.nth(0).is_nan()), (0, true));
    }
}
