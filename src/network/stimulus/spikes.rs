//! Listed spikes: input spikes that reach neurons, and spikes that neurons are made to emit or kept from emitting.

use super::{Action, Stimulus, StimulusOrder};
use crate::network::region::{InputMap, Spikes};
use crate::network::slots::{Accumulator, InputSlots, SharedSlots};
use crate::sim::clock::Clock;
use crate::sim::columns::{Column, LANES};
use crate::sim::workers::Workers;
use bevy::prelude::*;

/// Adds listed input spikes to the slots of this step. A system of `Encode`.
pub fn input_spikes(
    clock: Res<Clock>,
    workers: Res<Workers>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    regions: Query<&InputMap>,
    mut slots: ResMut<InputSlots>,
) {
    let step = clock.step();
    for &entity in &order.inputs {
        let Ok(stimulus) = stimuli.get(entity) else {
            continue;
        };
        let Ok(map) = regions.get(stimulus.region) else {
            continue;
        };
        let Action::InputSpikes(due, receptor, quanta) = &stimulus.action else {
            continue;
        };
        let times = due.partition_point(|&d| d <= step) - due.partition_point(|&d| d < step);
        let Some(offset) = map.offset[*receptor].filter(|_| times > 0) else {
            continue;
        };
        let input = Input {
            map,
            offset,
            quanta,
            times,
        };
        match &mut *slots {
            InputSlots::Narrow(slots) => {
                let shares = slots.share(step);
                workers.run(&|lane| input.add(&shares, lane));
            }
            InputSlots::Wide(slots) => {
                let shares = slots.share(step);
                workers.run(&|lane| input.add(&shares, lane));
            }
        }
    }
}

/// Input spikes that are due.
struct Input<'a> {
    map: &'a InputMap,
    /// Where the receptor's slots are within those of a chunk.
    offset: u32,
    /// The weight of each neuron.
    quanta: &'a Column<i32>,
    /// How many spikes each neuron gets.
    times: usize,
}

impl Input<'_> {
    /// One lane's part.
    fn add<T: Accumulator>(&self, slots: &SharedSlots<'_, T>, lane: usize) {
        let Some(spans) = self.map.spans.get(lane) else {
            return;
        };
        for chunk in spans
            .iter()
            .flat_map(|&(first, end)| first as usize..end as usize)
        {
            let block = slots.block(usize::from(self.map.block[chunk]));
            let weights = &self.quanta.as_slice()[chunk * LANES..(chunk + 1) * LANES];
            // SAFETY: a lane's chunks are its own, and have slots at the offset.
            let out = unsafe {
                &mut *block
                    .add((self.map.base[chunk] + self.offset) as usize)
                    .cast::<[T; LANES]>()
            };
            for _ in 0..self.times {
                out.iter_mut()
                    .zip(weights)
                    .for_each(|(slot, &weight)| slot.add(weight, 0));
            }
        }
    }
}

/// Forces and forbids spikes. Runs at the end of `Integrate`.
pub fn clamp_spikes(
    clock: Res<Clock>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    mut regions: Query<&mut Spikes>,
) {
    let step = clock.step();
    for &entity in &order.clamps {
        let Ok(stimulus) = stimuli.get(entity) else {
            continue;
        };
        let Ok(mut spikes) = regions.get_mut(stimulus.region) else {
            continue;
        };
        match &stimulus.action {
            Action::Spike(steps, mask) if steps.binary_search(&step).is_ok() => {
                spikes
                    .mask
                    .iter_mut()
                    .zip(mask)
                    .for_each(|(bits, m)| *bits |= m);
            }
            Action::Silence(mask) if step >= stimulus.start && step < stimulus.stop => {
                spikes
                    .mask
                    .iter_mut()
                    .zip(mask)
                    .for_each(|(bits, m)| *bits &= !m);
            }
            _ => {}
        }
    }
}
