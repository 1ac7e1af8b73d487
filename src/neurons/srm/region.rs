//! Spike response neurons as a region of a network: the model of scenes, and the system that steps it from event to event.

use super::{AfferentSynapses, SrmError, SrmParameters, SrmPopulation, Stdp, TieBreak, Winners};
use crate::modulation::Modulator;
use crate::modulation::effects::ModulatedRelease;
use crate::network::plastic::PlasticSynapses;
use crate::network::propagate::SpikeCount;
use crate::network::region::{InputMap, Offsets, Region, Spikes};
use crate::network::slots::{Accumulator, InputSlots, SharedSlots};
use crate::network::stimulus::{Action, BackgroundInput, Stimulus, StimulusOrder};
use crate::neurons::{BuildRegion, Receptor, ReflectNeuronModel, Sample, Sign, concrete};
use crate::plasticity::exact::{self, Arrival, ExactRule, TICKS};
use crate::sim::SimSystems;
use crate::sim::clock::Clock;
use crate::sim::columns::{Column, ColumnComponent, Drive, LANES, Membrane, RegisterColumn};
use crate::sim::kernel::LateInput;
use crate::sim::quantity::{Range, Unit};
use crate::sim::rng::entity_key;
use crate::synapses::short_term::ShortTerm;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

pub(in crate::neurons) fn plugin(app: &mut App) {
    app.register_column::<Membrane>();
    app.register_type::<Srm>();
    let types = app.world().resource::<AppTypeRegistry>().clone();
    if let Some(registration) = types.write().get_mut(core::any::TypeId::of::<Srm>()) {
        registration.insert(reflect());
    }
}

/// Spike response neurons, event-exact. See [`neurons::srm`](super).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Srm {
    /// Threshold T, in the unit of the potential and of weights.
    #[reflect(@Range::positive())]
    pub threshold: f64,
    /// Membrane time constant, longer than `tau_s`.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_m: f64,
    /// Synaptic time constant.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_s: f64,
    /// Height of the spike, in thresholds.
    #[reflect(@Range::non_negative())]
    pub k1: f64,
    /// Depth of the after-potential, in thresholds.
    #[reflect(@Range::non_negative())]
    pub k2: f64,
    /// Lateral inhibition: the peak of the potential that a spike causes in the other neurons of the region, in thresholds.
    #[reflect(@Range::non_negative())]
    pub alpha: f64,
    /// Absolute refractory period: 0, or long enough for the after-potential to have fallen below the threshold.
    #[reflect(@Unit("ms"), @Range::non_negative())]
    pub t_ref: f64,
    /// Competition for the right to fire, if there is one.
    pub winners: Option<WinnersTakeAll>,
}

impl Default for Srm {
    fn default() -> Self {
        let SrmParameters {
            threshold,
            tau_m,
            tau_s,
            k1,
            k2,
            alpha,
            t_ref,
        } = SrmParameters::default();
        Self {
            threshold,
            tau_m,
            tau_s,
            k1,
            k2,
            alpha,
            t_ref,
            winners: None,
        }
    }
}

/// Only the first neurons that reach the threshold in a window of time may fire in it. See [`Winners`].
#[derive(Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct WinnersTakeAll {
    /// How many neurons may fire in a window.
    pub count: u32,
    /// The window; windows follow each other from t = 0.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub window_ms: f64,
    /// Whether of neurons that reach the threshold at the same instant a random one is first, rather than that with the lower index.
    pub random_ties: bool,
}

impl Default for WinnersTakeAll {
    fn default() -> Self {
        Self {
            count: 1,
            window_ms: 10.0,
            random_ties: false,
        }
    }
}

impl Srm {
    fn parameters(&self) -> SrmParameters {
        SrmParameters {
            threshold: self.threshold,
            tau_m: self.tau_m,
            tau_s: self.tau_s,
            k1: self.k1,
            k2: self.k2,
            alpha: self.alpha,
            t_ref: self.t_ref,
        }
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        let parameters = self.parameters();
        parameters.check().map_err(|e| e.to_string())?;
        if let Some(winners) = &self.winners
            && winners.count == 0
        {
            return Err(
                "winners.count is 0, and no neuron would ever fire; allowed is 1 or more".into(),
            );
        }
        // A neuron is above the threshold for that long after a spike, whatever its weights.
        let soonest = parameters.above_threshold_ms().max(self.t_ref);
        if dt > soonest {
            return Err(format!(
                "with steps of {dt} ms a neuron could spike twice in one, {soonest:.3} ms after the first; make the step shorter or t_ref {dt} or more"
            ));
        }
        Ok(())
    }

