//! `raster.png`: the spikes of every region and their rates, as a figure.
//!
//! Upper panel: one row per neuron, one mark per spike, the regions stacked in the order of the scene with
//! the first on top, neuron 0 uppermost. Lower panel: the population rate of each region. Both share the
//! time axis. A region keeps one colour (Okabe & Ito's, which colour-blind readers can tell apart).
//!
//! Of a large region only evenly spaced neurons are shown; the label says how many (see `rows.rs`).
//! Where marks would cover most of a region they become translucent, so that denser firing stays darker. Rates
//! always count all neurons.
//!
//! The picture is a function of the recording and the options only: equal runs give equal bytes.

use super::canvas::{Anchor, Area, Canvas, Color, TextStyle};
use super::quantities::{counted, grouped, ticks};
use super::rows::{Band, ROW, bands};
use super::{RateTrace, Recording, SpikeTrain, Window};
use crate::files::whole::{FileError, write_whole};
use std::path::Path;

/// Colours of the regions, in order; after the last the first comes again.
///
/// Okabe & Ito, <https://jfly.uni-koeln.de/color/>, without their yellow, which is faint on white.
pub const REGION_COLORS: [Color; 8] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [60, 60, 60],
    [140, 140, 140],
];

const INK: Color = [38, 38, 38];
const FAINT: Color = [115, 115, 115];
const RULE: Color = [215, 215, 215];

/// Part of a region that marks may cover before they become translucent.
const MOST_COVERED: f32 = 0.55;
/// How translucent they may become.
const LEAST_OPACITY: f32 = 0.12;
/// Text of a small picture does not shrink further than this.
const SMALLEST_SCALE: f32 = 0.5;
/// Fewest pixels between two points of a rate curve.
const POINT_SPACING: f64 = 2.5;

/// What the figure shows and how large it is.
#[derive(Clone, Debug, PartialEq)]
pub struct RasterOptions {
    /// Line above the figure.
    pub title: String,
    /// Small line below the figure on the left, such as the seed and the spike hash; may be empty.
    pub footnote: String,
    /// Start and end of the time axis in ms; the whole recording if None.
    pub window_ms: Option<[f64; 2]>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Default for RasterOptions {
    fn default() -> Self {
        Self {
            title: String::new(),
            footnote: String::new(),
            window_ms: None,
            width: 1600,
            height: 1000,
        }
    }
}

/// Draws the figure into a PNG file.
pub fn write_raster(
    path: impl AsRef<Path>,
    recording: &Recording,
    options: &RasterOptions,
) -> Result<(), FileError> {
    write_whole(path, |out| {
        out.write_all(&draw_raster(recording, options).png()?)
    })
}

/// Draws the figure.
pub fn draw_raster(recording: &Recording, options: &RasterOptions) -> Canvas {
    let mut figure = Figure::new(recording, options);
    figure.draw_spikes();
    figure.draw_rates();
    figure.draw_time_axis();
    figure.draw_title(options);
    figure.canvas
}

/// The picture under construction.
struct Figure<'a> {
    canvas: Canvas,
    recording: &'a Recording<'a>,
    /// The spikes that are shown.
    window: Window,
    /// Ends of the time axis in ms.
    time: [f64; 2],
    /// Size of a pixel of the design, which is made for 1600 × 1000.
    scale: f32,
    /// Width of axes and ticks.
    thin: f32,
    spikes: Area,
    rates: Area,
}

