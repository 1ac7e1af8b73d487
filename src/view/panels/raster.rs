//! Spikes against time, one row per neuron, with the rates of the regions below.

mod marks;

use super::{Panel, PanelContext, row};
use crate::results::csv::write_spikes;
use crate::results::quantities::grouped;
use crate::results::raster::{RasterOptions, write_raster};
use crate::session::frame::Structure;
use crate::view::live::Live;
use crate::view::picture::Picture;
use crate::view::plot::{Axis, Chart, fitted, nothing, nothing_within, round_up, small};
use crate::view::recorded::{Recorded, spikes_between};
use crate::view::save::{Save, Write};
use crate::view::theme::Theme;
use crate::view::timeline::Timeline;
use bevy_egui::egui::{
    self, Align2, Rect, Sense, Stroke, StrokeKind, TextureOptions, Ui, pos2, vec2,
};
use marks::{Bands, draw_marks, marks_mesh, smooth_rates};
use std::collections::BTreeSet;
use std::path::Path;

/// The most spikes that are saved at once.
const MOST_SAVED: usize = 2_000_000;
/// How near the pointer must be to a spike to mean its neuron, in points.
const REACH: f32 = 4.0;
/// Widths of the Gaussian that smooths rates, in ms.
const WIDTHS: [f64; 5] = [1.0, 2.0, 5.0, 10.0, 20.0];

/// What the marks and curves that were drawn last are of.
type Drawn = (u64, u64, (u64, u64), [usize; 2], Vec<usize>, u64, Theme);

/// The raster panel.
pub struct RasterPanel {
    timeline: Timeline,
    /// Regions that are not shown, by name.
    hidden: BTreeSet<String>,
    rates: bool,
    smoothing_ms: f64,
    picture: Picture,
    curves: Vec<Vec<(f64, f64)>>,
    drawn: Option<Drawn>,
    png: Save,
    csv: Save,
}

impl Default for RasterPanel {
    fn default() -> Self {
        Self {
            timeline: Timeline::newest(1000.0),
            hidden: BTreeSet::new(),
            rates: true,
            smoothing_ms: 5.0,
            picture: Picture::default(),
            curves: Vec::new(),
            drawn: None,
            png: Save::new("PNG", "raster.png"),
            csv: Save::new("CSV", "spikes.csv"),
        }
    }
}

impl Panel for RasterPanel {
    fn title(&self) -> &'static str {
        "Raster"
    }

    fn help(&self) -> &'static str {
        "Each mark is a spike, each row a neuron; regions are stacked and have their own colours. Below are the mean rates of the regions, \
         smoothed with a Gaussian. Click on a spike or a row to select its neuron, with Shift to select several. Drag to look back, scroll to \
         zoom, double-click to follow the newest time again."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        context.wants.spikes = true;
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        let now = context.live.time_ms();
        self.tools(ui, context, &structure, now);
        let shown: Vec<usize> = (structure.regions.iter().enumerate())
            .filter(|(_, r)| r.neurons > 0 && !self.hidden.contains(&r.name))
            .map(|(i, _)| i)
            .collect();
        if shown.is_empty() {
            return nothing(ui, "No region is shown");
        }
        let (outer, response) = ui.allocate_exact_size(
            ui.available_size().max(vec2(1.0, 1.0)),
            Sense::click_and_drag(),
        );
        let rates = self.rates && outer.height() > 140.0;
        let split = if rates {
            outer.top() + 0.66 * outer.height()
        } else {
            outer.bottom()
        };
        let (from, to) = self.timeline.range(now);
        let time = Axis::linear("time (ms)", from, to);
        let upper = Rect::from_min_max(outer.min, pos2(outer.right(), split));
        let bands = Bands::new(&structure, &shown);
        let x = if rates {
            time.clone().without_labels()
        } else {
            time.clone()
        };
        let left = self.margin(ui, &structure, &shown, outer.width());
        let chart = Chart::within(upper, x, Axis::linear("", bands.rows(), 0.0)).indented(left);
        self.timeline.interact(ui, &response, &chart, now);
        self.redraw(
            ui,
            context.live,
            &structure,
            &bands,
            &chart,
            (from, to),
            context.theme,
        );
        ui.painter()
            .rect_filled(chart.inner, 0.0, ui.visuals().extreme_bg_color);
        // What the picture does not show yet is painted by shapes.
        let shown = self.picture.paint(ui, chart.inner, (from, to));
        let newer = shown.map_or(from, |(_, end)| end.clamp(from, to));
        let marks = marks_mesh(
            context.live,
            &structure,
            &bands,
            &chart,
            (newer, to),
            context.theme,
        );
        ui.painter()
            .with_clip_rect(chart.inner.intersect(ui.clip_rect()))
            .add(marks);
        chart_frame(ui, &chart, !rates);
        self.names(ui, context, &structure, &bands, &chart, outer.left());
        if context.live.spikes.is_empty() {
            nothing_within(ui, chart.inner, "No spikes yet");
        }
        if rates {
            let lower = Rect::from_min_max(pos2(outer.left(), split), outer.max);
            self.draw_rates(ui, context, &bands, lower, left, time);
        }
        self.pick(ui, context, &structure, &bands, &chart, &response);
    }
}

