//! Spikes against time, with the population rates beneath.

use super::{Panel, PanelContext};
use crate::session::frame::Structure;
use crate::view::live::Live;
use crate::view::theme::Theme;
use bevy_egui::egui::{self, Color32, ColorImage};

/// Room for the names of regions, in points.
const MARGIN: f32 = 84.0;
/// The share of the height that rates take.
const RATES: f32 = 0.28;

/// The raster.
pub struct RasterPanel {
    window_ms: f64,
    /// The end of the window in ms while it does not follow the present.
    held: Option<f64>,
}

impl Default for RasterPanel {
    fn default() -> Self {
        Self {
            window_ms: 300.0,
            held: None,
        }
    }
}

impl Panel for RasterPanel {
    fn title(&self) -> &'static str {
        "Raster"
    }

    fn help(&self) -> &'static str {
        "Every spike as a dot: time to the right, neurons upwards, regions in their colours. Beneath, the rate of each region. \
         Scroll to change the window, drag to look at the past; “follow” returns to the present. Click a dot to select its neuron."
    }

    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        context.wants.spikes = true;
        let Some(structure) = context.live.structure.clone() else {
            ui.weak("No network is open");
            return;
        };
        ui.horizontal(|ui| {
            let slider = egui::Slider::new(&mut self.window_ms, 10.0..=10_000.0).logarithmic(true);
            ui.add(slider.suffix(" ms").text("window"));
            let mut follows = self.held.is_none();
            if ui.toggle_value(&mut follows, "follow").changed() {
                self.held = if follows {
                    None
                } else {
                    Some(context.live.time_ms())
                };
            }
            if ui
                .button("Save CSV")
                .on_hover_text("Writes the spikes that are shown to spikes.csv")
                .clicked()
            {
                save(context.live, &structure, self.range(context.live));
            }
        });
        let (rect, response) = ui.allocate_exact_size(
            ui.available_size().max(egui::vec2(40.0, 30.0)),
            egui::Sense::click_and_drag(),
        );
        let mut dots = rect;
        dots.min.x = (rect.min.x + MARGIN).min(rect.max.x - 10.0);
        dots.max.y = rect.max.y - 16.0 - rect.height() * RATES;
        let rates = egui::Rect::from_min_max(
            egui::pos2(dots.min.x, dots.max.y + 4.0),
            egui::pos2(dots.max.x, rect.max.y - 16.0),
        );
        self.follow(&response, dots, context.live);
        let (from, to) = self.range(context.live);
        let size = [
            dots.width().max(1.0) as usize,
            dots.height().max(1.0) as usize,
        ];
        let image = rasterise(context.live, &structure, context.theme, size, (from, to));
        let painter = ui.painter_at(rect);
        painter.rect_filled(dots, 0.0, context.theme.background);
        painter.add(egui::Shape::mesh(dots_of(&image, dots.min)));
        draw_names(&painter, &structure, context.theme, dots);
        draw_rates(
            &painter,
            context.live,
            &structure,
            context.theme,
            rates,
            (from, to),
        );
        draw_times(
            &painter,
            ui.visuals().weak_text_color(),
            rates,
            rect,
            (from, to),
        );
        if response.clicked()
            && let Some(pointer) = response.interact_pointer_pos()
            && dots.contains(pointer)
            && structure.neurons > 0
        {
            let part = (dots.bottom() - pointer.y) / dots.height();
            let number = (part * structure.neurons as f32) as u32;
            context.selected.neurons = [number.min(structure.neurons - 1)].into();
        }
    }
}

impl RasterPanel {
    /// The window in ms.
    fn range(&self, live: &Live) -> (f64, f64) {
        let end = self
            .held
            .unwrap_or_else(|| live.time_ms())
            .max(self.window_ms.min(1.0));
        (end - self.window_ms, end)
    }

    fn follow(&mut self, response: &egui::Response, dots: egui::Rect, live: &Live) {
        if response.dragged() {
            let per_point = self.window_ms / f64::from(dots.width().max(1.0));
            let end = self.held.unwrap_or_else(|| live.time_ms());
            let moved = end - f64::from(response.drag_delta().x) * per_point;
            self.held = (moved < live.time_ms()).then_some(moved.max(0.0));
        }
        if response.hovered() {
            let scroll = response.ctx.input(|i| i.smooth_scroll_delta().y);
            self.window_ms =
                (self.window_ms * f64::from(-scroll * 0.004).exp()).clamp(10.0, 10_000.0);
        }
    }
}

