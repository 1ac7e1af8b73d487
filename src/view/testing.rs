//! What tests of panels need: networks that were never simulated, and a window without a screen.

use super::action::Action;
use super::live::{Live, Selected};
use super::panels::{Panel, PanelContext};
use super::preferences::Preferences;
use super::scene3d::HiddenRegions;
use super::scene3d::camera::{CameraRequest, Pose};
use super::theme::Theme;
use crate::prelude::*;
use crate::session::command::SimCommand;
use crate::session::frame::{
    ProjectionInfo, RegionInfo, SpikeAt, Structure, Subscription, WeightMatrix,
};
use crate::session::runner::{Request, Runner};
use bevy_egui::egui::{self, Event, Modifiers, PointerButton, Pos2, Rect, Vec2};
use std::sync::{Arc, Mutex};

/// A network of these regions, with a projection between the first two and a stimulus, whose requests are recorded.
pub fn network(regions: &[(&str, u32)]) -> Live {
    let mut live = empty();
    let mut scene = Scene {
        title: "A made-up network".into(),
        ..Scene::default()
    };
    let mut first = 0;
    let mut infos = Vec::new();
    for (i, (name, neurons)) in regions.iter().enumerate() {
        scene
            .regions
            .push(RegionSpec::new(*name, *neurons, LifExp::default()));
        infos.push(RegionInfo {
            name: (*name).into(),
            first,
            neurons: *neurons,
            model: "LifExp".into(),
            columns: vec![("v", "mV"), ("i_ex", "pA"), ("i_in", "pA")],
            receptors: vec![("excitatory", "pA"), ("inhibitory", "pA")],
            positions: vec![[0.0; 3]; *neurons as usize],
            lesioned: if i == 0 { vec![0] } else { Vec::new() },
        });
        first += neurons;
    }
    let mut projections = Vec::new();
    if let [(from, sources), (to, targets), ..] = regions {
        let mut spec = ProjectionSpec::new(*from, *to, Rule::PairwiseBernoulli(0.1), 20.0, 1.5);
        spec.name = Some(format!("{from} → {to}"));
        projections.push(ProjectionInfo {
            name: format!("{from} → {to}"),
            from: 0,
            to: 1,
            synapses: u64::from(sources * targets) / 10,
            bytes: u64::from(sources * targets) / 2,
            muted: false,
            mean_weight: 20.0,
            mean_delay_ms: 1.5,
            receptor: "excitatory",
        });
        scene.projections.push(spec);
    }
    if let Some((name, _)) = regions.first() {
        let mut spec = StimulusSpec::new(
            *name,
            StimulusKind::Poisson {
                rate_hz: 8000.0.into(),
                weight: 20.0.into(),
                delay_ms: 0.1,
                receptor: None,
            },
        );
        spec.name = Some("background".into());
        scene.stimuli.push(spec);
    }
    live.progress.dt_ms = scene.dt_ms;
    live.last_spike = vec![0; first as usize];
    live.structure = Some(Arc::new(Structure {
        version: 1,
        source: "made up".into(),
        settings: Vec::new(),
        stimuli: scene
            .stimuli
            .iter()
            .filter_map(|s| s.name.clone())
            .collect(),
        synapses: projections.iter().map(|p| p.synapses).sum(),
        scene: Arc::new(scene),
        regions: infos,
        projections,
        neurons: first,
        bytes: 1_000_000,
    }));
    live
}

/// A view before a scene is open.
pub fn empty() -> Live {
    let mut live = Live::new(Runner::start());
    live.sent = Some(Mutex::default());
    live
}

/// Lets neurons (numbers in the whole network) spike in these steps, of `steps` done.
pub fn spiking(live: &mut Live, spikes: &[(u64, u32)], steps: u64) {
    live.spikes.extend(
        spikes
            .iter()
            .map(|&(step, neuron)| SpikeAt { step, neuron }),
    );
    live.progress.step = steps;
    live.progress.spikes = live.spikes.len() as u64;
    live.frames += 1;
}

