//! What the tests of whole networks share: the networks, and how to build, observe and compare them.
//!
//! The networks are every scene that ships, and some written here for what no shipped scene has: stores that push, 64-bit sums,
//! several blocks per lane, a store whose way of delivery depends on the number of lanes, and one of every stimulus, source and probe.

#![allow(dead_code, reason = "each test uses its part")]

use neuropil::modulation::effects::Effect;
use neuropil::network::probe::SpikeProbe;
use neuropil::network::propagate::SpikeCount;
use neuropil::network::region::Region;
use neuropil::network::slots::InputSlots;
use neuropil::network::synapses::{SynapseStore, Transfer};
use neuropil::neurons::ReflectNeuronModel;
use neuropil::neurons::poisson_source::PoissonSource;
use neuropil::prelude::*;
use neuropil::scene::load::{LoadedScene, SceneFiles, SceneSource, load};
use neuropil::scene::shipped;
use neuropil::sim::clock::to_steps;
use neuropil::snapshot::file::{Section, Snapshot};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Networks of fewer neurons run for their whole duration, within bounds.
const SMALL: u64 = 2_000;
/// How long a network runs in the tests, in ms.
const LONG_ENOUGH_MS: f64 = 200.0;
/// How long a small one does at most.
const LONGEST_MS: f64 = 1_000.0;
/// How many steps any network takes at most.
const MOST_STEPS: u64 = 10_000;

/// A network to test on.
pub struct Network {
    /// Its name, that of the scene.
    pub name: &'static str,
    /// What it is.
    pub scene: Scene,
    /// How many steps it runs in the tests.
    pub steps: u64,
    /// The registered types.
    pub registry: Registry,
    /// The files it names.
    pub files: SceneFiles,
}

impl Network {
    fn new(name: &'static str, scene: Scene, registry: Registry, files: SceneFiles) -> Self {
        let neurons: u64 = scene.regions.iter().map(|r| u64::from(r.neurons)).sum();
        let longest = if neurons < SMALL {
            LONGEST_MS
        } else {
            LONG_ENOUGH_MS
        };
        let steps = to_steps(scene.duration_ms.min(longest), scene.dt_ms).min(MOST_STEPS);
        Self {
            name,
            scene,
            steps,
            registry,
            files,
        }
    }

    /// The shipped scene `name`.
    pub fn shipped(name: &'static str) -> Self {
        let registry = Registry::new();
        let loaded = load_shipped(name, &[], &registry);
        let files = SceneFiles::beside(&loaded.source);
        Self::new(name, loaded.scene, registry, files)
    }

    /// A network made in Rust.
    pub fn made(name: &'static str, scene: Scene) -> Self {
        Self::new(name, scene, Registry::new(), SceneFiles::default())
    }

    /// Simulated time of a test, in ms.
    pub fn duration_ms(&self) -> f64 {
        self.steps as f64 * self.scene.dt_ms
    }

    /// Builds it.
    pub fn build(&self, options: &BuildOptions) -> Simulation {
        self.build_scene(&self.scene, options)
    }

    /// Builds a variation of it.
    pub fn build_scene(&self, scene: &Scene, options: &BuildOptions) -> Simulation {
        let prepared =
            neuropil::scene::prepare::prepare(scene, &self.registry.types.read(), &self.files)
                .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        Simulation::build(
            scene,
            &prepared,
            &self.registry,
            &self.files,
            options,
            &|_| {},
        )
        .unwrap_or_else(|e| panic!("{}: {e}", self.name))
    }

    /// The scene with probes of every kind added: all spikes, population rates, and every column of every region.
    pub fn observed(&self) -> Scene {
        let mut scene = self.scene.clone();
        scene.probes.push(ProbeSpec {
            region: None,
            kind: ProbeKind::Spikes,
        });
        scene.probes.push(ProbeSpec {
            region: None,
            kind: ProbeKind::Rate {
                bin_ms: scene.dt_ms * 7.0,
            },
        });
        let types = self.registry.types.read();
        for region in &self.scene.regions {
            let model = region.model.0.get_represented_type_info().expect("a model");
            let columns = types
                .get_type_data::<ReflectNeuronModel>(model.type_id())
                .expect("a model")
                .columns;
            for column in columns {
                scene.probes.push(ProbeSpec {
                    region: Some(region.name.clone()),
                    kind: ProbeKind::Column {
                        column: (*column).into(),
                        neurons: Selection::Every(region.neurons / 5 + 1),
                        every_ms: scene.dt_ms * 3.0,
                    },
                });
            }
        }
        scene
    }
}

