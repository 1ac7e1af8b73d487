//! Izhikevich's simple model of spiking neurons, in the form of 2003 and in the general form of the 20 patterns of 2004.
//!
//! ```text
//! v' = 0.04 v² + k1 v + k0 − u + I        (k1 = 5, k0 = 140)
//! u' = a (b (v + v_off) − e u)            (v_off = 0, e = 1)
//! v ≥ v_peak: spike; v ← c, u ← u + d
//! ```
//!
//! Time is in ms, v in mV; u and I are in mV/ms, which the literature leaves unsaid.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | a, b, c, d | `preset` | `RS` | |
//! | a | `a` | the preset's | 1/ms |
//! | b | `b` | the preset's | 1/ms |
//! | c | `c` | the preset's | mV |
//! | d | `d` | the preset's | mV/ms |
//! | | `jitter` | 0 | relative SD of a, b, c and d |
//! | k1, k0 | `k1`, `k0` | 5, 140 | 1/ms, mV/ms |
//! | v_off, e | `v_off`, `e` | 0, 1 | mV, |
//! | v_peak | `v_peak` | 30 | mV |
//! | I_e | `i_e` | 0 | mV/ms |
//! | | `scheme` | `Stable` | |
//! | | `substep_ms` | 0.1 | ms |
//! | | `step_ms` | the simulation's | ms |
//!
//! | preset | a | b | c | d | |
//! |---|---|---|---|---|---|
//! | `RS` | 0.02 | 0.2 | −65 | 8 | regular spiking |
//! | `IB` | 0.02 | 0.2 | −55 | 4 | intrinsically bursting |
//! | `CH` | 0.02 | 0.2 | −50 | 2 | chattering |
//! | `FS` | 0.1 | 0.2 | −65 | 2 | fast spiking |
//! | `LTS` | 0.02 | 0.25 | −65 | 2 | low-threshold spiking |
//! | `TC` | 0.02 | 0.25 | −65 | 0.05 | thalamo-cortical |
//! | `RZ` | 0.1 | 0.26 | −65 | 2 | resonator |
//!
//! A value given for `a`, `b`, `c` or `d` replaces that of the preset. The random families of the 2003 network are
//! `Shared` distributions of these fields, with one random number for all of a neuron's.
//!
//! **Receptor**: `input`, positive and negative weights. In the schemes `Stable` and `Euler` a spike moves v by its weight (mV) at the end
//! of the step in which it arrives; in the published schemes the sum of the weights is a current during that step, which at 1 ms
//! steps comes to the same unit.
//!
//! **Integration**: what the literature calls the model is partly its integration, so there are four.
//!
//! * `Stable`, the default, approximates the differential equation. In sub-steps h of at most `substep_ms`, u follows the midpoint rule, and
//!   v the linearly implicit rule v ← v + h f(v)/(1 − h f'(v)/2), which for a quadratic f is Kahan's: of second order, and exact in
//!   time even where v runs off to infinity (Kahan & Li 1997, Math. Comp. 66:1089, doi:10.1090/S0025-5718-97-00873-9). Where
//!   h f'(v) < −2 the denominator is −h f'(v), a Newton step towards the resting point: strong inhibition is
//!   approached from below without ringing and never causes a spike. The same rule, solved for h, gives the instant at which
//!   v reaches v_peak; reset and the rest of the sub-step follow from there. At 0.1 ms a spike is off by a few µs.
//! * `Published`: the two half-steps of v, then u with the new v, of the 2003 paper's program and of NEST with
//!   `consistent_integration` off. Meant for 1 ms. It is what networks of the 2003 paper are made of, and it is not the
//!   equation: a constant current of −300 makes it fire in every step.
//! * `PublishedSingle`: one full step of v, then u with the new v: the programs of the 20 patterns of 2004, each of which belongs to its own
//!   step from 0.1 to 0.5 ms; with finer steps nine of them show another number of spikes.
//! * `Euler`: v and u both from the old values, as NEST with `consistent_integration` on.
//!
//! A spike is stamped at the end of its step; in one step a neuron spikes at most once.
//!
//! **Not modelled**: conductances; a refractory period; a floor for v.
//!
//! **Source**: Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569, doi:10.1109/TNN.2003.820440, equations 1 to 3; Izhikevich 2004, IEEE
//! Trans. Neural Netw. 15:1063, doi:10.1109/TNN.2004.832719, figure 1.
//!
//! **Scenes**: `izhikevich2003`, `firing_patterns`, `sparse_pool`, `small_world`.