/// Spikes without a pattern, and a rhythm of 20 Hz in them: about `per_step` in each of `steps`.
pub fn busy(live: &mut Live, per_step: f64, steps: u64) {
    let neurons = live.structure.as_ref().map_or(0, |s| s.neurons);
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut spikes = Vec::new();
    for step in 0..steps {
        let phase = step as f64 * live.progress.dt_ms * 0.02 * core::f64::consts::TAU;
        let wanted = per_step * (1.0 + 0.8 * phase.sin()) + draw();
        for _ in 0..wanted as u64 {
            spikes.push((step, (draw() * f64::from(neurons)) as u32));
        }
    }
    spiking(live, &spikes, steps);
}

/// Weights of the first projection, of both signs or one.
pub fn weights(live: &mut Live, signed: bool) {
    let Some(structure) = &live.structure else {
        return;
    };
    let (rows, columns) = (40, 30);
    let cells: Vec<f32> = (0..rows * columns)
        .map(|i| match i % 7 {
            0 => f32::NAN,
            n if signed => (n as f32 - 3.5) * 10.0,
            n => n as f32 * 10.0,
        })
        .collect();
    let projection = &structure.projections[0];
    live.weights = Some(Arc::new(WeightMatrix {
        of: projection.name.clone(),
        step: 0,
        changes: false,
        rows,
        columns,
        cells,
        neurons: (
            structure.regions[projection.from].neurons,
            structure.regions[projection.to].neurons,
        ),
        histogram: (
            if signed { -25.0 } else { 10.0 },
            60.0,
            (0..60).map(|i| (i * (60 - i)) as u64).collect(),
        ),
        out_degrees: (0..structure.regions[0].neurons)
            .map(|i| 20 + i % 13)
            .collect(),
        in_degrees: (0..structure.regions[1].neurons)
            .map(|i| 30 + i % 7)
            .collect(),
    }));
}

/// A window without a screen, with all that panels are given.
pub struct Stage {
    /// egui.
    pub egui: egui::Context,
    /// What is chosen.
    pub selected: Selected,
    /// What the panel of the last frame wanted.
    pub wants: Subscription,
    /// The types.
    pub registry: Registry,
    /// What the user likes.
    pub preferences: Preferences,
    /// The regions that are not shown.
    pub hidden: HiddenRegions,
    /// Where the camera is.
    pub pose: Pose,
    /// Where it was sent last.
    pub camera: Option<CameraRequest>,
    /// Commands that panels gave.
    pub asks: Vec<Action>,
    theme: Theme,
    time: f64,
}

impl Stage {
    /// An empty window.
    pub fn new() -> Self {
        Self {
            egui: egui::Context::default(),
            selected: Selected::default(),
            wants: Subscription::default(),
            registry: Registry::new(),
            preferences: Preferences::default(),
            hidden: HiddenRegions::default(),
            pose: Pose::default(),
            camera: None,
            asks: Vec::new(),
            theme: Theme::default(),
            time: 0.0,
        }
    }

    /// Draws one frame of a panel, 50 ms after the one before; answers how many shapes it painted.
    pub fn draw(
        &mut self,
        panel: &mut dyn Panel,
        live: &mut Live,
        size: Vec2,
        events: Vec<Event>,
    ) -> usize {
        self.frame(panel, live, size, events).len()
    }