/// Reads a shipped scene.
pub fn load_shipped(name: &str, settings: &[(&str, &str)], registry: &Registry) -> LoadedScene {
    let settings: Vec<_> = settings
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let source = SceneSource::from_text(name, shipped::text(name).expect("a shipped scene"));
    load(source, &settings, registry).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every shipped scene.
pub fn shipped_networks() -> impl Iterator<Item = Network> {
    shipped::SCENES
        .iter()
        .map(|(name, _)| Network::shipped(name))
}

/// Every network: the shipped scenes and those written here.
pub fn networks() -> impl Iterator<Item = Network> {
    shipped_networks().chain([
        rich(),
        pushing(),
        wide(),
        many_blocks(),
        switching(),
        learning(),
        responding(),
        steered(),
        rewarded(),
    ])
}

/// So many threads, each with its lane, however small the network is.
pub fn lanes(threads: usize) -> BuildOptions {
    BuildOptions {
        threads,
        force_lanes: true,
        ..BuildOptions::default()
    }
}

/// Everything of a state column, padding included, and of changing synapses, by section name.
pub fn columns(simulation: &mut Simulation) -> Vec<(String, Section)> {
    let snapshot = simulation.snapshot().expect("a snapshot");
    let is_column = |name: &str| {
        (name.starts_with("region.") && name.contains(".column."))
            || (name.starts_with("projection.") && !name.ends_with(".history"))
            || name.starts_with("modulator.")
    };
    snapshot
        .iter()
        .filter(|(name, _)| is_column(name))
        .map(|(name, s)| (name.to_owned(), s.clone()))
        .collect()
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Spikes, hash and events.
    pub count: SpikeCount,
    /// How the stores deliver. It may depend on the number of lanes, and events count when they are pulled or when they are pushed.
    pub transfers: Vec<Transfer>,
    /// Every state column, and the weights that change.
    pub columns: Vec<(String, Section)>,
}

impl Outcome {
    /// What a simulation has come to.
    pub fn of(simulation: &mut Simulation) -> Self {
        Self {
            count: simulation.spike_count(),
            transfers: transfers(simulation),
            columns: columns(simulation),
        }
    }

    /// Asserts that another run came to the same, saying where it did not.
    pub fn assert_equals(&self, other: &Self, what: &str) {
        let spikes = |outcome: &Self| (outcome.count.spikes, outcome.count.hash);
        assert_eq!(spikes(self), spikes(other), "{what}: spikes differ");
        if self.transfers == other.transfers {
            assert_eq!(
                self.count.events, other.count.events,
                "{what}: events differ"
            );
        }
        assert_eq!(
            self.columns.len(),
            other.columns.len(),
            "{what}: other columns"
        );
        for (a, b) in self.columns.iter().zip(&other.columns) {
            assert_eq!(a.0, b.0, "{what}: other columns");
            assert!(a.1 == b.1, "{what}: {} differs", a.0);
        }
    }
}

/// Builds and runs a network.
pub fn run(network: &Network, options: &BuildOptions) -> Outcome {
    let mut simulation = network.build(options);
    simulation.run_steps(network.steps);
    Outcome::of(&mut simulation)
}

/// Names the first section in which two snapshots differ.
pub fn first_difference(a: &Snapshot, b: &Snapshot) -> Option<String> {
    let names = |s: &Snapshot| {
        s.iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    let (in_a, in_b) = (names(a), names(b));
    let one_sided = in_a
        .iter()
        .find(|n| !b.contains(n))
        .or_else(|| in_b.iter().find(|n| !a.contains(n)));
    if let Some(name) = one_sided {
        return Some(format!("section {name} is in one only"));
    }
    a.iter()
        .zip(b.iter())
        .find(|(x, y)| x.1 != y.1)
        .map(|((name, x), (_, y))| {
            format!(
                "section {name} differs ({} of length {} and {})",
                x.kind(),
                x.len(),
                y.len()
            )
        })
}

/// Every recorded spike as (region, step, neuron), in the order of all three.
pub fn recorded(simulation: &mut Simulation) -> Vec<(u32, u64, u32)> {
    let world = simulation.world_mut();
    let mut probes = world.query::<&SpikeProbe>();
    let mut spikes = Vec::new();
    for probe in probes.iter(world) {
        let index = world.get::<Region>(probe.region).expect("a region").index;
        spikes.extend(
            probe
                .steps
                .iter()
                .zip(&probe.neurons)
                .map(|(step, neuron)| (index, *step, *neuron)),
        );
    }
    spikes.sort_unstable();
    spikes.dedup();
    spikes
}

/// How the stores of a simulation deliver.
pub fn transfers(simulation: &mut Simulation) -> Vec<Transfer> {
    let world = simulation.world_mut();
    let mut stores = world.query::<&SynapseStore>();
    stores.iter(world).map(SynapseStore::transfer).collect()
}

/// Whether input is summed in 64 bits.
pub fn is_wide(simulation: &Simulation) -> bool {
    matches!(
        simulation.world().resource::<InputSlots>(),
        InputSlots::Wide(_)
    )
}

fn poisson(to: &str, rate_hz: f64, weight: f64) -> StimulusSpec {
    let kind = StimulusKind::Poisson {
        rate_hz: rate_hz.into(),
        weight: weight.into(),
        delay_ms: 1.5,
        receptor: None,
    };
    StimulusSpec::new(to, kind)
}

fn normal(mean: f64, sd: f64, min: Option<f64>, max: Option<f64>) -> Distribution {
    Distribution::Normal { mean, sd, min, max }
}

fn cells(name: &str, neurons: u32) -> RegionSpec {
    let model = LifExp {
        i_e: 300.0.into(),
        ..default()
    };
    RegionSpec::new(name, neurons, model).starting(
        "v",
        Distribution::Uniform {
            min: -70.0,
            max: -55.0,
        },
    )
}

/// 200 delays and short rows, so that spikes are pushed: 1,000 neurons, drawn weights.
pub fn pushing() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 5,
        ..Scene::default()
    };
    scene.regions = vec![cells("excitatory", 800), cells("inhibitory", 200)];
    let delay = || Distribution::Uniform {
        min: 0.1,
        max: 20.0,
    };
    for (from, degree, weight) in [
        ("excitatory", 20, normal(40.0, 10.0, Some(0.0), None)),
        ("inhibitory", 5, normal(-200.0, 20.0, None, Some(0.0))),
    ] {
        for to in ["excitatory", "inhibitory"] {
            scene.projections.push(ProjectionSpec::new(
                from,
                to,
                Rule::FixedIndegree(degree),
                weight.clone(),
                delay(),
            ));
            scene.projections.last_mut().expect("just added").receptor = Some(from.into());
        }
    }
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 30.0),
        poisson("inhibitory", 3_000.0, 30.0),
    ];
    Network::made("pushing", scene)
}

