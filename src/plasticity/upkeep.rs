//! Upkeep: what is done to all weights of a projection whether spikes arrive or not, beside a learning rule or without one.
//!
//! # The contract of a rule of upkeep
//!
//! A rule is a reflected component, listed in a scene with the learning rule: `plasticity: [Stdp(w_max: 1), Budget(total: 78)]`.
//! [`Upkeep::derive`] turns it into [`Care`]: nothing, something that goes on all the time and is part of bringing a synapse up to date, or a
//! [`Keeper`], which acts now and then in [`SimSystems::Learn`](crate::sim::SimSystems::Learn), at the end of every so manieth step. All synapses are
//! brought up to date before it acts, so the cost is proportional to synapses only then; between, it follows spikes. Keepers act in the order in
//! which the scene lists them, and what they do is the same for any number of threads.
//!
//! A learning rule sets the bounds of weights; where there is none, they may go as far as the rule of upkeep that reaches farthest can bring
//! them. Where learning is [frozen](crate::simulation::Simulation::freeze) weights stay, but keepers go on to follow spikes; where it is
//! [restricted](crate::simulation::Simulation::restrict_learning), only that part of a keeper's change counts.

use super::decay::Loss;
use super::gating::Gating;
use super::slowing::Slowing;
use super::tend::Tended;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;
use bevy::reflect::{GetTypeRegistration, TypePath};

/// What a rule of upkeep knows of its projection.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The step in ms.
    pub dt: f64,
    /// Parts of a step in which learning rules count time: more than 1 at neurons that are resolved in continuous time. Keepers count steps.
    pub ticks: u32,
    /// The least and the largest weight, in the receptor's unit; magnitudes where all weights are inhibitory.
    pub bounds: (f64, f64),
    /// Whether those are the bounds of a learning rule.
    pub learning: bool,
    /// Whether weights are magnitudes of inhibitory ones.
    pub inhibitory: bool,
    /// The most synapses that a target neuron may have.
    pub most_per_target: f64,
    /// The number of synapses, as expected.
    pub synapses: f64,
}

impl Setting {
    /// The time from one tick to the next, in ms.
    pub fn tick_ms(&self) -> f64 {
        self.dt / f64::from(self.ticks)
    }
}

/// A rule of upkeep as scenes and code give it: a component of a projection.
pub trait Upkeep:
    Component + Reflect + FromReflect + TypePath + GetTypeRegistration + Clone
{
    /// What it sees to, in words; a projection has at most one rule that sees to the same.
    fn sees_to(&self) -> &'static str;

    /// The least and the largest weight that it can lead to from weights in `start`, where no learning rule beside it sets bounds.
    ///
    /// # Errors
    /// It has no such bounds; the message says how to set them.
    fn reach(&self, start: (f64, f64)) -> Result<(f64, f64), String>;

    /// What parameters forbid together or in this setting; each alone is checked against its range.
    ///
    /// # Errors
    /// The message names the fields, their values and what is allowed.
    fn check(&self, setting: &Setting) -> Result<(), String>;

    /// What is implausible in this setting, though it can be run.
    fn advice(&self, setting: &Setting) -> Option<String> {
        let _ = setting;
        None
    }

    /// What is to be done.
    fn derive(&self, setting: &Setting) -> Care;
}

/// What a rule of upkeep does.
pub enum Care {
    /// Nothing by itself.
    Nothing,
    /// Weights decay all the time.
    Fade(Fade),
    /// The learning rate falls.
    Slow(Slowing),
    /// Something is done every so many steps.
    Periodic {
        /// The steps from one time to the next.
        every: u64,
        /// Who does it.
        keeper: Box<dyn Keeper>,
    },
}

/// What goes on all the time, beside a learning rule.
#[derive(Default)]
pub struct Lasting {
    /// How weights decay, if they do.
    pub fade: Option<Fade>,
    /// How the learning rate falls, if it does.
    pub slowing: Option<Slowing>,
    /// How pools gate learning, if they do.
    pub gating: Option<Gating>,
}

/// An exponential decay of weights towards a value.
pub struct Fade {
    /// The part of the distance that time takes away.
    pub loss: Loss,
    /// The value.
    pub value: f32,
}

impl Fade {
    /// A weight after so many steps, or ticks.
    #[inline(always)]
    pub fn after(&self, weight: f32, steps: u32) -> f32 {
        weight + (self.value - weight) * self.loss.after(steps)
    }
}

/// A rule of upkeep at work that acts now and then.
pub trait Keeper: Send + Sync + 'static {
    /// Makes what it keeps of each of the target neurons, as at the start.
    fn begin(&mut self, targets: usize) {
        let _ = targets;
    }

    /// There are so many target neurons from `now` on: the first ones stay, those that are new begin.
    fn resize(&mut self, now: u64, targets: usize) {
        let _ = (now, targets);
    }

    /// Target neurons spiked at the stamp `now`.
    fn spiked(&mut self, now: u64, targets: &[u32]) {
        let _ = (now, targets);
    }

    /// Acts at `now` on weights that are up to date.
    fn act(&mut self, now: u64, weights: &mut Tended<'_>);

    /// Appends what changes, for a snapshot at `now`; always as many numbers.
    fn save(&self, now: u64, out: &mut Vec<u32>) {
        let _ = (now, out);
    }

    /// Takes what [`save`](Self::save) gave; `None` if it does not fit.
    fn load(&mut self, now: u64, from: &mut &[u32]) -> Option<()> {
        let _ = (now, from);
        Some(())
    }
}

