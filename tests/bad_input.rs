//! Bad input: every mistake that a user can make ends in a message that names the thing, its value and what is allowed, at the right line
//! and column, and in exit code 2.
//!
//! [`MISTAKES`] is a table of small changes to one scene that is correct, each with the message that it must lead to. The library reads,
//! checks, builds and runs them; a dozen also go through the program. The files that scenes here name are in `tests/broken`.

use neuropil::neurons::ReflectNeuronModel;
use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::simulation::Registry;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

const SCENE: &str = r#"Scene(
    title: "base",
    dt_ms: 0.1,
    duration_ms: 100,
    parameters: {"w": 20, "order": 20},
    definitions: {"half": "w / 2", "twice(x)": "2 * x"},
    regions: [
        (name: "E", neurons: "4 * order", model: LifExp(tau_m: 20), layout: Sheet(size_mm: [1, 1]), sign: Excitatory),
        (name: "I", neurons: 20, model: LifCondExp(v_th: -50, v_reset: -60), initial: {"v": -65}, sign: Inhibitory),
    ],
    projections: [
        (from: "E", to: "I", rule: FixedIndegree(10), weight: "half", delay_ms: 1.5),
        (from: "I", to: "E", rule: AllToAll, weight: -90, delay_ms: Uniform(min: 0.5, max: 2)),
    ],
    stimuli: [
        (name: "drive", to: "E", kind: Poisson(rate_hz: 1000, weight: "w", delay_ms: 1)),
        (to: "I", window: (start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100)),
    ],
    probes: [
        (region: "E", kind: Column(column: "v", neurons: List([0, 3]), every_ms: 1)),
    ],
)
"#;

