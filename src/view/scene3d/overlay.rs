//! What is written over the 3D view, and what the pointer does there.

use super::camera::{FIELD_OF_VIEW, Orbit};
use super::pick::{Projector, pick, pick_box};
use super::{HiddenRegions, Scene3d, centre_of};
use crate::session::frame::Structure;
use crate::view::live::{Live, Selected};
use crate::view::panels::Scene3dArea;
use crate::view::preferences::{ColourBy, Preferences};
use crate::view::theme::Theme;
use bevy::prelude::*;
use bevy_egui::{EguiContexts, egui};

/// Where a box selection began.
#[derive(Default)]
pub struct BoxBegin(Option<egui::Pos2>);

/// Every neuron that is shown: number, place, radius.
fn shown<'s>(
    structure: &'s Structure,
    scene: &'s Scene3d,
    hidden: &'s HiddenRegions,
) -> impl Iterator<Item = (u32, Vec3, f32)> + 's {
    (structure.regions.iter().zip(&scene.radii))
        .filter(|(region, _)| !hidden.0.contains(&region.name))
        .flat_map(|(region, radius)| {
            (region.first..)
                .zip(&region.positions)
                .map(move |(number, p)| (number, Vec3::from_array(*p), *radius))
        })
}

/// Follows the pointer over the 3D view and writes labels, a tooltip and a scale over it.
pub fn overlay(
    mut contexts: EguiContexts,
    live: Res<Live>,
    mut selected: ResMut<Selected>,
    mut orbit: ResMut<Orbit>,
    area: Res<Scene3dArea>,
    scene: Res<Scene3d>,
    hidden: Res<HiddenRegions>,
    theme: Res<Theme>,
    preferences: Res<Preferences>,
    mut begin: Local<BoxBegin>,
) -> Result {
    let ctx = contexts.ctx_mut()?;
    let (Some(rect), Some(structure)) = (area.rect, &live.structure) else {
        return Ok(());
    };
    let projector = Projector::new(&orbit.now.transform(), FIELD_OF_VIEW, rect);
    let painter = ctx
        .layer_painter(egui::LayerId::background())
        .with_clip_rect(rect);
    let pointer = ctx
        .input(|i| i.pointer.latest_pos())
        .filter(|_| area.hovered);
    let labels = draw_labels(
        &painter,
        structure,
        &projector,
        &theme,
        &hidden,
        &preferences,
    );

    let mut hovered = None;
    if let Some(pointer) = pointer {
        ctx.input(|input| orbit.follow(input, rect.height()));
        hovered = pick(&projector, pointer, shown(structure, &scene, &hidden));
        let (clicked, boxed, adds) = ctx.input(|i| {
            let drags = i.pointer.primary_down() && i.modifiers.command;
            (
                i.pointer.primary_clicked(),
                drags,
                i.modifiers.shift || i.modifiers.command,
            )
        });
        if boxed {
            let start = *begin.0.get_or_insert(pointer);
            let chosen = egui::Rect::from_two_pos(start, pointer);
            let stroke = egui::Stroke::new(1.0, theme.selection);
            painter.rect_stroke(chosen, 0.0, stroke, egui::StrokeKind::Middle);
        } else if let Some(start) = begin.0.take() {
            let chosen = egui::Rect::from_two_pos(start, pointer);
            if chosen.width().max(chosen.height()) > 4.0 {
                let found = pick_box(&projector, chosen, shown(structure, &scene, &hidden));
                selected.neurons.extend(found);
            }
        } else if clicked {
            let label = labels.iter().find(|(_, rect)| rect.contains(pointer));
            match (label, hovered) {
                (Some((region, _)), _) => {
                    selected.region = Some(structure.regions[*region].name.clone());
                    selected.projection = None;
                }
                (None, Some(number)) if adds => {
                    if !selected.neurons.remove(&number) {
                        selected.neurons.insert(number);
                    }
                }
                (None, Some(number)) => {
                    selected.neurons = [number].into();
                    let region = structure.neuron(number).map(|id| id.region);
                    selected.region = region.map(|r| structure.regions[r].name.clone());
                }
                (None, None) if !adds => selected.neurons.clear(),
                (None, None) => {}
            }
        }
    }
    if selected.hovered != hovered {
        selected.hovered = hovered;
    }
    if let (Some(pointer), Some(number)) = (pointer, hovered) {
        let at = pointer + egui::vec2(14.0, 10.0);
        draw_box(&painter, at, &describe(&live, structure, number), &theme);
    }
    draw_scale(&painter, rect, &projector, orbit.now.distance, &theme);
    if let (ColourBy::Column(name), Some(range)) = (&preferences.scene3d.colour_by, scene.range) {
        let unit = structure
            .regions
            .iter()
            .find_map(|r| r.columns.iter().find(|(n, _)| n == name))
            .map_or("", |(_, unit)| unit);
        draw_legend(&painter, rect, &format!("{name} {unit}"), range, &theme);
    }
    Ok(())
}

/// A neuron in a few lines.
fn describe(live: &Live, structure: &Structure, number: u32) -> String {
    let Some(id) = structure.neuron(number) else {
        return String::new();
    };
    let region = &structure.regions[id.region];
    let mut text = format!("{} #{}  {}", region.name, id.neuron, region.model);
    if region.lesioned.binary_search(&id.neuron).is_ok() {
        text += "\nlesioned";
    }
    match live.last_spike.get(number as usize) {
        Some(0) | None => text += "\nno spike yet",
        Some(step) => {
            text += &format!(
                "\nlast spike at {:.1} ms",
                *step as f64 * live.progress.dt_ms
            );
        }
    }
    if let Some((known, neuron, state)) = &live.state
        && (known, *neuron) == (&region.name, id.neuron)
    {
        for (name, value) in state {
            let unit = region
                .columns
                .iter()
                .find(|(n, _)| n == name)
                .map_or("", |(_, u)| u);
            text += &format!("\n{name} = {value:.3} {unit}");
        }
    }
    text
}

