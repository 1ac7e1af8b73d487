//! The step counter and how fast it may run.

use bevy::prelude::*;
use std::time::Duration;

/// Simulated time: how many steps have started, and how long one is.
#[derive(Resource, Clone, Copy, Debug)]
pub struct Clock {
    started: u64,
    dt_ms: f64,
}

impl Clock {
    /// A clock before its first step. `dt_ms` is the step in ms, positive.
    pub fn new(dt_ms: f64) -> Self {
        Self { started: 0, dt_ms }
    }

    /// The clock as a snapshot has it: `steps` steps are done.
    pub fn resumed(dt_ms: f64, steps: u64) -> Self {
        Self {
            started: steps,
            dt_ms,
        }
    }

    /// The index of the step that is under way, from 0. Meaningful inside the schedule only.
    #[inline]
    pub fn step(&self) -> u64 {
        self.started.wrapping_sub(1)
    }

    /// Steps done, seen from outside the schedule.
    #[inline]
    pub fn steps_done(&self) -> u64 {
        self.started
    }

    /// The length of a step in ms.
    #[inline]
    pub fn dt_ms(&self) -> f64 {
        self.dt_ms
    }

    /// Simulated time at the end of the newest step, in ms.
    #[inline]
    pub fn time_ms(&self) -> f64 {
        self.started as f64 * self.dt_ms
    }
}

/// The system of [`SimSystems::First`](super::SimSystems::First).
pub fn advance_clock(mut clock: ResMut<Clock>) {
    clock.started += 1;
}

/// The nearest whole number of steps to a time in ms.
pub fn to_steps(ms: f64, dt_ms: f64) -> u64 {
    (ms / dt_ms).round().max(0.0) as u64
}

/// How fast a simulation may run when its driver pumps it.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Default)]
pub enum Pacing {
    /// No step is taken.
    Paused,
    /// So many more steps, then [`Pacing::Paused`].
    Steps(u64),
    /// Simulated time follows the wall clock times this factor (0.1 is ten times slower than life).
    RealTime(f64),
    /// As fast as the machine can.
    #[default]
    Unlimited,
}

impl Pacing {
    /// How many steps may be taken now. `elapsed` is the wall time since the last pump, `dt_ms` the step,
    /// `owed` carries the fraction of a step from pump to pump, `most` bounds the answer.
    pub fn due(&mut self, elapsed: Duration, dt_ms: f64, owed: &mut f64, most: u64) -> u64 {
        match self {
            Self::Paused => 0,
            Self::Steps(left) => {
                let now = (*left).min(most);
                *left -= now;
                if *left == 0 {
                    *self = Self::Paused;
                }
                now
            }
            Self::RealTime(speed) => {
                *owed += elapsed.as_secs_f64() * 1e3 * *speed / dt_ms;
                // What a slow machine could not keep up with is forgotten, not queued.
                *owed = owed.min(most as f64 + 1.0);
                let now = owed.floor().max(0.0);
                *owed -= now;
                (now as u64).min(most)
            }
            Self::Unlimited => most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_time_pacing_keeps_the_fraction_of_a_step() {
        let (mut pacing, mut owed) = (Pacing::RealTime(0.5), 0.0);
        let taken: u64 = (0..10)
            .map(|_| pacing.due(Duration::from_micros(300), 0.1, &mut owed, 1000))
            .sum();
        // 3 ms of wall time at half speed are 1.5 ms = 15 steps.
        assert!((14..=15).contains(&taken), "{taken}");
    }

    #[test]
    fn counted_pacing_pauses_when_it_is_done() {
        let (mut pacing, mut owed) = (Pacing::Steps(5), 0.0);
        assert_eq!(pacing.due(Duration::ZERO, 0.1, &mut owed, 3), 3);
        assert_eq!(pacing.due(Duration::ZERO, 0.1, &mut owed, 3), 2);
        assert_eq!(pacing, Pacing::Paused);
    }
}
