//! A network that is edited, rewound, saved, replayed and watched.

use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::scene::shipped::SCENES;
use neuropil::session::Session;
use neuropil::session::command::{Place, SimCommand};
use neuropil::session::frame::{Frame, SpikeAt, Subscription, TraceOf};
use neuropil::session::log::{read_log, write_log};
use neuropil::session::runner::{Request, Runner};
use neuropil::sim::rng::{Purpose, Random};

fn open_text(text: &str, probes: bool) -> Session {
    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("test", text), &[], &registry).expect("a scene");
    let options = BuildOptions {
        statistics: probes,
        ..BuildOptions::default()
    };
    Session::open(
        loaded,
        SceneFiles::default(),
        registry,
        options,
        probes,
        &|_| {},
    )
    .unwrap_or_else(|e| panic!("{e}"))
}

/// Two regions, all kinds of delays and stores, currents and Poisson input.
const NETWORK: &str = r#"Scene(
    title: "two populations", dt_ms: 0.1, duration_ms: 200, seed: 3,
    regions: [
        (name: "E", neurons: 400, model: LifExp(i_e: Normal(mean: 380, sd: 20, min: 0)), initial: {"v": Uniform(min: -70, max: -55)}),
        (name: "I", neurons: 100, model: Izhikevich(a: 0.1)),
        (name: "L", neurons: 60, model: LifExp(i_e: 450), initial: {"v": Uniform(min: -70, max: -55)}),
    ],
    projections: [
        (from: "E", to: "E", rule: FixedIndegree(40), weight: Normal(mean: 20, sd: 4, min: 0), delay_ms: Uniform(min: 0.5, max: 5)),
        (from: "E", to: "I", rule: PairwiseBernoulli(0.1), weight: 2, delay_ms: 1.5),
        (from: "I", to: "E", rule: AllToAll, weight: Uniform(min: -30, max: 0), delay_ms: 1),
        (from: "I", to: "I", rule: OneToOne, weight: -1, delay_ms: 2),
        (from: "E", to: "L", rule: FixedIndegree(30), weight: Uniform(min: 0, max: 60), delay_ms: Uniform(min: 0.5, max: 3), dendritic: Ms(0.3),
         short_term: TsodyksMarkram(u: 0.8, tau_rec: 100), plasticity: [DopamineStdp(w_max: 60, gain: 20, a_minus: 0.2)]),
        (from: "L", to: "E", rule: FixedOutdegree(20), weight: 30, delay_ms: 1, plasticity: [Stdp(w_max: 100)]),
    ],
    modulators: [(name: "dopamine", tau_ms: 100, initial: 0.5, released_by: [(from: "E", amount: 0.001, delay_ms: 2)])],
    stimuli: [
        (to: "E", kind: Poisson(rate_hz: 500, weight: 15, delay_ms: 1)),
        (name: "wave", to: "I", kind: Alternating(amplitude: 3, offset: 4, frequency_hz: 20, phase_deg: 0)),
    ],
)"#;

fn region(name: &str) -> Place {
    Place::Region(name.into())
}

fn set(of: Place, field: &str, value: &str) -> SimCommand {
    SimCommand::Set {
        of,
        field: field.into(),
        value: value.into(),
    }
}

fn run(session: &mut Session, steps: u32) {
    for _ in 0..steps {
        session.step(false).expect("a step");
    }
}

/// Weights before and after: freezing holds them from its moment on, and undoing it lets them go on.
#[test]
fn freezing_acts_from_its_moment_on() {
    let mut session = open_text(NETWORK, true);
    let weights =
        |session: &mut Session| session.simulation_mut().weights("E → L").expect("weights");
    let start = weights(&mut session);
    run(&mut session, 600);
    let learned = weights(&mut session);
    assert_ne!(start, learned, "it learns");
    let freeze = |frozen: &str| set(Place::Projection("E → L".into()), "frozen", frozen);
    session.apply(freeze("true")).expect("a command");
    assert_eq!(
        weights(&mut session),
        learned,
        "freezing itself changes nothing"
    );
    run(&mut session, 600);
    assert_eq!(weights(&mut session), learned, "frozen");
    session.apply(freeze("false")).expect("a command");
    assert_eq!(weights(&mut session), learned);
    run(&mut session, 600);
    assert_ne!(weights(&mut session), learned, "it goes on");
}

