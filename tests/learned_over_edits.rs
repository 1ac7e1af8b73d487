//! What synapses have learned, over edits that make them anew, and over the undoing of such edits.

use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::session::Session;
use neuropil::session::command::{Place, SimCommand};
use neuropil::session::log::{read_log, write_log};
use std::collections::BTreeMap;

/// A synapse: source neuron, target neuron, and its number among those of the same pair.
type Key = (u32, u32, u32);
type Weights = BTreeMap<Key, f32>;

const SOURCES: u32 = 24;
const TARGETS: u32 = 20;
const NAME: &str = "learning";

/// Poisson sources onto neurons that spike by themselves; no neuron acts on another one of its region.
const SCENE: &str = r#"Scene(
    title: "learning", dt_ms: 0.5, duration_ms: 1000, seed: 5,
    regions: [
        (name: "pre", neurons: 24, model: PoissonSource(rate_hz: 60)),
        (name: "post", neurons: 20, model: LifExp(i_e: Normal(mean: 420, sd: 20)), initial: {"v": Uniform(min: -70, max: -55)}),
    ],
    projections: [
        (name: "learning", from: "pre", to: "post", rule: AllToAll, weight: Uniform(min: 10, max: 30), delay_ms: 3,
         plasticity: [Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)]),
    ],
)"#;

fn open_on(text: &str, threads: usize) -> Session {
    open_beside(text, threads, SceneFiles::default())
}

fn open_beside(text: &str, threads: usize, files: SceneFiles) -> Session {
    let registry = Registry::new();
    let loaded = load(SceneSource::from_text("test", text), &[], &registry).expect("a scene");
    let options = BuildOptions {
        threads,
        force_lanes: true,
        ..BuildOptions::default()
    };
    Session::open(loaded, files, registry, options, false, &|_| {})
        .unwrap_or_else(|e| panic!("{e}"))
}

