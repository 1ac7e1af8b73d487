//! Play, pause, speed, and the slider that goes back in time.

use super::PanelContext;
use crate::session::runner::Request;
use crate::sim::clock::Pacing;
use crate::view::action::Action;
use bevy_egui::egui::{self, Color32, Painter, Pos2, Rect, Stroke, Vec2};

/// The least time between two seeks of a drag, in seconds.
const SEEK_EVERY: f64 = 0.2;
/// The most marks of kept states that are drawn.
const MOST_MARKS: usize = 400;

/// What the transport bar remembers between frames.
#[derive(Default)]
pub struct Transport {
    /// The step that the slider is held at.
    held: Option<u64>,
    /// The pace that the network had in the last frame.
    pace: Option<Pacing>,
    /// When the last seek was asked for, in seconds of egui's time, and its step.
    asked: Option<(f64, u64)>,
    /// Where the time slider was drawn last.
    pub slider: Option<Rect>,
}

/// The pace that the user has chosen for a network that runs.
pub fn chosen(context: &PanelContext<'_>) -> Pacing {
    match context.preferences.unlimited {
        true => Pacing::Unlimited,
        false => Pacing::RealTime(context.preferences.speed),
    }
}

/// Whether the network runs on until it is told to pause.
pub fn is_running(pacing: Pacing) -> bool {
    !matches!(pacing, Pacing::Paused | Pacing::Steps(_))
}

impl Transport {
    /// Draws the bar; what is asked for by its buttons is added to `actions`.
    pub fn show(
        &mut self,
        ui: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        actions: &mut Vec<Action>,
    ) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for action in [
                Action::Reset,
                Action::PlayPause,
                Action::Step,
                Action::NextSpike,
            ] {
                if button(ui, context, action) {
                    actions.push(action);
                }
            }
            ui.separator();
            self.speed(ui, context);
            ui.separator();
            state(ui, context);
            self.slider(ui, context);
        });
    }

    /// How fast the network may run.
    fn speed(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let pacing = context.live.progress.pacing;
        let running = is_running(pacing);
        let preferences = &mut *context.preferences;
        if self.pace.replace(pacing) != Some(pacing) && running {
            // Whoever changed it, the slider shows what is in force.
            preferences.unlimited = pacing == Pacing::Unlimited;
            if let Pacing::RealTime(speed) = pacing {
                preferences.speed = speed.clamp(1e-3, 100.0);
            }
        }
        ui.spacing_mut().slider_width = 110.0;
        let slider = egui::Slider::new(&mut preferences.speed, 1e-3..=100.0)
            .logarithmic(true)
            .custom_formatter(|speed, _| significant(speed))
            .suffix(" ×");
        let moved = ui
            .add_enabled(!preferences.unlimited, slider)
            .on_hover_text("Speed: simulated time per wall time, from 0.001 to 100 times real time")
            .on_disabled_hover_text("The network runs as fast as it can");
        let max = egui::Button::new("Max").selected(preferences.unlimited);
        let toggled = ui.add(max).on_hover_text("Run as fast as this machine can");
        preferences.unlimited ^= toggled.clicked();
        if running && (moved.changed() || toggled.clicked()) {
            let pace = chosen(context);
            context.live.send(Request::Pace(pace));
        }
    }

    /// The slider over all time that was simulated, with a mark for every state that is kept.
    fn slider(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>) {
        let progress = &context.live.progress;
        let reached = progress.reached.max(progress.step).max(1);
        let high = ui.spacing().interact_size.y;
        let size = Vec2::new((ui.available_width() - 6.0).max(80.0), high);
        let (rect, response) = ui.allocate_exact_size(size, egui::Sense::click_and_drag());
        self.slider = Some(rect);
        let track = Rect::from_center_size(rect.center(), Vec2::new(rect.width() - 16.0, 4.0));
        let x_of = |step: u64| {
            track.left() + track.width() * (step as f64 / reached as f64).min(1.0) as f32
        };
        let theme = context.theme;
        let painter = ui.painter();
        let dim = ui.visuals().widgets.inactive.bg_fill;
        painter.rect_filled(track, 2.0, dim);
        let every = progress.kept.len().div_ceil(MOST_MARKS).max(1);
        for &step in progress.kept.iter().step_by(every) {
            let mark = (track.bottom() + 2.5)..=(track.bottom() + 6.5);
            painter.vline(x_of(step), mark, Stroke::new(1.0, theme.weak));
        }
        let knob = x_of(self.held.unwrap_or(progress.step));
        let done = Rect::from_min_max(track.min, egui::pos2(knob, track.bottom()));
        painter.rect_filled(done, 2.0, theme.accent);
        let lit = response.hovered() || response.dragged();
        let centre = egui::pos2(knob, track.center().y);
        painter.circle(
            centre,
            if lit { 8.0 } else { 7.0 },
            theme.text,
            Stroke::NONE,
        );
        response.widget_info(|| {
            let step = progress.step as f64 * progress.dt_ms;
            egui::WidgetInfo::slider(ui.is_enabled(), step, "Simulated time in ms")
        });
        let pointer = response.interact_pointer_pos().or(response.hover_pos());
        let at = pointer.map(|pointer| {
            let part = ((pointer.x - track.left()) / track.width()).clamp(0.0, 1.0);
            (f64::from(part) * reached as f64).round() as u64
        });
        if let Some(step) = at {
            let hint = format!(
                "Go to {:.1} ms of {:.1} ms\n{} states to go back to take {:.1} MiB of {} MiB; see Preferences",
                step as f64 * progress.dt_ms,
                reached as f64 * progress.dt_ms,
                progress.kept.len(),
                progress.kept_bytes as f64 / f64::from(1 << 20),
                context.preferences.rewind_mib,
            );
            let seconds = ui.input(|input| input.time);
            let due = self.asked.is_none_or(|(at, _)| seconds - at >= SEEK_EVERY);
            let new = self.asked.is_none_or(|(_, last)| last != step);
            let ended = response.clicked() || response.drag_stopped();
            if context.live.structure.is_some() && (ended || (response.dragged() && due && new)) {
                context.live.send(Request::Seek(step));
                self.asked = Some((seconds, step));
            }
            self.held = response.dragged().then_some(step);
            response.on_hover_text_at_pointer(hint);
        } else {
            self.held = None;
        }
    }
}