/// One command of each kind, several of those that act in different ways.
fn commands() -> Vec<SimCommand> {
    let projection = |name: &str| Place::Projection(name.into());
    let mut pulse = StimulusSpec::new(
        "E",
        StimulusKind::Step {
            amplitude: 300.0.into(),
        },
    );
    pulse.neurons = Selection::Range(10, 60);
    pulse.window = Window {
        start_ms: 21.0,
        stop_ms: Some(35.0),
    };
    let mut force = StimulusSpec::new(
        "I",
        StimulusKind::Spike {
            times_ms: vec![22.0, 23.0],
        },
    );
    force.name = Some("brush".into());
    vec![
        set(region("E"), "model.tau_m", "14"),
        set(region("E"), "model.v_th", "Normal(mean: -54, sd: 1)"),
        set(region("I"), "model", "LifExp(tau_m: 8)"),
        set(region("I"), "neurons", "130"),
        set(region("I"), "neurons", "70"),
        set(projection("E → E"), "weight", "25"),
        set(projection("E → I"), "delay_ms", "3"),
        set(projection("E → L"), "frozen", "true"),
        set(projection("E → L"), "plasticity.0.a_plus", "3"),
        set(projection("L → E"), "learning_targets", "Range(0, 20)"),
        set(projection("I → E"), "muted", "true"),
        set(Place::Stimulus("stimulus 0".into()), "kind.rate_hz", "900"),
        SimCommand::Lesion {
            region: "E".into(),
            neurons: Selection::Fraction(0.3),
        },
        SimCommand::AddRegion(RegionSpec::new("new", 50, LifExp::default())),
        SimCommand::Connect(ProjectionSpec::new(
            "E",
            "E",
            Rule::FixedIndegree(5),
            30.0,
            2.0,
        )),
        SimCommand::Stimulate(pulse),
        SimCommand::Stimulate(force),
        SimCommand::Remove(region("I")),
        SimCommand::Remove(projection("E → E")),
        SimCommand::Remove(Place::Stimulus("wave".into())),
    ]
}

fn hash(session: &Session) -> u64 {
    session.simulation().spike_count().hash
}

fn text_of(session: &Session) -> String {
    session.scene_text().expect("a text")
}

#[test]
fn every_command_can_be_undone_and_redone() {
    let mut plain = open_text(NETWORK, false);
    plain.seek(200).expect("steps");
    let before = text_of(&plain);
    plain.seek(400).expect("steps");
    let unedited = hash(&plain);
    for command in commands() {
        let mut session = open_text(NETWORK, false);
        session.seek(200).expect("steps");
        let words = command.words();
        session
            .apply(command)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        let after = text_of(&session);
        assert_ne!(after, before, "{words}");
        session
            .apply(SimCommand::Undo)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        assert_eq!(text_of(&session), before, "{words}");
        assert_eq!(session.undo_and_redo(), (None, Some(words.clone())));
        session
            .apply(SimCommand::Redo)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        assert_eq!(text_of(&session), after, "{words}");
        session.seek(400).expect("steps");
        let edited = hash(&session);
        // What a command does can be seen, except where it only makes room.
        if !words.starts_with("add region") {
            assert_ne!(edited, unedited, "{words}");
        }
        // Going back before the command and forward again lets it act again.
        session.seek(100).expect("a way back");
        assert_eq!(text_of(&session), before, "{words}");
        session.seek(400).expect("steps");
        assert_eq!(
            (hash(&session), text_of(&session)),
            (edited, after),
            "{words}"
        );
    }
}

/// Undone in the step in which it was given, a command that keeps all neurons leaves no trace.
#[test]
fn a_command_that_is_undone_at_once_changes_nothing() {
    let mut plain = open_text(NETWORK, false);
    plain.seek(400).expect("steps");
    for command in commands() {
        let words = command.words();
        let state_is_lost = words.starts_with("remove region")
            || words.contains("to 70")
            || words.contains("set model of");
        if state_is_lost {
            continue;
        }
        let mut session = open_text(NETWORK, false);
        session.seek(200).expect("steps");
        session
            .apply(command)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        session
            .apply(SimCommand::Undo)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        session.seek(400).expect("steps");
        assert_eq!(hash(&session), hash(&plain), "{words}");
    }
}

