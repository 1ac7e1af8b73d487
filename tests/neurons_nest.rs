//! Integrate-and-fire neurons against NEST and Brian2: the cases of `reference/neurons_nest.json`, `synaptic_input_nest.json`,
//! `psc_shapes_nest.json` and the LIF cases of `neurons_brian2.json`.
//!
//! Models that are integrated exactly must spike in the same steps, with V within 10⁻³ mV; models with conductances as often, each
//! spike within a step. In fact these spike in the same steps, too, so their V is compared everywhere.

use neuropil::network::probe::ColumnProbe;
use neuropil::neurons::lif_alpha::LifAlpha;
use neuropil::neurons::lif_cond_alpha::LifCondAlpha;
use neuropil::neurons::lif_cond_exp::LifCondExp;
use neuropil::neurons::lif_delta::LifDelta;
use neuropil::neurons::mat2::Mat2;
use neuropil::prelude::*;
use serde_json::Value;

/// Tolerance of V in mV.
const V: f64 = 1e-3;

fn cases(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/reference/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
    value["cases"].as_array().expect("a list of cases").clone()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("{value} is not a list"))
        .iter()
        .map(number)
        .collect()
}

fn steps(times_ms: &[f64], dt: f64) -> Vec<u64> {
    times_ms.iter().map(|t| (t / dt).round() as u64).collect()
}

/// Our model of a NEST model's name, with NEST's parameters; none for the models of other tests.
fn model(name: &str, p: &Value) -> Option<ModelValue> {
    let at = |key: &str| Distribution::from(number(&p[key]));
    Some(match name {
        "iaf_psc_exp" => ModelValue::new(LifExp {
            e_l: at("E_L"),
            c_m: at("C_m"),
            tau_m: at("tau_m"),
            v_th: at("V_th"),
            v_reset: at("V_reset"),
            t_ref: at("t_ref"),
            tau_syn_ex: at("tau_syn_ex"),
            tau_syn_in: at("tau_syn_in"),
            i_e: at("I_e"),
        }),
        "iaf_psc_alpha" => ModelValue::new(LifAlpha {
            e_l: at("E_L"),
            c_m: at("C_m"),
            tau_m: at("tau_m"),
            v_th: at("V_th"),
            v_reset: at("V_reset"),
            t_ref: at("t_ref"),
            tau_syn_ex: at("tau_syn_ex"),
            tau_syn_in: at("tau_syn_in"),
            i_e: at("I_e"),
        }),
        "iaf_psc_delta" => ModelValue::new(LifDelta {
            e_l: at("E_L"),
            c_m: at("C_m"),
            tau_m: at("tau_m"),
            v_th: at("V_th"),
            v_reset: at("V_reset"),
            t_ref: at("t_ref"),
            i_e: at("I_e"),
        }),
        "iaf_cond_exp" => ModelValue::new(LifCondExp {
            e_l: at("E_L"),
            c_m: at("C_m"),
            g_l: at("g_L"),
            v_th: at("V_th"),
            v_reset: at("V_reset"),
            t_ref: at("t_ref"),
            e_ex: at("E_ex"),
            e_in: at("E_in"),
            tau_syn_ex: at("tau_syn_ex"),
            tau_syn_in: at("tau_syn_in"),
            i_e: at("I_e"),
        }),
        "iaf_cond_alpha" => ModelValue::new(LifCondAlpha {
            e_l: at("E_L"),
            c_m: at("C_m"),
            g_l: at("g_L"),
            v_th: at("V_th"),
            v_reset: at("V_reset"),
            t_ref: at("t_ref"),
            e_ex: at("E_ex"),
            e_in: at("E_in"),
            tau_syn_ex: at("tau_syn_ex"),
            tau_syn_in: at("tau_syn_in"),
            i_e: at("I_e"),
        }),
        "mat2_psc_exp" => ModelValue::new(Mat2 {
            e_l: at("E_L"),
            c_m: at("C_m"),
            tau_m: at("tau_m"),
            omega: at("omega"),
            alpha_1: at("alpha_1"),
            alpha_2: at("alpha_2"),
            tau_1: at("tau_1"),
            tau_2: at("tau_2"),
            t_ref: at("t_ref"),
            tau_syn_ex: at("tau_syn_ex"),
            tau_syn_in: at("tau_syn_in"),
            i_e: at("I_e"),
        }),
        _ => return None,
    })
}

