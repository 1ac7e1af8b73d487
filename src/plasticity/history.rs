//! The recent spikes of a projection's source and target neurons, with the traces that they left.
//!
//! Times are the stamps of spikes in steps, the low 32 bits; differences wrap. A neuron that has not spiked has its last spike
//! [`LONG_AGO`] steps before the present, and traces of zero. [`refresh`](PreHistory::refresh) keeps old times from coming round again.

use super::Traces;

/// As many steps ago as anything ever is.
pub const LONG_AGO: u32 = 1 << 30;

/// A presynaptic spike on its way along the axon, with what came before it.
#[derive(Clone, Copy, Debug)]
pub struct PreSpike<P> {
    /// The source neuron.
    pub neuron: u32,
    /// When its previous spike was.
    pub last_time: u32,
    /// Its traces just after the previous spike.
    pub last: P,
    /// Its traces just before the previous spike.
    pub before_last: P,
    /// Its traces just before this spike.
    pub before: P,
    /// Its traces just after this spike.
    pub after: P,
    /// The part of the weight that this spike transmits: see [`short_term`](crate::synapses::short_term).
    pub efficacy: f32,
    /// Whether it is transmitted but not learnt from: see [`PreHistory::forget`].
    pub forgotten: bool,
}

/// The newest spike of a neuron that has reached a place.
#[derive(Clone, Copy, Debug)]
pub struct LastSpike<P> {
    /// When it was.
    pub time: u32,
    /// The traces just before it.
    pub before: P,
    /// The traces just after it.
    pub after: P,
}

impl<P: Traces> LastSpike<P> {
    /// That of a neuron that has not spiked up to `now`.
    pub(super) fn none(now: u32) -> Self {
        Self {
            time: now.wrapping_sub(LONG_AGO),
            before: P::default(),
            after: P::default(),
        }
    }
}

/// The spikes of the source neurons: the last one of each, and those that may still be under way along axons.
#[derive(Clone, Debug)]
pub struct PreHistory<P> {
    /// Per neuron: its newest spike.
    newest: Vec<LastSpike<P>>,
    /// Per step, modulo its length: the spikes of that step.
    steps: Vec<Vec<PreSpike<P>>>,
}

impl<P: Traces> PreHistory<P> {
    /// No spikes of `neurons` neurons; those of the last `longest` steps can be asked for.
    pub fn new(neurons: usize, longest: u32) -> Self {
        Self {
            newest: vec![LastSpike::none(0); neurons],
            // With some room, so that a burst does not allocate, but not for many steps at once.
            steps: (0..=longest)
                .map(|_| {
                    Vec::with_capacity(neurons.min(4096 / (longest as usize + 1)).clamp(2, 64))
                })
                .collect(),
        }
    }

    /// Forgets the spikes of the oldest step in favour of those of the step with stamp `now`, which [`push`](Self::push) adds.
    pub fn begin(&mut self, now: u64) {
        let place = (now % self.steps.len() as u64) as usize;
        self.steps[place].clear();
    }

    /// Adds a spike at `now`. `spiked` makes the traces just before and just after it from those after the previous one, so many steps
    /// ago.
    pub fn push(
        &mut self,
        now: u64,
        neuron: u32,
        efficacy: f32,
        spiked: impl FnOnce(P, u32) -> (P, P),
    ) {
        let last = self.newest[neuron as usize];
        let (before, after) = spiked(last.after, (now as u32).wrapping_sub(last.time));
        let place = (now % self.steps.len() as u64) as usize;
        self.steps[place].push(PreSpike {
            neuron,
            last_time: last.time,
            last: last.after,
            before_last: last.before,
            before,
            after,
            efficacy,
            forgotten: false,
        });
        self.newest[neuron as usize] = LastSpike {
            time: now as u32,
            before,
            after,
        };
    }

    /// The spikes with stamp `time`, at most the longest axonal delay ago.
    #[inline]
    pub fn at(&self, time: u64) -> &[PreSpike<P>] {
        &self.steps[(time % self.steps.len() as u64) as usize]
    }

    /// The newest spike of every neuron that was at `limit` or before. `now` is the stamp of the newest step.
    pub fn newest_until(&self, now: u64, limit: u64, out: &mut Vec<LastSpike<P>>) {
        out.clear();
        out.extend_from_slice(&self.newest);
        let kept = (self.steps.len() as u64).min(now);
        // Back in time over the spikes that have not arrived.
        for time in (now + 1 - kept..=now).rev().take_while(|t| *t > limit) {
            for spike in self.at(time) {
                out[spike.neuron as usize] = LastSpike {
                    time: spike.last_time,
                    before: spike.before_last,
                    after: spike.last,
                };
            }
        }
    }