use super::{NeuronModel, Receptor, RegisterNeuron, Sample, Sign, check_below, substeps_within};
use crate::kernel;
use crate::network::distribution::Distribution;
use crate::sim::kernel::{Kernel, LaneChunks, Parameters};
use crate::sim::quantity::{Range, Unit};
use crate::sim::simd::SimdLevel;
use bevy::ecs::query::QueryData;
use bevy::ecs::world::EntityWorldMut;
use bevy::prelude::*;

pub(super) fn plugin(app: &mut App) {
    app.register_neuron::<Izhikevich>();
}

/// Izhikevich's simple model. See the [module](self).
#[derive(Component, Reflect, Clone, Debug)]
#[reflect(Default)]
pub struct Izhikevich {
    /// Where a, b, c and d come from unless they are given.
    pub preset: IzhikevichPreset,
    /// Rate of recovery.
    #[reflect(@Unit("1/ms"), @Range::finite())]
    pub a: Option<Distribution>,
    /// How recovery follows the membrane potential.
    #[reflect(@Unit("1/ms"), @Range::finite())]
    pub b: Option<Distribution>,
    /// Membrane potential after a spike.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub c: Option<Distribution>,
    /// Jump of recovery at a spike.
    #[reflect(@Unit("mV/ms"), @Range::finite())]
    pub d: Option<Distribution>,
    /// Relative standard deviation by which each neuron's a, b, c and d differ, each drawn alone.
    #[reflect(@Range::between(0.0, 1.0))]
    pub jitter: f64,
    /// Coefficient of v.
    #[reflect(@Unit("1/ms"), @Range::finite())]
    pub k1: Distribution,
    /// Constant of v'.
    #[reflect(@Unit("mV/ms"), @Range::finite())]
    pub k0: Distribution,
    /// Offset of v in u'.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_off: Distribution,
    /// Coefficient of u in u'; 0 makes recovery an integral.
    #[reflect(@Range::finite())]
    pub e: Distribution,
    /// Membrane potential at which a spike counts.
    #[reflect(@Unit("mV"), @Range::finite())]
    pub v_peak: Distribution,
    /// Constant input current.
    #[reflect(@Unit("mV/ms"), @Range::finite())]
    pub i_e: Distribution,
    /// How the equation is integrated.
    pub scheme: IzhikevichScheme,
    /// The longest sub-step of the scheme `Stable`; the others take one per step.
    #[reflect(@Unit("ms"), @Range::between(1e-4, 0.2))]
    pub substep_ms: f64,
    /// The step of the scheme `PublishedSingle`, a multiple of the simulation's; without it the simulation's. Between its steps the
    /// state stands still and input that arrives is lost.
    #[reflect(@Unit("ms"), @Range::positive())]
    pub step_ms: Option<f64>,
}

impl Default for Izhikevich {
    fn default() -> Self {
        Self {
            preset: IzhikevichPreset::RS,
            a: None,
            b: None,
            c: None,
            d: None,
            jitter: 0.0,
            k1: 5.0.into(),
            k0: 140.0.into(),
            v_off: 0.0.into(),
            e: 1.0.into(),
            v_peak: 30.0.into(),
            i_e: 0.0.into(),
            scheme: IzhikevichScheme::Stable,
            step_ms: None,
            substep_ms: 0.1,
        }
    }
}

/// A named set of a, b, c and d: features of figure 2 of the 2003 paper. See the table in the [module](self).
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum IzhikevichPreset {
    /// Regular spiking.
    #[default]
    RS,
    /// Intrinsically bursting.
    IB,
    /// Chattering.
    CH,
    /// Fast spiking.
    FS,
    /// Low-threshold spiking.
    LTS,
    /// Thalamo-cortical.
    TC,
    /// Resonator.
    RZ,
}

