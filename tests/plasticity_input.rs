//! What is wrong with the plasticity of a scene is said where it is, with what is allowed.

use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};

/// A scene with these fields of its projection, and these modulators.
fn scene(projection: &str, modulators: &str) -> String {
    format!(
        "Scene(dt_ms: 0.1, duration_ms: 100,
            regions: [
                (name: \"a\", neurons: 10, model: PoissonSource(rate_hz: 10)),
                (name: \"b\", neurons: 10, model: LifExp),
            ],
            modulators: [{modulators}],
            projections: [(from: \"a\", to: \"b\", rule: AllToAll, weight: 1, delay_ms: 1, {projection})],
        )"
    )
}

/// What `neuropil check` says: the error, or the warnings.
fn checked(text: &str) -> Result<Vec<String>, String> {
    let registry = Registry::new();
    let source = SceneSource::from_text("net", text);
    let loaded = load(source, &[], &registry).map_err(|e| e.to_string())?;
    let prepared = loaded
        .prepare(&registry, &SceneFiles::default())
        .map_err(|e| e.to_string())?;
    Ok(prepared.warnings.iter().map(ToString::to_string).collect())
}

/// The bytes that a network is predicted to take, with a thousand target neurons, this delay and these fields of its projection.
fn predicted(delay: &str, projection: &str, modulators: &str) -> u64 {
    let delay = format!("weight: 1, delay_ms: {delay},");
    let text = scene(projection, modulators).replace("\"b\", neurons: 10", "\"b\", neurons: 1000");
    let text = text.replace("weight: 1, delay_ms: 1,", &delay);
    let registry = Registry::new();
    let source = SceneSource::from_text("net", text);
    let loaded = load(source, &[], &registry).unwrap_or_else(|e| panic!("{e}"));
    let prepared = loaded.prepare(&registry, &SceneFiles::default());
    prepared.unwrap_or_else(|e| panic!("{e}")).bytes
}

/// A modulator that is rewarded after one neuron has fired soon after another.
fn coincidence(within: &str, shortest: &str, longest: &str) -> String {
    format!(
        "(name: \"d\", rewards: [Coincidence(region: \"b\", first: 0, second: 1, within_ms: {within}, \
         delay_min_ms: {shortest}, delay_max_ms: {longest}, amount: 1)])"
    )
}

#[test]
fn errors_name_the_thing_the_value_and_what_is_allowed() {
    let dopamine = "(name: \"dopamine\", tau_ms: 200, released_by: [(from: \"a\", amount: 1)])";
    let with = |modulators: &str, projection: &str| (projection.to_owned(), modulators.to_owned());
    for ((projection, modulators), parts) in [
        (
            with("", "plasticity: [Sdtp]"),
            vec!["unknown learning rule \"Sdtp\"", "did you mean \"Stdp\"?"],
        ),
        (
            with("", "plasticity: [Stdp(tau_plus: -20)]"),
            vec!["tau_plus: -20 is out of range", "more than 0"],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 0.5)]"),
            vec![
                "plasticity[0]",
                "bounds of the rule, 0 to 0.5",
                "exclude initial weights",
            ],
        ),
        (
            with("", "plasticity: [Stdp(w_min: 2, w_max: 1)]"),
            vec!["w_min is 2 and w_max is 1"],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 2), Stdp(w_max: 3)]"),
            vec!["plasticity[1]", "plasticity[0] is the same rule"],
        ),
        (
            with(
                "",
                "plasticity: [Stdp(w_max: 2), Budget(total: 5), Oja(w_max: 2, order: SendThenChange)]",
            ),
            vec![
                "plasticity",
                "[0] and [2] cannot be added",
                "`order` differs",
            ],
        ),
        (
            with(
                "",
                "plasticity: [Stdp(w_max: 2), Oja(w_min: 1.5, w_max: 2)]",
            ),
            vec!["plasticity[1]", "exclude initial weights"],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 2), Clopath(w_max: 2)]"),
            vec!["[1] and [0] cannot be added", "membrane"],
        ),
        (
            with("", "plasticity: [LearningRateDecay(tau_ms: 100)]"),
            vec!["plasticity[0]", "the rate of a learning rule falls"],
        ),
        (
            with("", "plasticity: [Clopath(w_max: 2, delay_ms: 0.55)]"),
            vec!["plasticity[0]", "delay_ms is 0.55", "whole number of steps"],
        ),
        (
            with(
                dopamine,
                "plasticity: [DopamineStdp(w_max: 2), Mstdp(w_max: 2, modulator: \"dopamine\", coincidence: Ignored)]",
            ),
            vec!["[0] and [1] cannot be added", "both mark synapses"],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 2, coincidence: Both)]"),
            vec!["coincidence Both", "backpropagation_ms"],
        ),
        (
            with(
                "",
                "plasticity: [Stdp(w_min: -1, w_max: 2, dependence: PowerLaw(mu: 0.4, w_ref: 1))]",
            ),
            vec!["w_min is -1", "PowerLaw"],
        ),
        (
            with("", "plasticity: [ResponseStdp(w_max: 2, terminal: [])]"),
            vec!["plasticity[0]", "terminal names no response"],
        ),
        (
            with(
                "",
                "plasticity: [ResponseStdp(w_max: 2, spine: [Leaky, DifferenceOfExponentials(tau_rise: 9, tau_decay: 3)])]",
            ),
            vec![
                "plasticity[0]",
                "spine[1].tau_rise: ",
                "rise must be shorter",
            ],
        ),
        (
            with(
                "",
                "plasticity: [ResponseStdp(w_max: 2, spine: [LimitedFlat(window: 60)])]",
            ),
            vec!["windows of spine are 600 steps", "576 at most"],
        ),
        (
            with("", "plasticity: [ResponseStdp(w_max: 2, spine: [Leeky])]"),
            vec!["plasticity[0].spine[0]", "did you mean \"Leaky\"?"],
        ),
        (
            with(
                "",
                "plasticity: [ResponseStdp(w_max: 2, terminal: [LimitedFlat]), Oja(w_max: 2)]",
            ),
            vec!["plasticity", "traces per neuron; a sum may have 8"],
        ),
        (
            with("", "plasticity: [DopamineStdp(w_max: 2)]"),
            vec!["modulated by \"dopamine\"", "no modulators"],
        ),
        (
            with(
                dopamine,
                "plasticity: [DopamineStdp(w_max: 2, modulator: \"dopamin\")]",
            ),
            vec![
                "unknown modulator \"dopamin\"",
                "did you mean \"dopamine\"?",
            ],
        ),
        (
            with("", "dendritic: Ms(2)"),
            vec!["dendritic part of 2 ms", "shortest delay, 1 ms"],
        ),
        (
            with(
                "",
                "plasticity: [Stdp(w_max: 2)], learning_targets: Range(5, 10)",
            ),
            vec!["learning_targets", "neuron 10 does not exist"],
        ),
        (
            with("", "short_term: TsodyksMarkram(u: 1.5)"),
            vec!["u: 1.5 is out of range", "0 to 1"],
        ),
        (
            with("(name: \"d\", released_by: [(from: \"c\", amount: 1)])", ""),
            vec!["modulators[0].released_by[0].from", "unknown region \"c\""],
        ),
        (
            with("(name: \"d\"), (name: \"d\")", ""),
            vec!["the name \"d\" is taken"],
        ),
        (
            with("(name: \"d\", tau_ms: 0)", ""),
            vec!["tau_ms: 0 is out of range"],
        ),
        (
            with(
                "(name: \"d\", rewards: [Coincidence(region: \"b\", first: 1, second: 10, within_ms: 5, delay_min_ms: 0, delay_max_ms: 1, amount: 1)])",
                "",
            ),
            vec!["second", "neuron 10 does not exist"],
        ),
        (
            with(
                "(name: \"d\", evaluation: TemporalDifference(critic: \"b\", value_per_hz: 1, value_at_rest: 0, tau_reward_ms: 100, tau_rate_ms: 50, tau_rise_ms: 50))",
                "",
            ),
            vec!["tau_rise_ms", "must be shorter"],
        ),
        (
            with(
                "(name: \"d\", evaluation: TemporalDifference(critic: \"b\", value_per_hz: 1, value_at_rest: 0, tau_reward_ms: 100, tau_rate_ms: 50, tau_rise_ms: 49.99999999999999))",
                "",
            ),
            vec!["tau_rise_ms", "must be shorter, by a billionth"],
        ),
        (
            with(
                "(name: \"d\", evaluation: TemporalDifference(critic: \"b\", value_per_hz: 1, value_at_rest: 0, tau_reward_ms: 100, tau_rate_ms: 50, tau_rise_ms: 1e-310))",
                "",
            ),
            vec!["tau_rise_ms", "less than a millionth of a step of 0.1 ms"],
        ),
        (
            with("(name: \"d\", tau_ms: 1e-320)", ""),
            vec![
                "modulators[0].tau_ms",
                "less than a millionth of a step of 0.1 ms",
                "allowed is 1e-7 ms or more",
            ],
        ),
        (
            with(
                "",
                "plasticity: [Stdp(w_max: 2), LearningRateDecay(tau_ms: 1e-320)]",
            ),
            vec![
                "plasticity[1]",
                "less than a millionth of a step",
                "1e-7 ms",
            ],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 2, a_plus: 2e12)]"),
            vec!["a_plus: 2", "is out of range", "to 1000000000000"],
        ),
        (
            with("", "plasticity: [Oja(w_max: 2, eta: 1e13)]"),
            vec!["eta: 1", "is out of range"],
        ),
        (
            with(&coincidence("5", "0", "1e30"), ""),
            vec!["rewards[0].delay_max_ms", "too long to be counted in steps"],
        ),
        (
            with(&coincidence("1e300", "0", "1"), ""),
            vec!["rewards[0].within_ms", "too long to be counted in steps"],
        ),
        (
            with(&coincidence("0.04", "0", "1"), ""),
            vec![
                "rewards[0].within_ms",
                "0.04 ms is less than half a step of 0.1 ms",
            ],
        ),
        (
            with(
                "(name: \"d\", rewards: [Schedule(times_ms: [3, 1e30], amount: 1)])",
                "",
            ),
            vec!["rewards[0].times_ms[1]", "too long to be counted in steps"],
        ),
        (
            with(
                "(name: \"d\", tau_ms: 9, effects: [Excitability(region: \"a\", current: 5)])",
                "",
            ),
            vec![
                "effects[0].region",
                "PoissonSource of region \"a\" takes no input",
            ],
        ),
        (
            with("(name: \"d\", initial: 0.5)", ""),
            vec!["modulators[0].initial", "\"d\" is no pool", "`tau_ms`"],
        ),
        (
            with("(name: \"d\", baseline: 0.5)", ""),
            vec!["modulators[0].baseline", "\"d\" is no pool", "`tau_ms`"],
        ),
        (
            with("", "plasticity: [Stdp(w_max: 2), Settable(w_max: 5)]"),
            vec!["plasticity[1]", "leave `Settable` out"],
        ),
        (
            with(
                "(name: \"d\", tau_ms: 9, effects: [Release(projection: \"a → b\", neurons: Range(5, 10), gain: 1, most: 2)])",
                "",
            ),
            vec!["effects[0].neurons", "neuron 10 does not exist"],
        ),
    ] {
        let error = checked(&scene(&projection, &modulators))
            .expect_err(&format!("{projection} {modulators} is wrong"));
        for part in parts {
            assert!(error.contains(part), "{projection} {modulators}: {error}");
        }
        assert!(error.contains("net:"), "it says where: {error}");
    }
}