impl<'a> Figure<'a> {
    fn new(recording: &'a Recording<'a>, options: &RasterOptions) -> Self {
        let canvas = Canvas::new(options.width, options.height);
        let whole = canvas.area();
        let scale = (whole.width() / 1600.0).min(whole.height() / 1000.0);
        let scale = scale.max(SMALLEST_SCALE);
        let dt = recording.dt_ms;
        let (window, time) = match options.window_ms {
            Some([start, end]) => {
                let window = recording.clip(Window::between_ms(start, end, dt));
                (window, [window.start_ms(dt), window.end_ms(dt)])
            }
            None => {
                let [start, end] = [recording.start_step, recording.end_step];
                (
                    recording.window(),
                    [start, end].map(|step| step as f64 * dt),
                )
            }
        };
        let label_width = |train: &SpikeTrain| {
            let count = grouped(u64::from(train.neurons));
            let count = canvas.text_width(&format!("999 of {count}"), NOTE * scale);
            canvas.text_width(train.region, NAME * scale).max(count)
        };
        let longest = recording.trains.iter().map(label_width).fold(0.0, f32::max);
        let left = (longest + 44.0 * scale).clamp(130.0 * scale, 330.0 * scale);
        let right = whole.right - 44.0 * scale;
        let (top, bottom) = (78.0 * scale, whole.bottom - 104.0 * scale);
        let split = top + 0.74 * (bottom - top);
        let area = |top: f32, bottom: f32| Area {
            left: left.min(right).round(),
            top: top.round(),
            right: right.round(),
            bottom: bottom.max(top).round(),
        };
        Self {
            recording,
            window,
            time,
            scale,
            thin: scale.round().max(1.0),
            spikes: area(top, split),
            rates: area(split + 34.0 * scale, bottom),
            canvas,
        }
    }

    /// Place of a time on the axis.
    fn x(&self, time_ms: f64) -> f32 {
        let [start, end] = self.time;
        let share = if end > start {
            (time_ms - start) / (end - start)
        } else {
            0.0
        };
        self.spikes.left + share as f32 * self.spikes.width()
    }

    /// A text that is read from left to right; `size` is in pixels of the design.
    fn style(&self, size: f32, color: Color, anchor: Anchor) -> TextStyle {
        TextStyle {
            size: size * self.scale,
            color,
            anchor,
            upwards: false,
        }
    }

    fn draw_spikes(&mut self) {
        let regions = self.recording.trains.iter();
        let regions = regions.map(|train| (train.neurons, train.range(self.window)));
        let bands = bands(regions, self.spikes, 1.25 * NAME * self.scale, self.scale);
        let mut free_from = f32::NEG_INFINITY;
        for (index, band) in bands.iter().enumerate() {
            self.draw_band(index, band, &mut free_from);
            self.draw_marks(index, band);
        }
        self.draw_axes(self.spikes);
        if bands.iter().all(|band| band.spikes.is_empty()) {
            let middle = (self.spikes.left + self.spikes.right) / 2.0;
            let y = (self.spikes.top + self.spikes.bottom) / 2.0;
            let style = self.style(NAME, FAINT, Anchor::Middle);
            self.canvas.text("no spikes", (middle, y), style);
        }
    }

    fn draw_marks(&mut self, index: usize, band: &Band) {
        let train = &self.recording.trains[index];
        let row_of = band.row_of_neuron();
        let edges = band.mark_edges(self.scale);
        let marks = || {
            let (steps, ids) = (
                &train.steps[band.spikes.clone()],
                &train.ids[band.spikes.clone()],
            );
            let row = |id: u32| row_of.get(id as usize).copied().flatten();
            (steps.iter().zip(ids)).filter_map(move |(&step, &id)| Some((step, row(id)?)))
        };
        let width = (ROW * self.scale).round().max(1.0);
        let covered = edges.first().map_or(0.0, |(top, bottom)| bottom - top) * width;
        let covered = marks().count() as f32 * covered;
        let size = band.area.width() * band.area.height();
        let opacity = (MOST_COVERED * size / covered.max(1.0)).clamp(LEAST_OPACITY, 1.0);
        for (step, row) in marks() {
            let (top, bottom) = edges[row as usize];
            let left = (self.x(self.recording.time_ms(step)) - width / 2.0).round();
            let right = left + width;
            let mark = Area {
                left,
                top,
                right,
                bottom,
            };
            self.canvas
                .fill(mark.shared_with(&self.spikes), region_color(index), opacity);
        }
    }

