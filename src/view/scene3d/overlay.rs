//! What is written over the 3D view: labels of regions, a tooltip, a scale, a legend; and what clicks in it select.

use super::HiddenRegions;
use super::camera::{FIELD_OF_VIEW, Orbit};
use super::neurons::Neurons;
use super::pick::{Projector, pick, pick_box};
use super::pointer::{Pointed, Pointer};
use crate::session::frame::Structure;
use crate::view::live::{Live, Selected};
use crate::view::panels::Scene3dArea;
use crate::view::preferences::{ColourBy, Preferences};
use crate::view::theme::Theme;
use bevy::prelude::*;
use bevy_egui::{EguiContexts, egui};

/// The distance of what is written from the edges of the area, in points.
const MARGIN: f32 = 14.0;

/// Follows the pointer over the 3D view and writes over it. Runs after the panels, which say where the area is.
///
/// # Errors
/// There is no egui context.
pub fn overlay(
    mut contexts: EguiContexts,
    live: Res<Live>,
    mut selected: ResMut<Selected>,
    mut orbit: ResMut<Orbit>,
    mut pointer: ResMut<Pointer>,
    area: Res<Scene3dArea>,
    neurons: Res<Neurons>,
    hidden: Res<HiddenRegions>,
    theme: Res<Theme>,
    preferences: Res<Preferences>,
) -> Result {
    let ctx = contexts.ctx_mut()?;
    let (Some(rect), Some(structure)) = (area.rect, &live.structure) else {
        return Ok(());
    };
    let projector = Projector::new(&orbit.now.transform(), FIELD_OF_VIEW, rect);
    let painter = ctx
        .layer_painter(egui::LayerId::background())
        .with_clip_rect(rect);
    let pen = Pen {
        painter,
        theme: &theme,
        size: preferences.font_size.clamp(6.0, 40.0),
    };
    let labels = if preferences.scene3d.labels {
        pen.labels(structure, &neurons, &projector, &hidden, &selected)
    } else {
        Vec::new()
    };

    let (pointed, here) = ctx.input(|input| {
        let pointed = pointer.follow(input, rect, area.hovered, &mut orbit);
        (pointed, input.pointer.latest_pos().filter(|_| area.hovered))
    });
    let label = here.and_then(|at| labels.iter().find(|(_, l)| l.contains(at)));
    let hovered = here
        .filter(|_| label.is_none() && !pointer.drags())
        .and_then(|at| pick(&projector, at, neurons.all()));
    match pointed {
        Pointed::Nothing => {}
        Pointed::Drawing(chosen) => {
            let stroke = egui::Stroke::new(1.0, theme.selection);
            let inside = theme.selection.gamma_multiply(0.08);
            pen.painter
                .rect(chosen, 0.0, inside, stroke, egui::StrokeKind::Middle);
        }
        Pointed::Box { area, adds } => {
            let found = pick_box(&projector, area, neurons.all());
            if !adds {
                selected.neurons.clear();
            }
            selected.neurons.extend(found);
        }
        Pointed::Click { at, adds } => {
            let label = labels.iter().find(|(_, l)| l.contains(at));
            let region = label.map(|(region, _)| *region);
            let neuron = pick(&projector, at, neurons.all());
            select(&mut selected, structure, region, neuron, adds);
        }
    }
    if selected.hovered != hovered {
        selected.hovered = hovered;
    }
    if label.is_some() {
        ctx.set_cursor_icon(egui::CursorIcon::PointingHand);
    }
    pen.scale(rect, &projector, orbit.now.distance);
    if let (ColourBy::Column(name), Some(range)) = (&preferences.scene3d.colour_by, neurons.range) {
        pen.legend(rect, name, unit_of(structure, name), range);
    }
    if let (Some(at), Some(number)) = (here, hovered) {
        pen.boxed(
            at + egui::vec2(16.0, 12.0),
            &describe(&live, structure, number),
        );
    }
    Ok(())
}

/// What a click selects: a region by its label, else the neuron there, else nothing.
fn select(
    selected: &mut Selected,
    structure: &Structure,
    region: Option<usize>,
    neuron: Option<u32>,
    adds: bool,
) {
    match (region.and_then(|r| structure.regions.get(r)), neuron) {
        (Some(region), _) => {
            selected.region = Some(region.name.clone());
            selected.projection = None;
        }
        (None, Some(number)) if adds => {
            if !selected.neurons.remove(&number) {
                selected.neurons.insert(number);
            }
        }
        (None, Some(number)) => {
            selected.neurons = [number].into();
            let id = structure.neuron(number);
            selected.region = id.map(|id| structure.regions[id.region].name.clone());
            selected.projection = None;
        }
        (None, None) if !adds => {
            selected.neurons.clear();
            selected.region = None;
            selected.projection = None;
        }
        (None, None) => {}
    }
}