    /// Draws one frame; answers what was painted.
    fn frame(
        &mut self,
        panel: &mut dyn Panel,
        live: &mut Live,
        size: Vec2,
        events: Vec<Event>,
    ) -> Vec<egui::epaint::ClippedShape> {
        self.wants = Subscription::default();
        self.time += 0.05;
        let input = egui::RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, size)),
            time: Some(self.time),
            focused: true,
            events,
            ..Default::default()
        };
        let mut camera = None;
        let mut output = self.egui.clone().run_ui(input, |ui| {
            let mut context = PanelContext {
                live,
                selected: &mut self.selected,
                preferences: &mut self.preferences,
                theme: &self.theme,
                registry: &self.registry,
                hidden: &mut self.hidden,
                pose: self.pose,
                camera: &mut camera,
                asks: &mut self.asks,
                wants: &mut self.wants,
            };
            panel.keys(ui.ctx(), &mut context);
            panel.show(ui, &mut context);
        });
        self.camera = camera.or(self.camera.take());
        // Nothing is rendered, so textures are not needed.
        output.textures_delta.clear();
        core::mem::take(&mut output.shapes)
    }

    /// A few frames, in which late sizes settle.
    pub fn settle(&mut self, panel: &mut dyn Panel, live: &mut Live, size: Vec2) {
        for _ in 0..3 {
            self.draw(panel, live, size, Vec::new());
        }
    }

    /// Clicks at a place.
    pub fn click(&mut self, panel: &mut dyn Panel, live: &mut Live, size: Vec2, at: Pos2) {
        self.draw(panel, live, size, vec![Event::PointerMoved(at)]);
        self.draw(panel, live, size, vec![button(at, true)]);
        self.draw(panel, live, size, vec![button(at, false)]);
        self.draw(panel, live, size, Vec::new());
    }

    /// Where a text stands that the panel paints; the first, from above.
    pub fn find(
        &mut self,
        panel: &mut dyn Panel,
        live: &mut Live,
        size: Vec2,
        text: &str,
    ) -> Option<Pos2> {
        let mut places = self.places(panel, live, size, text);
        places.sort_by(|a, b| a.y.total_cmp(&b.y));
        places.first().copied()
    }

    /// Where a text stands, in the order of painting.
    fn places(
        &mut self,
        panel: &mut dyn Panel,
        live: &mut Live,
        size: Vec2,
        text: &str,
    ) -> Vec<Pos2> {
        let painted = self.frame(panel, live, size, Vec::new());
        (painted.iter())
            .filter_map(|clipped| match &clipped.shape {
                egui::Shape::Text(shape) if shape.galley.text() == text => {
                    Some(shape.pos + shape.galley.size() / 2.0)
                }
                _ => None,
            })
            .collect()
    }

    /// Clicks on a text.
    pub fn click_text(&mut self, panel: &mut dyn Panel, live: &mut Live, size: Vec2, text: &str) {
        let at = self.find(panel, live, size, text);
        let at = at.unwrap_or_else(|| panic!("no text \"{text}\" is shown"));
        self.click(panel, live, size, at);
    }
}

impl Stage {
    /// Clicks on a text that is painted last: that of an open menu, where the panel has it too.
    pub fn click_last(&mut self, panel: &mut dyn Panel, live: &mut Live, size: Vec2, text: &str) {
        let at = self.places(panel, live, size, text).last().copied();
        let at = at.unwrap_or_else(|| panic!("no text \"{text}\" is shown"));
        self.click(panel, live, size, at);
    }
}

/// The primary button at a place.
pub fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    }
}

/// A key that is pressed.
pub fn key(key: egui::Key) -> Event {
    Event::Key {
        key,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::NONE,
    }
}

/// The edits that were sent, as text; they are forgotten.
pub fn edits(live: &mut Live) -> Vec<SimCommand> {
    let sent = live
        .sent
        .as_mut()
        .expect("a view whose requests are recorded");
    let sent = core::mem::take(sent.get_mut().expect("no panic"));
    sent.into_iter()
        .filter_map(|request| match request {
            Request::Edit(command) | Request::GoOn(command) => Some(command),
            _ => None,
        })
        .collect()
}

/// Draws a panel at several sizes, in all the states that a network can be in.
pub fn survives(panel: fn() -> Box<dyn Panel>) {
    let sizes = [
        (0.0, 0.0),
        (3.0, 3.0),
        (90.0, 40.0),
        (300.0, 200.0),
        (1400.0, 900.0),
    ];
    let mut stage = Stage::new();
    let lesioned = |mut live: Live| {
        if let Some(structure) = live.structure.take() {
            let mut structure = (*structure).clone();
            for region in &mut structure.regions {
                region.lesioned = (0..region.neurons).collect();
            }
            live.structure = Some(Arc::new(structure));
        }
        live
    };
    let mut states: Vec<Live> = vec![
        empty(),
        network(&[]),
        network(&[("a", 1)]),
        network(&[("a", 80), ("b", 20), ("a longer name of a region", 300)]),
        lesioned(network(&[("a", 80), ("b", 20)])),
    ];
    for live in &mut states[2..] {
        busy(live, 1.0, 5000);
    }
    weights(&mut states[3], true);
    states.push(network(&[("a", 80), ("b", 20)]));
    for mut live in states {
        assert!(!panel().title().is_empty() && panel().help().len() > 20);
        let mut panel = panel();
        for (width, height) in sizes {
            for selected in [&[][..], &[0], &[0, 1, 2, 90, 10_000]] {
                stage.selected.neurons = selected.iter().copied().collect();
                stage.settle(panel.as_mut(), &mut live, Vec2::new(width, height));
            }
        }
    }
}
