//! Random small networks in which every spike is given, and how a simulation of them is built and read.
//!
//! Times are whole numbers of a unit of half a millisecond, so that networks run with steps of one unit, or of a fifth of it, alike.

use neuropil::network::connect::ListEntry;
use neuropil::network::probe::ColumnProbe;
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

/// The unit of time in ms, and the coarse step.
pub const UNIT_MS: f64 = 0.5;
/// The fine step in ms.
pub const FINE_MS: f64 = 0.1;
/// The time constant of the synaptic current of target neurons in ms.
const CURRENT_MS: f64 = 1.0;

/// A time, in units.
pub type Time = i64;

/// A time in ms.
pub fn ms(time: Time) -> f64 {
    time as f64 * UNIT_MS
}

/// Random numbers for the networks: splitmix64.
pub struct Dice(pub u64);

impl Dice {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }

    /// A train of spikes up to `until`, each time with this probability.
    pub fn train(&mut self, until: Time, probability: f64) -> Vec<Time> {
        (1..=until).filter(|_| self.unit() < probability).collect()
    }
}

/// How delays split: what the projection says.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The dendritic part, `Ms` in units.
    pub dendritic: Dendritic,
    /// How long postsynaptic spikes take, if that is given.
    pub back: Option<Time>,
    /// The delays that synapses have.
    pub lengths: &'static [Time],
}

/// Every kind of delay.
pub const DELAYS: [Delays; 7] = [
    Delays::of(Dendritic::None, None),
    Delays::of(Dendritic::All, None),
    Delays::of(Dendritic::Ms(1.0), None),
    Delays::of(Dendritic::Ms(1.0), Some(6)),
    Delays::of(Dendritic::None, Some(3)),
    Delays::of(Dendritic::All, Some(0)),
    Delays {
        dendritic: Dendritic::Ms(2.0),
        back: None,
        lengths: &[2, 5],
    },
];

impl Delays {
    const fn of(dendritic: Dendritic, back: Option<Time>) -> Self {
        Self {
            dendritic,
            back,
            lengths: &[1, 2, 7, 20],
        }
    }

    /// The parts of a delay: axonal, dendritic, and the way back of postsynaptic spikes.
    pub fn parts(&self, delay: Time) -> [Time; 3] {
        let dendritic = match self.dendritic {
            Dendritic::None => 0,
            Dendritic::All => delay,
            Dendritic::Ms(units) => units as Time,
        };
        [delay - dendritic, dendritic, self.back.unwrap_or(dendritic)]
    }

    /// Whether every postsynaptic spike is known at the synapse when a presynaptic one arrives.
    pub fn allow_both(&self) -> bool {
        self.lengths
            .iter()
            .all(|&delay| matches!(self.parts(delay), [_, d, b] if d > 0 || b > 0))
    }
}

/// One synapse.
#[derive(Clone, Copy, Debug)]
pub struct Synapse {
    pub source: usize,
    pub target: usize,
    pub delay: Time,
    pub weight: f64,
}

/// A network of which all spikes are known.
#[derive(Clone, Debug)]
pub struct Network {
    /// The spikes of every source neuron.
    pub sources: Vec<Vec<Time>>,
    /// The spikes of every target neuron.
    pub targets: Vec<Vec<Time>>,
    /// In the order in which a simulation gives weights: by source, by delay, by target.
    pub synapses: Vec<Synapse>,
    pub delays: Delays,
    /// The index of a target neuron in its region is its number times this, so that a network can span several blocks.
    pub spacing: u32,
}

impl Network {
    /// A random network: three to eight neurons on either side, of which a source and a target fire very fast and are joined for sure, a
    /// source and a target (if there are enough) never fire, and a source fires once.
    pub fn random(seed: u64, until: Time, delays: Delays) -> Self {
        let mut dice = Dice(seed);
        let trains = |dice: &mut Dice| -> Vec<Vec<Time>> {
            let neurons = 3 + dice.below(6);
            (0..neurons)
                .map(|neuron| {
                    let rate = 0.02 + 0.15 * dice.unit();
                    dice.train(until, if neuron == 0 { 0.5 } else { rate })
                })
                .collect()
        };
        let (mut sources, mut targets) = (trains(&mut dice), trains(&mut dice));
        sources[1].clear();
        sources[2] = vec![until / 3];
        if targets.len() > 4 {
            targets[2].clear();
        }
        let mut synapses = Vec::new();
        for source in 0..sources.len() {
            for target in 0..targets.len() {
                let mut here = usize::from((source, target) == (0, 0));
                while here > 0 || dice.unit() < 0.55 {
                    here = here.saturating_sub(1);
                    let delay = dice.below(delays.lengths.len() as u64) as usize;
                    synapses.push(Synapse {
                        source,
                        target,
                        delay: delays.lengths[delay],
                        weight: f64::from((0.1 + 0.8 * dice.unit()) as f32),
                    });
                }
            }
        }
        synapses.sort_by_key(|s| (s.source, s.delay, s.target));
        Self {
            sources,
            targets,
            synapses,
            delays,
            spacing: 1,
        }
    }

    /// A random network of which a third goes on, slowly, up to `until`.
    pub fn with_silences(seed: u64, until: Time, delays: Delays, dice: &mut Dice) -> Self {
        let mut network = Self::random(seed, 250, delays);
        for (n, train) in (network.sources.iter_mut())
            .chain(&mut network.targets)
            .enumerate()
        {
            if !train.is_empty() && n % 3 == 0 {
                *train = dice.train(until, 0.004);
            }
        }
        network
    }