/// Rewards by hand and traces that are reset act again after going back and in a replay, and are not undone.
#[test]
fn actions_by_hand_act_again_and_are_no_edits() {
    let reward = SimCommand::Reward {
        modulator: "dopamine".into(),
        amount: 3.0,
    };
    let mut plain = open_text(NETWORK, false);
    plain.seek(800).expect("steps");
    let weights =
        |session: &mut Session| session.simulation_mut().weights("E → L").expect("weights");
    let untouched = weights(&mut plain);
    for action in [reward, SimCommand::ResetTraces("E → L".into())] {
        let words = action.words();
        let mut session = open_text(NETWORK, false);
        session.seek(300).expect("steps");
        let before = text_of(&session);
        session
            .apply(action)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        assert_eq!(text_of(&session), before, "{words}");
        assert_eq!(session.undo_and_redo(), (None, None), "{words}");
        session.seek(800).expect("steps");
        let acted = weights(&mut session);
        assert_ne!(acted, untouched, "{words}");
        for step in [300, 100, 299] {
            session.seek(step).expect("a way back");
            session.seek(800).expect("steps");
            assert_eq!(weights(&mut session), acted, "{words}, back to {step}");
        }
        let text = write_log(&session.log().0, &Registry::new()).expect("text");
        let mut again = open_text(NETWORK, false);
        again
            .replay(read_log(&text, "log", &Registry::new()).expect("a log"))
            .expect("commands");
        again.seek(800).expect("steps");
        assert_eq!(weights(&mut again), acted, "{words}, replayed");
    }
    let mut session = open_text(NETWORK, false);
    for (wrong, part) in [
        (
            SimCommand::ResetTraces("E → M".into()),
            "did you mean \"E → L\"",
        ),
        (SimCommand::ResetTraces("E → I".into()), "do not change"),
        (
            SimCommand::Reward {
                modulator: "dopamin".into(),
                amount: 1.0,
            },
            "did you mean \"dopamine\"",
        ),
        (
            SimCommand::Reward {
                modulator: "dopamine".into(),
                amount: f64::NAN,
            },
            "finite",
        ),
        (
            SimCommand::Reward {
                modulator: "dopamine".into(),
                amount: 1e308,
            },
            "largest is about 3.4e38",
        ),
    ] {
        let error = session.apply(wrong).expect_err("wrong").to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(session.log().0.is_empty());
}

/// A number that is dragged is sent many times and undone once.
#[test]
fn an_edit_that_goes_on_is_undone_as_one() {
    let mut session = open_text(NETWORK, false);
    session.seek(100).expect("steps");
    let tau = |value: &str| set(region("E"), "model.tau_m", value);
    session.apply(tau("11")).expect("an edit");
    let before = text_of(&session);
    session.apply(tau("12")).expect("an edit");
    for value in ["13", "14", "15"] {
        session.seek(session.now() + 10).expect("steps");
        session.go_on(tau(value)).expect("an edit");
    }
    let after = text_of(&session);
    let words = tau("15").words();
    assert_eq!(session.undo_and_redo().0.as_ref(), Some(&words));
    session.apply(SimCommand::Undo).expect("an edit to undo");
    assert_eq!(text_of(&session), before);
    session.apply(SimCommand::Redo).expect("an edit to redo");
    assert_eq!(text_of(&session), after);
    session.apply(SimCommand::Undo).expect("an edit to undo");
    // After an undo there is nothing to go on with: it is an edit of its own.
    session.go_on(tau("20")).expect("an edit");
    session.apply(SimCommand::Undo).expect("an edit to undo");
    assert_eq!(text_of(&session), before);
    // The log tells it all to a replay.
    session.seek(200).expect("steps");
    let text = write_log(&session.log().0, &Registry::new()).expect("text");
    let log = read_log(&text, "log", &Registry::new()).expect("a log");
    let mut again = open_text(NETWORK, false);
    again.replay(log).expect("commands");
    again.seek(200).expect("steps");
    assert_eq!((hash(&again), text_of(&again)), (hash(&session), before));
}

/// Gives a session a random series of commands; returns the spike hash of every hundredth step.
fn play(session: &mut Session) -> Vec<u64> {
    let mut hashes = vec![0];
    for (i, command) in commands().into_iter().enumerate() {
        let until = 50 * (i as u64 + 1);
        while session.now() < until {
            session.step(false).expect("a step");
            if session.now().is_multiple_of(100) {
                hashes.push(hash(session));
            }
        }
        let words = command.words();
        session
            .apply(command)
            .unwrap_or_else(|e| panic!("{words}: {e}"));
        if i % 3 == 2 {
            session.apply(SimCommand::Undo).expect("something to undo");
        }
        session.keep_state(1 << 20).expect("a state");
    }
    while session.now() < 1500 {
        session.step(false).expect("a step");
        if session.now().is_multiple_of(100) {
            hashes.push(hash(session));
        }
        if session.now().is_multiple_of(70) {
            session.keep_state(1 << 20).expect("a state");
        }
    }
    hashes
}

#[test]
fn time_goes_back_to_any_step_exactly() {
    let mut session = open_text(NETWORK, false);
    let hashes = play(&mut session);
    let mut draws = Random::new(9, 9, Purpose::Choice).draws(0);
    for _ in 0..10 {
        let at = draws.below(hashes.len() as u32) as usize;
        session.seek(at as u64 * 100).expect("a way");
        assert_eq!(hash(&session), hashes[at], "step {}", at * 100);
    }
    assert_eq!(session.reached(), 1500);
}

#[test]
fn a_log_that_is_replayed_gives_the_same_spikes_with_probes_and_without() {
    let mut session = open_text(NETWORK, false);
    let hashes = play(&mut session);
    let (log, acted) = session.log();
    assert_eq!(log.len(), acted);
    let registry = Registry::new();
    let text = write_log(&log, &registry).expect("a text");
    let read = read_log(&text, "log.ron", &registry).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert_eq!(write_log(&read, &registry).as_deref(), Ok(text.as_str()));
    let probes = r#"probes: [(kind: Spikes), (region: "E", kind: Column(column: "v", neurons: List([3]), every_ms: 1)), (kind: Rate(bin_ms: 1))])"#;
    let probed = NETWORK
        .trim_end()
        .strip_suffix(')')
        .expect("a scene")
        .to_owned()
        + probes;
    for text in [NETWORK, probed.as_str()] {
        let mut replayed = open_text(text, true);
        replayed.replay(read.clone()).expect("the first commands");
        replayed.seek(1500).expect("steps");
        assert_eq!(hash(&replayed), hashes[15]);
    }
}

#[test]
fn an_edited_scene_is_saved_and_loaded_with_the_same_network_and_spikes() {
    for skipped in [None, Some("remove region")] {
        let mut session = open_text(NETWORK, false);
        for command in commands() {
            if skipped.is_none_or(|s| !command.words().starts_with(s)) {
                let words = command.words();
                // Some need a part that an earlier one took away.
                if let Err(error) = session.apply(command) {
                    assert!(error.to_string().contains("unknown"), "{words}: {error}");
                }
            }
        }
        let text = text_of(&session);
        let mut loaded = open_text(&text, false);
        assert_eq!(text_of(&loaded), text);
        session.seek(500).expect("steps");
        loaded.seek(500).expect("steps");
        assert_eq!(hash(&session), hash(&loaded));
        assert!(session.simulation().spike_count().spikes > 100);
    }
}

#[test]
fn lesioned_neurons_spike_no_more_and_muted_projections_pass_nothing() {
    let mut session = open_text(NETWORK, false);
    session.seek(300).expect("steps");
    session
        .apply(SimCommand::Lesion {
            region: "E".into(),
            neurons: Selection::Fraction(0.5),
        })
        .expect("a lesion");
    let lesioned = session.structure().regions[0].lesioned.clone();
    assert_eq!(lesioned.len(), 200);
    let e = session.simulation_mut().region("E").expect("the region");
    let mut spikes = 0;
    for _ in 0..1000 {
        session.step(false).expect("a step");
        let list = &session
            .simulation()
            .world()
            .get::<neuropil::network::region::Spikes>(e)
            .expect("spikes")
            .list;
        spikes += list.len();
        assert!(list.iter().all(|n| lesioned.binary_search(n).is_err()));
    }
    assert!(spikes > 50, "{spikes}");
    for projection in ["E → E", "E → I", "I → E", "I → I", "E → L", "L → E"] {
        let of = Place::Projection(projection.into());
        session
            .apply(set(of, "muted", "true"))
            .expect("a projection");
    }
    assert_eq!(session.structure().synapses, 0);
    let events = session.simulation().spike_count().events;
    session.seek(session.now() + 200).expect("steps");
    assert_eq!(session.simulation().spike_count().events, events);
}

/// A change of parameters or stimuli of a large network must not make its synapses anew, and gives what making them anew gives.
#[test]
fn synapses_that_stay_are_not_made_again() {
    let mut kept = open_text(NETWORK, false);
    let mut new = open_text(NETWORK, false);
    for session in [&mut kept, &mut new] {
        session.seek(100).expect("steps");
    }
    kept.apply(set(region("E"), "model.tau_m", "14"))
        .expect("an edit");
    new.apply(set(region("E"), "model.tau_m", "14"))
        .expect("an edit");
    // Muting and unmuting makes the synapses of the second network again.
    for muted in ["true", "false"] {
        let of = Place::Projection("E → I".into());
        new.apply(set(of, "muted", muted)).expect("an edit");
    }
    for session in [&mut kept, &mut new] {
        session.seek(400).expect("steps");
    }
    assert_eq!(hash(&kept), hash(&new));
}

#[test]
fn a_wrong_command_changes_nothing_and_says_what_is_wrong() {
    let mut session = open_text(NETWORK, false);
    session.seek(150).expect("steps");
    let before = text_of(&session);
    let mut elsewhere = StimulusSpec::new("E", StimulusKind::Silence);
    elsewhere.neurons = Selection::List(vec![400]);
    let wrong: [(SimCommand, &str); 14] = [
        (set(region("F"), "model.tau_m", "3"), "unknown region \"F\""),
        (
            set(region("E"), "model.tua_m", "3"),
            "did you mean \"tau_m\"?",
        ),
        (set(region("E"), "model.tau_m", "-1"), "more than 0"),
        (set(region("E"), "model.tau_m", "(("), "expected"),
        (set(region("E"), "name", "\"X\""), "a name stays"),
        (set(region("E"), "neurons", "0"), "1"),
        (
            set(Place::Projection("E → E".into()), "delay_ms", "0"),
            "more than 0",
        ),
        (
            set(
                Place::Projection("E → E".into()),
                "rule",
                "PairwiseBernoulli(1.5)",
            ),
            "1.5",
        ),
        (
            set(Place::Projection("E > E".into()), "weight", "0"),
            "unknown projection",
        ),
        (
            SimCommand::Lesion {
                region: "E".into(),
                neurons: Selection::Fraction(1.5),
            },
            "0 to 1",
        ),
        (
            SimCommand::AddRegion(RegionSpec::new("E", 5, LifExp::default())),
            "is taken",
        ),
        (
            SimCommand::Connect(ProjectionSpec::new("E", "X", Rule::AllToAll, 1.0, 1.0)),
            "unknown region",
        ),
        (
            SimCommand::Stimulate(elsewhere),
            "neuron 400 does not exist",
        ),
        (SimCommand::Undo, "nothing to undo"),
    ];
    for (command, expected) in wrong {
        let words = command.words();
        match session.apply(command) {
            Ok(_) => panic!("{words} was taken"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains(expected), "{words}: {error}");
                assert_eq!(text_of(&session), before, "{words}");
            }
        }
    }
}

