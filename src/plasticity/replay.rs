//! Bringing a synapse up to date: the events that have reached it, in the order of their times.
//!
//! A synapse is visited when a presynaptic spike arrives, when some target neuron has spiked so often that its spikes must be dealt with, and
//! when weights are read. Between visits nothing is done for it, so that the cost follows spikes and not synapses. A visit first
//! replays the postsynaptic spikes that have come back to the synapse since the last one, then takes the presynaptic spike. What comes out
//! depends on the events alone and not on when visits happened; but where a modulator acts between spikes, bounds are applied at visits only
//! (see [`eligibility`](super::eligibility)).
//!
//! # Events of one time
//!
//! A presynaptic and a postsynaptic spike may reach a synapse in the same step: see [`Coincidence`]. Even where they mean nothing to each
//! other, one of them acts first, which matters to bounds, to changes that depend on the weight, and to what is sent. Where the delay has a
//! dendritic part, the postsynaptic spike is known in time and comes first, as in NEST; where all of the delay is axonal, it is the arriving
//! input that may have caused it, and comes after, as it does wherever it sees the presynaptic one.

use super::history::{LastSpike, PostSpikes, PreSpike};
use super::steering::Share;
use super::upkeep::Fade;
use super::{Coincidence, LearningRule, Seen, SynapseState, Traces};

/// What reaches the synapses of one segment between two visits, in ages: steps before the visit.
#[derive(Clone, Copy)]
pub(super) struct Window<P> {
    /// The time of the visit.
    pub now: u32,
    /// The steps that a postsynaptic spike takes to the synapse.
    pub back: u32,
    /// Postsynaptic spikes are replayed from this age, excluded, …
    pub from: i32,
    /// … down to this age, included.
    pub to: i32,
    /// The age of the last presynaptic spike.
    pub last_age: u32,
    /// The presynaptic traces just after it.
    pub last: P,
    /// The presynaptic traces that a postsynaptic spike of the same age sees.
    pub tie: P,
    /// The age to which synapses have been brought up to date.
    pub clock: u32,
}

impl<P: Traces> Window<P> {
    /// The window before an arriving spike at `now`. `since` is how long ago all synapses were last brought up to date.
    #[inline(always)]
    pub fn before_spike(
        now: u32,
        emitted: u32,
        back: u32,
        spike: &PreSpike<P>,
        since: u32,
        order: Order,
    ) -> Self {
        let last_age = emitted.wrapping_sub(spike.last_time);
        Self {
            now,
            back,
            from: (last_age + u32::from(order.after)).min(since) as i32,
            to: i32::from(order.after),
            last_age,
            last: spike.last,
            tie: if order.pre_counts {
                spike.last
            } else {
                spike.before_last
            },
            clock: last_age.min(since),
        }
    }

    /// The window before a spike that arrives at `now`, where the last one that arrived is known.
    #[inline(always)]
    pub fn before_arrival(now: u32, last: &LastSpike<P>, since: u32, order: Order) -> Self {
        Self {
            to: i32::from(order.after),
            ..Self::until_now(now, 0, 0, last, since, order)
        }
    }

    /// The window up to `now`, when no spike arrives. `axonal` is the axonal delay.
    #[inline(always)]
    pub fn until_now(
        now: u32,
        axonal: u32,
        back: u32,
        last: &LastSpike<P>,
        since: u32,
        order: Order,
    ) -> Self {
        let last_age = now.wrapping_sub(last.time).wrapping_sub(axonal);
        Self {
            now,
            back,
            from: (last_age.saturating_add(u32::from(order.after))).min(since) as i32,
            to: 0,
            last_age,
            last: last.after,
            tie: if order.pre_counts {
                last.after
            } else {
                last.before
            },
            clock: last_age.min(since),
        }
    }
}

/// How events of one time are ordered and whether they count.
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// Whether the postsynaptic spike comes after the presynaptic one.
    pub after: bool,
    /// Whether a postsynaptic spike sees a presynaptic one of the same time.
    pub pre_counts: bool,
    /// Whether a presynaptic spike sees a postsynaptic one of the same time.
    pub post_counts: bool,
}

