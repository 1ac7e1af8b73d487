//! Notices in the corner: those of success go by themselves, errors stay until they are dismissed.

use crate::session::frame::Notice;
use crate::view::panels::PanelContext;
use bevy_egui::egui::{self, RichText};
use std::time::{Duration, Instant};

/// How long a notice that is no error is shown.
const SHOWN: Duration = Duration::from_secs(7);
/// The most notices that are shown at once; older ones are in the log.
const MOST: usize = 5;

/// The notices that are shown.
#[derive(Default)]
pub struct Toasts {
    /// How many notices were seen so far.
    seen: usize,
    shown: Vec<(Instant, Notice)>,
    /// Whether the user was told that the network's thread has ended.
    ended: bool,
}

impl Toasts {
    /// Takes in what is new and draws it.
    pub fn show(&mut self, ctx: &egui::Context, context: &mut PanelContext<'_>) {
        if context.live.runner().has_ended() && !self.ended {
            self.ended = true;
            context.live.tell(
                true,
                "The simulation has stopped because of a fault in Neuropil; save what you need and start it again",
            );
        }
        let notices = &context.live.notices;
        for notice in notices.iter().skip(self.seen) {
            self.shown.retain(|(_, known)| known != notice);
            self.shown.push((Instant::now(), notice.clone()));
        }
        self.seen = notices.len();
        self.shown
            .retain(|(at, notice)| notice.error || at.elapsed() < SHOWN);
        let excess = self.shown.len().saturating_sub(MOST);
        self.shown.drain(..excess);
        if self.shown.is_empty() {
            return;
        }
        ctx.request_repaint_after(Duration::from_millis(500));
        let mut dismissed = None;
        egui::Area::new("toasts".into())
            .anchor(egui::Align2::RIGHT_BOTTOM, [-14.0, -14.0])
            .order(egui::Order::Foreground)
            .show(ctx, |ui| {
                for (i, (_, notice)) in self.shown.iter().enumerate() {
                    if toast(ui, context, notice) {
                        dismissed = Some(i);
                    }
                }
            });
        if let Some(i) = dismissed {
            self.shown.remove(i);
        }
    }
}

/// One notice; whether it was dismissed.
fn toast(ui: &mut egui::Ui, context: &PanelContext<'_>, notice: &Notice) -> bool {
    let theme = context.theme;
    let edge = if notice.error {
        theme.error
    } else {
        theme.accent
    };
    let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin {
        left: 14,
        right: 8,
        top: 8,
        bottom: 8,
    });
    let shown = frame.show(ui, |ui| {
        ui.set_width(380.0);
        ui.horizontal_top(|ui| {
            ui.scope(|ui| {
                ui.set_width(350.0);
                let text = RichText::new(&notice.text);
                ui.add(egui::Label::new(text).wrap().selectable(true));
            });
            let cross = egui::Button::new(RichText::new("×").size(15.0)).frame(false);
            ui.add(cross).on_hover_text("Dismiss").clicked()
        })
        .inner
    });
    let rect = shown.response.rect;
    let stripe = egui::Rect::from_min_max(rect.min, egui::pos2(rect.left() + 4.0, rect.bottom()));
    let rounding = egui::CornerRadius {
        nw: 6,
        sw: 6,
        ne: 0,
        se: 0,
    };
    ui.painter().rect_filled(stripe, rounding, edge);
    shown.inner
}