impl RasterPanel {
    /// The row of buttons.
    fn tools(
        &mut self,
        ui: &mut Ui,
        context: &mut PanelContext<'_>,
        structure: &Structure,
        now: f64,
    ) {
        row(ui, |ui| {
            self.timeline.controls(ui, now);
            let config = egui::containers::menu::MenuConfig::new()
                .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
            let menu = egui::containers::menu::MenuButton::new("Regions").config(config);
            menu.ui(ui, |ui| {
                for region in &structure.regions {
                    let mut shown = !self.hidden.contains(&region.name);
                    if ui.checkbox(&mut shown, &region.name).changed() {
                        if shown {
                            self.hidden.remove(&region.name);
                        } else {
                            self.hidden.insert(region.name.clone());
                        }
                    }
                }
            })
            .0
            .on_hover_text("Which regions are shown");
            ui.toggle_value(&mut self.rates, "Rates")
                .on_hover_text("The mean rate of each region below the raster, in Hz");
            if self.rates {
                egui::ComboBox::from_id_salt("smoothing")
                    .width(56.0)
                    .selected_text(format!("{} ms", self.smoothing_ms))
                    .show_ui(ui, |ui| {
                        for width in WIDTHS {
                            ui.selectable_value(
                                &mut self.smoothing_ms,
                                width,
                                format!("{width} ms"),
                            );
                        }
                    })
                    .response
                    .on_hover_text(
                        "Standard deviation of the Gaussian that smooths rates, 1 to 20 ms",
                    );
            }
            ui.separator();
            let range = self.timeline.range(now);
            let (live, theme_title) = (&*context.live, structure.scene.title.clone());
            let mut notices = Vec::new();
            self.png.show(
                ui,
                "Save the time that is shown as a picture",
                &mut notices,
                || {
                    let recorded = Recorded::of(live, range, MOST_SAVED).unwrap_or_default();
                    let options = RasterOptions {
                        title: theme_title,
                        footnote: format!("seed {}", structure.scene.seed),
                        window_ms: Some([range.0.max(0.0), range.1]),
                        ..RasterOptions::default()
                    };
                    Box::new(move |path: &Path| write_raster(path, &recorded.recording(), &options))
                        as Write
                },
            );
            self.csv.show(
                ui,
                "Save the spikes that are shown as a table: time_ms, region, neuron",
                &mut notices,
                || {
                    let recorded = Recorded::of(live, range, MOST_SAVED).unwrap_or_default();
                    Box::new(move |path: &Path| write_spikes(path, &recorded.recording())) as Write
                },
            );
            context.live.notices.append(&mut notices);
        });
    }

    /// Points for the longest name of a region, up to a fifth of the width.
    fn margin(&self, ui: &Ui, structure: &Structure, shown: &[usize], width: f32) -> f32 {
        let font = small(ui);
        let ink = ui.visuals().text_color();
        let wide = |&region: &usize| {
            let name = structure.regions[region].name.clone();
            let galley = ui.painter().layout_no_wrap(name, font.clone(), ink);
            galley.size().x
        };
        let widest = shown.iter().map(wide).fold(0.0, f32::max);
        (widest + 8.0).min(width / 5.0)
    }

