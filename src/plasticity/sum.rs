//! Several learning rules on one projection: their changes add.
//!
//! All rules see the weight before an event, what each would change is summed, and the sum stays within the bounds that all of them allow. Traces
//! and tags are those of each rule by itself. The rules agree on the order of transmission and change and on the meaning of coincident
//! spikes; at most one marks synapses with a tag, or is modulated. Rules that follow membranes cannot be added to others, as their
//! postsynaptic events are not spikes.
//!
//! What a sum costs is what its rules cost, and a call through a pointer for each.

use super::gating::Factors;
use super::upkeep::Lasting;
use super::{
    BoxedRule, Coincidence, LearningRule, Seen, SendOrder, SynapseState, Traces, UNBOUND, exact,
    executor,
};
use crate::modulation::Signal;
use crate::sim::math::within;
use bevy::ecs::world::EntityWorldMut;

/// How many numbers the traces of all rules of a sum may be, on each side.
const MOST: usize = 8;

type Numbers = [f32; MOST];

/// A rule of any type, with traces as slices.
pub(super) trait Part: Send + Sync {
    fn lengths(&self) -> (usize, usize);
    fn is_tagged(&self) -> bool;
    fn is_modulated(&self) -> bool;
    fn follows(&self) -> bool;
    /// See [`executor::bytes_per_target`].
    fn target_bytes(&self, longest_back: u32, whole: bool) -> f64;
    fn pre_spiked(&self, last: &[f32], ago: u32, before: &mut [f32], after: &mut [f32]);
    fn post_spiked(&self, last: &[f32], ago: u32, after: &mut [f32]);
    fn at_pre(&self, s: SynapseState, pre: Seen<&[f32]>, post: Seen<&[f32]>) -> SynapseState;
    fn at_post(&self, s: SynapseState, pre: Seen<&[f32]>, post: Seen<&[f32]>) -> SynapseState;
    fn pass(&self, state: SynapseState, now: u32, steps: u32, class: usize) -> SynapseState;
    fn unbind(&mut self);
    fn distinguish(&mut self, classes: usize);
    fn count_ticks(&mut self, per_step: u32);
    fn modulate(&mut self, signal: &Signal, factors: &[Factors]);
    fn epoch_is_full(&self) -> bool;
    fn begin_epoch(&mut self, now: u64);
    fn save(&self, out: &mut Vec<u32>);
    fn load(&mut self, from: &mut &[u32]) -> Option<()>;
    fn order(&self) -> SendOrder;
    fn coincidence(&self) -> Coincidence;
    /// Puts the rule by itself to work.
    fn insert(self: Box<Self>, projection: &mut EntityWorldMut<'_>, lasting: Lasting);
    /// Puts the rule by itself to work, in continuous time.
    fn insert_exact(self: Box<Self>, projection: &mut EntityWorldMut<'_>, lasting: Lasting);
}

fn traces<T: Traces>(values: &[f32]) -> T {
    let mut traces = T::default();
    traces.values_mut().copy_from_slice(values);
    traces
}

fn seen<T: Traces>(seen: Seen<&[f32]>) -> Seen<T> {
    Seen {
        traces: traces(seen.traces),
        ago: seen.ago,
    }
}

impl<R: LearningRule> Part for R {
    fn lengths(&self) -> (usize, usize) {
        (
            R::Pre::default().values().len(),
            R::Post::default().values().len(),
        )
    }
    fn is_tagged(&self) -> bool {
        R::TAGGED
    }
    fn is_modulated(&self) -> bool {
        R::MODULATED
    }
    fn follows(&self) -> bool {
        R::FOLLOWS
    }
    fn target_bytes(&self, longest_back: u32, whole: bool) -> f64 {
        executor::bytes_per_target(self, longest_back, whole)
    }
    fn pre_spiked(&self, last: &[f32], ago: u32, before: &mut [f32], after: &mut [f32]) {
        let (just_before, just_after) = LearningRule::pre_spiked(self, traces(last), ago);
        before.copy_from_slice(just_before.values());
        after.copy_from_slice(just_after.values());
    }
    fn post_spiked(&self, last: &[f32], ago: u32, after: &mut [f32]) {
        after.copy_from_slice(LearningRule::post_spiked(self, traces(last), ago).values());
    }
    fn at_pre(&self, s: SynapseState, pre: Seen<&[f32]>, post: Seen<&[f32]>) -> SynapseState {
        LearningRule::at_pre(self, s, seen(pre), seen(post))
    }
    fn at_post(&self, s: SynapseState, pre: Seen<&[f32]>, post: Seen<&[f32]>) -> SynapseState {
        LearningRule::at_post(self, s, seen(pre), seen(post))
    }
    fn pass(&self, state: SynapseState, now: u32, steps: u32, class: usize) -> SynapseState {
        LearningRule::pass(self, state, now, steps, class)
    }
    fn unbind(&mut self) {
        LearningRule::unbind(self);
    }
    fn distinguish(&mut self, classes: usize) {
        LearningRule::distinguish(self, classes);
    }
    fn count_ticks(&mut self, per_step: u32) {
        LearningRule::count_ticks(self, per_step);
    }
    fn modulate(&mut self, signal: &Signal, factors: &[Factors]) {
        LearningRule::modulate(self, signal, factors);
    }
    fn epoch_is_full(&self) -> bool {
        LearningRule::epoch_is_full(self)
    }
    fn begin_epoch(&mut self, now: u64) {
        LearningRule::begin_epoch(self, now);
    }
    fn save(&self, out: &mut Vec<u32>) {
        LearningRule::save(self, out);
    }
    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        LearningRule::load(self, from)
    }
    fn order(&self) -> SendOrder {
        LearningRule::order(self)
    }
    fn coincidence(&self) -> Coincidence {
        LearningRule::coincidence(self)
    }
    fn insert(self: Box<Self>, projection: &mut EntityWorldMut<'_>, lasting: Lasting) {
        executor::insert(projection, *self, lasting);
    }
    fn insert_exact(self: Box<Self>, projection: &mut EntityWorldMut<'_>, lasting: Lasting) {
        exact::insert(projection, *self, lasting);
    }
}

impl BoxedRule {
    /// The sum of several rules, given with their places in a list, whose weights stay from `low` to `high`.
    ///
    /// # Errors
    /// Which rules cannot be added, by their places, and why.
    pub fn sum(rules: Vec<(usize, Self)>, (low, high): (f64, f64)) -> Result<Self, String> {
        let (at, parts): (Vec<_>, Vec<_>) = (rules.into_iter())
            .map(|(place, rule)| (place, rule.part))
            .unzip();
        let both = |first: usize, second: usize, why: &str| {
            Err(format!(
                "rules [{}] and [{}] cannot be added: {why}",
                at[first], at[second]
            ))
        };
        let places = |is: &dyn Fn(&dyn Part) -> bool| -> Vec<usize> {
            (0..parts.len())
                .filter(|i| is(parts[*i].as_ref()))
                .collect()
        };
        if let ([place, ..], true) = (&places(&|p| p.follows())[..], parts.len() > 1) {
            return both(
                *place,
                usize::from(*place == 0),
                "one of them follows the membrane of target neurons, the other their spikes",
            );
        }
        if let [first, second, ..] = places(&|p| p.is_tagged())[..] {
            return both(
                first,
                second,
                "both mark synapses, as rules with eligibility and `PreCentred` pairing do",
            );
        }
        if let [first, second, ..] = places(&|p| p.is_modulated())[..] {
            return both(first, second, "both are modulated");
        }
        for (i, part) in parts.iter().enumerate().skip(1) {
            if part.order() != parts[0].order() {
                return both(0, i, "their `order` differs");
            }
            if part.coincidence() != parts[0].coincidence() {
                return both(0, i, "their `coincidence` differs");
            }
        }
        let (mut pre, mut post) = (0, 0);
        let mut spans = Vec::new();
        for part in &parts {
            let (of_pre, of_post) = part.lengths();
            spans.push(Span {
                pre: (pre, pre + of_pre),
                post: (post, post + of_post),
            });
            (pre, post) = (pre + of_pre, post + of_post);
        }
        if pre > MOST || post > MOST {
            return Err(format!(
                "{} rules have {} traces per neuron; a sum may have {MOST}",
                parts.len(),
                pre.max(post)
            ));
        }
        let tagged = parts.iter().any(|p| p.is_tagged());
        let modulated = parts.iter().any(|p| p.is_modulated());
        let sum = Rules {
            parts,
            spans,
            bounds: [low as f32, high as f32],
        };
        Ok(match (tagged, modulated) {
            (false, false) => Self::new(Sum::<false, false>(sum)),
            (true, false) => Self::new(Sum::<true, false>(sum)),
            (false, true) => Self::new(Sum::<false, true>(sum)),
            (true, true) => Self::new(Sum::<true, true>(sum)),
        })
    }
}

/// Where the traces of a rule are among those of all.
#[derive(Clone, Copy)]
struct Span {
    pre: (usize, usize),
    post: (usize, usize),
}

struct Rules {
    parts: Vec<Box<dyn Part>>,
    spans: Vec<Span>,
    bounds: [f32; 2],
}

/// A sum of rules.
struct Sum<const TAGGED: bool, const MODULATED: bool>(Rules);

impl Rules {
    /// Adds up what each rule makes of a state.
    #[inline(always)]
    fn added(
        &self,
        state: SynapseState,
        after: impl Fn(&dyn Part, Span, SynapseState) -> SynapseState,
    ) -> SynapseState {
        let (mut change, mut tag) = (0.0, state.tag);
        for (part, span) in self.parts.iter().zip(&self.spans) {
            let next = after(part.as_ref(), *span, state);
            change += next.weight - state.weight;
            if part.is_tagged() {
                tag = next.tag;
            }
        }
        let weight = state.weight + change;
        SynapseState {
            weight: within(weight, self.bounds),
            tag,
        }
    }
}

impl Span {
    fn pre<'a>(&self, seen: &'a Seen<Numbers>) -> Seen<&'a [f32]> {
        Seen {
            traces: &seen.traces[self.pre.0..self.pre.1],
            ago: seen.ago,
        }
    }

    fn post<'a>(&self, seen: &'a Seen<Numbers>) -> Seen<&'a [f32]> {
        Seen {
            traces: &seen.traces[self.post.0..self.post.1],
            ago: seen.ago,
        }
    }
}