/// Two regions with a rule, a pool, and probes of both.
const PROBED: &str = r#"Scene(dt_ms: 0.5, duration_ms: 100,
    regions: [(name: "a", neurons: 50, model: PoissonSource(rate_hz: 20)), (name: "b", neurons: 100, model: LifExp)],
    projections: [(name: "p", from: "a", to: "b", rule: AllToAll, weight: 1, delay_ms: 1, plasticity: [Stdp(w_max: 2)])],
    modulators: [(name: "d", tau_ms: 50, released_by: [(from: "a", amount: 1)])],
    probes: [
        (region: "b", kind: Column(column: "v", neurons: List([90]), every_ms: 1)),
        (kind: WeightHistogram(projection: "p", bins: 5, every_ms: 10)),
        (kind: Modulator(modulator: "d", every_ms: 1)),
    ],
)"#;

#[test]
fn a_modulator_is_removed_with_its_probes() {
    for probes in [true, false] {
        let mut session = open_text(PROBED, probes);
        let place = Place::Modulator("d".into());
        session.apply(SimCommand::Remove(place)).expect("a removal");
        let text = text_of(&session);
        assert!(!text.contains("Modulator("), "{text}");
        assert_eq!(open_text(&text, true).scene().probes.len(), 2);
        session.apply(SimCommand::Undo).expect("a way back");
        assert_eq!(session.scene().probes.len(), 3);
    }
}