/// Every kind of changing synapse, with delays of all parts, beside static ones that push: 500 neurons.
pub fn learning() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 9,
        ..Scene::default()
    };
    scene.regions = vec![
        cells("excitatory", 320),
        cells("inhibitory", 80),
        cells("output", 100),
    ];
    scene.regions[2].intrinsic = Some(IntrinsicPlasticity {
        rate_hz: 15.0,
        tau_ms: 300.0,
        ..default()
    });
    let delays = || Distribution::Uniform { min: 0.1, max: 4.0 };
    let weights = || Distribution::Uniform {
        min: 0.0,
        max: 60.0,
    };
    let join = |from: &str, to: &str, degree: u32| {
        ProjectionSpec::new(from, to, Rule::FixedIndegree(degree), weights(), delays())
    };
    let mut recurrent = join("excitatory", "excitatory", 30).learning(Stdp {
        w_max: 60.0,
        ..default()
    });
    recurrent.dendritic = Dendritic::Ms(0.1);
    recurrent.short_term = Some(TsodyksMarkram::default());
    recurrent = recurrent.learning(Budget {
        total: 700.0,
        every_ms: 7.0,
        ..default()
    });
    let mut forward = join("excitatory", "output", 20).learning(TripletStdp {
        w_max: 60.0,
        a3_plus: 0.5,
        a2_minus: 0.4,
        ..default()
    });
    forward.dendritic = Dendritic::All;
    forward = forward.learning(ConvergentDecay {
        w_rest: 30.0,
        tau_ms: 500.0,
    });
    let mut lateral = join("output", "output", 10).learning(Stdp {
        w_max: 60.0,
        pairing: Pairing::PreCentred,
        order: SendOrder::SendThenChange,
        ..default()
    });
    lateral.backpropagation_ms = Some(1.3);
    let scaling = HomeostaticScaling {
        tau_rate_ms: 50.0,
        tau_ms: 400.0,
        every_ms: 3.0,
        ..default()
    };
    lateral = lateral.learning(scaling.clone());
    let rewarded = join("excitatory", "inhibitory", 20).learning(DopamineStdp {
        w_max: 60.0,
        gain: 0.1,
        ..default()
    });
    let rewarded = rewarded.learning(Budget {
        total: 150.0,
        over: BudgetOver::Sources,
        how: Normalisation::Subtractive,
        every_ms: 11.0,
    });
    let mut inhibition = ProjectionSpec::new(
        "inhibitory",
        "excitatory",
        Rule::FixedIndegree(10),
        -100.0,
        1.5,
    )
    .learning(InhibitoryStdp {
        eta: 2.0,
        w_max: 400.0,
        ..default()
    });
    inhibition.name = Some("inhibition".into());
    inhibition = inhibition.learning(scaling.clone());
    let mut facilitating = join("inhibitory", "output", 5);
    facilitating.weight = Some((-50.0).into());
    facilitating.short_term = Some(TsodyksMarkram {
        u: 0.1,
        tau_rec: 100.0,
        tau_fac: 500.0,
        tau_psc: 0.0,
    });
    let still = ProjectionSpec::new(
        "output",
        "excitatory",
        Rule::FixedIndegree(3),
        normal(20.0, 5.0, Some(0.0), None),
        Distribution::Uniform {
            min: 0.1,
            max: 20.0,
        },
    );
    let oja = join("output", "inhibitory", 5).learning(Oja {
        w_norm: 40.0,
        w_max: 60.0,
        ..default()
    });
    let bcm = join("output", "excitatory", 3).learning(Bcm {
        eta: 1e-3,
        tau_theta: 50.0,
        w_max: 60.0,
        ..default()
    });
    let kept = join("output", "inhibitory", 4)
        .learning(HomeostaticScaling {
            w_max: Some(200.0),
            ..scaling
        })
        .learning(Budget {
            total: 9_000.0,
            over: BudgetOver::Projection,
            every_ms: 5.0,
            ..default()
        });
    scene.projections = vec![
        oja,
        bcm,
        kept,
        recurrent,
        forward,
        lateral,
        rewarded,
        inhibition,
        facilitating,
        still,
    ];
    scene.modulators = vec![ModulatorSpec {
        name: "dopamine".into(),
        tau_ms: Some(50.0),
        baseline: 0.002,
        released_by: vec![Release {
            from: "output".into(),
            neurons: Selection::Range(0, 9),
            amount: 0.01,
            delay_ms: 2.0,
            ..default()
        }],
        rewards: vec![
            Rewarder::Schedule {
                times_ms: vec![20.0, 90.0],
                amount: 0.1,
            },
            Rewarder::Coincidence {
                region: "excitatory".into(),
                first: 3,
                second: 4,
                within_ms: 20.0,
                delay_min_ms: 5.0,
                delay_max_ms: 15.0,
                amount: 0.2,
            },
        ],
        ..default()
    }];
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 30.0),
        poisson("inhibitory", 3_000.0, 30.0),
        poisson("output", 3_000.0, 20.0),
    ];
    Network::made("learning", scene)
}

