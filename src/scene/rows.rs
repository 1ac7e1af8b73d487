//! The synapses of one projection, row by row: targets from its rule, weights and delays from their distributions or lists.

use super::build::{BuildOptions, Maps};
use super::lists::ListRows;
use super::prepare::{BuildError, Delays, Prepared};
use super::schema::Scene;
use crate::network::connect::words::Words;
use crate::network::connect::{self, Plan, Request};
use crate::network::distribution::Sampler;
use crate::network::plastic::PlasticSynapse;
use crate::network::region::{InputMap, Positions};
use crate::network::synapses::{BuildSynapse, WeightFormat};
use crate::sim::columns::LANES;
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::prelude::*;

/// How the synapses of one projection are made.
pub(super) struct Rows<'a> {
    source: RowSource<'a>,
    map: &'a InputMap,
    channel_offset: u32,
    weight: WeightMaker<'a>,
    delay: DelayMaker<'a>,
}

enum RowSource<'a> {
    Plan(Plan),
    List(&'a ListRows),
    /// A muted projection has no synapses.
    Muted,
}

enum WeightMaker<'a> {
    /// All in the store's format.
    Shared,
    Drawn {
        sampler: Sampler,
        words: Words,
        per_unit: f64,
    },
    Listed {
        weights: &'a [f64],
        per_unit: f64,
        shift: u32,
    },
}

enum DelayMaker<'a> {
    Index(u16),
    Drawn {
        delays: DelayTable,
        words: Words,
    },
    Listed {
        delays: &'a [f64],
        per_ms: f64,
        index_of: Vec<u16>,
    },
}

pub(super) fn projection_rows<'a>(
    world: &World,
    scene: &'a Scene,
    prepared: &'a Prepared,
    index: usize,
    entities: &[Entity],
    maps: &'a Maps,
    index_of: &[u16],
    options: &BuildOptions,
) -> Result<Rows<'a>, BuildError> {
    let (p, spec) = (&prepared.projections[index], &scene.projections[index]);
    let key = entity_key(&p.name);
    let random = |purpose| Random::new(scene.seed, key, purpose);
    let list = prepared.lists[index].as_ref();
    let source = match list {
        _ if spec.muted => RowSource::Muted,
        Some(list) => RowSource::List(list),
        None => {
            let positions = |region: usize| {
                world
                    .entity(entities[region])
                    .get::<Positions>()
                    .map_or(&[][..], |p| p.0.as_slice())
            };
            let plan = connect::plan(&Request {
                rule: &p.rule,
                sources: scene.regions[p.from].neurons,
                targets: scene.regions[p.to].neurons,
                same_region: p.from == p.to,
                autapses: spec.autapses,
                multapses: spec.multapses,
                source_positions: positions(p.from),
                target_positions: positions(p.to),
                random: random(Purpose::Connect),
                threads: options.threads,
                progress: &|_| {},
            })
            .map_err(|e| BuildError::new(format!("projections[{index}].rule"), e.to_string()))?;
            RowSource::Plan(plan)
        }
    };
    let exponent = prepared.receptors[p.to][p.channel].exponent.unwrap_or(0);
    let shift = match p.format {
        WeightFormat::Narrow { shift } | WeightFormat::Dense { shift, .. } => shift,
        _ => 0,
    };
    let per_unit = match &p.changing {
        Some(changing) => changing.sign,
        None => p.factor / libm::exp2(f64::from(exponent + shift as i32)),
    };
    let is_narrow = matches!(
        p.format,
        WeightFormat::Narrow { .. } | WeightFormat::Dense { .. }
    );
    let weight = match (list.and_then(|l| l.weights.as_deref()), &spec.weight) {
        (Some(weights), _) => WeightMaker::Listed {
            weights,
            per_unit,
            shift,
        },
        (None, Some(weight)) if is_narrow || p.changing.is_some() => WeightMaker::Drawn {
            sampler: Sampler::new(weight),
            words: Words::new(&random(Purpose::Weight), 0),
            per_unit,
        },
        (None, _) => WeightMaker::Shared,
    };
    let per_ms = 1.0 / scene.dt_ms;
    let listed = list.and_then(|l| l.delays.as_deref());
    let delay = match (listed, &p.delays, &spec.delay_ms) {
        (Some(delays), ..) => DelayMaker::Listed {
            delays,
            per_ms,
            index_of: index_of.to_vec(),
        },
        (None, Delays::Range(..), Some(delay)) => DelayMaker::Drawn {
            delays: DelayTable::new(Sampler::new(delay), per_ms, index_of),
            words: Words::new(&random(Purpose::Delay), 0),
        },
        (None, Delays::Fixed(d), _) => DelayMaker::Index(index_of[*d as usize]),
        (None, ..) => DelayMaker::Index(0),
    };
    let map = &maps.regions[p.to];
    Ok(Rows {
        source,
        map,
        channel_offset: map.offset[p.channel].unwrap_or(0),
        weight,
        delay,
    })
}