fn open(text: &str) -> Session {
    open_on(text, 1)
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

fn keyed(simulation: &mut Simulation, values: Vec<f32>) -> Weights {
    let ends = simulation.synapse_ends(NAME).expect("synapses");
    let mut numbers = BTreeMap::new();
    let mut keyed = Weights::new();
    for ((source, target), value) in ends.into_iter().zip(values) {
        let number = numbers.entry((source, target)).or_insert(0);
        keyed.insert((source, target, *number), value);
        *number += 1;
    }
    keyed
}

fn weights_of(simulation: &mut Simulation) -> Weights {
    let weights = simulation.weights(NAME).expect("weights");
    keyed(simulation, weights)
}

fn weights(session: &mut Session) -> Weights {
    weights_of(session.simulation_mut())
}

fn tags(session: &mut Session) -> Weights {
    let tags = session.simulation_mut().tags(NAME).expect("tags");
    keyed(session.simulation_mut(), tags)
}

/// The weights that the scene gives at the start, as it is edited now.
fn given(session: &Session) -> Weights {
    weights(&mut open(&session.scene_text().expect("a text")))
}

fn hash(session: &Session) -> u64 {
    session.simulation().spike_count().hash
}

fn run_ms(session: &mut Session, ms: f64) {
    let steps = ms / session.scene().dt_ms;
    let until = session.now() + steps.round() as u64;
    session.seek(until).expect("steps");
}

fn edit(session: &mut Session, command: SimCommand) {
    let words = command.words();
    if let Err(error) = session.apply(command) {
        panic!("{words}: {error}");
    }
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

fn resize(region: &str, neurons: u32) -> SimCommand {
    let value = neurons.to_string();
    set_of(Place::Region(region.into()), "neurons", &value)
}

/// Checks that those synapses that were there `before` have their weights, and all others those of the scene. Returns how many stayed.
fn assert_carried(session: &mut Session, before: &Weights, what: &str) -> usize {
    let (now, given) = (weights(session), given(session));
    assert_eq!(now.len(), given.len(), "{what}");
    let mut stayed = 0;
    for (key, weight) in &now {
        let want = before.get(key).unwrap_or(&given[key]);
        assert_eq!(weight, want, "{what}: {key:?}");
        stayed += usize::from(before.contains_key(key));
    }
    let changed = |key: &&Key| before.get(key).is_some_and(|w| *w != given[key]);
    let learned = now.keys().filter(changed).count();
    assert!(
        2 * learned > stayed,
        "{what}: {learned} of {stayed} learned"
    );
    stayed
}

/// Edits that leave every synapse its place.
#[test]
fn synapses_that_stay_keep_their_weights() {
    let text = scene(&[]);
    for (field, value) in [
        ("delay_ms", "7"),
        ("delay_ms", "Uniform(min: 1, max: 9)"),
        ("dendritic", "All"),
        ("backpropagation_ms", "2"),
        ("rule", "And([AllToAll, AllToAll])"),
        ("plasticity", "[TripletStdp(w_max: 80)]"),
        ("plasticity", "[Stdp(w_max: 60), Oja(w_max: 60)]"),
        ("plasticity.0.dependence", "Multiplicative"),
        ("short_term", "TsodyksMarkram(u: 0.4)"),
        ("learning_targets", "Range(0, 3)"),
    ] {
        let what = format!("{field}: {value}");
        let mut session = open(&text);
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        edit(&mut session, set(field, value));
        let stayed = assert_carried(&mut session, &before, &what);
        assert_eq!(stayed, before.len(), "{what}");
        // It goes on from there.
        run_ms(&mut session, 100.0);
        assert_ne!(weights(&mut session), before, "{what}");
    }
}

#[test]
fn only_synapses_that_are_new_have_the_weights_of_the_scene() {
    let all = SOURCES * TARGETS;
    for (command, expected) in [
        (resize("post", 33), Some(all)),
        (resize("post", 7), Some(7 * SOURCES)),
        (resize("pre", 40), Some(all)),
        (resize("pre", 11), Some(11 * TARGETS)),
        (set("rule", "FixedIndegree(9)"), None),
        (set("rule", "OneToOne"), Some(SOURCES)),
        (set("rule", "Pairs([(3, 4), (3, 4), (23, 0)])"), Some(2)),
    ] {
        let words = command.words();
        // As many targets as sources for rules that ask for it.
        let text = match words.contains("OneToOne") {
            true => scene(&[("neurons: 20", "neurons: 24")]),
            false => scene(&[]),
        };
        let mut session = open(&text);
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        edit(&mut session, command);
        let stayed = assert_carried(&mut session, &before, &words);
        match expected {
            Some(expected) => assert_eq!(stayed as u32, expected, "{words}"),
            // Of sources that were drawn several times for a target, only one synapse was there.
            None => assert!(stayed as u32 > 5 * TARGETS, "{words}: {stayed}"),
        }
    }
}

/// Drawn several times, pairs have several synapses, which differ in what they have learned.
#[test]
fn synapses_of_one_pair_keep_their_order() {
    for (delay, after) in [
        ("3", "8"),
        ("Uniform(min: 1, max: 6)", "Uniform(min: 2, max: 12)"),
    ] {
        let text = scene(&[
            ("rule: AllToAll", "rule: FixedTotalNumber(2500)"),
            ("delay_ms: 3", &format!("delay_ms: {delay}")),
        ]);
        let mut session = open(&text);
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        assert!(before.keys().any(|(.., number)| *number > 5));
        edit(&mut session, set("delay_ms", after));
        let stayed = assert_carried(&mut session, &before, after);
        assert_eq!(stayed, 2500);
        // Of each pair, the first stays.
        edit(&mut session, set("rule", "AllToAll"));
        assert_carried(&mut session, &before, "all to all");
    }
}

#[test]
fn narrower_bounds_hold_for_what_was_learned() {
    let mut session = open(&scene(&[]));
    run_ms(&mut session, 400.0);
    let before = weights(&mut session);
    assert!(before.values().any(|w| *w > 32.0) && before.values().any(|w| *w < 28.0));
    for (field, value) in [("plasticity.0.w_max", "32"), ("delay_ms", "4")] {
        edit(&mut session, set(field, value));
        let clamped: Weights = before.iter().map(|(k, w)| (*k, w.min(32.0))).collect();
        assert_eq!(weights(&mut session), clamped, "{field}");
    }
}

/// Rules that know no negative weights see magnitudes, others the weights themselves.
#[test]
fn inhibitory_weights_stay_what_they_are_whichever_way_they_are_kept() {
    let text = scene(&[
        (
            "LifExp(i_e: Normal(mean: 420, sd: 20))",
            "LifDelta(i_e: Normal(mean: 500, sd: 20))",
        ),
        (
            "weight: Uniform(min: 10, max: 30)",
            "weight: Uniform(min: -0.3, max: -0.1)",
        ),
        (
            "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)",
            "Stdp(a_plus: 0.05, a_minus: 0.04)",
        ),
    ]);
    let mut session = open(&text);
    run_ms(&mut session, 200.0);
    let magnitudes = weights(&mut session);
    assert!(magnitudes.values().all(|w| *w >= 0.0));
    edit(
        &mut session,
        set("plasticity", "[Stdp(w_min: -2, w_max: 2)]"),
    );
    let signed: Weights = magnitudes.iter().map(|(k, w)| (*k, -w)).collect();
    assert_eq!(weights(&mut session), signed);
    edit(&mut session, resize("post", 5));
    edit(&mut session, SimCommand::Undo);
    assert_eq!(weights(&mut session), signed);
    edit(&mut session, SimCommand::Undo);
    assert_eq!(weights(&mut session), magnitudes);
}

#[test]
fn a_new_weight_is_what_was_asked_for_and_can_be_taken_back() {
    let mut session = open(&scene(&[]));
    run_ms(&mut session, 200.0);
    let first = weights(&mut session);
    edit(&mut session, set("weight", "20"));
    assert!(weights(&mut session).values().all(|w| *w == 20.0));
    run_ms(&mut session, 100.0);
    let second = weights(&mut session);
    assert_ne!(first, second);
    for (command, want) in [
        (SimCommand::Undo, &first),
        (SimCommand::Redo, &second),
        (SimCommand::Undo, &first),
    ] {
        edit(&mut session, command);
        assert_eq!(weights(&mut session), *want);
    }
    // A number that is dragged is taken back as one.
    edit(&mut session, set("weight", "15"));
    for value in ["16", "17"] {
        run_ms(&mut session, 20.0);
        session.go_on(set("weight", value)).expect("an edit");
    }
    edit(&mut session, SimCommand::Undo);
    assert_eq!(weights(&mut session), first);
    // Asked for by hand, the first weights are those of the scene.
    edit(&mut session, set("weight", "15"));
    edit(&mut session, set("weight", "Uniform(min: 10, max: 30)"));
    let now = weights(&mut session);
    assert_eq!(now, given(&session));
    assert_ne!(now, first);
}

#[test]
fn a_list_gives_new_weights_to_the_pairs_that_it_changes() {
    let list = |weights: [f64; 3]| {
        let [a, b, c] = weights;
        format!(
            "List([(source: 0, target: 0, weight: {a}), (source: 5, target: 3, weight: {b}), (source: 5, target: 3, weight: {c})])"
        )
    };
    let mut session = open(&scene(&[("AllToAll", &list([10.0, 20.0, 30.0]))]));
    run_ms(&mut session, 200.0);
    let before = weights(&mut session);
    edit(&mut session, set("rule", &list([10.0, 25.0, 30.0])));
    let after = weights(&mut session);
    assert_eq!(after[&(5, 3, 0)], 25.0);
    for key in [(0, 0, 0), (5, 3, 1)] {
        assert_eq!(after[&key], before[&key], "{key:?}");
        assert!(![10.0, 30.0].contains(&after[&key]), "it learned");
    }
    edit(&mut session, SimCommand::Undo);
    assert_eq!(weights(&mut session), before);
    edit(&mut session, set("rule", "AllToAll"));
    assert_carried(&mut session, &before, "all to all");
}

/// A table of pairs, with some of its columns.
fn table(columns: &str) -> SceneFiles {
    let mut text = format!("{columns}\n");
    for (source, target) in (0..SOURCES).flat_map(|s| (0..TARGETS).map(move |t| (s, t))) {
        let fields: Vec<String> = (columns.split(','))
            .map(|column| match column {
                "source" => source.to_string(),
                "target" => target.to_string(),
                "weight" => format!("{}", 10 + (3 * source + target) % 20),
                _ => format!("{}", 1 + (source + target) % 6),
            })
            .collect();
        text += &(fields.join(",") + "\n");
    }
    SceneFiles::from_contents([("pairs.csv".to_owned(), text.into_bytes())].into())
}

/// The scene with the pairs of a table, and with a weight and a delay of its own only where that has none.
fn listed(columns: &str) -> String {
    let mut text = scene(&[("AllToAll", "ListFile(\"pairs.csv\")")]);
    for (column, given) in [
        ("weight", "weight: Uniform(min: 10, max: 30), "),
        ("delay_ms", "delay_ms: 3,"),
    ] {
        if columns.contains(column) {
            assert!(text.contains(given));
            text = text.replace(given, "");
        }
    }
    text
}

#[test]
fn synapses_of_lists_keep_their_weights_whether_the_projection_has_one_or_not() {
    for columns in [
        "source,target,weight,delay_ms",
        "source,target,weight",
        "source,target,delay_ms",
        "source,target",
    ] {
        let text = listed(columns);
        for (of, field, value) in [
            (
                Place::Projection(NAME.into()),
                "plasticity.0.a_plus",
                "0.06",
            ),
            (Place::Region("post".into()), "model.tau_m", "12"),
            (Place::Region("pre".into()), "model.rate_hz", "50"),
        ] {
            let what = format!("{columns}: {field}");
            let mut session = open_beside(&text, 1, table(columns));
            run_ms(&mut session, 200.0);
            let before = weights(&mut session);
            let start = weights(&mut open_beside(&text, 1, table(columns)));
            assert!(before.iter().filter(|(k, w)| start[k] != **w).count() > 100);
            edit(&mut session, set_of(of, field, value));
            assert_eq!(weights(&mut session), before, "{what}");
            run_ms(&mut session, 20.0);
        }
        let mut session = open_beside(&text, 1, table(columns));
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        edit(&mut session, set("muted", "true"));
        run_ms(&mut session, 20.0);
        edit(&mut session, set("muted", "false"));
        assert_eq!(weights(&mut session), before, "{columns}, unmuted");
    }
}

/// What is saved is what runs, however the pairs are given.
#[test]
fn every_form_of_projection_can_be_saved_and_read_again() {
    let pairs = |extra: &str| {
        let entries: Vec<String> = (0..20)
            .map(|n| format!("(source: {n}, target: {}{extra})", (7 * n) % 20))
            .collect();
        format!("List([{}])", entries.join(", "))
    };
    let both = ", weight: 25, delay_ms: 2";
    let file = "ListFile(\"pairs.csv\")";
    let columns = "source,target,weight,delay_ms";
    for (rule, without) in [
        ("AllToAll".to_owned(), ""),
        ("OneToOne".to_owned(), ""),
        ("AllButOwn".to_owned(), ""),
        ("FixedIndegree(9)".to_owned(), ""),
        ("FixedOutdegree(9)".to_owned(), ""),
        ("FixedTotalNumber(99)".to_owned(), ""),
        ("PairwiseBernoulli(0.4)".to_owned(), ""),
        (
            "Distance(kernel: Gaussian(sigma_mm: 0.5, peak: 0.9))".to_owned(),
            "",
        ),
        ("SmallWorld(neighbours: 6, rewire: 0.2)".to_owned(), ""),
        ("Pairs([(0, 3), (9, 5), (9, 5)])".to_owned(), ""),
        ("Not([OneToOne])".to_owned(), ""),
        ("And([AllToAll, FixedIndegree(5)])".to_owned(), ""),
        ("Or([OneToOne, FixedIndegree(5)])".to_owned(), ""),
        (pairs(""), ""),
        (pairs(", weight: 25"), "weight"),
        (pairs(", delay_ms: 2"), "delay_ms"),
        (pairs(both), "weight delay_ms"),
        (file.to_owned(), ""),
        (file.to_owned(), "weight delay_ms"),
    ] {
        for learns in [true, false] {
            let mut text = scene(&[
                ("AllToAll", &rule),
                ("neurons: 24", "neurons: 20"),
                (
                    "model: PoissonSource(",
                    "layout: Ball(radius_mm: 0.5), model: PoissonSource(",
                ),
                (
                    "model: LifExp(",
                    "layout: Ball(radius_mm: 0.5), model: LifExp(",
                ),
            ]);
            if without.contains("weight") {
                text = text.replace("weight: Uniform(min: 10, max: 30), ", "");
            }
            if without.contains("delay_ms") {
                text = text.replace("delay_ms: 3,", "");
            }
            if !learns {
                let rule = "plasticity: [Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)]";
                assert!(text.contains(rule));
                text = text.replace(rule, "");
            }
            let columns = if without.is_empty() {
                "source,target"
            } else {
                columns
            };
            // Of as many sources as the region has.
            let files = || {
                let contents = table(columns).contents();
                let rows = contents.into_iter().map(|(name, bytes)| {
                    let text = String::from_utf8(bytes).expect("a text");
                    let is_there = |line: &&str| {
                        let source = line.split(',').next().map(str::parse::<u32>);
                        !matches!(source, Some(Ok(n)) if n >= 20)
                    };
                    let kept: Vec<&str> = text.lines().filter(is_there).collect();
                    (name, (kept.join("\n") + "\n").into_bytes())
                });
                SceneFiles::from_contents(rows.collect())
            };
            let mut session = open_beside(&text, 1, files());
            let saved = session.scene_text().expect("a text");
            assert!(!saved.contains("NaN"), "{rule}: {saved}");
            let mut again = open_beside(&saved, 1, files());
            assert_eq!(again.scene_text().as_ref(), Ok(&saved), "{rule}");
            for session in [&mut session, &mut again] {
                run_ms(session, 100.0);
            }
            assert_eq!(hash(&again), hash(&session), "{rule}, {without}");
            if learns {
                assert_eq!(
                    weights(&mut again),
                    weights(&mut session),
                    "{rule}, {without}"
                );
            }
            assert!(session.simulation_mut().synapse_count() > 0, "{rule}");
        }
    }
}

/// Without rules, weights stay as they have become, in what is saved, too; those of the scene come back with the last of what keeps them.
#[test]
fn weights_stay_when_a_projection_no_longer_learns() {
    let stdp = "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)";
    let short_term = (
        "delay_ms: 3,",
        "delay_ms: 3, short_term: TsodyksMarkram(u: 0.6, tau_rec: 300),",
    );
    let inhibitory = [
        (
            "LifExp(i_e: Normal(mean: 420, sd: 20))",
            "LifDelta(i_e: Normal(mean: 500, sd: 20))",
        ),
        (
            "weight: Uniform(min: 10, max: 30)",
            "weight: Uniform(min: -0.3, max: -0.1)",
        ),
    ];
    let with = |rules: &str, more: &[(&str, &str)]| {
        let mut replaced = vec![(stdp, rules)];
        replaced.extend(more);
        scene(&replaced)
    };
    for (text, sign) in [
        (with(stdp, &[]), 1.0),
        (with(stdp, &[short_term]), 1.0),
        (
            with(
                &format!("{stdp}, ConvergentDecay(tau_ms: 900, w_rest: 12)"),
                &[],
            ),
            1.0,
        ),
        (with("ConvergentDecay(tau_ms: 300, w_rest: 45)", &[]), 1.0),
        (with("Stdp(a_plus: 0.05, a_minus: 0.04)", &inhibitory), 1.0),
        (with("Stdp(w_min: -2, w_max: 0.5)", &inhibitory), -1.0),
    ] {
        let mut session = open(&text);
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        let learned: Weights = before.iter().map(|(k, w)| (*k, sign * w)).collect();
        assert_ne!(before, given(&session), "{text}");
        edit(&mut session, set("plasticity", "[]"));
        assert_eq!(weights(&mut session), learned, "{text}");
        let saved = session.scene_text().expect("a text");
        assert!(saved.contains("Settable("), "{saved}");
        run_ms(&mut session, 100.0);
        assert_eq!(
            weights(&mut session),
            learned,
            "nothing changes them: {text}"
        );
        edit(&mut session, SimCommand::Undo);
        assert_eq!(weights(&mut session), before, "{text}");
        run_ms(&mut session, 100.0);
        assert_ne!(weights(&mut session), before, "it learns again: {text}");
        edit(&mut session, set("plasticity", "[]"));
        edit(&mut session, set("plasticity", "[]"));
        let saved = session.scene_text().expect("a text");
        assert!(!saved.contains("Settable("), "{saved}");
        run_ms(&mut session, 10.0);
    }
}

/// Undo gives synapses that come back what they had learned; those that had stayed go on.
#[test]
fn undo_gives_back_what_the_edit_took_away() {
    let part = |name: &str| SimCommand::Remove(Place::Projection(name.into()));
    for command in [
        resize("post", 7),
        resize("pre", 11),
        set("rule", "FixedIndegree(9)"),
        set("muted", "true"),
        part(NAME),
        SimCommand::Remove(Place::Region("post".into())),
    ] {
        let words = command.words();
        let mut session = open(&scene(&[]));
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        edit(&mut session, command);
        run_ms(&mut session, 100.0);
        let learns = session.simulation_mut().weights(NAME).is_ok();
        let edited = match learns {
            true => weights(&mut session),
            false => Weights::new(),
        };
        edit(&mut session, SimCommand::Undo);
        let after = weights(&mut session);
        assert_eq!(after.len(), before.len(), "{words}");
        for (key, weight) in &after {
            let want = edited.get(key).unwrap_or(&before[key]);
            assert_eq!(weight, want, "{words}: {key:?}");
        }
        assert!(edited.len() < before.len(), "{words}");
        // Made again, the edit has what it had learned.
        run_ms(&mut session, 50.0);
        let longer = weights(&mut session);
        edit(&mut session, SimCommand::Redo);
        if learns {
            for (key, weight) in weights(&mut session) {
                let want = longer.get(&key).unwrap_or_else(|| &edited[&key]);
                assert_eq!(weight, *want, "{words}, redone: {key:?}");
            }
        }
    }
}

#[test]
fn what_grew_is_there_again_when_growth_is_made_again() {
    let mut session = open(&scene(&[]));
    run_ms(&mut session, 50.0);
    edit(&mut session, resize("post", 33));
    run_ms(&mut session, 200.0);
    let grown = weights(&mut session);
    for command in [SimCommand::Undo, SimCommand::Redo] {
        edit(&mut session, command);
    }
    assert_eq!(weights(&mut session), grown);
    assert_ne!(grown, given(&session));
}

#[test]
fn a_projection_that_is_switched_off_and_on_has_forgotten_nothing() {
    let mut session = open(&scene(&[]));
    run_ms(&mut session, 200.0);
    let before = weights(&mut session);
    edit(&mut session, set("muted", "true"));
    run_ms(&mut session, 20.0);
    edit(&mut session, set("delay_ms", "5"));
    assert!(weights(&mut session).is_empty());
    edit(&mut session, set("muted", "false"));
    assert_eq!(weights(&mut session), before);
    // Unless it was asked for other weights meanwhile.
    edit(&mut session, set("muted", "true"));
    edit(&mut session, set("weight", "12"));
    edit(&mut session, set("muted", "false"));
    assert!(weights(&mut session).values().all(|w| *w == 12.0));
}

/// A series of edits that forget and remember.
fn play(session: &mut Session) {
    for command in [
        set("delay_ms", "Uniform(min: 1, max: 6)"),
        resize("post", 33),
        set("rule", "FixedIndegree(9)"),
        SimCommand::Undo,
        set("muted", "true"),
        set("dendritic", "Ms(0.5)"),
        set("muted", "false"),
        resize("pre", 9),
        set("weight", "25"),
        SimCommand::Undo,
        SimCommand::Undo,
        SimCommand::Redo,
    ] {
        run_ms(session, 40.0);
        edit(session, command);
        session.keep_state(1 << 20).expect("a state");
    }
    run_ms(session, 100.0);
}

#[test]
fn edits_give_the_same_for_any_number_of_threads_in_replays_and_after_a_rewind() {
    let mut session = open(SCENE);
    play(&mut session);
    let (learned, spikes, end) = (weights(&mut session), hash(&session), session.now());
    for threads in [2, 3, 7] {
        let mut other = open_on(SCENE, threads);
        play(&mut other);
        assert_eq!(hash(&other), spikes, "{threads} threads");
        assert_eq!(weights(&mut other), learned, "{threads} threads");
    }
    let registry = Registry::new();
    let text = write_log(&session.log().0, &registry).expect("a text");
    let log = read_log(&text, "log", &registry).expect("a log");
    let mut replayed = open(SCENE);
    replayed.replay(log.clone()).expect("commands");
    // On the way, its state is taken by sessions that go on from there.
    for step in [90, 260, 330, 420, 730, 800] {
        replayed.seek(step).expect("steps");
        let snapshot = replayed.snapshot().expect("a snapshot");
        let mut resumed = open_on(SCENE, 2);
        resumed.resume(log.clone(), &snapshot).expect("it fits");
        resumed.seek(end).expect("steps");
        assert_eq!(hash(&resumed), spikes, "resumed after {step} steps");
        assert_eq!(weights(&mut resumed), learned, "resumed after {step} steps");
    }
    replayed.seek(end).expect("steps");
    assert_eq!(hash(&replayed), spikes);
    assert_eq!(weights(&mut replayed), learned);
    for step in [500, 20, 350] {
        session.seek(step).expect("a way back");
        session.seek(end).expect("steps");
        assert_eq!(hash(&session), spikes, "back to {step}");
        assert_eq!(weights(&mut session), learned, "back to {step}");
    }
}

/// Neurons do not act on each other, so those that stay must learn as if no neurons had come. Traces, spikes under way, tags, rates and
/// transmitter are all part of that.
#[test]
fn neurons_that_stay_learn_as_if_none_had_come() {
    let stdp = "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)";
    let with = |rule: &str, more: &str| {
        let more = match more {
            "" => "delay_ms: 3,".to_owned(),
            more => format!("delay_ms: 3, {more},"),
        };
        scene(&[(stdp, rule), ("delay_ms: 3,", &more)])
    };
    let dopamine = with("DopamineStdp(w_max: 60, gain: 5)", "").replace(
        "    ],\n)",
        "    ],\n    modulators: [(name: \"dopamine\", tau_ms: 300, initial: 0.5)],\n)",
    );
    let clopath = with(
        "Clopath(w_max: 60, a_minus: 0.02, a_plus: 0.02, u_ref: 5)",
        "",
    )
    .replace(
        "LifExp(i_e: Normal(mean: 420, sd: 20))",
        "AdExClopath(i_e: Normal(mean: 900, sd: 20))",
    );
    for (what, text) in [
        ("pairs", with(stdp, "")),
        ("dendritic", with(stdp, "dendritic: Ms(1.5)")),
        ("back", with(stdp, "dendritic: All, backpropagation_ms: 6")),
        (
            "many delays",
            with(stdp, "").replace("delay_ms: 3,", "delay_ms: Uniform(min: 1, max: 9),"),
        ),
        (
            "pre-centred",
            with("Stdp(w_max: 60, pairing: PreCentred)", ""),
        ),
        ("triplets", with("TripletStdp(w_max: 60)", "")),
        ("sum", with("Stdp(w_max: 60), Oja(w_max: 60)", "")),
        ("bcm", with("Bcm(w_max: 60)", "")),
        ("dopamine", dopamine),
        ("clopath", clopath),
        (
            "homeostatic",
            with(
                &format!("{stdp}, HomeostaticScaling(rate_hz: 10, tau_rate_ms: 500, tau_ms: 300)"),
                "",
            ),
        ),
        (
            "short-term",
            with(stdp, "short_term: TsodyksMarkram(u: 0.6, tau_rec: 300)"),
        ),
    ] {
        let mut edited = open(&text);
        let mut plain = open(&text);
        for session in [&mut edited, &mut plain] {
            run_ms(session, 130.0);
        }
        let start = weights(&mut plain);
        edit(&mut edited, resize("post", 33));
        for session in [&mut edited, &mut plain] {
            run_ms(session, 170.0);
        }
        // An edit brings synapses up to date, which rounds what a modulator does between spikes.
        let tolerance = if what == "dopamine" { 1e-5 } else { 0.0 };
        let assert_near = |got: &Weights, want: &Weights, what: String| {
            for (key, want) in want {
                let off = (got[key] - want).abs();
                assert!(
                    off <= tolerance * want.abs().max(1.0),
                    "{what}: {key:?}, {off}"
                );
            }
        };
        let (got, want) = (weights(&mut edited), weights(&mut plain));
        assert_ne!(start, want, "{what}: it learns");
        assert!(got.len() > want.len());
        assert_near(&got, &want, format!("{what}, grown"));
        let tags = [&mut edited, &mut plain].map(tags);
        assert_near(&tags[0], &tags[1], format!("{what}, tags"));
        edit(&mut edited, resize("post", TARGETS));
        for session in [&mut edited, &mut plain] {
            run_ms(session, 50.0);
        }
        let (got, want) = (weights(&mut edited), weights(&mut plain));
        assert_eq!(got.len(), want.len());
        assert_near(&got, &want, format!("{what}, shrunk again"));
    }
}

/// A tag means something to rules of its own type only.
#[test]
fn tags_go_to_rules_of_the_same_type() {
    let text = scene(&[
        (
            "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)",
            "DopamineStdp(w_max: 60)",
        ),
        (
            "    ],\n)",
            "    ],\n    modulators: [(name: \"dopamine\", tau_ms: 300)],\n)",
        ),
    ]);
    let mut session = open(&text);
    run_ms(&mut session, 200.0);
    let before = tags(&mut session);
    assert!(before.values().filter(|t| **t != 0.0).count() > 100);
    edit(&mut session, set("delay_ms", "5"));
    assert_eq!(tags(&mut session), before);
    edit(
        &mut session,
        set("plasticity", "[Stdp(w_max: 60, pairing: PreCentred)]"),
    );
    assert!(tags(&mut session).values().all(|t| *t == 0.0));
}

const PAIRS: &str = "Stdp(w_max: 9, a_plus: 0.1, a_minus: 0.1)";
/// The trace of a spike does not depend on earlier ones.
const NEAREST_PAIRS: &str = "Stdp(w_max: 9, a_plus: 0.1, a_minus: 0.1, pairing: Nearest)";

/// One synapse between neurons that spike when they are told to.
fn single(pre_ms: &[f64], post_ms: &[f64], delay: &str, model: &str) -> Session {
    single_with(pre_ms, post_ms, delay, model, PAIRS)
}

/// With other rules.
fn single_with(pre_ms: &[f64], post_ms: &[f64], delay: &str, model: &str, rules: &str) -> Session {
    let spikes: Vec<String> = pre_ms.iter().map(|t| format!("({t:.1}, 0)")).collect();
    let stimulus = match post_ms {
        [] => String::new(),
        times => format!("(to: \"post\", kind: Spike(times_ms: {times:?}))"),
    };
    open(&format!(
        r#"Scene(title: "single", dt_ms: 0.5, duration_ms: 100,
            regions: [
                (name: "pre", neurons: 1, model: SpikeSource(spikes: [{}])),
                (name: "post", neurons: 1, model: {model}),
            ],
            projections: [(name: "learning", from: "pre", to: "post", rule: AllToAll, weight: 1, {delay},
                plasticity: [{rules}])],
            stimuli: [{stimulus}])"#,
        spikes.join(", ")
    ))
}

fn potential(session: &mut Session) -> f32 {
    let simulation = session.simulation_mut();
    let region = simulation.region("post").expect("the region");
    let world = simulation.world();
    let membrane = world.get::<neuropil::sim::columns::Membrane>(region);
    membrane.expect("a membrane").0.as_slice()[0]
}

/// When the potential of the target jumps, in ms, with an edit of the delay at 15 ms.
fn arrivals(model: &str, delay: &str, edited: &str) -> Vec<f64> {
    let mut session = single(&[2.0, 10.0], &[], &format!("delay_ms: {delay}"), model);
    let (mut times, mut last) = (Vec::new(), potential(&mut session));
    while session.now() < 160 {
        session.step(false).expect("a step");
        let now = potential(&mut session);
        if now > last + 0.01 {
            times.push(session.now() as f64 * 0.5);
        }
        last = now;
        if session.now() == 30 {
            edit(&mut session, set("delay_ms", edited));
            assert_eq!(potential(&mut session), now);
        }
    }
    times
}

#[test]
fn spikes_on_their_way_take_as_long_as_axons_are_now() {
    let delta = |delay, edited| arrivals("LifDelta", delay, edited);
    // The spike of 2 ms has arrived before the edit, that of 10 ms is on its way, unless the delay is short.
    let unedited = delta("8", "8");
    assert_eq!(unedited.len(), 2);
    let (first, second) = (unedited[0], unedited[1]);
    assert_eq!(second - first, 8.0);
    assert_eq!(delta("8", "20"), [first, second + 12.0], "longer");
    assert_eq!(delta("8", "6"), [first, second - 2.0], "shorter");
    assert_eq!(delta("8", "3"), [first], "it would have arrived");
    assert_eq!(delta("4", "4"), [first - 4.0, second - 4.0]);
    for delay in ["3.5", "4", "4.5", "5", "5.5", "6"] {
        let times = delta(delay, "30");
        assert_eq!(times.len(), 2, "not twice: {delay} ms, {times:?}");
    }
    assert_eq!(delta("4", "30"), [first - 4.0, second - 4.0], "not again");
    // In neurons that are resolved in continuous time, the potential rises for a while.
    let starts = |delay, edited| {
        let times = arrivals("Srm", delay, edited);
        let mut starts: Vec<f64> = Vec::new();
        for (i, time) in times.iter().enumerate() {
            if i == 0 || time - times[i - 1] > 0.75 {
                starts.push(*time);
            }
        }
        starts
    };
    let unedited = starts("8", "8");
    assert_eq!(unedited.len(), 2, "{unedited:?}");
    let (first, second) = (unedited[0], unedited[1]);
    assert_eq!(starts("8", "20"), [first, second + 12.0], "longer");
    assert_eq!(starts("8", "6"), [first, second - 2.0], "shorter");
    assert_eq!(starts("8", "3"), [first], "it would have arrived");
    assert_eq!(starts("4", "30"), [first - 4.0, second - 4.0], "not again");
}

/// A spike that has arrived before an edit of the delay arrived when it did: what is learned is what an unedited synapse learns, to which the
/// later spikes come when they come to the edited one.
#[test]
fn pairs_that_an_edit_of_the_delay_divides_count_by_arrivals() {
    let post = [28.0, 47.0, 60.0];
    for (delay, edited, pre, as_if) in [
        ("delay_ms: 4", "20", [2.0, 40.0], [2.0, 56.0]),
        ("delay_ms: 4", "12", [2.0, 40.0], [2.0, 48.0]),
        ("delay_ms: 4", "20", [2.0, 16.0], [2.0, 32.0]),
        ("delay_ms: 12", "6", [2.0, 40.0], [2.0, 34.0]),
        ("delay_ms: 12", "6", [2.0, 16.0], [2.0, 10.0]),
        ("dendritic: All, delay_ms: 4", "9", [2.0, 40.0], [2.0, 40.0]),
        (
            "dendritic: Ms(2), delay_ms: 4",
            "20",
            [2.0, 40.0],
            [2.0, 56.0],
        ),
    ] {
        // Spikes under way have the traces with which they were sent.
        let rule = if pre[1] < 17.0 { NEAREST_PAIRS } else { PAIRS };
        let mut session = single_with(&pre, &post, delay, "LifDelta", rule);
        run_ms(&mut session, 17.0);
        edit(&mut session, set("delay_ms", edited));
        // Before any postsynaptic spike, it does not matter when those come back.
        let as_now = delay.replace("All, delay_ms: 4", "All, delay_ms: 9");
        let mut whole = single_with(&as_if, &post, &as_now, "LifDelta", rule);
        run_ms(&mut whole, 17.0);
        for _ in 0..12 {
            run_ms(&mut session, 5.0);
            run_ms(&mut whole, 5.0);
            let what = format!("{delay}, then {edited}, {} steps", whole.now());
            let [got, want] = [&mut session, &mut whole].map(|s| weights(s)[&(0, 0, 0)]);
            assert!((got - want).abs() < 1e-6, "{what}: {got}, not {want}");
        }
        assert!((weights(&mut whole)[&(0, 0, 0)] - 1.0).abs() > 0.01);
    }
}

/// Weights fade all the time, also between an arrival before the edit and the time at which the spike would arrive now.
#[test]
fn weights_fade_on_over_an_edit_of_the_delay() {
    let rules = format!("{PAIRS}, ConvergentDecay(tau_ms: 40, w_rest: 0.5)");
    let fading = |delay: &str| single_with(&[2.0, 40.0], &[], delay, "LifDelta", &rules);
    for edited in ["20", "2"] {
        let mut session = fading("delay_ms: 4");
        let mut whole = fading("delay_ms: 4");
        run_ms(&mut session, 17.0);
        edit(&mut session, set("delay_ms", edited));
        run_ms(&mut whole, 17.0);
        for _ in 0..20 {
            run_ms(&mut session, 4.0);
            run_ms(&mut whole, 4.0);
            let [got, want] = [&mut session, &mut whole].map(|s| weights(s)[&(0, 0, 0)]);
            assert!((got - want).abs() < 1e-5, "{got}, not {want}");
        }
        assert!(weights(&mut whole)[&(0, 0, 0)] < 0.6);
    }
}

/// A postsynaptic spike that has come back to the synapse before the edit does not come back once more, and depresses as it would have.
#[test]
fn postsynaptic_spikes_have_come_back_when_they_did() {
    let back = |ms: u32| format!("delay_ms: 1, backpropagation_ms: {ms}");
    for (before, edited) in [(3, "15"), (6, "1"), (0, "9"), (4, "4")] {
        let spikes = (&[5.0, 25.0][..], &[8.0][..]);
        let mut session = single(spikes.0, spikes.1, &back(before), "LifDelta");
        let mut whole = single(spikes.0, spikes.1, &back(before), "LifDelta");
        run_ms(&mut session, 17.0);
        let learned = weights(&mut session);
        assert!(learned[&(0, 0, 0)] > 1.01);
        edit(&mut session, set("backpropagation_ms", edited));
        run_ms(&mut session, 5.0);
        assert_eq!(weights(&mut session), learned, "{before} ms, then {edited}");
        run_ms(&mut session, 30.0);
        run_ms(&mut whole, 52.0);
        assert_ne!(weights(&mut session), learned, "it depresses");
        let [got, want] = [&mut session, &mut whole].map(|s| weights(s)[&(0, 0, 0)]);
        assert!(
            (got - want).abs() < 1e-6,
            "{before} ms, then {edited}: {got}, not {want}"
        );
    }
}

/// Neurons that are resolved in continuous time learn by the same rules with histories of their own.
#[test]
fn neurons_in_continuous_time_keep_what_was_learned() {
    let text = scene(&[
        (
            "LifExp(i_e: Normal(mean: 420, sd: 20))",
            "Srm(threshold: 4)",
        ),
        (", initial: {\"v\": Uniform(min: -70, max: -55)}", ""),
        (
            "weight: Uniform(min: 10, max: 30)",
            "weight: Uniform(min: 0.2, max: 0.8)",
        ),
        (
            "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)",
            "Stdp(a_plus: 0.03, a_minus: 0.02)",
        ),
    ]);
    for command in [
        set("delay_ms", "7"),
        set("delay_ms", "Uniform(min: 1, max: 5)"),
        resize("post", 33),
        resize("post", 6),
        resize("pre", 40),
        set("rule", "FixedIndegree(9)"),
    ] {
        let words = command.words();
        let mut session = open(&text);
        run_ms(&mut session, 200.0);
        let before = weights(&mut session);
        edit(&mut session, command);
        assert_carried(&mut session, &before, &words);
        run_ms(&mut session, 50.0);
        edit(&mut session, SimCommand::Undo);
        assert_eq!(weights(&mut session).len(), before.len(), "{words}");
    }
    // Another rule that joins the same pairs changes nothing: traces and spikes under way are kept.
    let mut edited = open(&text);
    let mut plain = open(&text);
    for session in [&mut edited, &mut plain] {
        run_ms(session, 150.0);
    }
    let start = weights(&mut plain);
    edit(&mut edited, set("rule", "And([AllToAll, AllToAll])"));
    for session in [&mut edited, &mut plain] {
        run_ms(session, 150.0);
    }
    assert_ne!(weights(&mut plain), start);
    assert_eq!(weights(&mut edited), weights(&mut plain));
    assert_eq!(hash(&edited), hash(&plain));
}

/// A rule without a former history begins when it is put to work, also where a history from the start would come round again.
#[test]
fn a_rule_that_is_new_begins_however_late_it_is() {
    let rule = "Stdp(w_max: 60, a_plus: 0.05, a_minus: 0.04)";
    let in_steps = scene(&[(rule, "")]);
    let exact = scene(&[
        (
            "LifExp(i_e: Normal(mean: 420, sd: 20))",
            "Srm(threshold: 4)",
        ),
        (", initial: {\"v\": Uniform(min: -70, max: -55)}", ""),
        (
            "weight: Uniform(min: 10, max: 30)",
            "weight: Uniform(min: 0.2, max: 0.8)",
        ),
        (rule, ""),
    ]);
    // Times of neurons in continuous time are counted in finer ticks.
    for (text, rule, late) in [
        (&in_steps, rule, 1u64 << 20),
        (&in_steps, rule, (1 << 30) + 12_345),
        (&exact, "Stdp(a_plus: 0.03, a_minus: 0.02)", 300_000),
        (&exact, "Stdp(a_plus: 0.03, a_minus: 0.02)", 800_000),
    ] {
        let mut early = open(text);
        run_ms(&mut early, 100.0);
        let mut state = early.snapshot().expect("a snapshot");
        state.remove("clock.steps");
        state.put("clock.steps", late).expect("a section");
        let mut session = open(text);
        session.resume(Vec::new(), &state).expect("it fits");
        edit(&mut session, set("plasticity", &format!("[{rule}]")));
        let start = weights(&mut session);
        assert_eq!(start, given(&session));
        run_ms(&mut session, 100.0);
        let learned = weights(&mut session);
        let changed = start.iter().filter(|(k, w)| learned[k] != **w).count();
        assert!(2 * changed > start.len(), "{changed} after {late} steps");
        edit(&mut session, SimCommand::ResetTraces(NAME.into()));
        run_ms(&mut session, 50.0);
        assert_ne!(weights(&mut session), learned);
    }
}

/// Another seed draws other pairs; weights go by pairs, not by places.
#[test]
fn weights_follow_their_pairs_to_another_seed() {
    let text = scene(&[("rule: AllToAll", "rule: FixedIndegree(9)")]);
    let loaded = load(SceneSource::from_text("test", &text), &[], &Registry::new());
    let scene = loaded.expect("a scene").scene;
    for threads in [1, 3] {
        let options = BuildOptions {
            threads,
            force_lanes: true,
            ..BuildOptions::default()
        };
        let mut simulation = Simulation::new(&scene, &options).expect("a network");
        simulation.run_ms(200.0);
        let before = weights_of(&mut simulation);
        let carried = simulation.carry().expect("a state");
        let other = Scene {
            seed: 6,
            ..scene.clone()
        };
        let mut edited = Simulation::new(&other, &options).expect("a network");
        let given = weights_of(&mut edited);
        let forgotten = edited.take_over(&carried).expect("it fits");
        let after = weights_of(&mut edited);
        assert!(after.keys().ne(before.keys()) && after.len() == before.len());
        for (key, weight) in &after {
            assert_eq!(weight, before.get(key).unwrap_or(&given[key]), "{key:?}");
        }
        let gone = before.keys().filter(|key| !after.contains_key(key));
        assert_eq!(forgotten.synapses(), gone.count());
        // And back: nothing is lost.
        let carried = edited.carry().expect("a state");
        let mut back = Simulation::new(&scene, &options).expect("a network");
        (back.take_over_and_recall(&carried, &[&forgotten])).expect("it fits");
        assert_eq!(weights_of(&mut back), before);
    }
}