impl IzhikevichPreset {
    /// a, b, c and d.
    pub const fn values(self) -> [f64; 4] {
        match self {
            Self::RS => [0.02, 0.2, -65.0, 8.0],
            Self::IB => [0.02, 0.2, -55.0, 4.0],
            Self::CH => [0.02, 0.2, -50.0, 2.0],
            Self::FS => [0.1, 0.2, -65.0, 2.0],
            Self::LTS => [0.02, 0.25, -65.0, 2.0],
            Self::TC => [0.02, 0.25, -65.0, 0.05],
            Self::RZ => [0.1, 0.26, -65.0, 2.0],
        }
    }
}

/// How the equation is integrated. See the [module](self).
#[derive(Reflect, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[reflect(Default)]
pub enum IzhikevichScheme {
    /// Linearly implicit sub-steps with located spikes: the differential equation.
    #[default]
    Stable,
    /// Two half-steps of v, then one of u: the program of the 2003 paper.
    Published,
    /// One step of v, then one of u: the programs of the 2004 paper.
    PublishedSingle,
    /// One explicit Euler step of both.
    Euler,
}

kernel! {
    /// `Stable`: v' = square v² + linear v + constant + gain (I − u), all of them per sub-step; the same for
    /// [`Izhikevich2007`](super::izhikevich2007::Izhikevich2007).
    pub mod stable;
    params {
        square: f32,
        linear: f32,
        constant: f32,
        gain: f32,
        v_peak: f32,
        c: f32,
        d: f32,
        /// u' = u_per_v v + u_constant − u_leak u, per sub-step.
        u_per_v: f32,
        u_constant: f32,
        u_leak: f32,
    }
    state { v: f32 in Membrane, u: f32 in Recovery }
    input { drive, input }
    fn recovery(p: Params, v: f32, u: f32) -> f32 {
        p.u_per_v * v + p.u_constant - p.u_leak * u
    }
    repeat(p, s, x, now) {
        // Kahan's rule between v and v_peak, solved for the time: v_peak − v = (share of the sub-step) × rise.
        let u_mid = s.u + 0.5 * recovery(p, s.v, s.u);
        let rise = (p.square * p.v_peak + 0.5 * p.linear) * s.v + 0.5 * p.linear * p.v_peak + p.constant + p.gain * (x.drive - u_mid);
        let way = p.v_peak - s.v;
        let spike = way <= max(rise, 0.0);
        let gone = select(0.0, max(way, 0.0) / max(rise, 1e-30), spike);
        let left = 1.0 - gone;
        let v = select(s.v, p.c, spike);
        let u = select(s.u, s.u + gone * recovery(p, 0.5 * (s.v + p.v_peak), u_mid) + p.d, spike);
        let u_half = u + 0.5 * left * recovery(p, v, u);
        let slope = left * ((p.square * v + p.linear) * v + p.constant + p.gain * (x.drive - u_half));
        let bend = left * (2.0 * p.square * v + p.linear);
        let v_end = v + slope / max(max(1.0 - 0.5 * bend, 0.0 - bend), 0.05);
        Next(v_end, u + left * recovery(p, 0.5 * (v + v_end), u_half), spike)
    }
    step(p, s, x, now) {
        let v = s.v + x.input;
        let spike = v >= p.v_peak;
        Next(select(v, p.c, spike), select(s.u, s.u + p.d, spike), spike)
    }
}