    /// Keeps times within [`LONG_AGO`] of `now`.
    pub fn refresh(&mut self, now: u32) {
        for last in &mut self.newest {
            if now.wrapping_sub(last.time) > LONG_AGO {
                last.time = now.wrapping_sub(LONG_AGO);
            }
        }
    }

    /// The traces of every neuron at `now`, decayed by `decay` from what they were so many steps ago.
    pub fn traces(&self, now: u32, decay: impl Fn(P, u32) -> P) -> Vec<P> {
        self.newest
            .iter()
            .map(|last| decay(last.after, now.wrapping_sub(last.time)))
            .collect()
    }

    /// Forgets every spike up to `now`, as if none had been. Those under way are still transmitted.
    pub fn forget(&mut self, now: u32) {
        let silent = LastSpike::none(now);
        self.newest.fill(silent);
        for spike in self.steps.iter_mut().flatten() {
            *spike = PreSpike {
                neuron: spike.neuron,
                last_time: silent.time,
                last: P::default(),
                before_last: P::default(),
                before: P::default(),
                after: P::default(),
                efficacy: spike.efficacy,
                forgotten: true,
            };
        }
    }

    /// Takes over the spikes up to `now` of a history before an edit, of those neurons that there still are. Those on their way take as long
    /// as the axons are now; those that had arrived stay arrived when they did, by the longest axons then and now.
    pub fn take_over(&mut self, former: &Self, now: u64) {
        let neurons = self.newest.len().min(former.newest.len());
        let [longest, before] = [&*self, former].map(|history| history.steps.len() as u32 - 1);
        let seen_as = |time: u32| match (now as u32).wrapping_sub(time) {
            age if age < before => time,
            _ => time.wrapping_add(before).wrapping_sub(longest),
        };
        self.newest.fill(LastSpike::none(now as u32));
        for (own, last) in self.newest.iter_mut().zip(&former.newest[..neurons]) {
            *own = LastSpike {
                time: seen_as(last.time),
                ..*last
            };
        }
        self.steps.iter_mut().for_each(Vec::clear);
        let under_way = u64::from(if longest > before {
            before
        } else {
            longest + 1
        });
        let places = self.steps.len() as u64;
        for time in (now + 1).saturating_sub(under_way)..=now {
            let spikes = former.at(time).iter();
            let spikes = spikes.filter(|spike| (spike.neuron as usize) < neurons);
            let spikes = spikes.map(|spike| PreSpike {
                last_time: seen_as(spike.last_time),
                ..*spike
            });
            self.steps[(time % places) as usize].extend(spikes);
        }
    }

    /// The numbers of the history, for a snapshot: see [`load`](Self::load).
    pub fn save(&self, out: &mut Vec<u32>) {
        let put = |out: &mut Vec<u32>, p: &P| out.extend(p.values().iter().map(|v| v.to_bits()));
        for last in &self.newest {
            out.push(last.time);
            put(out, &last.before);
            put(out, &last.after);
        }
        for step in &self.steps {
            out.push(step.len() as u32);
            for spike in step {
                out.extend([spike.neuron, spike.last_time, spike.efficacy.to_bits()]);
                out.push(u32::from(spike.forgotten));
                for p in [&spike.last, &spike.before_last, &spike.before, &spike.after] {
                    put(out, p);
                }
            }
        }
    }

    /// Takes the numbers that [`save`](Self::save) gave. `None` if they are not of a history of this shape.
    pub fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        for last in &mut self.newest {
            last.time = take(from)?;
            last.before = take_traces(from)?;
            last.after = take_traces(from)?;
        }
        let neurons = self.newest.len() as u32;
        for step in &mut self.steps {
            step.clear();
            for _ in 0..take(from)? {
                let neuron = take(from).filter(|n| *n < neurons)?;
                let last_time = take(from)?;
                let efficacy = f32::from_bits(take(from)?);
                let forgotten = take(from)? != 0;
                step.push(PreSpike {
                    neuron,
                    last_time,
                    efficacy,
                    forgotten,
                    last: take_traces(from)?,
                    before_last: take_traces(from)?,
                    before: take_traces(from)?,
                    after: take_traces(from)?,
                });
            }
        }
        Some(())
    }
}

pub(super) fn take(from: &mut &[u32]) -> Option<u32> {
    let (&first, rest) = from.split_first()?;
    *from = rest;
    Some(first)
}

pub(super) fn take_traces<P: Traces>(from: &mut &[u32]) -> Option<P> {
    let mut traces = P::default();
    for value in traces.values_mut() {
        *value = f32::from_bits(take(from)?);
    }
    Some(traces)
}

