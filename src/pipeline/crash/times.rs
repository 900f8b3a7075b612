//! How long something took, again and again: few enough times to keep them all.

/// Times in ms, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times(Vec<u64>);

impl Times {
    /// One more.
    pub(super) fn add(&mut self, ms: u64) {
        let at = self.0.partition_point(|other| *other <= ms);
        self.0.insert(at, ms);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The median, ms; of an even number the lower one of the two. 0 where there is none.
    pub fn median(&self) -> u64 {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    }

    /// The greatest, ms; 0 where there is none.
    pub fn greatest(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_middle_and_an_end() {
        let mut times = Times::default();
        assert_eq!((times.count(), times.median(), times.greatest()), (0, 0, 0));
        for ms in [30, 10, 20, 40] {
            times.add(ms);
        }
        assert_eq!((times.count(), times.median(), times.greatest()), (4, 20, 40));
        times.add(50);
        assert_eq!((times.median(), times.greatest()), (30, 50));
    }
}
