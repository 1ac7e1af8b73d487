//! A spike pattern that comes again and again, hidden in trains that are as dense.
//!
//! Time is cut into slots. In most of them every afferent spikes at a rate that walks at random (see `rates.rs` for
//! the walk); in some, at random and never in two that are adjacent, one of the patterns is pasted: the afferents that it involves spike as they do
//! in every presentation of it, with jitter, and the others go on. Noise is added to all. Neither the rate of all afferents nor that of
//! one tells when a pattern is there.
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | afferents | `afferents` | 2000 | |
//! | largest rate | `max_rate_hz` | 90 | Hz |
//! | longest interval between two spikes | `longest_interval_ms` | 50 | ms |
//! | noise, Poisson | `noise_hz` | 10 | Hz |
//! | length of a slot and of a pattern | `slot_ms` | 50 | ms |
//! | different patterns | `patterns` | 1 | |
//! | share of slots with a pattern | `frequency` | 0.25 | |
//! | share of afferents in a pattern | `involved` | 0.5 | |
//! | standard deviation of the jitter | `jitter_ms` | 1 | ms |
//! | share of a pattern's spikes that are replaced | `deletion` | 0 | |
//! | slots after which all repeats | `repeat_slots` | 3000 | |
//! | first slot in which each pattern may be | `starts` | 0 | |
//!
//! The walk and the forced spikes give 54 Hz, 64 Hz with the noise. With one pattern the first afferents are the involved ones; of several, each
//! draws its own at random. A jittered spike may leave its slot. A replaced spike goes to a uniform time in the slot, at the same
//! afferent, so that rates stay. A slot that follows one without pattern has one with probability f/(1 − f), any of them equally likely. As in
//! the papers, 150 s of spikes are repeated; 0 is never.
//!
//! A pattern with a later start is drawn all the same, but until then its slots stay without it: the others come as often before as after. (If
//! spikes repeat, the walk passes through its first slot once in each repetition before it starts.)
//!
//! A pattern is what the walk gives in the slot of its first presentation. That is the authors' choice, and it matters: rates begin
//! uniform and crowd at both ends later on, so a pattern from the very first slot is easier than others. The protocol of 2008 with
//! patterns of the first slot alone succeeds in 100 of 100 runs, with patterns taken after a second in 90, as it is in 97.
//!
//! **Generation**: slot by slot, as it is asked for. Every random number is a function of the seed and of its place; times are multiples of
//! 2⁻³² ms within their slot. The result does not depend on the processor.
//!
//! **Source**: Masquelier, Guyonneau & Thorpe 2008, PLoS ONE 3:e1377, doi:10.1371/journal.pone.0001377; 2009, Neural Computation 21:1259,
//! doi:10.1162/neco.2008.06-08-804. The walk is that of the authors' program, as the replication of Hathway & Goodman 2018 (ReScience 4(1):6) has it.

mod listeners;
mod order;
mod rates;

pub use listeners::Listeners;

use crate::network::stimulus::PoissonCounts;
use crate::neurons::srm::Arrival;
use crate::sim::math;
use crate::sim::rng::{Purpose, Random, avalanche, entity_key, mix};
use crate::sim::simd::SimdLevel;
use order::{AFFERENT_BITS, Key, MS_BITS, Sorter, key};
use rates::Rates;

