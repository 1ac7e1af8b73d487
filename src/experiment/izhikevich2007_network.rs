//! The network of Izhikevich 2007, which the experiments on distal reward and on conditioning share: 1,000 neurons whose excitatory
//! synapses learn by dopamine-modulated STDP.

use super::Stop;
use crate::modulation::ModulatorSpec;
use crate::network::connect::{ListEntry, Rule};
use crate::network::region::Spikes;
use crate::network::stimulus::StimulusKind;
use crate::neurons::izhikevich::{Izhikevich, IzhikevichPreset, IzhikevichScheme};
use crate::neurons::spike_source::SpikeSource;
use crate::plasticity::Coincidence;
use crate::plasticity::control::NotPlastic;
use crate::plasticity::dopamine::DopamineStdp;
use crate::scene::schema::{ProjectionSpec, RegionSpec, Scene, StimulusSpec};
use crate::sim::rng::{Random, entity_key};
use crate::simulation::Simulation;
use bevy::prelude::{Entity, default};

/// Excitatory neurons, numbers 0 to 799.
pub(super) const EXCITING: u32 = 800;
/// Inhibitory neurons, numbers 800 to 999.
pub(super) const INHIBITING: u32 = 200;
/// The two regions.
pub(super) const REGIONS: [&str; 2] = ["exciting", "inhibiting"];
/// The projections that learn: among excitatory neurons, and onto inhibitory ones.
pub(super) const PLASTIC: [&str; 2] = ["recurrent", "onto inhibition"];
/// The largest excitatory weight.
pub(super) const W_MAX: f64 = 4.0;
/// What is left of a trace after 1 ms, and the time constant in ms.
const LEFT_PER_MS: f64 = 0.95;
const TAU_MS: f64 = 19.495_725_7;
/// A current in mV/ms that makes any neuron fire if it lasts for 1 ms.
const SUPERTHRESHOLD: f64 = 40.0;

/// What every protocol says of the network.
macro_rules! methods {
    () => {
        "\
Network of the author's script: 800 regular spiking neurons (a 0.02, b 0.2, c −65, d 8) and 200 fast spiking ones (a 0.1, d 2); every neuron
sends 100 synapses, inhibitory ones to excitatory neurons only, with a delay of 1 ms; weights are 1 and −1 mV/ms. Every neuron gets uniform noise from
−6.5 to 6.5 in every ms. Steps of 1 ms, v in two half steps.

Excitatory synapses learn by dopamine-modulated STDP within 0 to 4: A₊ 0.1, A₋ 0.15, traces of the nearest spikes that lose 5 % in every ms
(τ 19.5 ms); eligibility decays with 1 s; w' = (0.002 + DA) c, in units of 10 ms. Dopamine decays with 200 ms. As in the script, a target that fires in
the step in which it gets a spike counts as firing after it, with all of A₊, and depression goes by the time from its spike to that of the source.

Here the 100 synapses of an excitatory neuron are 80 to excitatory and 20 to inhibitory neurons; in the script the split is random. The script
applies w' every 10 ms, we apply it continuously.
"
    };
}
pub(super) use methods;

/// The network, with a pool called "dopamine" that nothing fills yet.
pub(super) fn network(seed: u64) -> Scene {
    let mut scene = Scene {
        dt_ms: 1.0,
        seed,
        ..default()
    };
    let cell = |preset| Izhikevich {
        preset,
        scheme: IzhikevichScheme::Published,
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("exciting", EXCITING, cell(IzhikevichPreset::RS)),
        RegionSpec::new("inhibiting", INHIBITING, cell(IzhikevichPreset::FS)),
    ];
    let rule = DopamineStdp {
        a_plus: 0.1,
        // The script counts the time from a target's spike to that of the source, not to its arrival a step later.
        a_minus: 0.15 / LEFT_PER_MS,
        tau_plus: TAU_MS,
        tau_minus: TAU_MS,
        tau_c: 1000.0,
        gain: 0.1,
        w_max: W_MAX,
        nearest: true,
        // A spike that the target fires when it gets that of the source follows it.
        coincidence: Coincidence::PreFirst,
        ..default()
    };
    let join = |name: &str, from: &str, to: &str, degree, weight: f64| {
        let rule = Rule::FixedOutdegree(degree);
        let mut projection = ProjectionSpec::new(from, to, rule, weight, 1.0);
        projection.name = Some(name.into());
        projection.autapses = false;
        projection.multapses = false;
        projection
    };
    scene.projections = vec![
        join("recurrent", "exciting", "exciting", 80, 1.0).learning(rule.clone()),
        join("onto inhibition", "exciting", "inhibiting", 20, 1.0).learning(rule),
        join("inhibition", "inhibiting", "exciting", 100, -1.0),
    ];
    for region in REGIONS {
        let noise = StimulusKind::Noise {
            mean: 0.0,
            // Uniform from −6.5 to 6.5.
            sd: 6.5 / libm::sqrt(3.0),
            interval_ms: 1.0,
            uniform: true,
        };
        scene.stimuli.push(StimulusSpec::new(region, noise));
    }
    scene.modulators = vec![ModulatorSpec {
        name: "dopamine".into(),
        tau_ms: Some(200.0),
        // The constant 0.002 of the script.
        baseline: -0.002,
        ..default()
    }];
    scene
}