/// What is wrong; what of the scene is replaced, and by what; the message after the file's name. `{models}` and `{scenes}` stand for the
/// lists of those that there are.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    // Names
    (
        "a field",
        "tau_m: 20",
        "tua_m: 20",
        r#"8:57: regions[0].model: unknown field "tua_m"; did you mean "tau_m"? known: e_l, c_m, tau_m, v_th, v_reset, t_ref, tau_syn_ex, tau_syn_in, i_e"#,
    ),
    (
        "a field of the scene",
        "duration_ms: 100",
        "duration: 100",
        r#"4:5: unknown field "duration"; did you mean "duration_ms"? known: title, source, outcome, dt_ms, seed, duration_ms, statistics_from_ms, regions, projections, stimuli, modulators, probes, parameters, definitions"#,
    ),
    (
        "a model",
        "LifExp(tau_m: 20)",
        "LiffExp(tau_m: 20)",
        r#"8:50: regions[0].model: unknown neuron model "LiffExp"; did you mean "LifExp"? known: {models}"#,
    ),
    (
        "a model that is none",
        "LifExp(tau_m: 20)",
        "20",
        "8:50: regions[0].model: expected the name of a neuron model, found 20\nhelp: known: {models}",
    ),
    (
        "a source region",
        r#"from: "E""#,
        r#"from: "Ex""#,
        r#"12:16: projections[0].from: unknown region "Ex"; known: E, I"#,
    ),
    (
        "a target region",
        r#"to: "I", rule"#,
        r#"to: "J", rule"#,
        r#"12:25: projections[0].to: unknown region "J"; known: E, I"#,
    ),
    (
        "the region of a stimulus",
        r#"to: "E", kind"#,
        r#"to: "excitatory", kind"#,
        r#"16:29: stimuli[0].to: unknown region "excitatory"; known: E, I"#,
    ),
    (
        "the region of a probe",
        r#"region: "E""#,
        r#"region: "F""#,
        r#"20:18: probes[0].region: unknown region "F"; known: E, I"#,
    ),
    (
        "the region of a weight probe",
        r#"kind: Column(column: "v", neurons: List([0, 3]), every_ms: 1)"#,
        r#"kind: Weights(from: "E", to: "O")"#,
        r#"20:52: probes[0].kind.to: unknown region "O"; known: E, I"#,
    ),
    (
        "a receptor",
        "rule: AllToAll, weight: -90",
        r#"rule: AllToAll, weight: -90, receptor: "inhibtory""#,
        r#"13:69: projections[1].receptor: LifExp has no receptor "inhibtory"; did you mean "inhibitory"? known: excitatory, inhibitory"#,
    ),
    (
        "the receptor of a stimulus",
        r#"weight: "w", delay_ms: 1)"#,
        r#"weight: "w", delay_ms: 1, receptor: "ampa")"#,
        r#"16:99: stimuli[0].kind.receptor: LifExp has no receptor "ampa"; known: excitatory, inhibitory"#,
    ),
    (
        "a column",
        r#"column: "v""#,
        r#"column: "vm""#,
        r#"20:44: probes[0].kind.column: LifExp of region "E" has no column "vm"; known: v, i_ex, i_in, refractory_until"#,
    ),
    (
        "a column to start from",
        r#"{"v": -65}"#,
        r#"{"u": -65}"#,
        r#"9:93: regions[1].initial["u"]: LifCondExp has no column "u"; known: v, g_ex, g_in, refractory_until"#,
    ),
    (
        "a rule",
        "AllToAll",
        "AllToAl",
        r#"13:36: projections[1].rule: unknown rule "AllToAl"; did you mean "AllToAll"? known: AllToAll, OneToOne, AllButOwn, FixedIndegree, FixedOutdegree, FixedTotalNumber, PairwiseBernoulli, Distance, SmallWorld, Pairs, List, ListFile, Not, And, Or"#,
    ),
    (
        "a kind of stimulus",
        "Step(amplitude: 100)",
        "Stepp(amplitude: 100)",
        r#"17:62: stimuli[1].kind: unknown stimulus kind "Stepp"; did you mean "Step"? known: Direct, Step, Alternating, Ramp, Noise, CurrentFile, Schedule, Poisson, InputSpikes, Spike, Silence"#,
    ),
    (
        "a distribution",
        "Uniform(min: 0.5, max: 2)",
        "Uniforme(min: 0.5, max: 2)",
        r#"13:69: projections[1].delay_ms: unknown distribution "Uniforme"; did you mean "Uniform"? known: Constant, Uniform, Normal, LogNormal, Exponential, Shared"#,
    ),
    (
        "a sign",
        "sign: Inhibitory",
        "sign: Inhibiting",
        r#"9:105: regions[1].sign: unknown neuron sign "Inhibiting"; did you mean "Inhibitory"? known: Mixed, Excitatory, Inhibitory"#,
    ),
    (
        "a layout",
        "Sheet(size_mm: [1, 1])",
        "Sheets(size_mm: [1, 1])",
        r#"8:77: regions[0].layout: unknown layout "Sheets"; did you mean "Sheet"? known: Grid, Ring, Ball, Box, Sheet, Column, List"#,
    ),
    (
        "a name in an expression",
        r#"weight: "half""#,
        r#"weight: "haif""#,
        r#"12:63: projections[0].weight: expected a number, found the string "haif": unknown name "haif"; did you mean "half"? known: half, order, w, pi, e, inf, true, false"#,
    ),
    // Types
    (
        "a string for a number",
        "duration_ms: 100",
        r#"duration_ms: "long""#,
        r#"4:18: duration_ms: expected a number (ms), found the string "long": unknown name "long"; known: half, order, w, pi, e, inf, true, false"#,
    ),
    (
        "a fraction for a whole number",
        "neurons: 20",
        "neurons: 20.5",
        "9:30: regions[1].neurons: expected a whole number, found 20.5",
    ),
    (
        "an expression that gives a fraction",
        r#""4 * order""#,
        r#""order / 3""#,
        "8:30: regions[0].neurons: expected a whole number, found the expression \"order / 3\", which gives 6.666666666666667\nhelp: round(…), floor(…) or ceil(…) gives a whole number",
    ),
    (
        "a number for a list",
        "List([0, 3])",
        "List(3)",
        "20:63: probes[0].kind.neurons: expected a list, found 3",
    ),
    (
        "a list of the wrong length",
        "[1, 1]",
        "[1, 1, 1]",
        "8:92: regions[0].layout.size_mm: expected a list of 2 values, found a list of 3 values",
    ),
    (
        "a number for a name",
        r#"name: "I""#,
        "name: 7",
        "9:16: regions[1].name: expected a string, found 7",
    ),
    (
        "a name for a number",
        "weight: -90",
        "weight: strong",
        r#"13:54: projections[1].weight: unknown distribution "strong"; known: Constant, Uniform, Normal, LogNormal, Exponential, Shared"#,
    ),
    (
        "values without names",
        "Step(amplitude: 100)",
        "Step(100)",
        "17:62: stimuli[1].kind: Step has named fields: amplitude\nhelp: write Step(amplitude: …)",
    ),
    (
        "a variant without its value",
        "FixedIndegree(10)",
        "FixedIndegree",
        "12:36: projections[0].rule: FixedIndegree needs a value: FixedIndegree(…)",
    ),
    (
        "a bool for an option",
        "delay_ms: 1.5",
        "delay_ms: 1.5, receptor: true",
        "12:96: projections[0].receptor: expected a string, found true",
    ),
    (
        "a field that is missing",
        ", rule: AllToAll",
        "",
        r#"13:9: projections[1]: missing field "rule": expected one of AllToAll, OneToOne, AllButOwn, FixedIndegree, FixedOutdegree, FixedTotalNumber, PairwiseBernoulli, Distance, SmallWorld, Pairs, List, ListFile, Not, And, Or"#,
    ),
    (
        "a weight that is missing",
        ", weight: -90",
        "",
        "13:9: projections[1].weight: this projection has no `weight`: give it here, or in every entry of a list",
    ),
    (
        "a delay that is missing",
        ", delay_ms: 1.5",
        "",
        "12:9: projections[0].delay_ms: this projection has no `delay_ms`: give it here, or in every entry of a list",
    ),
    // Numbers out of range
    (
        "a step of nothing",
        "dt_ms: 0.1",
        "dt_ms: 0",
        "3:12: dt_ms: 0 is out of range: must be from 0.0001 to 1000 (ms)",
    ),
    (
        "a negative duration",
        "duration_ms: 100",
        "duration_ms: -1",
        "4:18: duration_ms: -1 is out of range: must be 0 or more (ms)",
    ),
    (
        "a duration beyond counting",
        "duration_ms: 100",
        "duration_ms: 1e300",
        "4:18: duration_ms: a time of 1e300 ms is too long to be counted in steps of 0.1 ms; at most 900000000000000 ms",
    ),
    (
        "a negative seed",
        "duration_ms: 100",
        "duration_ms: 100, seed: -1",
        "4:29: seed: -1 is out of range: must be from 0 to 18446744073709551615",
    ),
    (
        "no neurons",
        "neurons: 20",
        "neurons: 0",
        "9:30: regions[1].neurons: 0 is out of range: must be from 1 to 1000000000",
    ),
    (
        "too many neurons",
        "neurons: 20",
        "neurons: 5000000000",
        "9:30: regions[1].neurons: 5000000000 is out of range: must be from 1 to 1000000000",
    ),
    (
        "a negative time constant",
        "tau_m: 20",
        "tau_m: -20",
        "8:64: regions[0].model.tau_m: -20 is out of range: must be more than 0 (ms)",
    ),
    (
        "a time constant drawn below zero",
        "tau_m: 20",
        "tau_m: Uniform(min: -1, max: 20)",
        "8:77: regions[0].model.tau_m.min: the distribution reaches -1; allowed is more than 0",
    ),
    (
        "a time constant without a least value",
        "tau_m: 20",
        "tau_m: Normal(mean: 20, sd: 2)",
        "8:64: regions[0].model.tau_m: the distribution has no bound at its min; allowed is more than 0\nhelp: give `min`",
    ),
    (
        "a negative spread",
        "tau_m: 20",
        "tau_m: Normal(mean: 20, sd: -2, min: 1)",
        "8:85: regions[0].model.tau_m.sd: Normal: sd is -2; allowed is 0 or more, and finite",
    ),
    (
        "bounds the wrong way round",
        "min: 0.5, max: 2",
        "min: 2, max: 0.5",
        "13:82: projections[1].delay_ms.min: Uniform: min 2 must be less than max 0.5; use Constant for a single value",
    ),
    (
        "bounds that leave nothing",
        "tau_m: 20",
        "tau_m: Normal(mean: 20, sd: 1, min: 100)",
        "8:93: regions[0].model.tau_m.min: Normal: only a fraction of 0.0e0 of all values lies between min 100 and max inf; at least 1e-6 must: move the bounds or the mean",
    ),
    (
        "a parameter beyond single precision",
        "tau_m: 20",
        "i_e: 1e200",
        "8:62: regions[0].model.i_e: 1e200 is too large for 32 bits; the largest number is about 3.4e38",
    ),
    (
        "an infinite parameter",
        "tau_m: 20",
        "i_e: inf",
        "8:62: regions[0].model.i_e: expected a finite number (pA), found inf",
    ),
    (
        "no number at all",
        "tau_m: 20",
        "tau_m: NaN",
        "8:64: regions[0].model.tau_m: expected a number (ms), found NaN",
    ),
    (
        "an initial value beyond single precision",
        r#"{"v": -65}"#,
        r#"{"v": -1e39}"#,
        r#"9:93: regions[1].initial["v"]: -1e39 is too large for 32 bits; the largest number is about 3.4e38"#,
    ),
    (
        "a delay of nothing",
        "delay_ms: 1.5",
        "delay_ms: 0",
        "12:81: projections[0].delay_ms: 0 is out of range: must be more than 0 (ms)",
    ),
    (
        "a negative delay",
        "delay_ms: 1.5",
        "delay_ms: -1.5",
        "12:81: projections[0].delay_ms: -1.5 is out of range: must be more than 0 (ms)",
    ),
    (
        "a delay that is too long",
        "delay_ms: 1.5",
        "delay_ms: 7000",
        "12:81: projections[0].delay_ms: a delay of 7000 ms is 70000 steps; at most 65535 steps of 0.1 ms are possible",
    ),
    (
        "delays drawn too long",
        "max: 2)",
        "max: 20000)",
        "13:92: projections[1].delay_ms: a delay of 20000 ms is 200000 steps; at most 65535 steps of 0.1 ms are possible",
    ),
    (
        "delays drawn below zero",
        "Uniform(min: 0.5, max: 2)",
        "Normal(mean: 1, sd: 1)",
        "13:69: projections[1].delay_ms: the distribution has no bound at its min; allowed is more than 0\nhelp: give `min`",
    ),
    (
        "a probability above one",
        "FixedIndegree(10)",
        "PairwiseBernoulli(1.5)",
        "12:54: projections[0].rule: rule PairwiseBernoulli: the probability is 1.5; allowed is from 0 to 1",
    ),
    (
        "a negative probability",
        "FixedIndegree(10)",
        r#"PairwiseBernoulli("-half")"#,
        "12:54: projections[0].rule: rule PairwiseBernoulli: the probability is -10; allowed is from 0 to 1",
    ),
    (
        "a fraction above one",
        "window: (start_ms: 10, stop_ms: 50)",
        "neurons: Fraction(1.5)",
        "17:37: stimuli[1].neurons: a fraction is from 0 to 1, not 1.5",
    ),
    (
        "every zeroth neuron",
        "window: (start_ms: 10, stop_ms: 50)",
        "neurons: Every(0)",
        "17:34: stimuli[1].neurons: Every(0) selects nothing; give 1 or more",
    ),
    (
        "a negative rate",
        "rate_hz: 1000",
        "rate_hz: -1000",
        "16:57: stimuli[0].kind.rate_hz: -1000 is out of range: must be 0 or more (Hz)",
    ),
    (
        "a rate that may be negative",
        "rate_hz: 1000",
        "rate_hz: Normal(mean: 10, sd: 10)",
        "16:57: stimuli[0].kind.rate_hz: the distribution has no bound at its min; allowed is 0 or more\nhelp: give `min`",
    ),
    (
        "a rate that is no number",
        "rate_hz: 1000",
        r#"rate_hz: "0 / (w - 20)""#,
        r#"16:57: stimuli[0].kind.rate_hz: expected a number (Hz), found the string "0 / (w - 20)": 0 / 0 is a division by zero"#,
    ),
    (
        "a rate too high for the step",
        "rate_hz: 1000",
        "rate_hz: 1e8",
        "16:57: stimuli[0].kind.rate_hz: a rate of 100000000 Hz is 10000 input spikes in a step of 0.1 ms; at most 768 are possible: shorten the step or use fewer spikes of more weight",
    ),
    (
        "a frequency too high for the step",
        "Step(amplitude: 100)",
        "Alternating(amplitude: 1, offset: 0, frequency_hz: 6000, phase_deg: 0)",
        "17:113: stimuli[1].kind.frequency_hz: steps of 0.1 ms cannot show 6000 Hz; at most 5000 Hz, half a turn per step",
    ),
    (
        "a current beyond single precision",
        "amplitude: 100",
        "amplitude: 1e99",
        "17:78: stimuli[1].kind.amplitude: 1e99 is too large for 32 bits; the largest number is about 3.4e38",
    ),
    (
        "a weight too large to be summed",
        "weight: -90",
        "weight: -1e35",
        "13:54: projections[1].weight: weights reach a magnitude of 1e35; allowed are 0 and magnitudes from 1e-30 to 1e30",
    ),
    (
        "a weight too small to be summed",
        "weight: -90",
        "weight: -1e-40",
        "13:54: projections[1].weight: weights reach a magnitude of 1e-40; allowed are 0 and magnitudes from 1e-30 to 1e30",
    ),
    (
        "a stimulus that starts beyond counting",
        "start_ms: 10, stop_ms: 50",
        "start_ms: 1e250",
        "17:38: stimuli[1].window.start_ms: a time of 1e250 ms is too long to be counted in steps of 0.1 ms; at most 900000000000000 ms",
    ),
    (
        "a stimulus delayed beyond counting",
        r#"weight: "w", delay_ms: 1)"#,
        r#"weight: "w", delay_ms: 1e30)"#,
        "16:86: stimuli[0].kind.delay_ms: a time of 1e30 ms is too long to be counted in steps of 0.1 ms; at most 900000000000000 ms",
    ),
    (
        "an interval of nothing",
        "every_ms: 1",
        "every_ms: 0",
        "20:82: probes[0].kind.every_ms: 0 is out of range: must be more than 0 (ms)",
    ),
    (
        "a layout without extent",
        "Sheet(size_mm: [1, 1])",
        "Ball(radius_mm: 0)",
        "8:93: regions[0].layout: layout Ball: radius_mm is 0 mm; allowed is more than 0, up to 1000000",
    ),
    (
        "an indegree that is negative",
        "FixedIndegree(10)",
        "FixedIndegree(-10)",
        "12:50: projections[0].rule: -10 is out of range: must be from 0 to 4294967295",
    ),
    // What cannot be together
    (
        "a window that ends before it starts",
        "stop_ms: 50",
        "stop_ms: 5",
        "17:51: stimuli[1].window.stop_ms: the window ends at 5 ms, before it starts at 10 ms",
    ),
    (
        "a ramp without an end",
        "window: (start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100)",
        "kind: Ramp(from: 0, to: 100)",
        "17:9: stimuli[1].window: a ramp needs `stop_ms`, where it reaches its last value",
    ),
    (
        "a positive weight of an inhibitory region",
        "weight: -90",
        "weight: 90",
        r#"13:54: projections[1].weight: region "I" is inhibitory, but these weights go up to 90; change their sign or the sign of the region"#,
    ),
    (
        "weights that an excitatory region cannot have",
        r#"weight: "half""#,
        "weight: Uniform(min: -3, max: 5)",
        r#"12:76: projections[0].weight: region "E" is excitatory, but these weights go down to -3; add `min: 0` or change the sign of the region"#,
    ),
    (
        "a negative weight for an excitatory receptor",
        r#"rule: FixedIndegree(10), weight: "half""#,
        r#"rule: FixedIndegree(10), weight: "half", receptor: "inhibitory""#,
        r#"12:63: projections[0].weight: the receptor "inhibitory" of LifCondExp takes weights of 0 or less (nS), but these go up to 10"#,
    ),
    (
        "weights of both signs without a receptor",
        r#"weight: "w", delay_ms: 1)"#,
        "weight: Uniform(min: -1, max: 1), delay_ms: 1)",
        "16:84: stimuli[0].kind.weight: weights from -1 to 1 have both signs; bound them with `min` or `max` at 0, or name the receptor: LifExp has excitatory, inhibitory",
    ),
    (
        "weights whose tails have both signs",
        r#"weight: "w", delay_ms: 1)"#,
        "weight: Normal(mean: 1, sd: 1), delay_ms: 1)",
        "16:71: stimuli[0].kind.weight: weights from -9.0542 to 9.0542 have both signs; bound them with `min` or `max` at 0, or name the receptor: LifExp has excitatory, inhibitory",
    ),
    (
        "an indegree that multapses would need",
        "FixedIndegree(10)",
        "FixedIndegree(81), multapses: false",
        "12:50: projections[0].rule: rule FixedIndegree: 81 different sources per target are wanted, but without multapses there are only 80; ask for at most 80 or allow multapses (inside Not, And and Or they never are)",
    ),
    (
        "an outdegree that multapses would need",
        "FixedIndegree(10)",
        "FixedOutdegree(21), multapses: false",
        "12:51: projections[0].rule: rule FixedOutdegree: 21 different targets per source are wanted, but without multapses there are only 20; ask for at most 20 or allow multapses (inside Not, And and Or they never are)",
    ),
    (
        "more synapses than pairs",
        "FixedIndegree(10)",
        "FixedTotalNumber(1601), multapses: false",
        "12:53: projections[0].rule: rule FixedTotalNumber: 1601 different pairs are wanted, but without multapses there are only 1600; ask for at most 1600 or allow multapses (inside Not, And and Or they never are)",
    ),
    (
        "one to one between unequal regions",
        "FixedIndegree(10)",
        "OneToOne",
        "12:36: projections[0].rule: rule OneToOne: it needs as many sources as targets, but there are 80 sources and 20 targets; make the regions equally large or choose another rule",
    ),
    (
        "one to one without autapses",
        r#"to: "I", rule: FixedIndegree(10)"#,
        r#"to: "E", rule: OneToOne, autapses: false"#,
        "12:36: projections[0].rule: rule OneToOne: within one region it joins every neuron with itself, but autapses are off; switch autapses on or use AllButOwn",
    ),
    (
        "a ring with an odd number of neighbours",
        r#"to: "I", rule: FixedIndegree(10)"#,
        r#"to: "E", rule: SmallWorld(neighbours: 7, rewire: 0.1)"#,
        "12:59: projections[0].rule: rule SmallWorld: neighbours is 7; allowed is an even number from 2 to half of the 80 neurons",
    ),
    (
        "distance without a layout",
        "FixedIndegree(10)",
        "Distance(kernel: Gaussian(sigma_mm: 0.1, peak: 0.5))",
        r#"12:36: projections[0].rule: this rule depends on distance, but region "I" has no layout; give it one"#,
    ),
    (
        "a kernel that is no probability",
        r#"to: "I", rule: FixedIndegree(10)"#,
        r#"to: "E", rule: And([AllToAll, Distance(kernel: Gaussian(sigma_mm: 0.1, peak: 1.5))])"#,
        "12:98: projections[0].rule: rule Distance: peak is 1.5; allowed is from 0 to 1",
    ),
    (
        "a rule inside a rule that cannot be met",
        "FixedIndegree(10)",
        "Or([OneToOne, FixedIndegree(5)])",
        "12:40: projections[0].rule: rule OneToOne: it needs as many sources as targets, but there are 80 sources and 20 targets; make the regions equally large or choose another rule",
    ),
    (
        "no rules to combine",
        "FixedIndegree(10)",
        "And([])",
        "12:36: projections[0].rule: rule And: it combines no rules; give it at least one",
    ),
    (
        "a grid with too few places",
        "Sheet(size_mm: [1, 1])",
        "Grid(shape: [5, 5, 3], spacing_mm: [0.1, 0.1, 0.1])",
        "8:89: regions[0].layout: layout Grid: shape [5, 5, 3] has 75 places, but the region has 80 neurons; use a shape whose product is at least 80",
    ),
    (
        "too few positions",
        "Sheet(size_mm: [1, 1])",
        "List([[0, 0, 0]])",
        "8:77: regions[0].layout: layout List: 1 positions for 80 neurons; list exactly one per neuron",
    ),
    (
        "a listed source that does not exist",
        "FixedIndegree(10)",
        "List([(source: 79, target: 0), (source: 80, target: 0)])",
        r#"12:76: projections[0].rule[1].source: source 80 does not exist; region "E" has neurons 0 to 79"#,
    ),
    (
        "a listed target that does not exist",
        "FixedIndegree(10)",
        "List([(source: 79, target: 0), (source: 0, target: 20)])",
        r#"12:87: projections[0].rule[1].target: target 20 does not exist; region "I" has neurons 0 to 19"#,
    ),
    (
        "a listed pair that does not exist",
        "FixedIndegree(10)",
        "Pairs([(79, 0), (80, 1)])",
        "12:52: projections[0].rule: rule Pairs: entry 2 (counted from 1), 80 to 1: the source must be less than 80",
    ),
    (
        "a listed autapse",
        r#"to: "I", rule: FixedIndegree(10)"#,
        r#"to: "E", autapses: false, rule: List([(source: 1, target: 2), (source: 3, target: 3)])"#,
        "12:83: projections[0].rule[1]: neuron 3 is joined to itself, but `autapses` is false",
    ),
    (
        "a pair listed twice",
        "FixedIndegree(10)",
        "List([(source: 1, target: 2), (source: 1, target: 2)]), multapses: false",
        "12:66: projections[0].rule[1]: it repeats entry [0], 1 → 2, but `multapses` is false",
    ),
    (
        "weights for some of a list",
        "FixedIndegree(10)",
        "List([(source: 1, target: 2, weight: 5), (source: 3, target: 3)])",
        "12:77: projections[0].rule[1]: this entry has no `weight`, but 1 of 2 have one; give it to all or to none",
    ),
    (
        "a listed weight of the wrong sign",
        "FixedIndegree(10)",
        "List([(source: 1, target: 2, weight: 5), (source: 3, target: 3, weight: -5)])",
        r#"12:108: projections[0].rule: region "E" is excitatory, but these weights go down to -5; change their sign or the sign of the region"#,
    ),
    (
        "a listed delay of nothing",
        "FixedIndegree(10)",
        "List([(source: 1, target: 2, delay_ms: 0)])",
        "12:75: projections[0].rule[0].delay_ms: the delay is 0 ms; it must be more than 0",
    ),
    (
        "a list without delays",
        r#"FixedIndegree(10), weight: "half", delay_ms: 1.5"#,
        "List([(source: 1, target: 2, weight: 5)])",
        "12:9: projections[0].delay_ms: this projection has no `delay_ms`: give it here, or in every entry of a list",
    ),
    (
        "times of a current that descend",
        "Step(amplitude: 100)",
        "Schedule([(0, 1), (20, 2), (10, 3)])",
        "17:89: stimuli[1].kind[2]: times must ascend, but 10 ms follows 20 ms",
    ),
    (
        "a current before the start",
        "Step(amplitude: 100)",
        "Schedule([(-5, 1)])",
        "17:72: stimuli[1].kind[0]: the time -5 ms lies before the start; allowed is 0 or more",
    ),
    (
        "two regions of one name",
        r#"name: "I""#,
        r#"name: "E""#,
        r#"9:16: regions[1].name: the name "E" is taken by regions[0]; names must differ"#,
    ),
    (
        "a region without a name",
        r#"name: "I""#,
        r#"name: " ""#,
        "9:16: regions[1].name: a region needs a name",
    ),
    (
        "two projections of one name",
        r#"delay_ms: 1.5),
        (from: "I""#,
        r#"delay_ms: 1.5, name: "wires"),
        (name: "wires", from: "I""#,
        r#"13:16: projections[1].name: the name "wires" is taken by projections[0]; names must differ"#,
    ),
    (
        "two stimuli of one name",
        r#"(to: "I", window: (start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100))"#,
        r#"(name: "drive", to: "E", kind: Step(amplitude: 100))"#,
        r#"17:16: stimuli[1].name: the name "drive" is taken by stimuli[0]; stimuli of one region need different names"#,
    ),
    (
        "a threshold below the reset",
        "v_th: -50",
        "v_th: -61",
        "9:72: regions[1].model: v_reset reaches -60; it must be less than v_th, which goes down to -61",
    ),
    (
        "a leak that is too fast",
        "LifCondExp(v_th: -50, v_reset: -60)",
        "AdEx(c_m: 0.001)",
        "9:51: regions[1].model: c_m / g_l goes down to 0.000033333333333333335 ms; it must be at least the sub-step of 0.025 ms: raise c_m, lower g_l or lower substep_ms",
    ),
    (
        "a projection to a source",
        r#"model: LifCondExp(v_th: -50, v_reset: -60), initial: {"v": -65}"#,
        "model: PoissonSource(rate_hz: 5)",
        r#"12:25: projections[0].to: PoissonSource of region "I" takes no synaptic input"#,
    ),
    (
        "a selected neuron that does not exist",
        "List([0, 3])",
        "List([0, 80, 3])",
        "20:67: probes[0].kind.neurons: neuron 80 does not exist; the region has neurons 0 to 79",
    ),
    (
        "a selected range that is empty",
        "List([0, 3])",
        "Range(5, 3)",
        "20:64: probes[0].kind.neurons: the range 5 to 3 is empty; give the smaller number first",
    ),
    (
        "a range beyond the last neuron",
        "window: (start_ms: 10, stop_ms: 50)",
        "neurons: Range(3, 20)",
        "17:37: stimuli[1].neurons: neuron 20 does not exist; the region has neurons 0 to 19",
    ),
    (
        "a region for a probe of weights",
        r#"kind: Column(column: "v", neurons: List([0, 3]), every_ms: 1)"#,
        r#"kind: Weights(from: "E", to: "I")"#,
        "20:18: probes[0].region: a probe of weights names its regions itself, as `from` and `to`; leave `region` out",
    ),
    (
        "a drive that nothing drives",
        r#"column: "v""#,
        r#"column: "drive""#,
        r#"20:44: probes[0].kind.column: LifExp of region "E" has no column "drive"; known: v, i_ex, i_in, refractory_until"#,
    ),
    (
        "an initial value that is given twice",
        r#"{"v": -65}"#,
        r#"[("v", -65), ("v", -60)]"#,
        r#"9:87: regions[1].initial["v"]: the initial value of "v" is given twice"#,
    ),
    // Files
    (
        "a list that is not there",
        "FixedIndegree(10)",
        r#"ListFile("lost.csv")"#,
        "12:45: projections[0].rule: no such file: …/lost.csv (file names start from the scene's folder)",
    ),
    (
        "a folder",
        "FixedIndegree(10)",
        r#"ListFile("../broken")"#,
        "12:45: projections[0].rule: …/../broken is not a file",
    ),
    (
        "a column that is missing",
        "FixedIndegree(10)",
        r#"ListFile("no_target.csv")"#,
        r#"12:45: projections[0].rule: no_target.csv has no column "target" (did you mean "traget"?); its header has "source", "traget", "weight", "delay_ms""#,
    ),
    (
        "a value that is no number",
        "FixedIndegree(10)",
        r#"ListFile("bad_cell.csv")"#,
        r#"12:45: projections[0].rule: bad_cell.csv, line 3, column weight: "heavy" is not a number, such as 0.5 or 1e-3"#,
    ),
    (
        "a value too many",
        "FixedIndegree(10)",
        r#"ListFile("too_many.csv")"#,
        "12:45: projections[0].rule: too_many.csv, line 2: 5 values, but the header names 4 columns; a decimal comma counts as a separator",
    ),
    (
        "an empty file",
        "FixedIndegree(10)",
        r#"ListFile("empty.csv")"#,
        r#"12:45: projections[0].rule: empty.csv is empty; it needs a header line with the columns "source", "target", and rows of numbers"#,
    ),
    (
        "a header alone",
        "FixedIndegree(10)",
        r#"ListFile("no_rows.csv")"#,
        "12:45: projections[0].rule: no_rows.csv has a header but no rows; add at least one row of numbers",
    ),
    (
        "a neuron that does not exist",
        "FixedIndegree(10)",
        r#"ListFile("absent_neuron.csv")"#,
        r#"12:45: projections[0].rule: absent_neuron.csv: row 2: source 80 does not exist; region "E" has neurons 0 to 79"#,
    ),
    (
        "half a neuron",
        "FixedIndegree(10)",
        r#"ListFile("half_neuron.csv")"#,
        "12:45: projections[0].rule: half_neuron.csv: row 1: source 0.5 is not a neuron's number",
    ),
    (
        "a delay of nothing",
        "FixedIndegree(10)",
        r#"ListFile("no_delay.csv")"#,
        "12:45: projections[0].rule: no_delay.csv: row 1: the delay is 0 ms; it must be more than 0",
    ),
    (
        "a pair twice",
        "FixedIndegree(10)",
        r#"ListFile("twice.csv"), multapses: false"#,
        "12:45: projections[0].rule: twice.csv: row 3: it repeats row 1, 0 → 1, but `multapses` is false",
    ),
    (
        "no delays anywhere",
        r#"FixedIndegree(10), weight: "half", delay_ms: 1.5"#,
        r#"ListFile("short.csv")"#,
        "12:9: projections[0].delay_ms: this projection has no `delay_ms`: give it here, or in every entry of a list",
    ),
    (
        "a list within a rule",
        "FixedIndegree(10)",
        r#"Not([ListFile("lost.csv")])"#,
        r#"12:50: projections[0].rule: rule ListFile: cannot use "lost.csv": no such file: …/lost.csv (file names start from the scene's folder)"#,
    ),
    (
        "currents of a neuron that does not exist",
        "Step(amplitude: 100)",
        r#"CurrentFile("currents.csv")"#,
        "17:74: stimuli[1].kind: currents.csv: row 2: neuron 99 does not exist; the region has neurons 0 to 19",
    ),
    // Expressions
    (
        "a division by zero",
        r#""w / 2""#,
        r#""w / 0""#,
        "6:27: definitions.half: 20 / 0 is a division by zero",
    ),
    (
        "a division by zero where it is used",
        r#"weight: "half""#,
        r#"weight: "half / (w - 20)""#,
        r#"12:63: projections[0].weight: expected a number, found the string "half / (w - 20)": 10 / 0 is a division by zero"#,
    ),
    (
        "a circle",
        r#""w / 2""#,
        r#""half + 1""#,
        "6:27: definitions.half: definitions go round in a circle: half → half",
    ),
    (
        "a parameter from below",
        r#""w": 20, "order""#,
        r#""w": "order", "order""#,
        r#"5:23: parameters.w: the expression "order": a parameter may use only those above it, and order is not"#,
    ),
    (
        "a function without its argument",
        r#"weight: "half""#,
        r#"weight: "twice()""#,
        r#"12:63: projections[0].weight: expected a number, found the string "twice()": twice takes 1 argument, 0 are given"#,
    ),
    (
        "a parenthesis that is not closed",
        r#"weight: "half""#,
        r#"weight: "(half""#,
        r#"12:63: projections[0].weight: expected a number, found the string "(half": expected an operator or ")" at its end"#,
    ),
    (
        "the root of less than nothing",
        r#"weight: "half""#,
        r#"weight: "sqrt(-w)""#,
        r#"12:63: projections[0].weight: expected a number, found the string "sqrt(-w)": sqrt(-20) is not a number"#,
    ),
    (
        "a name that hides another",
        r#""half": "#,
        r#""w": "#,
        "6:24: definitions.w: the name w is already a parameter or a definition",
    ),
    // Text
    (
        "a list that is not closed",
        "probes: [",
        "probes: [[",
        r#"22:1: expected a value, found ")""#,
    ),
    (
        "a text that is not closed",
        r#""base""#,
        r#""base"#,
        r#"5:19: expected "," or the ")" that closes the "(" at 1:6, found "w""#,
    ),
    (
        "a comma that is missing",
        "dt_ms: 0.1,",
        "dt_ms: 0.1",
        r#"4:5: expected "," or the ")" that closes the "(" at 1:6, found "d""#,
    ),
    (
        "a field that is given twice",
        "dt_ms: 0.1,",
        "dt_ms: 0.1, dt_ms: 0.2,",
        r#"3:17: the field "dt_ms" is given twice, first at 3:5"#,
    ),
    (
        "a number that is none",
        "duration_ms: 100",
        "duration_ms: 1e",
        "4:18: \"1e\" is not a number\nhelp: a number is written without a unit: 20, 0.5, 1e-3, 1_000 or 0xFF",
    ),
    (
        "more nesting than anybody needs",
        "FixedIndegree(10)",
        "NEST",
        "12:281: values are nested more than 100 levels deep",
    ),
    (
        "more rules than can be",
        "FixedIndegree(10)",
        "RULES",
        "12:40: projections[0].rule: rule AllToAll: Not, And and Or may nest up to 8 deep and combine up to 64 rules in all",
    ),
];

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// The folder of the files that scenes here name.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// The scene with one change, which must be to a text that it has once.
fn changed(what: &str, from: &str, to: &str) -> String {
    assert_eq!(
        SCENE.matches(from).count(),
        1,
        "{what}: {from:?} must be in the scene once"
    );
    let to = match to {
        "NEST" => format!("{}AllToAll{}", "Not([".repeat(60), "])".repeat(60)),
        "RULES" => format!("Or([{}])", ["AllToAll"; 70].join(", ")),
        other => other.into(),
    };
    SCENE.replace(from, &to)
}

/// Reads, checks, builds and runs a scene for five steps.
fn attempt(text: &str, settings: &[(&str, &str)]) -> Result<(), String> {
    let source = SceneSource {
        name: "broken.ron".into(),
        text: text.into(),
        folder: folder(),
    };
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(n, v)| ((*n).into(), (*v).into()))
        .collect();
    let loaded = load(source, &settings, &REGISTRY).map_err(|e| e.to_string())?;
    let files = SceneFiles::beside(&loaded.source);
    let prepared = loaded
        .prepare(&REGISTRY, &files)
        .map_err(|e| e.to_string())?;
    let options = BuildOptions {
        threads: 1,
        memory_limit: Some(4 << 30),
        ..BuildOptions::default()
    };
    let built = Simulation::build(
        &loaded.scene,
        &prepared,
        &REGISTRY,
        &files,
        &options,
        &|_| {},
    );
    built
        .map_err(|e| loaded.locate(&e).to_string())?
        .run_steps(5);
    Ok(())
}