/// The parameters of the stimulus. See the [module](self).
#[derive(Clone, Debug, PartialEq)]
pub struct MasquelierStimulus {
    /// How many afferents there are; 1 to 2²⁰.
    pub afferents: u32,
    /// The largest rate of the walk in Hz; 0 to 1000.
    pub max_rate_hz: f64,
    /// The longest time an afferent is silent, in ms; at least 1.
    pub longest_interval_ms: f64,
    /// Poisson noise of each afferent in Hz; at least 0.
    pub noise_hz: f64,
    /// The length of a slot and of the patterns in ms; 1 to 2000.
    pub slot_ms: u32,
    /// How many different patterns there are.
    pub patterns: u32,
    /// The share of slots with a pattern, all patterns together; 0 to 0.5.
    pub frequency: f64,
    /// The share of afferents that a pattern involves; 0 to 1.
    pub involved: f64,
    /// The standard deviation of the jitter in ms, 0 to a sixth of the slot.
    pub jitter_ms: f64,
    /// The share of a pattern's spikes that is replaced in each presentation; 0 to 1.
    pub deletion: f64,
    /// After how many slots everything repeats; 0 is never.
    pub repeat_slots: u64,
    /// The first slot in which each pattern may be, at most a million; 0 for those beyond the end of the list.
    pub starts: Vec<u64>,
    /// The seed.
    pub seed: u64,
}

impl Default for MasquelierStimulus {
    fn default() -> Self {
        Self {
            afferents: 2000,
            max_rate_hz: 90.0,
            longest_interval_ms: 50.0,
            noise_hz: 10.0,
            slot_ms: 50,
            patterns: 1,
            frequency: 0.25,
            involved: 0.5,
            jitter_ms: 1.0,
            deletion: 0.0,
            repeat_slots: 3000,
            starts: Vec::new(),
            seed: 1,
        }
    }
}

/// How many slots are searched for the first presentation of each pattern since its start; one that is not in them has no spikes.
const SEARCHED_SLOTS: u64 = 100_000;
/// The latest start of a pattern.
const LATEST_START: u64 = 1_000_000;

/// A parameter is out of range.
#[derive(thiserror::Error, Clone, Debug, PartialEq)]
#[error("{field} is {value}; allowed is {allowed}")]
pub struct StimulusError {
    /// The field.
    pub field: &'static str,
    /// What it is.
    pub value: f64,
    /// What it may be.
    pub allowed: &'static str,
}

impl MasquelierStimulus {
    /// Whether the parameters make a stimulus.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), StimulusError> {
        let slot = f64::from(self.slot_ms);
        for (field, value, least, most, allowed) in [
            (
                "afferents",
                self.afferents.into(),
                1.0,
                1_048_576.0,
                "1 to 1048576",
            ),
            ("max_rate_hz", self.max_rate_hz, 0.0, 1000.0, "0 to 1000"),
            (
                "longest_interval_ms",
                self.longest_interval_ms,
                1.0,
                1e7,
                "1 to 1e7",
            ),
            ("noise_hz", self.noise_hz, 0.0, 1e4, "0 to 1e4"),
            ("slot_ms", slot, 1.0, 2000.0, "1 to 2000"),
            ("patterns", self.patterns.into(), 0.0, 1e4, "0 to 10000"),
            ("frequency", self.frequency, 0.0, 0.5, "0 to 0.5"),
            ("involved", self.involved, 0.0, 1.0, "0 to 1"),
            (
                "jitter_ms",
                self.jitter_ms,
                0.0,
                slot / 6.0,
                "0 to a sixth of slot_ms",
            ),
            ("deletion", self.deletion, 0.0, 1.0, "0 to 1"),
        ] {
            if !(value >= least && value <= most) {
                return Err(StimulusError {
                    field,
                    value,
                    allowed,
                });
            }
        }
        match self.starts.iter().find(|&&start| start > LATEST_START) {
            None => Ok(()),
            Some(&start) => Err(StimulusError {
                field: "starts",
                value: start as f64,
                allowed: "0 to 1000000",
            }),
        }
    }

    /// Whether a pattern may be in this slot.
    fn has_started(&self, pattern: u32, slot: u64) -> bool {
        let start = self.starts.get(pattern as usize);
        start.is_none_or(|&start| slot >= start)
    }
}

/// One slot of the stimulus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// When it starts, in ms.
    pub start_ms: f64,
    /// When it ends and the next one starts, in ms.
    pub end_ms: f64,
    /// The pattern that is pasted in it.
    pub pattern: Option<u32>,
}