/// Responses on every kind of synapse and delivery, beside projections without, and of a modulatory axon.
pub fn responding() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 10,
        ..Scene::default()
    };
    scene.regions = vec![
        cells("excitatory", 300),
        RegionSpec::new("inhibitory", 90, LifCondExp::default()),
    ];
    let delays = || Distribution::Uniform { min: 0.1, max: 4.0 };
    let join = |from: &str, to: &str, degree: u32, weight: f64| {
        ProjectionSpec::new(from, to, Rule::FixedIndegree(degree), weight, delays())
    };
    let responses = |terminal: &[Response], spine: &[Response]| {
        Some(Responses {
            terminal: terminal.to_vec(),
            spine: spine.to_vec(),
        })
    };
    let mut pushed = join("excitatory", "excitatory", 10, 4.0);
    pushed.responses = responses(
        &[Response::LimitedFlat { window: 3.0 }],
        &[
            Response::Leaky { tau: 5.0 },
            Response::Scaling { gain: 0.1 },
        ],
    );
    let mut pulled = join("excitatory", "inhibitory", 20, 0.5);
    pulled.delay_ms = Some(1.5.into());
    pulled.responses = responses(&[Response::Alpha { tau: 2.0 }], &[]);
    let mut learning = join("excitatory", "inhibitory", 10, 0.3).learning(Stdp {
        w_max: 1.0,
        ..default()
    });
    learning.dendritic = Dendritic::Ms(0.1);
    learning.short_term = Some(TsodyksMarkram::default());
    let two = Response::DifferenceOfExponentials {
        tau_rise: 0.5,
        tau_decay: 3.0,
    };
    learning.responses = responses(&[], &[two]);
    let mut inhibition = join("inhibitory", "excitatory", 20, -30.0);
    inhibition.responses = responses(&[Response::Scaling { gain: 1.5 }], &[]);
    scene.projections = vec![
        pushed,
        pulled,
        learning,
        inhibition,
        join("excitatory", "excitatory", 5, 20.0).learning(ResponseStdp {
            w_max: 40.0,
            terminal: vec![
                Response::LimitedFlat { window: 5.0 },
                Response::Leaky { tau: 10.0 },
            ],
            spine: vec![Response::Alpha { tau: 8.0 }],
            ..default()
        }),
    ];
    scene.modulators = vec![ModulatorSpec {
        name: "dopamine".into(),
        tau_ms: Some(50.0),
        released_by: vec![Release {
            from: "inhibitory".into(),
            amount: 0.01,
            delay_ms: 2.0,
            response: vec![Response::LimitedFlat { window: 4.0 }],
            ..default()
        }],
        ..default()
    }];
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 35.0),
        poisson("inhibitory", 1_000.0, 1.0),
    ];
    Network::made("responding", scene)
}

