//! The network in 3D: neurons as balls that flash, projections as bundles, the synapses of the selected neuron with their spikes under way.
//!
//! | what | drawn as | changes from frame to frame |
//! |---|---|---|
//! | neurons ([`neurons`]) | one mesh of quads that face the camera | two words per neuron |
//! | projections, synapses ([`bundles`]) | ribbons along curves | nothing |
//! | glows, spikes under way ([`sparks`]) | one mesh of quads of light | a buffer of sparks |
//!
//! What is written over it is in [`overlay`], what the pointer does in [`pointer`](mod@pointer), and where the camera is in [`camera`]. Time is simulated time
//! throughout: a picture depends on the state of the network, never on when it is drawn.

pub mod bundles;
pub mod camera;
pub mod geometry;
pub mod material;
pub mod neurons;
pub mod overlay;
pub mod pick;
pub mod pointer;
pub mod shape;
pub mod sparks;

use super::panels::Scene3dArea;
use bevy::camera::{CameraOutputMode, RenderTarget, Viewport, visibility::RenderLayers};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;
use bevy::render::render_resource::BlendState;
use bevy_egui::egui::{self, Color32};
use bevy_egui::{EguiGlobalSettings, PrimaryEguiContext};
use camera::{CameraRequest, FIELD_OF_VIEW, Orbit};
use std::collections::BTreeSet;

/// Adds the 3D view. Where it is drawn is for [`spawn_cameras`] to say, and [`overlay::overlay`] is to run after the panels.
pub fn plugin(app: &mut App) {
    app.add_plugins((super::shaders::plugin, material::plugin))
        .add_message::<CameraRequest>()
        .init_resource::<Orbit>()
        .init_resource::<Motion>()
        .init_resource::<Effort>()
        .init_resource::<HiddenRegions>()
        .init_resource::<neurons::Neurons>()
        .init_resource::<bundles::Bundles>()
        .init_resource::<bundles::Threads>()
        .init_resource::<sparks::Sparks>()
        .init_resource::<pointer::Pointer>()
        .add_systems(Startup, neurons::make_look)
        .add_systems(
            Update,
            (
                neurons::rebuild,
                camera::frame_networks,
                camera::follow_requests,
                aim_camera,
                neurons::colour,
                bundles::draw_threads,
                bundles::draw_bundles,
                sparks::draw,
                neurons::set_look,
            )
                .chain(),
        );
}

/// The regions that the 3D view leaves out, by name.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct HiddenRegions(pub BTreeSet<String>);

impl HiddenRegions {
    /// Hides a region that is shown, or shows one that is hidden.
    pub fn toggle(&mut self, region: &str) {
        if !self.0.remove(region) {
            self.0.insert(region.to_owned());
        }
    }
}

/// Whether what changes in the 3D view does so smoothly, over wall time.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Motion {
    /// For eyes: the camera glides, ranges of colours narrow slowly.
    #[default]
    Glides,
    /// For pictures, which shall not depend on what was drawn before: everything is at once where it should be.
    Jumps,
}

/// The camera of the 3D view.
#[derive(Component)]
pub struct SceneCamera;

/// How much work a frame may be.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Smooth edges.
    #[default]
    Fine,
    /// As few passes over all pixels as can be, for renderers in software.
    Least,
}

/// Makes the cameras: one for the network, one over it for the panels, both drawing to `target`, or to the window.
pub fn spawn_cameras(
    commands: &mut Commands,
    settings: &mut EguiGlobalSettings,
    target: Option<RenderTarget>,
    effort: Effort,
) {
    settings.auto_create_primary_context = false;
    commands.insert_resource(effort);
    let target = target.unwrap_or_default();
    // Cameras with the same samples draw into one texture, which then is copied once, not blended.
    let (msaa, below, above) = match effort {
        Effort::Fine => (
            Msaa::Sample4,
            CameraOutputMode::default(),
            (
                ClearColorConfig::Custom(Color::NONE),
                Some(BlendState::ALPHA_BLENDING),
            ),
        ),
        Effort::Least => (
            Msaa::Off,
            CameraOutputMode::Skip,
            (ClearColorConfig::None, None),
        ),
    };
    commands.spawn((
        Camera {
            output_mode: below,
            ..default()
        },
        SceneCamera,
        Camera3d::default(),
        target.clone(),
        Projection::Perspective(PerspectiveProjection {
            fov: FIELD_OF_VIEW,
            near: pick::NEAR,
            ..default()
        }),
        Tonemapping::None,
        msaa,
    ));
    commands.spawn((
        PrimaryEguiContext,
        Camera3d::default(),
        target,
        Tonemapping::None,
        Msaa::Off,
        RenderLayers::none(),
        Camera {
            order: 1,
            output_mode: CameraOutputMode::Write {
                blend_state: above.1,
                clear_color: ClearColorConfig::None,
            },
            clear_color: above.0,
            ..default()
        },
    ));
}