/// The keepers of a projection, in the order in which they act.
#[derive(Component, Default)]
pub struct Keepers(Vec<(u64, Box<dyn Keeper>)>);

impl Keepers {
    /// No keepers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a keeper that acts every so many steps on the synapses onto so many target neurons.
    pub fn push(&mut self, every: u64, mut keeper: Box<dyn Keeper>, targets: usize) {
        keeper.begin(targets);
        self.0.push((every.max(1), keeper));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one acts at the stamp `now`.
    pub fn are_due(&self, now: u64) -> bool {
        self.0.iter().any(|(every, _)| now.is_multiple_of(*every))
    }

    /// Tells them of spikes.
    pub fn spiked(&mut self, now: u64, targets: &[u32]) {
        for (_, keeper) in &mut self.0 {
            keeper.spiked(now, targets);
        }
    }

    /// Lets those act that are due.
    pub fn act(&mut self, now: u64, weights: &mut Tended<'_>) {
        for (every, keeper) in &mut self.0 {
            if now.is_multiple_of(*every) {
                keeper.act(now, weights);
            }
        }
    }

    /// The numbers that change, for a snapshot at `now`.
    pub fn save(&self, now: u64) -> Vec<u32> {
        let mut out = Vec::new();
        for (_, keeper) in &self.0 {
            keeper.save(now, &mut out);
        }
        out
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, now: u64, mut from: &[u32]) -> bool {
        let loaded = (self.0.iter_mut()).all(|(_, keeper)| keeper.load(now, &mut from).is_some());
        loaded && from.is_empty()
    }

    /// Takes what keepers of the same kinds [saved](Self::save) before an edit, when there were `before` target neurons and not `targets`;
    /// false if it does not fit: then it is as at the start.
    pub fn take_over(&mut self, now: u64, mut from: &[u32], before: usize, targets: usize) -> bool {
        let mut taken = true;
        for (_, keeper) in &mut self.0 {
            keeper.begin(before);
            taken &= keeper.load(now, &mut from).is_some();
            keeper.resize(now, targets);
        }
        taken &= from.is_empty();
        if !taken {
            self.0.iter_mut().for_each(|(_, k)| k.begin(targets));
        }
        taken
    }
}

/// How a rule of upkeep is checked and derived, by its type: what the scene loader finds in the type registry.
#[derive(Clone)]
pub struct ReflectUpkeep {
    /// What it sees to.
    pub sees_to: fn(&dyn PartialReflect) -> Result<&'static str, String>,
    /// See [`Upkeep::reach`].
    pub reach: fn(&dyn PartialReflect, (f64, f64)) -> Result<(f64, f64), String>,
    /// See [`Upkeep::check`].
    pub check: fn(&dyn PartialReflect, &Setting) -> Result<(), String>,
    /// See [`Upkeep::advice`].
    pub advice: fn(&dyn PartialReflect, &Setting) -> Result<Option<String>, String>,
    /// See [`Upkeep::derive`].
    pub derive: fn(&dyn PartialReflect, &Setting) -> Result<Care, String>,
    /// Keeps the rule's parameters on the projection.
    pub keep: fn(&mut EntityWorldMut<'_>, &dyn PartialReflect),
}

/// Registers rules of upkeep on an app.
pub trait RegisterUpkeep {
    /// Makes a rule known to scenes, `neuropil check`, the step and snapshots.
    fn register_upkeep<U: Upkeep>(&mut self) -> &mut Self;
}

impl RegisterUpkeep for App {
    fn register_upkeep<U: Upkeep>(&mut self) -> &mut Self {
        use super::concrete;
        self.register_type::<U>();
        let types = self.world().resource::<AppTypeRegistry>().clone();
        if let Some(registration) = types.write().get_mut(core::any::TypeId::of::<U>()) {
            registration.insert(ReflectUpkeep {
                sees_to: |value| Ok(concrete::<U>(value)?.sees_to()),
                reach: |value, start| concrete::<U>(value)?.reach(start),
                check: |value, setting| concrete::<U>(value)?.check(setting),
                advice: |value, setting| Ok(concrete::<U>(value)?.advice(setting)),
                derive: |value, setting| Ok(concrete::<U>(value)?.derive(setting)),
                keep: |projection, value| {
                    if let Ok(rule) = concrete::<U>(value) {
                        projection.insert(rule);
                    }
                },
            });
        }
        self
    }
}

/// Steps that a period may have.
const MOST_STEPS: f64 = 9e15;

/// Checks that a period can be counted in steps.
///
/// # Errors
/// Names the field.
pub(super) fn check_period(every_ms: f64, dt: f64) -> Result<(), String> {
    let steps = every_ms / dt;
    if steps < 0.5 {
        return Err(format!(
            "every_ms is {every_ms}, less than half a step of {dt} ms; allowed is a step or more"
        ));
    }
    if steps > MOST_STEPS {
        return Err(format!(
            "every_ms is {every_ms}, too long to be counted in steps of {dt} ms; allowed are {MOST_STEPS:e} steps"
        ));
    }
    Ok(())
}
