//! What is seen of the excitatory neurons while the network runs.

use super::super::statistics::Summary;
use super::super::{Matrix, Run, Stop};
use super::DT_MS;
use super::grid::{BACKGROUND, CUED, GROUPS, Grid, OTHER, SHARED, UNCUED};
use crate::network::region::Spikes;
use crate::results::Window;
use crate::results::online::OnlineStatistics;
use crate::simulation::Simulation;
use bevy::prelude::*;

/// The first pattern.
pub(super) const FIRST: &[usize] = &[CUED, UNCUED, SHARED];
/// The groups that the curves of a run are of: the first pattern, its uncued part, the second pattern, and the background.
pub(super) const CURVES: [&[usize]; 4] = [FIRST, &[UNCUED], &[OTHER], &[BACKGROUND]];

/// Counts spikes of the groups while a network runs.
pub(super) struct Observer<'a> {
    grid: &'a Grid,
    region: Entity,
    statistics: OnlineStatistics,
    /// Spikes of each group since the last point of a curve.
    counts: [u64; GROUPS],
}

impl<'a> Observer<'a> {
    /// One that has seen nothing of a region whose neurons stand on the grid.
    pub(super) fn new(grid: &'a Grid, region: Entity) -> Self {
        Self {
            grid,
            region,
            statistics: OnlineStatistics::new(&grid.sizes, DT_MS, Window::from_ms(0.0, DT_MS)),
            counts: [0; GROUPS],
        }
    }

    /// Starts statistics anew with the steps to come.
    pub(super) fn restart(&mut self, simulation: &Simulation) {
        let now = simulation.clock().steps_done();
        self.statistics.restart(Window::of_steps(now..u64::MAX - 1));
    }

    /// Runs up to the moment `to_s`, and adds a point to each curve at its end; x of a point is the time since `origin_s`.
    pub(super) fn run_to(
        &mut self,
        run: &Run<'_>,
        simulation: &mut Simulation,
        to_s: f64,
        (origin_s, whole_s): (f64, f64),
        curves: &mut [Vec<(f64, f64)>],
    ) -> Result<(), Stop> {
        let first = simulation.clock().steps_done();
        let last = libm::rint(to_s * 1e3 / DT_MS) as u64;
        for step in first..last {
            simulation.step();
            if let Some(spikes) = simulation.world().get::<Spikes>(self.region) {
                for &neuron in &spikes.list {
                    let (group, place) = self.grid.places[neuron as usize];
                    self.counts[group] += 1;
                    self.statistics.record(group, place, step);
                }
            }
            if step % 256 == 0 {
                run.progress(step as f64 * DT_MS * 1e-3 / whole_s)?;
            }
        }
        self.statistics.advance(last);
        if last <= first {
            return Ok(());
        }
        let counts = core::mem::take(&mut self.counts);
        let seconds = (last - first) as f64 * DT_MS * 1e-3;
        for (curve, groups) in curves.iter_mut().zip(CURVES) {
            let spikes: u64 = groups.iter().map(|g| counts[*g]).sum();
            let neurons: u32 = groups.iter().map(|g| self.grid.sizes[*g]).sum();
            let middle = to_s - origin_s - 0.5 * seconds;
            curve.push((middle, spikes as f64 / (f64::from(neurons) * seconds)));
        }
        match simulation.look_for_problem() {
            Some(problem) => Err(problem.into()),
            None => Ok(()),
        }
    }

    /// Rate of groups together, in Hz.
    pub(super) fn rate(&self, groups: &[usize]) -> f64 {
        let of = |group: usize| self.statistics.region(group, "");
        let spikes: u64 = groups.iter().map(|g| of(*g).spikes).sum();
        let neurons: u64 = groups.iter().map(|g| of(*g).neurons).sum();
        spikes as f64 / (neurons as f64 * self.statistics.elapsed_ms() * 1e-3)
    }

    /// Rate that half of the neurons of a group stay below, in Hz.
    pub(super) fn median_rate(&self, group: usize) -> Option<f64> {
        Summary::of(&self.statistics.neuron_rates(group)).map(|s| s.median)
    }

    /// The share of the neurons of a group that have not fired.
    pub(super) fn silent(&self, group: usize) -> f64 {
        let rates = self.statistics.neuron_rates(group);
        let silent = rates.iter().filter(|rate| **rate == 0.0).count();
        silent as f64 / rates.len().max(1) as f64
    }

    /// Mean coefficient of variation of the intervals of groups together; none if no neuron spiked often enough.
    pub(super) fn cv(&self, groups: &[usize]) -> Option<f64> {
        let (mut sum, mut neurons) = (0.0, 0);
        for group in groups {
            let group = self.statistics.region(*group, "");
            sum += group.cv_isi.unwrap_or(0.0) * group.cv_neurons as f64;
            neurons += group.cv_neurons;
        }
        (neurons > 0).then(|| sum / neurons as f64)
    }

    /// The rate of every neuron, row by row of the grid.
    pub(super) fn map(&self, name: &'static str) -> Matrix {
        let rates: Vec<Vec<f64>> = (0..GROUPS)
            .map(|g| self.statistics.neuron_rates(g))
            .collect();
        let values = self.grid.places.iter();
        let values = values.map(|(group, place)| rates[*group][*place as usize] as f32);
        let columns = self.grid.columns() as usize;
        Matrix::new(name, ("rate", "Hz"), columns, values.collect())
    }
}