/// One neuron to run.
struct Cell<'a> {
    model: ModelValue,
    v: f64,
    dt: f64,
    ms: f64,
    /// The interval between samples.
    every_ms: f64,
    /// What is sampled.
    columns: &'a [&'a str],
    stimuli: Vec<StimulusKind>,
}

/// What it did.
struct Course {
    /// The steps at whose end it spiked, counted from 1: a spike at step n is at n·dt.
    spikes: Vec<u64>,
    /// The samples of each column; the first is at the end of the first interval.
    samples: Vec<Vec<f64>>,
}

fn run(cell: Cell<'_>) -> Course {
    let mut region = RegionSpec::new("cell", 1, LifExp::default()).starting("v", cell.v);
    region.model = cell.model;
    let mut scene = Scene {
        dt_ms: cell.dt,
        ..default()
    };
    scene.regions.push(region);
    scene.stimuli.extend(
        cell.stimuli
            .into_iter()
            .map(|kind| StimulusSpec::new("cell", kind)),
    );
    scene.probes.push(ProbeSpec {
        region: None,
        kind: ProbeKind::Spikes,
    });
    for &column in cell.columns {
        let kind = ProbeKind::Column {
            column: column.into(),
            neurons: Selection::All,
            every_ms: cell.every_ms,
        };
        scene.probes.push(ProbeSpec { region: None, kind });
    }
    let mut simulation =
        Simulation::new(&scene, &BuildOptions::default()).expect("the scene is right");
    simulation.run_ms(cell.ms);
    let spikes = simulation
        .recorded_spikes("cell")
        .iter()
        .map(|(step, _)| step + 1)
        .collect();
    let world = simulation.world_mut();
    let mut probes = world.query::<&ColumnProbe>();
    let samples = cell
        .columns
        .iter()
        .map(|name| {
            let probe = probes
                .iter(world)
                .find(|p| p.column.name == *name)
                .expect("the probe was asked for");
            probe.values.iter().map(|&v| f64::from(v)).collect()
        })
        .collect();
    Course { spikes, samples }
}

/// Asserts that two courses agree, and returns their largest difference.
fn agree(what: &str, got: &[f64], want: &[f64], tolerance: f64) -> f64 {
    assert_eq!(got.len(), want.len(), "{what}: number of samples");
    let mut largest = 0.0;
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let difference = (got - want).abs();
        assert!(
            difference <= tolerance,
            "{what}, sample {i}: {got}, want {want}"
        );
        largest = f64::max(largest, difference);
    }
    largest
}

/// Asserts that spikes agree, each within `within` steps.
fn spikes_agree(what: &str, got: &[u64], want: &[u64], within: u64) {
    let same =
        got.len() == want.len() && got.iter().zip(want).all(|(a, b)| a.abs_diff(*b) <= within);
    assert!(same, "{what}: spikes at steps\n{got:?}, want\n{want:?}");
}

fn is_exact(model: &str) -> bool {
    !model.starts_with("iaf_cond")
}

#[test]
fn constant_currents_give_nests_spikes_and_potentials() {
    let mut compared = Vec::new();
    for case in cases("neurons_nest.json") {
        let name = case["model"].as_str().expect("a name");
        let Some(model) = model(name, &case["all_params"]) else {
            continue;
        };
        let what = format!("{name} at {} pA", case["all_params"]["I_e"]);
        let dt = number(&case["dt_ms"]);
        let course = run(Cell {
            model,
            v: number(&case["all_params"]["V_m"]),
            dt,
            ms: number(&case["T_ms"]),
            every_ms: number(&case["sample_every_ms"]),
            columns: &["v"],
            stimuli: Vec::new(),
        });
        let want = steps(&numbers(&case["spike_times_ms"]), dt);
        spikes_agree(
            &what,
            &course.spikes,
            &want,
            if is_exact(name) { 0 } else { 1 },
        );
        let error = agree(&what, &course.samples[0], &numbers(&case["V_m"]), V);
        println!("{what}: {} spikes, V within {error:.1e} mV", want.len());
        compared.push(name.to_string());
    }
    let count = |name: &str| compared.iter().filter(|n| *n == name).count();
    for (name, cases) in [
        ("iaf_psc_exp", 4),
        ("iaf_psc_alpha", 4),
        ("iaf_psc_delta", 4),
        ("iaf_cond_exp", 4),
        ("iaf_cond_alpha", 4),
        ("mat2_psc_exp", 2),
    ] {
        assert_eq!(count(name), cases, "cases of {name}");
    }
}