fn font(size: f32) -> egui::FontId {
    egui::FontId::proportional(size)
}

fn draw_box(painter: &egui::Painter, at: egui::Pos2, text: &str, theme: &Theme) {
    let galley = painter.layout_no_wrap(text.to_owned(), font(13.0), theme.text);
    let mut rect = egui::Rect::from_min_size(at, galley.size()).expand(6.0);
    let inside = painter.clip_rect();
    let shift = (inside.max - rect.max).min(egui::Vec2::ZERO);
    rect = rect.translate(shift);
    painter.rect_filled(rect, 4.0, theme.background.gamma_multiply(0.9));
    painter.galley(rect.min + egui::vec2(6.0, 6.0), galley, theme.text);
}

/// Writes the names of regions above them, none over another; returns where they are.
fn draw_labels(
    painter: &egui::Painter,
    structure: &Structure,
    projector: &Projector,
    theme: &Theme,
    hidden: &HiddenRegions,
    preferences: &Preferences,
) -> Vec<(usize, egui::Rect)> {
    let mut placed: Vec<(usize, egui::Rect)> = Vec::new();
    if !preferences.scene3d.labels {
        return placed;
    }
    for (index, region) in structure.regions.iter().enumerate() {
        let centre = centre_of(structure, index);
        let top = region
            .positions
            .iter()
            .map(|p| p[1])
            .fold(f32::NEG_INFINITY, f32::max);
        let above = Vec3::new(centre.x, top, centre.z);
        let Some((at, _)) = projector.project(above) else {
            continue;
        };
        let mut colour = theme.region(index);
        if hidden.0.contains(&region.name) {
            colour = colour.gamma_multiply(0.4);
        }
        let galley = painter.layout_no_wrap(region.name.clone(), font(14.0), colour);
        let size = galley.size();
        let mut rect = egui::Rect::from_center_size(at - egui::vec2(0.0, 14.0), size);
        let inside = painter.clip_rect().shrink(4.0);
        rect = rect.translate((inside.min - rect.min).max(egui::Vec2::ZERO));
        while let Some((_, other)) = placed.iter().find(|(_, r)| r.intersects(rect)) {
            rect = rect.translate(egui::vec2(0.0, other.max.y - rect.min.y + 1.0));
        }
        painter.rect_filled(rect.expand(3.0), 3.0, theme.background.gamma_multiply(0.7));
        painter.galley(rect.min, galley, colour);
        placed.push((index, rect.expand(3.0)));
    }
    placed
}

/// Draws a bar of a round length, as it appears at the distance of what the camera looks at.
fn draw_scale(
    painter: &egui::Painter,
    area: egui::Rect,
    projector: &Projector,
    distance: f32,
    theme: &Theme,
) {
    let per_mm = projector.points(1.0, distance);
    let wanted = 90.0 / per_mm.max(1e-6);
    let power = 10f32.powf(wanted.log10().floor());
    let round = [5.0, 2.0, 1.0]
        .into_iter()
        .map(|f| f * power)
        .find(|l| *l <= wanted);
    let length = round.unwrap_or(power);
    let text = match length {
        l if l >= 1.0 => format!("{l} mm"),
        l => format!("{} µm", (l * 1e3).round()),
    };
    let left = area.left_bottom() + egui::vec2(14.0, -16.0);
    let right = left + egui::vec2(length * per_mm, 0.0);
    let stroke = egui::Stroke::new(2.0, theme.text);
    painter.line_segment([left, right], stroke);
    painter.text(
        left - egui::vec2(0.0, 4.0),
        egui::Align2::LEFT_BOTTOM,
        text,
        font(12.0),
        theme.text,
    );
}

/// Draws the colour map with the range that it stands for.
fn draw_legend(
    painter: &egui::Painter,
    area: egui::Rect,
    title: &str,
    (low, high): (f32, f32),
    theme: &Theme,
) {
    let bar = egui::Rect::from_min_size(
        area.right_top() + egui::vec2(-30.0, 40.0),
        egui::vec2(12.0, 120.0),
    );
    for row in 0..60 {
        let t = 1.0 - row as f32 / 59.0;
        let top = bar.top() + row as f32 * 2.0;
        let strip =
            egui::Rect::from_min_size(egui::pos2(bar.left(), top), egui::vec2(bar.width(), 2.0));
        painter.rect_filled(strip, 0.0, theme.mapped(t));
    }
    let write = |at: egui::Pos2, align, text: String| {
        painter.text(at, align, text, font(12.0), theme.text);
    };
    let left = bar.left() - 6.0;
    write(
        egui::pos2(left, bar.top()),
        egui::Align2::RIGHT_TOP,
        format!("{high:.3}"),
    );
    write(
        egui::pos2(left, bar.bottom()),
        egui::Align2::RIGHT_BOTTOM,
        format!("{low:.3}"),
    );
    write(
        bar.right_top() - egui::vec2(0.0, 6.0),
        egui::Align2::RIGHT_BOTTOM,
        title.to_owned(),
    );
}
