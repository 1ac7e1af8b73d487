//! Learning onto spike response neurons beyond STDP: rules with a third factor against a replay of every event, short-term dynamics, pools
//! that act on release, and upkeep; at steps of different length, through snapshots, on several threads.

use neuropil::modulation::{Effect, Rewarder, Signal};
use neuropil::network::region::Offsets;
use neuropil::plasticity::exact::TICKS;
use neuropil::prelude::*;
use neuropil::sim::rng::{Purpose, Random};

const AFFERENTS: u32 = 40;
const NEURONS: u32 = 2;
const DURATION_MS: f64 = 320.0;
const DELAY_MS: f64 = 0.8;
const INITIAL: f64 = 0.9;

/// Poisson trains of 40 Hz, on no grid.
fn trains() -> Vec<(f64, u32)> {
    let random = Random::new(6, 2, Purpose::Test);
    let mut spikes = Vec::new();
    for afferent in 0..AFFERENTS {
        let mut draws = random.draws(afferent.into());
        let mut time = 1.0;
        loop {
            time -= libm::log(1.0 - draws.unit()) * 25.0;
            if time > DURATION_MS - 5.0 {
                break;
            }
            spikes.push((time, afferent));
        }
    }
    spikes.sort_by(|a, b| a.0.total_cmp(&b.0));
    spikes
}

fn scene(dt_ms: f64, spikes: Vec<(f64, u32)>) -> Scene {
    let mut scene = Scene { dt_ms, ..default() };
    let source = SpikeSource {
        spikes,
        ..default()
    };
    let neuron = Srm {
        threshold: 6.0,
        ..default()
    };
    scene.regions = vec![
        RegionSpec::new("afferents", AFFERENTS, source),
        RegionSpec::new("neurons", NEURONS, neuron),
    ];
    let mut projection =
        ProjectionSpec::new("afferents", "neurons", Rule::AllToAll, INITIAL, DELAY_MS);
    projection.name = Some("synapses".into());
    scene.projections = vec![projection];
    scene
}

fn learning(dt_ms: f64, rule: RuleValue, modulator: ModulatorSpec) -> Scene {
    let mut scene = scene(dt_ms, trains());
    scene.projections[0].plasticity = vec![rule];
    scene.modulators = vec![modulator];
    scene
}

/// A pool, or rewards as impulses.
fn rewards(tau_ms: Option<f64>) -> ModulatorSpec {
    ModulatorSpec {
        name: "reward".into(),
        tau_ms,
        baseline: if tau_ms.is_some() { 0.1 } else { 0.0 },
        rewards: vec![Rewarder::Schedule {
            times_ms: vec![40.0, 100.0, 104.0, 200.0, 300.0],
            amount: 0.8,
        }],
        ..default()
    }
}

