//! A population of spike response neurons, advanced from event to event.

use super::kernel::Kernel;
use super::schedule::Schedule;
use super::state::{SrmState, length};
use super::{AfferentSynapses, Pairing, SrmError, SrmParameters, Stdp, Winners};

/// A spike of an afferent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrival {
    /// When it arrives, in ms.
    pub time_ms: f64,
    /// The index of the afferent.
    pub afferent: u32,
}

/// Spike response neurons with plastic afferents. See the [module](super) for what they do and in which order.
#[derive(Clone, Debug)]
pub struct SrmPopulation {
    parameters: SrmParameters,
    kernel: Kernel,
    stdp: Stdp,
    synapses: AfferentSynapses,
    winners: Option<Winners>,
    state: SrmState,
    schedule: Schedule,
    /// Whether the next event of some neuron takes more than a look at its potential.
    watching: bool,
    /// Scratch: who reaches the threshold at one instant.
    tied: Vec<u32>,
}

impl SrmPopulation {
    /// Neurons at rest at t = 0.
    ///
    /// # Errors
    /// If parameters are out of range.
    pub fn new(
        parameters: SrmParameters,
        stdp: Stdp,
        synapses: AfferentSynapses,
    ) -> Result<Self, SrmError> {
        parameters.check()?;
        stdp.check()?;
        let neurons = synapses.neurons() as usize;
        let state = SrmState::new(neurons, synapses.afferents());
        Ok(Self {
            kernel: Kernel::new(&parameters),
            parameters,
            stdp,
            synapses,
            winners: None,
            state,
            schedule: Schedule::new(neurons),
            watching: false,
            tied: Vec::new(),
        })
    }

    /// The parameters of the neurons.
    pub fn parameters(&self) -> &SrmParameters {
        &self.parameters
    }

    /// The rule of plasticity.
    pub fn stdp(&self) -> &Stdp {
        &self.stdp
    }