#[test]
fn a_stimulus_current_acts_as_the_constant_current_does() {
    let mut compared = 0;
    for case in cases("neurons_nest.json") {
        let name = case["model"].as_str().expect("a name");
        let mut parameters = case["all_params"].clone();
        let current = number(&parameters["I_e"]);
        parameters["I_e"] = 0.0.into();
        let Some(model) = model(name, &parameters) else {
            continue;
        };
        let dt = number(&case["dt_ms"]);
        let course = run(Cell {
            model,
            v: number(&parameters["V_m"]),
            dt,
            ms: number(&case["T_ms"]),
            every_ms: number(&case["sample_every_ms"]),
            columns: &["v"],
            stimuli: vec![StimulusKind::Direct {
                amplitude: current.into(),
            }],
        });
        let what = format!("{name} stimulated with {current} pA");
        spikes_agree(
            &what,
            &course.spikes,
            &steps(&numbers(&case["spike_times_ms"]), dt),
            0,
        );
        agree(&what, &course.samples[0], &numbers(&case["V_m"]), V);
        compared += 1;
    }
    assert_eq!(compared, 22);
}

#[test]
fn synaptic_input_gives_nests_spikes_currents_and_conductances() {
    let mut compared = 0;
    for (i, case) in cases("synaptic_input_nest.json").iter().enumerate() {
        let name = case["model"].as_str().expect("a name");
        let Some(model) = model(name, &case["all_params"]) else {
            continue;
        };
        let what = format!("case {i}, {name}");
        let dt = number(&case["dt_ms"]);
        let delay_ms = number(&case["delay_ms"]);
        let mut stimuli = Vec::new();
        let mut largest = 0.0;
        for (times, weight) in [
            ("exc_spike_times_ms", "w_exc"),
            ("inh_spike_times_ms", "w_inh"),
        ] {
            if case[times].is_null() {
                continue;
            }
            let weight = number(&case[weight]);
            largest = f64::max(largest, weight.abs());
            stimuli.push(StimulusKind::InputSpikes {
                times_ms: numbers(&case[times]),
                weight,
                delay_ms,
                receptor: None,
            });
        }
        // NEST's name of a trace and ours.
        let traces: Vec<_> = [
            ("I_syn_ex", "i_ex"),
            ("I_syn_in", "i_in"),
            ("g_ex", "g_ex"),
            ("g_in", "g_in"),
        ]
        .into_iter()
        .filter(|(theirs, _)| case[*theirs].is_array())
        .collect();
        let columns: Vec<_> = core::iter::once("v")
            .chain(traces.iter().map(|(_, ours)| *ours))
            .collect();
        let course = run(Cell {
            model,
            v: number(&case["all_params"]["V_m"]),
            dt,
            ms: number(&case["T_ms"]),
            every_ms: number(&case["sample_every_ms"]),
            columns: &columns,
            stimuli,
        });
        let want = steps(&numbers(&case["spike_times_ms"]), dt);
        spikes_agree(
            &what,
            &course.spikes,
            &want,
            if is_exact(name) { 0 } else { 1 },
        );
        let error = agree(
            &format!("{what}, V"),
            &course.samples[0],
            &numbers(&case["V_m"]),
            V,
        );
        println!("{what}: {} spikes, V within {error:.1e} mV", want.len());
        for ((theirs, ours), samples) in traces.iter().zip(&course.samples[1..]) {
            // NEST integrates conductances, too, with an error of about 10⁻⁵ of the weight.
            let tolerance = largest * if is_exact(name) { 4e-6 } else { 2e-5 };
            let error = agree(
                &format!("{what}, {ours}"),
                samples,
                &numbers(&case[*theirs]),
                tolerance,
            );
            println!("  {ours} within {error:.1e}");
            compared += 1;
        }
        compared += 1;
    }
    assert_eq!(compared, 8 + 2 * 4, "8 cases, 4 of them with two traces");
}

