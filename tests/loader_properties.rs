//! Whatever a scene says, loading it ends in an error or in a network that runs, never in a panic, a hang or an allocation that its text does
//! not account for.
//!
//! Scenes that ship, smaller copies of them and scenes made at random are mutated, token by token and byte by byte, and then read, checked
//! and, where they are small, built and run for five steps. The cases are the same in every run. A case that takes too long is
//! printed and ends the process; so does one that asks for more memory than any small network takes.

use bevy::reflect::{TypeData, TypeInfo};
use neuropil::neurons::ReflectNeuronModel;
use neuropil::plasticity::ReflectPlasticity;
use neuropil::plasticity::upkeep::ReflectUpkeep;
use neuropil::prelude::*;
use neuropil::scene::load::{SceneFiles, SceneSource, load};
use neuropil::scene::shipped::SCENES;
use neuropil::simulation::Registry;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// The largest single allocation that a test may make, in bytes: a hundred times what a network that is built here needs.
const LARGEST: usize = 512 << 20;

/// A tenth of all cases: so many that the tests take ten seconds on two idle cores. A hundred times as many have been tried.
const CASES: u32 = 800;

/// Refuses single allocations of more than [`LARGEST`].
struct Bounded;

// SAFETY: every call is passed on to the system's allocator, or answered by null, which is allowed.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > LARGEST {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > LARGEST {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::new);

/// The scene under test of one test, and its number.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<(u64, String)>>);

impl Current {
    /// Ends the process if one case takes longer than anybody would wait. Dropping all other copies ends the watch.
    fn watched() -> Self {
        let current = Self::default();
        let watched = Arc::downgrade(&current.0);
        std::thread::spawn(move || {
            let mut before = u64::MAX;
            loop {
                std::thread::sleep(Duration::from_secs(30));
                let Some(current) = watched.upgrade() else {
                    return;
                };
                let Ok(current) = current.lock() else { return };
                if current.0 == before {
                    eprintln!("this scene takes more than 30 s:\n{}", current.1);
                    std::process::abort();
                }
                before = current.0;
            }
        });
        current
    }

    fn set(&self, text: &str) {
        if let Ok(mut current) = self.0.lock() {
            current.0 += 1;
            current.1.clear();
            current.1.push_str(text);
        }
    }
}

/// How a scene ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Refused,
    /// It is correct, but too large to be built here.
    Checked,
    Ran,
}

/// Reads and checks a scene; builds it and runs it for five steps if it is small.
fn attempt(bytes: &[u8], current: &Current) -> End {
    let text = String::from_utf8_lossy(bytes).into_owned();
    current.set(&text);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let loaded = match load(
        SceneSource {
            name: "mutant".into(),
            text,
            folder,
        },
        &[],
        &REGISTRY,
    ) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(
                !error.message.is_empty() && error.line > 0 && error.column > 0,
                "{error:?}"
            );
            return End::Refused;
        }
    };
    let files = SceneFiles::beside(&loaded.source);
    let prepared = match loaded.prepare(&REGISTRY, &files) {
        Ok(prepared) => prepared,
        Err(error) => {
            assert!(
                !error.message.is_empty() && error.line > 0 && error.column > 0,
                "{error:?}"
            );
            return End::Refused;
        }
    };
    for warning in &prepared.warnings {
        assert!(loaded.locate(warning).line > 0, "{warning}");
    }
    if prepared.synapses > 20_000.0 || prepared.peak_bytes > 6_000_000 || prepared.neurons > 5_000 {
        return End::Checked;
    }
    let threads = 1 + loaded.scene.regions.len() % 3;
    let options = BuildOptions {
        threads,
        force_lanes: true,
        statistics: true,
        ..BuildOptions::default()
    };
    let mut simulation = match Simulation::build(
        &loaded.scene,
        &prepared,
        &REGISTRY,
        &files,
        &options,
        &|_| {},
    ) {
        Ok(simulation) => simulation,
        Err(error) => {
            assert!(loaded.locate(&error).line > 0, "{error}");
            return End::Refused;
        }
    };
    simulation.run_steps(5);
    assert_eq!(simulation.clock().steps_done(), 5);
    for projection in &prepared.projections {
        let weights = simulation.weights(&projection.name).unwrap_or_default();
        assert!(
            weights.iter().all(|w| w.is_finite()),
            "weights of {}: {weights:?}",
            projection.name
        );
    }
    let most = 2.0 * prepared.synapses + 10.0 * prepared.synapses.sqrt() + 1_000.0;
    assert!(
        simulation.synapse_count() as f64 <= most,
        "{} synapses instead of {}",
        simulation.synapse_count(),
        prepared.synapses
    );
    End::Ran
}

