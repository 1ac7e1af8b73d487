//! Recurrent networks that are given as lists must give NEST's spikes, every one, step for step: `reference/explicit_network` and
//! `explicit_network_delta`.
//!
//! One displaced spike changes all that follow. The networks were chosen so that no potential comes nearer to the threshold than
//! `margin_mV` of their `about.json`, so that single precision displaces none.

use neuropil::network::connect::ListEntry;
use neuropil::neurons::lif_delta::LifDelta;
use neuropil::prelude::*;
use neuropil::sim::columns::{ColumnComponent, Membrane};
use serde_json::Value;

struct Network {
    about: Value,
    /// (neuron, kind, initial V, final V)
    neurons: Vec<(u32, String, f64, f64)>,
    /// (source, target, weight, delay)
    connections: Vec<(u32, u32, f64, f64)>,
    /// (neuron, start, current)
    currents: Vec<(u32, f64, f64)>,
    /// (step at whose end, neuron), in the order of both
    spikes: Vec<(u64, u32)>,
}

fn read(folder: &str) -> Network {
    let text = |file: &str| {
        let path = format!(
            "{}/tests/reference/{folder}/{file}",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let rows = |file: &str, header: &str| -> Vec<Vec<String>> {
        let text = text(file);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(header), "{folder}/{file}");
        lines
            .map(|line| line.split(',').map(str::to_string).collect())
            .collect()
    };
    let f = |text: &String| {
        text.parse::<f64>()
            .unwrap_or_else(|e| panic!("{text}: {e}"))
    };
    let n = |text: &String| {
        text.parse::<u32>()
            .unwrap_or_else(|e| panic!("{text}: {e}"))
    };
    let about: Value = serde_json::from_str(&text("about.json")).expect("about.json");
    let dt = about["dt_ms"].as_f64().expect("a step");
    let mut spikes: Vec<_> = rows("spikes.csv", "time_ms,neuron")
        .iter()
        .map(|r| ((f(&r[0]) / dt).round() as u64, n(&r[1])))
        .collect();
    spikes.sort_unstable();
    Network {
        neurons: rows("neurons.csv", "neuron,kind,v_init_mV,v_end_mV")
            .iter()
            .map(|r| (n(&r[0]), r[1].clone(), f(&r[2]), f(&r[3])))
            .collect(),
        connections: rows("connections.csv", "source,target,weight,delay_ms")
            .iter()
            .map(|r| (n(&r[0]), n(&r[1]), f(&r[2]), f(&r[3])))
            .collect(),
        currents: rows("currents.csv", "neuron,start_ms,current_pA")
            .iter()
            .map(|r| (n(&r[0]), f(&r[1]), f(&r[2])))
            .collect(),
        spikes,
        about,
    }
}

/// The two regions; NEST numbers the excitatory neurons first.
const REGIONS: [&str; 2] = ["exc", "inh"];

impl Network {
    fn size(&self, region: usize) -> u32 {
        self.about["neurons"][REGIONS[region]]
            .as_u64()
            .expect("a number") as u32
    }

    /// The region of a neuron and its index there.
    fn place(&self, neuron: u32) -> (usize, u32) {
        let excitatory = self.size(0);
        if neuron < excitatory {
            (0, neuron)
        } else {
            (1, neuron - excitatory)
        }
    }

    fn scene(&self) -> Scene {
        let p = &self.about["parameters"];
        let at =
            |key: &str| Distribution::from(p[key].as_f64().unwrap_or_else(|| panic!("no {key}")));
        let is_delta = self.about["model"] == "iaf_psc_delta";
        let mut scene = Scene {
            dt_ms: self.about["dt_ms"].as_f64().expect("a step"),
            ..default()
        };
        for (region, name) in REGIONS.into_iter().enumerate() {
            let mut spec = RegionSpec::new(name, self.size(region), LifExp::default());
            spec.model = if is_delta {
                ModelValue::new(LifDelta {
                    e_l: at("E_L"),
                    c_m: at("C_m"),
                    tau_m: at("tau_m"),
                    v_th: at("V_th"),
                    v_reset: at("V_reset"),
                    t_ref: at("t_ref"),
                    i_e: 0.0.into(),
                })
            } else {
                ModelValue::new(LifExp {
                    e_l: at("E_L"),
                    c_m: at("C_m"),
                    tau_m: at("tau_m"),
                    v_th: at("V_th"),
                    v_reset: at("V_reset"),
                    t_ref: at("t_ref"),
                    tau_syn_ex: at("tau_syn_ex"),
                    tau_syn_in: at("tau_syn_in"),
                    i_e: 0.0.into(),
                })
            };
            spec.sign = [NeuronSign::Excitatory, NeuronSign::Inhibitory][region];
            scene.regions.push(spec);
        }
        for (from, from_name) in REGIONS.into_iter().enumerate() {
            for (to, to_name) in REGIONS.into_iter().enumerate() {
                let entries: Vec<ListEntry> = self
                    .connections
                    .iter()
                    .filter(|c| self.place(c.0).0 == from && self.place(c.1).0 == to)
                    .map(|&(source, target, weight, delay)| ListEntry {
                        source: self.place(source).1,
                        target: self.place(target).1,
                        weight: Some(weight),
                        delay_ms: Some(delay),
                    })
                    .collect();
                scene.projections.push(ProjectionSpec {
                    from: from_name.into(),
                    to: to_name.into(),
                    rule: Rule::List(entries),
                    ..default()
                });
            }
        }
        for (neuron, ..) in &self.neurons {
            let (region, index) = self.place(*neuron);
            let course: Vec<_> = self
                .currents
                .iter()
                .filter(|c| c.0 == *neuron)
                .map(|c| (c.1, c.2))
                .collect();
            scene.stimuli.push(StimulusSpec {
                neurons: Selection::List(vec![index]),
                ..StimulusSpec::new(REGIONS[region], StimulusKind::Schedule(course))
            });
        }
        scene.probes.push(ProbeSpec {
            region: None,
            kind: ProbeKind::Spikes,
        });
        scene
    }

    fn simulation(&self, options: &BuildOptions) -> Simulation {
        let mut simulation = Simulation::new(&self.scene(), options).expect("the scene is right");
        for &(neuron, _, v, _) in &self.neurons {
            let (region, index) = self.place(neuron);
            let entity = simulation.region(REGIONS[region]).expect("the region");
            let mut membrane = simulation
                .world_mut()
                .get_mut::<Membrane>(entity)
                .expect("a membrane");
            membrane.column_mut().as_mut_slice()[index as usize] = v as f32;
        }
        simulation
    }

    /// Runs the network and returns the spikes as `spikes` has them.
    fn run(&self, simulation: &mut Simulation) -> Vec<(u64, u32)> {
        simulation.run_ms(self.about["duration_ms"].as_f64().expect("a duration"));
        let mut spikes = Vec::new();
        for (region, name) in REGIONS.into_iter().enumerate() {
            let first = if region == 0 { 0 } else { self.size(0) };
            spikes.extend(
                simulation
                    .recorded_spikes(name)
                    .iter()
                    .map(|(step, n)| (step + 1, first + n)),
            );
        }
        spikes.sort_unstable();
        spikes
    }
}

fn spikes_are_nests(folder: &str) {
    let network = read(folder);
    assert_eq!(
        network.connections.len() as u64,
        network.about["connections"]["count"]
            .as_u64()
            .expect("a number")
    );
    assert_eq!(
        network.spikes.len() as u64,
        network.about["statistics"]["spikes"]
            .as_u64()
            .expect("a number")
    );
    let mut simulation = network.simulation(&BuildOptions::default());
    let spikes = network.run(&mut simulation);
    if let Some(i) = spikes
        .iter()
        .zip(&network.spikes)
        .position(|(got, want)| got != want)
    {
        panic!(
            "spike {i} is (step, neuron) {:?}, want {:?}",
            spikes[i], network.spikes[i]
        );
    }
    assert_eq!(spikes.len(), network.spikes.len());
    let v = REGIONS.map(|name| simulation.column(name, "v").expect("V"));
    let mut largest = 0.0;
    for &(neuron, _, _, want) in &network.neurons {
        let (region, index) = network.place(neuron);
        let error = (f64::from(v[region][index as usize]) - want).abs();
        assert!(
            error < 1e-3,
            "neuron {neuron} ends at {} mV, want {want}",
            v[region][index as usize]
        );
        largest = f64::max(largest, error);
    }
    println!(
        "{folder}: {} spikes, V at the end within {largest:.1e} mV",
        spikes.len()
    );
}

#[test]
fn current_based_network_spikes_as_in_nest() {
    spikes_are_nests("explicit_network");
}

#[test]
fn delta_network_spikes_as_in_nest() {
    spikes_are_nests("explicit_network_delta");
}

#[test]
fn threads_and_vector_instructions_change_no_spike() {
    for folder in ["explicit_network", "explicit_network_delta"] {
        let network = read(folder);
        for (threads, simd) in [
            (1, SimdLevel::Portable),
            (2, SimdLevel::detect()),
            (3, SimdLevel::Portable),
        ] {
            let options = BuildOptions {
                threads,
                force_lanes: true,
                simd,
                ..default()
            };
            let spikes = network.run(&mut network.simulation(&options));
            assert!(
                spikes == network.spikes,
                "{folder} on {threads} threads with {simd:?}"
            );
        }
    }
}

#[test]
fn a_displaced_current_is_noticed() {
    let mut network = read("explicit_network");
    network.currents[3].2 += 0.5;
    let spikes = network.run(&mut network.simulation(&BuildOptions::default()));
    assert!(
        spikes != network.spikes,
        "half a picoampere must change a recurrent network"
    );
}