/// An edit that would make a scene that cannot be loaded is refused, in the words of `check`, also where nothing is probed.
#[test]
fn an_edit_that_a_probe_does_not_allow_is_refused_with_probes_and_without() {
    for probes in [true, false] {
        let mut session = open_text(PROBED, probes);
        run(&mut session, 20);
        let without_rules = || set(Place::Projection("p".into()), "plasticity", "[]");
        // The weights are held by `Settable`.
        session.apply(without_rules()).expect("an edit");
        let before = text_of(&session);
        for (command, parts) in [
            (
                without_rules(),
                [
                    "probes[1].kind.projection",
                    "the weights of \"p\" do not change",
                ],
            ),
            (
                set(region("b"), "neurons", "80"),
                ["probes[0].kind.neurons", "neuron 90 does not exist"],
            ),
        ] {
            let error = session.apply(command).expect_err("a refusal").to_string();
            for part in parts {
                assert!(error.contains(part), "{probes}: {error}");
            }
            assert_eq!(text_of(&session), before);
        }
        run(&mut session, 20);
        open_text(&before, true);
    }
}

/// Opens the network in a runner.
fn running() -> Runner {
    let runner = Runner::start();
    runner.send(Request::Open {
        source: SceneSource::from_text("test", NETWORK),
        settings: Vec::new(),
        seed: None,
        play: false,
    });
    runner
}