/// The spikes of a window as an image: a dot each, larger where there are few neurons.
fn rasterise(
    live: &Live,
    structure: &Structure,
    theme: &Theme,
    [width, height]: [usize; 2],
    (from, to): (f64, f64),
) -> ColorImage {
    let mut image = ColorImage::filled([width, height], Color32::TRANSPARENT);
    let dt = live.progress.dt_ms.max(1e-9);
    let neurons = structure.neurons.max(1) as f64;
    let first = (from / dt).floor().max(0.0) as u64;
    let colours: Vec<Color32> = (0..structure.regions.len())
        .map(|i| theme.region(i))
        .collect();
    let dot = if structure.neurons as usize <= height * 6 {
        2
    } else {
        1
    };
    let begin = live.spikes.partition_point(|s| s.step < first);
    for spike in live.spikes.range(begin..) {
        let time = (spike.step + 1) as f64 * dt;
        if time > to {
            break;
        }
        let x = ((time - from) / (to - from) * width as f64) as usize;
        let y = ((1.0 - (f64::from(spike.neuron) + 0.5) / neurons) * height as f64) as usize;
        let region = structure
            .regions
            .partition_point(|r| r.first <= spike.neuron);
        let colour = colours[region.saturating_sub(1).min(colours.len() - 1)];
        for y in y..(y + dot).min(height) {
            for x in x..(x + dot).min(width) {
                image.pixels[y * width + x] = colour;
            }
        }
    }
    image
}

/// The coloured pixels of an image as rectangles, runs of one colour in a column as one: far fewer than there are spikes where
/// they are dense.
fn dots_of(image: &ColorImage, corner: egui::Pos2) -> egui::Mesh {
    let mut mesh = egui::Mesh::default();
    let [width, height] = image.size;
    for x in 0..width {
        let colour_at = |y: usize| image.pixels[y * width + x];
        let mut y = 0;
        while y < height {
            let (colour, first) = (colour_at(y), y);
            while y < height && colour_at(y) == colour {
                y += 1;
            }
            if colour != Color32::TRANSPARENT {
                let low = corner + egui::vec2(x as f32, first as f32);
                let size = egui::vec2(1.0, (y - first) as f32);
                mesh.add_colored_rect(egui::Rect::from_min_size(low, size), colour);
            }
        }
    }
    mesh
}

fn draw_names(painter: &egui::Painter, structure: &Structure, theme: &Theme, dots: egui::Rect) {
    let total = structure.neurons.max(1) as f32;
    let mut free = dots.bottom() + 6.0;
    for (i, region) in structure.regions.iter().enumerate() {
        let middle = (region.first as f32 + region.neurons as f32 / 2.0) / total;
        let y = (dots.bottom() - middle * dots.height()).min(free - 6.0);
        if y < dots.top() {
            break;
        }
        free = y - 8.0;
        let font = egui::FontId::proportional(12.0);
        let name: String = region.name.chars().take(13).collect();
        let at = egui::pos2(dots.left() - 6.0, y);
        painter.text(at, egui::Align2::RIGHT_CENTER, name, font, theme.region(i));
    }
}

