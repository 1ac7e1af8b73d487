//! Rhythms: the power spectrum of the activity, and how it changes.

use super::{Panel, PanelContext, row};
use crate::results::quantities::{figures, seconds};
use crate::results::spectrum::{Peak, Spectrum, spectrum};
use crate::view::live::Live;
use crate::view::picture::{Picture, Pixels, Scale};
use crate::view::plot::{Axis, Chart, nothing, nothing_within};
use crate::view::recorded::spikes_between;
use crate::view::save::Save;
use crate::view::theme::Theme;
use bevy_egui::egui::{self, Rect, Sense, Stroke, TextureOptions, Ui, pos2, vec2};

/// Seconds between two looks at the spikes.
const EVERY_S: f64 = 0.5;
/// Lengths of time that can be chosen, in ms.
const WINDOWS: [f64; 4] = [1000.0, 2000.0, 5000.0, 10_000.0];
/// Distances of frequencies that can be chosen, in Hz.
const RESOLUTIONS: [f64; 4] = [0.5, 1.0, 2.0, 5.0];
/// The highest frequency of the spectrogram, in Hz.
const HIGHEST_HZ: f64 = 200.0;
/// The lowest frequency of the spectrum's axis, in Hz.
const LOWEST_HZ: f64 = 1.0;
/// Moments of the spectrogram.
const MOMENTS: usize = 120;
/// The length of a bin in ms, unless steps are longer.
const BIN_MS: f64 = 1.0;
/// Room for the scale beside the spectrogram, in points.
const SCALE_WIDTH: f32 = 100.0;

/// The spectrum panel.
pub struct SpectrumPanel {
    region: Option<String>,
    window_ms: f64,
    resolution_hz: f64,
    spectrogram: bool,
    found: Option<Spectrum>,
    picture: Picture,
    scale: Option<Scale>,
    /// The time that was looked at, in ms.
    span: (f64, f64),
    /// When it was looked at, and what is shown of it.
    made: Option<(f64, u64, u64)>,
    csv: Save,
}

impl Default for SpectrumPanel {
    fn default() -> Self {
        Self {
            region: None,
            window_ms: 2000.0,
            resolution_hz: 2.0,
            spectrogram: true,
            found: None,
            picture: Picture::default(),
            scale: None,
            span: (0.0, 0.0),
            made: None,
            csv: Save::new("CSV", "spectrum.csv"),
        }
    }
}

impl Panel for SpectrumPanel {
    fn title(&self) -> &'static str {
        "Spectrum"
    }

    fn help(&self) -> &'static str {
        "The power spectrum of the population rate by Welch's method, with its highest peak above 1 Hz, and below it the spectrum of each \
         moment against time. A rhythm is told from its neighbours from about four resolutions on. Counted twice a second."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        context.wants.spikes = true;
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        if self
            .region
            .as_ref()
            .is_some_and(|r| structure.region(r).is_none())
        {
            self.region = None;
        }
        let before = (self.region.clone(), self.window_ms, self.resolution_hz);
        row(ui, |ui| {
            let all = "All regions".to_owned();
            egui::ComboBox::from_id_salt("region")
                .width(110.0)
                .selected_text(self.region.as_ref().unwrap_or(&all))
                .show_ui(ui, |ui| {
                    ui.selectable_value(&mut self.region, None, &all);
                    for region in &structure.regions {
                        let name = region.name.clone();
                        ui.selectable_value(&mut self.region, Some(name), &region.name);
                    }
                })
                .response
                .on_hover_text("Whose activity is analysed");
            egui::ComboBox::from_id_salt("window")
                .width(60.0)
                .selected_text(seconds(self.window_ms / 1000.0))
                .show_ui(ui, |ui| {
                    for ms in WINDOWS {
                        ui.selectable_value(&mut self.window_ms, ms, seconds(ms / 1000.0));
                    }
                })
                .response
                .on_hover_text("How much of the newest time is analysed, 1 to 10 s");
            egui::ComboBox::from_id_salt("resolution")
                .width(60.0)
                .selected_text(format!("{} Hz", self.resolution_hz))
                .show_ui(ui, |ui| {
                    for hz in RESOLUTIONS {
                        ui.selectable_value(&mut self.resolution_hz, hz, format!("{hz} Hz"));
                    }
                })
                .response
                .on_hover_text("Resolution: the distance of two frequencies, 0.5 to 5 Hz. Finer is less steady");
            ui.toggle_value(&mut self.spectrogram, "Spectrogram")
                .on_hover_text("The spectrum of each moment against time");
            if let Some(found) = &self.found {
                let what = "Save the spectrum as a table: frequency_hz, power (Hz²/Hz)";
                self.csv.table(ui, what, &mut context.live.notices, || {
                    let points = found.points.clone();
                    Box::new(move || {
                        let rows = points.iter().map(|(hz, power)| format!("{hz},{power}\n"));
                        rows.fold("frequency_hz,power\n".to_owned(), |text, row| text + &row)
                    })
                });
            }
        });
        if before != (self.region.clone(), self.window_ms, self.resolution_hz) {
            self.made = None;
        }
        self.look(ui, context.live, context.theme);
        let size = ui.available_size().max(vec2(1.0, 1.0));
        let (outer, response) = ui.allocate_exact_size(size, Sense::hover());
        let both = self.spectrogram && outer.height() > 200.0;
        let split = if both {
            outer.center().y
        } else {
            outer.bottom()
        };
        let upper = Rect::from_min_max(outer.min, pos2(outer.right(), split));
        self.draw_spectrum(ui, upper, &response, context.theme);
        if both {
            let lower = Rect::from_min_max(pos2(outer.left(), split), outer.max);
            self.draw_spectrogram(ui, lower, context.theme);
        }
    }
}