/// Numbers that follow from a seed.
struct Dice(Cell<u64>);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    fn one<'a>(&self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn maybe(&self, percent: usize, text: impl FnOnce() -> String) -> String {
        if self.below(100) < percent {
            text()
        } else {
            String::new()
        }
    }
}

const POSITIVE: [&str; 12] = [
    "0.1",
    "1",
    "1.5",
    "2",
    "5",
    "20",
    "\"p\"",
    "\"2 * p\"",
    "Uniform(min: 0.5, max: 3)",
    "Normal(mean: 2, sd: 1, min: 0.3)",
    "LogNormal(mu: 0, sigma: 0.5)",
    "Exponential(mean: 1, min: 0.1)",
];
const WEIGHTS: [&str; 12] = [
    "0",
    "1",
    "-1",
    "87.8",
    "-90",
    "\"-p\"",
    "0.001",
    "Uniform(min: 0, max: 0.5)",
    "Uniform(min: -1, max: 1)",
    "Normal(mean: 5, sd: 1, min: 0)",
    "Normal(mean: -5, sd: 1)",
    "LogNormal(mu: 0, sigma: 1)",
];
const RULES: [&str; 21] = [
    "AllToAll",
    "OneToOne",
    "AllButOwn",
    "FixedIndegree(3)",
    "FixedIndegree(0)",
    "FixedOutdegree(4)",
    "FixedTotalNumber(50)",
    "PairwiseBernoulli(0.2)",
    "PairwiseBernoulli(1)",
    "Distance(kernel: Gaussian(sigma_mm: 0.2, peak: 0.8))",
    "Distance(kernel: Mask(radius_mm: 0.3), period_mm: [1, 1, 0])",
    "Distance(kernel: Exponential(length_mm: 0.1, peak: 1))",
    "SmallWorld(neighbours: 4, rewire: 0.2)",
    "Pairs([(0, 1), (1, 0), (0, 1)])",
    "Pairs([])",
    "List([(source: 0, target: 1, weight: 3, delay_ms: 2), (source: 2, target: 0, weight: 1, delay_ms: 200)])",
    "ListFile(\"list.csv\")",
    "Not([OneToOne])",
    "And([AllToAll, Not([PairwiseBernoulli(0.5)])])",
    "Or([FixedIndegree(2), Pairs([(0, 0)])])",
    "List([])",
];
const KINDS: [&str; 19] = [
    "Direct(amplitude: 300)",
    "Step(amplitude: Uniform(min: 0, max: 500))",
    "Ramp(from: 0, to: 100)",
    "Silence",
    "Alternating(amplitude: 100, offset: 50, frequency_hz: 40, phase_deg: 90)",
    "Noise(mean: 0, sd: 5, interval_ms: 1)",
    "Noise(mean: 1, sd: 0, interval_ms: 0)",
    "Schedule([(0, 1), (2, 500), (3, 0)])",
    "Schedule([])",
    "CurrentFile(\"currents.csv\")",
    "Poisson(rate_hz: 1000, weight: 5, delay_ms: 1)",
    "Poisson(rate_hz: 0, weight: 0, delay_ms: 0)",
    "Poisson(rate_hz: Uniform(min: 0, max: 9000), weight: Uniform(min: 0, max: 3), delay_ms: 0.5)",
    "Poisson(rate_hz: 1e6, weight: -5, delay_ms: 1)",
    "InputSpikes(times_ms: [0, 0.1, 0.1, 5], weight: 20, delay_ms: 0.2)",
    "InputSpikes(times_ms: [], weight: -20, delay_ms: 0)",
    "Spike(times_ms: [0, 0.3, 1])",
    "Spike(times_ms: [])",
    "Poisson(rate_hz: 500, weight: 5, delay_ms: 100, receptor: \"excitatory\")",
];
const LAYOUTS: [&str; 6] = [
    "Ball(radius_mm: 0.5)",
    "Sheet(size_mm: [1, 1])",
    "Grid(shape: [10, 10, 1], spacing_mm: [0.1, 0.1, 0])",
    "Ring(radius_mm: 1)",
    "Box(size_mm: [1, 0, 1])",
    "Column(radius_mm: 0.2, height_mm: 1)",
];
const SELECTIONS: [&str; 7] = [
    "All",
    "Range(0, 1)",
    "List([0, 2])",
    "List([])",
    "Every(3)",
    "Fraction(0.5)",
    "Fraction(0)",
];