fn unit_of<'s>(structure: &'s Structure, column: &str) -> &'s str {
    let mut columns = structure.regions.iter().flat_map(|r| &r.columns);
    columns
        .find(|(name, _)| *name == column)
        .map_or("", |(_, unit)| unit)
}

/// A neuron in a few lines.
fn describe(live: &Live, structure: &Structure, number: u32) -> String {
    let Some(id) = structure.neuron(number) else {
        return String::new();
    };
    let region = &structure.regions[id.region];
    let mut text = format!("{} {}\n{}", region.name, id.neuron, region.model);
    if region.lesioned.binary_search(&id.neuron).is_ok() {
        text += ", lesioned";
    }
    match live.last_spike.get(number as usize) {
        Some(&last) if last > 0 => {
            let time_ms = last as f64 * live.progress.dt_ms;
            let ago_ms = live.time_ms() - time_ms;
            text += &format!("\nlast spike {time_ms:.1} ms, {ago_ms:.1} ms ago");
        }
        _ if live.spikes_from == 0 => text += "\nno spike yet",
        _ => {}
    }
    if let Some((known, neuron, state)) = &live.state
        && (known, *neuron) == (&region.name, id.neuron)
    {
        for (name, value) in state {
            text += &format!("\n{name} {value:.4} {}", unit_of(structure, name));
        }
    }
    text
}

/// Moves labels up until none lies on another, those lowest on the screen staying where they are; drops those that find no room.
/// Each has the place where it wants its lower middle, and its size.
fn place_labels(wanted: &[(egui::Pos2, egui::Vec2)], area: egui::Rect) -> Vec<Option<egui::Rect>> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[b].0.y.total_cmp(&wanted[a].0.y).then(a.cmp(&b)));
    let mut placed = vec![None; wanted.len()];
    for i in order {
        let (at, size) = wanted[i];
        let corner = egui::pos2(at.x - size.x / 2.0, at.y - size.y);
        let mut rect = egui::Rect::from_min_size(corner, size);
        if !area.expand(size.max_elem()).contains(at) {
            continue;
        }
        // Into the area, as far as it goes.
        rect = rect.translate((area.min - rect.min).max(egui::Vec2::ZERO));
        rect = rect.translate((area.max - rect.max).min(egui::Vec2::ZERO));
        let free = |rect: egui::Rect| {
            let others = placed.iter().flatten();
            let mut lying = others.filter(|o: &&egui::Rect| o.expand(1.0).intersects(rect));
            lying.next().copied()
        };
        let moved = |up: bool| {
            let mut rect = rect;
            for _ in 0..=wanted.len() {
                match free(rect) {
                    None => return area.contains_rect(rect).then_some(rect),
                    Some(other) if up => {
                        rect = rect.translate(egui::vec2(0.0, other.min.y - rect.max.y - 2.0));
                    }
                    Some(other) => {
                        rect = rect.translate(egui::vec2(0.0, other.max.y - rect.min.y + 2.0));
                    }
                }
            }
            None
        };
        placed[i] = moved(true).or_else(|| moved(false));
    }
    placed
}

/// A round length that takes at most `most` points at so many points per mm, and how it is written.
fn round_length(per_mm: f32, most: f32) -> (f32, String) {
    let wanted = (most / per_mm.max(1e-9)).max(1e-6);
    let power = 10f32.powf(wanted.log10().floor());
    let round = [5.0, 2.0, 1.0].into_iter().map(|f| f * power);
    let length = round.into_iter().find(|l| *l <= wanted).unwrap_or(power);
    let text = if length >= 0.9 {
        format!("{} mm", length.round())
    } else {
        let micrometres = length * 1e3;
        if micrometres >= 0.9 {
            format!("{} µm", micrometres.round())
        } else {
            format!("{micrometres:.3} µm")
        }
    };
    (length, text)
}

/// Writes and draws over the 3D view.
struct Pen<'a> {
    painter: egui::Painter,
    theme: &'a Theme,
    size: f32,
}