kernel! {
    /// `Published`.
    pub mod published;
    params {
        /// dt/2 (ms).
        half: f32,
        k1: f32,
        /// k0 + I_e.
        k0: f32,
        v_peak: f32,
        c: f32,
        d: f32,
        /// u' = u_per_v v + u_constant − u_leak u, per step.
        u_per_v: f32,
        u_constant: f32,
        u_leak: f32,
    }
    state { v: f32 in Membrane, u: f32 in Recovery }
    input { drive, input }
    step(p, s, x, now) {
        let rest = p.k0 + (x.drive + x.input) - s.u;
        let v_half = s.v + p.half * ((0.04 * s.v + p.k1) * s.v + rest);
        let v = v_half + p.half * ((0.04 * v_half + p.k1) * v_half + rest);
        let u = s.u + (p.u_per_v * v + p.u_constant - p.u_leak * s.u);
        let spike = v >= p.v_peak;
        Next(select(v, p.c, spike), select(u, u + p.d, spike), spike)
    }
}

kernel! {
    /// `PublishedSingle`.
    pub mod published_single;
    params {
        dt: f32,
        k1: f32,
        /// k0 + I_e.
        k0: f32,
        v_peak: f32,
        c: f32,
        d: f32,
        /// u' = u_per_v v + u_constant − u_leak u, per step.
        u_per_v: f32,
        u_constant: f32,
        u_leak: f32,
        /// Steps of the simulation per step of the scheme.
        every: i32,
    }
    state { v: f32 in Membrane, u: f32 in Recovery }
    input { drive, input }
    step(p, s, x, now) {
        let v = s.v + p.dt * ((0.04 * s.v + p.k1) * s.v + (p.k0 + (x.drive + x.input) - s.u));
        let u = s.u + (p.u_per_v * v + p.u_constant - p.u_leak * s.u);
        let due = now % p.every == 0;
        let spike = due && v >= p.v_peak;
        Next(select(s.v, select(v, p.c, spike), due), select(s.u, select(u, u + p.d, spike), due), spike)
    }
}

kernel! {
    /// `Euler`.
    pub mod euler;
    params {
        dt: f32,
        k1: f32,
        /// k0 + I_e.
        k0: f32,
        v_peak: f32,
        c: f32,
        d: f32,
        /// u' = u_per_v v + u_constant − u_leak u, per step.
        u_per_v: f32,
        u_constant: f32,
        u_leak: f32,
    }
    state { v: f32 in Membrane, u: f32 in Recovery }
    input { drive, input }
    step(p, s, x, now) {
        let v = s.v + p.dt * ((0.04 * s.v + p.k1) * s.v + (p.k0 + x.drive - s.u)) + x.input;
        let u = s.u + (p.u_per_v * s.v + p.u_constant - p.u_leak * s.u);
        let spike = v >= p.v_peak;
        Next(select(v, p.c, spike), select(u, u + p.d, spike), spike)
    }
}