fn built(scene: &Scene) -> Simulation {
    Simulation::new(scene, &BuildOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// What happened in a run: the spikes of both regions in ticks, and what the modulator did in each step.
#[derive(Default)]
struct Course {
    pre: Vec<(u64, u32)>,
    post: Vec<(u64, u32)>,
    signals: Vec<Signal>,
    /// What the pool did that gates learning.
    gates: Vec<Signal>,
}

fn run(simulation: &mut Simulation, until_ms: f64) -> Course {
    let dt = simulation.clock().dt_ms();
    let mut course = Course::default();
    let regions = ["afferents", "neurons"].map(|name| simulation.region(name).expect("it"));
    while (simulation.clock().steps_done() as f64 + 0.5) * dt < until_ms {
        let start = simulation.clock().steps_done() * u64::from(TICKS);
        let signal = simulation.modulator("reward").map(|m| m.signal());
        course.signals.push(signal.unwrap_or_default());
        let gate = simulation.modulator("gate").map(|m| m.signal());
        course.gates.push(gate.unwrap_or_default());
        simulation.step();
        for (region, spikes) in regions.iter().zip([&mut course.pre, &mut course.post]) {
            let offsets = simulation.world().get::<Offsets>(*region).expect("offsets");
            spikes.extend(
                offsets
                    .0
                    .iter()
                    .map(|(n, tick)| (start + u64::from(*tick), *n)),
            );
        }
    }
    course
}

/// A rule with a third factor, or one that changes weights at once, as its equations say.
#[derive(Default)]
struct Rule3 {
    amplitude: [f64; 2],
    tau: [f64; 2],
    /// Time constant of the marks in ms; none for marks that act once, when their step ends.
    tau_mark: Option<f64>,
    gain: f64,
    /// Whether pairs change weights at once.
    direct: bool,
    /// When everything is forgotten.
    reset_ms: Option<f64>,
    /// By what the level of a pool is multiplied that gates changes, which are multiplied by one more than that, from −1 to 2.
    gate: f64,
}

/// The weights after a course, event by event and step by step. What acts between events is integrated by Simpson's rule.
fn replayed(rule: &Rule3, course: &Course, dt: f64) -> Vec<f64> {
    let ticks = u64::from(TICKS);
    let end = course.signals.len() as u64 * ticks;
    let ms = |ticks: u64| ticks as f64 * dt / f64::from(TICKS);
    let delay = libm::rint(DELAY_MS / dt) as u64 * ticks;
    let reset = rule.reset_ms.map(|ms| libm::rint(ms / dt) as u64 * ticks);
    // Spikes on their way are forgotten, too.
    let is_learnt_from =
        |spike: &&(u64, u32)| reset.is_none_or(|reset| spike.0 > reset || spike.0 + delay <= reset);
    let mut weights = Vec::new();
    for afferent in 0..AFFERENTS {
        for neuron in 0..NEURONS {
            // Of events of one time, the postsynaptic spike is last; steps end after the events of their last tick.
            let mut events: Vec<(u64, u8)> = Vec::new();
            let of = |n: u32| move |spike: &&(u64, u32)| spike.1 == n;
            events.extend(
                course
                    .pre
                    .iter()
                    .filter(of(afferent))
                    .filter(is_learnt_from)
                    .map(|s| (s.0 + delay, 0)),
            );
            events.extend(course.post.iter().filter(of(neuron)).map(|s| (s.0, 1)));
            events.extend(reset.map(|time| (time, 2)));
            events.extend((1..=course.signals.len() as u64).map(|step| (step * ticks, 3)));
            events.retain(|(time, _)| *time <= end);
            events.sort_unstable();
            let factor = |step: usize, after: f64| {
                let level = course.gates[step].level_after(after);
                (1.0 + rule.gate * level).clamp(-1.0, 2.0)
            };
            let (mut x, mut y, mut mark, mut weight) = (0.0, 0.0, 0.0, INITIAL);
            let (mut now, mut step) = (0u64, 0usize);
            // What acts at the start of the first step.
            weight += rule.gain * factor(0, 0.0) * course.signals[0].impulse * mark;
            for (time, what) in events {
                let Some(signal) = course.signals.get(step) else {
                    break;
                };
                let (from, span) = (ms(now - step as u64 * ticks), ms(time - now));
                if let Some(tau) = rule.tau_mark {
                    let acts = |s: f64| {
                        let height = factor(step, from + s) * signal.level_after(from + s);
                        height * mark * libm::exp(-s / tau)
                    };
                    // Finer than the shortest marks.
                    let piece = span / 32.0;
                    let simpson = (0..32).map(|n| {
                        let s = f64::from(n) * piece;
                        acts(s) + 4.0 * acts(s + piece / 2.0) + acts(s + piece)
                    });
                    weight += rule.gain * simpson.sum::<f64>() * piece / 6.0;
                    mark *= libm::exp(-span / tau);
                }
                x *= libm::exp(-span / rule.tau[0]);
                y *= libm::exp(-span / rule.tau[1]);
                now = time;
                let gate = factor(step, from + span);
                match what {
                    0 if rule.direct => {
                        weight -= gate * rule.amplitude[1] * y;
                        x += 1.0;
                    }
                    1 if rule.direct => {
                        weight += gate * rule.amplitude[0] * x;
                        y += 1.0;
                    }
                    0 => {
                        mark -= rule.amplitude[1] * y;
                        x += 1.0;
                    }
                    1 => {
                        mark += rule.amplitude[0] * x;
                        y += 1.0;
                    }
                    2 => (x, y, mark) = (0.0, 0.0, 0.0),
                    _ => {
                        step += 1;
                        let Some(next) = course.signals.get(step) else {
                            continue;
                        };
                        let gain = rule.gain * factor(step, 0.0);
                        weight += gain * next.impulse * mark;
                        if rule.tau_mark.is_none() {
                            weight += gain * next.level_after(0.0) * mark;
                            mark = 0.0;
                        }
                    }
                }
            }
            weights.push(weight);
        }
    }
    weights
}

fn agrees(scene: &Scene, rule: &Rule3) -> Vec<f32> {
    let mut simulation = built(scene);
    let mut course = Course::default();
    if let Some(ms) = rule.reset_ms {
        course = run(&mut simulation, ms);
        simulation.reset_traces("synapses").expect("reset");
    }
    let rest = run(&mut simulation, DURATION_MS);
    course.pre.extend(rest.pre);
    course.post.extend(rest.post);
    course.signals.extend(rest.signals);
    course.gates.extend(rest.gates);
    assert!(course.post.len() > 15, "{} spikes", course.post.len());
    let want = replayed(rule, &course, scene.dt_ms);
    let got = simulation.weights("synapses").expect("weights");
    let largest = want
        .iter()
        .fold(0.0, |l: f64, w| l.max((w - INITIAL).abs()));
    assert!(largest > 0.02, "changes up to {largest}");
    for (i, (got, want)) in got.iter().zip(&want).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() < 1e-4 * largest + 2e-6,
            "steps of {} ms, synapse {i}: {got}, want {want}; changes up to {largest}",
            scene.dt_ms
        );
    }
    got
}

