//! What a running network keeps over edits beside its weights: modulators and rewards to come; and that a command that is refused changes
//! nothing.

use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::session::Session;
use neuropil::session::command::{Place, SimCommand};
use neuropil::session::log::{read_log, write_log};

const NAME: &str = "learning";

/// Poisson sources onto neurons that spike by themselves, and a population that releases dopamine.
const SCENE: &str = r#"Scene(
    title: "state", dt_ms: 0.5, duration_ms: 1000, seed: 5,
    regions: [
        (name: "pre", neurons: 24, model: PoissonSource(rate_hz: 60)),
        (name: "post", neurons: 20, model: LifExp(i_e: Normal(mean: 420, sd: 20)), initial: {"v": Uniform(min: -70, max: -55)}),
        (name: "vta", neurons: 10, model: PoissonSource(rate_hz: 20)),
    ],
    projections: [
        (name: "learning", from: "pre", to: "post", rule: AllToAll, weight: Uniform(min: 10, max: 30), delay_ms: 3, dendritic: Ms(1),
         plasticity: [DopamineStdp(w_max: 60, gain: 5)]),
    ],
    modulators: [(
        name: "dopamine", tau_ms: 300, initial: 0.5,
        released_by: [
            (from: "vta", amount: 0.01, delay_ms: 40),
            (from: "vta", neurons: Range(0, 3), amount: 0.02, delay_ms: 15, response: [Alpha(tau: 20)]),
            (from: "pre", amount: 0.001, delay_ms: 2),
        ],
        rewards: [
            Schedule(times_ms: [20, 60, 90, 170, 220], amount: 0.4),
            Coincidence(region: "post", first: 2, second: 5, within_ms: 30, delay_min_ms: 10, delay_max_ms: 80, amount: 0.3),
        ],
    )],
)"#;

fn open(text: &str) -> Session {
    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("test", text), &[], &registry).expect("a scene");
    let files = SceneFiles::default();
    Session::open(
        loaded,
        files,
        registry,
        BuildOptions::default(),
        false,
        &|_| {},
    )
    .unwrap_or_else(|e| panic!("{e}"))
}