impl Pen<'_> {
    fn font(&self, part: f32) -> egui::FontId {
        egui::FontId::proportional(self.size * part)
    }

    fn write(&self, at: egui::Pos2, align: egui::Align2, text: &str) {
        let font = self.font(0.92);
        let colour = self.theme.text.gamma_multiply(0.85);
        self.painter.text(at, align, text, font, colour);
    }

    /// Writes in a box that stays within the area.
    fn boxed(&self, at: egui::Pos2, text: &str) {
        let galley = self
            .painter
            .layout_no_wrap(text.to_owned(), self.font(1.0), self.theme.text);
        let inside = self.painter.clip_rect().shrink(4.0);
        let mut rect = egui::Rect::from_min_size(at, galley.size() + egui::vec2(16.0, 12.0));
        rect = rect.translate((inside.max - rect.max).min(egui::Vec2::ZERO));
        rect = rect.translate((inside.min - rect.min).max(egui::Vec2::ZERO));
        let edge = egui::Stroke::new(1.0, self.theme.text.gamma_multiply(0.25));
        let fill = self.theme.background.gamma_multiply(0.92);
        self.painter
            .rect(rect, 5.0, fill, edge, egui::StrokeKind::Inside);
        let colour = self.theme.text;
        self.painter
            .galley(rect.min + egui::vec2(8.0, 6.0), galley, colour);
    }

    /// Writes the names of regions above them; returns where they are.
    fn labels(
        &self,
        structure: &Structure,
        neurons: &Neurons,
        projector: &Projector,
        hidden: &HiddenRegions,
        selected: &Selected,
    ) -> Vec<(usize, egui::Rect)> {
        let padding = egui::vec2(7.0, 3.0);
        let mut names = Vec::new();
        for (index, (region, shape)) in
            (structure.regions.iter().zip(&neurons.shapes.regions)).enumerate()
        {
            // Regions that share a place have their labels side by side above it.
            let top = shape.centre + Vec3::Y * shape.half.y;
            let Some((top, _)) = projector.project(top) else {
                continue;
            };
            let fades = if hidden.0.contains(&region.name) {
                0.35
            } else {
                1.0
            };
            let colour = self.theme.region(index).gamma_multiply(fades);
            let galley = self
                .painter
                .layout_no_wrap(region.name.clone(), self.font(1.08), colour);
            let size = galley.size() + padding * 2.0;
            names.push((index, galley, top - egui::vec2(0.0, 10.0), size, colour));
        }
        let wanted: Vec<_> = names
            .iter()
            .map(|(_, _, at, size, _)| (*at, *size))
            .collect();
        let inside = self.painter.clip_rect().shrink(4.0);
        let places = place_labels(&wanted, inside);
        let mut labels = Vec::new();
        for ((index, galley, at, _, colour), place) in names.into_iter().zip(places) {
            let Some(rect) = place else { continue };
            let chosen = selected.region.as_ref() == Some(&structure.regions[index].name);
            let faint = colour.gamma_multiply(0.45);
            let edge = egui::Stroke::new(1.0, if chosen { self.theme.selection } else { faint });
            let fill = self.theme.background.gamma_multiply(0.78);
            if rect.max.y < at.y - 24.0 {
                let line = [rect.center_bottom(), at + egui::vec2(0.0, 8.0)];
                self.painter
                    .line_segment(line, egui::Stroke::new(1.0, faint));
            }
            self.painter
                .rect(rect, 4.0, fill, edge, egui::StrokeKind::Inside);
            self.painter.galley(rect.min + padding, galley, colour);
            labels.push((index, rect));
        }
        labels
    }

    /// Draws a bar of a round length, as it appears at the distance of what the camera looks at.
    fn scale(&self, area: egui::Rect, projector: &Projector, distance: f32) {
        let per_mm = projector.points(1.0, distance);
        let (length, text) = round_length(per_mm, (area.width() * 0.2).min(110.0));
        let left = area.left_bottom() + egui::vec2(MARGIN, -MARGIN);
        let right = left + egui::vec2(length * per_mm, 0.0);
        let stroke = egui::Stroke::new(1.5, self.theme.text.gamma_multiply(0.8));
        self.painter.line_segment([left, right], stroke);
        for end in [left, right] {
            let line = [end - egui::vec2(0.0, 4.0), end + egui::vec2(0.0, 4.0)];
            self.painter.line_segment(line, stroke);
        }
        let above = left.lerp(right, 0.5) - egui::vec2(0.0, 5.0);
        let align = egui::Align2::CENTER_BOTTOM;
        let half = self.size * 0.25 * text.len() as f32;
        let above = egui::pos2(above.x.max(area.left() + half + 4.0), above.y);
        self.write(above, align, &text);
    }

    /// Draws the colour map with the range that it stands for.
    fn legend(&self, area: egui::Rect, name: &str, unit: &str, (low, high): (f32, f32)) {
        let title = if unit.is_empty() {
            name.to_owned()
        } else {
            format!("{name} ({unit})")
        };
        let right_top = area.right_top() + egui::vec2(-MARGIN - 12.0, MARGIN + self.size * 1.5);
        let bar = egui::Rect::from_min_size(right_top, egui::vec2(12.0, 120.0));
        if bar.bottom() > area.bottom() {
            return;
        }
        let align = egui::Align2::RIGHT_BOTTOM;
        self.write(bar.right_top() - egui::vec2(0.0, 6.0), align, &title);
        let rows = 60;
        for row in 0..rows {
            let t = 1.0 - row as f32 / (rows - 1) as f32;
            let height = bar.height() / rows as f32;
            let top = bar.top() + row as f32 * height;
            let strip = egui::Rect::from_min_size(
                egui::pos2(bar.left(), top),
                egui::vec2(bar.width(), height + 0.5),
            );
            self.painter.rect_filled(strip, 0.0, self.theme.mapped(t));
        }
        let middle = f32::midpoint(low, high);
        let values = [
            (bar.left_top(), egui::Align2::RIGHT_TOP, high),
            (bar.left_center(), egui::Align2::RIGHT_CENTER, middle),
            (bar.left_bottom(), egui::Align2::RIGHT_BOTTOM, low),
        ];
        for (at, align, value) in values {
            self.write(at - egui::vec2(6.0, 0.0), align, &short(value, high - low));
        }
    }
}