/// Lets stimulus `i` excite the neurons of `groups[i]` for 1 ms, beyond threshold, in the step after each (step, stimulus) of `plan`.
pub(super) fn stimulate(scene: &mut Scene, groups: &[Vec<u32>], plan: &[(u64, u32)]) {
    let source = SpikeSource {
        spikes: (plan.iter())
            .map(|(step, stimulus)| (*step as f64, *stimulus))
            .collect(),
        ..default()
    };
    let region = RegionSpec::new("stimuli", groups.len() as u32, source);
    scene.regions.push(region);
    for (to, neurons) in [
        ("exciting", 0..EXCITING),
        ("inhibiting", EXCITING..EXCITING + INHIBITING),
    ] {
        let mut list = Vec::new();
        for (source, group) in groups.iter().enumerate() {
            let members = group.iter().filter(|n| neurons.contains(n));
            list.extend(members.map(|n| ListEntry {
                source: source as u32,
                target: n - neurons.start,
                ..default()
            }));
        }
        if !list.is_empty() {
            let rule = Rule::List(list);
            let projection = ProjectionSpec::new("stimuli", to, rule, SUPERTHRESHOLD, 1.0);
            scene.projections.push(projection);
        }
    }
}

/// `count` of the numbers below `of` in random order, without repetition.
pub(super) fn choose(random: &Random, index: u64, count: usize, of: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..of).collect();
    let mut draws = random.draws(index);
    for i in 0..count.min(numbers.len()) {
        let j = i + draws.below(of - i as u32) as usize;
        numbers.swap(i, j);
    }
    numbers.truncate(count);
    numbers
}

/// Random numbers of a run for one thing.
pub(super) fn random(seed: u64, what: &str) -> Random {
    Random::new(seed, entity_key(what), crate::sim::rng::Purpose::Choice)
}

/// The entities of [`REGIONS`].
///
/// # Errors
/// If the network has no such region.
pub(super) fn regions(simulation: &mut Simulation) -> Result<[Entity; 2], Stop> {
    let mut find = |name| {
        let found = simulation.region(name);
        found.ok_or_else(|| Stop::from(format!("there is no region {name}")))
    };
    Ok([find(REGIONS[0])?, find(REGIONS[1])?])
}

/// The neurons that spiked in the newest step, numbered through both regions.
pub(super) fn spiked(simulation: &Simulation, regions: [Entity; 2]) -> impl Iterator<Item = u32> {
    regions
        .into_iter()
        .zip([0, EXCITING])
        .filter_map(|(region, first)| Some((simulation.world().get::<Spikes>(region)?, first)))
        .flat_map(|(spikes, first)| spikes.list.iter().map(move |n| n + first))
}

/// Holds or releases all plastic weights.
pub(super) fn freeze(simulation: &mut Simulation, frozen: bool) -> Result<(), Stop> {
    for name in PLASTIC {
        simulation.freeze(name, frozen).map_err(failed)?;
    }
    Ok(())
}

/// A failed request for weights, as the end of a run.
pub(super) fn failed(error: NotPlastic) -> Stop {
    Stop::from(error.to_string())
}

/// The mean; 0 for none.
pub(super) fn average(values: impl IntoIterator<Item = impl Into<f64>>) -> f64 {
    let (sum, count) =
        (values.into_iter()).fold((0.0, 0u64), |(sum, count), v| (sum + v.into(), count + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::build::BuildOptions;

    #[test]
    fn a_choice_has_no_repetition_and_depends_on_its_index() {
        let random = random(3, "groups");
        let mut some = choose(&random, 0, 50, 1000);
        assert_ne!(some, choose(&random, 1, 50, 1000));
        assert_eq!(some, choose(&random, 0, 50, 1000));
        some.sort_unstable();
        some.dedup();
        assert_eq!(some.len(), 50);
        assert!(some.iter().all(|n| *n < 1000));
        assert_eq!(choose(&random, 0, 9, 3).len(), 3);
    }

    #[test]
    fn a_stimulus_makes_its_whole_group_fire_at_once_and_no_other() {
        let mut scene = network(5);
        let groups = vec![
            choose(&random(5, "groups"), 0, 50, EXCITING + INHIBITING),
            choose(&random(5, "groups"), 1, 50, EXCITING + INHIBITING),
        ];
        stimulate(&mut scene, &groups, &[(200, 1)]);
        let mut simulation =
            Simulation::new(&scene, &BuildOptions::default()).expect("a simulation");
        let regions = regions(&mut simulation).expect("regions");
        simulation.run_steps(200);
        let mut fired = Vec::new();
        for _ in 0..4 {
            simulation.step();
            fired.extend(spiked(&simulation, regions));
        }
        assert!(groups[1].iter().filter(|n| fired.contains(n)).count() >= 49);
        let others = groups[0].iter().filter(|n| fired.contains(n)).count();
        assert!(others < 15, "{others}");
    }
}