/// The rate of each region in bins of some pixels.
fn draw_rates(
    painter: &egui::Painter,
    live: &Live,
    structure: &Structure,
    theme: &Theme,
    rect: egui::Rect,
    (from, to): (f64, f64),
) {
    let bins = ((rect.width() / 3.0) as usize).clamp(4, 600);
    let dt = live.progress.dt_ms.max(1e-9);
    let width_ms = (to - from) / bins as f64;
    let mut counts = vec![vec![0u32; bins]; structure.regions.len()];
    let first = (from / dt).floor().max(0.0) as u64;
    let begin = live.spikes.partition_point(|s| s.step < first);
    for spike in live.spikes.range(begin..) {
        let time = (spike.step + 1) as f64 * dt;
        if time > to {
            break;
        }
        let region = structure
            .regions
            .partition_point(|r| r.first <= spike.neuron)
            .max(1)
            - 1;
        let bin = ((time - from) / width_ms) as usize;
        if let Some(count) = counts.get_mut(region).and_then(|c| c.get_mut(bin)) {
            *count += 1;
        }
    }
    let rate = |region: usize, count: u32| {
        let neurons = f64::from(structure.regions[region].neurons.max(1));
        f64::from(count) / neurons / (width_ms * 1e-3).max(1e-12)
    };
    let largest = (counts.iter().enumerate())
        .flat_map(|(r, counts)| counts.iter().map(move |c| (r, *c)))
        .map(|(r, c)| rate(r, c))
        .fold(1.0, f64::max);
    for (region, counts) in counts.iter().enumerate() {
        let points = counts.iter().enumerate().map(|(bin, &count)| {
            let x = rect.left() + (bin as f32 + 0.5) / bins as f32 * rect.width();
            let y = rect.bottom() - (rate(region, count) / largest) as f32 * (rect.height() - 2.0);
            egui::pos2(x, y)
        });
        let stroke = egui::Stroke::new(1.3, theme.region(region));
        painter.add(egui::Shape::line(points.collect(), stroke));
    }
    let weak = theme.text.gamma_multiply(0.6);
    let font = egui::FontId::proportional(11.0);
    let at = rect.left_top() - egui::vec2(6.0, 0.0);
    painter.text(
        at,
        egui::Align2::RIGHT_TOP,
        format!("{largest:.0} Hz"),
        font.clone(),
        weak,
    );
    let at = rect.left_bottom() - egui::vec2(6.0, 0.0);
    painter.text(at, egui::Align2::RIGHT_BOTTOM, "rate  0", font, weak);
}

/// Round times beneath.
fn draw_times(
    painter: &egui::Painter,
    colour: Color32,
    rates: egui::Rect,
    rect: egui::Rect,
    (from, to): (f64, f64),
) {
    let rough = (to - from) / 6.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|f| f * power)
        .into_iter()
        .find(|s| *s >= rough);
    let step = step.unwrap_or(rough).max(1e-6);
    let mut time = (from / step).ceil() * step;
    while time <= to {
        let x = rates.left() + ((time - from) / (to - from)) as f32 * rates.width();
        if time >= 0.0 {
            let at = egui::pos2(x, rect.bottom());
            let font = egui::FontId::proportional(11.0);
            let text = format!("{time:.0} ms");
            painter.text(at, egui::Align2::CENTER_BOTTOM, text, font, colour);
            painter.vline(x, rates.bottom()..=(rates.bottom() + 3.0), (1.0, colour));
        }
        time += step;
    }
}

/// Writes the spikes of a window.
fn save(live: &mut Live, structure: &Structure, (from, to): (f64, f64)) {
    let dt = live.progress.dt_ms;
    let path = "spikes.csv";
    let outcome = crate::files::whole::write_whole(path, |out| {
        writeln!(out, "time_ms,region,neuron")?;
        for spike in &live.spikes {
            let time = (spike.step + 1) as f64 * dt;
            if let (true, Some(id)) = ((from..=to).contains(&time), structure.neuron(spike.neuron))
            {
                let name = structure.regions[id.region].name.replace('"', "\"\"");
                writeln!(out, "{time:.4},\"{name}\",{}", id.neuron)?;
            }
        }
        Ok(())
    });
    match outcome {
        Ok(()) => live.tell(false, format!("spikes saved to {path}")),
        Err(error) => live.tell(true, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_coloured_pixel_is_in_one_rectangle() {
        let mut image = ColorImage::filled([5, 7], Color32::TRANSPARENT);
        for (i, pixel) in image.pixels.iter_mut().enumerate() {
            *pixel = [Color32::TRANSPARENT, Color32::RED, Color32::BLUE][i * i % 3];
        }
        let mesh = dots_of(&image, egui::pos2(10.0, 20.0));
        let area: f32 = (mesh.vertices.chunks(4))
            .map(|v| (v[3].pos.x - v[0].pos.x) * (v[3].pos.y - v[0].pos.y))
            .sum();
        let coloured = image
            .pixels
            .iter()
            .filter(|p| **p != Color32::TRANSPARENT)
            .count();
        assert_eq!(area as usize, coloured);
    }
}