/// A button with a drawn icon; whether it was clicked.
fn button(ui: &mut egui::Ui, context: &PanelContext<'_>, action: Action) -> bool {
    let enabled = action.enabled(context.live, context.selected);
    let high = ui.spacing().interact_size.y;
    let size = Vec2::new((high * 1.35).round(), high);
    let running = is_running(context.live.progress.pacing);
    let response = ui.add_enabled(enabled, egui::Button::new("").min_size(size));
    let colour = match (enabled, action) {
        (false, _) => context.theme.weak.gamma_multiply(0.5),
        (true, Action::PlayPause) => context.theme.accent,
        (true, _) => context.theme.text,
    };
    icon(
        ui.painter(),
        response.rect.center(),
        high * 0.22,
        colour,
        action,
        running,
    );
    response.widget_info(|| {
        egui::WidgetInfo::labeled(egui::WidgetType::Button, enabled, action.label())
    });
    response.on_hover_text(action.hint(ui.ctx())).clicked()
}

/// Draws the icon of a command around `centre`; `half` is half its height.
fn icon(
    painter: &Painter,
    centre: Pos2,
    half: f32,
    colour: Color32,
    action: Action,
    running: bool,
) {
    let triangle = |x: f32, to_left: bool| {
        let tip = if to_left { -half } else { half };
        let points = [(-tip, -half), (tip, 0.0), (-tip, half)];
        let points = points.map(|(dx, dy)| centre + Vec2::new(x + dx * 0.9, dy));
        painter.add(egui::Shape::convex_polygon(
            points.into(),
            colour,
            Stroke::NONE,
        ));
    };
    let bar = |x: f32| {
        let size = Vec2::new(half * 0.55, half * 2.0);
        painter.rect_filled(
            Rect::from_center_size(centre + Vec2::new(x, 0.0), size),
            0.5,
            colour,
        );
    };
    match action {
        Action::PlayPause if running => {
            bar(-half * 0.55);
            bar(half * 0.55);
        }
        Action::Reset => {
            bar(-half * 1.1);
            triangle(half * 0.3, true);
        }
        Action::Step => {
            triangle(-half * 0.3, false);
            bar(half * 1.1);
        }
        Action::NextSpike => {
            // Rest, spike, undershoot, rest.
            let points = [
                (-1.9, 0.5),
                (-0.7, 0.5),
                (-0.1, -1.2),
                (0.4, 1.1),
                (0.8, 0.5),
                (1.9, 0.5),
            ];
            let points = points.map(|(x, y)| centre + Vec2::new(x, y) * half);
            painter.add(egui::Shape::line(points.into(), Stroke::new(1.7, colour)));
        }
        _ => triangle(half * 0.1, false),
    }
}

/// Simulated time, and what the network is doing.
fn state(ui: &mut egui::Ui, context: &PanelContext<'_>) {
    let progress = &context.live.progress;
    let theme = context.theme;
    let fixed = |ui: &mut egui::Ui, width: f32, text: egui::RichText| {
        let high = ui.spacing().interact_size.y;
        let layout = egui::Layout::right_to_left(egui::Align::Center);
        let label = egui::Label::new(text).selectable(false);
        ui.allocate_ui_with_layout(Vec2::new(width, high), layout, |ui| {
            ui.set_min_width(width);
            ui.add(label)
        })
        .inner
    };
    let em = egui::TextStyle::Body.resolve(ui.style()).size;
    let time = egui::RichText::new(format!("{:.1} ms", context.live.time_ms())).monospace();
    fixed(ui, em * 8.0, time).on_hover_text("Simulated time");
    if let Some((what, part)) = &progress.busy {
        // While a network is built, no frame tells how far that is.
        let part = part.max(context.live.runner().built());
        let bar = egui::ProgressBar::new(part.clamp(0.0, 1.0)).desired_width(em * 9.0);
        ui.add(bar.text(what.as_str()));
    } else if let Some(problem) = &progress.problem {
        let text = egui::RichText::new("Problem").color(theme.error).strong();
        fixed(ui, em * 9.0, text).on_hover_text(problem);
    } else if is_running(progress.pacing) {
        let text = format!("{} × real time", significant(progress.speed));
        fixed(ui, em * 9.0, egui::RichText::new(text)).on_hover_text(
            "Speed achieved: simulated time per wall time, over the last half second",
        );
    } else {
        let text = if context.live.structure.is_some() {
            "Paused"
        } else {
            "No scene"
        };
        fixed(ui, em * 9.0, egui::RichText::new(text).color(theme.weak));
    }
    ui.add_space(4.0);
}

/// A number to three digits.
fn significant(number: f64) -> String {
    let size = number.abs();
    match () {
        () if size >= 100.0 || size == 0.0 => format!("{number:.0}"),
        () if size >= 10.0 => format!("{number:.1}"),
        () if size >= 1.0 => format!("{number:.2}"),
        () => format!("{number:.3}"),
    }
}