#[test]
fn the_scene_without_a_mistake_runs() {
    assert_eq!(attempt(SCENE, &[]), Ok(()));
}

/// Whole texts that are no scene, or a scene of its own kind of wrong: what, the text, the message after the file's name.
#[rustfmt::skip]
const TEXTS: &[(&str, &str, &str)] = &[
    (
        "an empty file",
        "",
        "1:1: the file holds no value",
    ),
    (
        "nothing but a comment",
        "// Scene()\n",
        "2:1: the file holds no value",
    ),
    (
        "a table",
        "time_ms,region,neuron\n0.1,E,3\n",
        r#"1:8: expected the end of the file, found ",""#,
    ),
    (
        "a list",
        "[1, 2]",
        r#"1:1: a scene is written `Scene(title: "…", …)`"#,
    ),
    (
        "a number",
        "42",
        r#"1:1: a scene is written `Scene(title: "…", …)`"#,
    ),
    (
        "a name alone",
        "Scene",
        r#"1:1: a scene is written `Scene(title: "…", …)`"#,
    ),
    (
        "another type",
        r#"Network(title: "x")"#,
        "1:1: expected Scene(…), found Network(…)",
    ),
    (
        "two scenes",
        r#"Scene(title: "x")
Scene(title: "y")"#,
        r#"2:1: expected the end of the file, found "S""#,
    ),
    (
        "no regions",
        r#"Scene(title: "none", regions: [])"#,
        "1:31: regions: a scene needs at least one region",
    ),
    (
        "no parameters but a list",
        "Scene(parameters: [1, 2])",
        r#"1:19: parameters: expected a map {"name": value}, found a list of 2 values"#,
    ),
    (
        "a region without a model",
        r#"Scene(
    regions: [(name: "S", neurons: 5)],
)"#,
        r#"2:15: regions[0]: missing field "model": expected a neuron model"#,
    ),
    (
        "a refractory period of more steps than are counted",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: LifExp(t_ref: 1e12))],
)"#,
        "2:60: regions[0].model.t_ref: it reaches 1000000000000 ms; with steps of 0.1 ms it can be 100000000 ms at most",
    ),
    (
        "a conductance that starts below zero",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: LifCondAlpha, initial: {"g_ex": -3})],
)"#,
        r#"2:78: regions[0].initial["g_ex"]: -3 is out of range: must be 0 or more"#,
    ),
    (
        "a spike of a neuron that does not exist",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: SpikeSource(spikes: [(1, 0), (2, 5)]))],
)"#,
        "2:75: regions[0].model: spikes[1]: neuron 5 does not exist; the region has neurons 0 to 4",
    ),
    (
        "a spike before the start",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: SpikeSource(spikes: [(1, 0), (-2, 4)]))],
)"#,
        "2:75: regions[0].model: spikes[1]: the time -2 ms must be 0 or more",
    ),
    (
        "a file of spikes of neurons that do not exist",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: SpikeSource(file: "spikes.csv"))],
)"#,
        "2:64: regions[0].model: spikes.csv: row 2: neuron 500 does not exist; the region has neurons 0 to 4",
    ),
    (
        "a file of spikes that is not there",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: SpikeSource(file: "lost.csv"))],
)"#,
        "2:64: regions[0].model: no such file: …/lost.csv (file names start from the scene's folder)",
    ),
    (
        "input to a source",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: PoissonSource(rate_hz: 5))],
    stimuli: [(to: "S", kind: Direct(amplitude: 5))],
)"#,
        r#"3:20: stimuli[0].to: PoissonSource of region "S" takes no input"#,
    ),
    (
        "a course whose times descend",
        r#"Scene(
    regions: [(name: "S", neurons: 5, model: PoissonSource(rate_hz: 5, course: Piecewise([(5, 1), (2, 2)])))],
)"#,
        "2:80: regions[0].model: course: times must ascend, but 2 ms follows 5 ms",
    ),
    (
        "a projection from nowhere",
        r#"Scene(
    regions: [(name: "excitatory", neurons: 5, model: LifExp)],
    projections: [(from: "exitatory", to: "excitatory", rule: AllToAll, weight: 1, delay_ms: 1)],
)"#,
        r#"3:26: projections[0].from: unknown region "exitatory"; did you mean "excitatory"? known: excitatory"#,
    ),
];