/// A pattern: the same in each presentation.
#[derive(Clone, Debug)]
struct Pattern {
    /// The afferents that it involves, 64 to a word.
    involved: Vec<u64>,
    /// Its spikes: time since its start in 2⁻³² ms, and afferent.
    spikes: Vec<(u64, u32)>,
}

/// The stimulus, slot by slot.
#[derive(Clone, Debug)]
pub struct SlotStream {
    stimulus: MasquelierStimulus,
    simd: SimdLevel,
    patterns: Vec<Pattern>,
    /// The walk, and how it begins.
    rates: Rates,
    fresh: Rates,
    noise: (PoissonCounts, u32),
    /// The slot that comes next.
    next: u64,
    /// What is drawn for it and for the one after it, started or not.
    drawn: [Option<u32>; 2],
    /// What is drawn for the first slot.
    opening: Option<u32>,
    /// Spikes of patterns that belong to the next slot and to the two after it.
    ahead: [Vec<Key>; 3],
    sorter: Sorter,
    scratch: Scratch,
    randoms: Randoms,
}

/// Room for one slot of the walk.
#[derive(Clone, Debug, Default)]
struct Scratch {
    walk: Vec<[u32; 2]>,
    within: Vec<[u32; 2]>,
    masks: Vec<u64>,
}

/// One random function for each thing that is drawn.
#[derive(Clone, Copy, Debug)]
struct Randoms {
    walk: Random,
    within: Random,
    noise: Random,
    paste: Random,
    jitter: Random,
    deletion: Random,
}

impl Randoms {
    fn new(seed: u64) -> Self {
        let of = |name: &str, purpose| Random::new(seed, entity_key(name), purpose);
        Self {
            walk: of("masquelier walk", Purpose::Poisson),
            within: of("masquelier within", Purpose::Poisson),
            noise: of("masquelier noise", Purpose::Noise),
            paste: of("masquelier paste", Purpose::Choice),
            jitter: of("masquelier jitter", Purpose::Noise),
            deletion: of("masquelier deletion", Purpose::Choice),
        }
    }
}

impl SlotStream {
    /// The stimulus from its start.
    ///
    /// # Errors
    /// If a parameter is out of range.
    pub fn new(stimulus: &MasquelierStimulus) -> Result<Self, StimulusError> {
        stimulus.check()?;
        let simd = SimdLevel::detect();
        let randoms = Randoms::new(stimulus.seed);
        let initial = Random::new(
            stimulus.seed,
            entity_key("masquelier rates"),
            Purpose::Initial,
        );
        let fresh = Rates::new(
            stimulus.afferents,
            stimulus.max_rate_hz,
            stimulus.longest_interval_ms,
            |afferent| initial.draws(afferent),
        );
        let per_slot = f64::from(stimulus.afferents) * f64::from(stimulus.slot_ms) * 1e-3;
        let mut stream = Self {
            patterns: (0..stimulus.patterns)
                .map(|pattern| Pattern {
                    involved: draw_involved(stimulus, pattern),
                    spikes: Vec::new(),
                })
                .collect(),
            rates: fresh.clone(),
            fresh,
            noise: PoissonCounts::split(per_slot * stimulus.noise_hz),
            next: 0,
            drawn: [None; 2],
            opening: None,
            ahead: Default::default(),
            sorter: Sorter::new(
                stimulus.slot_ms,
                per_slot * (0.6 * stimulus.max_rate_hz + stimulus.noise_hz),
            ),
            stimulus: stimulus.clone(),
            simd,
            scratch: Scratch::default(),
            randoms,
        };
        stream.opening = stream.drawn_pattern(0);
        stream.take_patterns();
        stream.drawn[1] = stream.opening;
        // The first slot's spikes are prepared as those of the slot after the one that comes.
        stream.paste(0);
        let [before, first, second] = core::mem::take(&mut stream.ahead);
        let clamped = before.iter().map(|key| key & ((1 << AFFERENT_BITS) - 1));
        stream.ahead[0] = clamped.chain(first).collect();
        stream.ahead[1] = second;
        stream.drawn = [stream.opening, None];
        // So that slots do not allocate as a rule.
        let most = stream.patterns.iter().map(|p| p.spikes.len()).max();
        for ahead in &mut stream.ahead {
            ahead.reserve(2 * most.unwrap_or(0) + 64);
        }
        Ok(stream)
    }

