//! Voltage-based plasticity of Clopath et al.: presynaptic spikes depress synapses onto depolarised neurons, and strong depolarisation
//! potentiates synapses whose source has just spiked.
//!
//! ```text
//! τ₋ dū₋/dt = u − ū₋        τ₊ dū₊/dt = u − ū₊        x' = −x/τₓ,  x → x + 1/τₓ at a presynaptic spike
//! at a presynaptic spike:   w → w − A₋ [ū₋(t−d) − θ₋]₊
//! all the time:             w' = A₊ x [u − θ₊]₊ [ū₊(t−d) − θ₋]₊
//! A₋ = `a_minus`, or `a_minus` ū̄²/ū_r² if ū_r > 0        τ̄ dū̄/dt = [ū₋ − θ₋]₊ − ū̄
//! ```
//!
//! and *w* stays within its bounds; [·]₊ is the positive part and u the membrane potential of the target neuron. The delay d keeps a spike
//! from depressing or potentiating by its own after-effects. With ū_r the rule is homeostatic: neurons that are depolarised more than ū_r
//! on average depress more.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | A₋ | `a_minus` | 14·10⁻⁵ | receptor's/mV |
//! | A₊ | `a_plus` | 8·10⁻⁵ | receptor's/mV² |
//! | τ₋, τ₊ | `tau_minus`, `tau_plus` | 10, 7 | ms |
//! | τₓ | `tau_x` | 15 | ms |
//! | θ₋, θ₊ | `theta_minus`, `theta_plus` | −70.6, −45.3 | mV |
//! | d | `delay_ms` | 5 | ms |
//! | ū_r | `u_ref` | 0 | mV |
//! | τ̄ | `tau_mean` | 1000 | ms |
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//! | | `order` | as NEST | |
//!
//! Potentiation needs potentials above θ₊, which is where spikes are: use a model whose potential shows them, as `AdExClopath` or those
//! of Hodgkin and Huxley. In a model that is reset in the step of its spike, θ₊ has to be below the threshold.
//!
//! *Integration.* The filters exactly, for u constant within steps. A step in which u is above θ₊ is an event of the neuron, replayed by a synapse like
//! a spike: what that costs follows spikes.
//!
//! *Agreement.* NEST's `clopath_synapse` with `tau_u_bar_plus`, `tau_u_bar_minus`, `delay_u_bars` and the amplitudes of its target neuron; its
//! homeostasis filters ū₋ itself.
//!
//! *Source.* Clopath, Büsing, Vasilaki & Gerstner 2010, Nat Neurosci 13:344, doi:10.1038/nn.2479, equations 1 to 4; the delay from the authors'
//! program.

mod membranes;

use super::decay::Decay;
use super::{
    BoxedRule, LearningRule, Plasticity, RegisterRule, Seen, SendOrder, SynapseState, UNBOUND,
    WEIGHT, check_bounds,
};
use crate::sim::math::{max, within};
use crate::sim::quantity::{Range, Unit};
use bevy::prelude::*;
use membranes::Membranes;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_rule::<Clopath>();
}

/// Voltage-based plasticity. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Clopath {
    /// Depression by a presynaptic spike per mV.
    #[reflect(@Range::between(0.0, 1e12))]
    pub a_minus: f64,
    /// Potentiation per mV².
    #[reflect(@Range::between(0.0, 1e12))]
    pub a_plus: f64,
    /// Time constant of the potential that depresses.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_minus: f64,
    /// Time constant of the potential that potentiates.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_plus: f64,
    /// Time constant of the presynaptic trace.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_x: f64,
    /// Above this, filtered potentials count.
    #[reflect(@Unit("mV"), @Range::between(-1e6, 1e6))]
    pub theta_minus: f64,
    /// Above this, the potential itself counts.
    #[reflect(@Unit("mV"), @Range::between(-1e6, 1e6))]
    pub theta_plus: f64,
    /// How long filtered potentials take to act.
    #[reflect(@Unit("ms"), @Range::between(0.0, 1000.0))]
    pub delay_ms: f64,
    /// The mean depolarisation at which depression has the amplitude `a_minus`; 0 for that amplitude at any.
    #[reflect(@Unit("mV"), @Range::between(0.0, 1e6))]
    pub u_ref: f64,
    /// Time constant of the mean depolarisation.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub tau_mean: f64,
    /// The least weight.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
    /// Whether a presynaptic spike is sent with the weight before or after its change.
    pub order: SendOrder,
}

