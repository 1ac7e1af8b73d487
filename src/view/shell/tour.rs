//! Five short steps through the app, each beside what it speaks of.

use crate::view::dock::Dock;
use crate::view::panels::{PanelContext, PanelKind};
use bevy_egui::egui::{self, Key, Modifiers, Rect, RichText, Stroke};

/// What a step speaks of.
#[derive(Clone, Copy)]
enum Of {
    Scene3d,
    Panel(PanelKind),
    Time,
}

/// The steps.
const STEPS: [(Of, &str, &str); 5] = [
    (
        Of::Scene3d,
        "Click a neuron",
        "Every ball is a neuron; it flashes when it spikes. Drag to turn the network, scroll to come closer. Click a neuron to select \
         it: its synapses appear.",
    ),
    (
        Of::Panel(PanelKind::Traces),
        "Watch its membrane",
        "Here the state of the selected neuron is drawn while it runs: its membrane potential, and whatever else its model has.",
    ),
    (
        Of::Panel(PanelKind::Network),
        "Move a slider",
        "Choose a region or a projection and change one of its parameters. It acts at the next step, and Undo takes it back.",
    ),
    (
        Of::Panel(PanelKind::Network),
        "Lesion",
        "Silence some neurons of the chosen region and see how the others make up for it. Every edit is listed in the log.",
    ),
    (
        Of::Time,
        "Go back in time",
        "Drag this slider to the left: the network is again what it was, to the last bit. Then open another scene in the library.",
    ),
];

/// The tour, under way or not.
pub struct Tour {
    place: Option<usize>,
    /// Whether the panel of this step was brought to the front.
    fronted: bool,
}

impl Tour {
    /// The tour, at its start or closed.
    pub fn new(starts: bool) -> Self {
        Self {
            place: starts.then_some(0),
            fronted: false,
        }
    }

    /// Escape skips the tour. Other keys are left to the app, so that it can be tried meanwhile.
    pub fn keys(&mut self, ctx: &egui::Context) -> bool {
        let skips = self.place.is_some()
            && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if skips {
            self.place = Some(STEPS.len());
        }
        skips
    }

    /// Draws the step that it is at. `slider` and `scene3d` are where those were drawn.
    pub fn show(
        &mut self,
        ctx: &egui::Context,
        context: &mut PanelContext<'_>,
        dock: &mut Dock,
        slider: Option<Rect>,
        scene3d: Option<Rect>,
    ) {
        let Some(place) = self.place else {
            return;
        };
        let Some((of, title, text)) = STEPS.get(place) else {
            self.place = None;
            context.preferences.tour_seen = true;
            return;
        };
        if let Of::Panel(kind) = of
            && !self.fronted
        {
            dock.front(*kind);
        }
        self.fronted = true;
        let target = match of {
            Of::Scene3d => scene3d,
            Of::Panel(kind) => dock.framed(*kind).or(scene3d),
            Of::Time => slider,
        };
        let screen = ctx.content_rect();
        let target = target.unwrap_or(screen).intersect(screen);
        let accent = context.theme.accent;
        let layer = egui::LayerId::new(egui::Order::Foreground, "tour outline".into());
        let outline = ctx.layer_painter(layer);
        let stroke = Stroke::new(2.0, accent);
        outline.rect_stroke(target.shrink(1.0), 6.0, stroke, egui::StrokeKind::Inside);
        let (corner, pivot) = beside(target, screen);
        let area = egui::Area::new("tour".into())
            .order(egui::Order::Tooltip)
            .fixed_pos(corner)
            .pivot(pivot)
            .constrain_to(screen);
        area.show(ctx, |ui| {
            let frame = egui::Frame::popup(ui.style()).stroke(Stroke::new(1.0, accent));
            frame.inner_margin(14.0).show(ui, |ui| {
                ui.set_width(300.0);
                ui.label(RichText::new(*title).heading());
                ui.add_space(2.0);
                ui.add(egui::Label::new(*text).wrap());
                ui.add_space(6.0);
                self.buttons(ui, context, place);
            });
        });
    }

    fn buttons(&mut self, ui: &mut egui::Ui, context: &PanelContext<'_>, place: usize) {
        let last = place + 1 == STEPS.len();
        ui.horizontal(|ui| {
            let weak = context.theme.weak;
            ui.label(RichText::new(format!("{} of {}", place + 1, STEPS.len())).color(weak));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let next = egui::Button::new(if last { "Done" } else { "Next" });
                if ui.add(next.fill(context.theme.selected)).clicked() {
                    *self = Self {
                        place: Some(place + 1),
                        fronted: false,
                    };
                }
                if place > 0 && ui.button("Back").clicked() {
                    *self = Self {
                        place: Some(place - 1),
                        fronted: false,
                    };
                }
                if !last && ui.add(egui::Button::new("Skip").frame(false)).clicked() {
                    self.place = Some(STEPS.len());
                }
            });
        });
    }
}

/// Where the text stands so that it hides little of what it speaks of: the place and which corner of the text is there.
fn beside(target: Rect, screen: Rect) -> (egui::Pos2, egui::Align2) {
    use egui::Align2;
    let gap = 10.0;
    let (above, below) = (
        target.top() - screen.top(),
        screen.bottom() - target.bottom(),
    );
    let (left, right) = (
        target.left() - screen.left(),
        screen.right() - target.right(),
    );
    if target.width() > 0.4 * screen.width() && target.height() > 0.4 * screen.height() {
        return (target.left_top() + egui::vec2(gap, gap), Align2::LEFT_TOP);
    }
    if right.max(left) > 350.0 && target.height() > 0.4 * screen.height() {
        return match right > left {
            true => (target.right_top() + egui::vec2(gap, gap), Align2::LEFT_TOP),
            false => (target.left_top() + egui::vec2(-gap, gap), Align2::RIGHT_TOP),
        };
    }
    match below > above {
        true => (
            target.left_bottom() + egui::vec2(gap, gap),
            Align2::LEFT_TOP,
        ),
        false => (
            target.left_top() + egui::vec2(gap, -gap),
            Align2::LEFT_BOTTOM,
        ),
    }
}