/// A postsynaptic spike and the traces just after it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct PostSpike<P> {
    /// When it was.
    pub time: u32,
    /// The traces just after it.
    pub after: P,
}

impl<P: Traces> PostSpike<P> {
    /// In place of the spikes of a neuron that has not spiked up to `now`.
    fn none(now: u32) -> Self {
        Self {
            time: now.wrapping_sub(LONG_AGO),
            after: P::default(),
        }
    }
}

/// The spikes of the target neurons that some synapse has not seen yet, and at least two more of each neuron.
#[derive(Clone, Debug)]
pub struct PostHistory<P> {
    /// Per neuron a ring of `mask` + 1 spikes.
    rings: Vec<PostSpike<P>>,
    mask: u32,
    /// Per neuron: how many spikes were pushed, wrapping.
    count: Vec<u32>,
    /// Per neuron: how many were pushed since all synapses were brought up to date.
    pending: Vec<u32>,
}

/// Spikes of one neuron that are kept besides those that synapses may not have seen.
const SEEN: u32 = 3;

impl<P: Traces> PostHistory<P> {
    /// No spikes of `neurons` neurons, whose spikes reach synapses after at most `longest_back` steps. There is room for `room` of each at
    /// least.
    pub fn new(neurons: usize, longest_back: u32, room: u32) -> Self {
        let size = Self::size(longest_back, room);
        Self {
            rings: vec![PostSpike::none(0); neurons * size as usize],
            mask: size - 1,
            count: vec![0; neurons],
            pending: vec![0; neurons],
        }
    }

    /// How many spikes of a neuron are kept.
    pub(super) fn size(longest_back: u32, room: u32) -> u32 {
        let least = longest_back.saturating_add(SEEN + 8).max(room);
        least.min(1 << 31).next_power_of_two()
    }

    /// Bytes that a [new](Self::new) history takes per neuron.
    pub(super) fn bytes_per_neuron(longest_back: u32, room: u32) -> f64 {
        let spikes = f64::from(Self::size(longest_back, room));
        spikes * size_of::<PostSpike<P>>() as f64 + 2.0 * size_of::<u32>() as f64
    }

    /// How many neurons there are.
    pub fn neurons(&self) -> usize {
        self.count.len()
    }

    /// How many spikes of each neuron there is room for.
    pub(super) fn room(&self) -> usize {
        self.mask as usize + 1
    }

    /// How many spikes of a neuron came since all synapses were brought up to date.
    pub(super) fn pending(&self, neuron: u32) -> u32 {
        self.pending[neuron as usize]
    }

    /// Spike number `index` of a neuron.
    ///
    /// # Safety
    /// There is such a neuron.
    #[inline(always)]
    pub(super) unsafe fn spike(&self, neuron: u32, index: u32) -> PostSpike<P> {
        let place = neuron as usize * (self.mask as usize + 1) + (index & self.mask) as usize;
        // SAFETY: each neuron has a ring of `mask` + 1 spikes.
        unsafe { *self.rings.get_unchecked(place) }
    }

    /// Whether a neuron has room for one more spike that not all synapses have seen.
    #[inline]
    pub fn has_room(&self, neuron: u32) -> bool {
        self.pending[neuron as usize] + SEEN <= self.mask
    }

    /// Adds a spike of `neuron` at `now`. `spiked` makes the traces just after it from those after the previous one, so many steps ago.
    pub fn push(&mut self, now: u32, neuron: u32, spiked: impl FnOnce(P, u32) -> P) {
        let n = neuron as usize;
        let base = n * (self.mask as usize + 1);
        let newest = self.rings[base + (self.count[n].wrapping_sub(1) & self.mask) as usize];
        let after = spiked(newest.after, now.wrapping_sub(newest.time));
        self.rings[base + (self.count[n] & self.mask) as usize] = PostSpike { time: now, after };
        self.count[n] = self.count[n].wrapping_add(1);
        self.pending[n] += 1;
    }

