//! Learning rules and short-term dynamics against NEST and Brian2: `reference/stdp_pairs_nest.json`, `stp_nest.json`,
//! `plasticity_brian2.json` and `dopamine_nest.json`.

use neuropil::network::probe::ColumnProbe;
use neuropil::prelude::*;
use neuropil::scene::schema::Dendritic;
use serde_json::Value;

fn reference(file: &str) -> Value {
    let path = format!("{}/tests/reference/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array();
    let list = list.unwrap_or_else(|| panic!("{value} is not a list"));
    list.iter().map(number).collect()
}

/// One synapse between a neuron that fires at `pre_ms` and one that fires at `post_ms` and nowhere else.
fn pair(pre_ms: &[f64], post_ms: &[f64], delay_ms: f64, weight: f64) -> Scene {
    let mut scene = Scene::default();
    let spikes = pre_ms.iter().map(|t| (*t, 0)).collect();
    scene.regions.push(RegionSpec::new(
        "pre",
        1,
        SpikeSource {
            spikes,
            ..default()
        },
    ));
    let deaf = LifExp {
        v_th: 1e9.into(),
        tau_syn_ex: 3.0.into(),
        ..default()
    };
    scene.regions.push(RegionSpec::new("post", 1, deaf));
    let mut projection = ProjectionSpec::new("pre", "post", Rule::AllToAll, weight, delay_ms);
    projection.name = Some("synapse".into());
    scene.projections.push(projection);
    let times_ms = post_ms.to_vec();
    scene
        .stimuli
        .push(StimulusSpec::new("post", StimulusKind::Spike { times_ms }));
    scene
}

fn simulate(scene: &Scene) -> Simulation {
    Simulation::new(scene, &BuildOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The weight just after each of the given times.
fn weights_at(simulation: &mut Simulation, times_ms: &[f64]) -> Vec<f64> {
    times_ms
        .iter()
        .map(|time| {
            let now = simulation.clock().time_ms();
            simulation.run_ms(time - now);
            f64::from(simulation.weights("synapse").expect("a plastic projection")[0])
        })
        .collect()
}

fn rule_of(case: &Value) -> RuleValue {
    let p = &case["params"];
    let at = |key: &str| number(&p[key]);
    let pair = |pairing: Pairing, dependence: Dependence| Stdp {
        a_plus: at("lambda"),
        a_minus: at("lambda") * at("alpha"),
        tau_plus: at("tau_plus"),
        tau_minus: at("tau_minus"),
        w_max: p["Wmax"].as_f64().unwrap_or(100.0),
        pairing,
        dependence,
        ..default()
    };
    let powers = || Dependence::Guetig {
        mu_plus: at("mu_plus"),
        mu_minus: at("mu_minus"),
    };
    match case["rule"].as_str().expect("a name") {
        "pair_additive" => RuleValue::new(pair(Pairing::AllToAll, Dependence::Additive)),
        "pair_multiplicative" => {
            RuleValue::new(pair(Pairing::AllToAll, Dependence::Multiplicative))
        }
        "pair_guetig" => RuleValue::new(pair(Pairing::AllToAll, powers())),
        "power_law" => {
            let dependence = Dependence::PowerLaw {
                mu: at("mu"),
                w_ref: 1.0,
            };
            RuleValue::new(pair(Pairing::AllToAll, dependence))
        }
        "nn_symmetric" => RuleValue::new(pair(Pairing::Nearest, powers())),
        "nn_pre_centered" => RuleValue::new(pair(Pairing::PreCentred, powers())),
        "nn_restricted" => RuleValue::new(pair(Pairing::Reduced, powers())),
        "triplet" => RuleValue::new(TripletStdp {
            a2_plus: at("Aplus"),
            a3_plus: at("Aplus_triplet"),
            a2_minus: at("Aminus"),
            a3_minus: at("Aminus_triplet"),
            tau_plus: at("tau_plus"),
            tau_x: at("tau_plus_triplet"),
            tau_minus: at("tau_minus"),
            tau_y: at("tau_minus_triplet"),
            w_max: at("Wmax"),
            ..default()
        }),
        "vogels" => RuleValue::new(InhibitoryStdp {
            eta: at("eta"),
            tau: at("tau"),
            rate_hz: at("alpha") / (2.0 * at("tau") * 1e-3),
            w_max: at("Wmax"),
            ..default()
        }),
        other => panic!("{other} is not known"),
    }
}

#[test]
fn every_rule_gives_nests_weights_for_pairs() {
    let reference = reference("stdp_pairs_nest.json");
    let cases = reference["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 18);
    for case in cases {
        let pre = numbers(&case["pre_spikes_ms"]);
        for row in case["rows"].as_array().expect("rows") {
            let row = numbers(row);
            let name = case["rule"].as_str().expect("a name");
            let mut trains = pre.clone();
            if name == "nn_symmetric" || name == "nn_restricted" {
                // NEST takes these synapses' last presynaptic spike to have been at 0 when there was none.
                trains.insert(0, 0.0);
            }
            let mut scene = pair(
                &trains,
                &[pre[0] + row[0]],
                number(&case["delay_ms"]),
                number(&case["w0"]),
            );
            scene.projections[0].dendritic = Dendritic::All;
            scene.projections[0].plasticity.push(rule_of(case));
            let got = weights_at(&mut simulate(&scene), &pre);
            for (got, want) in got.iter().zip(&row[1..]) {
                assert!(
                    (got - want).abs() < 1e-5,
                    "{}, delay {}, {} ms: {got}, NEST gives {want}",
                    case["rule"],
                    case["delay_ms"],
                    row[0]
                );
            }
        }
    }
}

/// The amplitude of the synaptic current that each of the spikes at `pre_ms` adds.
fn sent(scene: &mut Scene, pre_ms: &[f64], delay_ms: f64) -> Vec<f64> {
    let dt = scene.dt_ms;
    scene.probes.push(ProbeSpec {
        region: Some("post".into()),
        kind: ProbeKind::Column {
            column: "i_ex".into(),
            neurons: Selection::All,
            every_ms: dt,
        },
    });
    let mut simulation = simulate(scene);
    simulation.run_ms(pre_ms.iter().fold(0.0, |a: f64, b| a.max(*b)) + delay_ms + 2.0 * dt);
    let world = simulation.world_mut();
    let mut probes = world.query::<&ColumnProbe>();
    let values = probes.single(world).expect("one probe").values.clone();
    let decay = libm::exp(-dt / 3.0);
    pre_ms
        .iter()
        .map(|t| {
            // The sample number i is that at (i + 1)·dt.
            let at = ((t + delay_ms) / dt).round() as usize - 1;
            let before = if at > 0 {
                f64::from(values[at - 1])
            } else {
                0.0
            };
            f64::from(values[at]) - before * decay
        })
        .collect()
}

#[test]
fn short_term_dynamics_are_those_of_nest_and_brian2() {
    let nest = reference("stp_nest.json");
    let brian = reference("plasticity_brian2.json");
    let of = |cases: &Value, pre: &Value, shift: f64| -> Vec<(Value, Vec<f64>)> {
        let list = cases.as_array().expect("cases");
        let pre_of = |case: &Value| match &case["pre_spikes_ms"] {
            Value::Null => numbers(pre),
            own => numbers(own),
        };
        list.iter()
            .map(|c| (c.clone(), pre_of(c).iter().map(|t| t + shift).collect()))
            .collect()
    };
    let cases = of(&nest["cases"], &Value::Null, 0.0);
    let more = of(&brian["stp"], &brian["pre_spikes_ms"], 0.0);
    assert_eq!((cases.len(), more.len()), (6, 3));
    for (case, pre) in cases.iter().chain(&more) {
        let p = &case["params"];
        let weight = number(&case["weight"]);
        let mut scene = pair(&pre[..], &[], 1.0, weight);
        scene.projections[0].short_term = Some(TsodyksMarkram {
            u: number(&p["U"]),
            tau_rec: number(&p["tau_rec"]),
            tau_fac: number(&p["tau_fac"]),
            tau_psc: p["tau_psc"].as_f64().unwrap_or(0.0),
        });
        let want = numbers(&case["weight_sent"]);
        for (got, want) in sent(&mut scene, pre, 1.0).iter().zip(&want) {
            assert!(
                (got - want).abs() < 1e-5 * weight,
                "{} {}: {got}, want {want}",
                case["model"],
                case["name"]
            );
        }
    }
}

#[test]
fn rules_act_at_once_as_in_brian2() {
    let brian = reference("plasticity_brian2.json");
    let (pre, post) = (
        numbers(&brian["pre_spikes_ms"]),
        numbers(&brian["post_spikes_ms"]),
    );
    let cases = brian["stdp"].as_array().expect("cases");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let p = &case["params"];
        let at = |key: &str| number(&p[key]);
        let name = case["rule"].as_str().expect("a name");
        let rule = if name.starts_with("pair") {
            // Brian2's A is an absolute change, ours one of the width between the bounds.
            RuleValue::new(Stdp {
                a_plus: at("A_plus") / at("Wmax"),
                a_minus: at("A_minus") / at("Wmax"),
                tau_plus: at("tau_plus"),
                tau_minus: at("tau_minus"),
                w_max: at("Wmax"),
                order: match name {
                    "pair_transmit_first" => SendOrder::SendThenChange,
                    _ => SendOrder::ChangeThenSend,
                },
                ..default()
            })
        } else {
            RuleValue::new(TripletStdp {
                a2_plus: at("A2p"),
                a3_plus: at("A3p"),
                a2_minus: at("A2m"),
                a3_minus: at("A3m"),
                tau_plus: at("tau_plus"),
                tau_x: at("tau_x"),
                tau_minus: at("tau_minus"),
                tau_y: at("tau_y"),
                w_max: 100.0,
                ..default()
            })
        };
        // Both spikes are at the synapse at once; only the input is a step late.
        let mut scene = pair(&pre, &post, 0.1, number(&case["w0"]));
        scene.projections[0].dendritic = Dendritic::All;
        scene.projections[0].backpropagation_ms = Some(0.0);
        scene.projections[0].plasticity.push(rule);
        let mut simulation = simulate(&scene);
        let want = numbers(&case["weight_after_pre"]);
        for (got, want) in weights_at(&mut simulation, &pre).iter().zip(&want) {
            assert!(
                (got - want).abs() < 1e-5,
                "{name}: {got}, Brian2 gives {want}"
            );
        }
        simulation.run_ms(500.0);
        let last = f64::from(simulation.weights("synapse").expect("weights")[0]);
        assert!((last - number(&case["weight_final"])).abs() < 1e-5);
        if let Value::Array(_) = &case["weight_sent"] {
            let want = numbers(&case["weight_sent"]);
            for (got, want) in sent(&mut scene, &pre, 0.1).iter().zip(&want) {
                assert!(
                    (got - want).abs() < 1e-5,
                    "{name} sends {got}, Brian2 {want}"
                );
            }
        }
    }
}

#[test]
fn dopamine_turns_eligibility_into_weight_as_in_nest() {
    let reference = reference("dopamine_nest.json");
    let cases = reference["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 3);
    for (case, dt) in cases.iter().flat_map(|c| [(c, 0.1), (c, 0.5)]) {
        let p = &case["params"];
        let at = |key: &str| number(&p[key]);
        let pre = numbers(&case["pre_spikes_ms"]);
        let mut scene = pair(
            &pre,
            &numbers(&case["post_spikes_ms"]),
            number(&case["delay_ms"]),
            number(&case["w0"]),
        );
        scene.dt_ms = dt;
        scene.projections[0].dendritic = Dendritic::All;
        scene.projections[0]
            .plasticity
            .push(RuleValue::new(DopamineStdp {
                a_plus: at("A_plus"),
                a_minus: at("A_minus"),
                tau_plus: at("tau_plus"),
                tau_minus: at("tau_minus"),
                tau_c: at("tau_c"),
                w_min: at("Wmin"),
                w_max: at("Wmax"),
                ..default()
            }));
        let spikes = numbers(&case["dopamine_spikes_ms"]);
        scene.regions.push(RegionSpec::new(
            "dopaminergic",
            1,
            SpikeSource {
                spikes: spikes.iter().map(|t| (*t, 0)).collect(),
                ..default()
            },
        ));
        scene.modulators.push(ModulatorSpec {
            name: "dopamine".into(),
            tau_ms: Some(at("tau_n")),
            baseline: at("b"),
            released_by: vec![Release {
                from: "dopaminergic".into(),
                neurons: Selection::All,
                amount: 1.0 / at("tau_n"),
                delay_ms: number(&case["dopamine_delay_ms"]),
                ..default()
            }],
            ..default()
        });
        let got = weights_at(&mut simulate(&scene), &pre);
        for (got, want) in got.iter().zip(numbers(&case["weights_at_pre_spikes"])) {
            assert!(
                (got - want).abs() < 1e-4,
                "{}, steps of {dt} ms: {got}, NEST gives {want}",
                case["name"]
            );
        }
    }
}
