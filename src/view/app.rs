//! The app: a window onto a running network, or a picture of it.

use super::live::{Live, Selected, receive_frames};
use super::panels::{PanelContext, Scene3dArea};
use super::preferences::{ColourBy, Preferences};
use super::scene3d::camera::CameraRequest;
use super::scene3d::{self, overlay::overlay, spawn_cameras};
use super::shell::Shell;
use super::theme::Theme;
use crate::session::frame::Subscription;
use crate::simulation::Registry;
use crate::view::action::Action;
use bevy::prelude::*;
use bevy::window::{PresentMode, WindowResolution};
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, egui};

/// The types and columns that scenes can name, for panels.
#[derive(Resource)]
pub struct Types(pub Registry);

/// Whether panels are drawn around the 3D view.
#[derive(Resource, Clone, Copy, PartialEq, Eq)]
pub enum Panels {
    /// The whole app.
    Shown,
    /// The 3D view alone.
    Hidden,
}

/// What the app is made of, apart from a window or a picture to draw into.
pub fn plugin(app: &mut App) {
    app.add_plugins((EguiPlugin::default(), scene3d::plugin))
        .init_resource::<Selected>()
        .init_resource::<Scene3dArea>()
        .add_systems(PreUpdate, receive_frames)
        .add_systems(EguiPrimaryContextPass, (panels, overlay).chain())
        .add_systems(Update, background);
}

/// Puts in what the app shows and how.
pub fn insert(app: &mut App, live: Live, preferences: Preferences, panels: Panels) {
    let theme = Theme::of(&preferences);
    app.insert_resource(Shell::new(super::panels::all(), &preferences))
        .insert_resource(ClearColor(clear_colour(&theme)))
        .insert_resource(theme)
        .insert_resource(Types(live.registry()))
        .insert_resource(live)
        .insert_resource(preferences)
        .insert_resource(panels);
}

fn clear_colour(theme: &Theme) -> Color {
    let [r, g, b, _] = theme.background.to_array();
    Color::srgb_u8(r, g, b)
}

fn background(theme: Res<Theme>, mut clear: ResMut<ClearColor>) {
    if theme.is_changed() {
        clear.0 = clear_colour(&theme);
    }
}

/// Draws the panels and does what the user asks for in them.
fn panels(
    mut contexts: EguiContexts,
    mut shell: ResMut<Shell>,
    mut live: ResMut<Live>,
    mut selected: ResMut<Selected>,
    mut preferences: ResMut<Preferences>,
    mut theme: ResMut<Theme>,
    types: Res<Types>,
    mut area: ResMut<Scene3dArea>,
    mut requests: MessageWriter<CameraRequest>,
    shown: Res<Panels>,
    mut exit: MessageWriter<AppExit>,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    let mut wants = Subscription {
        spikes: true,
        ..default()
    };
    let mut actions = Vec::new();
    if *shown == Panels::Shown {
        let mut edited = preferences.clone();
        let mut root = egui::Ui::new(
            ctx.clone(),
            "root".into(),
            egui::UiBuilder::new()
                .layer_id(egui::LayerId::background())
                .max_rect(ctx.viewport_rect()),
        );
        let mut context = PanelContext {
            live: &mut live,
            selected: &mut selected,
            preferences: &mut edited,
            theme: &theme,
            registry: &types.0,
            wants: &mut wants,
        };
        actions = shell.show(&mut root, &mut context, &mut area);
        if edited != *preferences {
            *preferences = edited;
        }
    } else {
        let rect = ctx.viewport_rect();
        *area = Scene3dArea {
            rect: Some(rect),
            hovered: true,
        };
    }
    let now = Theme::of(&preferences);
    if *theme != now {
        *theme = now;
    }
    theme.apply(&ctx, preferences.font_size);
    if let ColourBy::Column(name) = &preferences.scene3d.colour_by {
        wants.column = Some(name.clone());
    }
    if let Some(structure) = live.structure.clone() {
        let named = |number: u32| {
            let id = structure.neuron(number)?;
            Some((structure.regions[id.region].name.clone(), id.neuron))
        };
        wants.state_of = selected.hovered.or(selected.first()).and_then(named);
        wants.synapses_of = selected
            .first()
            .filter(|_| preferences.scene3d.synapses)
            .and_then(named);
        for action in actions {
            match action {
                Action::FocusAll => {
                    requests.write(CameraRequest::ShowAll);
                }
                Action::FocusSelection => {
                    requests.write(CameraRequest::ShowSelection);
                }
                Action::Quit => {
                    exit.write(AppExit::Success);
                }
                _ => {}
            }
        }
    } else if actions.contains(&Action::Quit) {
        exit.write(AppExit::Success);
    }
    live.subscribe(wants);
    Ok(())
}

/// Opens the window and runs until it is closed.
pub fn run_window(live: Live, preferences: Preferences) -> AppExit {
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin {
                primary_window: Some(Window {
                    title: "Neuropil".into(),
                    resolution: WindowResolution::new(1400, 860),
                    present_mode: PresentMode::AutoVsync,
                    ..default()
                }),
                ..default()
            })
            .set(bevy::log::LogPlugin {
                level: bevy::log::Level::ERROR,
                filter: String::new(),
                ..default()
            }),
    );
    plugin(&mut app);
    insert(&mut app, live, preferences, Panels::Shown);
    app.add_systems(
        Startup,
        |mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>| {
            spawn_cameras(&mut commands, &mut settings, None);
        },
    );
    app.add_systems(Last, save_preferences);
    app.run()
}

/// Keeps what the user likes, when it has changed and at most once a second.
fn save_preferences(
    preferences: Res<Preferences>,
    time: Res<Time<Real>>,
    mut saved: Local<Option<Preferences>>,
    mut at: Local<f64>,
    mut live: ResMut<Live>,
) {
    let known = saved.get_or_insert_with(|| preferences.clone());
    if *known != *preferences && time.elapsed_secs_f64() > *at + 1.0 {
        *at = time.elapsed_secs_f64();
        *known = preferences.clone();
        if let Err(text) = preferences.save() {
            live.notices
                .push(crate::session::frame::Notice { error: true, text });
        }
    }
}