/// Parameters set from outside: what, name, value, the message after the file's name.
#[rustfmt::skip]
const SETTINGS: &[(&str, &str, &str, &str)] = &[
    (
        "a parameter that does not exist",
        "wait",
        "3",
        r#" parameters: the override wait = 3 names an unknown parameter "wait"; known: w, order"#,
    ),
    (
        "a value that is no number",
        "w",
        "heavy",
        r#"5:23: parameters.w: the override w = heavy: unknown name "heavy"; known: pi, e, inf, true, false"#,
    ),
    (
        "a value out of range",
        "order",
        "0.1",
        r#"8:30: regions[0].neurons: the expression "4 * order" gives 0.4, which is out of range: must be from 1 to 1000000000"#,
    ),
    (
        "a value of the wrong sign",
        "w",
        "-20",
        r#"12:63: projections[0].weight: region "E" is excitatory, but these weights go down to -10; change their sign or the sign of the region"#,
    ),
    (
        "a value that leads to a division by zero",
        "w",
        "1/0",
        "5:23: parameters.w: the override w = 1/0: 1 / 0 is a division by zero",
    ),
    (
        "a value that does not end",
        "w",
        "(1",
        r#"5:23: parameters.w: the override w = (1: expected an operator or ")" at its end"#,
    ),
];

