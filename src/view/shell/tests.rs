//! The shell, drawn without a renderer, with keys and clicks as a user makes them.

use super::*;
use crate::prelude::{LifExp, RegionSpec, Scene};
use crate::session::command::LoggedCommand;
use crate::session::frame::Subscription;
use crate::session::frame::{RegionInfo, Structure};
use crate::session::runner::Runner;
use crate::simulation::Registry;
use crate::view::live::{Live, Selected};
use crate::view::panels;
use crate::view::scene3d::HiddenRegions;
use crate::view::scene3d::camera::Pose;
use crate::view::theme::Theme;
use egui::{Event, Key, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2};
use std::sync::Arc;

/// The size of the window.
const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

/// A user before the shell.
struct Kit {
    ctx: egui::Context,
    shell: Shell,
    live: Live,
    selected: Selected,
    preferences: Preferences,
    theme: Theme,
    registry: Registry,
    hidden: HiddenRegions,
    area: Scene3dArea,
    time: f64,
    /// What the last frame drew, as text and where.
    texts: Vec<(String, Rect)>,
    copied: Vec<String>,
}

impl Kit {
    fn new() -> Self {
        let preferences = Preferences {
            tour_seen: true,
            ..Preferences::default()
        };
        Self::with(preferences)
    }

    fn with(preferences: Preferences) -> Self {
        let mut live = Live::new(Runner::start());
        live.sent = Some(Default::default());
        live.structure = Some(Arc::new(structure()));
        live.progress.dt_ms = 0.1;
        live.progress.step = 1000;
        live.progress.reached = 2000;
        live.progress.kept = vec![0, 500, 1500];
        live.progress.pacing = Pacing::Paused;
        let ctx = egui::Context::default();
        let theme = Theme::of(&preferences);
        theme.apply(&ctx, preferences.font_size);
        let mut kit = Self {
            ctx,
            shell: Shell::new(panels::all(), &preferences),
            live,
            selected: Selected::default(),
            preferences,
            theme,
            registry: Registry::new(),
            hidden: HiddenRegions::default(),
            area: Scene3dArea::default(),
            time: 0.0,
            texts: Vec::new(),
            copied: Vec::new(),
        };
        // egui needs some frames until sizes have settled.
        for _ in 0..3 {
            kit.frame(Vec::new());
        }
        kit.take_sent();
        kit
    }

    /// Draws a frame; the commands that the shell leaves to others.
    fn frame(&mut self, events: Vec<Event>) -> Vec<Action> {
        self.time += 0.05;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE)),
            time: Some(self.time),
            events,
            focused: true,
            ..RawInput::default()
        };
        let mut left = Vec::new();
        let mut wants = Subscription::default();
        let ctx = self.ctx.clone();
        let mut output = ctx.run_ui(input, |ui| {
            let mut context = PanelContext {
                live: &mut self.live,
                selected: &mut self.selected,
                preferences: &mut self.preferences,
                theme: &self.theme,
                registry: &self.registry,
                hidden: &mut self.hidden,
                pose: Pose::default(),
                camera: &mut None,
                asks: &mut Vec::new(),
                wants: &mut wants,
            };
            left.extend(self.shell.show(ui, &mut context, &mut self.area));
        });
        // Nothing is rendered, so textures are not needed.
        output.textures_delta.clear();
        self.texts.clear();
        for clipped in &output.shapes {
            self.texts.extend(texts_of(&clipped.shape));
        }
        for command in &output.platform_output.commands {
            if let egui::OutputCommand::CopyText(text) = command {
                self.copied.push(text.clone());
            }
        }
        left
    }

    fn press(&mut self, key: Key, modifiers: Modifiers) -> Vec<Action> {
        let event = |pressed| Event::Key {
            key,
            physical_key: None,
            pressed,
            repeat: false,
            modifiers,
        };
        let left = self.frame(vec![event(true)]);
        self.frame(vec![event(false)]);
        // What has just opened is measured in one frame and drawn in the next.
        self.frame(Vec::new());
        left
    }

    fn click(&mut self, pos: Pos2) {
        let button = |pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        self.frame(vec![Event::PointerMoved(pos)]);
        self.frame(vec![button(true)]);
        self.frame(vec![button(false)]);
        self.frame(Vec::new());
    }

    /// Clicks the first text that is exactly this.
    fn click_text(&mut self, text: &str) {
        let place = self.place(text);
        self.click(place);
    }

    fn place(&self, text: &str) -> Pos2 {
        let found = self.texts.iter().find(|(known, _)| known == text);
        found
            .unwrap_or_else(|| panic!("\"{text}\" is not drawn"))
            .1
            .center()
    }

    fn shows(&self, part: &str) -> bool {
        self.texts.iter().any(|(text, _)| text.contains(part))
    }

    fn take_sent(&mut self) -> Vec<String> {
        let sent = self.live.sent.as_mut().expect("requests are recorded");
        let sent = std::mem::take(sent.get_mut().expect("whole"));
        sent.iter().map(|request| format!("{request:?}")).collect()
    }
}