/// Rules that follow membranes, sums of rules, rates that fall, settable weights, pools that act on neurons and on release, event-exact
/// neurons that learn and compete, receptors that share a spike, and probes of weights.
pub fn steered() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 11,
        ..Scene::default()
    };
    let competing = Srm {
        threshold: 40.0,
        alpha: 0.1,
        winners: Some(WinnersTakeAll {
            count: 5,
            window_ms: 7.0,
            random_ties: true,
        }),
        ..default()
    };
    scene.regions = vec![
        cells("excitatory", 300),
        RegionSpec::new("membranes", 40, AdExClopath::default()),
        RegionSpec::new("receptors", 60, LifReceptors::default()),
        RegionSpec::new("exact", 20, competing),
        RegionSpec::new("later", 5, Srm::default()),
    ];
    let delays = || Distribution::Uniform { min: 0.1, max: 4.0 };
    let join = |from: &str, to: &str, degree: u32, most: f64| {
        let weights = Distribution::Uniform {
            min: 0.0,
            max: most,
        };
        let mut spec =
            ProjectionSpec::new(from, to, Rule::FixedIndegree(degree), weights, delays());
        spec.name = Some(format!("{from} to {to}"));
        spec
    };
    let voltage = join("excitatory", "membranes", 60, 150.0).learning(Clopath {
        a_minus: 14e-3,
        a_plus: 8e-3,
        w_max: 200.0,
        ..default()
    });
    let sum = join("excitatory", "receptors", 30, 1.0)
        .learning(Stdp::default())
        .learning(InhibitoryStdp {
            w_max: 1.0,
            eta: 0.01,
            ..default()
        })
        .learning(LearningRateDecay {
            tau_ms: 80.0,
            floor: 0.1,
            ..default()
        });
    let set = join("receptors", "membranes", 10, 0.9).learning(Settable::default());
    let mut exact = join("excitatory", "exact", 80, 3.0)
        .learning(TripletStdp {
            w_max: 4.0,
            ..default()
        })
        .learning(Budget {
            total: 120.0,
            every_ms: 10.0,
            ..default()
        });
    exact.short_term = Some(TsodyksMarkram {
        u: 0.7,
        tau_rec: 30.0,
        ..default()
    });
    let modulated = || DopamineStdp {
        a_plus: 0.05,
        a_minus: 0.04,
        tau_c: 2.0,
        gain: 0.1,
        w_max: 3.0,
        modulator: "acetylcholine".into(),
        ..default()
    };
    let mut again = join("receptors", "exact", 20, 3.0).learning(modulated());
    again.name = Some("eligible, exact".into());
    let mut eligible = join("excitatory", "receptors", 10, 1.0)
        .learning(modulated())
        .learning(Budget {
            total: 8.0,
            every_ms: 7.0,
            ..default()
        });
    eligible.name = Some("eligible".into());
    scene.projections = vec![
        voltage,
        sum,
        set,
        exact,
        again,
        eligible,
        join("exact", "later", 10, 150.0),
        join("exact", "excitatory", 3, 40.0),
    ];
    scene.modulators = vec![ModulatorSpec {
        name: "acetylcholine".into(),
        tau_ms: Some(60.0),
        released_by: vec![Release {
            from: "excitatory".into(),
            neurons: Selection::Range(0, 19),
            amount: 0.01,
            delay_ms: 3.0,
            ..default()
        }],
        effects: vec![
            Effect::Excitability {
                region: "membranes".into(),
                neurons: Selection::Range(5, 20),
                current: 300.0,
            },
            Effect::Release {
                projection: "receptors to membranes".into(),
                neurons: Selection::All,
                gain: 0.5,
                most: 2.0,
            },
        ],
        ..default()
    }];
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 35.0),
        poisson("later", 500.0, 60.0),
    ];
    let probe = |kind| ProbeSpec { region: None, kind };
    scene.probes = vec![
        probe(ProbeKind::WeightCourse {
            projection: "excitatory to exact".into(),
            targets: Selection::Range(0, 1),
            every_ms: 1.3,
        }),
        probe(ProbeKind::WeightHistogram {
            projection: "excitatory to receptors".into(),
            bins: 7,
            every_ms: 2.1,
        }),
    ];
    Network::made("steered", scene)
}