const LEARNING: [&str; 12] = [
    "Stdp(w_min: -100, w_max: 100)",
    "Stdp(w_max: 100, pairing: PreCentred, dependence: Guetig(mu_plus: 0.4, mu_minus: #))",
    "TripletStdp(w_max: 100, a3_plus: #, dependence: PowerLaw(mu: 0.4, w_ref: #))",
    "DopamineStdp(w_min: -100, w_max: 100, modulator: \"m\", tau_c: #, gain: #)",
    "Mstdp(w_min: -100, w_max: 100, modulator: \"m\", coincidence: Ignored, gamma: #)",
    "Mstdpet(w_min: -100, w_max: 100, modulator: \"m\", coincidence: Ignored, tau_z: #)",
    "Oja(w_max: 100, eta: #), Bcm(w_max: 100, tau_theta: #)",
    "InhibitoryStdp(w_max: 100, tau: #), LearningRateDecay(tau_ms: #, form: Hyperbolic)",
    "ResponseStdp(w_max: 100, terminal: [Leaky(tau: #), LimitedFlat(window: #)])",
    "Clopath(w_max: 100, tau_plus: #)",
    "HomeostaticScaling(w_max: 100, rate_hz: #, tau_rate_ms: #, tau_ms: #, every_ms: #)",
    "Budget(total: #, every_ms: #), ConvergentDecay(w_rest: 0, tau_ms: #)",
];
const MODULATION: [&str; 7] = [
    "tau_ms: #, initial: #, baseline: #, released_by: [(from: \"r0\", amount: #, delay_ms: #)]",
    "released_by: [(from: \"r0\", neurons: Every(2), amount: #, response: [Alpha(tau: #)])]",
    "rewards: [Schedule(times_ms: [0.2, #], amount: #)]",
    "tau_ms: #, rewards: [Coincidence(region: \"r0\", first: 0, second: 0, within_ms: #, delay_min_ms: 0.1, delay_max_ms: #, amount: #)]",
    "evaluation: Surprise(rewards: #), rewards: [Schedule(times_ms: [0.1, 0.2, 0.3], amount: #)]",
    "baseline: #, evaluation: TemporalDifference(critic: \"r0\", value_per_hz: #, value_at_rest: #, tau_reward_ms: #, tau_rate_ms: 50, tau_rise_ms: #)",
    "tau_ms: #, initial: #, effects: [Excitability(region: \"r0\", current: #), Release(projection: \"p0\", gain: #, most: 5)]",
];
/// Numbers for what learns and modulates: most of them possible, if hardly.
const HOSTILE: [&str; 14] = [
    "1", "0.1", "20", "1e-3", "0.04", "0", "-1", "1e-300", "5e-324", "1e9", "1e30", "3e38", "1e39",
    "1e300",
];

/// A text with a number in the place of every `#`.
fn filled(text: &str, mut number: impl FnMut() -> String) -> String {
    let mut parts = text.split('#');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + &number() + part)
}

/// Every type that a scene can name and of which this is known.
fn registered<T: TypeData>() -> Vec<&'static TypeInfo> {
    let types = REGISTRY.types.read();
    let mut found: Vec<_> = types
        .iter()
        .filter(|r| r.data::<T>().is_some())
        .map(|r| r.type_info())
        .collect();
    found.sort_unstable_by_key(|info| info.type_path());
    found
}

/// Every neuron model that a scene can name.
fn models() -> Vec<&'static TypeInfo> {
    registered::<ReflectNeuronModel>()
}

/// The names of the fields of a model.
fn fields(model: &TypeInfo) -> Vec<&'static str> {
    match model.as_struct() {
        Ok(info) => info.iter().map(|f| f.name()).collect(),
        Err(_) => Vec::new(),
    }
}