    /// The spikes of a neuron, the newest being number `count − 1`.
    #[inline(always)]
    pub fn of(&self, neuron: u32) -> PostSpikes<'_, P> {
        let size = self.mask as usize + 1;
        let base = neuron as usize * size;
        PostSpikes {
            ring: &self.rings[base..base + size],
            mask: self.mask,
            count: self.count[neuron as usize],
        }
    }

    /// Notes that all synapses have seen every spike that has reached them by `now`; those younger than `longest_back` may not have.
    pub fn seen(&mut self, now: u32, longest_back: u32) {
        for neuron in 0..self.count.len() {
            if self.pending[neuron] == 0 {
                continue;
            }
            let spikes = self.of(neuron as u32);
            let mut young = 0;
            while young < self.pending[neuron] {
                let spike = spikes.get(spikes.count.wrapping_sub(1 + young));
                if now.wrapping_sub(spike.time) >= longest_back {
                    break;
                }
                young += 1;
            }
            self.pending[neuron] = young;
        }
    }

    /// Keeps times within [`LONG_AGO`] of `now`.
    pub fn refresh(&mut self, now: u32) {
        for spike in &mut self.rings {
            if now.wrapping_sub(spike.time) > LONG_AGO {
                spike.time = now.wrapping_sub(LONG_AGO);
            }
        }
    }

    /// The traces of every neuron at `now`, decayed by `decay` from what they were so many steps ago.
    pub fn traces(&self, now: u32, decay: impl Fn(P, u32) -> P) -> Vec<P> {
        (0..self.count.len() as u32)
            .map(|neuron| {
                let spikes = self.of(neuron);
                let newest = spikes.get(spikes.count.wrapping_sub(1));
                decay(newest.after, now.wrapping_sub(newest.time))
            })
            .collect()
    }

    /// Forgets every spike up to `now`, as if none had been.
    pub fn forget(&mut self, now: u32) {
        self.rings.fill(PostSpike::none(now));
        self.pending.fill(0);
    }

    /// Takes over the spikes up to `now` of a history before an edit, of those neurons that there still are. The longest ways of spikes back to
    /// synapses were and are so many steps; those that had reached them all stay so, when they did.
    pub fn take_over(&mut self, former: &Self, now: u32, (before, longest): (u32, u32)) {
        self.forget(now);
        for neuron in 0..self.count.len().min(former.count.len()) {
            let spikes = former.of(neuron as u32);
            let newest = |i: u32| {
                let mut spike = spikes.get(spikes.count.wrapping_sub(1 + i));
                if now.wrapping_sub(spike.time) >= before {
                    spike.time = spike.time.wrapping_add(before).wrapping_sub(longest);
                }
                spike
            };
            let most = former.pending[neuron].min(self.mask + 1 - SEEN);
            let young = |i: &u32| now.wrapping_sub(newest(*i).time) < longest;
            let pending = (0..most).take_while(young).count() as u32;
            let kept = pending + SEEN;
            let base = neuron * (self.mask as usize + 1);
            for i in 0..kept {
                self.rings[base + i as usize] = newest(kept - 1 - i);
            }
            (self.pending[neuron], self.count[neuron]) = (pending, kept);
        }
    }

    /// The numbers of the history, for a snapshot: see [`load`](Self::load).
    pub fn save(&self, out: &mut Vec<u32>) {
        for neuron in 0..self.count.len() as u32 {
            let spikes = self.of(neuron);
            let kept = self.pending[neuron as usize] + SEEN;
            out.push(self.pending[neuron as usize]);
            for i in 0..kept {
                let spike = spikes.get(spikes.count.wrapping_sub(kept - i));
                out.push(spike.time);
                out.extend(spike.after.values().iter().map(|v| v.to_bits()));
            }
        }
    }

    /// Takes the numbers that [`save`](Self::save) gave. `None` if they are not of a history of this shape.
    pub fn load(&mut self, from: &mut &[u32]) -> Option<()> {
        for neuron in 0..self.count.len() {
            let pending = take(from).filter(|p| *p <= self.mask + 1 - SEEN)?;
            let base = neuron * (self.mask as usize + 1);
            for i in 0..pending + SEEN {
                self.rings[base + i as usize] = PostSpike {
                    time: take(from)?,
                    after: take_traces(from)?,
                };
            }
            self.pending[neuron] = pending;
            self.count[neuron] = pending + SEEN;
        }
        Some(())
    }
}

/// The kept spikes of one target neuron.
#[derive(Clone, Copy)]
pub struct PostSpikes<'a, P> {
    ring: &'a [PostSpike<P>],
    /// One less than the length of the ring.
    mask: u32,
    /// How many there were, wrapping.
    pub count: u32,
}

impl<P: Copy> PostSpikes<'_, P> {
    /// The number of the oldest spike that is kept.
    #[inline(always)]
    pub fn oldest(&self) -> u32 {
        self.count.wrapping_sub(self.mask + 1)
    }

    /// Spike number `index`.
    #[inline(always)]
    pub fn get(&self, index: u32) -> PostSpike<P> {
        // SAFETY: the ring has `mask` + 1 entries.
        unsafe { *self.ring.get_unchecked((index & self.mask) as usize) }
    }
}