fn texts_of(shape: &egui::Shape) -> Vec<(String, Rect)> {
    match shape {
        egui::Shape::Text(text) => {
            vec![(text.galley.text().to_owned(), text.visual_bounding_rect())]
        }
        egui::Shape::Vec(shapes) => shapes.iter().flat_map(texts_of).collect(),
        _ => Vec::new(),
    }
}

/// A network of two regions.
fn structure() -> Structure {
    let region = |name: &str, first, neurons| RegionInfo {
        name: name.into(),
        first,
        neurons,
        model: "LifExp".into(),
        columns: vec![("v", "mV")],
        receptors: Vec::new(),
        positions: vec![[0.0; 3]; neurons as usize],
        lesioned: Vec::new(),
    };
    let mut scene = Scene {
        title: "Two regions".into(),
        ..Scene::default()
    };
    scene
        .regions
        .push(RegionSpec::new("a", 800, LifExp::default()));
    scene
        .regions
        .push(RegionSpec::new("b", 200, LifExp::default()));
    Structure {
        version: 1,
        source: "two.ron".into(),
        settings: Vec::new(),
        scene: Arc::new(scene),
        regions: vec![region("a", 0, 800), region("b", 800, 200)],
        projections: Vec::new(),
        neurons: 1000,
        synapses: 0,
        bytes: 0,
        stimuli: Vec::new(),
    }
}

#[test]
fn space_plays_and_pauses() {
    let mut kit = Kit::new();
    kit.press(Key::Space, Modifiers::NONE);
    assert_eq!(kit.take_sent(), ["Pace(RealTime(0.2))"]);
    kit.live.progress.pacing = Pacing::RealTime(0.2);
    kit.press(Key::Space, Modifiers::NONE);
    assert_eq!(kit.take_sent(), ["Pace(Paused)"]);
}

#[test]
fn space_is_a_letter_while_text_is_typed() {
    let mut kit = Kit::new();
    kit.click_text("Find a scene");
    assert!(kit.ctx.text_edit_focused());
    kit.press(Key::Space, Modifiers::NONE);
    kit.press(Key::N, Modifiers::NONE);
    assert!(kit.take_sent().is_empty());
    kit.press(Key::P, Modifiers::COMMAND);
    assert!(kit.shows("Find a command"));
}

#[test]
fn keys_of_the_transport_send_its_requests() {
    let mut kit = Kit::new();
    kit.selected.region = Some("b".into());
    for key in [Key::Period, Key::N, Key::Home] {
        kit.press(key, Modifiers::NONE);
    }
    assert_eq!(
        kit.take_sent(),
        ["Steps(1)", "NextSpike([\"b\"])", "Seek(0)"]
    );
    kit.press(Key::CloseBracket, Modifiers::NONE);
    assert_eq!(kit.preferences.speed, 0.4);
    assert!(kit.take_sent().is_empty(), "a paused network stays paused");
}