#[test]
fn dopamine_acts_on_eligibility_as_in_a_replay_of_every_event() {
    for dt in [0.1, 0.4, 0.8] {
        for tau in [Some(60.0), None] {
            let rule = DopamineStdp {
                a_plus: 0.1,
                a_minus: 0.12,
                tau_c: 150.0,
                gain: if tau.is_some() { 2e-3 } else { 0.1 },
                w_min: -50.0,
                w_max: 50.0,
                modulator: "reward".into(),
                ..default()
            };
            let replay = Rule3 {
                amplitude: [rule.a_plus, rule.a_minus],
                tau: [rule.tau_plus, rule.tau_minus],
                tau_mark: Some(rule.tau_c),
                gain: rule.gain,
                ..Rule3::default()
            };
            agrees(&learning(dt, RuleValue::new(rule), rewards(tau)), &replay);
        }
    }
}

#[test]
fn rewards_act_on_marks_as_in_a_replay_of_every_event() {
    for dt in [0.1, 0.4] {
        let trace = Mstdpet {
            gamma: 4.0,
            a_plus: 0.1,
            a_minus: 0.1,
            w_min: -50.0,
            w_max: 50.0,
            ..default()
        };
        for tau in [Some(60.0), None] {
            let replay = Rule3 {
                amplitude: [trace.a_plus, trace.a_minus],
                tau: [trace.tau_plus, trace.tau_minus],
                tau_mark: Some(trace.tau_z),
                gain: trace.gamma / trace.tau_z,
                ..Rule3::default()
            };
            agrees(
                &learning(dt, RuleValue::new(trace.clone()), rewards(tau)),
                &replay,
            );
        }
        let instant = Mstdp {
            gamma: 0.01,
            ..default()
        };
        // A pool acts at every moment, so that every mark counts.
        let replay = Rule3 {
            amplitude: [instant.a_plus, instant.a_minus],
            tau: [instant.tau_plus, instant.tau_minus],
            tau_mark: None,
            gain: instant.gamma,
            ..Rule3::default()
        };
        agrees(
            &learning(dt, RuleValue::new(instant), rewards(Some(60.0))),
            &replay,
        );
    }
}

