//! The pixels and curves of a raster.

use crate::session::frame::Structure;
use crate::view::live::Live;
use crate::view::picture::Pixels;
use crate::view::plot::Chart;
use crate::view::recorded::spikes_between;
use crate::view::theme::Theme;
use bevy_egui::egui::{Color32, ColorImage, Mesh, Rect, pos2, vec2};

/// The least part of the height that a region is given, of what an equal share would be.
const LEAST_SHARE: f64 = 0.35;
/// Marks may cover this part of the picture before they become translucent.
const MOST_COVERED: f32 = 0.35;
/// The most spikes that are painted as shapes.
const MOST_SHAPES: usize = 20_000;
/// Points of a rate curve.
const POINTS: f64 = 400.0;

/// Which rows of the picture belong to which region. All rows together are 1; a region's neurons share its rows evenly.
#[derive(Clone, Debug)]
pub struct Bands {
    /// The places of the regions that are shown, from the top.
    regions: Vec<usize>,
    /// The upper end of each region's rows, and the lower end of the last.
    edges: Vec<f64>,
    /// Per region of the network: its place from the top, if it is shown.
    places: Vec<Option<usize>>,
}

impl Bands {
    /// Stacks these regions: larger ones get more room, but none too little to be seen.
    pub fn new(structure: &Structure, regions: &[usize]) -> Self {
        let neurons = |&r: &usize| f64::from(structure.regions[r].neurons);
        let all: f64 = regions.iter().map(neurons).sum();
        let least = LEAST_SHARE / regions.len().max(1) as f64;
        let shares: Vec<f64> = (regions.iter())
            .map(|r| (neurons(r) / all.max(1.0)).max(least))
            .collect();
        let sum: f64 = shares.iter().sum();
        let mut edges = vec![0.0];
        for share in &shares {
            edges.push(edges[edges.len() - 1] + share / sum.max(1e-9));
        }
        let mut places = vec![None; structure.regions.len()];
        for (place, &region) in regions.iter().enumerate() {
            places[region] = Some(place);
        }
        Self {
            regions: regions.to_vec(),
            edges,
            places,
        }
    }

    /// The regions that are shown, from the top.
    pub fn regions(&self) -> &[usize] {
        &self.regions
    }

    /// All rows.
    pub fn rows(&self) -> f64 {
        1.0
    }

    /// The rows of the region at a place from the top: upper and lower end.
    pub fn rows_of(&self, place: usize) -> (f64, f64) {
        (self.edges[place], self.edges[place + 1])
    }

    /// The upper end of a neuron's row, if its region is shown.
    pub fn row(&self, structure: &Structure, number: u32) -> Option<f64> {
        let id = structure.neuron(number)?;
        let (top, bottom) = self.rows_of(self.places[id.region]?);
        let share = f64::from(id.neuron) / f64::from(structure.regions[id.region].neurons);
        Some(top + share * (bottom - top))
    }

    /// The height of a neuron's row.
    pub fn height(&self, structure: &Structure, number: u32) -> f64 {
        let Some(id) = structure.neuron(number) else {
            return 0.0;
        };
        let Some(place) = self.places[id.region] else {
            return 0.0;
        };
        let (top, bottom) = self.rows_of(place);
        (bottom - top) / f64::from(structure.regions[id.region].neurons.max(1))
    }

    /// The neuron whose row holds this height.
    pub fn neuron_at(&self, structure: &Structure, row: f64) -> Option<u32> {
        let place = (self.edges.partition_point(|edge| *edge <= row)).checked_sub(1)?;
        let region = structure.regions.get(*self.regions.get(place)?)?;
        let (top, bottom) = self.rows_of(place);
        let share = (row - top) / (bottom - top);
        let neuron = (share * f64::from(region.neurons)) as u32;
        Some(region.first + neuron.min(region.neurons.checked_sub(1)?))
    }
}