#[test]
fn what_nobody_releases_is_warned_of() {
    let warnings = checked(&scene(
        "plasticity: [Mstdp], backpropagation_ms: 1",
        "(name: \"reward\")",
    ))
    .expect("a scene that can be run");
    assert!(
        warnings
            .iter()
            .any(|w| w.contains("nothing releases modulator \"reward\"")),
        "{warnings:?}"
    );
    let rewarded = "(name: \"reward\", rewards: [Schedule(times_ms: [10], amount: 1)])";
    assert_eq!(
        checked(&scene(
            "plasticity: [Mstdp], backpropagation_ms: 1",
            rewarded
        )),
        Ok(Vec::new())
    );
}

#[test]
fn what_does_nothing_is_warned_of() {
    for (projection, parts) in [
        (
            "frozen: true",
            vec!["frozen", "the weights of \"a → b\" do not change"],
        ),
        (
            "learning_targets: Range(0, 3)",
            vec!["learning_targets", "give it a rule in `plasticity`"],
        ),
        (
            "short_term: TsodyksMarkram, frozen: true",
            vec!["frozen", "do not change"],
        ),
        (
            "plasticity: [HomeostaticScaling(w_max: 2, tau_ms: 20, every_ms: 50)]",
            vec!["plasticity[0]", "tau_ms is 20 and every_ms 50"],
        ),
        (
            "dendritic: Ms(0.5)",
            vec!["dendritic", "spikes do not change the weights of \"a → b\""],
        ),
        (
            "plasticity: [ConvergentDecay], backpropagation_ms: 0.5",
            vec!["backpropagation_ms", "give it a learning rule"],
        ),
        (
            "plasticity: [Stdp(w_max: 2)], learning_targets: List([])",
            vec!["learning_targets", "no neuron is selected"],
        ),
        (
            "plasticity: [Stdp(w_max: 2)], dendritic: Ms(0.26)",
            vec![
                "dendritic",
                "0.26 ms is not a whole number of steps",
                "0.3 ms is taken",
            ],
        ),
        (
            "plasticity: [Stdp(w_max: 2)], backpropagation_ms: 0.04",
            vec![
                "backpropagation_ms",
                "no more than half a step of 0.1 ms; none is taken",
            ],
        ),
        (
            "plasticity: [Stdp(w_max: 2), Budget(total: 5, every_ms: 10.04)]",
            vec![
                "plasticity[1].every_ms",
                "10.04 ms is not a whole number",
                "10 ms is taken",
            ],
        ),
        (
            "plasticity: [HomeostaticScaling(w_max: 2, every_ms: 0.07)]",
            vec!["plasticity[0].every_ms", "one step of 0.1 ms is taken"],
        ),
    ] {
        let warnings = checked(&scene(projection, "")).expect("a scene that can be run");
        let [warning] = &warnings[..] else {
            panic!("{projection}: {warnings:?}");
        };
        for part in parts {
            assert!(warning.contains(part), "{projection}: {warning}");
        }
    }
    for projection in [
        "plasticity: [Stdp(w_max: 2)], frozen: true, learning_targets: Range(0, 3)",
        "plasticity: [ConvergentDecay], frozen: true",
        "plasticity: [HomeostaticScaling(w_max: 2)]",
        "plasticity: [Stdp(w_max: 2)], dendritic: Ms(0.3), backpropagation_ms: 0",
        "plasticity: [Stdp(w_max: 2), Budget(total: 5, every_ms: 10)], dendritic: All",
    ] {
        assert_eq!(checked(&scene(projection, "")), Ok(Vec::new()));
    }
}

