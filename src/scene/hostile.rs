//! Text that nobody would write on purpose, except to do harm: whatever a scene says, reading it ends, and
//! ends with a value or an error, never with a panic.
//!
//! A sample scene that uses all of the language is damaged in thousands of random ways, and each result goes
//! through the reader, the parameters and the decoder.

use super::context::{Context, named_nodes};
use super::decode::Decoder;
use super::encode::encode;
use super::error::SceneError;
use super::parse::{DEEPEST, LONGEST_TEXT, parse, parse_bytes};
use crate::sim::quantity::{Range, Unit};
use bevy::reflect::prelude::ReflectDefault;
use bevy::reflect::{Reflect, TypeRegistry};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const SAMPLE: &str = r##"#![enable(implicit_some)]
// A sample /* with */ everything.
Scene(
    parameters: { "n": 1_000, "scale": 0.1, "m": "round(n * scale)", "plastic": true },
    definitions: {
        "count(p, n, m)": "ln(1 - p) / ln((n * m - 1) / (n * m))",
        "half": "if(plastic, 1 / 2, min(inf, -3 ^ 2))",
    },
    seed: 0xFFFF_FFFF_FFFF_FFFF,
    regions: [
        Region(name: "a \"b\" \u{3c4}", size: "m", tau: 2.5e-3, place: (1, -2, 3.)),
        (name: r#"raw "name""#, letter: 'x', kind: Decaying(tau: 20.0), /* /* nested */ */),
        (name: "c", kind: Fixed(3), weights: {"x": 1, "y": "half"}, tau: None, place: [1, 2, 3]),
    ],
)
"##;

#[derive(Reflect, Debug, Default, PartialEq)]
#[reflect(Default)]
enum Kind {
    #[default]
    Off,
    Fixed(#[reflect(@Unit("ms"), @Range::positive())] f32),
    Decaying {
        tau: f64,
    },
}

#[derive(Reflect, Debug, Default, PartialEq)]
#[reflect(Default)]
struct Region {
    name: String,
    letter: char,
    size: u32,
    #[reflect(@Unit("ms"), @Range::non_negative())]
    tau: Option<f32>,
    place: [f32; 3],
    kind: Kind,
    weights: BTreeMap<String, f32>,
    parts: Vec<Region>,
}

#[derive(Reflect, Debug, Default, PartialEq)]
#[reflect(Default)]
struct Scene {
    seed: u64,
    regions: Vec<Region>,
}

fn load(bytes: &[u8]) -> Result<Scene, SceneError> {
    static REGISTRY: LazyLock<TypeRegistry> = LazyLock::new(|| {
        let mut registry = TypeRegistry::new();
        registry.register::<Scene>();
        registry
    });
    let mut node = parse_bytes(bytes, "f")?;
    let mut entries = |name: &str| match node.take_field(name) {
        Some(field) => named_nodes("f", name, &field.value),
        None => Ok(Vec::new()),
    };
    let (parameters, definitions) = (entries("parameters")?, entries("definitions")?);
    let context = Context::new("f", &parameters, &definitions, &[])?;
    Decoder::new(&REGISTRY, &context, "f").decode(&node)
}

fn reason(text: &str) -> String {
    parse(text, "f")
        .expect_err("a text that should be refused")
        .to_string()
}

/// The numbers of a run: a function of a counter.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let mut z = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    fn span(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(longest)).min(length)
    }
}

fn damaged(dice: &mut Dice) -> Vec<u8> {
    const WORDS: [&str; 40] = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "'",
        "\\",
        "/*",
        "*/",
        "//",
        "#",
        "r#\"",
        "Some(",
        "None",
        "NaN",
        "inf",
        "-",
        "1e999",
        "0x",
        "1e-400",
        "99999999999999999999999999999999999999999",
        "\"n / 0\"",
        "\"n(1)\"",
        "\"count(1, 1, 1)\"",
        "\"half\"",
        "true",
        "Region",
        "parts: [()]",
        "kind: Off",
        "\n",
        "\u{2028}",
        "τ",
        "_",
        "::",
        "=",
        "..",
    ];
    let mut bytes = SAMPLE.as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        let length = bytes.len();
        match dice.below(8) {
            0 => drop(bytes.drain(dice.span(length, 40))),
            1 => {
                let span = dice.span(length, 3);
                let random: Vec<u8> = (0..dice.below(4)).map(|_| dice.below(256) as u8).collect();
                drop(bytes.splice(span, random));
            }
            2 | 3 => {
                let span = dice.span(length, 3);
                drop(bytes.splice(span, WORDS[dice.below(WORDS.len())].bytes()));
            }
            4 => {
                let (from, to) = (dice.span(length, 30), dice.span(length, 30));
                let piece = bytes[from].to_vec();
                drop(bytes.splice(to, piece));
            }
            5 => {
                // Two words change places.
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mut words: Vec<&str> =
                    text.split_inclusive([' ', ',', '(', ')', ':']).collect();
                let (a, b) = (dice.below(words.len()), dice.below(words.len()));
                if !words.is_empty() {
                    words.swap(a, b);
                }
                bytes = words.concat().into_bytes();
            }
            6 => bytes.truncate(dice.below(length + 1)),
            _ => {
                let word = [
                    "(",
                    "[",
                    "{",
                    "Some(",
                    "\"-",
                    "(a: ",
                    "[[",
                    "/*",
                    "parts: [(",
                    "\"(",
                ][dice.below(10)];
                let at = dice.below(length + 1);
                drop(bytes.splice(at..at, word.repeat(dice.below(400)).into_bytes()));
            }
        }
    }
    bytes
}