/// Draws the spikes of a time into a picture.
pub fn draw_marks(
    live: &Live,
    structure: &Structure,
    bands: &Bands,
    (from, to): (f64, f64),
    mut pixels: Pixels,
    theme: &Theme,
) -> ColorImage {
    let [width, height] = pixels.size;
    let visible = spikes_between(live, from, to);
    // Per region: its first neuron, the pixel of its first row, pixels per neuron, colour.
    let regions: Vec<Option<(u32, f64, f64)>> = (structure.regions.iter().enumerate())
        .map(|(region, info)| {
            let (top, bottom) = bands.rows_of(bands.places[region]?);
            let per_neuron = (bottom - top) * height as f64 / f64::from(info.neurons.max(1));
            Some((info.first, top * height as f64, per_neuron))
        })
        .collect();
    let tallest = regions.iter().flatten().map(|r| r.2).fold(0.0, f64::max);
    let few = visible.len() < 60_000;
    let mark_width = if few && width > 500 { 2 } else { 1 };
    let covered =
        visible.len() as f32 * mark_width as f32 * (tallest * 0.7).clamp(1.0, 12.0) as f32;
    let strength = (MOST_COVERED * (width * height) as f32 / covered.max(1.0)).clamp(0.3, 1.0);
    let colors: Vec<Color32> = (0..structure.regions.len())
        .map(|region| theme.region(region).gamma_multiply(strength))
        .collect();
    let dt = live.progress.dt_ms;
    let scale = width as f64 / (to - from);
    for (region, info) in structure.regions.iter().enumerate() {
        if let Some((_, top, per_neuron)) = regions[region] {
            for &neuron in &info.lesioned {
                let y = (top + f64::from(neuron) * per_neuron) as usize;
                let rows = (per_neuron * 0.8).max(1.0) as usize;
                for y in y..y + rows {
                    (0..4.min(width)).for_each(|x| pixels.put(x, y, theme.lesioned));
                }
            }
        }
    }
    let mut region = 0;
    for spike in live.spikes.range(visible) {
        // Spikes of one step come region by region.
        let holds = |r: usize| {
            structure.regions.get(r).is_some_and(|info| {
                spike.neuron >= info.first && spike.neuron - info.first < info.neurons
            })
        };
        if !holds(region) {
            match structure.neuron(spike.neuron) {
                Some(id) => region = id.region,
                None => continue,
            }
        }
        let Some((first, top, per_neuron)) = regions[region] else {
            continue;
        };
        let x = (((spike.step + 1) as f64 * dt - from) * scale) as usize;
        let y = (top + f64::from(spike.neuron - first) * per_neuron) as usize;
        let rows = (per_neuron * 0.7).clamp(1.0, 12.0) as usize;
        let color = colors[region];
        for y in y..y + rows {
            for x in x..x + mark_width {
                pixels.add(x.min(width - 1), y, color);
            }
        }
    }
    pixels.image()
}

/// The spikes of a time as shapes, as large as those of a picture.
pub fn marks_mesh(
    live: &Live,
    structure: &Structure,
    bands: &Bands,
    chart: &Chart,
    (from, to): (f64, f64),
    theme: &Theme,
) -> Mesh {
    let mut mesh = Mesh::default();
    let visible = spikes_between(live, from, to);
    let newest = visible.end.saturating_sub(MOST_SHAPES).max(visible.start);
    for spike in live.spikes.range(newest..visible.end) {
        let Some((row, id)) =
            (bands.row(structure, spike.neuron)).zip(structure.neuron(spike.neuron))
        else {
            continue;
        };
        let height = bands.height(structure, spike.neuron) as f32 * chart.inner.height();
        let x = chart.x_at((spike.step + 1) as f64 * live.progress.dt_ms);
        let size = vec2(1.5, (height * 0.7).clamp(1.0, 12.0));
        let mark = Rect::from_min_size(pos2(x, chart.y_at(row)), size);
        mesh.add_colored_rect(mark, theme.region(id.region));
    }
    mesh
}