/// Networks that are too large, or would take too long to make: what, the regions and what else, the message after the file's name.
#[rustfmt::skip]
const GIANTS: &[(&str, &str, &str)] = &[
    (
        "all to all",
        r#"regions: [(name: "A", neurons: 1000000000, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1)]"#,
        "1:96: projections: the network needs about N GiB (1000000000000000000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "all to all, many times over",
        r#"regions: [(name: "A", neurons: 1000000000, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1), (from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 1)]"#,
        "1:96: projections: the network needs about N GiB (7000000000000000000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "neurons alone",
        r#"regions: [(name: "A", neurons: 1000000000, model: LifExp)]"#,
        "1:1: projections: the network needs about N GiB (0 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "a probe of every neuron",
        r#"regions: [(name: "A", neurons: 1000000000, model: Relay)], probes: [(kind: Column(column: "received", neurons: All, every_ms: 1))]"#,
        "1:1: projections: the network needs about N GiB (0 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "a random half",
        r#"regions: [(name: "A", neurons: 1000000000, model: Relay)], stimuli: [(to: "A", neurons: Fraction(0.5), kind: Silence)]"#,
        "1:1: projections: the network needs about N GiB (0 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "one listed pair",
        r#"regions: [(name: "A", neurons: 1000000000, model: LifExp)], projections: [(from: "A", to: "A", rule: List([(source: 999999999, target: 0)]), weight: 1, delay_ms: 1)]"#,
        "1:96: projections: the network needs about N GiB (1 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "as many inputs as can be written",
        r#"regions: [(name: "A", neurons: 1000, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedIndegree(4294967295), weight: 1, delay_ms: 1)]"#,
        "1:90: projections: the network needs about N GiB (4294967295000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "as many outputs as can be written",
        r#"regions: [(name: "A", neurons: 1000, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedOutdegree(4294967295), weight: 1, delay_ms: 1)]"#,
        "1:90: projections: the network needs about N GiB (4294967295000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "more synapses than can be counted",
        r#"regions: [(name: "A", neurons: 1000, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedTotalNumber(18446744073709551615), weight: 1, delay_ms: 1)]"#,
        "1:135: projections[0].rule: rule FixedTotalNumber: the number is 18446744073709551615; allowed is up to 1073741824000 with 1000 sources",
    ),
    (
        "a ring of delays",
        r#"dt_ms: 0.001, regions: [(name: "A", neurons: 500000, model: LifExp)], projections: [(from: "A", to: "A", rule: List([(source: 0, target: 1, delay_ms: 0.001), (source: 1, target: 2, delay_ms: 65.535)]), weight: 1)]"#,
        "1:106: projections: the network needs about N GiB (2 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "every delay that can be",
        r#"dt_ms: 0.01, regions: [(name: "A", neurons: 1000000, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedIndegree(10), weight: 1, delay_ms: Uniform(min: 0.01, max: 655))]"#,
        "1:106: projections: the network needs about N GiB (10000000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "pairs of which none is left",
        r#"regions: [(name: "A", neurons: 30000000, model: Relay)], projections: [(from: "A", to: "A", rule: Not([AllToAll]), weight: 1, delay_ms: 1)]"#,
        "1:121: projections[0].rule: rule Not: it would look at 1.8e15 pairs one by one; at most 1e12 are possible: use smaller regions or another rule",
    ),
    (
        "spikes that take long back to synapses",
        r#"regions: [(name: "A", neurons: 1, model: LifExp), (name: "B", neurons: 100000, model: LifExp)], projections: [(from: "A", to: "B", rule: AllToAll, weight: 1, delay_ms: 400, dendritic: All, plasticity: [Stdp(w_max: 2)])]"#,
        "1:132: projections: the network needs about N GiB (100000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "a dendrite that is too long",
        r#"regions: [(name: "A", neurons: 1, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: 1, delay_ms: 410, dendritic: All, plasticity: [Stdp(w_max: 2)])]"#,
        "1:162: projections[0].dendritic: the dendritic part of the delay reaches 410 ms, more than 4096 steps of 0.1 ms; let delays be shorter, or say in `backpropagation_ms` how soon spikes come back to the synapse",
    ),
    (
        "potentials that act late",
        r#"regions: [(name: "A", neurons: 1, model: LifExp), (name: "B", neurons: 100000, model: AdExClopath)], projections: [(from: "A", to: "B", rule: AllToAll, weight: 1, delay_ms: 1, plasticity: [Clopath(w_max: 2, delay_ms: 800)])]"#,
        "1:137: projections: the network needs about N GiB (100000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "a gate on half of very many",
        r#"regions: [(name: "A", neurons: 1, model: LifExp), (name: "B", neurons: 1000000000, model: LifExp)], projections: [(name: "p", from: "A", to: "B", rule: AllToAll, weight: 1, delay_ms: 1, plasticity: [Stdp(w_max: 2)])], modulators: [(name: "d", tau_ms: 9, initial: 1, effects: [Learning(projection: "p", neurons: Fraction(0.5), gain: 1, most: 2)])]"#,
        "1:136: projections: the network needs about N GiB (1000000000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "receptive fields of all",
        r#"regions: [(name: "A", neurons: 100000, model: LifExp)], projections: [(name: "p", from: "A", to: "A", rule: OneToOne, weight: 1, delay_ms: 1, plasticity: [Stdp(w_max: 2)])], probes: [(kind: ReceptiveFields(projection: "p", targets: All, width: 100))]"#,
        "1:92: projections: the network needs about N GiB (100000 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "distances between all",
        r#"regions: [(name: "A", neurons: 1000000, model: LifExp, layout: Ball(radius_mm: 1))], projections: [(from: "A", to: "A", rule: Distance(kernel: Gaussian(sigma_mm: 0.5, peak: 1)), weight: 1, delay_ms: 1)]"#,
        "1:121: projections: the network needs about N GiB (207448998373 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "a rate for each neuron",
        r#"regions: [(name: "A", neurons: 50000000, model: Relay)], stimuli: [(to: "A", kind: Poisson(rate_hz: Uniform(min: 1, max: 2), weight: 1, delay_ms: 1))]"#,
        "1:1: projections: the network needs about N GiB (0 synapses), but 4.00 GiB of memory are free; reduce it or use a larger machine",
    ),
    (
        "more input than can be addressed",
        r#"regions: [(name: "A", neurons: 1000000000, model: LifExp), (name: "B", neurons: 1000000000, model: LifExp), (name: "C", neurons: 1000000000, model: LifExp), (name: "D", neurons: 1000000000, model: LifExp)], stimuli: [(to: "A", kind: Poisson(rate_hz: 1, weight: 1, delay_ms: 1)), (to: "B", kind: Poisson(rate_hz: 1, weight: 1, delay_ms: 1)), (to: "C", kind: Poisson(rate_hz: 1, weight: 1, delay_ms: 1)), (to: "D", kind: Poisson(rate_hz: 1, weight: 1, delay_ms: 1))]"#,
        "1:32: regions: 4e9 inputs (neurons times the receptors that something reaches) are too many; at most 3.9e9 can be told apart",
    ),
    (
        "weights that no sum can hold",
        r#"regions: [(name: "A", neurons: 10, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedIndegree(100), weight: Uniform(min: 1e-30, max: 2e-30), delay_ms: 1), (from: "A", to: "A", rule: FixedIndegree(100), weight: Uniform(min: 0, max: 1e30), delay_ms: 1)]"#,
        "1:33: regions[0]: the synaptic input of one step can reach 1.000e32, which is too much; reduce weights or in-degrees",
    ),
];