    fn population(&self, build: &BuildRegion<'_>) -> Result<SrmPopulation, SrmError> {
        let none = AfferentSynapses::from_rows(build.neurons, &[])?;
        let mut population = SrmPopulation::new(self.parameters(), Stdp::default(), none)?;
        if let Some(winners) = &self.winners {
            let seed = build.seed ^ entity_key("winners") ^ build.key;
            let tie = match winners.random_ties {
                true => TieBreak::Random { seed },
                false => TieBreak::Index,
            };
            population.set_winners(Some(Winners::new(winners.count, winners.window_ms, tie)?));
        }
        Ok(population)
    }
}

fn reflect() -> ReflectNeuronModel {
    ReflectNeuronModel {
        receptors: &[Receptor {
            name: "input",
            sign: Sign::Any,
            unit: "that of the threshold",
        }],
        columns: &[Membrane::NAME],
        ranges: &[Membrane::RANGE],
        check: |build| concrete::<Srm>(build.model)?.check(build.dt_ms),
        build,
        refresh: |_| {},
        system: || integrate_srm.in_set(SimSystems::Integrate),
        wgsl: None,
        bytes_per_neuron: 96,
        source: false,
        exact: true,
        self_driven: |_| false,
    }
}

fn build(entity: &mut EntityWorldMut<'_>, build: &BuildRegion<'_>) -> Result<(), String> {
    let model = concrete::<Srm>(build.model)?;
    if let Some((name, _)) = build.initial.iter().find(|(n, _)| n != Membrane::NAME) {
        return Err(format!(
            "unknown column \"{name}\" in `initial`; Srm has: {}",
            Membrane::NAME
        ));
    }
    let mut population = model.population(build).map_err(|e| e.to_string())?;
    let mut membrane = Column::filled(build.neurons as usize, 0.0);
    let mut state = population.state().clone();
    for n in 0..build.neurons {
        let v = Sample::new(build.seed, build.key, n, build.initial).initial(Membrane::NAME, 0.0);
        state.slow[n as usize] = v;
        membrane.as_mut_slice()[n as usize] = v as f32;
    }
    population.set_state(state).map_err(|e| e.to_string())?;
    entity.insert((
        SrmRegion {
            population,
            afferents: Vec::new(),
            // With room, so that spikes do not allocate as a rule.
            due: Vec::with_capacity(4096),
            spikes: Vec::with_capacity(build.neurons as usize),
            sent: Vec::with_capacity(build.neurons as usize),
        },
        Membrane(membrane),
        Offsets(Vec::with_capacity(build.neurons as usize)),
        model,
    ));
    Ok(())
}

/// A region of spike response neurons at work.
#[derive(Component)]
pub struct SrmRegion {
    population: SrmPopulation,
    /// The projections whose spikes arrive one by one, in the order of the scene.
    afferents: Vec<Entity>,
    /// Scratch: what arrives in a step, and along which of the projections.
    due: Vec<(Arrival, usize)>,
    /// Scratch: the spikes of a step, in their order.
    spikes: Vec<(f64, u32)>,
    /// Scratch: target neurons and weights.
    sent: Vec<(u32, f32)>,
}

impl SrmRegion {
    /// The neurons.
    pub fn population(&self) -> &SrmPopulation {
        &self.population
    }

    /// Adds a projection whose spikes arrive one by one.
    pub(crate) fn add_afferents(&mut self, projection: Entity) {
        self.afferents.push(projection);
    }

    /// The numbers of the neurons, for a snapshot.
    pub(crate) fn save(&self) -> Vec<u64> {
        let mut out = self.population.state().to_numbers();
        if let Some(winners) = self.population.winners() {
            let (window, list) = winners.current();
            out.extend([window, list.len() as u64]);
            out.extend(list.iter().map(|n| u64::from(*n)));
        }
        out
    }

    /// Takes what [`save`](Self::save) gave, at `now_ms`; false if it does not fit.
    pub(crate) fn load(&mut self, numbers: &[u64], now_ms: f64) -> bool {
        self.try_load(numbers, now_ms).is_some()
    }

