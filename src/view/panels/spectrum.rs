//! Rhythms of population activity.

use super::axes::{Axes, draw_texture, number, set_texture};
use super::{Panel, PanelContext};
use crate::results::spectrum::{Peak, spectrum};
use crate::session::frame::Structure;
use crate::view::live::Live;
use crate::view::theme::Theme;
use bevy_egui::egui::{self, Color32, ColorImage, Rect, Sense, TextureHandle, Ui, pos2, vec2};
use egui_plot::{Legend, Line, Plot, PlotPoints, VLine};

/// Seconds between two transforms.
const EVERY: f64 = 0.5;
/// The width of a bin of the rate in ms: frequencies up to 500 Hz.
const BIN_MS: f64 = 1.0;
/// Simulated time that is transformed, in ms.
const SPAN_MS: f64 = 10_000.0;
/// The segment of a column of the spectrogram, and the distance of two, in bins.
const SEGMENT: usize = 256;
const HOP: usize = 64;
/// The highest frequency of the spectrogram in Hz.
const HIGHEST_HZ: f64 = 150.0;

/// The panel of spectra.
#[derive(Default)]
pub struct SpectrumPanel {
    region: Option<String>,
    over_time: bool,
    read: Option<(f64, u64, Option<String>)>,
    points: Vec<[f64; 2]>,
    peak: Option<Peak>,
    texture: Option<TextureHandle>,
    times: Option<(f64, f64)>,
}

/// The population rate in Hz per bin and the time of its start in ms; of one region, or of all.
fn rate(live: &Live, structure: &Structure, region: Option<usize>) -> (Vec<f32>, f64) {
    let dt = live.progress.dt_ms;
    let end = live.time_ms();
    let begin = (end - SPAN_MS).max(live.spikes_from as f64 * dt).max(0.0);
    let bins = ((end - begin) / BIN_MS).max(0.0) as usize;
    let begin = end - bins as f64 * BIN_MS;
    let (first, neurons) = match region.and_then(|r| structure.regions.get(r)) {
        Some(region) => (region.first, region.neurons),
        None => (0, structure.neurons),
    };
    let mut values = vec![0.0_f32; bins];
    let step = (begin / dt.max(1e-9)) as u64;
    let from = live.spikes.partition_point(|s| s.step + 1 < step);
    let each = (1000.0 / BIN_MS / f64::from(neurons.max(1))) as f32;
    for spike in live.spikes.range(from..) {
        let time = (spike.step + 1) as f64 * dt - begin;
        if time > 0.0
            && (first..first + neurons).contains(&spike.neuron)
            && let Some(value) = values.get_mut((time / BIN_MS - 1e-6).max(0.0) as usize)
        {
            *value += each;
        }
    }
    (values, begin)
}

/// Power of the segments of a rate as a picture: time to the right, frequency upwards.
fn picture(values: &[f32], theme: &Theme) -> Option<ColorImage> {
    let resolution = 1000.0 / BIN_MS / SEGMENT as f64;
    let rows = (HIGHEST_HZ / resolution) as usize;
    let columns: Vec<Vec<f64>> = values
        .windows(SEGMENT)
        .step_by(HOP)
        .filter_map(|segment| spectrum(segment, BIN_MS, resolution))
        .map(|s| s.points.iter().skip(1).take(rows).map(|p| p.1).collect())
        .collect();
    if columns.is_empty() {
        return None;
    }
    // Two decades below the highest are shown.
    let most = columns.iter().flatten().copied().fold(1e-30, f64::max);
    let mut image = ColorImage::filled([columns.len(), rows], Color32::BLACK);
    for (x, column) in columns.iter().enumerate() {
        for (y, power) in column.iter().enumerate() {
            let level = 1.0 + libm::log10((power / most).max(1e-30)) / 2.0;
            image.pixels[(rows - 1 - y) * columns.len() + x] = theme.mapped(level as f32);
        }
    }
    Some(image)
}