/// Joins kernels with equal columns and inputs to one, which looks once per region and step which of them to run.
macro_rules! schemes {
    ($($scheme:ident: $kernel:ident),*) => {
        /// The constants of one neuron in its scheme.
        #[derive(Clone, Copy)]
        pub enum Constants {
            $(#[doc = concat!("Of `", stringify!($scheme), "`.")] $scheme($kernel::Params)),*
        }

        /// The constants of all neurons of a region in its scheme.
        pub enum RegionConstants {
            $(#[doc = concat!("Of `", stringify!($scheme), "`.")] $scheme(Parameters<$kernel::Executor>)),*
        }

        /// Pointers to the columns, for each scheme.
        #[derive(Clone, Copy)]
        pub struct Pointers {
            $($kernel: $kernel::Pointers),*
        }

        /// The kernel that is the one of a region's scheme.
        pub struct Schemes;

        impl Kernel for Schemes {
            type Params = Constants;
            type ParamChunk = RegionConstants;
            type State = stable::State;
            type Columns = <stable::Executor as Kernel>::Columns;
            type Pointers = Pointers;

            const NAME: &'static str = "izhikevich";
            const RECEPTORS: &'static [&'static str] = stable::Executor::RECEPTORS;
            const COLUMNS: &'static [&'static str] = stable::Executor::COLUMNS;
            const RANGES: &'static [Range] = stable::Executor::RANGES;

            fn wgsl() -> Vec<(&'static str, String)> {
                [$($kernel::Executor::wgsl()),*].concat()
            }

            fn insert(entity: &mut EntityWorldMut<'_>, states: &[Self::State]) {
                stable::Executor::insert(entity, states);
            }

            fn pointers(item: &mut <Self::Columns as QueryData>::Item<'_, '_>) -> Pointers {
                Pointers { $($kernel: $kernel::Executor::pointers(item)),* }
            }

            fn quiet(region: &EntityWorldMut<'_>) -> Vec<bool> {
                stable::Executor::quiet(region)
            }

            /// One entry for all chunks: the scheme's own chunks are inside.
            fn pack(params: &[Constants]) -> Vec<RegionConstants> {
                vec![match params[0] {
                    $(Constants::$scheme(_) => {
                        let own: Vec<_> = params
                            .iter()
                            .filter_map(|p| if let Constants::$scheme(own) = p { Some(*own) } else { None })
                            .collect();
                        RegionConstants::$scheme(Parameters::PerNeuron($kernel::Executor::pack(&own)))
                    })*
                }]
            }

            fn register(app: &mut App) {
                stable::Executor::register(app);
            }

            unsafe fn step_chunks(
                simd: SimdLevel,
                parameters: &Parameters<Self>,
                substeps: u32,
                now: i32,
                columns: Pointers,
                lane: &LaneChunks<'_>,
            ) {
                match parameters {
                    $(Parameters::Uniform(Constants::$scheme(own)) => {
                        let own = Parameters::Uniform(*own);
                        // SAFETY: the caller's promise.
                        unsafe { $kernel::Executor::step_chunks(simd, &own, substeps, now, columns.$kernel, lane) }
                    })*
                    Parameters::PerNeuron(region) => match &region[0] {
                        $(RegionConstants::$scheme(own) => {
                            // SAFETY: the caller's promise.
                            unsafe { $kernel::Executor::step_chunks(simd, own, substeps, now, columns.$kernel, lane) }
                        })*
                    },
                }
            }
        }
    };
}

schemes!(Stable: stable, Published: published, PublishedSingle: published_single, Euler: euler);

impl Izhikevich {
    /// A neuron with these a, b, c and d.
    pub fn new(
        a: impl Into<Distribution>,
        b: impl Into<Distribution>,
        c: impl Into<Distribution>,
        d: impl Into<Distribution>,
    ) -> Self {
        Self {
            a: Some(a.into()),
            b: Some(b.into()),
            c: Some(c.into()),
            d: Some(d.into()),
            ..default()
        }
    }

    /// The same neuron in another scheme.
    pub fn with_scheme(self, scheme: IzhikevichScheme) -> Self {
        Self { scheme, ..self }
    }