    fn try_load(&mut self, numbers: &[u64], now_ms: f64) -> Option<()> {
        let neurons = self.population.state().slow.len();
        let (mut state, rest) = super::SrmState::from_numbers(numbers, neurons)?;
        // A region that an edit has made new begins now.
        state.clock_ms = state.clock_ms.max(now_ms);
        let late = |ms: &f64| *ms > now_ms;
        if state.clock_ms > now_ms || state.time_ms.iter().any(late) {
            return None;
        }
        // An edit may have begun or ended the competition.
        if let (Some(mut winners), [window, count, list @ ..]) =
            (self.population.winners().cloned(), rest)
        {
            let list: Vec<u32> = (list.iter())
                .map(|n| u32::try_from(*n).ok().filter(|n| (*n as usize) < neurons))
                .collect::<Option<_>>()?;
            if list.len() as u64 != *count {
                return None;
            }
            winners.resume(*window, &list);
            self.population.set_winners(Some(winners));
        }
        self.population.set_state(state).ok()
    }
}

/// Steps every region of spike response neurons: what arrives and what they do, in the order of time.
pub fn integrate_srm(
    clock: Res<Clock>,
    mut slots: ResMut<InputSlots>,
    order: Res<StimulusOrder>,
    stimuli: Query<&Stimulus>,
    mut regions: Query<(
        Entity,
        &Region,
        &InputMap,
        &mut SrmRegion,
        &mut Offsets,
        &mut Spikes,
        &mut Membrane,
        Option<&Drive>,
        Option<&BackgroundInput>,
    )>,
    mut projections: Query<(&mut PlasticSynapses, &mut ExactRule)>,
) {
    let (step, dt) = (clock.step(), clock.dt_ms());
    let (start, end) = (step as f64 * dt, (step + 1) as f64 * dt);
    for (entity, region, map, mut srm, mut emitted, mut spikes, mut membrane, drive, background) in
        &mut regions
    {
        let SrmRegion {
            population,
            afferents,
            due,
            spikes: fired,
            sent,
        } = &mut *srm;
        population.once_within(start - dt, start, end);
        let clamps = (order.clamps.iter())
            .filter_map(|clamp| stimuli.get(*clamp).ok())
            .filter(|clamp| clamp.region == entity);
        clamp(population, clamps, region.neurons, step, end);
        if let Some(drive) = drive {
            for (n, current) in (0..region.neurons).zip(drive.column().as_slice()) {
                let current = f64::from(*current);
                if population.state().drive[n as usize] != current && current.is_finite() {
                    let set = population.set_drive(n, current);
                    debug_assert!(set.is_ok());
                }
            }
        }
        due.clear();
        for (i, projection) in afferents.iter().enumerate() {
            if let Ok((_, mut rule)) = projections.get_mut(*projection) {
                rule.take_due(step, |arrival| due.push((arrival, i)));
            }
        }
        due.sort_unstable_by_key(|(arrival, i)| (arrival.tick, *i, arrival.row, arrival.group));
        let emitted = &mut emitted.0;
        emitted.clear();
        fired.clear();
        // What the neurons do until a time, and what it means to their synapses.
        let mut advance = |population: &mut SrmPopulation, to: f64, projections: &mut Query<_>| {
            let known = fired.len();
            population.advance(population.state().clock_ms, to, &[], fired);
            for &(time, neuron) in &fired[known..] {
                let tick = libm::ceil((time - start) / dt * f64::from(TICKS));
                let tick = tick.clamp(1.0, f64::from(TICKS)) as u32;
                emitted.push((neuron, tick));
                tell(projections, afferents, step, tick, neuron);
            }
        };
        for &(arrival, i) in &*due {
            let time = if arrival.tick == TICKS {
                end
            } else {
                start + f64::from(arrival.tick) / f64::from(TICKS) * dt
            };
            advance(population, time, &mut projections);
            let Ok((mut synapses, mut rule)) = projections.get_mut(afferents[i]) else {
                continue;
            };
            sent.clear();
            rule.arrive(&mut synapses, step, arrival, sent);
            for &(neuron, weight) in &*sent {
                let known = population.excite(neuron, weight.into());
                debug_assert!(known.is_ok());
            }
        }
        advance(population, end, &mut projections);
        let late = background.filter(|b| b.acts());
        match &mut *slots {
            InputSlots::Narrow(slots) => take_sums(&slots.share(step), map, late, population),
            InputSlots::Wide(slots) => take_sums(&slots.share(step), map, late, population),
        }
        for projection in &*afferents {
            if let Ok((mut synapses, mut rule)) = projections.get_mut(*projection) {
                rule.end_step(&mut synapses, step);
            }
        }
        emitted.sort_unstable();
        spikes.mask.fill(0);
        for (neuron, _) in &*emitted {
            spikes.mask[*neuron as usize / LANES] |= 1 << (*neuron as usize % LANES);
        }
        let potentials = membrane.column_mut().as_mut_slice();
        for (n, v) in (0..region.neurons).zip(potentials) {
            *v = population.potential(n, end).map_or(0.0, |u| u as f32);
        }
    }
}

