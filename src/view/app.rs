//! The app: a window onto a running network, or a picture of it.

use super::action::Action;
use super::adapter::Adapter;
use super::background::Background;
use super::live::{Live, Selected, receive_frames};
use super::offscreen::Picture;
use super::panels::{self, PanelContext, Scene3dArea};
use super::preferences::{ColourBy, Keeper, Preferences};
use super::scene3d::camera::{CameraRequest, Orbit};
use super::scene3d::{self, Effort, HiddenRegions, overlay::overlay, spawn_cameras};
use super::shell::{PictureOf, Shell};
use super::theme::Theme;
use crate::session::frame::{Notice, Subscription};
use crate::simulation::Registry;
use bevy::prelude::*;
use bevy::render::view::window::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::{PresentMode, WindowResolution};
use bevy_egui::{EguiContexts, EguiGlobalSettings, EguiPlugin, EguiPrimaryContextPass, egui};
use std::time::Instant;

/// The types and columns that scenes can name, for panels.
#[derive(Resource)]
pub struct Types(pub Registry);

/// A command that is not the shell's own, for the 3D view or the app.
#[derive(Message, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(pub Action);

/// Whether panels are drawn around the 3D view.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panels {
    /// The whole app.
    Shown,
    /// The 3D view alone.
    Hidden,
}

/// What the app is made of, apart from a window or a picture to draw into. [`insert`] puts in what it needs.
pub fn plugin(app: &mut App) {
    app.add_plugins((
        EguiPlugin::default(),
        super::quick_keys::plugin,
        scene3d::plugin,
    ))
    .insert_resource(super::loss::handler())
    .init_resource::<Selected>()
    .init_resource::<Scene3dArea>()
    .add_message::<Asked>()
    .add_systems(PreUpdate, receive_frames)
    .add_systems(EguiPrimaryContextPass, (draw, overlay).chain())
    .add_systems(Update, do_asked)
    .add_systems(Last, super::loss::note_drawn);
}

/// Puts in what the app shows and how.
pub fn insert(app: &mut App, live: Live, preferences: Preferences, panels: Panels) {
    let theme = Theme::of(&preferences);
    app.insert_resource(Shell::new(panels::all(), &preferences))
        .insert_resource(ClearColor(clear_colour(&theme)))
        .insert_resource(theme)
        .insert_resource(Types(Registry::new()))
        .insert_resource(live)
        .insert_resource(preferences)
        .insert_resource(panels);
}

fn clear_colour(theme: &Theme) -> Color {
    let [r, g, b, _] = theme.background.to_array();
    Color::srgb_u8(r, g, b)
}

/// Draws the shell, and subscribes to what its panels and the 3D view want to see.
fn draw(
    mut contexts: EguiContexts,
    mut shell: ResMut<Shell>,
    mut live: ResMut<Live>,
    mut selected: ResMut<Selected>,
    mut preferences: ResMut<Preferences>,
    mut theme: ResMut<Theme>,
    mut clear: ResMut<ClearColor>,
    types: Res<Types>,
    panels: Res<Panels>,
    mut area: ResMut<Scene3dArea>,
    mut asked: MessageWriter<Asked>,
    (mut hidden, orbit, mut camera): (
        ResMut<HiddenRegions>,
        Res<Orbit>,
        MessageWriter<CameraRequest>,
    ),
    mut applied: Local<Option<(Theme, f32)>>,
) -> Result {
    let ctx = contexts.ctx_mut()?.clone();
    let now = (Theme::of(&preferences), preferences.font_size);
    if applied.as_ref() != Some(&now) {
        now.0.apply(&ctx, now.1);
        clear.0 = clear_colour(&now.0);
        *theme = now.0.clone();
        *applied = Some(now);
    }
    let mut wants = Subscription::default();
    let whole = ctx.viewport_rect();
    match *panels {
        Panels::Hidden => {
            *area = Scene3dArea {
                rect: Some(whole),
                hovered: true,
            };
        }
        Panels::Shown => {
            let builder = egui::UiBuilder::new()
                .layer_id(egui::LayerId::background())
                .max_rect(whole);
            let mut root = egui::Ui::new(ctx, "root".into(), builder);
            // Preferences and the selection are marked as changed only if they are.
            let (mut liked, mut chosen) = (preferences.clone(), selected.clone());
            let (mut left_out, mut sent) = (hidden.clone(), None);
            let mut context = PanelContext {
                live: &mut live,
                selected: &mut chosen,
                preferences: &mut liked,
                theme: &theme,
                registry: &types.0,
                hidden: &mut left_out,
                pose: orbit.target,
                camera: &mut sent,
                asks: &mut Vec::new(),
                wants: &mut wants,
            };
            let actions = shell.show(&mut root, &mut context, &mut area);
            preferences.set_if_neq(liked);
            selected.set_if_neq(chosen);
            hidden.set_if_neq(left_out);
            camera.write_batch(sent);
            asked.write_batch(actions.into_iter().map(Asked));
        }
    }
    want_for_scene3d(&mut wants, &live, &selected, &preferences);
    live.subscribe(wants);
    Ok(())
}