/// Rewards of every kind and evaluation on rules with and without a trace, triplets whose depression slides, weight-dependent changes, and a pool
/// that acts on what chosen neurons release and turns round how synapses onto others learn, at neurons of both kinds of time.
pub fn rewarded() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 13,
        ..Scene::default()
    };
    scene.regions = vec![
        cells("excitatory", 200),
        cells("critic", 30),
        cells("output", 60),
        RegionSpec::new("exact", 10, Srm::default()),
    ];
    let join = |from: &str, to: &str, degree: u32, most: f64| {
        let weights = Distribution::Uniform {
            min: 0.0,
            max: most,
        };
        let delays = Distribution::Uniform { min: 0.1, max: 4.0 };
        let mut spec = ProjectionSpec::new(from, to, Rule::FixedIndegree(degree), weights, delays);
        spec.name = Some(format!("{from} to {to}"));
        spec
    };
    let mut instant = join("excitatory", "output", 30, 60.0).learning(Mstdp {
        gamma: 2.0,
        w_min: 0.0,
        w_max: 60.0,
        ..default()
    });
    instant.backpropagation_ms = Some(0.1);
    let mut traced = join("critic", "output", 10, 60.0).learning(Mstdpet {
        gamma: 9.0,
        w_min: 0.0,
        w_max: 60.0,
        modulator: "surprise".into(),
        ..default()
    });
    traced.dendritic = Dendritic::All;
    let predicted = join("excitatory", "critic", 30, 60.0).learning(DopamineStdp {
        gain: 0.4,
        w_max: 60.0,
        modulator: "error".into(),
        ..default()
    });
    let sliding = join("output", "excitatory", 5, 30.0).learning(TripletStdp {
        a3_plus: 0.3,
        a2_minus: 0.3,
        w_max: 30.0,
        dependence: Dependence::Multiplicative,
        metaplasticity: Some(Metaplasticity {
            rate_hz: 30.0,
            tau: 60.0,
        }),
        ..default()
    });
    let powerful = join("excitatory", "excitatory", 20, 50.0).learning(Stdp {
        w_max: 50.0,
        dependence: Dependence::PowerLaw {
            mu: 0.4,
            w_ref: 25.0,
        },
        ..default()
    });
    let momentary = join("excitatory", "exact", 60, 12.0).learning(Mstdp {
        gamma: 0.05,
        w_min: 0.0,
        w_max: 20.0,
        modulator: "dopamine".into(),
        ..default()
    });
    let mut again = join("critic", "exact", 20, 12.0)
        .learning(Stdp {
            w_max: 20.0,
            ..default()
        })
        .learning(Mstdpet {
            gamma: 0.5,
            w_min: 0.0,
            w_max: 20.0,
            coincidence: Coincidence::Ignored,
            ..default()
        });
    again.short_term = Some(TsodyksMarkram::default());
    scene.projections = vec![
        instant,
        traced,
        predicted,
        sliding,
        powerful,
        momentary,
        again,
        join("exact", "output", 3, 50.0),
    ];
    let rewards = |step: f64| -> Vec<Rewarder> {
        let times = |first: f64| (0..8).map(|n| first + step * f64::from(n)).collect();
        let rewarder = |(first, amount): (f64, f64)| Rewarder::Schedule {
            times_ms: times(first),
            amount,
        };
        [(5.0, 0.4), (9.0, -0.3)].map(rewarder).into()
    };
    let gate = |projection: &str, share: f64| Effect::Learning {
        projection: projection.into(),
        neurons: Selection::Fraction(share),
        gain: -6.0,
        least: -2.0,
        most: 2.0,
    };
    let signal = |name: &str, evaluation: Evaluation, step: f64| ModulatorSpec {
        name: name.into(),
        rewards: rewards(step),
        evaluation,
        ..default()
    };
    let error = Evaluation::TemporalDifference {
        critic: "critic".into(),
        value_per_hz: 0.01,
        value_at_rest: 0.1,
        tau_reward_ms: 100.0,
        tau_rate_ms: 30.0,
        tau_rise_ms: 5.0,
    };
    scene.modulators = vec![
        signal("reward", Evaluation::Reward, 17.0),
        signal("surprise", Evaluation::Surprise { rewards: 4.0 }, 13.0),
        signal("error", error, 19.0),
        ModulatorSpec {
            name: "dopamine".into(),
            tau_ms: Some(40.0),
            baseline: 0.1,
            released_by: vec![Release {
                from: "critic".into(),
                amount: 0.02,
                delay_ms: 2.0,
                ..default()
            }],
            effects: vec![
                Effect::Release {
                    projection: "excitatory to output".into(),
                    neurons: Selection::Fraction(0.4),
                    gain: 0.8,
                    most: 2.0,
                },
                gate("excitatory to output", 0.5),
                gate("output to excitatory", 1.0),
                gate("critic to exact", 0.3),
            ],
            ..default()
        },
    ];
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 30.0),
        poisson("critic", 3_000.0, 20.0),
        poisson("output", 2_000.0, 20.0),
    ];
    Network::made("rewarded", scene)
}