#[test]
fn the_sample_is_read_and_returns() {
    let scene = load(SAMPLE.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scene.seed, u64::MAX);
    assert_eq!(scene.regions[0].size, 100);
    assert_eq!(scene.regions[2].weights["y"], 0.5);
    let text = encode(&scene);
    assert_eq!(load(text.as_bytes()).as_ref(), Ok(&scene), "{text}");
    assert!(ron::from_str::<ron::Value>(SAMPLE).is_ok());
}

#[test]
fn damaged_text_gives_a_value_or_an_error() {
    let mut dice = Dice(1);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..6_000 {
        let bytes = damaged(&mut dice);
        match load(&bytes) {
            Ok(scene) => {
                read += 1;
                assert_eq!(load(encode(&scene).as_bytes()).as_ref(), Ok(&scene));
            }
            Err(error) => {
                refused += 1;
                let lines = bytes.split(|byte| *byte == b'\n').count();
                assert!((1..=lines).contains(&(error.line as usize)), "{error}");
                assert!(error.column > 0 && !error.message.is_empty(), "{error}");
                assert!(error.to_string().len() < 3_000, "{error}");
            }
        }
    }
    assert!(
        read > 100 && refused > 1_000,
        "{read} read, {refused} refused"
    );
}

#[test]
fn random_bytes_give_a_value_or_an_error() {
    let mut dice = Dice(1 << 40);
    for _ in 0..20_000 {
        let letters = b"()[]{}<>,:;\"'\\/*#r!ab_0123xe+-.inf \n\xCF\x84";
        let bytes: Vec<u8> = (0..dice.below(60))
            .map(|_| letters[dice.below(letters.len())])
            .collect();
        if let Err(error) = load(&bytes) {
            assert!(error.line > 0, "{error}");
        }
    }
}

#[test]
fn types_that_hold_themselves_are_read_to_the_deepest_level() {
    let nested = |depth: usize| {
        format!(
            "(regions: [{}{}])",
            "(parts: [".repeat(depth),
            "])".repeat(depth)
        )
    };
    assert!(load(nested(49).as_bytes()).is_ok());
    let error = load(nested(60).as_bytes()).unwrap_err();
    assert_eq!(error.message, "values are nested more than 100 levels deep");
    assert!(parse(&nested(100_000), "f").is_err());
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DEEPEST), "f").is_ok());
    for text in [
        nested(1_000_000),
        "(".repeat(1_000_000),
        "Some(".repeat(300_000),
        "{".repeat(1_000_000),
    ] {
        assert!(reason(&text).ends_with("values are nested more than 100 levels deep"));
    }
    assert!(reason(&"/*".repeat(1_000_000)).contains("comment is never closed"));
}

#[test]
fn text_that_is_too_long_is_refused() {
    let text = " ".repeat(LONGEST_TEXT + 1);
    assert!(
        reason(&text).starts_with("f:1:1: the text has 67108865 bytes; at most 67108864 are read")
    );
}

#[test]
fn messages_stay_short_however_long_the_names_are() {
    let name = "x".repeat(100_000);
    let digits = "7".repeat(300);
    for text in [
        format!("{name} {{"),
        format!("{name}::A"),
        format!("({name} = 1)"),
        format!("(\"{name}\": 1)"),
        format!("({name}: 1, {name}: 2)"),
        format!("({name}: 1)"),
        format!("{name}(seed: 1)"),
        format!("(seed: {name}(1))"),
        format!("(seed: \"{name}\")"),
        format!("(seed: \"{}\")", &name[..9_000]),
        format!("(seed: '{name}')"),
        format!("(seed: {digits})"),
        format!("(seed: {name}1)"),
        format!("(regions: [(kind: {name})])"),
        format!("(regions: [(weights: {{\"{name}\": true}})])"),
        format!("(parameters: {{\"{name}\": 1}})"),
        format!("(definitions: {{\"{name}(x)\": 1}})"),
        format!("(definitions: {{\"f({name})\": 1}})"),
        format!("(definitions: {{\"f\": \"{}(1)\"}})", &name[..9_000]),
    ] {
        let error = load(text.as_bytes()).unwrap_err().to_string();
        assert!(
            error.len() < 500,
            "{} letters: {}",
            error.len(),
            &error[..500]
        );
    }
}

#[test]
fn many_parameters_take_no_more_than_their_share_of_time() {
    let mut text = "(parameters: (p0: 1".to_string();
    for index in 1..50_000 {
        text += &format!(", p{index}: \"p{} + 1\"", index - 1);
    }
    text += "))";
    assert!(load(text.as_bytes()).is_ok());
}