#[test]
fn currents_and_potentials_of_one_spike_have_nests_shape() {
    let all = cases("psc_shapes_nest.json");
    assert_eq!(all.len(), 3);
    for case in all {
        let name = case["model"].as_str().expect("a name");
        let mut parameters = serde_json::json!({
            "E_L": case["E_L"], "C_m": case["C_m"], "tau_m": case["tau_m"], "V_reset": case["E_L"], "t_ref": 2.0, "I_e": 0.0,
        });
        for (key, value) in case["params"].as_object().expect("parameters") {
            parameters[key] = value.clone();
        }
        let rest = number(&case["E_L"]);
        let (weight, dt) = (number(&case["weight"]), 0.1);
        let columns: &[&str] = if case["I_syn_ex"].is_array() {
            &["v", "i_ex"]
        } else {
            &["v"]
        };
        let course = run(Cell {
            model: model(name, &parameters).expect("one of ours"),
            v: rest,
            dt,
            ms: 80.0,
            every_ms: dt,
            columns,
            stimuli: vec![StimulusKind::InputSpikes {
                times_ms: vec![number(&case["spike_ms"])],
                weight,
                delay_ms: number(&case["delay_ms"]),
                receptor: None,
            }],
        });
        // Sample n is at the end of step n, at (n + 1)·dt.
        let at = |column: usize, times: &[f64]| -> Vec<f64> {
            steps(times, dt)
                .iter()
                .map(|&step| course.samples[column][step as usize - 1])
                .collect()
        };
        let times = numbers(&case["times_ms"]);
        let peak = number(&case["psp_peak_mV"]);
        agree(
            &format!("{name}, V"),
            &at(0, &times),
            &numbers(&case["V_m"]),
            1e-3 * peak,
        );
        if columns.len() > 1 {
            agree(
                &format!("{name}, I"),
                &at(1, &times),
                &numbers(&case["I_syn_ex"]),
                2e-6 * weight,
            );
        }
        let (step, highest) = course.samples[0]
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .expect("there are samples");
        assert!(
            ((highest - rest) / peak - 1.0).abs() < 1e-3,
            "{name}: peak of {} mV, want {peak}",
            highest - rest
        );
        let time = (step + 1) as f64 * dt;
        assert!(
            (time / number(&case["psp_peak_time_ms"]) - 1.0).abs() < 1e-3,
            "{name}: peak at {time} ms"
        );
    }
}

#[test]
fn constant_currents_give_brian2s_spikes_and_potentials() {
    let mut compared = 0;
    for case in cases("neurons_brian2.json")
        .iter()
        .filter(|c| c["model"] == "LIF")
    {
        let p = &case["params"];
        let dt = number(&case["dt_ms"]);
        // RI is in mV; the membrane resistance is tau_m/C_m. Brian2's refractory period is one step shorter than NEST's and ours.
        let parameters = serde_json::json!({
            "E_L": p["EL"], "C_m": 250.0, "tau_m": p["tau"], "V_th": p["Vth"], "V_reset": p["Vr"], "t_ref": number(&p["tref"]) - dt,
            "I_e": number(&p["RI"]) * 250.0 / number(&p["tau"]), "tau_syn_ex": 2.0, "tau_syn_in": 2.0,
        });
        for name in ["iaf_psc_exp", "iaf_psc_alpha", "iaf_psc_delta"] {
            let what = format!("{name} with RI {} mV in steps of {dt} ms", p["RI"]);
            let every_ms = number(&case["sample_every_ms"]);
            let course = run(Cell {
                model: model(name, &parameters).expect("one of ours"),
                v: number(&p["EL"]),
                dt,
                ms: number(&case["T_ms"]),
                every_ms,
                columns: &["v"],
                stimuli: Vec::new(),
            });
            // Brian2 stamps a spike with the start of its step, and samples at the start of steps.
            let want: Vec<u64> = steps(&numbers(&case["spike_times_ms"]), dt)
                .iter()
                .map(|s| s + 1)
                .collect();
            spikes_agree(&what, &course.spikes, &want, 0);
            let v = numbers(&case["v_mV"]);
            // In single precision the membrane stands still where a step would move it by less than half the distance of
            // neighbouring numbers, which is 2⁻¹⁸ mV here.
            let standstill = libm::exp2(-19.0) * number(&p["tau"]) / dt;
            let error = agree(
                &what,
                &course.samples[0][..v.len() - 1],
                &v[1..],
                V.max(standstill + 1e-5),
            );
            println!("{what}: {} spikes, V within {error:.1e} mV", want.len());
            compared += 1;
        }
    }
    assert_eq!(compared, 30);
}
