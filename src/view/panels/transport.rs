//! Play, pause, speed and the slider that goes back in time.

use super::PanelContext;
use crate::session::runner::Request;
use crate::sim::clock::Pacing;
use crate::view::action::Action;
use bevy_egui::egui;

/// The least time between two seeks of a drag, in seconds.
const SEEK_EVERY: f64 = 0.15;

/// The transport bar.
pub fn bar(ui: &mut egui::Ui, context: &mut PanelContext<'_>, actions: &mut Vec<Action>) {
    let progress = context.live.progress.clone();
    let running = !matches!(progress.pacing, Pacing::Paused | Pacing::Steps(_));
    ui.horizontal(|ui| {
        let buttons = [
            (Action::Reset, "⏮"),
            (Action::PlayPause, if running { "⏸" } else { "▶" }),
            (Action::Step, "⏵|"),
            (Action::NextSpike, "⏭"),
        ];
        for (action, icon) in buttons {
            let enabled = action.enabled(context.live, context.selected);
            let button = egui::Button::new(egui::RichText::new(icon).size(16.0))
                .min_size(egui::vec2(30.0, 24.0));
            let keys = action
                .shortcut()
                .map_or(String::new(), |s| ui.ctx().format_shortcut(&s));
            let tooltip = format!("{} ({keys})", action.tooltip());
            if ui
                .add_enabled(enabled, button)
                .on_hover_text(tooltip)
                .clicked()
            {
                actions.push(action);
            }
        }
        ui.separator();
        speed(ui, context, &progress.pacing);
        ui.separator();
        let text = format!("{:>9.1} ms", context.live.time_ms());
        ui.monospace(text).on_hover_text("Simulated time");
        let achieved = match &progress.busy {
            Some((what, part)) => format!("{what} {:.0} %", part * 100.0),
            None if running => format!("{:.3} × real time", progress.speed),
            None => "paused".into(),
        };
        ui.add_sized([130.0, 18.0], egui::Label::new(achieved))
            .on_hover_text("Simulated time per wall time, over the last half second");
        slider(ui, context);
    });
}

fn speed(ui: &mut egui::Ui, context: &mut PanelContext<'_>, pacing: &Pacing) {
    let mut speed = match pacing {
        Pacing::RealTime(speed) => *speed,
        _ => context.preferences.speed,
    };
    let mut unlimited = *pacing == Pacing::Unlimited;
    ui.spacing_mut().slider_width = 110.0;
    let slider = egui::Slider::new(&mut speed, 1e-3..=100.0)
        .logarithmic(true)
        .suffix(" ×");
    let slider = ui
        .add_enabled(!unlimited, slider)
        .on_hover_text("Simulated time per wall time: 0.001 to 100 times real time");
    let fastest = ui
        .toggle_value(&mut unlimited, "fastest")
        .on_hover_text("As fast as this machine can");
    if slider.changed() || fastest.changed() {
        context.preferences.speed = speed;
        if !matches!(pacing, Pacing::Paused | Pacing::Steps(_)) || fastest.changed() {
            let pace = if unlimited {
                Pacing::Unlimited
            } else {
                Pacing::RealTime(speed)
            };
            context.live.send(Request::Pace(pace));
        }
    }
}

/// The slider over all time that was simulated, with a tick for every kept state.
fn slider(ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
    let progress = &context.live.progress;
    let reached = progress.reached.max(1);
    let size = egui::vec2(ui.available_width().max(60.0), 24.0);
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click_and_drag());
    let track = egui::Rect::from_center_size(rect.center(), egui::vec2(rect.width() - 12.0, 5.0));
    let x_of = |step: u64| track.left() + track.width() * (step as f32 / reached as f32).min(1.0);
    let visuals = ui.visuals();
    let painter = ui.painter();
    painter.rect_filled(track, 2.0, visuals.widgets.inactive.bg_fill);
    let done = egui::Rect::from_min_max(track.min, egui::pos2(x_of(progress.step), track.bottom()));
    painter.rect_filled(done, 2.0, visuals.selection.bg_fill);
    for &step in &progress.kept {
        let stroke = egui::Stroke::new(1.0, visuals.weak_text_color());
        painter.vline(
            x_of(step),
            (track.bottom() + 2.0)..=(track.bottom() + 6.0),
            stroke,
        );
    }
    let held = ui.ctx().data(|d| d.get_temp::<f32>(response.id));
    let knob = held.unwrap_or_else(|| x_of(progress.step));
    let colour = visuals.widgets.active.fg_stroke.color;
    painter.circle_filled(egui::pos2(knob, track.center().y), 7.0, colour);
    let dt = progress.dt_ms;
    if let Some(pointer) = response.hover_pos().or(response.interact_pointer_pos()) {
        let part = ((pointer.x - track.left()) / track.width()).clamp(0.0, 1.0);
        let step = (f64::from(part) * reached as f64).round() as u64;
        let kept = progress.kept_bytes as f64 / f64::from(1 << 20);
        let states = progress.kept.len();
        response.clone().on_hover_text(format!(
            "go to {:.1} ms\n{states} states are kept in {kept:.1} MiB",
            step as f64 * dt
        ));
        let now = ui.input(|i| i.time);
        let last = ui
            .ctx()
            .data(|d| d.get_temp::<f64>(response.id.with("at")))
            .unwrap_or(0.0);
        let due = response.dragged() && now - last > SEEK_EVERY;
        if response.clicked() || response.drag_stopped() || due {
            context.live.send(Request::Seek(step));
            ui.ctx()
                .data_mut(|d| d.insert_temp(response.id.with("at"), now));
        }
        if response.dragged() {
            let x = pointer.x.clamp(track.left(), track.right());
            ui.ctx().data_mut(|d| d.insert_temp(response.id, x));
        }
    }
    if !response.dragged() {
        ui.ctx().data_mut(|d| d.remove_temp::<f32>(response.id));
    }
}