/// The rate of each region that is shown, in Hz against ms, smoothed with a Gaussian of this standard deviation.
pub fn smooth_rates(
    live: &Live,
    structure: &Structure,
    bands: &Bands,
    (from, to): (f64, f64),
    sd_ms: f64,
) -> Vec<Vec<(f64, f64)>> {
    let dt = live.progress.dt_ms;
    if !(dt > 0.0 && to > from) {
        return Vec::new();
    }
    // Bins begin at whole multiples of their width, so that curves do not flicker while time goes on.
    let bin_ms = dt * ((to - from) / POINTS / dt).ceil().max(1.0);
    let reach = (3.0 * sd_ms / bin_ms).ceil() as i64;
    let known_from = live.spikes_from as f64 * dt;
    let first = (from.max(known_from).max(0.0) / bin_ms).floor() as i64 - reach;
    let first = first.max((known_from / bin_ms).ceil() as i64).max(0);
    let last = (to.min(live.time_ms()) / bin_ms + 1e-6).floor() as i64;
    let bins = (last - first).max(0) as usize;
    let shown = bands.regions().len();
    let mut counts = vec![0_u32; bins * shown];
    let visible = spikes_between(live, first as f64 * bin_ms, last as f64 * bin_ms);
    for spike in live.spikes.range(visible) {
        let Some(id) = structure.neuron(spike.neuron) else {
            continue;
        };
        // The spike of step k is at (k + 1)·dt and belongs to the bin that ends there or later.
        let bin = ((spike.step as f64 + 0.5) * dt / bin_ms) as i64 - first;
        if let (Some(place), Ok(bin)) = (bands.places[id.region], usize::try_from(bin))
            && bin < bins
        {
            counts[place * bins + bin] += 1;
        }
    }
    let kernel: Vec<f64> = (0..=reach)
        .map(|i| (-0.5 * (i as f64 * bin_ms / sd_ms).powi(2)).exp())
        .collect();
    (0..shown)
        .map(|place| {
            let neurons = structure.regions[bands.regions()[place]].neurons.max(1);
            let to_hz = 1000.0 / (bin_ms * f64::from(neurons));
            let counts = &counts[place * bins..(place + 1) * bins];
            (0..bins)
                .map(|bin| {
                    let (mut sum, mut weights) = (0.0, 0.0);
                    let near =
                        bin.saturating_sub(reach as usize)..(bin + reach as usize + 1).min(bins);
                    for other in near {
                        let weight = kernel[bin.abs_diff(other)];
                        sum += weight * f64::from(counts[other]);
                        weights += weight;
                    }
                    let ms = (first as f64 + bin as f64 + 0.5) * bin_ms;
                    (ms, sum / weights * to_hz)
                })
                .filter(|(ms, _)| *ms >= from)
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{busy, network, spiking};

    #[test]
    fn rows_and_neurons_are_inverse() {
        let live = network(&[("a", 1000), ("b", 3), ("c", 50)]);
        let structure = live.structure.clone().expect("a network");
        let bands = Bands::new(&structure, &[0, 1, 2]);
        for number in [0, 1, 999, 1000, 1002, 1003, 1052] {
            let row = bands.row(&structure, number).expect("shown");
            let middle = row + 0.5 * bands.height(&structure, number);
            assert_eq!(bands.neuron_at(&structure, middle), Some(number));
        }
        let bands = Bands::new(&structure, &[2]);
        assert_eq!(bands.row(&structure, 0), None);
        assert_eq!(bands.neuron_at(&structure, 0.0), Some(1003));
        let (top, bottom) = Bands::new(&structure, &[0, 1, 2]).rows_of(1);
        assert!(bottom - top > 0.05, "small regions can be seen");
    }

    #[test]
    fn a_spike_is_drawn_at_its_time_and_row() {
        let mut live = network(&[("a", 10)]);
        spiking(&mut live, &[(499, 7)], 1000);
        let structure = live.structure.clone().expect("a network");
        let bands = Bands::new(&structure, &[0]);
        let theme = Theme::default();
        let mut structure = (*structure).clone();
        structure.regions[0].lesioned.clear();
        let image = draw_marks(
            &live,
            &structure,
            &bands,
            (0.0, 100.0),
            Pixels::new([100, 100]),
            &theme,
        );
        let lit: Vec<usize> = (0..image.pixels.len())
            .filter(|&i| image.pixels[i] != Color32::TRANSPARENT)
            .collect();
        assert!(!lit.is_empty());
        for i in lit {
            assert_eq!(i % 100, 50, "the spike of step 499 is at 50 ms");
            assert!((70..80).contains(&(i / 100)), "row of neuron 7");
        }
    }

    #[test]
    fn smoothed_rates_have_the_mean_of_the_spikes() {
        let mut live = network(&[("a", 100), ("b", 100)]);
        busy(&mut live, 2.0, 20_000);
        let structure = live.structure.clone().expect("a network");
        let bands = Bands::new(&structure, &[0, 1]);
        let curves = smooth_rates(&live, &structure, &bands, (0.0, 2000.0), 5.0);
        let mean = |c: &[(f64, f64)]| c.iter().map(|p| p.1).sum::<f64>() / c.len() as f64;
        let expected = live.spikes.len() as f64 / 200.0 / 2.0;
        for curve in &curves {
            assert!(
                (mean(curve) / expected - 1.0).abs() < 0.1,
                "{} {expected}",
                mean(curve)
            );
        }
        assert_eq!(curves.len(), 2);
    }

    #[test]
    fn half_a_million_spikes_are_drawn() {
        let mut live = network(&[("a", 8000), ("b", 2000)]);
        busy(&mut live, 100.0, 5000);
        let structure = live.structure.clone().expect("a network");
        let bands = Bands::new(&structure, &[0, 1]);
        let image = draw_marks(
            &live,
            &structure,
            &bands,
            (0.0, 500.0),
            Pixels::new([1000, 600]),
            &Theme::default(),
        );
        let lit = image.pixels.iter().filter(|p| p.a() > 0).count();
        assert!(lit > 100_000, "{lit}");
    }
}
