//! What a run leaves of weights: arrays, tables and pictures.

use super::RunError;
use super::results::{FileNames, file_name};
use crate::files::whole::write_whole;
use crate::network::plastic::PlasticSynapses;
use crate::network::projection::{ProjectsFrom, ProjectsTo};
use crate::network::region::Region;
use crate::network::stimulus::Selection;
use crate::network::weight_probe::{Kept, WeightProbe};
use crate::results::figure::{Figure, Heat, Panel};
use crate::results::{csv, npy};
use crate::scene::schema::{ProbeKind, Scene};
use crate::sim::rng::{Purpose, Random, entity_key};
use crate::simulation::{Simulation, SynapseView};
use bevy::prelude::*;
use std::collections::HashMap;
use std::path::Path;

/// So many weights are drawn as lines.
const LINES: usize = 60;
/// So many receptive fields are drawn.
const FIELDS: usize = 64;

/// Writes what the probes of weights ask for.
pub(super) fn write(
    simulation: &mut Simulation,
    scene: &Scene,
    out: &Path,
) -> Result<(), RunError> {
    let mut names = FileNames::default();
    for probe in &scene.probes {
        match &probe.kind {
            ProbeKind::Weights { from, to } => {
                let name = names.take(&format!("weights_{}_{}", file_name(from), file_name(to)));
                write_synapses(simulation, (from, to), &out.join(name))?;
            }
            ProbeKind::ReceptiveFields {
                projection,
                targets,
                width,
            } => {
                let name = names.take(&format!("receptive_fields_{}", file_name(projection)));
                let chosen = receptive_targets(simulation, scene, projection, targets);
                let fields = fields(simulation, projection, &chosen);
                let sources = fields.len() / chosen.len().max(1);
                npy::write_matrix(out.join(format!("{name}.npy")), sources, &fields)?;
                let figure = draw_fields(projection, &chosen, &fields, sources, *width as usize);
                write_figure(&figure, &out.join(format!("{name}.png")))?;
            }
            _ => {}
        }
    }
    let dt_ms = simulation.clock().dt_ms();
    let world = simulation.world_mut();
    let mut probes = world.query::<(Entity, &WeightProbe)>();
    let mut list: Vec<_> = probes.iter(world).collect();
    list.sort_unstable_by_key(|(entity, _)| entity.index_u32());
    for (_, probe) in list {
        let projection = world.get::<Name>(probe.projection);
        let projection = projection.map_or("", Name::as_str);
        let interval_ms = probe.every as f64 * dt_ms;
        match &probe.kept {
            Kept::Single { places } => {
                let name = names.take(&format!("weight_course_{}", file_name(projection)));
                write_course(world, probe, places, interval_ms, &out.join(&name))?;
                let figure = draw_course(projection, probe, interval_ms);
                write_figure(&figure, &out.join(format!("{name}.png")))?;
            }
            Kept::Histogram { bounds, bins } => {
                let name = names.take(&format!("weight_histogram_{}", file_name(projection)));
                let width = (bounds.1 - bounds.0) / *bins as f32;
                let mut columns = vec!["mean".to_owned(), "sd".to_owned()];
                columns.extend((0..*bins).map(|i| format!("from_{}", bounds.0 + i as f32 * width)));
                let path = out.join(format!("{name}.csv"));
                csv::write_samples(path, &columns, interval_ms, interval_ms, &probe.values)?;
                let figure = draw_histogram(projection, probe, *bounds, *bins, interval_ms);
                write_figure(&figure, &out.join(format!("{name}.png")))?;
            }
        }
    }
    Ok(())
}

pub(super) fn write_figure(figure: &Figure, path: &Path) -> Result<(), RunError> {
    let canvas = figure.draw();
    Ok(write_whole(path, |out| out.write_all(&canvas.png()?))?)
}

/// `stem.npy` and its companions: weights, delays, sources and targets of the synapses from one region to another.
fn write_synapses(
    simulation: &mut Simulation,
    (from, to): (&str, &str),
    stem: &Path,
) -> Result<(), RunError> {
    let synapses = simulation.synapses(from, to);
    let path = |what: &str| format!("{}{what}.npy", stem.display());
    let column = |f: fn(&SynapseView) -> f32| synapses.iter().map(f).collect::<Vec<_>>();
    npy::write_vector(path(""), &column(|s| s.weight))?;
    npy::write_vector(path("_delay_ms"), &column(|s| s.delay_ms))?;
    let ends = |f: fn(&SynapseView) -> u32| synapses.iter().map(f).collect::<Vec<_>>();
    npy::write_vector(path("_source"), &ends(|s| s.source))?;
    npy::write_vector(path("_target"), &ends(|s| s.target))?;
    Ok(())
}

/// `stem.npy` with a row per sample, and the times, sources and targets that belong to its rows and columns.
fn write_course(
    world: &World,
    probe: &WeightProbe,
    places: &[usize],
    interval_ms: f64,
    stem: &Path,
) -> Result<(), RunError> {
    let path = |what: &str| format!("{}{what}.npy", stem.display());
    npy::write_matrix(path(""), places.len(), &probe.values)?;
    let samples = probe.values.len() / places.len().max(1);
    let times: Vec<f64> = (1..=samples).map(|i| i as f64 * interval_ms).collect();
    npy::write_vector(path("_time_ms"), &times)?;
    let synapses = world.get::<PlasticSynapses>(probe.projection);
    let ends = synapses.map_or_else(Vec::new, PlasticSynapses::ends);
    let column = |f: fn(&(u32, u32)) -> u32| -> Vec<u32> {
        places.iter().filter_map(|p| ends.get(*p)).map(f).collect()
    };
    npy::write_vector(path("_source"), &column(|e| e.0))?;
    npy::write_vector(path("_target"), &column(|e| e.1))?;
    Ok(())
}

