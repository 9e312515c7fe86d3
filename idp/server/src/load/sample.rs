//! Latencies of a run, kept one by one: percentiles are exact.

/// Sorted latencies, microseconds.
pub(super) struct Sample(Vec<u32>);

impl Sample {
    pub(super) fn new(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest latency that `percent` of all do not exceed; 0 of nothing.
    pub(super) fn percentile(&self, percent: usize) -> u32 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_definition() {
        let hundred = Sample::new((1..=100).rev().collect());
        assert_eq!((hundred.percentile(50), hundred.percentile(99)), (50, 99));
        let few = Sample::new(vec![30, 10, 20]);
        assert_eq!((few.percentile(50), few.percentile(99), few.len()), (20, 30, 3));
        assert_eq!(Sample::new(Vec::new()).percentile(50), 0);
    }
}
