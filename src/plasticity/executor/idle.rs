//! The rules of projections that do not learn by spikes.

use crate::plasticity::{LearningRule, Seen, SynapseState};

/// The rule of projections whose weights only [fade](crate::plasticity::upkeep::Fade).
pub struct Fading;

impl LearningRule for Fading {
    type Pre = [f32; 0];
    type Post = [f32; 0];

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 0], _: u32) -> ([f32; 0], [f32; 0]) {
        (last, last)
    }
    #[inline(always)]
    fn post_spiked(&self, last: [f32; 0], _: u32) -> [f32; 0] {
        last
    }
    fn unbind(&mut self) {}

    #[inline(always)]
    fn at_pre(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
    #[inline(always)]
    fn at_post(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
}

/// The rule of projections whose weights stay as they are: they have short-term dynamics only.
pub struct Unchanging;

impl LearningRule for Unchanging {
    type Pre = [f32; 0];
    type Post = [f32; 0];
    const LEARNS: bool = false;

    #[inline(always)]
    fn pre_spiked(&self, last: [f32; 0], _: u32) -> ([f32; 0], [f32; 0]) {
        (last, last)
    }
    #[inline(always)]
    fn post_spiked(&self, last: [f32; 0], _: u32) -> [f32; 0] {
        last
    }
    fn unbind(&mut self) {}

    #[inline(always)]
    fn at_pre(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
    #[inline(always)]
    fn at_post(&self, state: SynapseState, _: Seen<[f32; 0]>, _: Seen<[f32; 0]>) -> SynapseState {
        state
    }
}