/// Changes that make the scene odd but not wrong: what, from, to, and what is warned of.
#[rustfmt::skip]
const ODDITIES: &[(&str, &str, &str, &[&str])] = &[
    (
        "the scene as it is",
        r#"title: "base""#,
        r#"title: "base""#,
        &[],
    ),
    (
        "no neurons for a stimulus",
        "window: (start_ms: 10, stop_ms: 50)",
        "neurons: List([])",
        &[
            "17:28: stimuli[1].neurons: no neuron is selected",
        ],
    ),
    (
        "a fraction that is too small",
        "window: (start_ms: 10, stop_ms: 50)",
        "neurons: Fraction(0.001)",
        &[
            "17:37: stimuli[1].neurons: no neuron is selected",
        ],
    ),
    (
        "no neurons for a probe",
        "List([0, 3])",
        "List([])",
        &[
            "20:58: probes[0].kind.neurons: no neuron is selected",
        ],
    ),
    (
        "the same neuron twice",
        "List([0, 3])",
        "List([3, 3, 0, 0])",
        &[],
    ),
    (
        "an empty list",
        "FixedIndegree(10)",
        "List([])",
        &[
            "12:36: projections[0].rule: this projection joins no neurons",
        ],
    ),
    (
        "no pairs",
        "FixedIndegree(10)",
        "Pairs([])",
        &[
            "12:36: projections[0].rule: this projection joins no neurons",
        ],
    ),
    (
        "no inputs",
        "FixedIndegree(10)",
        "FixedIndegree(0)",
        &[
            "12:50: projections[0].rule: this projection joins no neurons",
        ],
    ),
    (
        "a probability of nothing",
        "FixedIndegree(10)",
        "PairwiseBernoulli(0)",
        &[
            "12:54: projections[0].rule: this projection joins no neurons",
        ],
    ),
    (
        "no region with input",
        r#"stimuli: [
        (name: "drive", to: "E", kind: Poisson(rate_hz: 1000, weight: "w", delay_ms: 1)),
        (to: "I", window: (start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100)),"#,
        "stimuli: [",
        &[],
    ),
    (
        "a region that is only silenced",
        r#"from: "E", to: "I", rule: FixedIndegree(10), weight: "half", delay_ms: 1.5),
        (from: "I", to: "E", rule: AllToAll, weight: -90, delay_ms: Uniform(min: 0.5, max: 2)),
    ],
    stimuli: [
        (name: "drive", to: "E", kind: Poisson(rate_hz: 1000, weight: "w", delay_ms: 1)),
        (to: "I", window: (start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100))"#,
        r#"from: "I", to: "E", rule: AllToAll, weight: -90, delay_ms: 1),
    ],
    stimuli: [
        (to: "I", kind: Silence)"#,
        &[
            r#"9:9: regions[1]: region "I" has no input: nothing projects to it and no stimulus or constant current drives it"#,
        ],
    ),
    (
        "no time at all",
        "duration_ms: 100",
        "duration_ms: 0",
        &[],
    ),
    (
        "statistics after the end",
        "duration_ms: 100",
        "duration_ms: 100, statistics_from_ms: 1000",
        &[
            "4:43: statistics_from_ms: statistics start at 1000 ms, but the run ends at 100 ms: there will be none",
        ],
    ),
    (
        "a window after the end",
        "start_ms: 10, stop_ms: 50",
        "start_ms: 100",
        &[
            "17:38: stimuli[1].window.start_ms: the window starts at 100 ms, but the run ends at 100 ms",
        ],
    ),
    (
        "a window of no length",
        "start_ms: 10, stop_ms: 50",
        "start_ms: 0, stop_ms: 0",
        &[],
    ),
    (
        "a ramp of no length",
        "start_ms: 10, stop_ms: 50), kind: Step(amplitude: 100)",
        "start_ms: 0, stop_ms: 0), kind: Ramp(from: 0, to: 100)",
        &[],
    ),
    (
        "a delay shorter than a step",
        "delay_ms: 1.5",
        "delay_ms: 0.01",
        &[
            "12:81: projections[0].delay_ms: a delay of 0.01 ms is shorter than a step; one step of 0.1 ms is taken",
        ],
    ),
    (
        "a delay between two steps",
        "delay_ms: 1.5",
        "delay_ms: 1.46",
        &[
            "12:81: projections[0].delay_ms: a delay of 1.46 ms is not a whole number of steps of 0.1 ms; 1.5 ms is taken",
        ],
    ),
    (
        "delays that start below half a step",
        "Uniform(min: 0.5, max: 2)",
        "Uniform(min: 0.01, max: 2)",
        &[
            "13:82: projections[1].delay_ms: delays go down to 0.01 ms; all below half a step act after one step of 0.1 ms",
        ],
    ),
    (
        "a stimulus delayed by less than a step",
        r#"weight: "w", delay_ms: 1)"#,
        r#"weight: "w", delay_ms: 0.05)"#,
        &[
            "16:86: stimuli[0].kind.delay_ms: a delay of 0.05 ms is shorter than a step; one step of 0.1 ms is taken",
        ],
    ),
    (
        "input spikes delayed between steps",
        "Step(amplitude: 100)",
        "InputSpikes(times_ms: [0, 0, 20, 500], weight: 1, delay_ms: 0.25)",
        &[
            "17:122: stimuli[1].kind.delay_ms: a delay of 0.25 ms is not a whole number of steps of 0.1 ms; 0.3 ms is taken",
        ],
    ),
    (
        "an interval shorter than a step",
        "every_ms: 1",
        "every_ms: 0.03",
        &[
            "20:82: probes[0].kind.every_ms: an interval of 0.03 ms is shorter than a step; one step of 0.1 ms is taken",
        ],
    ),
    (
        "an interval between two steps",
        "every_ms: 1",
        "every_ms: 0.25",
        &[
            "20:82: probes[0].kind.every_ms: an interval of 0.25 ms is not a whole number of steps of 0.1 ms; 0.3 ms is taken",
        ],
    ),
    (
        "a bin between two steps",
        r#"Column(column: "v", neurons: List([0, 3]), every_ms: 1)"#,
        "Rate(bin_ms: 0.55)",
        &[
            "20:42: probes[0].kind.bin_ms: a bin of 0.55 ms is not a whole number of steps of 0.1 ms; 0.6 ms is taken",
        ],
    ),
    (
        "an interval of noise between two steps",
        "Step(amplitude: 100)",
        "Noise(mean: 0, sd: 5, interval_ms: 0.33)",
        &[
            "17:97: stimuli[1].kind.interval_ms: an interval of 0.33 ms is not a whole number of steps of 0.1 ms; 0.3 ms is taken",
        ],
    ),
    (
        "noise of no interval and no spread",
        "Step(amplitude: 100)",
        "Noise(mean: 0, sd: 0, interval_ms: 0)",
        &[],
    ),
    (
        "a rate of nothing",
        "rate_hz: 1000",
        "rate_hz: 0",
        &[],
    ),
    (
        "weights of nothing",
        "weight: -90",
        "weight: 0",
        &[],
    ),
    (
        "a list with weights of nothing",
        r#"FixedIndegree(10), weight: "half""#,
        "List([(source: 0, target: 0, weight: 0)])",
        &[],
    ),
    (
        "a weight for a list that has its own",
        "FixedIndegree(10)",
        r#"ListFile("list.csv")"#,
        &[
            "12:66: projections[0].weight: every entry of the list has its own; this one is not used",
            "12:84: projections[0].delay_ms: every entry of the list has its own; this one is not used",
        ],
    ),
    (
        "a source that cannot spike so often",
        r#"LifExp(tau_m: 20), layout: Sheet(size_mm: [1, 1]), sign: Excitatory),
        (name: "I", neurons: 20, model: LifCondExp(v_th: -50, v_reset: -60), initial: {"v": -65}"#,
        r#"LifExp(tau_m: 20), layout: Sheet(size_mm: [1, 1]), sign: Excitatory),
        (name: "S", neurons: 2, model: PoissonSource(rate_hz: 20000)),
        (name: "I", neurons: 20, model: LifCondExp"#,
        &[
            "9:63: regions[1].model.rate_hz: a neuron spikes at most once per step of 0.1 ms, so a rate of 20000 Hz is not reached; stay well below 10000 Hz",
        ],
    ),
    (
        "weights that are small against others",
        "delay_ms: 1.5),",
        r#"delay_ms: 1.5), (from: "E", to: "E", rule: AllToAll, weight: 1e6, delay_ms: 1), (from: "E", to: "E", rule: FixedIndegree(1), weight: 0.9, delay_ms: 1),"#,
        &[
            r#"12:204: projections[2].weight: a weight of 9.0000e-1 acts as 8.7500e-1: weights onto the receptor "excitatory" of region "E" are multiples of 6.2500e-2, because others are so much larger"#,
        ],
    ),
    (
        "two projections between the same regions",
        "delay_ms: 1.5),",
        r#"delay_ms: 1.5), (from: "E", to: "I", rule: FixedTotalNumber(5), weight: 1, delay_ms: 1),"#,
        &[],
    ),
    (
        "another probe of the column",
        "every_ms: 1)",
        r#"every_ms: 1)), (kind: Column(column: "v", neurons: All, every_ms: 1)"#,
        &[
            r#"20:109: probes[1].kind.column: another probe keeps "v" of region "E" too; only the last one's file stays"#,
        ],
    ),
    (
        "weights of no projection",
        "every_ms: 1)",
        r#"every_ms: 1)), (kind: Weights(from: "E", to: "E")"#,
        &[
            r#"20:94: probes[1].kind: no projection leads from "E" to "E", so there are no weights"#,
        ],
    ),
    (
        "a probe that keeps very much",
        "duration_ms: 100",
        "duration_ms: 10000000000",
        &[
            "20:29: probes[0].kind: this probe keeps about 80.0 GB over 10000000000 ms",
        ],
    ),
    (
        "the longest delay",
        "delay_ms: 1.5",
        "delay_ms: 6553.5",
        &[],
    ),
    (
        "many delays",
        "Uniform(min: 0.5, max: 2)",
        "Uniform(min: 0.1, max: 6000)",
        &[],
    ),
    (
        "spikes outside the window",
        "Step(amplitude: 100)",
        "Spike(times_ms: [0, 20, 70])",
        &[],
    ),
    (
        "a neuron for a region",
        "neurons: 20",
        "neurons: 1",
        &[],
    ),
    (
        "a current file",
        "neurons: 20",
        "neurons: 100",
        &[],
    ),
];

/// Fails with the rows (what, expected, found) whose messages differ from the expected ones.
fn assert_equal<'a>(rows: impl Iterator<Item = (&'a str, String, String)>) {
    let mut models: Vec<_> = REGISTRY
        .types
        .read()
        .iter()
        .filter(|r| r.data::<ReflectNeuronModel>().is_some())
        .map(|r| r.type_info().type_path_table().short_path())
        .collect();
    models.sort_unstable();
    let scenes: Vec<_> = neuropil::scene::shipped::SCENES
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let lists = |expected: String| {
        expected
            .replace("{models}", &models.join(", "))
            .replace("{scenes}", &scenes.join(", "))
    };
    let rows: Vec<_> = rows
        .map(|(what, expected, found)| (what, lists(expected), found))
        .collect();
    let differ = rows.iter().filter(|(_, expected, found)| expected != found);
    let text: String = differ
        .map(|(what, expected, found)| {
            format!("{what}\n  expected: {expected}\n  found:    {found}\n\n")
        })
        .collect();
    assert!(
        text.is_empty(),
        "of {} messages these differ\n\n{text}",
        rows.len()
    );
}

fn message_of(result: Result<(), String>) -> String {
    match result {
        Ok(()) => "(it runs)".into(),
        Err(message) => message.replace(&format!("{}/", folder().display()), "…/"),
    }
}

/// The message with `N` for the predicted size of a network, which must be more than the 4 GiB that it may have.
fn without_size(message: &str) -> String {
    let Some((before, size, after)) =
        message
            .split_once("needs about ")
            .and_then(|(before, rest)| {
                let (size, after) = rest.split_once(" GiB")?;
                Some((before, size.parse::<f64>().ok()?, after))
            })
    else {
        return message.to_owned();
    };
    assert!(size > 4.0, "{message}");
    format!("{before}needs about N GiB{after}")
}

#[test]
fn every_mistake_has_its_message_at_its_place() {
    assert_equal(MISTAKES.iter().map(|(what, from, to, expected)| {
        (
            *what,
            format!("broken.ron:{expected}"),
            message_of(attempt(&changed(what, from, to), &[])),
        )
    }));
}