impl Rows<'_> {
    pub(super) fn row_len(&self, source: u32) -> u32 {
        match &self.source {
            RowSource::Plan(plan) => plan.row_len(source),
            RowSource::List(list) => {
                (list.start[source as usize + 1] - list.start[source as usize]) as u32
            }
            RowSource::Muted => 0,
        }
    }

    /// Hands on the targets of a source, and which entries of a list they are.
    fn with_targets(&self, source: u32, act: impl FnOnce(&[u32], &[u32])) {
        thread_local! {
            static TARGETS: core::cell::RefCell<Vec<u32>> = const { core::cell::RefCell::new(Vec::new()) };
        }
        TARGETS.with_borrow_mut(|targets| {
            targets.clear();
            let mut entries: &[u32] = &[];
            match &self.source {
                RowSource::Plan(plan) => plan.fill_row(source, targets),
                RowSource::List(list) => {
                    entries =
                        &list.order[list.start[source as usize]..list.start[source as usize + 1]];
                    targets.extend(entries.iter().map(|&e| list.targets[e as usize]));
                }
                RowSource::Muted => return,
            }
            act(targets, entries);
        });
    }

    /// Appends the synapses of a source for a store whose synapses change. Delays are indices as for [`fill`](Self::fill).
    pub(super) fn fill_changing(&self, source: u32, out: &mut Vec<PlasticSynapse>) {
        self.with_targets(source, |targets, entries| {
            let mut drawn = vec![
                BuildSynapse {
                    block: 0,
                    target: 0,
                    delay_index: 0,
                    weight: 0,
                };
                targets.len()
            ];
            self.delay(source, entries, &mut drawn);
            let first = out.len();
            out.extend(
                targets
                    .iter()
                    .zip(&drawn)
                    .map(|(&target, drawn)| PlasticSynapse {
                        target,
                        delay_index: drawn.delay_index,
                        weight: 0.0,
                    }),
            );
            let row = &mut out[first..];
            match &self.weight {
                WeightMaker::Shared => {}
                WeightMaker::Drawn {
                    sampler,
                    words,
                    per_unit,
                } => with_words(words, source, row.len(), |words| {
                    for (synapse, &word) in row.iter_mut().zip(words) {
                        synapse.weight = (sampler.at(word, 1 << 31) * per_unit) as f32;
                    }
                }),
                WeightMaker::Listed {
                    weights, per_unit, ..
                } => {
                    for (synapse, &entry) in row.iter_mut().zip(entries) {
                        synapse.weight = (weights[entry as usize] * per_unit) as f32;
                    }
                }
            }
        });
    }

    pub(super) fn fill(&self, source: u32, out: &mut Vec<BuildSynapse>) {
        self.with_targets(source, |targets, entries| {
            let first = out.len();
            out.reserve(targets.len());
            for &target in targets.iter() {
                let chunk = target as usize / LANES;
                out.push(BuildSynapse {
                    block: self.map.block[chunk],
                    target: (self.map.base[chunk] + self.channel_offset + target % LANES as u32)
                        as u16,
                    delay_index: 0,
                    weight: 0,
                });
            }
            let row = &mut out[first..];
            self.weigh(source, entries, row);
            self.delay(source, entries, row);
        });
    }

    /// Calls `visit(target neuron, delay index, weight)` for the synapses of a source as [`fill`](Self::fill) makes them, the weight in the
    /// units of their format; 0 if all share one.
    pub(super) fn visit(&self, source: u32, visit: &mut dyn FnMut(u32, u16, i32)) {
        let mut row = Vec::new();
        self.fill(source, &mut row);
        self.with_targets(source, |targets, _| {
            for (target, synapse) in targets.iter().zip(&row) {
                visit(*target, synapse.delay_index, synapse.weight);
            }
        });
    }

    fn weigh(&self, source: u32, entries: &[u32], row: &mut [BuildSynapse]) {
        match &self.weight {
            WeightMaker::Shared => {}
            WeightMaker::Drawn {
                sampler,
                words,
                per_unit,
            } => with_words(words, source, row.len(), |words| {
                for (synapse, &word) in row.iter_mut().zip(words) {
                    synapse.weight =
                        rounded(sampler.at(word, 1 << 31) * per_unit).clamp(-32_767, 32_767);
                }
            }),
            WeightMaker::Listed {
                weights,
                per_unit,
                shift,
            } => {
                let most = if *shift > 0 {
                    32_767.0
                } else {
                    2_147_483_647.0
                };
                for (synapse, &entry) in row.iter_mut().zip(entries) {
                    let units = libm::rint(weights[entry as usize] * per_unit);
                    synapse.weight = units.clamp(-most, most) as i32;
                }
            }
        }
    }

    fn delay(&self, source: u32, entries: &[u32], row: &mut [BuildSynapse]) {
        match &self.delay {
            DelayMaker::Index(i) => row.iter_mut().for_each(|s| s.delay_index = *i),
            DelayMaker::Drawn { delays, words } => with_words(words, source, row.len(), |words| {
                for (synapse, &word) in row.iter_mut().zip(words) {
                    synapse.delay_index = delays.index(word);
                }
            }),
            DelayMaker::Listed {
                delays,
                per_ms,
                index_of,
            } => {
                for (synapse, &entry) in row.iter_mut().zip(entries) {
                    synapse.delay_index = delay_index(delays[entry as usize], *per_ms, index_of);
                }
            }
        }
    }
}