impl<const TAGGED: bool, const MODULATED: bool> LearningRule for Sum<TAGGED, MODULATED> {
    type Pre = Numbers;
    type Post = Numbers;
    const TAGGED: bool = TAGGED;
    const MODULATED: bool = MODULATED;

    fn pre_spiked(&self, last: Numbers, ago: u32) -> (Numbers, Numbers) {
        let (mut before, mut after) = (last, last);
        for (part, span) in self.0.parts.iter().zip(&self.0.spans) {
            let (from, to) = span.pre;
            part.pre_spiked(
                &last[from..to],
                ago,
                &mut before[from..to],
                &mut after[from..to],
            );
        }
        (before, after)
    }

    fn post_spiked(&self, last: Numbers, ago: u32) -> Numbers {
        let mut after = last;
        for (part, span) in self.0.parts.iter().zip(&self.0.spans) {
            let (from, to) = span.post;
            part.post_spiked(&last[from..to], ago, &mut after[from..to]);
        }
        after
    }

    fn at_pre(&self, state: SynapseState, pre: Seen<Numbers>, post: Seen<Numbers>) -> SynapseState {
        self.0.added(state, |part, span, state| {
            part.at_pre(state, span.pre(&pre), span.post(&post))
        })
    }

    fn at_post(
        &self,
        state: SynapseState,
        pre: Seen<Numbers>,
        post: Seen<Numbers>,
    ) -> SynapseState {
        self.0.added(state, |part, span, state| {
            part.at_post(state, span.pre(&pre), span.post(&post))
        })
    }