    /// The name of a region, its colour, and the line above it.
    fn draw_band(&mut self, index: usize, band: &Band, free_from: &mut f32) {
        let (scale, area) = (self.scale, band.area);
        let train = &self.recording.trains[index];
        let key = Area {
            left: area.left - 16.0 * scale,
            right: area.left - 9.0 * scale,
            top: area.top + scale,
            bottom: (area.bottom - scale).max(area.top + 1.5 * scale),
        };
        self.canvas.fill(key, region_color(index), 1.0);
        if index > 0 {
            let y = area.top.round();
            let rule = Area {
                top: y,
                bottom: y + self.thin,
                ..self.spikes
            };
            self.canvas.fill(rule, RULE, 1.0);
        }

        let x = area.left - 26.0 * scale;
        let middle = (area.top + area.bottom) / 2.0;
        let room = x - 8.0 * scale;
        let two_lines = area.height() > 2.6 * NAME * scale;
        let name_y = if two_lines {
            middle - 0.55 * NAME * scale
        } else {
            middle
        };
        let size = (area.height() / scale).clamp(SMALL_NAME, NAME);
        if name_y - 0.5 * size * scale < *free_from {
            return;
        }
        *free_from = name_y + 0.4 * size * scale;
        let name = self.canvas.fitted(train.region, size * scale, room);
        self.canvas
            .text(&name, (x, name_y), self.style(size, INK, Anchor::End));
        if two_lines {
            let note = match band.rows < band.neurons {
                true => format!(
                    "{} of {}",
                    grouped(band.rows.into()),
                    grouped(band.neurons.into())
                ),
                false => counted(band.neurons.into(), "neuron"),
            };
            let note = self.canvas.fitted(&note, NOTE * scale, room);
            let place = (x, middle + 0.6 * NAME * scale);
            self.canvas
                .text(&note, place, self.style(NOTE, FAINT, Anchor::End));
        }
    }

    fn draw_rates(&mut self) {
        let (scale, panel) = (self.scale, self.rates);
        let bin_ms = self.rate_bin_ms();
        let traces: Vec<RateTrace> = (0..self.recording.trains.len())
            .map(|train| self.recording.rate_trace(train, self.window, bin_ms))
            .collect();
        let highest = traces
            .iter()
            .flat_map(|t| &t.values)
            .copied()
            .fold(0.0, f32::max);
        let highest = if highest > 0.0 {
            f64::from(highest) * 1.05
        } else {
            1.0
        };
        let y = |rate: f64| panel.bottom - (rate / highest) as f32 * panel.height();
        for (value, label) in ticks(0.0, highest, 4) {
            let at = y(value).round();
            let tick = Area {
                left: panel.left - 6.0 * scale,
                right: panel.left,
                top: at - self.thin,
                bottom: at,
            };
            self.canvas.fill(tick, INK, 1.0);
            let place = (panel.left - 11.0 * scale, at);
            self.canvas
                .text(&label, place, self.style(TICK, INK, Anchor::End));
        }
        for (index, trace) in traces.iter().enumerate() {
            let centre = |bin: usize| trace.start_ms + (bin as f64 + 0.5) * bin_ms;
            let points: Vec<_> = (trace.values.iter().enumerate())
                .map(|(bin, &rate)| (self.x(centre(bin)), y(f64::from(rate))))
                .collect();
            self.canvas
                .line(&points, 1.6 * scale, region_color(index), panel);
        }
        self.draw_axes(panel);
        let label = TextStyle {
            upwards: true,
            ..self.style(LABEL, INK, Anchor::Middle)
        };
        let middle = (panel.top + panel.bottom) / 2.0;
        self.canvas
            .text("rate (Hz)", (panel.left - 78.0 * scale, middle), label);
        let note = format!("{bin_ms} ms bins");
        let place = (panel.right, panel.top - 12.0 * scale);
        self.canvas
            .text(&note, place, self.style(NOTE, FAINT, Anchor::End));
    }