fn seek(runner: &Runner, step: u64) {
    runner.send(Request::Seek(step));
    runner.wait_idle();
}

/// The step in which a logged command acts is seen as any other, and what is watched may be gone after it.
#[test]
fn commands_that_act_again_are_watched_as_they_were() {
    let runner = running();
    runner.send(Request::Subscribe(Subscription {
        spikes: true,
        traces: vec![TraceOf::Column {
            region: "E".into(),
            neuron: 399,
            column: "v".into(),
        }],
        ..Subscription::default()
    }));
    seek(&runner, 300);
    let more = RegionSpec::new("more", 20, LifDelta::default());
    runner.send(Request::Edit(SimCommand::AddRegion(more)));
    seek(&runner, 500);
    for step in [100, 900] {
        seek(&runner, step);
    }
    let mut spikes: Vec<SpikeAt> = Vec::new();
    let all = loop {
        let Some(frame) = runner.take_frame() else {
            std::thread::yield_now();
            continue;
        };
        if let Some(from) = frame.void_from {
            spikes.retain(|s| s.step < from);
        }
        spikes.extend(&frame.spikes);
        if frame.progress.step == 900 {
            break frame.progress.spikes;
        }
    };
    assert_eq!(spikes.len() as u64, all);
    // The neuron that is traced goes.
    runner.send(Request::Edit(set(region("E"), "neurons", "30")));
    for step in [1000, 850, 1200] {
        seek(&runner, step);
    }
    assert!(!runner.has_ended());
}

/// What is done to the network while it is on its way acts where it was sent.
#[test]
fn edits_wait_until_a_seek_has_arrived() {
    let runner = running();
    runner.send(Request::Seek(3000));
    runner.send(Request::Edit(set(region("E"), "model.tau_m", "12")));
    runner.wait_idle();
    let log = loop {
        if let Some((log, _)) = runner.take_frame().and_then(|f| f.log) {
            break log;
        }
        std::thread::yield_now();
    };
    let steps: Vec<u64> = log.iter().map(|logged| logged.step).collect();
    assert_eq!(steps, [3000]);
}

/// A pulse that was given to a running network is never over before it begins.
#[test]
fn a_pulse_that_comes_late_acts_later() {
    let mut session = open_text(NETWORK, false);
    session.seek(1000).expect("steps");
    let mut pulse = StimulusSpec::new(
        "E",
        StimulusKind::Step {
            amplitude: 900.0.into(),
        },
    );
    pulse.window = Window {
        start_ms: 90.0,
        stop_ms: Some(95.0),
    };
    session
        .apply(SimCommand::Stimulate(pulse))
        .expect("an edit");
    let scene = session.scene();
    let window = &scene.stimuli.last().expect("the pulse").window;
    assert_eq!((window.start_ms, window.stop_ms), (100.0, Some(105.0)));
}

/// Two regions may have a stimulus of one name each.
#[test]
fn stimuli_of_one_name_are_told_apart_by_their_region() {
    let text = NETWORK.replace(
        "(name: \"wave\", to",
        "(name: \"wave\", to: \"E\", kind: Step(amplitude: 1)), (name: \"wave\", to",
    );
    let mut session = open_text(&text, false);
    let place = Place::Stimulus("wave on I".into());
    session.apply(SimCommand::Remove(place)).expect("an edit");
    let left: Vec<_> = session
        .scene()
        .stimuli
        .iter()
        .map(|s| s.to.clone())
        .collect();
    assert_eq!(left, ["E", "E"]);
}