#[test]
fn what_a_modulator_never_does_is_warned_of() {
    let learns = "plasticity: [Stdp(w_max: 2)]";
    let pool = |rest: &str| format!("(name: \"d\", tau_ms: 9, initial: 1, {rest})");
    for (projection, modulators, parts) in [
        (
            "plasticity: [Stdp(w_max: 2)], frozen: true",
            pool("effects: [Learning(projection: \"a → b\", gain: 1, most: 2)]"),
            ["effects[0].projection", "\"a → b\" is `frozen`"],
        ),
        (
            learns,
            pool("effects: [Learning(projection: \"a → b\", neurons: Fraction(0), gain: 1, most: 2)]"),
            ["effects[0].neurons", "no neuron is selected"],
        ),
        (
            "",
            pool("effects: [Release(projection: \"a → b\", neurons: List([]), gain: 1, most: 2)]"),
            ["effects[0].neurons", "no neuron is selected"],
        ),
        (
            "",
            pool("effects: [Excitability(region: \"b\", neurons: List([]), current: 1)]"),
            ["effects[0].neurons", "no neuron is selected"],
        ),
        (
            "",
            pool("released_by: [(from: \"a\", neurons: Fraction(0), amount: 1)]"),
            ["released_by[0].neurons", "no neuron is selected"],
        ),
        (
            "",
            pool("released_by: [(from: \"a\", amount: 1, delay_ms: 0.04)]"),
            ["released_by[0].delay_ms", "none is taken"],
        ),
        (
            "",
            "(name: \"d\", evaluation: Surprise(rewards: 5), released_by: [(from: \"a\", amount: 1)])"
                .into(),
            ["modulators[0].evaluation", "\"d\" has no `rewards`"],
        ),
        (
            "",
            "(name: \"d\", rewards: [Schedule(times_ms: [200, 100.5], amount: 1)])".into(),
            ["rewards[0].times_ms", "comes at 100.5 ms, but the run ends at 100 ms"],
        ),
    ] {
        let warnings = checked(&scene(projection, &modulators)).expect("a scene that can be run");
        let [warning] = &warnings[..] else {
            panic!("{modulators}: {warnings:?}");
        };
        for part in parts {
            assert!(warning.contains(part), "{modulators}: {warning}");
        }
    }
    for modulators in [
        "(name: \"d\", evaluation: Surprise(rewards: 5), rewards: [Schedule(times_ms: [200, 100], amount: 1)], released_by: [(from: \"a\", amount: 1)])",
        "(name: \"d\", tau_ms: 1e-7, released_by: [(from: \"a\", neurons: Fraction(0.5), amount: 1)], effects: [Learning(projection: \"a → b\", gain: 1, most: 2)])",
    ] {
        assert_eq!(checked(&scene(learns, modulators)), Ok(Vec::new()));
    }
}