    /// Draws marks and curves anew if something changed.
    fn redraw(
        &mut self,
        ui: &Ui,
        live: &Live,
        structure: &Structure,
        bands: &Bands,
        chart: &Chart,
        (from, to): (f64, f64),
        theme: &Theme,
    ) {
        let pixels = crate::view::picture::Pixels::for_rect(chart.inner, ui.pixels_per_point());
        let drawn: Drawn = (
            live.frames,
            structure.version,
            (from.to_bits(), to.to_bits()),
            pixels.size,
            bands.regions().to_vec(),
            self.smoothing_ms.to_bits(),
            theme.clone(),
        );
        if self.drawn.as_ref() == Some(&drawn) {
            return;
        }
        self.drawn = Some(drawn);
        let image = draw_marks(live, structure, bands, (from, to), pixels, theme);
        self.picture
            .set(ui, image, (from, to), TextureOptions::NEAREST);
        self.curves = if self.rates {
            smooth_rates(live, structure, bands, (from, to), self.smoothing_ms)
        } else {
            Vec::new()
        };
    }

    /// Names of regions, lines between them, lesioned neurons and the selected rows.
    fn names(
        &self,
        ui: &Ui,
        context: &PanelContext<'_>,
        structure: &Structure,
        bands: &Bands,
        chart: &Chart,
        left: f32,
    ) {
        let font = small(ui);
        let painter = ui.painter();
        let edge = Stroke::new(1.0, ui.visuals().weak_text_color());
        let mut free_from = f32::NEG_INFINITY;
        for (place, &region) in bands.regions().iter().enumerate() {
            let info = &structure.regions[region];
            let (top, bottom) = bands.rows_of(place);
            let (top, bottom) = (chart.y_at(top), chart.y_at(bottom));
            if place > 0 {
                painter.hline(chart.inner.x_range(), top, edge);
            }
            let middle = (top + bottom) / 2.0;
            let roomy = chart.inner.left() - left > 20.0;
            if roomy && middle - font.size / 2.0 > free_from {
                let room = Rect::from_min_max(
                    pos2(left, middle - font.size),
                    pos2(chart.inner.left() - 4.0, middle + 2.2 * font.size),
                );
                let color = context.theme.region(region);
                let name = fitted(ui, &info.name, color, room.width());
                let at = pos2(room.right(), middle);
                let at = Align2::RIGHT_CENTER.anchor_size(at, name.size()).min;
                painter.galley(at, name, color);
                free_from = middle + font.size / 2.0;
                if bottom - top > 3.0 * font.size {
                    painter.text(
                        pos2(room.right(), middle + font.size * 1.2),
                        Align2::RIGHT_CENTER,
                        grouped(info.neurons.into()),
                        font.clone(),
                        ui.visuals().weak_text_color(),
                    );
                    free_from += 1.2 * font.size;
                }
            }
        }
        for &number in &context.selected.neurons {
            if let Some(row) = bands.row(structure, number) {
                let (a, b) = (
                    chart.y_at(row),
                    chart.y_at(row + bands.height(structure, number)),
                );
                let color = context.theme.selection.gamma_multiply(0.25);
                let band = Rect::from_x_y_ranges(chart.inner.x_range(), a..=b.max(a + 1.0));
                painter.rect_filled(band, 0.0, color);
            }
        }
    }

    fn draw_rates(
        &self,
        ui: &Ui,
        context: &PanelContext<'_>,
        bands: &Bands,
        outer: Rect,
        left: f32,
        time: Axis,
    ) {
        let highest = (self.curves.iter().flatten())
            .map(|p| p.1)
            .fold(0.0, f64::max);
        let chart = Chart::within(
            outer,
            time,
            Axis::linear("rate (Hz)", 0.0, round_up(highest)),
        )
        .indented(left);
        chart.draw(ui);
        for (curve, &region) in self.curves.iter().zip(bands.regions()) {
            let color = context.theme.region(region);
            chart.line(ui, curve.iter().copied(), Stroke::new(1.5, color));
        }
    }

    /// What the pointer is over, and the click that selects it.
    fn pick(
        &self,
        ui: &Ui,
        context: &mut PanelContext<'_>,
        structure: &Structure,
        bands: &Bands,
        chart: &Chart,
        response: &egui::Response,
    ) {
        let Some(at) = response
            .interact_pointer_pos()
            .or(response.hover_pos())
            .filter(|at| chart.inner.contains(*at))
        else {
            return;
        };
        let Some(number) = nearest(context.live, structure, bands, chart, at) else {
            return;
        };
        if response.clicked() {
            let several = ui.input(|i| i.modifiers.shift || i.modifiers.command);
            let chosen = &mut context.selected.neurons;
            if !several {
                chosen.clear();
                chosen.insert(number);
            } else if !chosen.remove(&number) {
                chosen.insert(number);
            }
        }
        if response.hovered() && !response.dragged() {
            context.selected.hovered = Some(number);
            if let Some(id) = structure.neuron(number) {
                response.clone().on_hover_text_at_pointer(format!(
                    "{} {}, {:.1} ms",
                    structure.regions[id.region].name,
                    id.neuron,
                    chart.x_of(at.x)
                ));
            }
        }
    }
}