    /// Changes the rule of plasticity from now on.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn set_stdp(&mut self, stdp: Stdp) -> Result<(), SrmError> {
        stdp.check()?;
        self.stdp = stdp;
        Ok(())
    }

    /// The synapses.
    pub fn synapses(&self) -> &AfferentSynapses {
        &self.synapses
    }

    /// The weights, by afferent and then by neuron. What has arrived keeps the weight that it had.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        self.synapses.weights_mut()
    }

    /// The competition for the right to fire, if there is one.
    pub fn winners(&self) -> Option<&Winners> {
        self.winners.as_ref()
    }

    /// Starts, changes or ends the competition for the right to fire.
    pub fn set_winners(&mut self, winners: Option<Winners>) {
        self.winners = winners;
    }

    /// The state, for a snapshot.
    pub fn state(&self) -> &SrmState {
        &self.state
    }

    /// Resumes from a state; with the same weights and parameters, bit for bit.
    ///
    /// # Errors
    /// If a column has the wrong length or holds a number that it cannot.
    pub fn set_state(&mut self, mut state: SrmState) -> Result<(), SrmError> {
        state.check(self.state.slow.len(), self.state.last_arrival_ms.len())?;
        state
            .forced
            .sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        self.state = state;
        if self.synapses.is_dense() {
            let latest = self
                .state
                .time_ms
                .iter()
                .copied()
                .fold(f64::NEG_INFINITY, f64::max);
            self.move_all(latest);
        }
        self.reconsider_all();
        Ok(())
    }

    /// Resumes from weights, by afferent and then by neuron.
    ///
    /// # Errors
    /// If the number of weights is wrong.
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), SrmError> {
        length("weights", weights.len(), self.synapses.weights().len())?;
        self.synapses.weights_mut().copy_from_slice(weights);
        Ok(())
    }

    /// The potential of a neuron at `time_ms`, not before its last event, if nothing more happens until then.
    ///
    /// # Errors
    /// If there is no such neuron.
    pub fn potential(&self, neuron: u32, time_ms: f64) -> Result<f64, SrmError> {
        let n = self.checked(neuron)?;
        let ms = (time_ms - self.state.time_ms[n]).max(0.0);
        let course = self.kernel.after(self.state.course(n), ms);
        Ok(course.slow + course.fast + course.drive)
    }

    /// Appends a neuron at rest with synapses from the given afferents (ascending) and their weights. Its index is the next one. Costs
    /// O(synapses).
    ///
    /// # Errors
    /// If an afferent does not exist or is named twice.
    pub fn add_neuron(&mut self, incoming: &[(u32, f32)]) -> Result<u32, SrmError> {
        self.synapses.push_neuron(incoming)?;
        self.state.push_neuron();
        self.schedule = Schedule::new(self.state.slow.len());
        self.reconsider_all();
        Ok(self.synapses.neurons() - 1)
    }

    /// Keeps a neuron from firing of itself, or lets it again, at once if it is above the threshold. Its potential and plasticity go on; forced spikes come all the same.
    ///
    /// # Errors
    /// If there is no such neuron.
    pub fn silence(&mut self, neuron: u32, silenced: bool) -> Result<(), SrmError> {
        let n = self.checked(neuron)?;
        self.move_to(n, self.state.clock_ms);
        self.state.silenced[n] = silenced;
        self.state.armed[n] = true;
        self.reconsider_all();
        Ok(())
    }

    /// Makes a neuron spike at `time_ms`, refractory or not.
    ///
    /// # Errors
    /// If there is no such neuron or the time has passed.
    pub fn force_spike(&mut self, neuron: u32, time_ms: f64) -> Result<(), SrmError> {
        self.checked(neuron)?;
        if !(time_ms >= self.state.clock_ms) {
            return Err(SrmError::Past {
                time_ms,
                clock_ms: self.state.clock_ms,
            });
        }
        let forced = &mut self.state.forced;
        let place = forced.partition_point(|&(t, n)| (t, n) <= (time_ms, neuron));
        forced.insert(place, (time_ms, neuron));
        Ok(())
    }

    /// Sets the external current of a neuron from now on, as the potential R I that it would hold the neuron at; the membrane follows with τm.
    ///
    /// # Errors
    /// If there is no such neuron or the drive is not finite.
    pub fn set_drive(&mut self, neuron: u32, drive: f64) -> Result<(), SrmError> {
        let n = self.checked(neuron)?;
        if !drive.is_finite() {
            return Err(SrmError::Value {
                field: "drive",
                value: drive,
                allowed: "finite",
            });
        }
        self.move_to(n, self.state.clock_ms);
        self.state.slow[n] += self.state.drive[n] - drive;
        self.state.drive[n] = drive;
        self.reconsider_all();
        Ok(())
    }

    /// Lets each neuron spike of itself once at most after `from_ms`, which is now, until after `to_ms`; excitation is not dropped. `since_ms`
    /// is the start of the time before, for which it was so.
    pub(super) fn once_within(&mut self, since_ms: f64, from_ms: f64, to_ms: f64) {
        self.kernel.hold = (from_ms, to_ms.next_up());
        for n in 0..self.state.slow.len() {
            if self.state.last_spike_ms[n] >= since_ms {
                self.move_to(n, self.state.clock_ms);
                self.reconsider(n, self.synapses.is_dense());
            }
        }
    }

    /// Adds a weight to the potential of a neuron, with the course ε, from now on: a spike that reaches it along a synapse that the
    /// population does not keep itself. Dropped in the refractory period.
    ///
    /// # Errors
    /// If there is no such neuron.
    pub fn excite(&mut self, neuron: u32, weight: f64) -> Result<(), SrmError> {
        let n = self.checked(neuron)?;
        self.move_to(n, self.state.clock_ms);
        if self.state.clock_ms >= self.state.refractory_until_ms[n] {
            let jump = self.kernel.gain * weight;
            self.state.slow[n] += jump;
            self.state.fast[n] -= jump;
        }
        self.reconsider(n, self.synapses.is_dense());
        Ok(())
    }

    /// Advances all neurons from `from_ms` to `to_ms` and appends their spikes, time in ms and neuron, in their order.
    ///
    /// `arrivals` are the afferents' spikes of that time, ascending by time and at equal times by afferent; those at `to_ms` itself may be given to
    /// this call or to the next. Spikes of the neurons at `to_ms` belong to this call. An afferent that does not exist panics.
    pub fn advance(
        &mut self,
        from_ms: f64,
        to_ms: f64,
        arrivals: &[Arrival],
        spikes: &mut Vec<(f64, u32)>,
    ) {
        debug_assert!(self.state.clock_ms <= from_ms && from_ms <= to_ms);
        debug_assert!(
            arrivals
                .windows(2)
                .all(|w| { (w[0].time_ms, w[0].afferent) <= (w[1].time_ms, w[1].afferent) })
        );
        if self.synapses.is_dense() {
            for arrival in arrivals {
                self.resolve(arrival.time_ms, spikes);
                self.arrive_dense(arrival);
            }
        } else {
            for arrival in arrivals {
                self.resolve(arrival.time_ms, spikes);
                self.arrive_sparse(arrival);
            }
        }
        self.resolve(to_ms, spikes);
        self.state.clock_ms = to_ms;
    }

    /// Lets happen what the neurons do until `limit`, that included.
    #[inline(always)]
    fn resolve(&mut self, limit: f64, spikes: &mut Vec<(f64, u32)>) {
        if self.schedule.earliest() <= limit || !self.state.forced.is_empty() {
            self.fire_until(limit, spikes);
        }
    }

    #[inline(never)]
    fn fire_until(&mut self, limit: f64, spikes: &mut Vec<(f64, u32)>) {
        loop {
            let due = self.schedule.earliest();
            let forced = self.state.forced.first().copied();
            if let Some((time, neuron)) = forced
                && time <= due
            {
                if time > limit {
                    return;
                }
                self.state.forced.remove(0);
                self.fire(neuron as usize, time, spikes);
                continue;
            }
            if !(due <= limit && due < f64::INFINITY) {
                return;
            }
            let mut bounds = false;
            for n in 0..self.state.slow.len() {
                if self.schedule.due(n) == due && !self.schedule.is_confirmed(n) {
                    let crossing = self.state.crossing_ms(&self.kernel, n);
                    self.schedule.set(n, crossing, true);
                    bounds = true;
                }
            }
            if bounds {
                continue;
            }
            let mut tied = core::mem::take(&mut self.tied);
            tied.extend(
                (0..self.synapses.neurons()).filter(|&n| self.schedule.due(n as usize) == due),
            );
            if let Some(winners) = &self.winners {
                tied.sort_by_key(|&n| winners.rank(due, n));
            }
            let hold = self.kernel.hold.0;
            let time = if hold.is_finite() { due.max(hold) } else { due };
            for neuron in tied.drain(..) {
                // Extreme numbers may bring a neuron back at once, however it is held.
                if self.state.last_spike_ms[neuron as usize] >= hold {
                    self.schedule.set(neuron as usize, f64::INFINITY, true);
                    continue;
                }
                let admitted = match &mut self.winners {
                    Some(winners) => winners.admits(due, neuron),
                    None => true,
                };
                if admitted {
                    self.fire(neuron as usize, time, spikes);
                } else {
                    self.pass(neuron as usize, due);
                }
            }
            self.tied = tied;
        }
    }

    /// A crossing at `time` that goes without a spike.
    fn pass(&mut self, neuron: usize, time: f64) {
        self.move_to(neuron, time);
        let state = &mut self.state;
        let course = state.course(neuron);
        let under = self.kernel.threshold - (course.slow + course.fast + course.drive);
        // Rounding may leave the potential below the threshold by some 10⁻¹³; that would arm the neuron again.
        if under > 0.0 {
            state.slow[neuron] += 2.0 * under;
        }
        state.armed[neuron] = false;
        self.reconsider(neuron, self.synapses.is_dense());
    }

    /// A spike of `neuron` at `time`.
    fn fire(&mut self, neuron: usize, time: f64, spikes: &mut Vec<(f64, u32)>) {
        spikes.push((time, neuron as u32));
        self.potentiate(neuron, time);
        let others = self.synapses.is_dense() || self.kernel.inhibition > 0.0;
        if others {
            self.move_all(time);
            for n in 0..self.state.slow.len() {
                self.state.slow[n] -= self.kernel.inhibition;
                self.state.fast[n] += self.kernel.inhibition;
            }
        }
        let state = &mut self.state;
        let since = time - state.last_spike_ms[neuron];
        state.spike_trace[neuron] = match self.stdp.pairing {
            Pairing::AllToAll => 1.0 + self.stdp.trace_minus(state.spike_trace[neuron], since),
            Pairing::ReducedNearest | Pairing::Nearest => 1.0,
        };
        state.last_spike_ms[neuron] = time;
        state.time_ms[neuron] = time;
        // The reset is to η above rest; the current's potential builds up anew.
        state.slow[neuron] = self.kernel.spike_slow - state.drive[neuron];
        state.fast[neuron] = self.kernel.spike_fast;
        state.refractory_until_ms[neuron] = time + self.kernel.t_ref;
        state.armed[neuron] = self.kernel.t_ref > 0.0;
        self.reconsider(neuron, others);
    }

    /// Potentiates the synapses of a neuron that spikes at `time`; its last spike is still the one before.
    fn potentiate(&mut self, neuron: usize, time: f64) {
        let (rule, state) = (&self.stdp, &self.state);
        if rule.frozen {
            return;
        }
        let since = match rule.pairing {
            Pairing::ReducedNearest => state.last_spike_ms[neuron],
            Pairing::Nearest | Pairing::AllToAll => f64::NEG_INFINITY,
        };
        let (column, weights) = self.synapses.column_mut(neuron);
        for &(synapse, afferent) in column {
            let last = state.last_arrival_ms[afferent as usize];
            if last >= since && last > f64::NEG_INFINITY {
                let trace = state.arrival_trace[afferent as usize];
                let change = rule.a_plus * rule.trace_plus(trace, time - last);
                let weight = &mut weights[synapse as usize];
                *weight = rule.changed(*weight, change);
            }
        }
    }

    /// A spike of an afferent that reaches all neurons, which share their time.
    #[inline(always)]
    fn arrive_dense(&mut self, arrival: &Arrival) {
        let time = arrival.time_ms;
        let (kernel, state) = (&self.kernel, &mut self.state);
        let (_, weights) = self.synapses.row(arrival.afferent);
        let since = state.time_ms.first().copied().unwrap_or(time);
        let (slow_decay, fast_decay) = kernel.decays(time - since);
        let due = self.schedule.all();
        if self.watching {
            self.watching = false;
            for (n, &weight) in weights.iter().enumerate() {
                let open = time >= state.refractory_until_ms[n];
                let jump = if open {
                    kernel.gain * f64::from(weight)
                } else {
                    0.0
                };
                state.slow[n] = state.slow[n] * slow_decay + jump;
                state.fast[n] = state.fast[n] * fast_decay - jump;
                state.time_ms[n] = time;
                let watched;
                (due[n], watched) = state.reconsider(kernel, n);
                self.watching |= watched;
            }
        } else {
            let places = state
                .slow
                .iter_mut()
                .zip(&mut state.fast)
                .zip(&mut state.time_ms);
            let inputs = weights.iter().zip(&state.drive).zip(due);
            for (((slow, fast), since), ((&weight, &drive), due)) in places.zip(inputs) {
                let jump = kernel.gain * f64::from(weight);
                *slow = *slow * slow_decay + jump;
                *fast = *fast * fast_decay - jump;
                *since = time;
                *due = time + kernel.earliest(*slow, *fast, drive);
            }
        }
        self.schedule.repair();
        self.depress(arrival);
    }

    /// A spike of an afferent that reaches some neurons.
    fn arrive_sparse(&mut self, arrival: &Arrival) {
        let time = arrival.time_ms;
        let (kernel, state) = (&self.kernel, &mut self.state);
        let (targets, weights) = self.synapses.row(arrival.afferent);
        for (&target, &weight) in targets.iter().zip(weights) {
            let n = target as usize;
            state.move_to(kernel, n, time);
            if time >= state.refractory_until_ms[n] {
                let jump = kernel.gain * f64::from(weight);
                state.slow[n] += jump;
                state.fast[n] -= jump;
            }
            let (due, _) = state.reconsider(kernel, n);
            self.schedule.set(n, due, false);
        }
        self.depress(arrival);
    }

    /// Depresses the synapses of an afferent that spikes, and remembers the spike.
    #[inline(always)]
    fn depress(&mut self, arrival: &Arrival) {
        let (rule, state, time) = (&self.stdp, &mut self.state, arrival.time_ms);
        let afferent = arrival.afferent as usize;
        let last = state.last_arrival_ms[afferent];
        if !rule.frozen {
            let before = match rule.pairing {
                Pairing::ReducedNearest => last,
                Pairing::Nearest | Pairing::AllToAll => f64::NEG_INFINITY,
            };
            let (targets, weights) = self.synapses.row_mut(arrival.afferent);
            for (&target, weight) in targets.iter().zip(weights) {
                let spike = state.last_spike_ms[target as usize];
                if before < spike {
                    let trace = state.spike_trace[target as usize];
                    let change = rule.a_minus * rule.trace_minus(trace, time - spike);
                    *weight = rule.changed(*weight, -change);
                }
            }
        }
        state.arrival_trace[afferent] = match rule.pairing {
            Pairing::AllToAll => 1.0 + rule.trace_plus(state.arrival_trace[afferent], time - last),
            Pairing::ReducedNearest | Pairing::Nearest => 1.0,
        };
        state.last_arrival_ms[afferent] = time;
    }

    fn move_all(&mut self, time: f64) {
        for n in 0..self.state.slow.len() {
            self.state.move_to(&self.kernel, n, time);
        }
    }

    /// Moves a neuron to `time`, and with it those that share its time.
    fn move_to(&mut self, neuron: usize, time: f64) {
        if self.synapses.is_dense() {
            self.move_all(time);
        } else {
            self.state.move_to(&self.kernel, neuron, time);
        }
    }

    /// Looks at a neuron, or at all, after what has happened.
    fn reconsider(&mut self, neuron: usize, all: bool) {
        if all {
            self.reconsider_all();
        } else {
            let (due, watched) = self.state.reconsider(&self.kernel, neuron);
            self.watching |= watched;
            self.schedule.set(neuron, due, false);
        }
    }

    fn reconsider_all(&mut self) {
        self.watching = false;
        for (n, due) in self.schedule.all().iter_mut().enumerate() {
            let watched;
            (*due, watched) = self.state.reconsider(&self.kernel, n);
            self.watching |= watched;
        }
        self.schedule.repair();
    }

    fn checked(&self, neuron: u32) -> Result<usize, SrmError> {
        if neuron < self.synapses.neurons() {
            Ok(neuron as usize)
        } else {
            Err(SrmError::Neuron {
                neuron,
                neurons: self.synapses.neurons(),
            })
        }
    }
}