/// In-degrees and constant weights that need 64-bit sums, pulled and pushed: 3,000 sources onto 300 neurons.
pub fn wide() -> Network {
    let mut scene = Scene {
        duration_ms: 200.0,
        seed: 6,
        ..Scene::default()
    };
    scene.regions = vec![
        RegionSpec::new(
            "source",
            3_000,
            PoissonSource {
                rate_hz: 10.0.into(),
                ..default()
            },
        ),
        cells("cells", 300),
    ];
    let delay = Distribution::Uniform {
        min: 0.1,
        max: 20.0,
    };
    scene.projections = vec![
        ProjectionSpec::new("source", "cells", Rule::AllToAll, 3.25, 1.0),
        ProjectionSpec::new("cells", "cells", Rule::FixedIndegree(10), 3.0, delay),
    ];
    Network::made("wide", scene)
}

/// More slots than a block can have, so that a lane has several blocks: 70,000 neurons with two receptors each.
pub fn many_blocks() -> Network {
    let mut scene = Scene {
        duration_ms: 30.0,
        seed: 7,
        ..Scene::default()
    };
    scene.regions = vec![cells("excitatory", 56_000), cells("inhibitory", 14_000)];
    for (from, degree, weight) in [("excitatory", 8, 60.0), ("inhibitory", 2, -200.0)] {
        for to in ["excitatory", "inhibitory"] {
            scene.projections.push(ProjectionSpec::new(
                from,
                to,
                Rule::FixedIndegree(degree),
                weight,
                0.8,
            ));
        }
    }
    scene.stimuli = vec![
        poisson("excitatory", 3_000.0, 30.0),
        poisson("inhibitory", 3_000.0, 30.0),
    ];
    Network::made("many blocks", scene)
}

/// 20 delays and rows of middling length: where the number of lanes could make the difference between pulling and pushing.
pub fn switching() -> Network {
    let mut scene = Scene {
        duration_ms: 100.0,
        seed: 8,
        ..Scene::default()
    };
    scene.regions = vec![cells("cells", 1_000)];
    let weight = Distribution::Uniform {
        min: 5.0,
        max: 15.0,
    };
    let delay = Distribution::Uniform { min: 0.1, max: 2.0 };
    scene.projections = vec![ProjectionSpec::new(
        "cells",
        "cells",
        Rule::FixedIndegree(100),
        weight,
        delay,
    )];
    scene.stimuli = vec![poisson("cells", 2_000.0, 20.0)];
    Network::made("switching", scene)
}