    /// The distributions of a, b, c and d, before jitter.
    fn shape(&self) -> [(&'static str, Distribution); 4] {
        let [a, b, c, d] = self.preset.values();
        let given =
            |value: &Option<Distribution>, preset: f64| value.clone().unwrap_or(preset.into());
        [
            ("a", given(&self.a, a)),
            ("b", given(&self.b, b)),
            ("c", given(&self.c, c)),
            ("d", given(&self.d, d)),
        ]
    }

    /// a, b, c and d of one neuron.
    fn shape_of(&self, neuron: &Sample<'_>) -> [f64; 4] {
        self.shape().map(|(field, distribution)| {
            let value = neuron.parameter(field, &distribution);
            if self.jitter == 0.0 {
                return value;
            }
            let factor = Distribution::Normal {
                mean: 1.0,
                sd: self.jitter,
                min: Some(0.0),
                max: Some(2.0),
            };
            value * neuron.parameter(&format!("jitter of {field}"), &factor)
        })
    }
}

impl Izhikevich {
    /// Steps of the simulation of `dt` ms per step of the scheme.
    fn steps_of_scheme(&self, dt: f64) -> i32 {
        self.step_ms
            .map_or(1, |step_ms| (step_ms / dt).round().clamp(1.0, 1e6) as i32)
    }
}

/// The longest sub-step, at most `substep_ms`, in which neither rule of the stable scheme meets a pole below the peak: f' at the
/// peak and the leak of recovery (both per ms) must be small against it.
pub(super) fn stable_substep(substep_ms: f64, steepest: f64, recovery: f64) -> f64 {
    substep_ms
        .min(1.0 / steepest.max(1e-9))
        .min(0.5 / recovery.max(1e-9))
}

impl NeuronModel for Izhikevich {
    type Kernel = Schemes;
    const RECEPTORS: &'static [Receptor] = &[Receptor {
        name: "input",
        sign: Sign::Any,
        unit: "mV",
    }];

    fn derive(&self, neuron: &Sample<'_>, dt: f64) -> Constants {
        let at = |field, distribution| neuron.parameter(field, distribution);
        let [a, b, c, d] = self.shape_of(neuron);
        let (k1, k0) = (
            at("k1", &self.k1),
            at("k0", &self.k0) + at("i_e", &self.i_e),
        );
        let (v_off, e) = (at("v_off", &self.v_off), at("e", &self.e));
        let h = dt / f64::from(self.substeps(dt));
        let (k1, k0, v_peak, c, d) = (
            k1,
            k0,
            at("v_peak", &self.v_peak) as f32,
            c as f32,
            d as f32,
        );
        let u_per_v = (h * a * b) as f32;
        let u_constant = (h * a * b * v_off) as f32;
        let u_leak = (h * a * e) as f32;
        let step_ms = dt;
        let (dt, half) = (dt as f32, (0.5 * dt) as f32);
        match self.scheme {
            IzhikevichScheme::Stable => Constants::Stable(stable::Params {
                square: (0.04 * h) as f32,
                linear: (k1 * h) as f32,
                constant: (k0 * h) as f32,
                gain: h as f32,
                v_peak,
                c,
                d,
                u_per_v,
                u_constant,
                u_leak,
            }),
            IzhikevichScheme::Published => {
                let (k1, k0) = (k1 as f32, k0 as f32);
                Constants::Published(published::Params {
                    half,
                    k1,
                    k0,
                    v_peak,
                    c,
                    d,
                    u_per_v,
                    u_constant,
                    u_leak,
                })
            }
            IzhikevichScheme::PublishedSingle => {
                let (k1, k0) = (k1 as f32, k0 as f32);
                let every = self.steps_of_scheme(step_ms);
                let times = every as f32;
                Constants::PublishedSingle(published_single::Params {
                    dt: (self.step_ms.unwrap_or(step_ms)) as f32,
                    k1,
                    k0,
                    v_peak,
                    c,
                    d,
                    u_per_v: u_per_v * times,
                    u_constant: u_constant * times,
                    u_leak: u_leak * times,
                    every,
                })
            }
            IzhikevichScheme::Euler => {
                let (k1, k0) = (k1 as f32, k0 as f32);
                Constants::Euler(euler::Params {
                    dt,
                    k1,
                    k0,
                    v_peak,
                    c,
                    d,
                    u_per_v,
                    u_constant,
                    u_leak,
                })
            }
        }
    }

    fn initial(&self, neuron: &Sample<'_>, _dt: f64) -> stable::State {
        let [_, b, ..] = self.shape_of(neuron);
        let v = neuron.initial("v", -65.0);
        let u = b * (v + neuron.parameter("v_off", &self.v_off));
        stable::State {
            v: v as f32,
            u: neuron.initial("u", u) as f32,
        }
    }

    fn substeps(&self, dt: f64) -> u32 {
        if self.scheme != IzhikevichScheme::Stable {
            return 1;
        }
        let steepest = 0.08 * self.v_peak.largest_magnitude() + self.k1.largest_magnitude();
        let recovery = self.shape()[0].1.largest_magnitude() * self.e.largest_magnitude();
        substeps_within(dt, stable_substep(self.substep_ms, steepest, recovery))
    }

    fn is_self_driven(&self) -> bool {
        self.i_e != Distribution::Constant(0.0)
    }

    fn check(&self, dt: f64) -> Result<(), String> {
        if let Some(step_ms) = self.step_ms {
            if self.scheme != IzhikevichScheme::PublishedSingle {
                return Err("step_ms belongs to the scheme PublishedSingle; leave it out or choose that scheme".into());
            }
            let times = step_ms / dt;
            if !(0.5..=1e6).contains(&times) || (times - times.round()).abs() > 1e-6 * times {
                return Err(format!(
                    "step_ms is {step_ms} ms, which is no multiple of the simulation's step of {dt} ms"
                ));
            }
        }
        let [_, _, (_, c), _] = self.shape();
        check_below(("c", &c), ("v_peak", &self.v_peak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stable_of(model: &Izhikevich, dt: f64) -> (stable::Params, stable::State) {
        let sample = Sample::new(1, 2, 0, &[]);
        match model.derive(&sample, dt) {
            Constants::Stable(p) => (p, model.initial(&sample, dt)),
            _ => panic!("not the stable scheme"),
        }
    }

    fn input(drive: f32, input: f32) -> stable::Input {
        stable::Input { drive, input }
    }

    #[test]
    fn the_stable_scheme_reaches_the_peak_when_the_tangent_does() {
        // With a = 0 recovery stands still and v' = 0.04 v² + 5 v + q has the solution
        // v(t) = (√D tan(√D t/2 + φ) − 5)/0.08, D = 0.16 q − 25. The error is of second order.
        for (substep_ms, tolerance) in [(0.2, 0.04), (0.1, 0.01), (0.05, 0.0025)] {
            for current in [5.0, 10.0, 200.0] {
                let model = Izhikevich {
                    substep_ms,
                    ..Izhikevich::new(0.0, 0.2, -65.0, 0.0)
                };
                let (p, mut s) = stable_of(&model, 1.0);
                let h = 1.0 / f64::from(model.substeps(1.0));
                let q = 140.0 + 13.0 + current;
                let root = (0.16 * q - 25.0f64).sqrt();
                let angle = |v: f64| ((0.08 * v + 5.0) / root).atan();
                let expected = 2.0 / root * (angle(30.0) - angle(-65.0));
                let mut steps = 0;
                let after = loop {
                    let next = stable::repeat(p, s, input(current as f32, 0.0), 0);
                    s = stable::State {
                        v: next.v,
                        u: next.u,
                    };
                    if next.spike {
                        break f64::from(s.v);
                    }
                    steps += 1;
                };
                // From the reset v has moved along the same tangent for what was left of the sub-step.
                let left = 2.0 / root * (angle(after) - angle(-65.0));
                let found = f64::from(steps + 1) * h - left;
                assert!(
                    (found - expected).abs() < tolerance,
                    "I = {current}, h = {h}: {found} of {expected} ms"
                );
            }
        }
    }

    #[test]
    fn recovery_alone_relaxes_exponentially() {
        let (p, s) = stable_of(&Izhikevich::default(), 1.0);
        // With gain 0 and v at its resting point, −65 being none: hold v by taking its whole equation away.
        let held = stable::Params {
            square: 0.0,
            linear: 0.0,
            constant: 0.0,
            gain: 0.0,
            ..p
        };
        let mut s = stable::State { u: 10.0, ..s };
        for _ in 0..1000 {
            let next = stable::repeat(held, s, input(0.0, 0.0), 0);
            s = stable::State {
                v: next.v,
                u: next.u,
            };
        }
        let expected = -13.0 + 23.0 * (-0.02f64 * 100.0).exp();
        assert_eq!(s.v, -65.0);
        assert!(
            (f64::from(s.u) - expected).abs() < 1e-3,
            "u {} of {expected}",
            s.u
        );
    }

    #[test]
    fn inhibition_never_causes_a_spike_in_the_stable_scheme() {
        for current in [-20.0, -300.0, -1e4, -1e5, -1e8] {
            for dt in [0.1, 1.0, 7.0] {
                let model = Izhikevich::default();
                let (p, mut s) = stable_of(&model, dt);
                for _ in 0..5000 {
                    let next = stable::repeat(p, s, input(current, 0.0), 0);
                    assert!(
                        !next.spike && next.v.is_finite(),
                        "I = {current}, dt = {dt}: v {}",
                        next.v
                    );
                    s = stable::State {
                        v: next.v,
                        u: next.u,
                    };
                }
                // It comes to rest where the equation says: 0.04 v² + 4.8 v + 140 + I = 0 once u = 0.2 v.
                let rest = (-4.8 - (4.8 * 4.8 - 0.16 * (140.0 + f64::from(current))).sqrt()) / 0.08;
                assert!(
                    (f64::from(s.v) / rest - 1.0).abs() < 1e-3,
                    "I = {current}, dt = {dt}: {} of {rest}",
                    s.v
                );
            }
        }
    }

    #[test]
    fn inhibition_makes_the_published_scheme_fire() {
        // The trap that the stable scheme is there to avoid: a spike in every step.
        let model = Izhikevich::default().with_scheme(IzhikevichScheme::Published);
        let sample = Sample::new(1, 2, 0, &[]);
        let Constants::Published(p) = model.derive(&sample, 1.0) else {
            panic!("not the published scheme")
        };
        let start = model.initial(&sample, 1.0);
        let mut s = published::State {
            v: start.v,
            u: start.u,
        };
        let mut spikes = 0;
        for now in 0..100 {
            let next = published::step(
                p,
                s,
                published::Input {
                    drive: -300.0,
                    input: 0.0,
                },
                now,
            );
            spikes += i32::from(next.spike);
            s = published::State {
                v: next.v,
                u: next.u,
            };
        }
        assert!(spikes >= 90, "{spikes} spikes in 100 ms");
    }

    #[test]
    fn a_spike_that_arrives_moves_v_by_its_weight_at_the_end_of_the_step() {
        let (p, s) = stable_of(&Izhikevich::default(), 0.1);
        let next = stable::step(p, s, input(0.0, 7.5), 0);
        assert_eq!((next.v, next.u, next.spike), (-57.5, s.u, false));
        let next = stable::step(p, s, input(0.0, 95.0), 0);
        assert_eq!((next.v, next.u, next.spike), (-65.0, s.u + 8.0, true));
    }

    #[test]
    fn jitter_varies_neurons_around_the_preset() {
        let model = Izhikevich {
            jitter: 0.1,
            preset: IzhikevichPreset::FS,
            ..default()
        };
        let shapes: Vec<[f64; 4]> = (0..4000)
            .map(|n| model.shape_of(&Sample::new(1, 2, n, &[])))
            .collect();
        for (i, nominal) in IzhikevichPreset::FS.values().into_iter().enumerate() {
            let mean = shapes.iter().map(|s| s[i]).sum::<f64>() / 4000.0;
            let variance = shapes.iter().map(|s| (s[i] - mean).powi(2)).sum::<f64>() / 4000.0;
            assert!(
                (mean / nominal - 1.0).abs() < 0.008,
                "mean {mean} of {nominal}"
            );
            assert!(
                (variance.sqrt() / nominal.abs() / 0.1 - 1.0).abs() < 0.05,
                "sd {}",
                variance.sqrt()
            );
        }
        assert_ne!(
            shapes[0][0] / 0.1,
            shapes[0][1] / 0.2,
            "each parameter is drawn alone"
        );
        let exact = Izhikevich {
            preset: IzhikevichPreset::FS,
            ..default()
        };
        let sample = Sample::new(1, 2, 0, &[]);
        assert_eq!(exact.shape_of(&sample), IzhikevichPreset::FS.values());
        assert!(!sample.varied());
    }

    #[test]
    fn given_values_replace_those_of_the_preset() {
        let model = Izhikevich {
            preset: IzhikevichPreset::CH,
            d: Some(5.0.into()),
            ..default()
        };
        assert_eq!(
            model.shape_of(&Sample::new(1, 2, 0, &[])),
            [0.02, 0.2, -50.0, 5.0]
        );
        let error = Izhikevich {
            c: Some(40.0.into()),
            ..default()
        }
        .check(1.0)
        .expect_err("40 is above 30");
        assert!(error.contains("c reaches 40"), "{error}");
    }
}