    /// When spikes reach a synapse: presynaptic ones, and postsynaptic ones.
    pub fn arrivals(&self, synapse: &Synapse) -> (Vec<Time>, Vec<Time>) {
        let [axonal, _, back] = self.delays.parts(synapse.delay);
        let later = |train: &[Time], by: Time| train.iter().map(|t| t + by).collect();
        (
            later(&self.sources[synapse.source], axonal),
            later(&self.targets[synapse.target], back),
        )
    }

    /// How many pairs of spikes reach a synapse at the same time.
    pub fn coincidences(&self) -> usize {
        let of = |synapse| {
            let (pre, post) = self.arrivals(synapse);
            pre.iter().filter(|t| post.contains(t)).count()
        };
        self.synapses.iter().map(of).sum()
    }

    /// The network as a scene with these rules, in steps of `dt_ms`.
    pub fn scene(&self, rules: Vec<RuleValue>, dt_ms: f64) -> Scene {
        let mut scene = Scene { dt_ms, ..default() };
        let trains = self.sources.iter().enumerate();
        let spikes = trains.flat_map(|(n, train)| train.iter().map(move |t| (ms(*t), n as u32)));
        let source = SpikeSource {
            spikes: spikes.collect(),
            ..default()
        };
        scene
            .regions
            .push(RegionSpec::new("pre", self.sources.len() as u32, source));
        let deaf = LifExp {
            v_th: 1e9.into(),
            tau_syn_ex: CURRENT_MS.into(),
            ..default()
        };
        let neurons = self.spacing * self.targets.len() as u32;
        scene.regions.push(RegionSpec::new("post", neurons, deaf));
        for (n, train) in self.targets.iter().enumerate() {
            let times_ms = train.iter().map(|t| ms(*t)).collect();
            let mut forced = StimulusSpec::new("post", StimulusKind::Spike { times_ms });
            forced.neurons = Selection::List(vec![self.index(n)]);
            scene.stimuli.push(forced);
        }
        let entry = |s: &Synapse| ListEntry {
            source: s.source as u32,
            target: self.index(s.target),
            weight: Some(s.weight),
            delay_ms: Some(ms(s.delay)),
        };
        let mut entries: Vec<_> = self.synapses.iter().map(entry).collect();
        // The order of the list does not matter, but that of several synapses between two neurons is kept.
        entries.sort_by_key(|entry| entry.target);
        let in_ms = |units: f64| units * UNIT_MS;
        scene.projections.push(ProjectionSpec {
            name: Some("synapse".into()),
            from: "pre".into(),
            to: "post".into(),
            rule: Rule::List(entries),
            dendritic: match self.delays.dendritic {
                Dendritic::Ms(units) => Dendritic::Ms(in_ms(units)),
                other => other,
            },
            backpropagation_ms: self.delays.back.map(ms),
            plasticity: rules,
            ..default()
        });
        scene
    }

    /// The index of a target neuron in its region.
    pub fn index(&self, target: usize) -> u32 {
        target as u32 * self.spacing
    }

    /// The simulation of a scene of this network.
    pub fn simulate(&self, scene: &Scene) -> Simulation {
        let mut simulation = build(scene, 1);
        let stored = simulation.synapses("pre", "post");
        assert_eq!(stored.len(), self.synapses.len());
        for (stored, synapse) in stored.iter().zip(&self.synapses) {
            assert_eq!(
                (stored.source, stored.target, stored.delay_ms),
                (
                    synapse.source as u32,
                    self.index(synapse.target),
                    ms(synapse.delay) as f32
                )
            );
        }
        simulation
    }

    /// The synaptic current of every target neuron at every time, worked out from what its synapses send: (neuron, time of arrival,
    /// amount).
    pub fn currents(&self, sent: &[(usize, Time, f64)], until: Time) -> Vec<Vec<f64>> {
        let mut current = vec![vec![0.0; until as usize]; self.targets.len()];
        for &(target, at, amount) in sent {
            for time in at..=until {
                current[target][time as usize - 1] +=
                    amount * libm::exp(-ms(time - at) / CURRENT_MS);
            }
        }
        current
    }

    /// Adds a probe of the synaptic currents.
    pub fn probe_currents(&self, scene: &mut Scene) {
        let neurons = (0..self.targets.len()).map(|n| self.index(n)).collect();
        scene.probes.push(ProbeSpec {
            region: Some("post".into()),
            kind: ProbeKind::Column {
                column: "i_ex".into(),
                neurons: Selection::List(neurons),
                every_ms: UNIT_MS,
            },
        });
    }
}

/// A simulation on a number of threads.
pub fn build(scene: &Scene, threads: usize) -> Simulation {
    let options = BuildOptions {
        threads,
        force_lanes: true,
        ..default()
    };
    Simulation::new(scene, &options).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a simulation up to a time.
pub fn run_to(simulation: &mut Simulation, time: Time) {
    let steps = (ms(time) / simulation.clock().dt_ms()).round() as u64;
    simulation.run_steps(steps - simulation.clock().steps_done());
}

/// The currents that were probed, by time and neuron.
pub fn probed_currents(simulation: &mut Simulation) -> Vec<Vec<f64>> {
    let world = simulation.world_mut();
    let mut probes = world.query::<&ColumnProbe>();
    let probe = probes.single(world).expect("one probe");
    let rows = probe.values.chunks(probe.neurons.len());
    rows.map(|row| row.iter().map(|v| f64::from(*v)).collect())
        .collect()
}