    /// A round width at which the points of a rate curve keep their distance, and at which one spike is no more than 50 Hz in the largest
    /// region: 1, 2, 5, 10 ms and so on.
    fn rate_bin_ms(&self) -> f64 {
        let [start, end] = self.time;
        let points = (f64::from(self.rates.width() / self.scale) / POINT_SPACING).max(1.0);
        let largest = self
            .recording
            .trains
            .iter()
            .map(|train| train.neurons)
            .max();
        let one_spike = 20.0 / f64::from(largest.unwrap_or(0).max(1));
        let least = ((end - start) / points)
            .max(self.recording.dt_ms)
            .max(one_spike)
            .max(1.0);
        (0..18)
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(decade)))
            .find(|&bin| bin >= least)
            .unwrap_or(least)
    }

    fn draw_time_axis(&mut self) {
        let (scale, [start, end]) = (self.scale, self.time);
        let wanted = (self.rates.width() / (130.0 * scale)) as usize;
        for (value, label) in ticks(start, end, wanted.max(1)) {
            let at = self.x(value).round();
            for panel in [self.spikes, self.rates] {
                let tick = Area {
                    left: at,
                    right: at + self.thin,
                    top: panel.bottom,
                    bottom: panel.bottom + 6.0 * scale,
                };
                self.canvas.fill(tick, INK, 1.0);
            }
            let place = (at, self.rates.bottom + 20.0 * scale);
            self.canvas
                .text(&label, place, self.style(TICK, INK, Anchor::Middle));
        }
        let middle = (self.rates.left + self.rates.right) / 2.0;
        let place = (middle, self.rates.bottom + 50.0 * scale);
        self.canvas
            .text("time (ms)", place, self.style(LABEL, INK, Anchor::Middle));
    }

    /// Left and lower edge of a panel.
    fn draw_axes(&mut self, panel: Area) {
        let left = Area {
            left: panel.left - self.thin,
            right: panel.left,
            ..panel
        };
        let lower = Area {
            left: panel.left - self.thin,
            top: panel.bottom,
            bottom: panel.bottom + self.thin,
            ..panel
        };
        self.canvas.fill(left, INK, 1.0);
        self.canvas.fill(lower, INK, 1.0);
    }

    fn draw_title(&mut self, options: &RasterOptions) {
        let (scale, panel) = (self.scale, self.spikes);
        let spikes: u64 = (self.recording.trains.iter())
            .map(|train| train.range(self.window).len() as u64)
            .sum();
        let neurons = self.recording.neurons();
        let counts = format!(
            "{}, {}",
            counted(neurons, "neuron"),
            counted(spikes, "spike")
        );
        let counts_width = self.canvas.text_width(&counts, LABEL * scale);
        let place = (panel.right, 42.0 * scale);
        self.canvas
            .text(&counts, place, self.style(LABEL, FAINT, Anchor::End));
        let room = panel.width() - counts_width - 40.0 * scale;
        // A long title is set smaller, a very long one is cut too.
        let length = self
            .canvas
            .text_width(&options.title, TITLE * scale)
            .max(1.0);
        let size = (TITLE * room / length).clamp(SMALL_TITLE, TITLE);
        let title = self.canvas.fitted(&options.title, size * scale, room);
        let place = (panel.left, 41.0 * scale);
        self.canvas
            .text(&title, place, self.style(size, INK, Anchor::Start));
        let footnote = self
            .canvas
            .fitted(&options.footnote, NOTE * scale, panel.width());
        let place = (panel.right, self.rates.bottom + 84.0 * scale);
        self.canvas
            .text(&footnote, place, self.style(NOTE, FAINT, Anchor::End));
    }
}

// Sizes of text, in pixels of the design.
const TITLE: f32 = 30.0;
const SMALL_TITLE: f32 = 22.0;
const NAME: f32 = 22.0;
const SMALL_NAME: f32 = 15.0;
const LABEL: f32 = 21.0;
const TICK: f32 = 19.0;
const NOTE: f32 = 16.0;

