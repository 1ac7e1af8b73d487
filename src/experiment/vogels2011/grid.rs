//! The grid of excitatory neurons and the two patterns on it.

/// How many groups of excitatory neurons there are.
pub(super) const GROUPS: usize = 5;
/// Neurons of the first pattern that get the cue.
pub(super) const CUED: usize = 0;
/// Neurons of the first pattern alone that do not.
pub(super) const UNCUED: usize = 1;
/// Neurons of both patterns.
pub(super) const SHARED: usize = 2;
/// Neurons of the second pattern alone.
pub(super) const OTHER: usize = 3;
/// Neurons of neither.
pub(super) const BACKGROUND: usize = 4;

/// Where excitatory neurons stand; index = row · columns + column.
pub(super) struct Grid {
    blocks: u32,
    /// Group of each neuron, and its place in the group.
    pub(super) places: Vec<(usize, u32)>,
    /// Neurons of each group.
    pub(super) sizes: [u32; GROUPS],
}

impl Grid {
    /// A grid of 25 by 20 times `blocks` neurons on its sides.
    pub(super) fn new(blocks: u32) -> Self {
        let mut grid = Self {
            blocks,
            places: Vec::new(),
            sizes: [0; GROUPS],
        };
        for row in 0..20 * blocks {
            for column in 0..grid.columns() {
                let group = grid.group(column, row);
                grid.places.push((group, grid.sizes[group]));
                grid.sizes[group] += 1;
            }
        }
        grid
    }

    /// Neurons in a row.
    pub(super) fn columns(&self) -> u32 {
        25 * self.blocks
    }

    fn group(&self, column: u32, row: u32) -> usize {
        let b = self.blocks;
        let square = |left: u32, low: u32, side: u32| {
            (left..left + side).contains(&column) && (low..low + side).contains(&row)
        };
        match (square(5 * b, 3 * b, 7 * b), square(10 * b, 8 * b, 7 * b)) {
            (true, true) => SHARED,
            (true, false) if square(5 * b, 3 * b, 7 * b / 2) => CUED,
            (true, false) => UNCUED,
            (false, true) => OTHER,
            (false, false) => BACKGROUND,
        }
    }

    /// The number of neurons.
    pub(super) fn neurons(&self) -> u32 {
        self.places.len() as u32
    }

    /// The neurons of a group.
    pub(super) fn members(&self, group: usize) -> Vec<u32> {
        let neurons = self.places.iter().zip(0..);
        neurons
            .filter(|(p, _)| p.0 == group)
            .map(|(_, n)| n)
            .collect()
    }

    /// Whether two neurons are in one pattern.
    pub(super) fn share_a_pattern(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.places[a as usize].0, self.places[b as usize].0);
        let in_first = |group: usize| group <= SHARED;
        let in_second = |group: usize| group == SHARED || group == OTHER;
        (in_first(a) && in_first(b)) || (in_second(a) && in_second(b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_the_published_sizes() {
        let grid = Grid::new(4);
        assert_eq!(grid.neurons(), 8000);
        assert_eq!(
            grid.sizes,
            [196, 784 - 196 - 64, 64, 784 - 64, 8000 - 2 * 784 + 64]
        );
        let [cued, shared, other] = [CUED, SHARED, OTHER].map(|g| grid.members(g)[0]);
        assert!(grid.share_a_pattern(cued, shared) && grid.share_a_pattern(other, shared));
        assert!(!grid.share_a_pattern(cued, other));
        let rest = grid.members(BACKGROUND);
        assert!(!grid.share_a_pattern(rest[0], rest[1]));
    }
}