/// The frame of the raster; its rows have names instead of numbers.
fn chart_frame(ui: &Ui, chart: &Chart, time: bool) {
    if time {
        let mut chart = chart.clone();
        chart.y = Axis::linear("", 0.0, 1.0).without_labels();
        chart.draw_axes(ui, false);
    } else {
        let edge = Stroke::new(1.0, ui.visuals().text_color().gamma_multiply(0.3));
        ui.painter()
            .rect_stroke(chart.inner, 0.0, edge, StrokeKind::Outside);
    }
}

/// The neuron of the nearest spike within reach, else that of the row.
fn nearest(
    live: &Live,
    structure: &Structure,
    bands: &Bands,
    chart: &Chart,
    at: egui::Pos2,
) -> Option<u32> {
    let (from, to) = (chart.x_of(at.x - REACH), chart.x_of(at.x + REACH));
    let dt = live.progress.dt_ms;
    let mut best: Option<(f32, u32)> = None;
    for spike in live.spikes.range(spikes_between(live, from, to)) {
        let Some(row) = bands.row(structure, spike.neuron) else {
            continue;
        };
        let place = pos2(
            chart.x_at((spike.step + 1) as f64 * dt),
            chart.y_at(row + 0.5 * bands.height(structure, spike.neuron)),
        );
        let distance = place.distance(at);
        if distance <= REACH && best.is_none_or(|(nearest, _)| distance < nearest) {
            best = Some((distance, spike.neuron));
        }
    }
    best.map(|(_, neuron)| neuron)
        .or_else(|| bands.neuron_at(structure, chart.y_of(at.y)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, busy, network, spiking, survives};

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(RasterPanel::default()));
    }

    #[test]
    fn a_click_selects_the_neuron_of_the_nearest_spike() {
        let mut live = network(&[("a", 100), ("b", 100)]);
        spiking(&mut live, &[(4999, 150)], 10_000);
        let (mut stage, mut panel) = (Stage::new(), RasterPanel::default());
        panel.rates = false;
        let size = vec2(800.0, 600.0);
        stage.settle(&mut panel, &mut live, size);
        assert!(stage.wants.spikes);
        // The spike is in the middle of the second, three quarters down.
        let mut found = None;
        for x in 400..460 {
            for y in (400..500).step_by(3) {
                stage.click(&mut panel, &mut live, size, pos2(x as f32, y as f32));
                if stage.selected.neurons.contains(&150) {
                    found = Some((x, y));
                }
            }
            if found.is_some() {
                break;
            }
        }
        assert!(found.is_some(), "no click selects the neuron that spiked");
    }

    #[test]
    fn dragging_holds_the_time_and_a_double_click_follows_again() {
        let mut live = network(&[("a", 100)]);
        busy(&mut live, 2.0, 50_000);
        let (mut stage, mut panel) = (Stage::new(), RasterPanel::default());
        let size = vec2(800.0, 600.0);
        stage.settle(&mut panel, &mut live, size);
        use crate::view::testing::button;
        use bevy_egui::egui::Event;
        let (a, b) = (pos2(400.0, 300.0), pos2(500.0, 300.0));
        stage.draw(&mut panel, &mut live, size, vec![Event::PointerMoved(a)]);
        stage.draw(&mut panel, &mut live, size, vec![button(a, true)]);
        stage.draw(&mut panel, &mut live, size, vec![Event::PointerMoved(b)]);
        stage.draw(&mut panel, &mut live, size, vec![button(b, false)]);
        let held = panel.timeline.held_ms.expect("the time is held");
        assert!(held < 4990.0 && held > 4500.0, "{held}");
        stage.settle(&mut panel, &mut live, size);
        for _ in 0..2 {
            stage.draw(
                &mut panel,
                &mut live,
                size,
                vec![button(b, true), button(b, false)],
            );
        }
        stage.settle(&mut panel, &mut live, size);
        assert_eq!(panel.timeline.held_ms, None);
    }
}