/// An epoch of the eligibility ends after 16 of its time constants, and the longest one is over 16,384 steps. Eligibility that is gone within a
/// step or a few acts as any other.
#[test]
fn nothing_is_lost_where_an_epoch_ends() {
    for tau_c in [5.0, 0.8, 0.4, 0.2] {
        let rule = DopamineStdp {
            a_plus: 0.1,
            a_minus: 0.12,
            tau_c,
            gain: 0.25 / tau_c,
            w_min: -50.0,
            w_max: 50.0,
            modulator: "reward".into(),
            ..default()
        };
        let replay = Rule3 {
            amplitude: [rule.a_plus, rule.a_minus],
            tau: [rule.tau_plus, rule.tau_minus],
            tau_mark: Some(rule.tau_c),
            gain: rule.gain,
            ..Rule3::default()
        };
        agrees(
            &learning(0.4, RuleValue::new(rule), rewards(Some(60.0))),
            &replay,
        );
    }
}

fn dopamine() -> DopamineStdp {
    DopamineStdp {
        a_plus: 0.1,
        a_minus: 0.12,
        tau_c: 150.0,
        gain: 2e-3,
        w_min: -50.0,
        w_max: 50.0,
        modulator: "reward".into(),
        ..default()
    }
}

fn of_dopamine(rule: &DopamineStdp) -> Rule3 {
    Rule3 {
        amplitude: [rule.a_plus, rule.a_minus],
        tau: [rule.tau_plus, rule.tau_minus],
        tau_mark: Some(rule.tau_c),
        gain: rule.gain,
        ..Rule3::default()
    }
}

fn stdp() -> Stdp {
    Stdp {
        a_plus: 0.0004,
        a_minus: 0.0005,
        w_min: -50.0,
        w_max: 50.0,
        ..default()
    }
}

fn of_stdp(rule: &Stdp) -> Rule3 {
    let width = rule.w_max - rule.w_min;
    Rule3 {
        amplitude: [rule.a_plus * width, rule.a_minus * width],
        tau: [rule.tau_plus, rule.tau_minus],
        direct: true,
        ..Rule3::default()
    }
}

/// A pool that scales learning and turns it round, at neurons that are resolved in continuous time.
#[test]
fn a_pool_gates_learning_as_in_a_replay_of_every_event() {
    for dt in [0.1, 0.4] {
        let instant = Mstdp {
            gamma: 0.01,
            modulator: "reward".into(),
            ..default()
        };
        let of_instant = Rule3 {
            amplitude: [instant.a_plus, instant.a_minus],
            tau: [instant.tau_plus, instant.tau_minus],
            gain: instant.gamma,
            ..Rule3::default()
        };
        let (eligible, pairs) = (dopamine(), stdp());
        let cases = [
            (of_stdp(&pairs), RuleValue::new(pairs)),
            (of_dopamine(&eligible), RuleValue::new(eligible)),
            (of_instant, RuleValue::new(instant)),
        ];
        for (replay, rule) in cases {
            let mut scene = learning(dt, rule, rewards(Some(60.0)));
            let ungated = built_weights(&scene);
            scene.modulators.push(ModulatorSpec {
                name: "gate".into(),
                tau_ms: Some(80.0),
                baseline: 0.2,
                rewards: vec![Rewarder::Schedule {
                    times_ms: vec![20.0, 80.0, 150.0, 220.0],
                    amount: 1.0,
                }],
                effects: vec![Effect::Learning {
                    projection: "synapses".into(),
                    neurons: Selection::All,
                    gain: -2.5,
                    least: -1.0,
                    most: 2.0,
                }],
                ..default()
            });
            let gated = agrees(
                &scene,
                &Rule3 {
                    gate: -2.5,
                    ..replay
                },
            );
            assert_ne!(gated, ungated);
        }
    }
}