impl Default for Clopath {
    fn default() -> Self {
        Self {
            a_minus: 14e-5,
            a_plus: 8e-5,
            tau_minus: 10.0,
            tau_plus: 7.0,
            tau_x: 15.0,
            theta_minus: -70.6,
            theta_plus: -45.3,
            delay_ms: 5.0,
            u_ref: 0.0,
            tau_mean: 1000.0,
            w_min: 0.0,
            w_max: 1.0,
            order: SendOrder::default(),
        }
    }
}

impl Plasticity for Clopath {
    fn derive(&self, dt: f64) -> BoxedRule {
        let share = |tau: f64| -libm::expm1(-dt / tau) as f32;
        BoxedRule::new(ClopathRule {
            decay: Decay::new(self.tau_x, dt),
            raise: (1.0 / self.tau_x) as f32,
            a_minus: self.a_minus as f32,
            a_plus: (self.a_plus * dt) as f32,
            share_minus: share(self.tau_minus),
            share_plus: share(self.tau_plus),
            share_mean: share(self.tau_mean),
            theta_minus: self.theta_minus as f32,
            theta_plus: self.theta_plus as f32,
            per_reference: if self.u_ref > 0.0 {
                (1.0 / self.u_ref) as f32
            } else {
                0.0
            },
            bounds: [self.w_min as f32, self.w_max as f32],
            order: self.order,
            delay: (self.delay_ms / dt).round() as usize,
            membranes: Membranes::default(),
        })
    }

    fn bounds(&self) -> (f64, f64) {
        (self.w_min, self.w_max)
    }

    fn follows_membrane(&self) -> bool {
        true
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        check_bounds(self.w_min, self.w_max)?;
        let steps = self.delay_ms / dt;
        if (steps - steps.round()).abs() > 1e-6 {
            return Err(format!(
                "delay_ms is {}; it must be a whole number of steps of {dt} ms",
                self.delay_ms
            ));
        }
        Ok(())
    }
}

/// [`Clopath`] with its constants worked out.
struct ClopathRule {
    decay: Decay,
    raise: f32,
    a_minus: f32,
    a_plus: f32,
    share_minus: f32,
    share_plus: f32,
    share_mean: f32,
    theta_minus: f32,
    theta_plus: f32,
    /// 1/ū_r, or 0 without homeostasis.
    per_reference: f32,
    bounds: [f32; 2],
    order: SendOrder,
    delay: usize,
    membranes: Membranes,
}

impl ClopathRule {
    fn bounded(&self, weight: f32) -> f32 {
        within(weight, self.bounds)
    }
}

impl LearningRule for ClopathRule {
    type Pre = [f32; 1];
    /// What a weight changes by: of an event per unit of the presynaptic trace, of the membrane at a presynaptic spike.
    type Post = [f32; 1];
    const FOLLOWS: bool = true;
    /// A spike of 2 ms in steps of 0.1 ms is more than twenty events.
    const ROOM: u32 = 256;

    fn prepare(&mut self, targets: usize, longest_back: u32) {
        let with_mean = self.per_reference > 0.0;
        self.membranes = Membranes::new(targets, self.delay, longest_back, with_mean);
    }

    fn bytes_per_target(&self, longest_back: u32) -> f64 {
        Membranes::bytes_per_neuron(self.delay, longest_back, self.per_reference > 0.0)
    }