impl Order {
    pub fn new(coincidence: Coincidence, dendritic: u32) -> Self {
        Self {
            after: dendritic == 0 || coincidence != Coincidence::Ignored,
            pre_counts: coincidence != Coincidence::Ignored,
            post_counts: coincidence == Coincidence::Both,
        }
    }
}

/// Replays the postsynaptic spikes in a window and lets time pass to its end, in which weights fade if they do at all. Also returns the
/// number of the first spike that was not replayed.
#[inline(always)]
pub(super) fn replay<R: LearningRule>(
    rule: &R,
    mut state: SynapseState,
    spikes: PostSpikes<'_, R::Post>,
    window: &Window<R::Pre>,
    share: Share<'_>,
    fade: Option<&Fade>,
) -> (SynapseState, u32) {
    let pass = |state: SynapseState, now, steps| {
        let passed = rule.pass(state, now, steps, share.class());
        let mut after = share.passed(state.weight, passed, now);
        if let Some(fade) = fade {
            after.weight = fade.after(after.weight, steps);
        }
        share.of_any(state.weight, after)
    };
    let age = |time: u32| window.now.wrapping_sub(time).wrapping_sub(window.back) as i32;
    let (mut next, oldest) = (spikes.count, spikes.oldest());
    while next != oldest && age(spikes.get(next.wrapping_sub(1)).time) < window.from {
        next = next.wrapping_sub(1);
    }
    let mut clock = window.clock;
    while next != spikes.count {
        let spike = spikes.get(next);
        let here = age(spike.time);
        if here < window.to {
            break;
        }
        let previous = spikes.get(next.wrapping_sub(1));
        let here = here as u32;
        state = pass(state, window.now.wrapping_sub(here), clock - here);
        clock = here;
        let pre = Seen {
            traces: if here == window.last_age {
                window.tie
            } else {
                window.last
            },
            ago: window.last_age - here,
        };
        let post = if R::FOLLOWS {
            Seen {
                traces: spike.after,
                ago: 0,
            }
        } else {
            Seen {
                traces: previous.after,
                ago: spike.time.wrapping_sub(previous.time),
            }
        };
        let stamp = window.now.wrapping_sub(here);
        state = share.of(state.weight, rule.at_post(state, pre, post), stamp);
        next = next.wrapping_add(1);
    }
    (pass(state, window.now, clock), next)
}

/// The postsynaptic traces that a presynaptic spike at the end of a window sees; `next` is what [`replay`] returned.
#[inline(always)]
pub(super) fn seen_by_pre<R: LearningRule>(
    spikes: PostSpikes<'_, R::Post>,
    next: u32,
    window: &Window<R::Pre>,
    order: Order,
) -> Seen<R::Post> {
    let age = |time: u32| window.now.wrapping_sub(time).wrapping_sub(window.back);
    let mut spike = spikes.get(next.wrapping_sub(1));
    if order.post_counts {
        if next != spikes.count && age(spikes.get(next).time) == 0 {
            spike = spikes.get(next);
        }
    } else if !order.after && age(spike.time) == 0 {
        spike = spikes.get(next.wrapping_sub(2));
    }
    Seen {
        traces: spike.after,
        ago: age(spike.time),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fading;
    use super::super::history::{LONG_AGO, PostHistory};
    use super::*;

    #[test]
    fn the_search_ends_with_the_oldest_spikes_however_late_it_is() {
        for now in [
            0,
            5,
            LONG_AGO,
            LONG_AGO + 1,
            1 << 31,
            3 << 30,
            u32::MAX - LONG_AGO,
            u32::MAX,
        ] {
            for since in [0, 1, 1000, LONG_AGO] {
                let mut post = PostHistory::<[f32; 0]>::new(1, 0, 4);
                if now > 10 && since > 10 {
                    post.push(now - 3, 0, |last, _| last);
                }
                let (order, last) = (Order::new(Coincidence::Ignored, 0), LastSpike::none(0));
                let window = Window::until_now(now, 0, 0, &last, since, order);
                let state = SynapseState {
                    weight: 0.5,
                    tag: 0.0,
                };
                let (after, next) = replay(&Fading, state, post.of(0), &window, Share::ALL, None);
                assert_eq!(after, state, "{now}, {since}");
                // Later, times that nobody refreshed have come round.
                if now < LONG_AGO {
                    assert_eq!(next, post.of(0).count, "{now}, {since}");
                }
            }
        }
    }
}
