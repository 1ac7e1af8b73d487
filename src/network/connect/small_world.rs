//! `SmallWorld`: a ring of neighbours with random shortcuts.
//!
//! Each neuron first reaches its k/2 neighbours on either side of the ring. Then each of its connections, nearest first,
//! is moved with probability `rewire` to a target drawn uniformly from those that the neuron does not reach at that
//! moment, itself excepted. The graph is directed: every row is drawn on its own, and every outdegree stays k.

use super::draw::Seen;
use super::{Lengths, Made, Request, Rows};
use crate::sim::rng::Random;

struct Ring {
    random: Random,
    neurons: u32,
    neighbours: u32,
    rewire: f64,
}

impl Rows for Ring {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let start = targets.len();
        targets.extend((0..self.neighbours).map(|place| self.neighbour(source, place)));
        if self.rewire == 0.0 {
            return;
        }
        let row = &mut targets[start..];
        let mut draws = self.random.draws(source.into());
        let mut moved = vec![false; row.len()];
        let mut shortcuts = Seen::new(self.neurons, self.neighbours);
        for place in 0..row.len() {
            if draws.unit() >= self.rewire {
                continue;
            }
            // At most half of the neurons are taken, so this takes two or three tries.
            row[place] = loop {
                let target = draws.below(self.neurons);
                let taken = target == source
                    || self
                        .place(source, target)
                        .is_some_and(|place| !moved[place]);
                if !taken && shortcuts.insert(target) {
                    break target;
                }
            };
            moved[place] = true;
        }
    }
}

impl Ring {
    /// The neighbour at `place` of the row: one up, one down, two up, two down and so on.
    fn neighbour(&self, source: u32, place: u32) -> u32 {
        let distance = place / 2 + 1;
        let step = if place.is_multiple_of(2) {
            distance
        } else {
            self.neurons - distance
        };
        ((u64::from(source) + u64::from(step)) % u64::from(self.neurons)) as u32
    }

    /// The place at which `target` is a neighbour of `source`, if it is one.
    fn place(&self, source: u32, target: u32) -> Option<usize> {
        let up = if target >= source {
            target - source
        } else {
            self.neurons - (source - target)
        };
        let down = self.neurons - up;
        let place = if up <= self.neighbours / 2 {
            2 * (up.checked_sub(1)?)
        } else if down <= self.neighbours / 2 {
            2 * (down - 1) + 1
        } else {
            return None;
        };
        Some(place as usize)
    }
}

/// A directed ring in which each neuron reaches `neighbours` others.
pub(super) fn small_world(request: &Request, random: Random, neighbours: u32, rewire: f64) -> Made {
    let rows = Ring {
        random,
        neurons: request.targets,
        neighbours,
        rewire,
    };
    Made::new(rows, Lengths::Same(neighbours), None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{random, rows};
    use super::super::{Rule, plan};
    use super::*;
    use crate::sim::rng::Purpose;
    use std::collections::BTreeSet;

    #[test]
    fn place_inverts_neighbour() {
        for (neurons, neighbours) in [(9, 4), (8, 4), (100, 50), (4, 2)] {
            let ring = Ring {
                random: Random::new(1, 2, Purpose::Test),
                neurons,
                neighbours,
                rewire: 0.0,
            };
            for source in 0..neurons {
                let mut found = 0;
                for target in 0..neurons {
                    if let Some(place) = ring.place(source, target) {
                        assert_eq!(ring.neighbour(source, place as u32), target);
                        found += 1;
                    }
                }
                assert_eq!(found, neighbours);
            }
        }
    }

    #[test]
    fn a_ring_without_rewiring_is_the_lattice() {
        let rule = Rule::SmallWorld {
            neighbours: 4,
            rewire: 0.0,
        };
        let plan = plan(&Request::new(&rule, 10, 10, random(1))).unwrap();
        for (source, mut row) in rows(&plan).into_iter().enumerate() {
            row.sort_unstable();
            let mut expected = [1, 2, 8, 9].map(|step| ((source + step) % 10) as u32);
            expected.sort_unstable();
            assert_eq!(row, expected);
        }
        assert_eq!((plan.len(), plan.max_indegree_bound()), (40, 4));
    }

    /// A connection moves to any neuron that its source does not reach; neighbours are free only once their own has moved.
    #[test]
    fn full_rewiring_is_uniform_over_the_far_neurons() {
        let (n, k) = (40u32, 4u32);
        let rule = Rule::SmallWorld {
            neighbours: k,
            rewire: 1.0,
        };
        let mut counts = vec![0u32; n as usize];
        for seed in 0..500 {
            let plan = plan(&Request::new(&rule, n, n, random(seed))).unwrap();
            for (source, row) in (0..).zip(rows(&plan)) {
                row.iter()
                    .for_each(|&target| counts[((target + n - source) % n) as usize] += 1);
            }
        }
        assert_eq!(counts[0], 0);
        // The neighbour whose connection moves last is never free.
        assert_eq!(counts[38], 0);
        assert!([1, 39, 2].iter().all(|&near| counts[near] > 0));
        let far = &counts[3..38];
        let expected = f64::from(far.iter().sum::<u32>()) / 35.0;
        let chi2: f64 = far
            .iter()
            .map(|&c| (f64::from(c) - expected).powi(2) / expected)
            .sum();
        // 34 degrees of freedom: 65.2 is exceeded once in a thousand.
        assert!(chi2 < 65.2, "{chi2}");
        assert!(far.iter().sum::<u32>() > 500 * n * k * 9 / 10);
    }

    /// Watts & Strogatz: clustering falls as (1 − p)³ while a few shortcuts already replace p of the edges.
    #[test]
    fn rewiring_keeps_degrees_and_lowers_clustering() {
        let (n, k) = (1000, 20);
        let lattice = 3.0 * f64::from(k - 2) / (4.0 * f64::from(k - 1));
        for rewire in [0.0, 0.1, 0.4] {
            let rule = Rule::SmallWorld {
                neighbours: k,
                rewire,
            };
            let rows = rows(&plan(&Request::new(&rule, n, n, random(4))).unwrap());
            assert!(rows.iter().all(|row| row.len() == k as usize));
            let sets: Vec<BTreeSet<u32>> = rows
                .iter()
                .map(|row| row.iter().copied().collect())
                .collect();
            let (mut joined, mut moved) = (0.0, 0.0);
            for (source, row) in (0..).zip(&rows) {
                for &a in row {
                    joined += row.iter().filter(|b| sets[a as usize].contains(b)).count() as f64;
                    let apart = a.abs_diff(source).min(n - a.abs_diff(source));
                    moved += f64::from(u8::from(apart > k / 2));
                }
            }
            let clustering = joined / f64::from(n * k * (k - 1));
            let expected = lattice * (1.0 - rewire).powi(3);
            assert!(
                (clustering - expected).abs() < 0.03,
                "{rewire}: {clustering} {expected}"
            );
            let fraction = moved / f64::from(n * k);
            assert!((fraction - rewire).abs() < 0.015, "{rewire}: {fraction}");
        }
    }
}