    fn follow(&mut self, potentials: &[f32], event: &mut dyn FnMut(u32, [f32; 1])) {
        let neurons = self.membranes.neurons;
        let first = self.membranes.steps == 0;
        let before = |membranes: &Membranes, ring: &[f32]| membranes.row(ring, 0).unwrap_or(0);
        let old_minus = before(&self.membranes, &self.membranes.minus);
        let old_plus = before(&self.membranes, &self.membranes.plus);
        self.membranes.steps += 1;
        let new_minus = before(&self.membranes, &self.membranes.minus);
        let new_plus = before(&self.membranes, &self.membranes.plus);
        let filter = |ring: &mut [f32], old: usize, new: usize, share: f32| {
            for (n, u) in potentials[..neurons].iter().enumerate() {
                let u = u - self.theta_minus;
                let last = if first { u } else { ring[old + n] };
                ring[new + n] = last + share * (u - last);
            }
        };
        filter(
            &mut self.membranes.minus,
            old_minus,
            new_minus,
            self.share_minus,
        );
        filter(
            &mut self.membranes.plus,
            old_plus,
            new_plus,
            self.share_plus,
        );
        let depolarised = &self.membranes.minus[new_minus..new_minus + neurons];
        for (mean, u) in self.membranes.mean.iter_mut().zip(depolarised) {
            *mean += self.share_mean * (max(*u, 0.0) - *mean);
        }
        let Some(delayed) = self.membranes.row(&self.membranes.plus, self.delay) else {
            return;
        };
        let delayed = &self.membranes.plus[delayed..delayed + neurons];
        for (n, (u, delayed)) in potentials[..neurons].iter().zip(delayed).enumerate() {
            if *u > self.theta_plus && *delayed > 0.0 {
                event(n as u32, [self.a_plus * (u - self.theta_plus) * delayed]);
            }
        }
    }

    fn forget(&mut self) {
        self.membranes.steps = 0;
        self.membranes.mean.fill(0.0);
    }

