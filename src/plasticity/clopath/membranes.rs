//! What [`Clopath`](super::Clopath) keeps of the membranes of the target neurons.

/// Filtered depolarisations in mV above θ₋, as they were in the steps that can still act.
#[derive(Default)]
pub(super) struct Membranes {
    pub(super) neurons: usize,
    /// Rings of rows, one row per step and one number per neuron.
    pub(super) minus: Vec<f32>,
    pub(super) plus: Vec<f32>,
    /// The mean depolarisation of each neuron; empty if it does not matter.
    pub(super) mean: Vec<f32>,
    /// How many steps were followed.
    pub(super) steps: u64,
}

impl Membranes {
    /// No steps of `neurons` neurons, whose filtered potentials act after `delay` steps and reach synapses after `longest_back` more at most.
    pub(super) fn new(neurons: usize, delay: usize, longest_back: u32, with_mean: bool) -> Self {
        let of = |rows: usize| vec![0.0; rows * neurons];
        Self {
            neurons,
            minus: of(delay + longest_back as usize + 1),
            plus: of(delay + 1),
            mean: if with_mean { of(1) } else { Vec::new() },
            steps: 0,
        }
    }

    /// Bytes that [new](Self::new) ones take per neuron.
    pub(super) fn bytes_per_neuron(delay: usize, longest_back: u32, with_mean: bool) -> f64 {
        let rows = 2.0 * (delay as f64 + 1.0) + f64::from(longest_back);
        size_of::<f32>() as f64 * (rows + if with_mean { 1.0 } else { 0.0 })
    }

    /// Where the row of so many steps before the last one begins; none before the first.
    #[inline(always)]
    pub(super) fn row(&self, ring: &[f32], back: usize) -> Option<usize> {
        let rows = ring.len() / self.neurons.max(1);
        let step = self.steps.checked_sub(1 + back as u64)?;
        Some((step % rows.max(1) as u64) as usize * self.neurons)
    }

    /// Takes over what was kept of the neurons that there still are. What is now looked back on farther than before is as it was first.
    pub(super) fn take_over(&mut self, former: &Self) {
        let neurons = self.neurons.min(former.neurons);
        self.steps = former.steps;
        let taken = |own: &Self, mut ring: Vec<f32>, old: &[f32]| {
            let rows = |ring: &[f32], neurons: usize| ring.len() / neurons.max(1);
            let oldest = rows(old, former.neurons).saturating_sub(1);
            for back in 0..rows(&ring, own.neurons) {
                let (to, from) = (own.row(&ring, back), former.row(old, back.min(oldest)));
                if let (Some(to), Some(from)) = (to, from) {
                    ring[to..to + neurons].copy_from_slice(&old[from..from + neurons]);
                }
            }
            ring
        };
        let (minus, plus) = (
            core::mem::take(&mut self.minus),
            core::mem::take(&mut self.plus),
        );
        self.minus = taken(self, minus, &former.minus);
        self.plus = taken(self, plus, &former.plus);
        for (mean, old) in self.mean.iter_mut().zip(&former.mean) {
            *mean = *old;
        }
    }

    /// Appends the numbers, for a snapshot.
    pub(super) fn save(&self, out: &mut Vec<u32>) {
        out.extend([self.steps as u32, (self.steps >> 32) as u32]);
        for column in [&self.minus, &self.plus, &self.mean] {
            out.extend(column.iter().map(|v| v.to_bits()));
        }
    }

    /// Takes what [`save`](Self::save) gave; `None` if it does not fit.
    pub(super) fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        let [low, high, rest @ ..] = *from else {
            return None;
        };
        self.steps = u64::from(*low) | u64::from(*high) << 32;
        *from = rest;
        for column in [&mut self.minus, &mut self.plus, &mut self.mean] {
            let (values, rest) = from.split_at_checked(column.len())?;
            for (own, bits) in column.iter_mut().zip(values) {
                *own = Some(f32::from_bits(*bits)).filter(|v| v.is_finite())?;
            }
            *from = rest;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings that say in each number which step and neuron it is of.
    fn followed(neurons: usize, longest_back: u32, steps: u64) -> Membranes {
        let mut membranes = Membranes::new(neurons, 2, longest_back, true);
        for step in 0..steps {
            membranes.steps = step + 1;
            let number = |n: usize| (10 * step + n as u64) as f32;
            let row = membranes.row(&membranes.minus, 0).unwrap_or(0);
            (0..neurons).for_each(|n| membranes.minus[row + n] = number(n));
            let row = membranes.row(&membranes.plus, 0).unwrap_or(0);
            (0..neurons).for_each(|n| membranes.plus[row + n] = -number(n));
        }
        membranes.mean = (0..neurons).map(|n| n as f32).collect();
        membranes
    }

    #[test]
    fn what_was_kept_of_neurons_is_found_in_rings_of_other_sizes() {
        let old = followed(3, 1, 9);
        for (neurons, longest_back) in [(3, 1), (5, 1), (2, 4), (4, 0)] {
            let mut new = Membranes::new(neurons, 2, longest_back, true);
            new.take_over(&old);
            let kept = neurons.min(3);
            for (ring, former, rows) in [
                (&new.minus, &old.minus, 3 + longest_back as usize),
                (&new.plus, &old.plus, 3),
            ] {
                for back in 0..rows {
                    let row = new.row(ring, back).expect("a row");
                    let oldest = former.len() / 3 - 1;
                    let from = old.row(former, back.min(oldest)).expect("a row");
                    assert_eq!(ring[row..row + kept], former[from..from + kept]);
                    assert!(ring[row + kept..row + neurons].iter().all(|v| *v == 0.0));
                }
            }
            assert_eq!(new.mean[..kept], old.mean[..kept]);
        }
    }
}
