//! Projections with responses: what reaches a target neuron goes through its filter before it reaches the receptor.
//!
//! The synapses of such a projection sum into slots of their own, a further *channel* of the target region besides its receptors. At the end of
//! `Deliver`, [`respond`] takes what has come in there, advances one filter per target neuron, and adds what comes out to the slots of the
//! receptor. So every kind of synapse and of delivery can have responses, and a step costs in proportion to the target neurons that have had
//! input lately, not to synapses.

use super::cascade::Cascade;
use super::filter::{Filter, Trains};
use crate::network::region::InputMap;
use crate::network::slots::{Accumulator, InputSlots, SharedSlots};
use crate::sim::clock::Clock;
use crate::sim::columns::LANES;
use crate::sim::simd::{SimdLevel, per_level};
use crate::sim::workers::{Shares, Workers};
use bevy::prelude::*;

/// The responses of a projection at work.
#[derive(Component, Clone, Debug)]
pub struct Responding {
    target: Entity,
    neurons: usize,
    channel: usize,
    receptor: usize,
    filter: Filter,
    /// Per chunk of target neurons.
    trains: Vec<Trains<LANES>>,
}

impl Responding {
    /// Filters of `neurons` neurons of the region `target`, from the slots of `channel` to those of `receptor`, of which one unit is worth
    /// 1/`units` of one of the channel.
    pub fn new(
        cascade: &Cascade,
        target: Entity,
        neurons: u32,
        (channel, receptor): (usize, usize),
        units: f64,
    ) -> Self {
        let filter = Filter::new(cascade, units);
        let neurons = neurons as usize;
        Self {
            trains: vec![filter.silent(); neurons.div_ceil(LANES)],
            target,
            neurons,
            channel,
            receptor,
            filter,
        }
    }

    /// The target region.
    pub fn target(&self) -> Entity {
        self.target
    }

    /// The channel that the synapses sum into.
    pub fn channel(&self) -> usize {
        self.channel
    }

    /// The numbers of the state after `steps` steps, for a snapshot, by neuron.
    pub fn save(&self, steps: u64) -> Vec<u64> {
        let mut out = Vec::new();
        for neuron in 0..self.neurons {
            self.trains[neuron / LANES].save(neuron % LANES, &self.filter, steps, &mut out);
        }
        out
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, mut numbers: &[u64], steps: u64) -> bool {
        self.trains.fill(self.filter.silent());
        let fits = (0..self.neurons).all(|neuron| {
            let trains = &mut self.trains[neuron / LANES];
            trains.load(neuron % LANES, &self.filter, steps, &mut numbers)
        });
        fits && numbers.is_empty()
    }
}

/// The last system of `Deliver`: what has reached projections with responses goes through them.
pub fn respond(
    clock: Res<Clock>,
    workers: Res<Workers>,
    simd: Res<SimdLevel>,
    mut slots: ResMut<InputSlots>,
    regions: Query<&InputMap>,
    mut projections: Query<&mut Responding>,
) {
    let (step, simd) = (clock.step(), *simd);
    for mut responding in &mut projections {
        let responding = &mut *responding;
        let Ok(map) = regions.get(responding.target) else {
            continue;
        };
        let (Some(Some(from)), Some(Some(to))) = (
            map.offset.get(responding.channel),
            map.offset.get(responding.receptor),
        ) else {
            continue;
        };
        let passage = Passage {
            map,
            from: *from,
            to: *to,
            filter: &responding.filter,
            trains: Shares::new(&mut responding.trains),
            step,
        };
        match &mut *slots {
            InputSlots::Narrow(slots) => {
                let shares = slots.share(step);
                // SAFETY: the level was detected on this processor; a lane's chunks and their slots are its own.
                workers.run(&|lane| unsafe { pass(simd, &passage, &shares, lane) });
            }
            InputSlots::Wide(slots) => {
                let shares = slots.share(step);
                // SAFETY: as above.
                workers.run(&|lane| unsafe { pass(simd, &passage, &shares, lane) });
            }
        }
    }
}

/// The way from a channel to a receptor in one step.
struct Passage<'a> {
    map: &'a InputMap,
    /// Where the slots of channel and receptor are within those of a chunk.
    from: u32,
    to: u32,
    filter: &'a Filter,
    trains: Shares<Trains<LANES>>,
    step: u64,
}

per_level! {
    /// Takes the lane's chunks through their filters.
    unsafe fn pass<T: Passing>(passage: &Passage<'_>, slots: &SharedSlots<'_, T>, lane: usize) {
        pass_chunks(passage, slots, lane)
    }
}

/// A slot that what comes out of a filter can be added to.
trait Passing: Accumulator + Into<i64> {
    /// What may be added at most. Quanta are chosen so that sums stay below, unless a `Flat` response counts for ages.
    const MOST: f64;
}

impl Passing for i32 {
    const MOST: f64 = (1u64 << 30) as f64;
}

impl Passing for i64 {
    const MOST: f64 = (1u64 << 61) as f64;
}

/// # Safety
/// No other thread uses the lane's chunks or their slots.
#[inline(always)]
unsafe fn pass_chunks<T: Passing>(passage: &Passage<'_>, slots: &SharedSlots<'_, T>, lane: usize) {
    let map = passage.map;
    let Some(spans) = map.spans.get(lane) else {
        return;
    };
    for chunk in spans
        .iter()
        .flat_map(|&(first, end)| first as usize..end as usize)
    {
        let block = slots.block(usize::from(map.block[chunk]));
        let place = |offset: u32| {
            // SAFETY: a lane's chunks are its own, and have slots at both offsets.
            unsafe {
                &mut *block
                    .add((map.base[chunk] + offset) as usize)
                    .cast::<[T; LANES]>()
            }
        };
        let arrived = place(passage.from);
        let input = (*arrived).map(Into::into);
        *arrived = [T::ZERO; LANES];
        // SAFETY: a lane's chunks are its own.
        let trains = unsafe { passage.trains.get(chunk) };
        let output = passage.filter.advance(trains, passage.step, input);
        for (slot, output) in place(passage.to).iter_mut().zip(output) {
            let sum: i64 = (*slot).into();
            *slot = T::from_i64(sum.wrapping_add(rounded(output, T::MOST)));
        }
    }
}

/// The nearest integer, ties to even, of a number that is limited in magnitude.
#[inline(always)]
fn rounded(x: f64, most: f64) -> i64 {
    // From 2⁵² on numbers are whole.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let whole = if x.abs() < 2_251_799_813_685_248.0 {
        (x + ROUND) - ROUND
    } else {
        x
    };
    whole.clamp(-most, most) as i64
}