#[test]
fn redo_is_not_taken_for_undo() {
    let mut kit = Kit::new();
    kit.live.undo = Some("lesion all of region \"a\"".into());
    kit.live.redo = Some("remove region \"b\"".into());
    kit.press(Key::Z, Modifiers::COMMAND | Modifiers::SHIFT);
    assert_eq!(kit.take_sent(), ["Edit(Redo)"]);
    kit.press(Key::Z, Modifiers::COMMAND);
    assert_eq!(kit.take_sent(), ["Edit(Undo)"]);
}

#[test]
fn the_time_slider_seeks_where_it_is_clicked() {
    let mut kit = Kit::new();
    let rect = kit.shell.transport.slider.expect("drawn");
    kit.click(rect.center());
    assert_eq!(kit.take_sent(), ["Seek(1000)"]);
    let end = egui::pos2(rect.right() - 1.0, rect.center().y);
    kit.click(end);
    assert_eq!(kit.take_sent(), ["Seek(2000)"]);
}

#[test]
fn dragging_the_time_slider_seeks_at_most_five_times_a_second() {
    let mut kit = Kit::new();
    let rect = kit.shell.transport.slider.expect("drawn");
    let at = |part: f32| egui::pos2(rect.left() + part * rect.width(), rect.center().y);
    let button = |pressed, pos| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    kit.frame(vec![Event::PointerMoved(at(0.9))]);
    kit.frame(vec![button(true, at(0.9))]);
    let begun = kit.time;
    for i in 0..40 {
        kit.frame(vec![Event::PointerMoved(at(0.9 - 0.02 * i as f32))]);
    }
    let last = at(0.9 - 0.02 * 39.0);
    kit.frame(vec![button(false, last)]);
    let seeks = kit.take_sent();
    let most = ((kit.time - begun) * 5.0).ceil() as usize + 2;
    assert!((3..=most).contains(&seeks.len()), "{seeks:?}");
    assert!(
        seeks.last().is_some_and(|seek| seek != &seeks[0]),
        "{seeks:?}"
    );
}

#[test]
fn the_palette_finds_and_runs_a_command() {
    let mut kit = Kit::new();
    kit.press(Key::P, Modifiers::COMMAND);
    kit.frame(vec![Event::Text("one st".into())]);
    kit.press(Key::Enter, Modifiers::NONE);
    assert_eq!(kit.take_sent(), ["Steps(1)"]);
    kit.frame(Vec::new());
    assert!(!kit.shows("Find a command"));
}

#[test]
fn commands_of_others_are_handed_on() {
    let mut kit = Kit::new();
    assert_eq!(kit.press(Key::F, Modifiers::SHIFT), [Action::FocusAll]);
    assert!(
        kit.press(Key::F, Modifiers::NONE).is_empty(),
        "nothing is selected"
    );
    kit.press(Key::A, Modifiers::COMMAND);
    assert_eq!(kit.selected.neurons.len(), 1000);
    assert_eq!(kit.press(Key::F, Modifiers::NONE), [Action::FocusSelection]);
    kit.press(Key::Escape, Modifiers::NONE);
    assert!(kit.selected.neurons.is_empty());
    assert_eq!(kit.press(Key::Q, Modifiers::COMMAND), [Action::Quit]);
}