#[test]
fn texts_that_are_no_scene_are_refused_with_a_reason() {
    assert_equal(TEXTS.iter().map(|(what, text, expected)| {
        (
            *what,
            format!("broken.ron:{expected}"),
            message_of(attempt(text, &[])),
        )
    }));
}

#[test]
fn settings_are_checked_against_the_parameters() {
    assert_equal(SETTINGS.iter().map(|(what, name, value, expected)| {
        (
            *what,
            format!("broken.ron:{expected}"),
            message_of(attempt(SCENE, &[(name, value)])),
        )
    }));
}

#[test]
fn networks_that_do_not_fit_are_refused_at_once() {
    let started = Instant::now();
    assert_equal(GIANTS.iter().map(|(what, text, expected)| {
        let text = format!("Scene(title: \"giant\", {text})");
        (
            *what,
            format!("broken.ron:{expected}"),
            without_size(&message_of(attempt(&text, &[]))),
        )
    }));
    // Building any of them would take minutes and more memory than there is.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn odd_scenes_run_and_are_warned_of() {
    let mut rows = Vec::new();
    for (what, from, to, expected) in ODDITIES {
        let text = changed(what, from, to);
        rows.push((
            *what,
            "runs".into(),
            attempt(&text, &[]).map_or_else(|e| e, |()| "runs".into()),
        ));
        let source = SceneSource {
            name: "odd.ron".into(),
            text,
            folder: folder(),
        };
        let Ok(loaded) = load(source, &[], &REGISTRY) else {
            continue;
        };
        let Ok(prepared) = loaded.prepare(&REGISTRY, &SceneFiles::beside(&loaded.source)) else {
            continue;
        };
        let found: Vec<_> = prepared
            .warnings
            .iter()
            .map(|w| loaded.locate(w).to_string())
            .collect();
        let expected: Vec<_> = expected.iter().map(|w| format!("odd.ron:{w}")).collect();
        rows.push((
            *what,
            expected.join("\n            "),
            found.join("\n            "),
        ));
    }
    assert_equal(rows.into_iter());
}

/// Scenes at the limits of what is allowed: what, and the body of the scene.
#[rustfmt::skip]
const LIMITS: &[(&str, &str)] = &[
    (
        "256 delays, pushed",
        r#"regions: [(name: "A", neurons: 400, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedIndegree(5), weight: Uniform(min: 1, max: 900), delay_ms: Uniform(min: 0.1, max: 25.6))], stimuli: [(to: "A", kind: Poisson(rate_hz: 90000, weight: 500, delay_ms: 0))]"#,
    ),
    (
        "257 delays, pulled",
        r#"regions: [(name: "A", neurons: 400, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedIndegree(5), weight: Uniform(min: 1, max: 900), delay_ms: Uniform(min: 0.1, max: 25.7))], stimuli: [(to: "A", kind: Poisson(rate_hz: 90000, weight: 500, delay_ms: 0))]"#,
    ),
    (
        "the longest delay, pushed",
        r#"regions: [(name: "A", neurons: 500, model: Relay)], projections: [(from: "A", to: "A", rule: List([(source: 0, target: 1, delay_ms: 0.1), (source: 1, target: 2, delay_ms: 6553.5)]), weight: 1)], stimuli: [(to: "A", kind: Spike(times_ms: [0.1]))]"#,
    ),
    (
        "the shortest step",
        r#"dt_ms: 1e-4, regions: [(name: "A", neurons: 3, model: LifExp)], stimuli: [(to: "A", kind: Direct(amplitude: 300))]"#,
    ),
    (
        "the longest step",
        r#"dt_ms: 1000, regions: [(name: "A", neurons: 3, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: 3, delay_ms: 1000)], stimuli: [(to: "A", kind: Direct(amplitude: 300))]"#,
    ),
    (
        "the largest weight",
        r#"regions: [(name: "A", neurons: 10, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: Uniform(min: 0, max: 1e30), delay_ms: 1)], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "the smallest weight",
        r#"regions: [(name: "A", neurons: 10, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: 1e-30, delay_ms: 1)], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "weights of both signs",
        r#"regions: [(name: "A", neurons: 10, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, weight: Normal(mean: 0, sd: 5), delay_ms: 1, receptor: "inhibitory")], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "the highest rate",
        r#"regions: [(name: "A", neurons: 70, model: LifDelta)], stimuli: [(to: "A", kind: Poisson(rate_hz: 7680000, weight: 1e-3, delay_ms: 0))]"#,
    ),
    (
        "the highest rate for some",
        r#"regions: [(name: "A", neurons: 70, model: LifDelta)], stimuli: [(to: "A", kind: Poisson(rate_hz: Uniform(min: 0, max: 7680000), weight: -1, delay_ms: 0))]"#,
    ),
    (
        "the highest frequency",
        r#"regions: [(name: "A", neurons: 70, model: LifDelta)], stimuli: [(to: "A", kind: Alternating(amplitude: 1e30, offset: -1e30, frequency_hz: 5000, phase_deg: 1e15))]"#,
    ),
    (
        "the largest current",
        r#"regions: [(name: "A", neurons: 70, model: Izhikevich)], stimuli: [(to: "A", kind: Noise(mean: 3e38, sd: 3e38, interval_ms: 1e9))]"#,
    ),
    (
        "many spikes at once",
        r#"regions: [(name: "A", neurons: 70, model: LifDelta)], stimuli: [(to: "A", kind: InputSpikes(times_ms: [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2], weight: 1e5, delay_ms: 0.1))]"#,
    ),
    (
        "as many multapses as one likes",
        r#"regions: [(name: "A", neurons: 2, model: LifExp)], projections: [(from: "A", to: "A", rule: FixedTotalNumber(100000), weight: 1, delay_ms: Exponential(mean: 1, min: 0.1))], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "one neuron joined to itself",
        r#"regions: [(name: "A", neurons: 1, model: LifExp)], projections: [(from: "A", to: "A", rule: OneToOne, weight: 1, delay_ms: 0.1)], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "one neuron that may not be",
        r#"regions: [(name: "A", neurons: 1, model: LifExp)], projections: [(from: "A", to: "A", rule: AllToAll, autapses: false, weight: 1, delay_ms: 0.1)], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "neurons all in one place",
        r#"regions: [(name: "A", neurons: 50, model: LifExp, layout: Sheet(size_mm: [0, 0]))], projections: [(from: "A", to: "A", rule: Distance(kernel: Gaussian(sigma_mm: 1e-30, peak: 1), period_mm: [1e300, 1e-300, 0]), weight: 1, delay_ms: 1)], stimuli: [(to: "A", kind: Direct(amplitude: 3000))]"#,
    ),
    (
        "eight rules in one another",
        r#"regions: [(name: "A", neurons: 5, model: LifExp)], projections: [(from: "A", to: "A", rule: Not([Not([Not([Not([Not([Not([Not([Not([AllToAll])])])])])])])]), weight: 1, delay_ms: 1)], stimuli: [(to: "A", kind: Direct(amplitude: 300))]"#,
    ),
    (
        "time constants from nothing to forever",
        r#"regions: [(name: "A", neurons: 3, model: LifExp(tau_m: 1e-30, tau_syn_ex: 1e30, t_ref: 1e8, c_m: 1e-30))], projections: [(from: "A", to: "A", rule: AllToAll, weight: 3, delay_ms: 1)], stimuli: [(to: "A", kind: Direct(amplitude: 300))]"#,
    ),
    (
        "the longest times that can be counted",
        r#"duration_ms: 9e14, statistics_from_ms: 8e14, regions: [(name: "A", neurons: 3, model: LifExp)], stimuli: [(to: "A", window: (start_ms: 0, stop_ms: 9e14), kind: Poisson(rate_hz: 5, weight: 1, delay_ms: 9e14))], probes: [(kind: Rate(bin_ms: 9e14)), (kind: Column(column: "v", neurons: All, every_ms: 9e14))]"#,
    ),
];

#[test]
fn scenes_at_the_limits_run() {
    for (what, text) in LIMITS {
        assert_eq!(attempt(&format!("Scene({text})"), &[]), Ok(()), "{what}");
    }
}

#[test]
fn shipped_scenes_are_not_warned_of() {
    for (name, text) in neuropil::scene::shipped::SCENES {
        let loaded = load(SceneSource::from_text(*name, *text), &[], &REGISTRY)
            .unwrap_or_else(|e| panic!("{e}"));
        let prepared = loaded
            .prepare(&REGISTRY, &SceneFiles::default())
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(prepared.warnings, [], "{name}");
    }
}