#[test]
fn what_rules_and_probes_keep_of_neurons_is_predicted() {
    let assert_more = |delay: &str, projection: &str, than: &str, per_target: f64| {
        let [more, less] = [projection, than].map(|p| predicted(delay, p, "") as f64);
        let difference = (more - less) / 1000.0;
        assert!(
            (difference - per_target).abs() < 0.01,
            "{projection}: {difference}"
        );
    };
    // 8 bytes per spike with a trace; 64 of them are kept, or 512 for a way back of 400 steps.
    let near = "plasticity: [Stdp(w_max: 2)]";
    let far = "plasticity: [Stdp(w_max: 2)], backpropagation_ms: 40";
    assert_more("Uniform(min: 1, max: 2)", far, near, 8.0 * (512.0 - 64.0));
    // Rows of one delay that reach all targets list the spikes once more.
    assert_more("1", far, near, (8.0 + 12.0) * (512.0 - 64.0));
    // Two filtered potentials per step of the delay.
    let near = "plasticity: [Clopath(w_max: 2, delay_ms: 1)]";
    let far = "plasticity: [Clopath(w_max: 2, delay_ms: 101)]";
    assert_more("1", far, near, 8.0 * 1000.0);
    // A row of ten weights per target and sample.
    let with_probe = |probe: &str| {
        let text = scene("name: \"p\", plasticity: [Stdp(w_max: 2)]", "");
        let text = text.replace("regions:", &format!("probes: [{probe}], regions:"));
        let registry = Registry::new();
        let loaded = load(SceneSource::from_text("net", text), &[], &registry).expect("a scene");
        let prepared = loaded.prepare(&registry, &SceneFiles::default());
        prepared.expect("a network")
    };
    let without = with_probe("").bytes;
    for (probe, bytes) in [
        (
            "WeightCourse(projection: \"p\", targets: Range(0, 4), every_ms: 1)",
            50 * (8 + 400),
        ),
        (
            "WeightHistogram(projection: \"p\", bins: 8, every_ms: 1)",
            4000,
        ),
        (
            "ReceptiveFields(projection: \"p\", targets: All, width: 10)",
            400,
        ),
    ] {
        let prepared = with_probe(&format!("(kind: {probe})"));
        assert_eq!(prepared.bytes - without, bytes, "{probe}");
        assert!(prepared.warnings.is_empty());
    }
}

