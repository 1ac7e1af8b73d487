//! The synapses of afferents onto a population, by afferent, with an index by neuron.

use super::SrmError;

/// The synapses from afferents to neurons: one row per afferent, at most one synapse per pair.
///
/// A weight is 4 bytes; with its target and its place in the index by neuron a synapse is 16.
#[derive(Clone, Debug, PartialEq)]
pub struct AfferentSynapses {
    neurons: u32,
    /// Where each afferent's row begins, and where the last one ends.
    row_starts: Vec<u32>,
    targets: Vec<u32>,
    weights: Vec<f32>,
    /// Where each neuron's column begins, and where the last one ends.
    column_starts: Vec<u32>,
    /// The synapses of the columns and the afferents they come from.
    column: Vec<(u32, u32)>,
    dense: bool,
}

impl AfferentSynapses {
    /// Joins each afferent with each neuron; `weight` is given the afferent and the neuron.
    pub fn dense(afferents: u32, neurons: u32, mut weight: impl FnMut(u32, u32) -> f32) -> Self {
        let mut synapses = Self {
            neurons,
            row_starts: (0..=afferents).map(|a| a * neurons).collect(),
            targets: (0..afferents).flat_map(|_| 0..neurons).collect(),
            weights: (0..afferents)
                .flat_map(|a| (0..neurons).map(move |n| (a, n)))
                .map(|(a, n)| weight(a, n))
                .collect(),
            column_starts: Vec::new(),
            column: Vec::new(),
            dense: false,
        };
        synapses.index();
        synapses
    }

    /// Joins each afferent with the neurons of its row: their indices, ascending, and the weights.
    ///
    /// # Errors
    /// If a neuron is out of range or indices do not ascend.
    pub fn from_rows(neurons: u32, rows: &[Vec<(u32, f32)>]) -> Result<Self, SrmError> {
        let mut synapses = Self {
            neurons,
            row_starts: vec![0],
            targets: Vec::new(),
            weights: Vec::new(),
            column_starts: Vec::new(),
            column: Vec::new(),
            dense: false,
        };
        for (afferent, row) in rows.iter().enumerate() {
            for (place, &(neuron, weight)) in row.iter().enumerate() {
                if neuron >= neurons || (place > 0 && row[place - 1].0 >= neuron) {
                    return Err(SrmError::Synapse {
                        afferent,
                        neuron,
                        afferents: rows.len(),
                        neurons,
                    });
                }
                synapses.targets.push(neuron);
                synapses.weights.push(weight);
            }
            synapses.row_starts.push(synapses.targets.len() as u32);
        }
        synapses.index();
        Ok(synapses)
    }

    /// Builds the index by neuron from the rows.
    fn index(&mut self) {
        let mut starts = vec![0u32; self.neurons as usize + 1];
        for &target in &self.targets {
            starts[target as usize + 1] += 1;
        }
        for n in 0..self.neurons as usize {
            starts[n + 1] += starts[n];
        }
        let mut next = starts.clone();
        self.column = vec![(0, 0); self.targets.len()];
        for (afferent, bounds) in self.row_starts.windows(2).enumerate() {
            for synapse in bounds[0]..bounds[1] {
                let place = &mut next[self.targets[synapse as usize] as usize];
                self.column[*place as usize] = (synapse, afferent as u32);
                *place += 1;
            }
        }
        self.column_starts = starts;
        self.dense =
            self.afferents() > 0 && self.targets.len() == self.afferents() * self.neurons as usize;
    }