/// The scene, some of it replaced.
fn scene(replaced: &[(&str, &str)]) -> String {
    let mut text = SCENE.to_owned();
    for (from, to) in replaced {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn weights(session: &mut Session) -> Vec<f32> {
    session.simulation_mut().weights(NAME).expect("weights")
}

fn hash(session: &Session) -> u64 {
    session.simulation().spike_count().hash
}

fn modulator(session: &mut Session) -> neuropil::modulation::Modulator {
    let found = session.simulation_mut().modulator("dopamine");
    found.expect("the modulator").clone()
}

fn run_ms(session: &mut Session, ms: f64) {
    let steps = ms / session.scene().dt_ms;
    let until = session.now() + steps.round() as u64;
    session.seek(until).expect("steps");
}

fn set_of(of: Place, field: &str, value: &str) -> SimCommand {
    SimCommand::Set {
        of,
        field: field.into(),
        value: value.into(),
    }
}

fn set(field: &str, value: &str) -> SimCommand {
    set_of(Place::Projection(NAME.into()), field, value)
}

fn set_dopamine(field: &str, value: &str) -> SimCommand {
    set_of(Place::Modulator("dopamine".into()), field, value)
}

fn edit(session: &mut Session, command: SimCommand) {
    let words = command.words();
    if let Err(error) = session.apply(command) {
        panic!("{words}: {error}");
    }
}

/// What is made of a command that cannot be leaves no trace, although synapses must be brought up to date for one that can be.
#[test]
fn a_refused_command_changes_nothing() {
    let rule = "DopamineStdp(w_max: 60, gain: 5)";
    for (rules, level) in [
        (rule, "initial: 0.5"),
        (
            "Mstdp(modulator: \"dopamine\", gamma: 0.5, w_min: 0, w_max: 60)",
            "initial: 0.5",
        ),
        (
            "Mstdpet(modulator: \"dopamine\", gamma: 0.5, w_min: 0, w_max: 60)",
            "initial: 0.5",
        ),
        (
            "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04), ConvergentDecay(tau_ms: 700, w_rest: 12)",
            "initial: 0",
        ),
    ] {
        let text = scene(&[(rule, rules), ("initial: 0.5", level)]);
        let (mut asked, mut plain) = (open(&text), open(&text));
        for ms in [130.3, 41.0, 60.5] {
            run_ms(&mut asked, ms);
            run_ms(&mut plain, ms);
            let before = weights(&mut plain);
            let mut wrong = ProjectionSpec::new("pre", "post", Rule::AllToAll, 1.0, 1.0);
            wrong.to = "nobody".into();
            for command in [
                set("weight", "Uniform(min: -5, max: 90)"),
                set("learning_targets", "Range(0, 500)"),
                set_of(Place::Region("vta".into()), "neurons", "2"),
                set_dopamine("released_by.0.from", "\"nobody\""),
                SimCommand::Connect(wrong),
            ] {
                let words = command.words();
                assert!(asked.apply(command).is_err(), "{words}");
                assert_eq!(weights(&mut asked), before, "{words}");
            }
            assert!(asked.log().0.is_empty());
        }
        run_ms(&mut asked, 150.0);
        run_ms(&mut plain, 150.0);
        assert_eq!(hash(&asked), hash(&plain), "{rules}");
        assert_eq!(weights(&mut asked), weights(&mut plain), "{rules}");
    }
}

/// Carrying a state reads it.
#[test]
fn a_state_that_is_carried_stays_as_it_is() {
    let mut session = open(SCENE);
    run_ms(&mut session, 130.3);
    let simulation = session.simulation_mut();
    let before = simulation.snapshot().expect("a snapshot");
    simulation.carry().expect("a state");
    let after = simulation.snapshot().expect("a snapshot");
    assert!(before.iter().eq(after.iter()));
}

/// The course of the level over the next ms.
fn course(session: &mut Session, ms: f64) -> Vec<f64> {
    let steps = (ms / session.scene().dt_ms) as usize;
    (0..steps)
        .map(|_| {
            session.step(false).expect("a step");
            modulator(session).level()
        })
        .collect()
}

/// Edits that have nothing to do with a modulator leave its level, spikes and rewards under way, and rewards of its schedule alone.
#[test]
fn modulators_go_on_over_edits() {
    // An edit brings synapses up to date, which rounds what a modulator does between spikes: so none acts on them.
    let text = scene(&[("DopamineStdp(w_max: 60, gain: 5)", "Stdp(w_max: 60)")]);
    for command in [
        set_of(Place::Region("post".into()), "model.tau_m", "10.0"),
        set("plasticity.0.w_max", "60.0"),
        SimCommand::AddRegion(RegionSpec::new("new", 3, LifExp::default())),
        set_of(Place::Region("pre".into()), "initial", "{}"),
    ] {
        let words = command.words();
        let (mut edited, mut plain) = (open(&text), open(&text));
        for at in [55.0, 80.0] {
            run_ms(&mut edited, at);
            run_ms(&mut plain, at);
            let before = modulator(&mut edited);
            assert!(before.rewards().0 > 0 && before.released() > 0);
            session_apply(&mut edited, command.clone(), &words);
            let after = modulator(&mut edited);
            assert_eq!(after.level(), before.level(), "{words}");
            assert_eq!(after.rewards(), before.rewards(), "{words}");
            let [got, want] = [&mut edited, &mut plain].map(|s| course(s, 100.0));
            assert_eq!(got, want, "{words}");
        }
        let [got, want] = [&mut edited, &mut plain].map(modulator);
        assert_eq!(got.rewards(), want.rewards(), "{words}");
        assert!(
            want.rewards().0 > 5,
            "coincidences, too: {:?}",
            want.rewards()
        );
        assert_eq!(got.released(), want.released(), "{words}");
        assert_eq!(hash(&edited), hash(&plain), "{words}");
    }
}

/// Names that are taken already get others, so that a command can be given twice.
fn session_apply(session: &mut Session, mut command: SimCommand, words: &str) {
    if let SimCommand::AddRegion(region) = &mut command {
        region.name = format!("{} {}", region.name, session.now());
    }
    if let Err(error) = session.apply(command) {
        panic!("{words}: {error}");
    }
}

/// A reward that was given by hand just before an edit is not lost.
#[test]
fn a_reward_that_was_just_given_acts_after_an_edit() {
    let mut session = open(SCENE);
    run_ms(&mut session, 100.0);
    let before = modulator(&mut session);
    let reward = SimCommand::Reward {
        modulator: "dopamine".into(),
        amount: 7.0,
    };
    edit(&mut session, reward);
    edit(&mut session, set("plasticity.0.gain", "6"));
    run_ms(&mut session, 0.5);
    let after = modulator(&mut session);
    assert_eq!(after.rewards().0, before.rewards().0 + 1);
    assert!(after.level() > before.level() + 6.9);
}

#[test]
fn modulators_are_edited_while_they_act() {
    // In place of all that makes the level a matter of chance.
    let quiet = scene(&[
        (
            "PoissonSource(rate_hz: 20)",
            "SpikeSource(spikes: [(10, 0), (50, 1)])",
        ),
        ("(from: \"pre\", amount: 0.001, delay_ms: 2),", ""),
        (
            "(from: \"vta\", neurons: Range(0, 3), amount: 0.02, delay_ms: 15, response: [Alpha(tau: 20)]),",
            "",
        ),
        (
            "Coincidence(region: \"post\", first: 2, second: 5, within_ms: 30, delay_min_ms: 10, delay_max_ms: 80, amount: 0.3),",
            "",
        ),
        ("initial: 0.5", "initial: 1"),
        ("amount: 0.4", "amount: 0"),
        ("amount: 0.01", "amount: 2"),
    ]);
    let level_at = |commands: &[(f64, SimCommand)], ms: f64| {
        let mut session = open(&quiet);
        for (at, command) in commands {
            let now = session.now() as f64 * 0.5;
            run_ms(&mut session, at - now);
            edit(&mut session, command.clone());
        }
        let now = session.now() as f64 * 0.5;
        run_ms(&mut session, ms - now);
        let level = modulator(&mut session).level();
        // The same in a replay, and after a way back.
        let text = write_log(&session.log().0, &Registry::new()).expect("a text");
        let log = read_log(&text, "log", &Registry::new()).expect("a log");
        let mut again = open(&quiet);
        again.replay(log).expect("commands");
        run_ms(&mut again, ms);
        assert_eq!(modulator(&mut again).level(), level);
        session.seek(11).expect("a way back");
        run_ms(&mut session, ms - 5.5);
        assert_eq!(modulator(&mut session).level(), level);
        level
    };
    let near = |got: f64, want: f64, what: &str| {
        assert!((got - want).abs() < 1e-9, "{what}: {got}, not {want}");
    };
    let decay = |ms: f64, tau: f64| libm::exp(-ms / tau);
    // A spike source's spike at 10 ms arrives 40 ms later.
    let plain = |ms: f64| {
        let spike = |at: f64| {
            if ms >= at {
                2.0 * decay(ms - at, 300.0)
            } else {
                0.0
            }
        };
        decay(ms, 300.0) + spike(50.0) + spike(90.0)
    };
    for ms in [40.0, 49.5, 50.0, 80.0, 120.0] {
        near(level_at(&[], ms), plain(ms), "unedited");
    }
    let edit_at = |at: f64, field: &str, value: &str| [(at, set_dopamine(field, value))];
    near(
        level_at(&edit_at(30.0, "tau_ms", "100"), 40.0),
        decay(30.0, 300.0) * decay(10.0, 100.0),
        "it decays faster from now on",
    );
    near(
        level_at(&edit_at(30.0, "released_by.0.amount", "5"), 60.0),
        decay(60.0, 300.0) + 5.0 * decay(10.0, 300.0),
        "another amount",
    );
    near(
        level_at(&edit_at(30.0, "released_by.0.delay_ms", "60"), 75.0),
        decay(75.0, 300.0) + 2.0 * decay(5.0, 300.0),
        "what is under way takes longer",
    );
    near(
        level_at(&edit_at(30.0, "released_by.0.delay_ms", "15"), 60.0),
        decay(60.0, 300.0),
        "it would have arrived",
    );
    near(
        level_at(&edit_at(30.0, "released_by.0.delay_ms", "15"), 70.0),
        decay(70.0, 300.0) + 2.0 * decay(5.0, 300.0),
        "later spikes are sooner there",
    );
    near(
        level_at(&edit_at(30.0, "released_by", "[]"), 120.0),
        decay(120.0, 300.0),
        "nothing releases it",
    );
    near(
        level_at(&edit_at(75.0, "rewards.0.amount", "3"), 100.0),
        plain(100.0) + 3.0 * decay(10.0, 300.0),
        "only rewards to come",
    );
    near(
        level_at(
            &edit_at(
                75.0,
                "rewards",
                "[Schedule(times_ms: [30, 80, 85], amount: 1)]",
            ),
            100.0,
        ),
        plain(100.0) + decay(20.0, 300.0) + decay(15.0, 300.0),
        "another schedule",
    );
    near(
        level_at(&edit_at(30.0, "initial", "9"), 40.0),
        decay(40.0, 300.0),
        "the start is past",
    );
    let undone = [
        (30.0, set_dopamine("released_by.0.amount", "5")),
        (45.0, SimCommand::Undo),
    ];
    near(level_at(&undone, 120.0), plain(120.0), "undone");
    let redone = [
        undone[0].clone(),
        undone[1].clone(),
        (49.0, SimCommand::Redo),
    ];
    near(
        level_at(&redone, 55.0),
        decay(55.0, 300.0) + 5.0 * decay(5.0, 300.0),
        "redone",
    );
    let mut session = open(&quiet);
    let error = session
        .apply(set_dopamine("name", "\"x\""))
        .expect_err("a name stays");
    assert!(error.to_string().contains("a name stays"), "{error}");
    let other = set_of(Place::Modulator("dopamin".into()), "tau_ms", "3");
    let error = session
        .apply(other)
        .expect_err("no such modulator")
        .to_string();
    assert!(error.contains("did you mean \"dopamine\""), "{error}");
    let error = session
        .apply(set_dopamine("tau_ms", "-3"))
        .expect_err("negative");
    assert!(error.to_string().contains("more than 0"), "{error}");
}

/// What a pool does to neurons is edited, too.
#[test]
fn effects_of_a_pool_are_edited() {
    let (mut edited, mut plain) = (open(SCENE), open(SCENE));
    for session in [&mut edited, &mut plain] {
        run_ms(session, 50.0);
    }
    let effects = "[Excitability(region: \"post\", current: 400), Release(projection: \"learning\", gain: 0.5, most: 3)]";
    edit(&mut edited, set_dopamine("effects", effects));
    for session in [&mut edited, &mut plain] {
        run_ms(session, 50.0);
    }
    let spikes = |session: &Session| session.simulation().spike_count().spikes;
    assert!(spikes(&edited) > spikes(&plain) + 20);
}

/// What a modulator has to do with a part goes with it, and undo brings both back.
#[test]
fn parts_that_modulators_name_can_be_removed() {
    let text = SCENE
        .replace(
            "        ],\n    )],",
            "        ],\n        effects: [
                Excitability(region: \"post\", current: 5),
                Release(projection: \"learning\", gain: 0.1, most: 2)],
    ), (
        name: \"error\",
        evaluation: TemporalDifference(critic: \"vta\", value_per_hz: 0.1, value_at_rest: 0, tau_reward_ms: 500, tau_rate_ms: 50, tau_rise_ms: 10),
        rewards: [Schedule(times_ms: [70], amount: 1)],
    )],",
        );
    assert_ne!(text, SCENE);
    let part = |name: &str| SimCommand::Remove(Place::Region(name.into()));
    for (command, gone) in [
        (part("vta"), "\"vta\""),
        (part("post"), "\"post\""),
        (
            SimCommand::Remove(Place::Projection(NAME.into())),
            "\"learning\"",
        ),
        (
            SimCommand::Remove(Place::Modulator("error".into())),
            "\"error\"",
        ),
    ] {
        let words = command.words();
        let mut session = open(&text);
        run_ms(&mut session, 60.0);
        let before = session.scene_text().expect("a text");
        assert!(before.contains(gone));
        edit(&mut session, command);
        let after = session.scene_text().expect("a text");
        assert!(!after.contains(gone), "{words}: {after}");
        // The rest of the modulator is as it was.
        assert!(after.contains("Schedule(times_ms: [20.0, 60.0"), "{words}");
        run_ms(&mut session, 40.0);
        edit(&mut session, SimCommand::Undo);
        assert_eq!(session.scene_text().expect("a text"), before, "{words}");
        run_ms(&mut session, 40.0);
        assert_eq!(modulator(&mut session).rewards().0.min(3), 3, "{words}");
    }
    // One that a rule names cannot be removed before the rule.
    let mut session = open(&text);
    let command = SimCommand::Remove(Place::Modulator("dopamine".into()));
    let error = session
        .apply(command.clone())
        .expect_err("it is named")
        .to_string();
    assert!(error.contains("plasticity[0].modulator"), "{error}");
    edit(&mut session, set("plasticity", "[]"));
    edit(&mut session, command);
    run_ms(&mut session, 10.0);
}

#[test]
fn amounts_that_are_no_numbers_or_too_large_are_refused() {
    let mut session = open(SCENE);
    run_ms(&mut session, 30.0);
    let before = modulator(&mut session);
    // The last two would sum up to infinity.
    for amount in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, 1e308] {
        let simulation = session.simulation_mut();
        let error = simulation.reward("dopamine", amount).expect_err("a reward");
        assert!(
            error.to_string().contains("give a finite number"),
            "{error}"
        );
        let error = simulation.set_release("dopamine", "vta", amount);
        let error = error.expect_err("an amount").to_string();
        assert!(error.contains(&format!("{amount}")), "{error}");
    }
    run_ms(&mut session, 30.0);
    assert!(modulator(&mut session).level().is_finite());
    let simulation = session.simulation_mut();
    let error = simulation
        .reward("dopamin", 1.0)
        .expect_err("unknown")
        .to_string();
    assert!(error.contains("did you mean \"dopamine\""), "{error}");
    let error = simulation
        .set_release("dopamine", "post", 1.0)
        .expect_err("it does not");
    assert!(error.to_string().contains("released_by"), "{error}");
    assert_eq!(simulation.set_release("dopamine", "vta", 0.0), Ok(()));
    assert_eq!(simulation.reward("dopamine", 2.0), Ok(()));
    run_ms(&mut session, 0.5);
    assert!(modulator(&mut session).rewards().1 > before.rewards().1);
}

/// What a spike releases by hand is kept over edits of anything else, and gives way to an amount that is edited.
#[test]
fn releases_that_were_set_stay_set() {
    let mut session = open(SCENE);
    run_ms(&mut session, 30.0);
    let simulation = session.simulation_mut();
    simulation
        .set_release("dopamine", "vta", 0.0)
        .expect("it releases");
    simulation
        .set_release("dopamine", "pre", 0.0)
        .expect("it releases");
    edit(&mut session, set("plasticity.0.gain", "6"));
    edit(&mut session, set_dopamine("rewards", "[]"));
    let course = |session: &mut Session| {
        run_ms(session, 120.0);
        let before = modulator(session).level();
        run_ms(session, 60.0);
        modulator(session).level() / before
    };
    // Rewards of coincidences that had been ordered have come by then, and responses have faded.
    let ratio = course(&mut session);
    assert!((ratio - libm::exp(-60.0 / 300.0)).abs() < 1e-9, "{ratio}");
    edit(&mut session, set_dopamine("released_by.2.amount", "0.05"));
    let ratio = course(&mut session);
    assert!(ratio > 0.95, "{ratio}");
}