    fn pass(&self, state: SynapseState, now: u32, steps: u32, class: usize) -> SynapseState {
        self.0
            .added(state, |part, _, state| part.pass(state, now, steps, class))
    }

    fn unbind(&mut self) {
        self.0.bounds = UNBOUND;
        for part in &mut self.0.parts {
            part.unbind();
        }
    }

    fn distinguish(&mut self, classes: usize) {
        for part in &mut self.0.parts {
            part.distinguish(classes);
        }
    }

    fn count_ticks(&mut self, per_step: u32) {
        for part in &mut self.0.parts {
            part.count_ticks(per_step);
        }
    }

    fn modulate(&mut self, signal: &Signal, factors: &[Factors]) {
        for part in self.0.parts.iter_mut().filter(|p| p.is_modulated()) {
            part.modulate(signal, factors);
        }
    }

    fn epoch_is_full(&self) -> bool {
        self.0.parts.iter().any(|p| p.epoch_is_full())
    }

    fn begin_epoch(&mut self, now: u64) {
        for part in &mut self.0.parts {
            part.begin_epoch(now);
        }
    }

    fn save(&self, out: &mut Vec<u32>) {
        for part in &self.0.parts {
            part.save(out);
        }
    }

    fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        self.0.parts.iter_mut().try_for_each(|p| p.load(from))
    }

    fn order(&self) -> SendOrder {
        self.0.parts[0].order()
    }

    fn coincidence(&self) -> Coincidence {
        self.0.parts[0].coincidence()
    }
}
