//! The stretch of time that a panel shows: the newest, or one that the user holds.

use super::plot::Chart;
use bevy_egui::egui::{self, Response, Ui};

/// Lengths that can be chosen, in ms.
const LENGTHS: [f64; 8] = [50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0];
/// The shortest and the longest stretch that zooming reaches, in ms.
const LIMITS: (f64, f64) = (2.0, 60_000.0);

/// The stretch of time that a panel shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// How long it is, in ms.
    pub length_ms: f64,
    /// Where it ends, in ms; none to follow the network.
    pub held_ms: Option<f64>,
}

impl Timeline {
    /// The newest `length_ms`.
    pub fn newest(length_ms: f64) -> Self {
        Self {
            length_ms,
            held_ms: None,
        }
    }

    /// Start and end in ms, if it is `now_ms`.
    pub fn range(&self, now_ms: f64) -> (f64, f64) {
        // A time that was held may lie in the future, when time was turned back.
        let newest = now_ms.max(self.length_ms);
        let end = self.held_ms.unwrap_or(newest).min(newest);
        (end - self.length_ms, end)
    }

    /// The choice of a length, and the switch that follows the network.
    pub fn controls(&mut self, ui: &mut Ui, now_ms: f64) {
        let shown = |ms: f64| match ms {
            ms if ms < 1000.0 => format!("{ms:.0} ms"),
            ms => format!("{} s", (ms / 100.0).round() / 10.0),
        };
        egui::ComboBox::from_id_salt("length")
            .width(64.0)
            .selected_text(shown(self.length_ms))
            .show_ui(ui, |ui| {
                for length in LENGTHS {
                    ui.selectable_value(&mut self.length_ms, length, shown(length));
                }
            })
            .response
            .on_hover_text("How much simulated time is shown, 50 ms to 10 s");
        let mut follow = self.held_ms.is_none();
        if ui
            .toggle_value(&mut follow, "Follow")
            .on_hover_text("Show the newest time. Drag or scroll in the plot to look at an earlier one, double-click to follow again")
            .changed()
        {
            self.held_ms = (!follow).then(|| self.range(now_ms).1);
        }
    }

    /// Dragging moves the stretch, scrolling makes it shorter or longer, a double click follows again.
    pub fn interact(&mut self, ui: &Ui, response: &Response, chart: &Chart, now_ms: f64) {
        if response.double_clicked() {
            self.held_ms = None;
            return;
        }
        let per_point = self.length_ms / f64::from(chart.inner.width().max(1.0));
        if response.dragged() {
            let moved = f64::from(response.drag_delta().x) * per_point;
            if moved != 0.0 {
                let (start, end) = self.range(now_ms);
                let moved = moved.min(start.max(0.0));
                self.held_ms = Some((end - moved).min(now_ms.max(self.length_ms)));
            }
        }
        let Some(pointer) = response.hover_pos() else {
            return;
        };
        let scrolled = ui.input(|i| i.smooth_scroll_delta().y + 200.0 * (i.zoom_delta() - 1.0));
        if scrolled != 0.0 && chart.inner.contains(pointer) {
            self.zoom(
                (-f64::from(scrolled) * 0.004).exp(),
                chart.x_of(pointer.x),
                now_ms,
            );
        }
    }

    /// Makes the stretch `factor` times as long; `around_ms` stays where it is, unless the newest time is followed.
    fn zoom(&mut self, factor: f64, around_ms: f64, now_ms: f64) {
        let (_, end) = self.range(now_ms);
        let length = (self.length_ms * factor).clamp(LIMITS.0, LIMITS.1);
        if self.held_ms.is_some() {
            let end = around_ms + (end - around_ms) * length / self.length_ms;
            self.held_ms = Some(end.max(length));
        }
        self.length_ms = length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_time_is_followed_until_a_stretch_is_held() {
        let mut timeline = Timeline::newest(100.0);
        assert_eq!(
            timeline.range(20.0),
            (0.0, 100.0),
            "a young network fills from the left"
        );
        assert_eq!(timeline.range(500.0), (400.0, 500.0));
        timeline.held_ms = Some(300.0);
        assert_eq!(timeline.range(900.0), (200.0, 300.0));
    }

    #[test]
    fn zooming_keeps_the_time_under_the_pointer() {
        let mut timeline = Timeline {
            length_ms: 100.0,
            held_ms: Some(300.0),
        };
        timeline.zoom(0.5, 220.0, 900.0);
        let (start, end) = timeline.range(900.0);
        assert!((start - 210.0).abs() < 1e-9 && (end - 260.0).abs() < 1e-9);
        timeline.zoom(1e-9, 220.0, 900.0);
        assert_eq!(timeline.length_ms, LIMITS.0);
    }
}
