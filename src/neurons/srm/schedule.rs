//! Which neuron is due next: a tournament over the times before which a neuron need not be looked at.

/// The due times of all neurons and their minimum. A due time is a lower bound until it is `confirmed`, then the crossing itself.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// A binary tree of minima: the root at 1, the neurons in the second half.
    tree: Vec<f64>,
    confirmed: Vec<bool>,
    /// Whether any is.
    any_confirmed: bool,
    /// Where the neurons begin: a power of two.
    leaves: usize,
}

impl Schedule {
    pub fn new(neurons: usize) -> Self {
        let leaves = neurons.next_power_of_two().max(1);
        Self {
            tree: vec![f64::INFINITY; 2 * leaves],
            confirmed: vec![false; neurons],
            any_confirmed: false,
            leaves,
        }
    }

    /// The earliest due time in ms; ∞ if there is none.
    #[inline(always)]
    pub fn earliest(&self) -> f64 {
        self.tree[1]
    }

    pub fn due(&self, neuron: usize) -> f64 {
        self.tree[self.leaves + neuron]
    }

    pub fn is_confirmed(&self, neuron: usize) -> bool {
        self.confirmed[neuron]
    }

    /// Sets the due time of one neuron: O(log neurons).
    pub fn set(&mut self, neuron: usize, due: f64, confirmed: bool) {
        self.confirmed[neuron] = confirmed;
        self.any_confirmed |= confirmed;
        let mut node = self.leaves + neuron;
        self.tree[node] = due;
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].min(self.tree[2 * node + 1]);
        }
    }

    /// The due times of all neurons, none of which is confirmed from now on, to be written at once; what is beyond the last neuron stays ∞.
    /// [`Self::repair`] must follow.
    #[inline(always)]
    pub fn all(&mut self) -> &mut [f64] {
        if self.any_confirmed {
            self.confirmed.fill(false);
            self.any_confirmed = false;
        }
        &mut self.tree[self.leaves..self.leaves + self.confirmed.len()]
    }

    /// Makes the minima right after [`Self::all`].
    #[inline(always)]
    pub fn repair(&mut self) {
        for node in (1..self.leaves).rev() {
            self.tree[node] = self.tree[2 * node].min(self.tree[2 * node + 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_is_the_minimum_after_any_change() {
        for neurons in [1usize, 2, 3, 9, 64, 65] {
            let mut schedule = Schedule::new(neurons);
            assert_eq!(schedule.earliest(), f64::INFINITY);
            for turn in 0..200usize {
                let neuron = (turn * 37) % neurons;
                schedule.set(neuron, ((turn * 7919) % 101) as f64, turn % 2 == 0);
                let least = (0..neurons)
                    .map(|n| schedule.due(n))
                    .fold(f64::INFINITY, f64::min);
                assert_eq!(schedule.earliest(), least);
                assert_eq!(schedule.is_confirmed(neuron), turn % 2 == 0);
            }
            schedule.all()[neurons - 1] = -1.0;
            schedule.repair();
            assert_eq!(schedule.earliest(), -1.0);
            assert!((0..neurons).all(|n| !schedule.is_confirmed(n)));
        }
    }
}