fn built_weights(scene: &Scene) -> Vec<f32> {
    let mut simulation = built(scene);
    run(&mut simulation, DURATION_MS);
    simulation.weights("synapses").expect("weights")
}

/// From the moment of a reset, also in the middle of spikes that are under way, only later spikes are learnt from.
#[test]
fn forgotten_spikes_are_not_learnt_from() {
    for dt in [0.1, 0.4] {
        for reset_ms in [44.0, 160.0] {
            let (eligible, pairs) = (dopamine(), stdp());
            let replay = Rule3 {
                reset_ms: Some(reset_ms),
                ..of_dopamine(&eligible)
            };
            let rule = RuleValue::new(eligible);
            agrees(&learning(dt, rule, rewards(Some(60.0))), &replay);
            let replay = Rule3 {
                reset_ms: Some(reset_ms),
                ..of_stdp(&pairs)
            };
            let rule = RuleValue::new(pairs);
            agrees(&learning(dt, rule, rewards(Some(60.0))), &replay);
        }
    }
}

/// The potential that spikes of given efficacies cause, each `DELAY_MS` after it was emitted.
fn potential(spikes: &[(f64, f64)], at_ms: f64) -> f64 {
    let parameters = neuropil::neurons::srm::SrmParameters::default();
    let each = spikes
        .iter()
        .map(|(ms, efficacy)| efficacy * parameters.epsilon(at_ms - ms - DELAY_MS));
    each.sum()
}

/// The efficacies of spikes at these times by the equations, in steps of a microsecond.
fn efficacies(model: &TsodyksMarkram, times_ms: &[f64]) -> Vec<f64> {
    let (mut x, mut u, mut sent) = (1.0, 0.0, Vec::new());
    let mut last: Option<f64> = None;
    for time in times_ms {
        if let Some(last) = last {
            let ms = time - last;
            x = 1.0 - (1.0 - x) * libm::exp(-ms / model.tau_rec);
            u *= libm::exp(-ms / model.tau_fac);
        }
        u += model.u * (1.0 - u);
        sent.push(u * x);
        x -= u * x;
        last = Some(*time);
    }
    sent
}

#[test]
fn synapses_depress_and_facilitate_by_the_times_within_steps() {
    let times = [3.137, 5.551, 5.902, 17.23, 40.049, 41.77];
    let model = TsodyksMarkram {
        u: 0.25,
        tau_rec: 60.0,
        tau_fac: 300.0,
        tau_psc: 0.0,
    };
    let sent = efficacies(&model, &times);
    for (dt, plastic) in [(0.1, false), (0.8, false), (0.8, true)] {
        let mut scene = scene(dt, times.map(|ms| (ms, 3)).to_vec());
        scene.projections[0].short_term = Some(model.clone());
        if plastic {
            scene.projections[0].plasticity = vec![RuleValue::new(Settable {
                w_max: 5.0,
                ..default()
            })];
        }
        let mut simulation = built(&scene);
        let trains: Vec<_> = times.iter().copied().zip(sent.iter().copied()).collect();
        for until in [4.8, 8.0, 16.0, 20.0, 48.0, 64.0] {
            run(&mut simulation, until);
            let got = simulation.column("neurons", "v").expect("potentials")[1];
            let want = INITIAL * potential(&trains, until);
            assert!(
                (f64::from(got) - want).abs() < 1e-3 * want.max(0.01),
                "steps of {dt} ms, {until} ms: {got}, want {want}"
            );
        }
    }
}