#[test]
fn a_scene_of_the_library_is_opened_by_a_click() {
    let mut kit = Kit::new();
    for _ in 0..500 {
        kit.frame(Vec::new());
        if kit.shows("The 20 firing patterns") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kit.click_text("The 20 firing patterns of the simple model");
    for _ in 0..5 {
        kit.frame(Vec::new());
    }
    assert!(kit.shows("Each neuron shows its pattern"), "its outcome");
    assert!(kit.shows("Izhikevich 2004"), "its source");
    let buttons: Vec<Pos2> = (kit.texts.iter())
        .filter(|(text, _)| text == "Open")
        .map(|(_, rect)| rect.center())
        .collect();
    kit.click(*buttons.last().expect("a button"));
    let sent = kit.take_sent();
    assert!(sent[0].starts_with("Open { source: SceneSource { name: \"firing_patterns\""));
}

#[test]
fn a_panel_is_closed_and_opened_again_and_the_layout_is_kept() {
    let mut kit = Kit::new();
    assert!(kit.shell.dock.is_open(PanelKind::Performance));
    kit.shell.dock.close(PanelKind::Performance);
    kit.frame(Vec::new());
    assert!(!kit.preferences.layout.is_empty());
    let mut again = Kit::with(kit.preferences.clone());
    assert!(!again.shell.dock.is_open(PanelKind::Performance));
    again.press(Key::Num0, Modifiers::COMMAND);
    assert!(again.shell.dock.is_open(PanelKind::Performance));
    again.shell.dock.close(PanelKind::Performance);
    again.shell.dock.reset();
    again.frame(Vec::new());
    assert!(again.shell.dock.is_open(PanelKind::Performance));
}

#[test]
fn the_scene_has_most_of_the_window() {
    let kit = Kit::new();
    let rect = kit.area.rect.expect("drawn");
    assert!(
        rect.width() > 0.5 * SIZE.x && rect.height() > 0.5 * SIZE.y,
        "{rect:?}"
    );
    assert!(!kit.area.hovered);
}

#[test]
fn the_command_line_says_what_gives_the_same_spikes() {
    let mut kit = Kit::new();
    let logged = LoggedCommand {
        step: 3,
        command: SimCommand::Undo,
        continues: false,
    };
    kit.live.log = Arc::new(vec![logged]);
    kit.press(Key::C, Modifiers::COMMAND | Modifiers::SHIFT);
    let line = "neuropil run two.ron --for 100ms --seed 1 --commands two-commands.ron";
    assert_eq!(kit.copied, [line]);
    assert_eq!(kit.take_sent(), ["SaveLog(\"two-commands.ron\")"]);
}

#[test]
fn the_tour_is_shown_first_and_can_be_skipped() {
    let mut kit = Kit::with(Preferences::default());
    assert!(kit.shows("Click a neuron"));
    kit.click_text("Next");
    assert!(kit.shows("Watch its membrane"));
    kit.press(Key::Escape, Modifiers::NONE);
    kit.frame(Vec::new());
    assert!(!kit.shows("Watch its membrane"));
    assert!(kit.preferences.tour_seen);
}

#[test]
fn an_error_stays_until_it_is_dismissed() {
    let mut kit = Kit::new();
    kit.live.tell(true, "two.ron:3:7: a comma is missing");
    kit.frame(Vec::new());
    kit.frame(Vec::new());
    assert!(kit.shows("two.ron:3:7"));
    let crosses: Vec<Pos2> = (kit.texts.iter())
        .filter(|(text, _)| text == "×")
        .map(|(_, rect)| rect.center())
        .collect();
    kit.click(*crosses.last().expect("a cross"));
    assert!(!kit.shows("two.ron:3:7"));
}

#[test]
fn every_dialog_and_menu_can_be_drawn_at_every_size_of_text() {
    for (font_size, dark) in [(9.0, true), (13.0, false), (24.0, true)] {
        let mut kit = Kit::with(Preferences {
            tour_seen: true,
            font_size,
            dark,
            ..default()
        });
        kit.press(Key::F1, Modifiers::NONE);
        assert!(kit.shows("Play or pause"));
        kit.press(Key::Escape, Modifiers::NONE);
        kit.press(Key::Comma, Modifiers::COMMAND);
        assert!(kit.shows("Memory to go back"));
        kit.press(Key::Escape, Modifiers::NONE);
        kit.click_text("Run");
        assert!(kit.shows("To the next spike"));
    }
}