/// The random words of a row of `len` synapses.
fn with_words(words: &Words, source: u32, len: usize, act: impl FnOnce(&[u32])) {
    thread_local! {
        static WORDS: core::cell::RefCell<Vec<u32>> = const { core::cell::RefCell::new(Vec::new()) };
    }
    WORDS.with_borrow_mut(|buffer| {
        buffer.resize(len, 0);
        words.fill(source.into(), 0, buffer);
        act(buffer);
    });
}

/// The nearest integer, ties to even, of a number below 2³¹ in magnitude.
#[inline(always)]
fn rounded(x: f64) -> i32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    (x + ROUND).to_bits() as i32
}

fn delay_index(ms: f64, per_ms: f64, index_of: &[u16]) -> u16 {
    let steps = (libm::rint(ms * per_ms).max(1.0) as usize).min(index_of.len() - 1);
    index_of[steps]
}

/// Drawn delays by random word: a table over the leading bits where all words that share them give the same delay, which is nearly
/// everywhere; the distribution itself elsewhere.
struct DelayTable {
    table: Vec<u16>,
    sampler: Sampler,
    per_ms: f64,
    index_of: Vec<u16>,
}

impl DelayTable {
    const BITS: u32 = 12;
    const MIXED: u16 = u16::MAX;

    fn new(sampler: Sampler, per_ms: f64, index_of: &[u16]) -> Self {
        let at = |word: u32| delay_index(sampler.at(word, 1 << 31), per_ms, index_of);
        let width = 32 - Self::BITS;
        let table = (0..1u32 << Self::BITS)
            .map(|i| {
                // Quantiles ascend, so equal ends mean equal everywhere between.
                let (first, last) = (at(i << width), at((i << width) | ((1 << width) - 1)));
                if first == last { first } else { Self::MIXED }
            })
            .collect();
        Self {
            table,
            sampler,
            per_ms,
            index_of: index_of.to_vec(),
        }
    }

    #[inline(always)]
    fn index(&self, word: u32) -> u16 {
        match self.table[(word >> (32 - Self::BITS)) as usize] {
            Self::MIXED => delay_index(self.sampler.at(word, 1 << 31), self.per_ms, &self.index_of),
            index => index,
        }
    }
}