/// A scene made at random. Most of its parts are as they should be; whether they fit together is left to chance.
fn random_scene(seed: u64) -> String {
    let dice = Dice(Cell::new(seed));
    let models = models();
    let regions = 1 + dice.below(3);
    let region_list: String = (0..regions)
        .map(|i| {
            let model = models[dice.below(models.len())];
            let fields = fields(model);
            let name = model.type_path_table().short_path();
            let parameters = dice.maybe(if fields.is_empty() { 0 } else { 30 }, || {
                let field = dice.one(&fields);
                format!(
                    "({field}: {})",
                    dice.one(if field.starts_with(['v', 'e']) {
                        &["-70", "-50", "0", "10"]
                    } else {
                        &POSITIVE
                    })
                )
            });
            format!(
                "(name: \"r{i}\", neurons: {}, model: {name}{parameters}, {}{}{}), ",
                dice.one(&["1", "3", "20", "64", "65", "\"rint(10 * p)\""]),
                dice.maybe(50, || format!("layout: {}, ", dice.one(&LAYOUTS))),
                dice.maybe(15, || format!(
                    "initial: {{\"v\": {}}}, ",
                    dice.one(&["-65", "0", "Uniform(min: -70, max: -50)"])
                )),
                dice.maybe(30, || format!(
                    "sign: {}, ",
                    dice.one(&["Mixed", "Excitatory", "Inhibitory"])
                )),
            )
        })
        .collect();
    let region = || format!("\"r{}\"", dice.below(regions));
    let hostile = |text: &str| {
        // Mostly tame, so that a scene may run.
        filled(text, || {
            let most = if dice.below(4) == 0 { HOSTILE.len() } else { 3 };
            HOSTILE[dice.below(most)].to_owned()
        })
    };
    let projections: String = (0..dice.below(4))
        .map(|n| {
            format!(
                "(name: \"p{n}\", from: {}, to: {}, rule: {}, weight: {}, delay_ms: {}{}{}{}{}{}{}), ",
                region(),
                region(),
                dice.one(&RULES),
                dice.one(&WEIGHTS),
                dice.one(&POSITIVE),
                dice.maybe(10, || ", autapses: false".into()),
                dice.maybe(10, || ", multapses: false".into()),
                dice.maybe(10, || ", receptor: \"excitatory\"".into()),
                dice.maybe(15, || format!(
                    ", plasticity: [{}]",
                    hostile(dice.one(&LEARNING))
                )),
                dice.maybe(5, || ", frozen: true, learning_targets: Every(2)".into()),
                dice.maybe(5, || ", dendritic: All, short_term: TsodyksMarkram".into()),
            )
        })
        .collect();
    let modulators = dice.maybe(15, || {
        format!("(name: \"m\", {}), ", hostile(dice.one(&MODULATION)))
    });
    let stimuli: String = (0..dice.below(4))
        .map(|_| {
            format!(
                "(to: {}, {}{}kind: {}), ",
                region(),
                dice.maybe(30, || format!("neurons: {}, ", dice.one(&SELECTIONS))),
                dice.maybe(30, || format!(
                    "window: ({}), ",
                    dice.one(&[
                        "",
                        "start_ms: 0.2",
                        "stop_ms: 0.3",
                        "start_ms: 0, stop_ms: 2"
                    ])
                )),
                dice.one(&KINDS),
            )
        })
        .collect();
    let probes: String = (0..dice.below(3))
        .map(|_| {
            let kind = match dice.below(4) {
                0 => "Spikes".into(),
                1 => format!("Rate(bin_ms: {})", dice.one(&["0.1", "1", "0.01", "1000"])),
                2 => format!(
                    "Column(column: \"{}\", neurons: {}, every_ms: 0.2)",
                    dice.one(&["v", "u", "drive"]),
                    dice.one(&SELECTIONS)
                ),
                _ => format!("Weights(from: {}, to: {})", region(), region()),
            };
            format!(
                "({}kind: {kind}), ",
                dice.maybe(15, || format!("region: {}, ", region()))
            )
        })
        .collect();
    format!(
        "Scene(title: \"random\", dt_ms: {}, duration_ms: {}, parameters: {{\"p\": {}}}, definitions: {{\"f(x)\": \"x + p\"}}, \
         regions: [{region_list}], projections: [{projections}], modulators: [{modulators}], stimuli: [{stimuli}], probes: [{probes}])",
        dice.one(&["0.1", "1", "0.025"]),
        dice.one(&["0", "100", "1e6"]),
        dice.one(&["1", "2", "0.5"]),
    )
}