impl SpectrumPanel {
    /// Looks at the spikes anew if it is time.
    fn look(&mut self, ui: &Ui, live: &Live, theme: &Theme) {
        let time = ui.input(|i| i.time);
        let version = live.structure.as_ref().map_or(0, |s| s.version);
        if let Some((when, step, known)) = self.made
            && ((step, known) == (live.progress.step, version)
                || (known == version && time - when < EVERY_S))
        {
            return;
        }
        self.made = Some((time, live.progress.step, version));
        let bin_ms = BIN_MS.max(live.progress.dt_ms);
        let (rate, from) = rate_of(live, self.region.as_deref(), self.window_ms, bin_ms);
        self.span = (from, from + rate.len() as f64 * bin_ms);
        self.found = spectrum(&rate, bin_ms, self.resolution_hz);
        self.scale = None;
        if let Some((moments, frequencies, powers)) = powers_of(&rate, bin_ms) {
            let scale = decibel_scale(&powers);
            let mut pixels = Pixels::new([moments, frequencies]);
            for (i, &power) in powers.iter().enumerate() {
                let (moment, frequency) = (i / frequencies, i % frequencies);
                pixels.put(
                    moment,
                    frequencies - 1 - frequency,
                    scale.color(power, theme),
                );
            }
            self.picture
                .set(ui, pixels.image(), self.span, TextureOptions::LINEAR);
            self.scale = Some(scale);
        }
    }

    /// The highest peak above the lowest frequencies.
    fn peak(&self) -> Option<Peak> {
        let found = self.found.as_ref()?;
        let highest = found.points.last()?.0;
        found.peak(LOWEST_HZ.max(1.5 * found.resolution_hz)..=highest)
    }

    fn draw_spectrum(&self, ui: &Ui, outer: Rect, response: &egui::Response, theme: &Theme) {
        let above = |p: &&(f64, f64)| p.0 >= LOWEST_HZ && p.1 > 0.0;
        let points = || {
            self.found
                .iter()
                .flat_map(|s| s.points.iter())
                .filter(above)
        };
        let highest_hz = points().map(|p| p.0).fold(10.0, f64::max);
        let high = points().map(|p| p.1).fold(0.0, f64::max);
        // Some gaps in the spectrum are deep; five decades hold what matters.
        let low = points()
            .map(|p| p.1)
            .fold(f64::INFINITY, f64::min)
            .max(high * 1e-5);
        let chart = Chart::within(
            outer,
            Axis::logarithmic("frequency (Hz)", LOWEST_HZ, highest_hz),
            Axis::logarithmic("power (Hz²/Hz)", low / 1.5, high * 2.0),
        );
        chart.draw(ui);
        if high <= 0.0 {
            return nothing_within(ui, chart.inner, "Too little activity for a spectrum");
        }
        let color = theme.region(0);
        chart.line(ui, points().copied(), Stroke::new(1.5, color));
        if let Some(peak) = self.peak() {
            let text = format!("peak at {} Hz", figures(peak.frequency_hz));
            chart.marker(ui, peak.frequency_hz, &text, theme.warning);
        }
        if let Some(at) = response.hover_pos().filter(|at| chart.inner.contains(*at)) {
            let hz = chart.x_of(at.x);
            let nearest = points().min_by(|a, b| (a.0 - hz).abs().total_cmp(&(b.0 - hz).abs()));
            if let Some((hz, power)) = nearest {
                let text = format!("{} Hz\n{power:.3} Hz²/Hz", figures(*hz));
                response.clone().on_hover_text_at_pointer(text);
            }
        }
    }

    fn draw_spectrogram(&self, ui: &Ui, outer: Rect, theme: &Theme) {
        let scaled = outer.width() > 300.0;
        let right = outer.right() - if scaled { SCALE_WIDTH } else { 0.0 };
        let area = Rect::from_min_max(outer.min, pos2(right, outer.bottom()));
        let highest = HIGHEST_HZ.min(500.0 * BIN_MS);
        let chart = Chart::within(
            area,
            Axis::linear("time (ms)", self.span.0, self.span.1),
            Axis::linear("frequency (Hz)", 0.0, highest),
        );
        chart.draw(ui);
        let Some(scale) = self.scale else {
            return nothing_within(ui, chart.inner, "Too little time for a spectrogram");
        };
        self.picture.paint(ui, chart.inner, self.span);
        chart.draw_axes(ui, false);
        if scaled {
            let left = chart.inner.right() + 14.0;
            let bar = Rect::from_min_max(
                pos2(left, chart.inner.top()),
                pos2(left + 12.0, chart.inner.bottom()),
            );
            scale.paint(ui, bar, theme, |v| format!("{v:.0} dB"));
        }
    }
}