impl Panel for SpectrumPanel {
    fn title(&self) -> &'static str {
        "Spectrum"
    }

    fn help(&self) -> &'static str {
        "Power spectrum of the population rate over the last ten simulated seconds that are known, by Welch's method, with its highest peak between 2 and 500 Hz; or how power changes over time, as two decades of colour."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        context.wants.spikes = true;
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("Open a scene to see its rhythms.");
            return;
        };
        ui.horizontal_wrapped(|ui| {
            egui::ComboBox::from_id_salt("region")
                .selected_text(self.region.as_deref().unwrap_or("All regions"))
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.region, None, "All regions");
                    for region in &structure.regions {
                        let name = Some(region.name.clone());
                        ui.selectable_value(&mut self.region, name, &region.name);
                    }
                });
            ui.checkbox(&mut self.over_time, "Over time");
            if let (Some(peak), false) = (&self.peak, self.over_time) {
                ui.label(format!(
                    "Peak at {} ± {} Hz, {} × the mean",
                    number(peak.frequency_hz),
                    number(peak.resolution_hz / 2.0),
                    number(peak.prominence)
                ));
            }
        });
        self.read(ui, context, &structure);
        if self.over_time {
            self.spectrogram(ui);
            return;
        }
        if self.points.is_empty() {
            ui.weak("Not enough activity yet.");
            return;
        }
        let line = Line::new("power", PlotPoints::from(self.points.clone()))
            .color(context.theme.region(0));
        let peak = self.peak;
        let colour = context.theme.warning;
        let decade = |mark: egui_plot::GridMark| number(libm::pow(10.0, mark.value));
        Plot::new("spectrum")
            .height(ui.available_height().max(40.0))
            .x_axis_label("frequency (Hz)")
            .y_axis_label("power (Hz²/Hz)")
            .x_axis_formatter(move |mark, _| decade(mark))
            .y_axis_formatter(move |mark, _| decade(mark))
            .legend(Legend::default())
            .allow_scroll(false)
            .show(ui, |plot| {
                plot.line(line);
                if let Some(peak) = peak {
                    plot.vline(VLine::new("peak", libm::log10(peak.frequency_hz)).color(colour));
                }
            });
    }
}

impl SpectrumPanel {
    /// Transforms what is known now, every half second.
    fn read(&mut self, ui: &Ui, context: &PanelContext<'_>, structure: &Structure) {
        let now = ui.input(|i| i.time);
        let due = self.read.as_ref().is_none_or(|(time, version, region)| {
            !(0.0..EVERY).contains(&(now - time))
                || *version != structure.version
                || *region != self.region
        });
        if !due {
            return;
        }
        self.read = Some((now, structure.version, self.region.clone()));
        let region = self.region.as_ref().and_then(|r| structure.region(r));
        let (values, begin) = rate(context.live, structure, region);
        let whole = spectrum(&values, BIN_MS, 1.0);
        self.peak = whole.as_ref().and_then(|s| s.peak(2.0..=500.0));
        // Logarithms have no place for 0.
        self.points = whole.map_or_else(Vec::new, |s| {
            let above = s.points.iter().filter(|p| p.0 > 0.0 && p.1 > 0.0);
            above
                .map(|p| [libm::log10(p.0), libm::log10(p.1)])
                .collect()
        });
        let image = picture(&values, context.theme);
        self.times = image.as_ref().map(|image| {
            let half = SEGMENT as f64 * BIN_MS / 2.0;
            let from = begin + half - HOP as f64 * BIN_MS / 2.0;
            (from, from + image.size[0] as f64 * HOP as f64 * BIN_MS)
        });
        if let Some(image) = image {
            set_texture(&mut self.texture, ui.ctx(), "spectrogram", image);
        }
    }

    fn spectrogram(&self, ui: &mut Ui) {
        let Some(x) = self.times else {
            ui.weak("Not enough activity yet.");
            return;
        };
        let space = ui.available_size().max(vec2(40.0, 40.0));
        let (response, painter) = ui.allocate_painter(space, Sense::hover());
        let whole = response.rect;
        let room = (whole.width() * 0.25).min(44.0);
        let foot = (whole.height() * 0.3).min(34.0);
        let rect = Rect::from_min_max(
            pos2(whole.left() + room, whole.top() + 2.0),
            pos2(whole.right() - 4.0, whole.bottom() - foot),
        );
        let y = (0.0, HIGHEST_HZ);
        let axes = Axes { rect, x, y };
        draw_texture(&painter, self.texture.as_ref(), rect);
        axes.draw_x(ui, &painter, "time (ms)", true);
        axes.draw_y(ui, &painter, "frequency (Hz)");
    }
}