/// Adds what the 3D view needs to what panels want.
fn want_for_scene3d(
    wants: &mut Subscription,
    live: &Live,
    selected: &Selected,
    preferences: &Preferences,
) {
    wants.spikes = true;
    if let ColourBy::Column(name) = &preferences.scene3d.colour_by {
        wants.column.get_or_insert_with(|| name.clone());
    }
    let named = |number: u32| {
        let structure = live.structure.as_ref()?;
        let id = structure.neuron(number)?;
        Some((structure.regions[id.region].name.clone(), id.neuron))
    };
    let first = selected.first();
    if wants.state_of.is_none() {
        wants.state_of = selected.hovered.or(first).and_then(named);
    }
    if wants.synapses_of.is_none() && preferences.scene3d.synapses {
        wants.synapses_of = first.and_then(named);
    }
}

/// Moves the camera, and ends the app.
fn do_asked(
    mut asked: MessageReader<Asked>,
    mut camera: MessageWriter<CameraRequest>,
    mut exit: MessageWriter<AppExit>,
) {
    for Asked(action) in asked.read() {
        match action {
            Action::FocusAll => {
                camera.write(CameraRequest::ShowAll);
            }
            Action::FocusSelection => {
                camera.write(CameraRequest::ShowSelection);
            }
            Action::Quit => {
                exit.write(AppExit::Success);
            }
            _ => {}
        }
    }
}

/// Pictures that are being written.
#[derive(Resource, Default)]
struct Written(Background<Notice>);

/// Takes the pictures that were asked for, and tells what came of them.
fn take_pictures(
    mut shell: ResMut<Shell>,
    area: Res<Scene3dArea>,
    windows: Query<&Window>,
    mut live: ResMut<Live>,
    mut written: ResMut<Written>,
    mut commands: Commands,
) {
    while let Some(notice) = written.0.take() {
        live.notices.push(notice);
    }
    let scale = windows.iter().next().map_or(1.0, Window::scale_factor);
    for PictureOf { window, path } in shell.take_pictures() {
        let part = area.rect.filter(|_| !window);
        let take = move |shot: On<ScreenshotCaptured>, mut written: ResMut<Written>| {
            let image = shot.image.clone();
            let path = path.clone();
            written.0.start(move || {
                let picture = Picture::of_image(&image).map(|picture| match part {
                    Some(part) => picture.cut(part * scale),
                    None => picture,
                });
                let outcome = match picture {
                    Some(picture) => picture.write_png(&path).map_err(|e| e.to_string()),
                    None => Err("the graphics card gave no picture".into()),
                };
                Notice {
                    error: outcome.is_err(),
                    text: match outcome {
                        Ok(()) => format!("saved {}", path.display()),
                        Err(error) => error,
                    },
                }
            });
        };
        commands.spawn(Screenshot::primary_window()).observe(take);
    }
}

/// Opens the window and runs until it is closed. With `measured`, the time when the program started, it says when the first picture was
/// there and closes at once.
pub fn run_window(
    live: Live,
    preferences: Preferences,
    adapter: &Adapter,
    measured: Option<Instant>,
) -> AppExit {
    let effort = match adapter.software {
        true => Effort::Least,
        false => Effort::Fine,
    };
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
    app.insert_resource(Keeper::new(&preferences));
    insert(&mut app, live, preferences, Panels::Shown);
    app.add_systems(
        Startup,
        move |mut commands: Commands, mut settings: ResMut<EguiGlobalSettings>| {
            spawn_cameras(&mut commands, &mut settings, None, effort);
        },
    );
    app.init_resource::<Written>()
        .add_systems(Update, take_pictures)
        .add_systems(Last, keep_preferences);
    if let Some(started) = measured {
        super::measure::until_drawn(&mut app, started);
    }
    app.run()
}

/// Writes the preferences when they have changed, and at the end.
fn keep_preferences(
    preferences: Res<Preferences>,
    mut keeper: ResMut<Keeper>,
    mut live: ResMut<Live>,
    mut exit: MessageReader<AppExit>,
) {
    let ends = exit.read().next().is_some();
    if let Err(text) = keeper.keep(&preferences, ends) {
        live.tell(true, text);
    }
}
