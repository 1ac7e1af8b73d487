//! Which synapses of two networks are the same.

use crate::network::plastic::PlasticSynapses;
use core::iter::Peekable;

/// What a synapse of a projection is known by: source neuron, target neuron, and its number among those of the same pair.
pub(super) type Key = [u32; 3];

/// The synapses of a projection in the order of their keys. Those of the same pair are numbered by their delays, those of the same
/// delay in the order in which their rule makes them.
#[derive(Default)]
pub(super) struct Pairs {
    row_start: Vec<usize>,
    targets: Vec<u32>,
    /// For each synapse its place in the [common order](PlasticSynapses::common_order); empty if that is the order of the keys.
    places: Vec<usize>,
}

impl Pairs {
    /// Those of a store.
    pub(super) fn of(synapses: &PlasticSynapses) -> Self {
        let mut row_start: Vec<usize> = (0..synapses.rows())
            .map(|row| synapses.row(row).start)
            .collect();
        row_start.push(synapses.len());
        let in_order = synapses.ends();
        let mut places = Vec::new();
        if synapses.groups().len() > 1 {
            places = (0..synapses.len()).collect();
            for row in row_start.windows(2) {
                // Stable, so that shorter delays come first.
                places[row[0]..row[1]].sort_by_key(|place| in_order[*place].1);
            }
        }
        let target = |at: usize| in_order[places.get(at).copied().unwrap_or(at)].1;
        Self {
            targets: (0..synapses.len()).map(target).collect(),
            row_start,
            places,
        }
    }

    /// The number of synapses.
    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Keys, ascending, with places in the common order.
    pub(super) fn keys(&self) -> impl Iterator<Item = (Key, usize)> + '_ {
        let rows = self.row_start.windows(2).enumerate();
        rows.flat_map(move |(source, row)| {
            let (first, mut number) = (row[0], 0);
            (first..row[1]).map(move |at| {
                let target = self.targets[at];
                let goes_on = at > first && self.targets[at - 1] == target;
                number = if goes_on { number + 1 } else { 0 };
                let place = self.places.get(at).copied().unwrap_or(at);
                ([source as u32, target, number], place)
            })
        })
    }
}

/// Calls `visit` with every key of two ascending series, in order, and with what each of them has of it.
pub(super) fn join<A, B>(
    a: impl Iterator<Item = (Key, A)>,
    b: impl Iterator<Item = (Key, B)>,
    mut visit: impl FnMut(Key, Option<A>, Option<B>),
) {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    let key = |next: Option<Key>| next.unwrap_or([u32::MAX; 3]);
    while a.peek().is_some() || b.peek().is_some() {
        let least = key(a.peek().map(|(k, _)| *k)).min(key(b.peek().map(|(k, _)| *k)));
        visit(least, take_at(&mut a, least), take_at(&mut b, least));
    }
}

/// The next of a series if it has this key.
pub(super) fn take_at<V>(
    series: &mut Peekable<impl Iterator<Item = (Key, V)>>,
    key: Key,
) -> Option<V> {
    series.next_if(|(k, _)| *k == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::connect::{ListEntry, Rule};
    use crate::plasticity::settable::Settable;
    use crate::prelude::*;

    /// The keys of synapses given as source, target and delay in ms, in the order of their weights by `Simulation::weights`.
    fn keys_of(synapses: &[(u32, u32, f64)], threads: usize) -> Vec<(Key, usize)> {
        let mut scene = Scene {
            regions: vec![
                RegionSpec::new("a", 3, LifExp::default()),
                RegionSpec::new("b", 40, LifExp::default()),
            ],
            ..default()
        };
        let entry = |&(source, target, delay): &(u32, u32, f64)| ListEntry {
            source,
            target,
            weight: Some(1.0),
            delay_ms: Some(delay),
        };
        let rule = Rule::List(synapses.iter().map(entry).collect());
        let projection = ProjectionSpec::new("a", "b", rule, 1.0, 1.0);
        scene.projections = vec![projection.learning(Settable {
            w_min: 0.0,
            w_max: 9.0,
        })];
        let options = BuildOptions {
            threads,
            force_lanes: true,
            ..BuildOptions::default()
        };
        let simulation = Simulation::new(&scene, &options).expect("a network");
        let mut world = simulation
            .world()
            .try_query::<&PlasticSynapses>()
            .expect("a query");
        let synapses = world.iter(simulation.world()).next().expect("synapses");
        Pairs::of(synapses).keys().collect()
    }

    #[test]
    fn synapses_of_a_pair_are_numbered_by_their_delays_for_any_number_of_threads() {
        let synapses = [
            (0, 39, 2.0),
            (0, 5, 3.0),
            (0, 5, 1.0),
            (2, 20, 1.0),
            (0, 5, 1.0),
            (2, 3, 2.0),
        ];
        // The common order is by source, delay and target.
        let want = [
            ([0, 5, 0], 0),
            ([0, 5, 1], 1),
            ([0, 5, 2], 3),
            ([0, 39, 0], 2),
            ([2, 3, 0], 5),
            ([2, 20, 0], 4),
        ];
        for threads in [1, 3] {
            assert_eq!(keys_of(&synapses, threads), want, "{threads} threads");
        }
    }

    #[test]
    fn what_two_series_share_is_seen_once() {
        let a = [[0, 1, 0], [0, 1, 1], [2, 0, 0]].map(|k| (k, 'a'));
        let b = [[0, 1, 1], [1, 9, 0], [2, 0, 0], [3, 0, 0]].map(|k| (k, 'b'));
        let mut seen = Vec::new();
        join(a.into_iter(), b.into_iter(), |key, a, b| {
            seen.push((key, a.is_some(), b.is_some()));
        });
        let want = [
            ([0, 1, 0], true, false),
            ([0, 1, 1], true, true),
            ([1, 9, 0], false, true),
            ([2, 0, 0], true, true),
            ([3, 0, 0], false, true),
        ];
        assert_eq!(seen, want);
    }
}