fn region_color(index: usize) -> Color {
    REGION_COLORS[index % REGION_COLORS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::canvas::WHITE;

    fn train<'a>(
        region: &'a str,
        neurons: u32,
        steps: &'a [u64],
        ids: &'a [u32],
    ) -> SpikeTrain<'a> {
        SpikeTrain {
            region,
            neurons,
            steps,
            ids,
        }
    }

    fn recording(trains: Vec<SpikeTrain<'_>>) -> Recording<'_> {
        Recording {
            dt_ms: 0.1,
            start_step: 0,
            end_step: 10_000,
            trains,
        }
    }

    /// Pixels of exactly this colour.
    fn pixels(canvas: &Canvas, color: Color, within: Area) -> Vec<(usize, usize)> {
        let columns = within.left as usize..within.right as usize;
        (within.top as usize..within.bottom as usize)
            .flat_map(|y| columns.clone().map(move |x| (x, y)))
            .filter(|&(x, y)| canvas.pixel(x, y) == color)
            .collect()
    }

    #[test]
    fn a_spike_is_marked_at_its_time_and_neuron() {
        // Neuron 2 of 4 at 250 ms.
        let recording = recording(vec![train("E", 4, &[2499], &[2])]);
        let options = RasterOptions::default();
        let panel = Figure::new(&recording, &options).spikes;
        let marks = pixels(&draw_raster(&recording, &options), REGION_COLORS[0], panel);
        assert_eq!(marks.len(), 2 * 16);
        let x = panel.left + 0.25 * panel.width();
        let y = panel.top + 2.5 / 4.0 * panel.height();
        assert!(
            marks
                .iter()
                .all(|&(column, _)| (column as f32 + 0.5 - x).abs() <= 1.5)
        );
        assert!(
            marks
                .iter()
                .all(|&(_, row)| (row as f32 + 0.5 - y).abs() <= 9.0)
        );
    }

    #[test]
    fn window_narrows_the_time_axis() {
        let recording = recording(vec![train("E", 1, &[2499, 4999, 7499], &[0; 3])]);
        let options = RasterOptions {
            window_ms: Some([400.0, 600.0]),
            ..Default::default()
        };
        let panel = Figure::new(&recording, &options).spikes;
        let marks = pixels(&draw_raster(&recording, &options), REGION_COLORS[0], panel);
        assert_eq!(marks.len(), 2 * 16);
        assert!((marks[0].0 as f32 - panel.left - 0.5 * panel.width()).abs() <= 2.0);
    }

    #[test]
    fn every_region_has_its_own_colour_and_order() {
        let (steps, ids) = (vec![5000; 50], (0..50).collect::<Vec<_>>());
        let recording = recording(vec![
            train("E", 50, &steps, &ids),
            train("I", 50, &steps, &ids),
        ]);
        let options = RasterOptions::default();
        let panel = Figure::new(&recording, &options).spikes;
        let canvas = draw_raster(&recording, &options);
        let first = pixels(&canvas, REGION_COLORS[0], panel);
        let second = pixels(&canvas, REGION_COLORS[1], panel);
        assert!(first.len() > 50 && first.len().abs_diff(second.len()) < first.len() / 10);
        let lowest = first.iter().map(|pixel| pixel.1).max();
        assert!(lowest < second.iter().map(|pixel| pixel.1).min());
    }

    #[test]
    fn denser_firing_is_darker_even_where_marks_overlap() {
        // 100 neurons: 2 spikes per ms and neuron in the first half, 10 in the second.
        let (mut steps, mut ids) = (vec![], vec![]);
        for step in 0..10_000 {
            for neuron in 0..if step < 5000 { 20 } else { 100 } {
                steps.push(step);
                ids.push((step * 7 + neuron) as u32 % 100);
            }
        }
        let recording = recording(vec![train("E", 100, &steps, &ids)]);
        let options = RasterOptions::default();
        let panel = Figure::new(&recording, &options).spikes;
        let canvas = draw_raster(&recording, &options);
        let middle = (panel.left + panel.right) as usize / 2;
        let darkness = |from: usize, to: usize| -> f64 {
            let rows = panel.top as usize..panel.bottom as usize;
            let columns = from..to;
            let area = (rows.len() * columns.len()) as f64;
            let red = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
            red.map(|(x, y)| 255.0 - f64::from(canvas.pixel(x, y)[0]))
                .sum::<f64>()
                / area
        };
        let sparse = darkness(panel.left as usize, middle);
        let dense = darkness(middle, panel.right as usize);
        assert!(dense > 1.3 * sparse, "{dense} {sparse}");
    }

    #[test]
    fn one_spike_of_few_neurons_is_no_burst() {
        let wide = |neurons| {
            let recording = recording(vec![train("E", neurons, &[100], &[0])]);
            Figure::new(&recording, &RasterOptions::default()).rate_bin_ms()
        };
        assert_eq!((wide(1), wide(2), wide(4)), (20.0, 10.0, 5.0));
        assert_eq!(wide(1000), wide(20));
    }

    #[test]
    fn rate_curve_has_the_height_of_the_rate() {
        // Ten neurons at 10 Hz and then at 20 Hz, spread evenly.
        let mut steps: Vec<u64> = (0..50).map(|i| i * 100).collect();
        steps.extend((0..100).map(|i| 5000 + i * 50));
        let ids = vec![0; steps.len()];
        let recording = recording(vec![train("E", 10, &steps, &ids)]);
        // A small figure, so that a bin holds several spikes.
        let options = RasterOptions {
            width: 260,
            ..Default::default()
        };
        let figure = Figure::new(&recording, &options);
        assert_eq!(figure.rate_bin_ms(), 10.0);
        let (panel, canvas) = (figure.rates, draw_raster(&recording, &options));
        let height = |share: f32| {
            let x = (panel.left + share * panel.width()) as usize;
            let rows = (panel.top as usize..panel.bottom as usize)
                .filter(|&y| canvas.pixel(x, y) != WHITE)
                .map(|y| panel.bottom - y as f32 - 0.5);
            let rows: Vec<f32> = rows.collect();
            rows.iter().sum::<f32>() / rows.len() as f32 / panel.height()
        };
        assert!((height(0.25) - 0.5 / 1.05).abs() < 0.02, "{}", height(0.25));
        assert!((height(0.75) - 1.0 / 1.05).abs() < 0.02, "{}", height(0.75));
    }

    #[test]
    fn nothing_touches_the_margins() {
        let long = "a title or name that is much too long for the room there is ".repeat(5);
        let (steps, ids) = ((0..10_000).collect::<Vec<_>>(), vec![0; 10_000]);
        let recording = recording(vec![
            train(&long, 3, &steps, &ids),
            train("I", 1_000_000, &[], &[]),
        ]);
        let options = RasterOptions {
            title: long.clone(),
            footnote: long.clone(),
            ..Default::default()
        };
        let canvas = draw_raster(&recording, &options);
        let whole = canvas.area();
        let inside = |x: usize, y: usize| {
            (4..whole.right as usize - 4).contains(&x)
                && (4..whole.bottom as usize - 4).contains(&y)
        };
        for y in 0..whole.bottom as usize {
            for x in 0..whole.right as usize {
                assert!(inside(x, y) || canvas.pixel(x, y) == WHITE, "{x} {y}");
            }
        }
    }

    #[test]
    fn equal_recordings_give_equal_bytes_in_any_order_within_a_step() {
        let steps = [3, 3, 3, 9, 9];
        let picture = |ids: &[u32]| {
            let recording = recording(vec![train("E", 400, &steps, ids)]);
            draw_raster(&recording, &RasterOptions::default())
                .png()
                .unwrap()
        };
        assert_eq!(picture(&[1, 2, 300, 4, 5]), picture(&[300, 1, 2, 5, 4]));
        assert_ne!(picture(&[1, 2, 300, 4, 5]), picture(&[1, 2, 301, 4, 5]));
    }

    #[test]
    fn no_recording_and_no_options_cause_a_panic() {
        let regions: Vec<String> = (0..300).map(|i| format!("region {i}")).collect();
        let mut many = recording(
            regions
                .iter()
                .map(|name| train(name, 7, &[5], &[3]))
                .collect(),
        );
        let mut none = recording(vec![]);
        let empty = recording(vec![train("", 0, &[], &[]), train("none", 0, &[], &[])]);
        let damaged = recording(vec![train("E", 2, &[1, 99_999_999], &[77, 1, 4])]);
        for size in [(0, 0), (1, 1), (20, 900), (900, 20), (400, 300)] {
            for window_ms in [
                None,
                Some([f64::NAN, f64::INFINITY]),
                Some([50.0, 50.0]),
                Some([-5.0, 1e9]),
            ] {
                let (width, height) = size;
                let options = RasterOptions {
                    window_ms,
                    width,
                    height,
                    ..Default::default()
                };
                for recording in [&many, &none, &empty, &damaged] {
                    draw_raster(recording, &options);
                }
            }
        }
        many.end_step = 0;
        none.end_step = u64::MAX / 2;
        draw_raster(&many, &RasterOptions::default());
        draw_raster(&none, &RasterOptions::default());
    }
}
