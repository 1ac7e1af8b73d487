//! From the spikes of this step to those who need them: the list, the count and the hash, the history, and the stores that push.

use super::history::SpikeHistory;
use super::region::{Region, Spikes};
use super::slots::{Accumulator, InputSlots, SharedSlots};
use super::synapses::{SynapseStore, Transfer};
use crate::sim::clock::Clock;
use crate::sim::columns::LANES;
use crate::sim::prefetch::ask_for;
use crate::sim::rng::avalanche;
use crate::sim::workers::Workers;
use bevy::prelude::*;

/// Sums of a run that every output carries.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpikeCount {
    /// Spikes of all regions so far.
    pub spikes: u64,
    /// The spike hash: a sum over all spikes of a hash of (region, neuron, step). Equal spikes give equal hashes, in whatever
    /// order and on whatever machine.
    pub hash: u64,
    /// Synaptic events so far: the synapses of every spike, background input apart.
    pub events: u64,
}

/// The first system of `Propagate`: lists the spikes of every region, counts and hashes them, and keeps them for delivery.
pub fn list_spikes(
    clock: Res<Clock>,
    mut count: ResMut<SpikeCount>,
    mut regions: Query<(&Region, &mut Spikes, &mut SpikeHistory)>,
    stores: Query<&SynapseStore>,
) {
    let step = clock.step();
    // Other lanes have written most of this: all of it is asked for before any is waited for.
    for (_, spikes, _) in &regions {
        for line in spikes.mask.chunks(8) {
            ask_for(line.as_ptr());
        }
    }
    for (_, mut spikes, _) in &mut regions {
        let Spikes { mask, list } = &mut *spikes;
        list.clear();
        for (chunk, &bits) in mask.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                list.push((chunk * LANES) as u32 + bits.trailing_zeros());
                bits &= bits - 1;
            }
        }
    }
    for store in &stores {
        if let Ok((_, spikes, _)) = regions.get(store.source()) {
            spikes
                .list
                .iter()
                .for_each(|&neuron| store.ask_for_row(neuron as usize));
        }
    }
    for (region, spikes, mut history) in &mut regions {
        history.push(step, &spikes.list);
        if !spikes.list.is_empty() {
            count.spikes += spikes.list.len() as u64;
            let key = region.key ^ avalanche(step);
            for &neuron in &spikes.list {
                count.hash = count.hash.wrapping_add(avalanche(
                    key.wrapping_add(u64::from(neuron).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                ));
            }
        }
    }
    for store in &stores {
        if let Ok((_, spikes, _)) = regions.get(store.source()) {
            let synapses = |&neuron: &u32| store.row_len(neuron as usize) as u64;
            count.events += spikes.list.iter().map(synapses).sum::<u64>();
        }
    }
}

/// The second system of `Propagate`: pushes the spikes of this step along the rows of the stores that push.
pub fn push_spikes(
    clock: Res<Clock>,
    workers: Res<Workers>,
    mut slots: ResMut<InputSlots>,
    stores: Query<&SynapseStore>,
    regions: Query<&Spikes>,
) {
    let step = clock.step();
    for store in &stores {
        if store.transfer() != Transfer::Push {
            continue;
        }
        let Ok(spikes) = regions.get(store.source()) else {
            continue;
        };
        if spikes.list.is_empty() {
            continue;
        }
        match &mut *slots {
            InputSlots::Narrow(slots) => {
                let shares = slots.share(step);
                // SAFETY: each lane writes its own blocks.
                workers.run(&|lane| unsafe { push(store, &spikes.list, &shares, lane) });
            }
            InputSlots::Wide(slots) => {
                let shares = slots.share(step);
                // SAFETY: as above.
                workers.run(&|lane| unsafe { push(store, &spikes.list, &shares, lane) });
            }
        }
    }
}

/// # Safety
/// No other thread uses the lane's blocks.
unsafe fn push<T: Accumulator>(
    store: &SynapseStore,
    spikes: &[u32],
    slots: &SharedSlots<'_, T>,
    lane: usize,
) {
    let mut block = lane;
    while block < slots.blocks().len() {
        for &source in spikes {
            let (start, len) = store.segment(source as usize, block, 0);
            for synapse in start..start + len {
                let (target, weight, shift, delay) = store.pushed(synapse);
                // SAFETY: the store's targets lie within the block and its delays within the ring.
                unsafe { (*slots.block_after(block, delay).add(target)).add(weight, shift) };
            }
        }
        block += slots.lanes();
    }
}
