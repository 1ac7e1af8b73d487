//! Which neurons of a region something is about.

use crate::sim::rng::Random;
use bevy::prelude::*;

/// Which neurons of a region.
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
#[reflect(Default)]
pub enum Selection {
    /// Every neuron.
    #[default]
    All,
    /// Neurons `first` to `last`, both included.
    Range(u32, u32),
    /// These neurons.
    List(Vec<u32>),
    /// Every n-th neuron, from 0.
    Every(u32),
    /// A random fraction, from 0 to 1, rounded to whole neurons.
    Fraction(f64),
}

impl Selection {
    /// How many neurons of a region of `neurons` are selected.
    ///
    /// # Errors
    /// Names the entry that does not exist, or the number that is out of range.
    pub fn count(&self, neurons: u32) -> Result<u32, String> {
        let outside = |n: u32| match neurons.checked_sub(1) {
            Some(last) => format!("neuron {n} does not exist; the region has neurons 0 to {last}"),
            None => format!("neuron {n} does not exist; the region has no neurons"),
        };
        match self {
            Self::All => Ok(neurons),
            Self::Range(first, last) if first > last => Err(format!(
                "the range {first} to {last} is empty; give the smaller number first"
            )),
            Self::Range(_, last) if *last >= neurons => Err(outside(*last)),
            Self::Range(first, last) => Ok(last - first + 1),
            Self::List(list) => match list.iter().find(|n| **n >= neurons) {
                Some(&absent) => Err(outside(absent)),
                None => Ok(sorted(list).len() as u32),
            },
            Self::Every(0) => Err("Every(0) selects nothing; give 1 or more".into()),
            Self::Every(n) => Ok(neurons.div_ceil(*n)),
            Self::Fraction(fraction) if !(0.0..=1.0).contains(fraction) => {
                Err(format!("a fraction is from 0 to 1, not {fraction}"))
            }
            Self::Fraction(fraction) => Ok((f64::from(neurons) * fraction).round() as u32),
        }
    }

    /// The selected neurons of a region of `neurons`, ascending and without repetition.
    ///
    /// # Errors
    /// Those of [`count`](Self::count).
    pub fn neurons(&self, neurons: u32, random: Random) -> Result<Vec<u32>, String> {
        let wanted = self.count(neurons)? as usize;
        Ok(match self {
            Self::All => (0..neurons).collect(),
            Self::Range(first, last) => (*first..=*last).collect(),
            Self::List(list) => sorted(list),
            Self::Every(n) => (0..neurons).step_by(*n as usize).collect(),
            Self::Fraction(_) => {
                let mut all: Vec<u32> = (0..neurons).collect();
                let mut draws = random.draws(0);
                for i in 0..wanted.min(all.len()) {
                    let j = i + draws.below(neurons - i as u32) as usize;
                    all.swap(i, j);
                }
                all.truncate(wanted);
                all.sort_unstable();
                all
            }
        })
    }
}

/// The entries of a list, ascending and without repetition.
fn sorted(list: &[u32]) -> Vec<u32> {
    let mut list = list.to_vec();
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Purpose;

    #[test]
    fn a_fraction_selects_that_many_distinct_neurons() {
        let random = Random::new(1, 2, Purpose::Choice);
        let chosen = Selection::Fraction(0.3)
            .neurons(1000, random)
            .expect("a valid fraction");
        assert_eq!(chosen.len(), 300);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]));
    }
}