/// Everything that an observer can ask for.
fn everything(runner: &Runner) -> Subscription {
    runner.wait_idle();
    let structure = loop {
        if let Some(structure) = runner.take_frame().and_then(|f| f.structure) {
            break structure;
        }
        std::thread::yield_now();
    };
    let first = &structure.regions[0];
    let columns = first.columns.iter().map(|(name, _)| TraceOf::Column {
        region: first.name.clone(),
        neuron: 0,
        column: (*name).to_owned(),
    });
    let modulators = structure.scene.modulators.iter();
    Subscription {
        spikes: true,
        column: first.columns.first().map(|c| c.0.to_owned()),
        traces: columns
            .chain(modulators.map(|m| TraceOf::Modulator(m.name.clone())))
            .collect(),
        state_of: Some((first.name.clone(), 0)),
        synapses_of: Some((first.name.clone(), 0)),
        weights_of: structure.projections.first().map(|p| p.name.clone()),
        stages: true,
    }
}

#[test]
fn watching_a_network_changes_nothing() {
    for (name, _) in SCENES {
        let registry = Registry::new();
        let source = SceneSource::find(name).expect("a shipped scene");
        let settings = match *name {
            "microcircuit" => vec![("scale".to_owned(), "0.02".to_owned())],
            _ => vec![],
        };
        let loaded = load(source.clone(), &settings, &registry).expect("a scene");
        let files = SceneFiles::default();
        let prepared = loaded.prepare(&registry, &files).expect("a network");
        let options = BuildOptions {
            statistics: true,
            ..BuildOptions::default()
        };
        let mut alone = Simulation::build(
            &loaded.scene,
            &prepared,
            &registry,
            &files,
            &options,
            &|_| {},
        )
        .expect("a network");
        let steps = 600;
        alone.run_steps(steps);

        let runner = Runner::start();
        runner.send(Request::Open {
            source,
            settings,
            seed: None,
            play: false,
        });
        let wanted = everything(&runner);
        runner.send(Request::Subscribe(wanted));
        // Half of the way, back, and all of it.
        for step in [steps / 2, steps / 3, steps] {
            runner.send(Request::Seek(step));
            runner.wait_idle();
        }
        let mut spikes: Vec<SpikeAt> = Vec::new();
        let hash = loop {
            let Some(frame) = runner.take_frame() else {
                std::thread::yield_now();
                continue;
            };
            if let Some(from) = frame.void_from {
                spikes.retain(|s| s.step < from);
            }
            spikes.extend(&frame.spikes);
            let (step, hash) = (frame.progress.step, frame.progress.hash);
            runner.recycle(frame);
            if step == steps {
                break hash;
            }
        };
        assert_eq!(hash, alone.spike_count().hash, "{name}");
        assert_eq!(spikes.len() as u64, alone.spike_count().spikes, "{name}");
        assert!(spikes.is_sorted_by(|a, b| a < b), "{name}");
    }
}

/// A projection that learns between two others that join the same, and a second pair that does not.
const LEARNING: &str = r#"Scene(
    title: "learning among others", dt_ms: 0.5, seed: 5,
    regions: [
        (name: "in", neurons: 40, model: PoissonSource(rate_hz: 40)),
        (name: "out", neurons: 10, model: LifDelta(i_e: 380)),
    ],
    projections: [
        (name: "fixed", from: "in", to: "out", rule: AllToAll, weight: 0.25, delay_ms: 1),
        (name: "learns", from: "in", to: "out", rule: AllToAll, weight: Uniform(min: 0.4, max: 0.6), delay_ms: 1,
         plasticity: [Stdp(a_plus: 0.05, a_minus: 0.04)]),
        (name: "few", from: "in", to: "out", rule: FixedIndegree(3), weight: 0.25, delay_ms: 2),
        (name: "drawn", from: "in", to: "out", rule: PairwiseBernoulli(0.5), weight: Uniform(min: 0.1, max: 0.2), delay_ms: Uniform(min: 1, max: 5)),
    ],
)"#;

/// Frames until one says what is asked for.
fn frame_with<T>(runner: &Runner, wanted: impl Fn(&Frame) -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        let found = runner.take_frame().and_then(|frame| {
            let found = wanted(&frame);
            runner.recycle(frame);
            found
        });
        if let Some(found) = found {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 60, "no such frame");
        std::thread::yield_now();
    }
}

fn watching(text: &str, subscription: Subscription) -> Runner {
    let runner = Runner::start();
    runner.send(Request::Subscribe(subscription));
    runner.send(Request::Open {
        source: SceneSource::from_text("test", text),
        settings: Vec::new(),
        seed: None,
        play: false,
    });
    runner.wait_idle();
    runner
}

