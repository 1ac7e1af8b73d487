//! What synapses had learned that an edit took away.

use super::pairs::{Key, take_at};
use crate::snapshot::RestoreError;
use crate::snapshot::file::{Snapshot, SnapshotError};
use core::iter::Peekable;

/// The weights of synapses that are no more, or that were given new ones: 16 bytes per synapse. When such an edit is taken back, they are
/// what its synapses [recall](crate::simulation::Simulation::take_over_and_recall).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forgotten {
    projections: Vec<OfProjection>,
}

/// The synapses of one projection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OfProjection {
    pub(super) name: String,
    /// The names of source and target region.
    pub(super) ends: [String; 2],
    /// Ascending.
    pub(super) keys: Vec<Key>,
    /// In the receptor's unit, inhibitory ones below 0.
    pub(super) weights: Vec<f32>,
}

impl OfProjection {
    fn is_same(&self, other: &Self) -> bool {
        self.name == other.name && self.ends == other.ends
    }

    fn iter(&self) -> impl Iterator<Item = (Key, f32)> + '_ {
        self.keys.iter().copied().zip(self.weights.iter().copied())
    }
}

impl Forgotten {
    /// Whether nothing was forgotten.
    pub fn is_empty(&self) -> bool {
        self.projections.is_empty()
    }

    /// The number of synapses.
    pub fn synapses(&self) -> usize {
        self.projections.iter().map(|p| p.keys.len()).sum()
    }

    /// Only what a projection had learned.
    pub fn of(&self, projection: &str) -> Self {
        let is_it = |p: &&OfProjection| p.name == projection;
        Self {
            projections: self.projections.iter().filter(is_it).cloned().collect(),
        }
    }

    /// Without the synapses that earlier edits had forgotten already.
    pub fn besides<'f>(mut self, earlier: impl Iterator<Item = &'f Self> + Clone) -> Self {
        for own in &mut self.projections {
            let mut known = Recall::of(earlier.clone(), &own.name, &own.ends);
            let is_new: Vec<bool> = own.keys.iter().map(|k| known.at(*k).is_none()).collect();
            let mut kept = is_new.iter();
            own.keys.retain(|_| *kept.next().unwrap_or(&true));
            let mut kept = is_new.iter();
            own.weights.retain(|_| *kept.next().unwrap_or(&true));
        }
        self.projections.retain(|p| !p.keys.is_empty());
        self
    }

    /// Adds the synapses of a projection, if there are any.
    pub(super) fn push(&mut self, projection: OfProjection) {
        if !projection.keys.is_empty() {
            self.projections.push(projection);
        }
    }

    /// Puts it into a snapshot, in sections whose names begin with `prefix`.
    ///
    /// # Errors
    /// Those of [`Snapshot::put`].
    pub fn save(&self, prefix: &str, out: &mut Snapshot) -> Result<(), SnapshotError> {
        for (i, p) in self.projections.iter().enumerate() {
            let name = |part: &str| format!("{prefix}.{i}.{part}");
            out.put(name("projection"), p.name.as_str())?;
            out.put(name("from"), p.ends[0].as_str())?;
            out.put(name("to"), p.ends[1].as_str())?;
            out.put(name("synapses"), p.keys.as_flattened().to_vec())?;
            out.put(name("weights"), p.weights.clone())?;
        }
        Ok(())
    }

    /// Takes what [`save`](Self::save) put; nothing if there is nothing.
    ///
    /// # Errors
    /// A section is missing or makes no sense.
    pub fn load(prefix: &str, snapshot: &Snapshot) -> Result<Self, RestoreError> {
        let mut forgotten = Self::default();
        loop {
            let i = forgotten.projections.len();
            let name = |part: &str| format!("{prefix}.{i}.{part}");
            if !snapshot.contains(&name("projection")) {
                return Ok(forgotten);
            }
            let text = |part: &str| snapshot.text(&name(part)).map(str::to_owned);
            let (keys, odd) = snapshot.u32s(&name("synapses"))?.as_chunks::<3>();
            let weights = snapshot.values_of_len::<f32>(&name("weights"), keys.len())?;
            let of = OfProjection {
                name: text("projection")?,
                ends: [text("from")?, text("to")?],
                keys: keys.to_vec(),
                weights: weights.to_vec(),
            };
            let sound = odd.is_empty()
                && keys.is_sorted_by(|a, b| a < b)
                && weights.iter().all(|w| w.is_finite())
                && !forgotten.projections.iter().any(|p| p.is_same(&of));
            if !sound {
                let message = format!("section {} does not fit", name("synapses"));
                return Err(RestoreError::Misfit(message));
            }
            forgotten.projections.push(of);
        }
    }
}