    /// How many afferents there are.
    pub fn afferents(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// How many neurons there are.
    pub fn neurons(&self) -> u32 {
        self.neurons
    }

    /// Whether each afferent is joined with each neuron.
    pub fn is_dense(&self) -> bool {
        self.dense
    }

    /// The memory of the synapses and their indices in bytes.
    pub fn bytes(&self) -> usize {
        4 * (self.row_starts.len() + self.targets.len() + self.weights.len())
            + 4 * self.column_starts.len()
            + 8 * self.column.len()
    }

    /// All weights, by afferent and then by neuron.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// All weights, by afferent and then by neuron, to be changed.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// The afferents of a neuron, ascending, with their weights; none for a neuron that does not exist.
    pub fn incoming(&self, neuron: u32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let range = if neuron < self.neurons {
            self.column_starts[neuron as usize] as usize
                ..self.column_starts[neuron as usize + 1] as usize
        } else {
            0..0
        };
        self.column[range]
            .iter()
            .map(|&(synapse, afferent)| (afferent, self.weights[synapse as usize]))
    }

    /// Appends a neuron with synapses from the given afferents, which ascend. Costs O(synapses).
    pub(super) fn push_neuron(&mut self, incoming: &[(u32, f32)]) -> Result<(), SrmError> {
        let neuron = self.neurons;
        for (place, &(afferent, _)) in incoming.iter().enumerate() {
            if afferent as usize >= self.afferents()
                || (place > 0 && incoming[place - 1].0 >= afferent)
            {
                return Err(SrmError::Synapse {
                    afferent: afferent as usize,
                    neuron,
                    afferents: self.afferents(),
                    neurons: neuron + 1,
                });
            }
        }
        let total = self.targets.len() + incoming.len();
        let (mut targets, mut weights) = (Vec::with_capacity(total), Vec::with_capacity(total));
        let mut new = incoming.iter().peekable();
        let mut starts = vec![0];
        for (afferent, bounds) in self.row_starts.windows(2).enumerate() {
            let row = bounds[0] as usize..bounds[1] as usize;
            targets.extend_from_slice(&self.targets[row.clone()]);
            weights.extend_from_slice(&self.weights[row]);
            if let Some(&(_, weight)) = new.next_if(|&&(a, _)| a as usize == afferent) {
                targets.push(neuron);
                weights.push(weight);
            }
            starts.push(targets.len() as u32);
        }
        self.neurons += 1;
        self.row_starts = starts;
        self.targets = targets;
        self.weights = weights;
        self.index();
        Ok(())
    }

    /// The targets and the weights of an afferent.
    #[inline(always)]
    pub(super) fn row(&self, afferent: u32) -> (&[u32], &[f32]) {
        let row = self.row_range(afferent);
        (&self.targets[row.clone()], &self.weights[row])
    }

    /// As [`Self::row`], with weights to be changed.
    #[inline(always)]
    pub(super) fn row_mut(&mut self, afferent: u32) -> (&[u32], &mut [f32]) {
        let row = self.row_range(afferent);
        (&self.targets[row.clone()], &mut self.weights[row])
    }

    #[inline(always)]
    fn row_range(&self, afferent: u32) -> core::ops::Range<usize> {
        let afferent = afferent as usize;
        self.row_starts[afferent] as usize..self.row_starts[afferent + 1] as usize
    }

    /// The synapses and afferents of a neuron, and all weights.
    pub(super) fn column_mut(&mut self, neuron: usize) -> (&[(u32, u32)], &mut [f32]) {
        let column = self.column_starts[neuron] as usize..self.column_starts[neuron + 1] as usize;
        (&self.column[column], &mut self.weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_hold_the_same_synapses() {
        let rows = vec![
            vec![(0, 0.1), (2, 0.2)],
            vec![],
            vec![(1, 0.3), (2, 0.4)],
            vec![(0, 0.5)],
        ];
        let mut synapses = AfferentSynapses::from_rows(3, &rows).unwrap();
        assert!(!synapses.is_dense());
        let column = |s: &AfferentSynapses, n| s.incoming(n).collect::<Vec<_>>();
        assert_eq!(column(&synapses, 0), [(0, 0.1), (3, 0.5)]);
        assert_eq!(column(&synapses, 2), [(0, 0.2), (2, 0.4)]);
        assert_eq!(column(&synapses, 3), []);
        synapses.push_neuron(&[(0, 0.6), (1, 0.7)]).unwrap();
        assert_eq!(column(&synapses, 3), [(0, 0.6), (1, 0.7)]);
        assert_eq!(column(&synapses, 2), [(0, 0.2), (2, 0.4)]);
        assert_eq!(
            synapses.row(0),
            (&[0u32, 2, 3][..], &[0.1f32, 0.2, 0.6][..])
        );
    }

    #[test]
    fn dense_stays_dense_when_a_fully_joined_neuron_comes() {
        let mut synapses = AfferentSynapses::dense(4, 2, |a, n| (10 * a + n) as f32);
        assert!(synapses.is_dense());
        assert_eq!(synapses.weights()[..4], [0.0, 1.0, 10.0, 11.0]);
        synapses
            .push_neuron(&[(0, 2.0), (1, 12.0), (2, 22.0), (3, 32.0)])
            .unwrap();
        assert!(synapses.is_dense());
        assert_eq!(synapses.weights()[3..6], [10.0, 11.0, 12.0]);
        synapses.push_neuron(&[(1, 1.0)]).unwrap();
        assert!(!synapses.is_dense());
    }

    #[test]
    fn synapses_that_cannot_be_are_refused() {
        assert!(AfferentSynapses::from_rows(2, &[vec![(2, 0.0)]]).is_err());
        assert!(AfferentSynapses::from_rows(2, &[vec![(1, 0.0), (1, 0.0)]]).is_err());
        let mut synapses = AfferentSynapses::dense(2, 1, |_, _| 0.0);
        assert!(synapses.push_neuron(&[(2, 0.0)]).is_err());
        assert!(synapses.push_neuron(&[(1, 0.0), (0, 0.0)]).is_err());
    }
}