#[test]
fn weights_that_learn_are_read_again_and_others_are_not() {
    let of = |name: &str| Subscription {
        weights_of: Some(name.into()),
        synapses_of: Some(("out".into(), 3)),
        ..Subscription::default()
    };
    let runner = watching(LEARNING, of("learns"));
    let first = frame_with(&runner, |f| Some((f.weights.clone()?, f.synapses.clone()?)));
    assert_eq!((first.0.step, first.0.changes), (0, true));
    // No request but to run: the subscription sees the weights move by itself, more than once.
    runner.send(Request::Pace(Pacing::Unlimited));
    let second = frame_with(&runner, |f| Some((f.weights.clone()?, f.synapses.clone()?)));
    let third = frame_with(&runner, |f| f.weights.clone());
    assert!(second.0.step > 0 && third.step > second.0.step);
    assert_ne!(first.0.cells, second.0.cells);
    assert_ne!(second.0.cells, third.cells);
    assert_ne!(first.1.synapses, second.1.synapses);
    // The histogram has room for every weight, and never takes any back.
    let (low, high, bins) = &third.histogram;
    assert_eq!(bins.iter().sum::<u64>(), 400);
    assert!(*low <= second.0.histogram.0 && *high >= second.0.histogram.1);
    assert!(*low >= 0.0 && *high <= 1.0);

    // What is shown is what the network has at that step, and watching has not changed it.
    runner.send(Request::Pace(Pacing::Paused));
    runner.send(Request::Seek(3000));
    runner.wait_idle();
    let (weights, hash) = frame_with(&runner, |f| {
        let weights = f.weights.clone().filter(|w| w.step == 3000)?;
        Some((weights, f.progress.hash))
    });
    let mut alone = open_text(LEARNING, false);
    alone.seek(3000).expect("steps");
    assert_eq!(hash, alone.simulation().spike_count().hash);
    let simulation = alone.simulation_mut();
    let (want, ends) = (
        simulation.weights("learns").expect("weights"),
        simulation.synapse_ends("learns").expect("synapses"),
    );
    for (weight, (source, target)) in want.iter().zip(ends) {
        let cell = weights.cells[source as usize * 10 + target as usize];
        assert_eq!(cell, *weight);
    }

    // A projection that does not learn is read once.
    runner.send(Request::Subscribe(of("fixed")));
    let fixed = frame_with(&runner, |f| f.weights.clone());
    assert!(!fixed.changes);
    runner.send(Request::Pace(Pacing::Unlimited));
    frame_with(&runner, |f| {
        assert!(f.weights.is_none());
        (f.synapses.is_some()).then_some(())
    });
}

#[test]
fn the_weights_of_a_projection_are_its_own() {
    let mut session = open_text(LEARNING, false);
    let all = session.simulation_mut().synapses("in", "out").len();
    let mut counted = 0;
    for (name, synapses, low, high) in [
        ("fixed", 400, 0.25, 0.25),
        ("learns", 400, 0.4, 0.6),
        ("few", 30, 0.25, 0.25),
        ("drawn", 0, 0.1, 0.2),
    ] {
        let runner = watching(
            LEARNING,
            Subscription {
                weights_of: Some(name.into()),
                ..Subscription::default()
            },
        );
        let weights = frame_with(&runner, |f| f.weights.clone());
        let sum = |degrees: &[u32]| degrees.iter().sum::<u32>();
        let found = sum(&weights.out_degrees);
        assert_eq!(found, sum(&weights.in_degrees));
        assert_eq!(weights.histogram.2.iter().sum::<u64>(), u64::from(found));
        if synapses > 0 {
            assert_eq!(found, synapses, "{name}");
        }
        counted += found as usize;
        let cells = weights.cells.iter().filter(|w| !w.is_nan());
        assert!(
            cells
                .clone()
                .all(|w| (low - 1e-4..=high + 1e-4).contains(w)),
            "{name}"
        );
        if name == "few" {
            assert!(weights.in_degrees.iter().all(|n| *n == 3));
        }
    }
    assert_eq!(counted, all, "every synapse is one projection's");
}

#[test]
fn every_projection_has_its_share_of_memory() {
    for text in [NETWORK, LEARNING] {
        let mut session = open_text(text, false);
        let (structure, all) = (
            session.structure(),
            session.simulation_mut().synapse_bytes(),
        );
        for projection in &structure.projections {
            let per_synapse = projection.bytes as f64 / projection.synapses as f64;
            assert!(
                (2.0..100.0).contains(&per_synapse),
                "{}: {per_synapse} bytes",
                projection.name
            );
        }
        let sum: u64 = structure.projections.iter().map(|p| p.bytes).sum();
        // Shares of a store are rounded down.
        let lost = structure.projections.len() as u64;
        assert!((all - lost..=all).contains(&sum), "{sum} of {all}");
    }
}