    /// The parameters.
    pub fn stimulus(&self) -> &MasquelierStimulus {
        &self.stimulus
    }

    /// The afferents that a pattern involves, ascending; none if there is no such pattern.
    pub fn involved(&self, pattern: u32) -> Vec<u32> {
        let Some(pattern) = self.patterns.get(pattern as usize) else {
            return Vec::new();
        };
        (0..self.stimulus.afferents)
            .filter(|&a| pattern.involved[a as usize / 64] >> (a % 64) & 1 == 1)
            .collect()
    }

    /// The spikes of a pattern as they are without jitter, in order: ms since its start, and afferent; none if there is no such pattern.
    pub fn pattern(&self, pattern: u32) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        if let Some(pattern) = self.patterns.get(pattern as usize) {
            let mut sorter = self.sorter.clone();
            for &(offset, afferent) in &pattern.spikes {
                sorter.push(key(offset, afferent));
            }
            sorter.drain(0.0, &mut arrivals);
        }
        arrivals
    }

    /// Replaces `arrivals` by the spikes of the next slot, ascending by time and at equal times by afferent.
    pub fn next_slot(&mut self, arrivals: &mut Vec<Arrival>) -> Slot {
        let at = self.next;
        self.next += 1;
        let index = self.index(at);
        let pattern = self.pasted(self.drawn[0], at);
        self.drawn[1] = self.pattern_of(self.index(at + 1), self.drawn[0]);
        self.paste(at + 1);
        for key in self.ahead[0].drain(..) {
            self.sorter.push(key);
        }
        self.ahead.rotate_left(1);
        self.drawn[0] = self.drawn[1];

        if index == 0 && at > 0 {
            self.rates.clone_from(&self.fresh);
        }
        self.walk(index, pattern);
        self.add_noise(index);
        let slot = f64::from(self.stimulus.slot_ms);
        let start_ms = at as f64 * slot;
        arrivals.clear();
        self.sorter.drain(start_ms, arrivals);
        Slot {
            start_ms,
            end_ms: (at + 1) as f64 * slot,
            pattern,
        }
    }

    /// What is pasted in a slot that this pattern was drawn for.
    fn pasted(&self, drawn: Option<u32>, slot: u64) -> Option<u32> {
        drawn.filter(|&pattern| self.stimulus.has_started(pattern, slot))
    }

    /// The index of a slot within its repetition.
    fn index(&self, slot: u64) -> u64 {
        match self.stimulus.repeat_slots {
            0 => slot,
            period => slot % period,
        }
    }

    /// Takes the spikes of each pattern from the walk in the slot of its first presentation.
    fn take_patterns(&mut self) {
        let mut firsts = vec![None; self.patterns.len()];
        let mut before = None;
        let started = self.stimulus.starts.iter().max().copied().unwrap_or(0);
        let searched = match self.stimulus.repeat_slots {
            0 => SEARCHED_SLOTS,
            period => period.min(SEARCHED_SLOTS),
        };
        for slot in 0..started + searched {
            let index = self.index(slot);
            before = self.pattern_of(index, before);
            if let Some(pattern) = self.pasted(before, slot) {
                firsts[pattern as usize].get_or_insert(index);
                if firsts.iter().all(Option::is_some) {
                    break;
                }
            }
        }
        let last = firsts.iter().flatten().max().map_or(0, |last| last + 1);
        let mut rates = self.fresh.clone();
        let mut scratch = core::mem::take(&mut self.scratch);
        for index in 0..last {
            let new = firsts.iter().position(|&first| first == Some(index));
            let mut spikes = Vec::new();
            for_each_spike(
                &mut rates,
                self.stimulus.afferents,
                self.simd,
                self.keys(index),
                &mut scratch,
                |block| new.map_or(0, |pattern| self.patterns[pattern].involved[block]),
                |offset, afferent| spikes.push((offset, afferent)),
            );
            if let Some(pattern) = new {
                self.patterns[pattern].spikes = spikes;
            }
        }
        self.scratch = scratch;
    }

    /// The keys of each ms of a slot: for the walk, and for times within a ms.
    fn keys(&self, index: u64) -> impl Iterator<Item = [[u32; 2]; 2]> + use<> {
        let Randoms { walk, within, .. } = self.randoms;
        let ms = u64::from(self.stimulus.slot_ms);
        (index * ms..(index + 1) * ms).map(move |step| [walk.step_key(step), within.step_key(step)])
    }

    /// What is drawn for the slot of this index if `before` is for the one before it.
    fn pattern_of(&self, index: u64, before: Option<u32>) -> Option<u32> {
        let closes = self.stimulus.repeat_slots == index + 1;
        if index == 0 {
            self.opening
        } else if before.is_some() || (closes && self.opening.is_some()) {
            None
        } else {
            self.drawn_pattern(index)
        }
    }

    /// What is drawn for a slot if the one before it is without.
    fn drawn_pattern(&self, index: u64) -> Option<u32> {
        let mut draws = self.randoms.paste.draws(index);
        let f = self.stimulus.frequency;
        let pastes = draws.unit() < f / (1.0 - f);
        (pastes && self.stimulus.patterns > 0).then(|| draws.below(self.stimulus.patterns))
    }

    /// Prepares the spikes of what is pasted in this slot, the one of `drawn[1]`.
    fn paste(&mut self, slot: u64) {
        let Some(pattern) = self.pasted(self.drawn[1], slot) else {
            return;
        };
        let index = self.index(slot);
        let length = u64::from(self.stimulus.slot_ms) << MS_BITS;
        let jitter_key = self.randoms.jitter.step_key(index);
        let deletion_key = self.randoms.deletion.step_key(index);
        let deleted = (self.stimulus.deletion * 4_294_967_296.0) as u64;
        let spikes = &self.patterns[pattern as usize].spikes;
        let ahead = &mut self.ahead;
        let mut place = |offset: u64, afferent: u32, jitter_ms: f32| {
            let shift = (f64::from(jitter_ms) * (1u64 << MS_BITS) as f64) as i64;
            let at = (length + offset)
                .saturating_add_signed(shift)
                .min(3 * length - 1);
            ahead[(at / length) as usize].push(key(at % length, afferent));
        };
        for (pair, two) in (0u32..).zip(spikes.chunks(2)) {
            let jitters = normal_pair(pair, jitter_key, self.stimulus.jitter_ms as f32);
            for (which, (&(offset, afferent), jitter)) in (0u32..).zip(two.iter().zip(jitters)) {
                let spike = 4 * pair + 2 * which;
                if u64::from(mix(spike, deletion_key)) < deleted {
                    let offset =
                        u64::from(mix(spike + 1, deletion_key)) * u64::from(self.stimulus.slot_ms);
                    place(offset, afferent, 0.0);
                } else {
                    place(offset, afferent, jitter);
                }
            }
        }
    }

    /// Adds the spikes of the walk in a slot, but for the afferents of `pattern`.
    fn walk(&mut self, index: u64, pattern: Option<u32>) {
        let keys = self.keys(index);
        let involved = pattern.map(|p| &self.patterns[p as usize].involved[..]);
        let sorter = &mut self.sorter;
        for_each_spike(
            &mut self.rates,
            self.stimulus.afferents,
            self.simd,
            keys,
            &mut self.scratch,
            |block| involved.map_or(u64::MAX, |mask| !mask[block]),
            |offset, afferent| sorter.push(key(offset, afferent)),
        );
    }

    /// Adds the noise of a slot.
    fn add_noise(&mut self, index: u64) {
        let (counts, draws) = &self.noise;
        let random = &self.randoms.noise;
        let (mut total, mut words) = (0, random.draws(2 * index));
        for draw in 0..u64::from(*draws) {
            let bits = words.word() as u16;
            let more = || random.draws(1 << 63 | index << 20 | draw);
            total += counts.count(bits, more);
        }
        let from = random.draws(2 * index + 1).word64();
        for i in 1..=u64::from(total) {
            let word = avalanche(from.wrapping_add(i.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
            let offset = (word >> 32) * u64::from(self.stimulus.slot_ms);
            let afferent = ((word & 0xFFFF_FFFF) * u64::from(self.stimulus.afferents)) >> 32;
            self.sorter.push(key(offset, afferent as u32));
        }
    }
}

/// Steps the walk once for each pair of keys (for the walk, and for times within a ms) and hands on the spikes: time since the first step in
/// 2⁻³² ms, and afferent. `wanted` is given a block of 64 afferents.
fn for_each_spike(
    rates: &mut Rates,
    afferents: u32,
    simd: SimdLevel,
    keys: impl Iterator<Item = [[u32; 2]; 2]>,
    Scratch {
        walk,
        within,
        masks,
    }: &mut Scratch,
    wanted: impl Fn(usize) -> u64,
    mut spike: impl FnMut(u64, u32),
) {
    walk.clear();
    within.clear();
    for [at, inside] in keys {
        walk.push(at);
        within.push(inside);
    }
    masks.clear();
    masks.resize(walk.len(), 0);
    for block in 0..rates.blocks() {
        rates.step(block, walk, masks, simd);
        let first = (block * 64) as u32;
        let exist = u64::MAX >> (64 - (afferents - first).min(64));
        let wanted = exist & wanted(block);
        for ((step, mask), &key) in (0u64..).zip(&*masks).zip(&*within) {
            let mut bits = mask & wanted;
            while bits != 0 {
                let afferent = first + bits.trailing_zeros();
                bits &= bits - 1;
                spike(step << MS_BITS | u64::from(mix(afferent, key)), afferent);
            }
        }
    }
}

/// Draws which afferents a pattern involves.
fn draw_involved(stimulus: &MasquelierStimulus, pattern: u32) -> Vec<u64> {
    let entity = avalanche(entity_key("masquelier pattern") ^ u64::from(pattern));
    let random = Random::new(stimulus.seed, entity, Purpose::Choice);
    let first = (f64::from(stimulus.afferents) * stimulus.involved).round() as u32;
    let mut involved = vec![0u64; (stimulus.afferents as usize).div_ceil(64)];
    for afferent in 0..stimulus.afferents {
        let chosen = if stimulus.patterns == 1 {
            afferent < first
        } else {
            random.draws(afferent.into()).unit() < stimulus.involved
        };
        involved[afferent as usize / 64] |= u64::from(chosen) << (afferent % 64);
    }
    involved
}

/// Two normal numbers of standard deviation `deviation` (Box–Muller); beyond 5.8 deviations there are none.
#[inline(always)]
fn normal_pair(pair: u32, key: [u32; 2], deviation: f32) -> [f32; 2] {
    let unit = |word: u32| (word >> 8) as f32 * (1.0 / (1u32 << 24) as f32);
    let radius = deviation * math::sqrt(-2.0 * math::log(unit(mix(2 * pair, key)) + 3e-8));
    let (sine, cosine) = math::sin_cos_turn(unit(mix(2 * pair + 1, key)));
    [radius * cosine, radius * sine]
}

#[cfg(test)]
mod tests;