type Series<'f> = Peekable<Box<dyn Iterator<Item = (Key, f32)> + 'f>>;

/// What several edits have forgotten of a projection, asked for in ascending order of keys; the first edit that knows of a synapse counts.
pub(super) struct Recall<'f>(Vec<Series<'f>>);

impl<'f> Recall<'f> {
    pub(super) fn of(
        forgotten: impl Iterator<Item = &'f Forgotten>,
        name: &str,
        ends: &[String; 2],
    ) -> Self {
        let series = forgotten.filter_map(|f| {
            let of = (f.projections.iter()).find(|p| p.name == name && p.ends == *ends)?;
            let series: Box<dyn Iterator<Item = (Key, f32)> + 'f> = Box::new(of.iter());
            Some(series.peekable())
        });
        Self(series.collect())
    }

    /// The weight of a synapse.
    pub(super) fn at(&mut self, key: Key) -> Option<f32> {
        let mut found = None;
        for series in &mut self.0 {
            while series.next_if(|(known, _)| *known < key).is_some() {}
            let own = take_at(series, key);
            found = found.or(own);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forgotten(name: &str, synapses: &[(Key, f32)]) -> Forgotten {
        let (keys, weights) = synapses.iter().copied().unzip();
        let mut forgotten = Forgotten::default();
        forgotten.push(OfProjection {
            name: name.into(),
            ends: ["a".into(), "b".into()],
            keys,
            weights,
        });
        forgotten
    }

    #[test]
    fn the_first_edit_that_knows_a_synapse_counts() {
        let first = forgotten("p", &[([0, 0, 0], 1.0), ([3, 1, 0], 2.0)]);
        let second = forgotten("p", &[([0, 0, 0], 5.0), ([2, 0, 1], 6.0), ([3, 1, 0], 7.0)]);
        let other = forgotten("q", &[([2, 0, 0], 8.0)]);
        let all = [&other, &first, &second];
        let ends = ["a".to_owned(), "b".to_owned()];
        let mut recall = Recall::of(all.into_iter(), "p", &ends);
        let keys = [[0, 0, 0], [2, 0, 0], [2, 0, 1], [3, 1, 0], [9, 0, 0]];
        let got = keys.map(|key| recall.at(key));
        assert_eq!(got, [Some(1.0), None, Some(6.0), Some(2.0), None]);
        let left = second.clone().besides([&first, &other].into_iter());
        assert_eq!(left, forgotten("p", &[([2, 0, 1], 6.0)]));
        assert!(first.clone().besides([&first].into_iter()).is_empty());
        assert_eq!(other.of("p").synapses(), 0);
    }

    #[test]
    fn it_is_the_same_after_a_snapshot_and_damage_is_noticed() {
        let whole = forgotten("p", &[([0, 0, 0], 1.0), ([3, 1, 0], -2.0)]);
        let mut snapshot = Snapshot::new();
        whole.save("forgotten.7", &mut snapshot).expect("sections");
        assert_eq!(Forgotten::load("forgotten.7", &snapshot).ok(), Some(whole));
        let none = Forgotten::load("forgotten.8", &snapshot).expect("nothing");
        assert!(none.is_empty());
        for (part, section) in [
            ("synapses", vec![3u32, 1, 0, 0, 0, 0]),
            ("synapses", vec![0u32, 0, 0, 1]),
        ] {
            let name = format!("forgotten.7.0.{part}");
            let mut damaged = snapshot.clone();
            damaged.remove(&name);
            damaged.put(name, section).expect("a section");
            assert!(Forgotten::load("forgotten.7", &damaged).is_err());
        }
    }
}