/// The scenes that mutants are made from: those that ship, as they are and with a hundredth of their neurons.
static ORIGINALS: LazyLock<Vec<String>> = LazyLock::new(|| {
    const SMALLER: [(&str, &str); 10] = [
        ("neurons: 3200", "neurons: 32"),
        ("neurons: 800", "neurons: 8"),
        ("neurons: 200,", "neurons: 5,"),
        ("Indegree(64)", "Indegree(6)"),
        ("Indegree(16)", "Indegree(2)"),
        ("\"order\": 2500", "\"order\": 25"),
        ("\"c_e\": 1000", "\"c_e\": 8"),
        ("\"scale\": 0.1", "\"scale\": 0.002"),
        ("neurons: 1000", "neurons: 20"),
        ("neurons: 400", "neurons: 24"),
    ];
    let small = |text: &str| {
        SMALLER
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    SCENES
        .iter()
        .flat_map(|(_, text)| [(*text).to_owned(), small(text)])
        .collect()
});

/// The tokens of a scene: words, numbers, strings, single signs; blanks and comments belong to the token before.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut left = text;
    while let Some(first) = left.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || "_.-+".contains(c);
        let mut end = match first {
            '"' => left[1..].find('"').map_or(left.len(), |i| i + 2),
            c if is_word(c) => left.find(|c| !is_word(c)).unwrap_or(left.len()),
            '/' if left.starts_with("//") => 0,
            c => c.len_utf8(),
        };
        loop {
            let blank = left[end..]
                .find(|c: char| !c.is_whitespace())
                .unwrap_or(left.len() - end);
            end += blank;
            if !left[end..].starts_with("//") {
                break;
            }
            end += left[end..].find('\n').unwrap_or(left.len() - end);
        }
        tokens.push(&left[..end]);
        left = &left[end..];
    }
    tokens
}

/// What a number may become.
const NUMBERS: [&str; 44] = [
    "0",
    "-1",
    "1",
    "2",
    "3",
    "0.5",
    "-0.5",
    "0.1",
    "7",
    "64",
    "65",
    "1e-3",
    "1e-300",
    "5e-324",
    "1e300",
    "-1e39",
    "1e-40",
    "1e30",
    "255",
    "256",
    "257",
    "65535",
    "65536",
    "6553.5",
    "6553.6",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "1e9",
    "1000000000",
    "1000000",
    "NaN",
    "inf",
    "-inf",
    "0x10",
    "\"1 / 0\"",
    "\"-p\"",
    "\"sqrt(p)\"",
    "Uniform(min: 0, max: 1)",
    "Uniform(min: -1e30, max: 1e30)",
    "Normal(mean: 1, sd: 1e-30, min: 0)",
    "LogNormal(mu: 300, sigma: 30)",
    "Exponential(mean: 1e-200)",
    "Shared(offset: 0, scale: 1, power: 1e-9)",
];

/// What anything may become.
const WORDS: [&str; 36] = [
    "true",
    "None",
    "Some(3)",
    "()",
    "[]",
    "{}",
    "\"\"",
    "\"p\"",
    "\"E\"",
    "\"v\"",
    "\"excitatory\"",
    "\"inhibitory\"",
    "\"list.csv\"",
    "\"lost.csv\"",
    "\"/\"",
    "AllToAll",
    "OneToOne",
    "FixedIndegree(1)",
    "PairwiseBernoulli(0.5)",
    "Not([AllToAll])",
    "Pairs([(0, 0)])",
    "List([])",
    "ListFile(\"list.csv\")",
    "SmallWorld(neighbours: 2, rewire: 1)",
    "Distance(kernel: Mask(radius_mm: 1))",
    "LifExp",
    "Relay",
    "Izhikevich",
    "PoissonSource",
    "HhSquid",
    "Silence",
    "Spikes",
    "Every(1)",
    "(",
    "]",
    ",",
];

/// One change to a text: what kind, where, and with what.
type Mutation = (u8, u32, u32);