/// A value with as many digits as it takes to see a hundredth of `range`.
fn short(value: f32, range: f32) -> String {
    let size = value.abs().max(range.abs());
    if size == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) || range.abs() < size * 1e-5 {
        return format!("{value:.2e}");
    }
    let digits = (2.0 - range.abs().max(size * 1e-5).log10().floor()).clamp(0.0, 6.0);
    format!("{value:.*}", digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stay_inside_and_apart() {
        let area = egui::Rect::from_min_size(egui::pos2(10.0, 10.0), egui::vec2(400.0, 300.0));
        let size = egui::vec2(80.0, 20.0);
        let wanted: Vec<_> = (0..8)
            .map(|i| (egui::pos2(200.0 + i as f32, 150.0), size))
            .chain([
                (egui::pos2(12.0, 12.0), size),
                (egui::pos2(-500.0, 50.0), size),
            ])
            .collect();
        let placed = place_labels(&wanted, area);
        assert!(placed[..9].iter().all(Option::is_some));
        assert_eq!(placed[9], None);
        let rects: Vec<_> = placed.into_iter().flatten().collect();
        for (i, one) in rects.iter().enumerate() {
            assert!(area.contains_rect(*one));
            assert!(rects[..i].iter().all(|other| !other.intersects(*one)));
        }
        let crowd = vec![(egui::pos2(200.0, 150.0), size); 100];
        let found = place_labels(&crowd, area).into_iter().flatten().count();
        assert!((10..100).contains(&found), "{found}");
    }

    #[test]
    fn scales_are_round() {
        let text = |per_mm| round_length(per_mm, 100.0).1;
        assert_eq!(text(100.0), "1 mm");
        assert_eq!(text(45.0), "2 mm");
        assert_eq!(text(300.0), "200 µm");
        assert_eq!(text(99_999.0), "1 µm");
        for per_mm in [0.01, 0.3, 7.0, 120.0, 9e4] {
            let (length, _) = round_length(per_mm, 100.0);
            assert!(length * per_mm <= 100.01 && length * per_mm > 19.9);
        }
    }

    #[test]
    fn values_are_short() {
        assert_eq!(short(0.0, 0.0), "0");
        assert_eq!(short(-65.234, 30.0), "-65.2");
        assert_eq!(short(-69.954_3, 0.1), "-69.954");
        assert_eq!(short(1234.5, 900.0), "1234");
        assert_eq!(short(1e-9, 2e-9), "1.00e-9");
    }
}