/// A colour as the shaders take it: linear.
pub fn linear(colour: Color32, opacity: f32) -> Vec4 {
    let part = |byte: u8| (f32::from(byte) / 255.0).powf(2.2);
    Vec4::new(
        part(colour.r()),
        part(colour.g()),
        part(colour.b()),
        opacity,
    )
}

/// Puts the camera where the orbit is and its picture where the area is.
fn aim_camera(
    time: Res<Time>,
    motion: Res<Motion>,
    area: Res<Scene3dArea>,
    mut orbit: ResMut<Orbit>,
    camera: Option<Single<(&mut Transform, &mut Camera), With<SceneCamera>>>,
) {
    match *motion {
        Motion::Glides => orbit.glide(time.delta_secs()),
        Motion::Jumps => orbit.now = orbit.target,
    }
    let Some(mut camera) = camera else { return };
    let (transform, camera) = &mut *camera;
    **transform = orbit.now.transform();
    let target = camera.physical_target_size();
    let scale = camera.target_scaling_factor().unwrap_or(1.0);
    let place = (area.rect.zip(target)).and_then(|(rect, target)| pixels_of(rect, scale, target));
    camera.is_active = place.is_some();
    if let Some((physical_position, physical_size)) = place {
        camera.viewport = Some(Viewport {
            physical_position,
            physical_size,
            ..default()
        });
    }
}

/// The place and size in pixels of a rectangle in points, within a target of this size; none if nothing of it is there.
fn pixels_of(rect: egui::Rect, scale: f32, target: UVec2) -> Option<(UVec2, UVec2)> {
    let corner = |at: egui::Pos2| {
        let pixel = |x: f32, most: u32| ((x * scale).round().max(0.0) as u32).min(most);
        UVec2::new(pixel(at.x, target.x), pixel(at.y, target.y))
    };
    let (low, high) = (corner(rect.min), corner(rect.max));
    let size = high.saturating_sub(low);
    (size.x > 0 && size.y > 0).then_some((low, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewport_stays_within_its_target() {
        let rect =
            |x0, y0, x1, y1| egui::Rect::from_min_max(egui::pos2(x0, y0), egui::pos2(x1, y1));
        let target = UVec2::new(800, 600);
        let place = |r| pixels_of(r, 2.0, target);
        let all = (UVec2::ZERO, target);
        assert_eq!(place(rect(0.0, 0.0, 400.0, 300.0)), Some(all));
        assert_eq!(place(rect(-10.0, -10.0, 900.0, 900.0)), Some(all));
        let part = (UVec2::new(100, 40), UVec2::new(300, 200));
        assert_eq!(place(rect(50.0, 20.0, 200.0, 120.0)), Some(part));
        assert_eq!(place(rect(500.0, 0.0, 600.0, 100.0)), None);
        assert_eq!(place(rect(10.0, 10.0, 10.0, 50.0)), None);
        assert_eq!(
            place(rect(f32::NAN, 0.0, 100.0, 100.0)),
            Some((UVec2::ZERO, UVec2::splat(200)))
        );
    }

    #[test]
    fn regions_are_hidden_and_shown_again() {
        let mut hidden = HiddenRegions::default();
        hidden.toggle("cortex");
        assert!(hidden.0.contains("cortex"));
        hidden.toggle("cortex");
        assert_eq!(hidden, HiddenRegions::default());
    }
}