fn mutated(text: &str, mutations: &[Mutation]) -> Vec<u8> {
    let mut text = text.to_owned();
    let mut bytes_changed = Vec::new();
    for &(kind, at, with) in mutations {
        let words = tokens(&text);
        if words.is_empty() {
            break;
        }
        let starts = |of: fn(char) -> bool| -> Vec<usize> {
            (0..words.len())
                .filter(|&i| words[i].starts_with(of))
                .collect()
        };
        // Most changes keep the kind of a word, so that the whole keeps its form and is read to the end.
        let alike = match kind % 24 {
            0..=11 => starts(|c| c.is_numeric() || c == '-'),
            12..=14 => starts(char::is_uppercase),
            15 => starts(|c| c == '"'),
            _ => (0..words.len()).collect(),
        };
        let Some(place) = alike.get(at as usize % alike.len().max(1)).copied() else {
            continue;
        };
        let (other, random) = (alike[with as usize % alike.len()], with as usize);
        let mut changed: Vec<&str> = words.clone();
        match kind % 24 {
            0..=6 => changed[place] = NUMBERS[random % NUMBERS.len()],
            7..=11 | 13..=15 => changed[place] = words[other],
            12 | 16..=17 => changed[place] = WORDS[random % WORDS.len()],
            18 => drop(changed.remove(place)),
            19 => changed.insert(place, words[other]),
            20 => changed.swap(place, other),
            21 => drop(changed.drain(place..(place + 1 + random % 12).min(words.len()))),
            _ => {
                bytes_changed.push((at, with));
                continue;
            }
        }
        // A word that was put between two others must not join them.
        text = changed.iter().flat_map(|word| [word, " "]).collect();
    }
    let mut bytes = text.into_bytes();
    for (at, with) in bytes_changed {
        let at = at as usize % (bytes.len() + 1);
        match with % 4 {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] = (with >> 8) as u8,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.insert(at, (with >> 8) as u8),
        }
    }
    bytes
}

/// Runs `cases` cases of a strategy of scenes, the same in every run, and returns how many ended in each way.
fn run(cases: u32, scenes: impl Strategy<Value = Vec<u8>>) -> [u32; 3] {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ends = [const { Cell::new(0) }; 3];
    let current = Current::watched();
    let result = runner.run(&scenes.prop_map(Readable), |scene| {
        let end = &ends[attempt(&scene.0, &current) as usize];
        end.set(end.get() + 1);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    ends.map(|end| end.get())
}

/// A scene that is shown as text.
struct Readable(Vec<u8>);

impl core::fmt::Debug for Readable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0))
    }
}

fn mutations(most: usize) -> impl Strategy<Value = Vec<Mutation>> {
    proptest::collection::vec(any::<Mutation>(), 1..most)
}