/// The mean rate of a region, or of all neurons, in bins over the newest time, in Hz; and when it starts, in ms.
fn rate_of(live: &Live, region: Option<&str>, window_ms: f64, bin_ms: f64) -> (Vec<f32>, f64) {
    let dt = live.progress.dt_ms;
    let Some(structure) = live.structure.as_ref().filter(|_| dt > 0.0) else {
        return (Vec::new(), 0.0);
    };
    let region = region.and_then(|name| structure.regions.iter().find(|r| r.name == name));
    let (first, neurons) = region.map_or((0, structure.neurons), |r| (r.first, r.neurons));
    // Bins end at whole multiples of their length, so that a rhythm does not shift in them.
    let end = (live.time_ms() / bin_ms + 1e-6).floor();
    let known = (live.spikes_from as f64 * dt / bin_ms - 1e-6).ceil();
    let start = (end - (window_ms / bin_ms).round()).max(known).max(0.0);
    let mut counts = vec![0_f32; (end - start).max(0.0) as usize];
    for spike in live
        .spikes
        .range(spikes_between(live, start * bin_ms, end * bin_ms))
    {
        if spike.neuron.wrapping_sub(first) < neurons {
            let bin = ((spike.step as f64 + 0.5) * dt / bin_ms - start) as usize;
            if let Some(count) = counts.get_mut(bin) {
                *count += 1.0;
            }
        }
    }
    let to_hz = (1000.0 / (bin_ms * f64::from(neurons.max(1)))) as f32;
    counts.iter_mut().for_each(|count| *count *= to_hz);
    (counts, start * bin_ms)
}

/// The power in dB of each moment and frequency up to the highest: moments, frequencies, and the powers moment by moment. None if
/// the time is too short.
fn powers_of(rate: &[f32], bin_ms: f64) -> Option<(usize, usize, Vec<f32>)> {
    // A fifth of the time, at most a quarter of a second, resolves 4 Hz and more.
    let length = ((250.0 / bin_ms) as usize).min(rate.len() / 5);
    if length < 16 {
        return None;
    }
    let hop = ((rate.len() - length) / MOMENTS).max(1);
    let (mut powers, mut frequencies, mut moments) = (Vec::new(), 0, 0);
    for segment in rate.windows(length).step_by(hop) {
        let found = spectrum(segment, bin_ms, 1000.0 / (bin_ms * length as f64))?;
        let points = found.points.iter().take_while(|p| p.0 <= HIGHEST_HZ);
        let before = powers.len();
        powers.extend(points.map(|p| (10.0 * p.1.max(1e-12).log10()) as f32));
        frequencies = powers.len() - before;
        moments += 1;
    }
    (frequencies > 0).then_some((moments, frequencies, powers))
}

/// The scale of powers in dB: the 50 dB below the largest, at most.
fn decibel_scale(powers: &[f32]) -> Scale {
    let high = powers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let low = powers.iter().copied().fold(f32::INFINITY, f32::min);
    let to = if high.is_finite() {
        f64::from(high)
    } else {
        0.0
    };
    let from = f64::from(low.max(high - 50.0));
    Scale {
        from: if from < to { from } else { to - 10.0 },
        to,
        signed: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, busy, network, spiking, survives};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(SpectrumPanel::default()));
    }

    #[test]
    fn a_rhythm_is_found() {
        let mut live = network(&[("a", 80), ("b", 20)]);
        busy(&mut live, 5.0, 30_000);
        let (mut stage, mut panel) = (Stage::new(), SpectrumPanel::default());
        stage.settle(&mut panel, &mut live, vec2(700.0, 600.0));
        let peak = panel.peak().expect("a peak");
        assert!((peak.frequency_hz - 20.0).abs() <= 2.0, "{peak:?}");
        assert!(panel.scale.is_some());
        assert_eq!(panel.span, (1000.0, 3000.0));
    }

    #[test]
    fn rates_are_those_of_the_region() {
        let mut live = network(&[("a", 80), ("b", 20)]);
        spiking(&mut live, &[(0, 5), (9, 85), (10, 86), (11, 99)], 100);
        let (rate, from) = rate_of(&live, Some("b"), 1000.0, 1.0);
        assert_eq!((rate.len(), from), (10, 0.0));
        assert_eq!(
            rate[..3],
            [50.0, 100.0, 0.0],
            "the spike at 1.0 ms ends the first bin"
        );
        let (rate, _) = rate_of(&live, None, 1000.0, 1.0);
        assert_eq!(rate[0], 20.0);
    }
}