/// Scenes by path or name that cannot be read: what, the path from `tests/broken`, the message.
#[rustfmt::skip]
const PATHS: &[(&str, &str, &str)] = &[
    (
        "a file that is not there",
        "lost.ron",
        "…/lost.ron: no such file\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
    (
        "a folder",
        "../broken",
        "…/../broken: is a folder, not a scene file",
    ),
    (
        "an empty scene file",
        "empty.ron",
        "…/empty.ron:1:1: the file holds no value",
    ),
    (
        "a table for a scene",
        "not_a_scene.ron",
        r#"…/not_a_scene.ron:1:8: expected the end of the file, found ",""#,
    ),
    (
        "a text of another encoding",
        "latin1.ron",
        "…/latin1.ron:2:16: the text is not UTF-8 from here on\nhelp: save the file with the encoding UTF-8",
    ),
    (
        "a name that is not shipped",
        "cubaa",
        "cubaa: unknown scene \"cubaa\"; did you mean \"cuba\"? known: {scenes}\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
    (
        "a name that is far from any",
        "potjans",
        "potjans: unknown scene \"potjans\"; known: {scenes}\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
    (
        "no name",
        "",
        ": unknown scene \"\"; known: {scenes}\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
];

/// Commands that must fail with exit code 2: what, the arguments, what is written to stderr. `good.ron` is the scene above, `bad.ron` has a
/// typing mistake, `giant.ron` does not fit any memory, `folder` and `file` are what they are called.
#[rustfmt::skip]
const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "a mistake in the scene",
        "run bad.ron --quiet",
        r#"error: bad.ron:8:57: regions[0].model: unknown field "tua_m"; did you mean "tau_m"? known: e_l, c_m, tau_m, v_th, v_reset, t_ref, tau_syn_ex, tau_syn_in, i_e"#,
    ),
    (
        "a mistake in the scene to check",
        "check bad.ron",
        r#"error: bad.ron:8:57: regions[0].model: unknown field "tua_m"; did you mean "tau_m"? known: e_l, c_m, tau_m, v_th, v_reset, t_ref, tau_syn_ex, tau_syn_in, i_e"#,
    ),
    (
        "a scene that is not there",
        "run lost.ron",
        "error: lost.ron: no such file\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
    (
        "a scene that is not shipped",
        "run brunel",
        "error: brunel: unknown scene \"brunel\"; did you mean \"brunel2000\"? known: {scenes}\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
    (
        "a scene that is a folder",
        "check folder",
        "error: folder: is a folder, not a scene file",
    ),
    (
        "a scene that is something else",
        "check file",
        "error: file:1:1: the file holds no value",
    ),
    (
        "a network that does not fit",
        "run giant.ron",
        "error: giant.ron:1:96: projections: the network needs about N GiB (1000000000000000000 synapses)",
    ),
    (
        "no scene",
        "run",
        "error: the following required arguments were not provided:\n  <SCENE>\n\nUsage: neuropil run <SCENE>\n\nFor more information, try '--help'.",
    ),
    (
        "a command that does not exist",
        "rnu good.ron",
        "error: unrecognized subcommand 'rnu'\n\nUsage: neuropil [COMMAND]\n\nFor more information, try '--help'.",
    ),
    (
        "a flag that does not exist",
        "run good.ron --treads 2",
        "error: unexpected argument '--treads' found\n\n  tip: a similar argument exists: '--threads'\n\nUsage: neuropil run --threads <N> <SCENE>\n\nFor more information, try '--help'.",
    ),
    (
        "a time without a unit",
        "run good.ron --for 2",
        "error: invalid value '2' for '--for <TIME>': \"2\" needs a unit: us, ms, s, min or h\n\nFor more information, try '--help'.",
    ),
    (
        "a time with another unit",
        "run good.ron --for 2parsec",
        "error: invalid value '2parsec' for '--for <TIME>': unknown unit \"parsec\"; known: us, ms, s, min, h\n\nFor more information, try '--help'.",
    ),
    (
        "a time that is none",
        "run good.ron --for soon",
        "error: invalid value 'soon' for '--for <TIME>': \"soon\" is not a time; write for example 500ms, 2s or 1min\n\nFor more information, try '--help'.",
    ),
    (
        "a negative time",
        "run good.ron --for=-1s",
        "error: invalid value '-1s' for '--for <TIME>': a time is from 0 to 1000000 h, not \"-1s\"\n\nFor more information, try '--help'.",
    ),
    (
        "a time beyond counting",
        "run good.ron --for 1e300s",
        "error: invalid value '1e300s' for '--for <TIME>': a time is from 0 to 1000000 h, not \"1e300s\"\n\nFor more information, try '--help'.",
    ),
    (
        "a time shorter than a step",
        "run good.ron --for 1us",
        "error: --for 0.001ms is shorter than a step of the scene, 0.1 ms",
    ),
    (
        "no threads",
        "run good.ron --threads 0",
        "error: invalid value '0' for '--threads <N>': 0 is not in 1..=1024\n\nFor more information, try '--help'.",
    ),
    (
        "too many threads",
        "run good.ron --threads 100000",
        "error: invalid value '100000' for '--threads <N>': 100000 is not in 1..=1024\n\nFor more information, try '--help'.",
    ),
    (
        "a setting without a value",
        "run good.ron --set w",
        "error: invalid value 'w' for '--set <NAME=VALUE>': write NAME=VALUE, for example --set scale=0.1\n\nFor more information, try '--help'.",
    ),
    (
        "a setting without a name",
        "run good.ron --set =3",
        "error: invalid value '=3' for '--set <NAME=VALUE>': write NAME=VALUE, for example --set scale=0.1\n\nFor more information, try '--help'.",
    ),
    (
        "a setting that does not exist",
        "run good.ron --set weigth=3",
        r#"error: good.ron: parameters: the override weigth = 3 names an unknown parameter "weigth"; known: w, order"#,
    ),
    (
        "a setting out of range",
        "run good.ron --set w=-20",
        r#"error: good.ron:12:63: projections[0].weight: region "E" is excitatory, but these weights go down to -10; change their sign or the sign of the region"#,
    ),
    (
        "a negative seed",
        "run good.ron --seed=-1",
        "error: invalid value '-1' for '--seed <N>': a seed is a whole number from 0 to 18446744073709551615\n\nFor more information, try '--help'.",
    ),
    (
        "half a seed",
        "run good.ron --seed 1.5",
        "error: invalid value '1.5' for '--seed <N>': a seed is a whole number from 0 to 18446744073709551615\n\nFor more information, try '--help'.",
    ),
    (
        "vector instructions that do not exist",
        "run good.ron --simd sse9",
        "error: invalid value 'sse9' for '--simd <LEVEL>': unknown SIMD level \"sse9\"; known: auto, portable, avx2, avx512\n\nFor more information, try '--help'.",
    ),
    (
        "checkpoints all the time",
        "run good.ron --checkpoint-every 0s",
        "error: invalid value '0s' for '--checkpoint-every <TIME>': an interval must be more than 0\n\nFor more information, try '--help'.",
    ),
    (
        "checkpoints within a step",
        "run good.ron --checkpoint-every 1us",
        "error: --checkpoint-every 0.001ms is shorter than a step of the scene, 0.1 ms",
    ),
    (
        "a checkpoint that is a folder",
        "run good.ron --checkpoint-every 10ms --checkpoint folder",
        "error: --checkpoint folder: this is a folder; give the name of a file",
    ),
    (
        "a checkpoint in a folder that is not there",
        "run good.ron --checkpoint-every 10ms --checkpoint lost/c.neuropil",
        "error: --checkpoint lost/c.neuropil: there is no folder lost; create it first",
    ),
    (
        "results in a file",
        "run good.ron --out file",
        "error: --out file: this is a file; give the name of a folder",
    ),
    (
        "results below a file",
        "run good.ron --out file/results",
        "error: cannot write file/results: file is a file, not a folder; choose another path",
    ),
    (
        "a checkpoint that is not there",
        "resume lost.neuropil",
        r#"error: cannot read the snapshot "lost.neuropil": No such file or directory (os error 2)"#,
    ),
    (
        "a checkpoint that is none",
        "resume good.ron",
        r#"error: cannot read the snapshot "good.ron": this is not a Neuropil snapshot: it starts with the text "Scene(\n    title"; a snapshot starts with the bytes 89 4E 50 53 0D 0A 1A 0A"#,
    ),
    (
        "the schedule of nothing",
        "schedule nothing",
        "error: nothing: unknown scene \"nothing\"; known: {scenes}\nhelp: give the path of a scene file, or a name that `neuropil scenes` lists",
    ),
];

#[test]
fn files_that_cannot_be_read_are_refused_with_a_reason() {
    assert_equal(PATHS.iter().map(|(what, path, expected)| {
        let is_path = path.contains('.') || path.contains('/');
        let path = if is_path {
            format!("{}/{path}", folder().display())
        } else {
            (*path).into()
        };
        let found =
            SceneSource::find(&path).and_then(|source| load(source, &[], &REGISTRY).map(|_| ()));
        (
            *what,
            (*expected).to_owned(),
            message_of(found.map_err(|e| e.to_string())),
        )
    }));
}

/// A folder of its own that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("neuropil-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file for the test");
    }

    /// Exit code, stdout and stderr of the program.
    fn run(&self, arguments: &str) -> (Option<i32>, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_neuropil"))
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .env("COLUMNS", "100")
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .expect("text")
                .trim_end()
                .to_owned()
        };
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_program_refuses_bad_input_with_code_2() {
    let scratch = Scratch::new("bad-input");
    scratch.write("good.ron", SCENE);
    scratch.write("bad.ron", &SCENE.replace("tau_m: 20", "tua_m: 20"));
    scratch.write(
        "giant.ron",
        &format!("Scene(title: \"giant\", {})", GIANTS[0].1),
    );
    scratch.write("file", "");
    std::fs::create_dir_all(scratch.0.join("folder")).expect("a folder for the test");
    let mut rows = Vec::new();
    for (what, arguments, expected) in COMMANDS {
        let (code, out, err) = scratch.run(arguments);
        // How much memory is free is the machine's business.
        let err = match err.split_once(", but ") {
            Some((before, _)) if arguments.contains("giant") => without_size(before),
            _ => err,
        };
        let written: Vec<_> = std::fs::read_dir(&scratch.0).expect("the folder").collect();
        assert_eq!(written.len(), 5, "{what}: something was written");
        rows.push((
            *what,
            format!("2 {expected}"),
            format!("{} {out}{err}", code.unwrap_or(-1)),
        ));
    }
    assert_equal(rows.into_iter());
}

#[test]
fn the_program_runs_what_is_odd() {
    let scratch = Scratch::new("odd-input");
    scratch.write("good.ron", SCENE);
    scratch.write(
        "empty.ron",
        "Scene(regions: [(name: \"A\", neurons: 1, model: LifExp)], duration_ms: 0)",
    );
    scratch.write(
        "late.ron",
        &SCENE.replace(
            "duration_ms: 100",
            "duration_ms: 20, statistics_from_ms: 1e9",
        ),
    );
    scratch.write("list.csv", "source,target\n0,1\n");
    let odd_name = r#""../a/b\n\"c\", d τ""#;
    let named = SCENE
        .replace(
            "Column(",
            "Weights(from: \"E\", to: \"I\")), (region: \"E\", kind: Column(",
        )
        .replacen("(region: \"E\", kind: Weights", "(kind: Weights", 1);
    scratch.write(
        "named.ron",
        &named.replace("\"E\"", odd_name).replace(
            "title: \"base\"",
            &format!("title: \"{}\"", "wide ".repeat(400)),
        ),
    );
    scratch.write(
        "listed.ron",
        &SCENE.replace("FixedIndegree(10)", "ListFile(\"list.csv\")"),
    );
    for arguments in [
        "run empty.ron --out a",
        "run good.ron --for 0s --out b",
        "run late.ron --out c --set w=1",
        "run listed.ron --for 5ms --threads 3 --force-lanes",
        "run good.ron --for 5ms --checkpoint-every 1ms --checkpoint c.neuropil",
        "resume c.neuropil --for 1ms",
        "run named.ron --for 20ms --out d --quiet",
        "check named.ron",
        "check late.ron",
        "check listed.ron",
        "schedule good.ron",
        "scenes",
    ] {
        let (code, _, err) = scratch.run(arguments);
        assert_eq!(code, Some(0), "{arguments}: {err}");
        assert!(
            !err.contains("error") && !err.contains("panicked"),
            "{arguments}: {err}"
        );
    }
    for results in ["a", "b", "c", "d"] {
        assert!(
            scratch.0.join(results).join("run.json").is_file(),
            "{results}"
        );
    }
    let (_, _, err) = scratch.run("check late.ron");
    assert!(
        err.contains(
            "warning: late.ron:4:42: statistics_from_ms: statistics start at 1000000000 ms"
        ),
        "{err}"
    );
}
