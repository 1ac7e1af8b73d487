//! What pools do to the excitability of neurons, to what synapses release, and to how they learn: against the equations.

use neuropil::modulation::{Effect, ModulatorSpec, Release};
use neuropil::prelude::*;

/// A neuron whose spikes release a pool, one that gets its current, and one that receives spikes through a projection that the pool changes.
fn scene(effects: Vec<Effect>) -> Scene {
    let mut scene = Scene::default();
    let at = |times: &[f64]| SpikeSource {
        spikes: times.iter().map(|t| (*t, 0)).collect(),
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("raphe", 1, at(&[5.0, 20.0])),
        RegionSpec::new("input", 1, at(&[10.0, 24.0, 60.0])),
        RegionSpec::new(
            "cells",
            3,
            LifDelta {
                v_th: 1e6.into(),
                ..default()
            },
        ),
    ];
    scene.projections = vec![ProjectionSpec::new(
        "input",
        "cells",
        Rule::AllToAll,
        1.5,
        1.0,
    )];
    scene.modulators = vec![ModulatorSpec {
        name: "serotonin".into(),
        tau_ms: Some(30.0),
        released_by: vec![Release {
            from: "raphe".into(),
            neurons: Selection::All,
            amount: 2.0,
            delay_ms: 3.0,
            ..default()
        }],
        effects,
        ..default()
    }];
    scene
}