fn draw_course(projection: &str, probe: &WeightProbe, interval_ms: f64) -> Figure {
    let width = probe.kept.width();
    let mut panel = Panel::new(if width > LINES {
        format!("the first {LINES} of {width} weights")
    } else {
        format!("{width} weights")
    })
    .x("time", "ms")
    .y("weight", "");
    for synapse in 0..width.min(LINES) {
        let samples = probe.values.chunks_exact(width).enumerate();
        let points = samples
            .filter(|(_, row)| row[synapse].is_finite())
            .map(|(i, row)| ((i + 1) as f64 * interval_ms, row[synapse].into()))
            .collect();
        panel = panel.line("", points);
    }
    Figure::new(format!("Weights of {projection}"))
        .panel_size(1000, 560)
        .panel(panel)
}

fn draw_histogram(
    projection: &str,
    probe: &WeightProbe,
    (low, high): (f32, f32),
    bins: usize,
    interval_ms: f64,
) -> Figure {
    let rows: Vec<&[f32]> = probe.values.chunks_exact(2 + bins).collect();
    let end_ms = rows.len() as f64 * interval_ms;
    let (low, high) = (f64::from(low), f64::from(high));
    // A heat map has its rows upwards: here weights, with time to the right. It is made of at most so many moments.
    let every = rows.len().div_ceil(1000).max(1);
    let shown: Vec<&&[f32]> = rows.iter().step_by(every).collect();
    let shares = (0..bins).flat_map(|bin| {
        shown.iter().map(move |row| {
            let all: f32 = row[2..].iter().sum();
            100.0 * row[2 + bin] / all.max(1.0)
        })
    });
    let course = Panel::new("over time")
        .x("time", "ms")
        .y("weight", "")
        .heat(
            Heat::new("synapses", "%", shown.len().max(1), shares.collect())
                .extent([0.0, end_ms], [low, high]),
        );
    let mut figure = Figure::new(format!("Weights of {projection}"))
        .columns(2)
        .panel_size(640, 480)
        .panel(course);
    if let Some(last) = rows.last() {
        let width = (high - low) / bins as f64;
        let edges = (0..=bins).map(|i| low + i as f64 * width).collect();
        let heights = last[2..].iter().map(|count| (*count).into()).collect();
        let title = format!("in the end: mean {:.4}, SD {:.4}", last[0], last[1]);
        let panel = Panel::new(title).x("weight", "").y("synapses", "");
        figure = figure.panel(panel.bars("", edges, heights));
    }
    figure
}

/// The target neurons whose receptive fields are asked for.
fn receptive_targets(
    simulation: &mut Simulation,
    scene: &Scene,
    projection: &str,
    targets: &Selection,
) -> Vec<u32> {
    let to = simulation
        .projection(projection)
        .and_then(|p| Some(simulation.world().get::<ProjectsTo>(p)?.0));
    let neurons = to.map_or(0, |to| neurons_of(simulation, to));
    let random = Random::new(scene.seed, entity_key(projection), Purpose::Choice);
    targets.neurons(neurons, random).unwrap_or_default()
}

fn neurons_of(simulation: &Simulation, region: Entity) -> u32 {
    let region = simulation.world().get::<Region>(region);
    region.map_or(0, |r| r.neurons)
}

/// The summed weights onto each target neuron by source, row by row.
fn fields(simulation: &mut Simulation, projection: &str, targets: &[u32]) -> Vec<f32> {
    let ends = simulation.synapse_ends(projection).unwrap_or_default();
    let weights = simulation.weights(projection).unwrap_or_default();
    let from = simulation
        .projection(projection)
        .and_then(|p| Some(simulation.world().get::<ProjectsFrom>(p)?.0));
    let sources = from.map_or(0, |from| neurons_of(simulation, from)) as usize;
    let row_of: HashMap<u32, usize> = (targets.iter().enumerate())
        .map(|(row, n)| (*n, row))
        .collect();
    let mut fields = vec![0.0; targets.len() * sources];
    for ((source, target), weight) in ends.iter().zip(&weights) {
        if let Some(row) = row_of.get(target) {
            fields[row * sources + *source as usize] += weight;
        }
    }
    fields
}

fn draw_fields(
    projection: &str,
    targets: &[u32],
    fields: &[f32],
    sources: usize,
    width: usize,
) -> Figure {
    let shown = targets.len().min(FIELDS);
    let columns = (1..).find(|c| c * c >= shown).unwrap_or(1);
    let title = if shown < targets.len() {
        format!(
            "Weights of {projection} by source, onto the first {shown} of {} neurons",
            targets.len()
        )
    } else {
        format!("Weights of {projection} by source, onto each neuron")
    };
    let largest = fields.iter().fold(0.0f32, |a, w| a.max(w.abs()));
    let least = if fields.iter().any(|w| *w < 0.0) {
        -largest
    } else {
        0.0
    };
    let mut figure = Figure::new(title).columns(columns).panel_size(300, 260);
    for (row, target) in targets.iter().enumerate().take(shown) {
        let field = &fields[row * sources..(row + 1) * sources];
        // The first source is at the top left, as in pictures.
        let rows = sources.div_ceil(width);
        let values = (0..rows).rev().flat_map(|y| {
            (0..width).map(move |x| field.get(y * width + x).copied().unwrap_or(f32::NAN))
        });
        let heat = Heat::new("", "", width, values.collect())
            .range(f64::from(least), f64::from(largest.max(f32::MIN_POSITIVE)));
        figure = figure.panel(Panel::new(target.to_string()).heat(heat));
    }
    figure
}
