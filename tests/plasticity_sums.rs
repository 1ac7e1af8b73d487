//! Several rules on one projection, and rates that fall: against the same rules by themselves.

use neuropil::modulation::{ModulatorSpec, Rewarder};
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;

const PRE: [f64; 9] = [5.0, 12.5, 30.0, 31.0, 44.0, 80.5, 81.0, 120.0, 150.0];
const POST: [f64; 9] = [3.0, 11.5, 20.0, 33.0, 43.0, 60.5, 82.0, 121.0, 140.0];

/// One synapse of weight 0.5 between a neuron that fires at `PRE` and one that fires at `POST` and nowhere else, whose rules are these.
fn scene(rules: Vec<RuleValue>, dendritic: Dendritic) -> Scene {
    let mut scene = Scene::default();
    let source = SpikeSource {
        spikes: PRE.iter().map(|t| (*t, 0)).collect(),
        ..default()
    };
    let deaf = LifExp {
        v_th: 1e9.into(),
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("pre", 1, source),
        RegionSpec::new("post", 1, deaf),
    ];
    let mut projection = ProjectionSpec::new("pre", "post", Rule::AllToAll, 0.5, 1.0);
    projection.name = Some("synapse".into());
    projection.dendritic = dendritic;
    projection.plasticity = rules;
    scene.projections = vec![projection];
    let times_ms = POST.to_vec();
    let forced = StimulusKind::Spike { times_ms };
    scene.stimuli = vec![StimulusSpec::new("post", forced)];
    scene.modulators = vec![ModulatorSpec {
        name: "reward".into(),
        tau_ms: Some(50.0),
        rewards: vec![Rewarder::Schedule {
            times_ms: vec![60.0, 130.0],
            amount: 0.4,
        }],
        ..default()
    }];
    scene
}

/// The weight after every step.
fn course(scene: &Scene) -> Vec<f64> {
    let built = Simulation::new(scene, &BuildOptions::default());
    let mut simulation = built.unwrap_or_else(|e| panic!("{e}"));
    let mut weights = Vec::new();
    for _ in 0..2000 {
        simulation.step();
        let now = simulation.weights("synapse").expect("a plastic projection");
        weights.push(f64::from(now[0]));
    }
    weights
}

fn stdp() -> Stdp {
    // Additive, so that the change does not depend on the weight.
    Stdp {
        a_plus: 0.004,
        a_minus: 0.003,
        ..default()
    }
}

fn inhibitory() -> InhibitoryStdp {
    InhibitoryStdp {
        eta: 0.002,
        rate_hz: 20.0,
        w_max: 1.0,
        ..default()
    }
}

fn rewarded() -> DopamineStdp {
    DopamineStdp {
        a_plus: 0.01,
        a_minus: 0.012,
        modulator: "reward".into(),
        ..default()
    }
}

#[test]
fn the_changes_of_rules_add() {
    for dendritic in [Dendritic::None, Dendritic::All] {
        let alone = |rule| course(&scene(vec![rule], dendritic));
        let parts = [
            alone(RuleValue::new(stdp())),
            alone(RuleValue::new(inhibitory())),
            alone(RuleValue::new(rewarded())),
        ];
        let together = course(&scene(
            vec![
                RuleValue::new(stdp()),
                RuleValue::new(inhibitory()),
                RuleValue::new(rewarded()),
            ],
            dendritic,
        ));
        for (step, got) in together.iter().enumerate() {
            let want = 0.5 + parts.iter().map(|p| p[step] - 0.5).sum::<f64>();
            assert!((got - want).abs() < 2e-6, "step {step}: {got}, want {want}");
        }
        for part in &parts {
            assert!((part[1999] - 0.5).abs() > 1e-3, "{}", part[1999]);
        }
    }
}

#[test]
fn a_sum_keeps_to_the_bounds_of_all_its_rules() {
    let narrow = InhibitoryStdp {
        w_min: 0.49,
        w_max: 0.505,
        ..inhibitory()
    };
    let rules = vec![RuleValue::new(stdp()), RuleValue::new(narrow)];
    let weights = course(&scene(rules, Dendritic::All));
    assert!(weights.iter().all(|w| (0.49..=0.505001).contains(w)));
    assert!(weights.iter().any(|w| *w > 0.5049));
}

#[test]
fn a_snapshot_of_a_sum_resumes_bit_for_bit() {
    let rules = || {
        vec![
            RuleValue::new(stdp()),
            RuleValue::new(rewarded()),
            RuleValue::new(LearningRateDecay {
                tau_ms: 70.0,
                ..default()
            }),
        ]
    };
    let scene = scene(rules(), Dendritic::All);
    let new = || Simulation::new(&scene, &BuildOptions::default()).expect("a network");
    let mut whole = new();
    whole.run_ms(90.0);
    let snapshot = whole.snapshot().expect("a snapshot");
    whole.run_ms(90.0);
    let mut resumed = new();
    resumed.restore(&snapshot).expect("a snapshot that fits");
    resumed.run_ms(90.0);
    assert_eq!(whole.weights("synapse"), resumed.weights("synapse"));
    assert_eq!(whole.tags("synapse"), resumed.tags("synapse"));
}

#[test]
fn a_falling_rate_scales_each_change_by_that_of_its_moment() {
    let full = course(&scene(vec![RuleValue::new(stdp())], Dendritic::All));
    for form in [RateForm::Exponential, RateForm::Hyperbolic] {
        let slowed = course(&scene(
            vec![
                RuleValue::new(stdp()),
                RuleValue::new(LearningRateDecay {
                    tau_ms: 40.0,
                    floor: 0.1,
                    form,
                }),
            ],
            Dendritic::All,
        ));
        let mut want = 0.5;
        for (step, pair) in full.windows(2).enumerate() {
            // The number of the step that ends with the second of both, in ms.
            let t = (step + 2) as f64 * 0.1;
            let left = match form {
                RateForm::Exponential => libm::exp(-t / 40.0),
                RateForm::Hyperbolic => 1.0 / (1.0 + t / 40.0),
            };
            want += (0.1 + 0.9 * left) * (pair[1] - pair[0]);
            let got = slowed[step + 1];
            assert!((got - want).abs() < 2e-6, "step {step}: {got}, want {want}");
        }
    }
}
