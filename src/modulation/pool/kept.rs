//! What a modulator keeps, in numbers: for snapshots, and to be taken over by the same modulator of an edited network.
//!
//! Rewards of its schedules are not part of it: they follow from the scene and the time.

use super::{Critic, Modulator, Source};

impl Modulator {
    /// The level, the newest impulse, the mean of rewards, how many there were and their sum, and how many spikes have released it.
    pub fn save(&self) -> Vec<u64> {
        vec![
            self.level.to_bits(),
            self.impulse.to_bits(),
            self.mean.to_bits(),
            self.rewards.0,
            self.rewards.1.to_bits(),
            self.released,
        ]
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, numbers: &[u64]) -> bool {
        let [level, impulse, mean, count, sum, released] = numbers else {
            return false;
        };
        let floats = [level, impulse, mean, sum].map(|bits| f64::from_bits(*bits));
        [self.level, self.impulse, self.mean, _] = floats;
        self.rewards = (*count, floats[3]);
        self.released = *released;
        floats.iter().all(|f| f.is_finite())
    }

    /// Rewards to come that are on no schedule: the stamp and the size of each.
    pub fn save_rewards(&self) -> Vec<u64> {
        let pairs = self.pending.iter();
        pairs
            .flat_map(|(due, amount)| [*due, amount.to_bits()])
            .collect()
    }

    /// Takes what [`save_rewards`](Self::save_rewards) gave after `steps` steps; false if it does not fit. Of its schedules, what is later than
    /// these is to come.
    pub fn load_rewards(&mut self, numbers: &[u64], steps: u64) -> bool {
        let (pairs, odd) = numbers.as_chunks::<2>();
        let pairs = pairs
            .iter()
            .map(|[due, bits]| (*due, f64::from_bits(*bits)));
        self.pending = pairs.collect();
        self.coming = self.schedule.partition_point(|(due, _)| *due <= steps);
        let finite = self.pending.iter().all(|(_, amount)| amount.is_finite());
        odd.is_empty() && finite && self.pending.iter().is_sorted_by_key(|(due, _)| *due)
    }

    /// The sums of the critic's spikes, if there is one.
    pub fn save_critic(&self) -> Option<Vec<f64>> {
        self.critic.map(|critic| critic.parts.to_vec())
    }

    /// Takes what [`save_critic`](Self::save_critic) gave; false if it does not fit.
    pub fn load_critic(&mut self, numbers: &[f64]) -> bool {
        let (Some(critic), [decay, rise]) = (&mut self.critic, numbers) else {
            return false;
        };
        critic.parts = [*decay, *rise];
        decay.is_finite() && rise.is_finite()
    }

    /// Its critic.
    pub fn critic(&self) -> Option<&Critic> {
        self.critic.as_ref()
    }

    /// What spikes release it.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What spikes release it, to be given their state.
    pub fn sources_mut(&mut self) -> &mut [Source] {
        &mut self.sources
    }
}

impl Source {
    /// How many steps a spike takes.
    pub fn delay(&self) -> usize {
        self.under_way.len() - 1
    }

    /// What one spike adds, and how many arrive in each of the steps to come, after `steps` steps.
    pub fn save(&self, steps: u64) -> Vec<u64> {
        let mut out = vec![self.amount.to_bits()];
        out.extend(
            (1..=self.delay()).map(|ahead| u64::from(self.under_way[self.at(steps, ahead)])),
        );
        out
    }

    /// Takes what [`save`](Self::save) gave; false if it does not fit.
    pub fn load(&mut self, numbers: &[u64], steps: u64) -> bool {
        let [amount, counts @ ..] = numbers else {
            return false;
        };
        self.amount = f64::from_bits(*amount);
        self.under_way.fill(0);
        for (ahead, count) in (1..).zip(counts.iter().take(self.delay())) {
            let Ok(count) = u32::try_from(*count) else {
                return false;
            };
            let place = self.at(steps, ahead);
            self.under_way[place] = count;
        }
        self.amount.is_finite() && counts.len() == self.delay()
    }

    /// The place of what arrives so many steps after `steps` steps.
    fn at(&self, steps: u64, ahead: usize) -> usize {
        ((steps + ahead as u64) % self.under_way.len() as u64) as usize
    }

    /// What its response holds after `steps` steps, if it has one.
    pub fn save_response(&self, steps: u64) -> Option<Vec<u64>> {
        let (filter, trains) = self.response.as_ref()?;
        let mut out = Vec::new();
        // A spike of a step arrives at its stamp, which is one more.
        trains.save(0, filter, steps + 1, &mut out);
        Some(out)
    }

    /// Takes what [`save_response`](Self::save_response) gave; false if it does not fit.
    pub fn load_response(&mut self, mut numbers: &[u64], steps: u64) -> bool {
        let Some((filter, trains)) = &mut self.response else {
            return false;
        };
        *trains = filter.silent();
        trains.load(0, filter, steps + 1, &mut numbers) && numbers.is_empty()
    }
}