#[test]
fn random_scenes_run_or_are_refused() {
    let [refused, checked, ran] = run(
        CASES * 2,
        any::<u64>().prop_map(|seed| random_scene(seed).into_bytes()),
    );
    println!("random: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        ran > 300 && refused > 300,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}

/// No number in any field of any model does harm, alone or from neuron to neuron.
#[test]
fn every_parameter_takes_or_refuses_every_number() {
    let current = Current::watched();
    let mut ends = [0; 3];
    for model in models() {
        let name = model.type_path_table().short_path();
        for field in fields(model) {
            for number in NUMBERS {
                let scene = format!(
                    "Scene(title: \"one hostile number\", dt_ms: 0.1, duration_ms: 1, parameters: {{\"p\": 2}}, \
                     regions: [(name: \"r\", neurons: 65, model: {name}({field}: {number}))], \
                     projections: [(from: \"r\", to: \"r\", rule: OneToOne, weight: 3, delay_ms: 0.1)], \
                     stimuli: [(to: \"r\", kind: Direct(amplitude: 500))])"
                );
                ends[attempt(scene.as_bytes(), &current) as usize] += 1;
            }
        }
    }
    let [refused, checked, ran] = ends;
    println!("numbers: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        refused > 1000 && ran > 1000,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}

/// Two neurons that fire and learn under a modulator.
fn learning(rules: &str, modulator: &str) -> String {
    format!(
        "Scene(title: \"learning\", dt_ms: 0.1, duration_ms: 1, parameters: {{\"p\": 2}}, \
         regions: [(name: \"r0\", neurons: 2, model: SpikeSource(spikes: [(0.1, 0), (0.1, 1), (0.2, 0), (0.3, 0)])), \
         (name: \"r1\", neurons: 2, model: AdExClopath)], \
         projections: [(name: \"p0\", from: \"r0\", to: \"r1\", rule: AllToAll, weight: 0.5, delay_ms: 0.1, plasticity: [{rules}], backpropagation_ms: 0.1)], \
         modulators: [(name: \"m\", {modulator})], \
         stimuli: [(to: \"r1\", kind: Spike(times_ms: [0.1, 0.2, 0.3, 0.4]))])"
    )
}

/// Nor does any in a field of a learning rule or of a rule of upkeep, under a pool and under impulses.
#[test]
fn every_learning_rule_takes_or_refuses_every_number() {
    let current = Current::watched();
    let mut ends = [0; 3];
    let mut rules = registered::<ReflectPlasticity>();
    let learn = rules.len();
    rules.extend(registered::<ReflectUpkeep>());
    for (place, rule) in rules.into_iter().enumerate() {
        let name = rule.type_path_table().short_path();
        let fields = fields(rule);
        for field in &fields {
            let mut given = String::new();
            for (other, value) in [
                ("every_ms", "0.1"),
                ("modulator", "\"m\""),
                ("w_max", "5"),
                ("tau", "3"),
            ] {
                if fields.contains(&other) && other != *field {
                    given += &format!("{other}: {value}, ");
                }
            }
            let beside = ["Stdp(w_max: 5), ", ""][usize::from(place < learn)];
            for number in NUMBERS {
                for modulator in [
                    "tau_ms: 20, initial: 1",
                    "rewards: [Schedule(times_ms: [0.2, 0.3], amount: 1)]",
                ] {
                    let rule = format!("{beside}{name}({given}{field}: {number})");
                    let scene = learning(&rule, modulator);
                    ends[attempt(scene.as_bytes(), &current) as usize] += 1;
                }
            }
        }
    }
    let [refused, checked, ran] = ends;
    println!("rules: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        refused > 2000 && ran > 2000,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}

/// Nor in a modulator, a rewarder, an evaluation or an effect.
#[test]
fn every_modulator_takes_or_refuses_every_number() {
    let current = Current::watched();
    let mut ends = [0; 3];
    let rules = [
        "DopamineStdp(w_max: 5, modulator: \"m\")",
        "Mstdp(w_max: 5, modulator: \"m\")",
        "Stdp(w_max: 5)",
    ];
    for text in MODULATION {
        let text = text.replace("Excitability(region: \"r0\"", "Excitability(region: \"r1\"");
        for place in 0..text.matches('#').count() {
            for number in NUMBERS {
                let mut at = 0..;
                let modulator = filled(&text, || {
                    let tame = "1".to_owned();
                    at.next()
                        .filter(|n| *n == place)
                        .map_or(tame, |_| number.into())
                });
                for rule in rules {
                    let scene = learning(rule, &modulator);
                    ends[attempt(scene.as_bytes(), &current) as usize] += 1;
                }
            }
        }
    }
    let [refused, checked, ran] = ends;
    println!("modulators: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        refused > 1000 && ran > 1000,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}

#[test]
fn mutants_of_random_scenes_run_or_are_refused() {
    // Those that run leave most to be broken.
    let current = Current::default();
    let originals: Vec<_> = (0..1000)
        .map(random_scene)
        .filter(|scene| attempt(scene.as_bytes(), &current) == End::Ran)
        .collect();
    let scenes = (any::<usize>(), mutations(4)).prop_map(|(original, mutations)| {
        mutated(&originals[original % originals.len()], &mutations)
    });
    let [refused, checked, ran] = run(CASES * 4, scenes);
    println!("mutants of random: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        ran > 100 && refused > 1000,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}

#[test]
fn mutants_of_shipped_scenes_run_or_are_refused() {
    let scenes = (any::<usize>(), mutations(5)).prop_map(|(original, mutations)| {
        let originals = &*ORIGINALS;
        mutated(&originals[original % originals.len()], &mutations)
    });
    let [refused, checked, ran] = run(CASES * 4, scenes);
    println!("mutants of shipped: {refused} refused, {checked} checked, {ran} ran");
    assert!(
        ran > 50 && checked > 50 && refused > 1000,
        "{refused} refused, {checked} checked, {ran} ran"
    );
}