fn build(scene: &Scene) -> Simulation {
    Simulation::new(scene, &BuildOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The concentration at the start of a step that begins at `ms`.
fn concentration(ms: f64) -> f64 {
    [8.0, 23.0]
        .iter()
        .filter(|t| **t <= ms + 1e-9)
        .map(|t| 2.0 * libm::exp(-(ms - t) / 30.0))
        .sum()
}

#[test]
fn a_pool_drives_the_neurons_that_it_is_given() {
    let scene = scene(vec![Effect::Excitability {
        region: "cells".into(),
        neurons: Selection::List(vec![0, 2]),
        current: -40.0,
    }]);
    let mut simulation = build(&scene);
    for step in 0..800 {
        simulation.step();
        let drive = simulation.column("cells", "drive").expect("a drive");
        let want = -40.0 * concentration(f64::from(step) * 0.1);
        assert!(
            (f64::from(drive[0]) - want).abs() < 1e-3,
            "step {step}: {drive:?}, want {want}"
        );
        assert_eq!((drive[1], drive[2]), (0.0, drive[0]));
    }
}

#[test]
fn a_pool_changes_what_spikes_transmit_within_its_bounds() {
    // The potential jumps by what arrives; in between it decays with 10 ms.
    for (gain, most) in [(0.2, 10.0), (0.9, 2.0), (-0.4, 1.0), (-5.0, 1.0)] {
        let scene = scene(vec![Effect::Release {
            projection: "input → cells".into(),
            neurons: Selection::All,
            gain,
            most,
        }]);
        let mut simulation = build(&scene);
        let mut want = 0.0;
        for time in [10.0, 24.0, 60.0] {
            simulation.run_ms(time + 0.9 - simulation.clock().time_ms());
            let before = f64::from(simulation.column("cells", "v").expect("v")[0]);
            simulation.step();
            let after = f64::from(simulation.column("cells", "v").expect("v")[0]);
            let jump = after + 70.0 - (before + 70.0) * libm::exp(-0.01);
            // The spike was emitted in the step that ended at `time`.
            want = 1.5 * (1.0 + gain * concentration(time - 0.1)).clamp(0.0, most);
            assert!(
                (jump - want).abs() < 1e-3,
                "{gain}, {time}: {jump}, want {want}"
            );
        }
        assert!((want - 1.5).abs() > 0.05);
    }
}

#[test]
fn a_pool_changes_what_chosen_neurons_transmit() {
    let mut scene = scene(vec![
        Effect::Release {
            projection: "input → cells".into(),
            neurons: Selection::List(vec![1]),
            gain: -0.2,
            most: 1.0,
        },
        Effect::Release {
            projection: "input → cells".into(),
            neurons: Selection::List(vec![1, 2]),
            gain: 0.5,
            most: 3.0,
        },
    ]);
    // Each source reaches a target of its own.
    let spikes = (0..3).map(|n| (24.0, n)).collect();
    scene.regions[1] = RegionSpec::new(
        "input",
        3,
        SpikeSource {
            spikes,
            ..default()
        },
    );
    scene.projections[0].rule = Rule::OneToOne;
    for short_term in [
        None,
        Some(TsodyksMarkram {
            u: 1.0,
            ..default()
        }),
    ] {
        scene.projections[0].short_term = short_term;
        let mut simulation = build(&scene);
        simulation.run_ms(24.9);
        let before = simulation.column("cells", "v").expect("v").to_vec();
        simulation.step();
        let after = simulation.column("cells", "v").expect("v").to_vec();
        for (n, gain) in [0.0, 0.3, 0.5].into_iter().enumerate() {
            let jump = f64::from(after[n] - before[n]);
            let want = 1.5 * (1.0 + gain * concentration(23.9));
            assert!((jump - want).abs() < 1e-3, "{n}: {jump}, want {want}");
        }
    }
}

/// Two pools, one on all targets and one on the second: each postsynaptic spike potentiates by what is left of the presynaptic one, times the
/// factor of its moment.
#[test]
fn pools_scale_and_reverse_learning() {
    let effect = |neurons: Selection, gain: f64| Effect::Learning {
        projection: "input → cells".into(),
        neurons,
        gain,
        least: -1.0,
        most: 3.0,
    };
    let mut scene = scene(vec![
        effect(Selection::All, 0.3),
        effect(Selection::List(vec![1]), -2.0),
    ]);
    scene.projections[0].plasticity = vec![RuleValue::new(Stdp {
        a_plus: 0.01,
        a_minus: 0.0,
        w_max: 5.0,
        ..default()
    })];
    let fired = [6.0, 15.0, 30.0, 33.0, 61.5];
    let spike = StimulusKind::Spike {
        times_ms: fired.to_vec(),
    };
    scene.stimuli = vec![StimulusSpec::new("cells", spike)];
    let arrivals = [11.0, 25.0, 61.0];
    // The concentration at a moment, before what is released then.
    let level = |ms: f64| -> f64 {
        let released = [8.0, 23.0].iter().filter(|t| **t < ms - 1e-9);
        released.map(|t| 2.0 * libm::exp(-(ms - t) / 30.0)).sum()
    };
    for dt in [0.1, 0.5] {
        scene.dt_ms = dt;
        let mut simulation = build(&scene);
        simulation.run_ms(80.0);
        let weights = simulation.weights("input → cells").expect("weights");
        for (n, gain) in [0.3, -1.7, 0.3].into_iter().enumerate() {
            let changes = fired.iter().map(|post| {
                let seen = arrivals.iter().filter(|pre| *pre < post);
                let trace: f64 = seen.map(|pre| libm::exp(-(post - pre) / 20.0)).sum();
                (1.0 + gain * level(*post)).clamp(-1.0, 3.0) * 0.05 * trace
            });
            let want = 1.5 + changes.sum::<f64>();
            let got = f64::from(weights[n]);
            assert!(
                (got - want).abs() < 1e-5,
                "{n}, {dt} ms: {got}, want {want}"
            );
        }
        assert!(weights[1] < 1.5 && weights[0] > 1.6);
    }
}

#[test]
fn effects_that_cannot_be_are_refused() {
    let refused = |effect: Effect, tau_ms: Option<f64>, words: &[&str]| {
        let mut scene = scene(vec![effect]);
        scene.modulators[0].tau_ms = tau_ms;
        let Err(error) = Simulation::new(&scene, &BuildOptions::default()) else {
            panic!("this was built");
        };
        let message = error.to_string();
        for word in words {
            assert!(message.contains(word), "{message}: no {word}");
        }
    };
    let release = |projection: &str, most: f64| Effect::Release {
        projection: projection.into(),
        neurons: Selection::All,
        gain: 1.0,
        most,
    };
    refused(
        release("input → cell", 2.0),
        Some(30.0),
        &[
            "modulators[0].effects[0].projection",
            "did you mean \"input → cells\"",
        ],
    );
    refused(release("input → cells", 0.5), Some(30.0), &["most", "0.5"]);
    refused(
        release("input → cells", 2.0),
        None,
        &["effects[0]", "tau_ms"],
    );
    let learning = |neurons: Selection, least: f64| Effect::Learning {
        projection: "input → cells".into(),
        neurons,
        gain: 1.0,
        least,
        most: 2.0,
    };
    refused(
        learning(Selection::All, 0.0),
        Some(30.0),
        &["effects[0].projection", "no learning rule", "`plasticity`"],
    );
    refused(
        learning(Selection::All, 1.5),
        Some(30.0),
        &["effects[0]", "least", "1.5"],
    );
    let current = |region: &str, neurons: Selection| Effect::Excitability {
        region: region.into(),
        neurons,
        current: 1.0,
    };
    refused(
        current("cell", Selection::All),
        Some(30.0),
        &["effects[0].region", "did you mean \"cells\""],
    );
    refused(
        current("cells", Selection::List(vec![3])),
        Some(30.0),
        &["effects[0].neurons", "neuron 3 does not exist"],
    );
}