    #[inline(always)]
    fn membrane(&self, target: u32, back: u32) -> [f32; 1] {
        let membranes = &self.membranes;
        let Some(row) = membranes.row(&membranes.minus, self.delay + back as usize) else {
            return [0.0];
        };
        let depolarised = max(membranes.minus[row + target as usize], 0.0);
        let amplitude = match membranes.mean.get(target as usize) {
            Some(mean) => {
                let relative = mean * self.per_reference;
                self.a_minus * relative * relative
            }
            None => self.a_minus,
        };
        [amplitude * depolarised]
    }

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 1], ago: u32) -> ([f32; 1], [f32; 1]) {
        let left = last[0] * self.decay.after(ago);
        ([left], [left + self.raise])
    }

    fn post_spiked(&self, last: [f32; 1], _ago: u32) -> [f32; 1] {
        last
    }

    #[inline(always)]
    fn at_pre(
        &self,
        state: SynapseState,
        _pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        SynapseState {
            weight: self.bounded(state.weight - post.traces[0]),
            ..state
        }
    }

    #[inline(always)]
    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<[f32; 1]>,
        post: Seen<[f32; 1]>,
    ) -> SynapseState {
        let trace = pre.traces[0] * self.decay.after(pre.ago);
        SynapseState {
            weight: self.bounded(state.weight + post.traces[0] * trace),
            ..state
        }
    }

    fn unbind(&mut self) {
        self.bounds = UNBOUND;
    }

    fn order(&self) -> SendOrder {
        self.order
    }

    fn save(&self, out: &mut Vec<u32>) {
        self.membranes.save(out);
    }

    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        self.membranes.load(from)
    }

    fn take_over(&mut self, from: &mut &[u32], targets: usize, longest_back: u32) -> Option<()> {
        let with_mean = self.per_reference > 0.0;
        let mut former = Membranes::new(targets, self.delay, longest_back, with_mean);
        former.load(from)?;
        self.membranes.take_over(&former);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::connect::Rule;
    use crate::network::stimulus::StimulusKind;
    use crate::neurons::adex_clopath::AdExClopath;
    use crate::neurons::spike_source::SpikeSource;
    use crate::scene::build::BuildOptions;
    use crate::scene::schema::{Dendritic, ProjectionSpec, RegionSpec, Scene, StimulusSpec};
    use crate::simulation::Simulation;

    /// When spikes are forced on either side, in ms.
    struct Trains {
        pre: Vec<f64>,
        post: Vec<f64>,
        until: f64,
    }

    impl Trains {
        /// A few spikes that do not come together.
        fn few() -> Self {
            Self {
                pre: vec![10.0, 31.0, 52.0, 73.0, 90.0, 110.0, 150.0],
                post: vec![20.0, 41.0, 47.0, 80.0, 112.0, 130.0],
                until: 200.0,
            }
        }

        /// Many, so that presynaptic ones arrive in all phases of postsynaptic ones.
        fn random() -> Self {
            let mut bits = 9u64;
            let mut train = |least: f64, most: f64| {
                let mut times = Vec::new();
                let mut last = 0.0;
                loop {
                    bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let unit = (bits >> 33) as f64 / (1u64 << 31) as f64;
                    // Whole numbers of either step.
                    last += libm::rint(2.0 * (least + (most - least) * unit)) / 2.0;
                    if last > 1950.0 {
                        return times;
                    }
                    times.push(last);
                }
            };
            Self {
                pre: train(1.0, 15.0),
                post: train(12.0, 40.0),
                until: 2000.0,
            }
        }
    }

    fn scene(
        trains: &Trains,
        rule: &Clopath,
        dt_ms: f64,
        delay_ms: f64,
        dendritic: Dendritic,
    ) -> Scene {
        let mut scene = Scene { dt_ms, ..default() };
        let source = SpikeSource {
            spikes: trains.pre.iter().map(|t| (*t, 0)).collect(),
            ..default()
        };
        scene.regions = vec![
            RegionSpec::new("pre", 1, source),
            RegionSpec::new("post", 1, AdExClopath::default()),
        ];
        let mut projection = ProjectionSpec::new("pre", "post", Rule::AllToAll, 0.5, delay_ms);
        projection.name = Some("synapse".into());
        projection.dendritic = dendritic;
        scene.projections = vec![projection.learning(rule.clone())];
        let forced = StimulusKind::InputSpikes {
            times_ms: trains.post.clone(),
            weight: 80.0,
            delay_ms: 0.0,
            receptor: None,
        };
        scene.stimuli = vec![StimulusSpec::new("post", forced)];
        scene
    }

    /// The weight by the equations in double precision, step by step, from the membrane potentials that the engine had.
    fn integrated(
        trains: &Trains,
        rule: &Clopath,
        dt: f64,
        potentials: &[f64],
        (axonal, back): (usize, usize),
        weight: f64,
    ) -> f64 {
        let filter = |tau: f64, of: &[f64]| -> Vec<f64> {
            let share = -libm::expm1(-dt / tau);
            let mut value = of[0];
            let next = |u: &f64| {
                value += share * (u - value);
                value
            };
            of.iter().map(next).collect()
        };
        let (minus, plus) = (
            filter(rule.tau_minus, potentials),
            filter(rule.tau_plus, potentials),
        );
        let depolarised: Vec<f64> = minus
            .iter()
            .map(|u| (u - rule.theta_minus).max(0.0))
            .collect();
        let delay = (rule.delay_ms / dt).round() as usize;
        let (mut weight, mut trace, mut mean) = (weight, 0.0, Vec::new());
        let share = -libm::expm1(-dt / rule.tau_mean);
        for step in 0..potentials.len() {
            let last = mean.last().copied().unwrap_or(0.0);
            mean.push(last + share * (depolarised[step] - last));
            trace *= libm::exp(-dt / rule.tau_x);
            // What arrives comes before potentiation if its delay is all axonal, and then sees the end of the step before.
            let arrives = (trains.pre)
                .iter()
                .any(|t| (t / dt).round() as usize + axonal == step + 1);
            let depress = |weight: &mut f64, seen: usize| {
                let amplitude = if rule.u_ref > 0.0 {
                    rule.a_minus * (mean[seen] / rule.u_ref).powi(2)
                } else {
                    rule.a_minus
                };
                if seen >= delay + back {
                    *weight -= amplitude * depolarised[seen - delay - back];
                }
            };
            if arrives && back == 0 {
                depress(&mut weight, step - 1);
            }
            if step >= delay + back {
                let event = step - back;
                let high = (potentials[event] - rule.theta_plus).max(0.0);
                let low = (plus[event - delay] - rule.theta_minus).max(0.0);
                weight += rule.a_plus * dt * trace * high * low;
            }
            if arrives && back > 0 {
                depress(&mut weight, step);
            }
            // As in NEST, a spike that arrives in the step does not potentiate in it.
            if arrives {
                trace += 1.0 / rule.tau_x;
            }
        }
        weight
    }

    #[test]
    fn a_snapshot_resumes_bit_for_bit() {
        let rule = Clopath {
            w_max: 3.0,
            u_ref: 9.0,
            ..default()
        };
        let scene = scene(&Trains::few(), &rule, 0.1, 1.0, Dendritic::All);
        let new = || Simulation::new(&scene, &BuildOptions::default()).expect("a network");
        let mut whole = new();
        // In the middle of a postsynaptic spike.
        whole.run_ms(81.2);
        let snapshot = whole.snapshot().expect("a snapshot");
        whole.run_ms(80.0);
        let mut resumed = new();
        resumed.restore(&snapshot).expect("a snapshot that fits");
        resumed.run_ms(80.0);
        let weights = |s: &mut Simulation| s.weights("synapse").expect("weights");
        assert_eq!(weights(&mut whole), weights(&mut resumed));
        assert_ne!(weights(&mut whole), [0.5]);
    }

    /// After a reset it is as if the network began: of potentials and of spikes.
    #[test]
    fn a_reset_forgets_potentials_too() {
        let rule = Clopath {
            w_max: 3.0,
            u_ref: 9.0,
            tau_mean: 300.0,
            ..default()
        };
        let (dt, at) = (0.1, 700.0);
        let trains = Trains::random();
        for dendritic in [Dendritic::None, Dendritic::All] {
            let scene = scene(&trains, &rule, dt, 1.0, dendritic);
            let mut simulation =
                Simulation::new(&scene, &BuildOptions::default()).expect("a network");
            simulation.run_ms(at);
            simulation.reset_traces("synapse").expect("a reset");
            let weight = |s: &mut Simulation| f64::from(s.weights("synapse").expect("weights")[0]);
            let before = weight(&mut simulation);
            let mut potentials = Vec::new();
            for _ in 0..3000 {
                simulation.step();
                let v = simulation.column("post", "v").expect("a potential")[0];
                potentials.push(f64::from(v));
            }
            let later = Trains {
                pre: (trains.pre.iter().map(|t| t - at).filter(|t| *t > 0.0)).collect(),
                ..Trains::few()
            };
            let parts = match dendritic {
                Dendritic::None => (10, 0),
                _ => (0, 10),
            };
            let want = integrated(&later, &rule, dt, &potentials, parts, before);
            let got = weight(&mut simulation);
            assert!((got - want).abs() < 2e-5, "{got}, want {want}");
            assert!((want - before).abs() > 0.01, "{want}");
        }
    }

    #[test]
    fn weights_follow_the_equations_at_two_steps_and_with_either_part_of_the_delay() {
        let constant = Clopath {
            w_max: 3.0,
            ..default()
        };
        let homeostatic = Clopath {
            u_ref: 9.0,
            tau_mean: 300.0,
            ..constant.clone()
        };
        for (trains, rule) in [
            (Trains::few(), &constant),
            (Trains::few(), &homeostatic),
            (Trains::random(), &constant),
            (Trains::random(), &homeostatic),
        ] {
            for (dt, dendritic) in [(0.1, false), (0.1, true), (0.25, false)] {
                let part = if dendritic {
                    Dendritic::All
                } else {
                    Dendritic::None
                };
                let scene = scene(&trains, rule, dt, 1.0, part);
                let mut simulation =
                    Simulation::new(&scene, &BuildOptions::default()).expect("a network");
                let mut potentials = Vec::new();
                let steps = (trains.until / dt) as usize;
                for _ in 0..steps {
                    simulation.step();
                    let v = simulation.column("post", "v").expect("a potential")[0];
                    potentials.push(f64::from(v));
                }
                let forced = (trains.pre.len() + trains.post.len()) as u64;
                assert_eq!(simulation.spike_count().spikes, forced, "{dt}");
                let delay = (1.0 / dt) as usize;
                let (axonal, back) = if dendritic { (0, delay) } else { (delay, 0) };
                let want = integrated(&trains, rule, dt, &potentials, (axonal, back), 0.5);
                let got = f64::from(simulation.weights("synapse").expect("weights")[0]);
                assert!(
                    (got - want).abs() < 2e-5 * want.max(1.0),
                    "{dt} ms, dendritic {dendritic}, {}: {got}, want {want}",
                    rule.u_ref
                );
                assert!((want - 0.5).abs() > 0.01, "{want}");
            }
        }
    }
}