/// As many classes of neurons as there may be are predicted, without finding out which there are.
#[test]
fn effects_on_many_selections_are_not_counted_one_by_one() {
    let gates = |effects: usize, share: &str| {
        let effect =
            |i| format!("Learning(projection: \"a → b\", neurons: {share}, gain: {i}, most: 2), ");
        let effects: String = (0..effects).map(effect).collect();
        let pool = format!("(name: \"d\", tau_ms: 9, initial: 1, effects: [{effects}])");
        let learns = "plasticity: [Stdp(w_max: 2)]";
        let more = predicted("1", learns, &pool) - predicted("1", learns, "");
        more as f64 / (20.0 * 16_384.0)
    };
    assert_eq!(gates(1, "All"), 1.0);
    assert_eq!(gates(40, "All"), 1.0);
    assert_eq!(gates(2, "Range(0, 499)"), 2.0);
    assert_eq!(gates(12, "Range(0, 499)"), 2.0);
    assert_eq!(gates(40, "Fraction(0.5)"), 1000.0);
}

#[test]
fn a_pool_counts_as_input() {
    let text = |effects: &str| {
        format!(
            "Scene(duration_ms: 100,
                regions: [(name: \"a\", neurons: 10, model: PoissonSource(rate_hz: 10)), (name: \"b\", neurons: 10, model: LifExp)],
                modulators: [(name: \"d\", tau_ms: 9, released_by: [(from: \"a\", amount: 1)], effects: [{effects}])],
                probes: [(region: \"b\", kind: Column(column: \"drive\", neurons: All, every_ms: 1))])"
        )
    };
    let driven = text("Excitability(region: \"b\", current: 300)");
    assert_eq!(checked(&driven), Ok(Vec::new()));
    let error = checked(&text("")).expect_err("no drive");
    assert!(error.contains("no column \"drive\""), "{error}");
}