/// A scene with one of every stimulus, source and probe, and with files.
pub const RICH: &str = r#"Scene(
    title: "One of everything",
    source: "synthetic",
    outcome: "Spikes in every region.",
    dt_ms: 0.1,
    duration_ms: 150,
    statistics_from_ms: 20,
    parameters: {"w": 25, "gain": 1},
    regions: [
        (name: "noise", neurons: 100, model: PoissonSource(rate_hz: 30, course: Sinusoidal(amplitude_hz: 20, frequency_hz: 10, phase_deg: 90))),
        (name: "listed", neurons: 10, model: SpikeSource(spikes: [(3.5, 2)], file: "spikes.csv", repeat_ms: 25)),
        (name: "cells", neurons: 150, model: LifExp(v_th: Normal(mean: -52, sd: 1), i_e: 200),
         initial: {"v": Uniform(min: -70, max: -55)}, sign: Excitatory, layout: Ball(radius_mm: 0.3)),
        (name: "adapting", neurons: 70, model: AdEx(i_e: 500), layout: Ball(radius_mm: 0.3)),
        (name: "thresholds", neurons: 40, model: LifAdaptive(i_e: 420)),
        (name: "quadratic", neurons: 65, model: Izhikevich(preset: FS, jitter: 0.1)),
        (name: "relays", neurons: 20, model: Relay()),
    ],
    projections: [
        (from: "noise", to: "cells", rule: FixedOutdegree(20), weight: "w", delay_ms: 1),
        (from: "listed", to: "adapting", rule: AllToAll, weight: 1.5, delay_ms: 3),
        (from: "cells", to: "cells", rule: Distance(kernel: Gaussian(sigma_mm: 0.2, peak: 0.4)),
         weight: Normal(mean: "w", sd: 2, min: 0), delay_ms: Normal(mean: 2, sd: 0.5, min: 0.1), autapses: false),
        (from: "cells", to: "adapting", rule: ListFile("connections.csv")),
        (from: "adapting", to: "cells", rule: PairwiseBernoulli(0.1), weight: -20, delay_ms: 1.5, receptor: "inhibitory"),
        (from: "cells", to: "thresholds", rule: FixedTotalNumber(300), weight: "w", delay_ms: 0.7),
        (from: "thresholds", to: "relays", rule: FixedIndegree(1), weight: 1, delay_ms: 5),
        (from: "relays", to: "quadratic", rule: FixedIndegree(3), weight: 4, delay_ms: 2),
    ],
    stimuli: [
        (to: "cells", kind: Direct(amplitude: Uniform(min: 0, max: 100))),
        (to: "cells", window: (start_ms: 30, stop_ms: 60), kind: Step(amplitude: 80)),
        (to: "cells", kind: Alternating(amplitude: 50, offset: 10, frequency_hz: 40, phase_deg: 0)),
        (to: "adapting", window: (start_ms: 10, stop_ms: 100), kind: Ramp(from: 0, to: 300)),
        (to: "quadratic", kind: Noise(mean: 4, sd: 6, interval_ms: 0.5)),
        (to: "thresholds", kind: CurrentFile("currents.csv")),
        (to: "adapting", neurons: Fraction(0.5), kind: Schedule([(5, 100), (50, -50), (90, 200)])),
        (to: "cells", neurons: Every(2), kind: Poisson(rate_hz: "2000 * gain", weight: 12.5, delay_ms: 1.5, receptor: "excitatory")),
        (to: "adapting", kind: Poisson(rate_hz: Uniform(min: 100, max: 900), weight: 2, delay_ms: 0, receptor: "excitatory")),
        (to: "relays", kind: InputSpikes(times_ms: [10, 20, 20, 75.5], weight: 1, delay_ms: 1, receptor: "input")),
        (to: "thresholds", neurons: Range(0, 9), kind: Spike(times_ms: [12, 99.9])),
        (to: "cells", neurons: List([0, 5, 149]), window: (start_ms: 40, stop_ms: 80), kind: Silence),
    ],
    probes: [
        (region: "cells", kind: Spikes),
        (region: "adapting", kind: Column(column: "v", neurons: Range(0, 4), every_ms: 0.5)),
        (region: "cells", kind: Column(column: "drive", neurons: Fraction(0.05), every_ms: 1)),
        (kind: Rate(bin_ms: 5)),
        (kind: Weights(from: "cells", to: "adapting")),
    ],
)
"#;

/// The files that [`RICH`] names, with their contents.
pub fn rich_files() -> BTreeMap<String, Vec<u8>> {
    let mut connections = String::from("source,target,weight,delay_ms\n");
    for i in 0..400u32 {
        let (source, target) = (i * 7 % 150, i * 11 % 70);
        connections += &format!(
            "{source},{target},{},{}\n",
            f64::from(i % 13) * 0.25,
            0.1 + f64::from(i % 17) * 0.3
        );
    }
    let spikes = "times_ms,neuron\n1.0,0\n2.5,1\n7.5,9\n7.5,3\n";
    let currents = "neuron,current\n0,50\n1,-20\n39,75.5\n";
    [
        ("connections.csv", connections.as_str()),
        ("spikes.csv", spikes),
        ("currents.csv", currents),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .collect()
}

/// [`RICH`] as a network.
pub fn rich() -> Network {
    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("rich", RICH), &[], &registry)
        .unwrap_or_else(|e| panic!("{e}"));
    Network::new(
        "rich",
        loaded.scene,
        registry,
        SceneFiles::from_contents(rich_files()),
    )
}

/// Writes [`RICH`] and its files to a folder and returns the scene's path.
pub fn write_rich(folder: &Path) -> PathBuf {
    let path = folder.join("rich.ron");
    std::fs::write(&path, RICH).expect("a scene");
    for (name, bytes) in rich_files() {
        std::fs::write(folder.join(name), bytes).expect("a file of the scene");
    }
    path
}

/// An empty folder of this test's own.
pub fn folder(name: &str) -> PathBuf {
    let path =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    if path.exists() {
        std::fs::remove_dir_all(&path).expect("an old folder goes");
    }
    std::fs::create_dir_all(&path).expect("a folder");
    path
}

/// The program, as a command that runs in `folder`.
pub fn neuropil(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neuropil"));
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// What a process said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// Runs the program to its end.
pub fn say(folder: &Path, args: &[&str]) -> Said {
    said(
        neuropil(folder)
            .args(args)
            .output()
            .expect("the program starts"),
    )
}

/// What a finished process said.
pub fn said(output: Output) -> Said {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8 text");
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Runs the program, which must succeed.
pub fn succeed(folder: &Path, args: &[&str]) -> Said {
    let said = say(folder, args);
    assert_eq!(said.code, Some(0), "neuropil {}: {said:#?}", args.join(" "));
    said
}

/// The `run.json` of a folder.
pub fn report(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("run.json")).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}