#[test]
fn a_pool_acts_on_what_arrives_one_by_one() {
    let mut scene = scene(0.4, vec![(3.1, 0), (30.3, 0)]);
    scene.modulators = vec![ModulatorSpec {
        name: "acetylcholine".into(),
        tau_ms: Some(1e9),
        rewards: vec![Rewarder::Schedule {
            times_ms: vec![20.0],
            amount: 0.5,
        }],
        effects: vec![Effect::Release {
            projection: "synapses".into(),
            neurons: Selection::All,
            gain: -1.2,
            most: 1.0,
        }],
        ..default()
    }];
    let mut simulation = built(&scene);
    run(&mut simulation, 40.0);
    let got = simulation.column("neurons", "v").expect("potentials")[0];
    let want = INITIAL * potential(&[(3.1, 1.0), (30.3, 0.4)], 40.0);
    assert!(
        (f64::from(got) - want).abs() < 1e-3 * want,
        "{got}, want {want}"
    );
}

#[test]
fn weights_are_seen_to_as_everywhere() {
    let sums = |weights: &[f32]| {
        let mut sums = [0.0; NEURONS as usize];
        for (i, weight) in weights.iter().enumerate() {
            sums[i % NEURONS as usize] += f64::from(*weight);
        }
        sums
    };
    // A budget beside STDP.
    let mut budget = scene(0.4, trains());
    budget.projections[0].plasticity = vec![
        RuleValue::new(Stdp {
            a_plus: 0.05,
            a_minus: 0.04,
            w_max: 3.0,
            ..default()
        }),
        RuleValue::new(Budget {
            total: 30.0,
            every_ms: 8.0,
            ..default()
        }),
    ];
    let mut simulation = built(&budget);
    run(&mut simulation, DURATION_MS);
    let weights = simulation.weights("synapses").expect("weights");
    for sum in sums(&weights) {
        assert!((sum - 30.0).abs() < 1e-3, "{sum}");
    }
    assert!(weights.iter().any(|w| *w > 1.2) && weights.iter().any(|w| *w < 0.4));

    // Weights that decay, alone: in closed form at any time, also between steps of the rule.
    let mut fading = scene(0.8, trains());
    fading.projections[0].plasticity = vec![RuleValue::new(ConvergentDecay {
        tau_ms: 200.0,
        w_rest: 0.2,
    })];
    let mut simulation = built(&fading);
    run(&mut simulation, 160.0);
    let want = 0.2 + (INITIAL - 0.2) * libm::exp(-160.0 / 200.0);
    for weight in simulation.weights("synapses").expect("weights") {
        assert!(
            (f64::from(weight) - want).abs() < 1e-5,
            "{weight}, want {want}"
        );
    }

    // A learning rate that falls: a tenth of the time constant in, changes are those of full rate; ten of them in, none.
    let changed = |tau_ms: f64| {
        let mut slowing = scene(0.4, trains());
        slowing.projections[0].plasticity = vec![
            RuleValue::new(Stdp {
                a_plus: 0.01,
                a_minus: 0.0,
                w_max: 30.0,
                ..default()
            }),
            RuleValue::new(LearningRateDecay {
                tau_ms,
                ..default()
            }),
        ];
        let mut simulation = built(&slowing);
        run(&mut simulation, 60.0);
        let early = sums(&simulation.weights("synapses").expect("weights"));
        run(&mut simulation, DURATION_MS);
        let late = sums(&simulation.weights("synapses").expect("weights"));
        [
            early[0] - f64::from(AFFERENTS) * INITIAL,
            late[0] - early[0],
        ]
    };
    let (full, falling) = (changed(1e9), changed(6.0));
    assert!(full[0] > 0.5 && full[1] > 2.0, "{full:?}");
    assert!(
        falling[0] < 0.5 * full[0] && falling[1] < 1e-3,
        "{falling:?}"
    );
}