/// Tells the projections onto a region that one of its neurons spikes.
fn tell(
    projections: &mut Query<(&mut PlasticSynapses, &mut ExactRule)>,
    afferents: &[Entity],
    step: u64,
    tick: u32,
    neuron: u32,
) {
    for projection in afferents {
        if let Ok((mut synapses, mut rule)) = projections.get_mut(*projection) {
            rule.spiked(&mut synapses, step, tick, neuron);
        }
    }
}

/// Forces the spikes of this step, at its end, and silences who is to be silent.
fn clamp<'a>(
    population: &mut SrmPopulation,
    clamps: impl Iterator<Item = &'a Stimulus> + Clone,
    neurons: u32,
    step: u64,
    end_ms: f64,
) {
    let is_in = |mask: &[u64], n: u32| mask[n as usize / LANES] >> (n as usize % LANES) & 1 == 1;
    let silenced = |n: u32| {
        clamps.clone().any(|clamp| match &clamp.action {
            Action::Silence(mask) => (clamp.start..clamp.stop).contains(&step) && is_in(mask, n),
            _ => false,
        })
    };
    for n in 0..neurons {
        let silenced = silenced(n);
        if population.state().silenced[n as usize] != silenced {
            let set = population.silence(n, silenced);
            debug_assert!(set.is_ok());
        }
    }
    for clamp in clamps.clone() {
        if let Action::Spike(steps, mask) = &clamp.action
            && steps.binary_search(&step).is_ok()
        {
            for n in (0..neurons).filter(|n| is_in(mask, *n) && !silenced(*n)) {
                let set = population.force_spike(n, end_ms);
                debug_assert!(set.is_ok());
            }
        }
    }
}

/// Takes what has been summed for the end of the step out of the slots.
fn take_sums<T: Accumulator>(
    slots: &SharedSlots<'_, T>,
    map: &InputMap,
    late: Option<&BackgroundInput>,
    population: &mut SrmPopulation,
) {
    let (Some(&Some(offset)), Some(&quantum)) = (map.offset.first(), map.quantum.first()) else {
        return;
    };
    for (chunk, (&block, &base)) in map.block.iter().zip(&map.base).enumerate() {
        // SAFETY: the chunk has slots for the receptor at its base, and this thread alone uses them.
        let sums = unsafe {
            let base = slots.block(usize::from(block)).add(base as usize);
            if let Some(late) = late {
                T::add_late(late as &dyn LateInput, chunk, base);
            }
            &mut *base.add(offset as usize).cast::<[T; LANES]>()
        };
        for (n, sum) in sums.iter_mut().enumerate() {
            let quanta = core::mem::replace(sum, T::ZERO).quanta();
            if quanta != 0.0 {
                // Padding has no neuron.
                let _ = population.excite(
                    (chunk * LANES + n) as u32,
                    f64::from(quanta) * f64::from(quantum),
                );
            }
        }
    }
}

/// The system of `Propagate`: spikes go on their way to neurons that are resolved in continuous time.
pub fn send_exact(
    clock: Res<Clock>,
    mut count: ResMut<SpikeCount>,
    regions: Query<(&Spikes, Option<&Offsets>)>,
    modulators: Query<&Modulator>,
    mut projections: Query<(
        &PlasticSynapses,
        &mut ExactRule,
        Option<&mut ShortTerm>,
        Option<&mut ModulatedRelease>,
    )>,
) {
    let step = clock.step();
    for (synapses, mut rule, mut short_term, mut release) in &mut projections {
        if let Some(release) = &mut release {
            release.begin(&modulators);
        }
        let mut send = |tick: u32, neuron: u32| {
            let released = match &mut short_term {
                Some(short_term) => short_term.spiked(neuron, exact::at(step, tick)),
                None => 1.0,
            };
            let factor = release.as_ref().map_or(1.0, |r| r.factor(neuron));
            rule.send(synapses, (step, tick), neuron, factor * released);
        };
        let Ok((spikes, offsets)) = regions.get(synapses.source()) else {
            continue;
        };
        let offsets = offsets.map_or(&[][..], |offsets| &offsets.0);
        for &neuron in &spikes.list {
            count.events += synapses.row_len(neuron as usize) as u64;
            let first = offsets.partition_point(|(n, _)| *n < neuron);
            let own = offsets[first..].iter().take_while(|(n, _)| *n == neuron);
            let mut known = false;
            for (_, tick) in own {
                send(*tick, neuron);
                known = true;
            }
            // A spike that was forced has no offset.
            if !known {
                send(TICKS, neuron);
            }
        }
    }
}