/// All of it in one network.
fn everything(dt_ms: f64) -> Scene {
    let rule = DopamineStdp {
        a_plus: 0.1,
        a_minus: 0.12,
        tau_c: 10.0,
        gain: 0.01,
        w_max: 3.0,
        modulator: "reward".into(),
        ..default()
    };
    let mut scene = learning(dt_ms, RuleValue::new(rule), rewards(Some(60.0)));
    scene.projections[0].plasticity.extend([
        RuleValue::new(Budget {
            total: 36.0,
            every_ms: 8.0,
            ..default()
        }),
        RuleValue::new(ConvergentDecay {
            tau_ms: 500.0,
            w_rest: 0.5,
        }),
        RuleValue::new(LearningRateDecay {
            tau_ms: 300.0,
            ..default()
        }),
    ]);
    scene.projections[0].short_term = Some(TsodyksMarkram {
        u: 0.8,
        tau_rec: 20.0,
        ..default()
    });
    scene.projections[0].delay_ms = Some(Distribution::Uniform { min: 0.8, max: 4.0 });
    scene
}

#[test]
fn a_resumed_network_goes_on_bit_by_bit_on_any_number_of_threads() {
    let scene = everything(0.4);
    let mut whole = built(&scene);
    let before = run(&mut whole, 150.0);
    let snapshot = whole.snapshot().expect("a snapshot");
    let rest = run(&mut whole, DURATION_MS);
    assert!(before.post.len() > 5 && rest.post.len() > 5);
    let weights = whole.weights("synapses");
    let mut resumed = built(&scene);
    resumed.restore(&snapshot).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(run(&mut resumed, DURATION_MS).post, rest.post);
    assert_eq!(resumed.weights("synapses"), weights);
    let last = |simulation: &mut Simulation| simulation.snapshot().expect("a snapshot").to_bytes();
    assert_eq!(last(&mut resumed), last(&mut whole));
    for threads in [2, 3] {
        let options = BuildOptions {
            threads,
            force_lanes: true,
            ..default()
        };
        let mut other = Simulation::new(&scene, &options).expect("a network");
        assert_eq!(run(&mut other, 150.0).post, before.post);
        assert_eq!(run(&mut other, DURATION_MS).post, rest.post);
        assert_eq!(other.weights("synapses"), weights);
    }
}

/// Times of short-term dynamics are steps at other models and parts of steps here; an edit of the model leaves them what they are.
#[test]
fn transmitter_is_kept_when_the_model_of_the_targets_changes() {
    let dynamic = |exact: bool| {
        let mut scene = scene(0.4, trains());
        scene.projections[0].short_term = Some(TsodyksMarkram {
            tau_rec: 100.0,
            ..default()
        });
        if !exact {
            scene.regions[1] = RegionSpec::new("neurons", NEURONS, LifExp::default());
        }
        scene
    };
    for exact in [false, true] {
        let mut before = built(&dynamic(exact));
        before.run_ms(160.0);
        let carried = before.carry().expect("a state");
        let mut after = built(&dynamic(!exact));
        after.take_over(&carried).unwrap_or_else(|e| panic!("{e}"));
        let section = |simulation: &mut Simulation| {
            let snapshot = simulation.snapshot().expect("a snapshot");
            snapshot
                .u64s("projection.0.short_term")
                .expect("it")
                .to_vec()
        };
        let [was, is] = [&mut before, &mut after].map(section);
        for (was, is) in was.as_chunks::<4>().0.iter().zip(is.as_chunks::<4>().0) {
            assert_eq!(was[1..], is[1..]);
            assert!(was[0].abs_diff(is[0]) <= u64::from(TICKS), "{was:?} {is:?}");
        }
        assert!(was.as_chunks::<4>().0.iter().any(|s| s[0] > 0));
        after.run_ms(100.0);
    }
}
