//! The network in 3D: neurons as balls that flash, projections as bundles, the synapses of the selected neuron with their spikes under way.
//!
//! All neurons are one mesh of quads, drawn at once; what changes from frame to frame is a buffer of two words per neuron.

pub mod camera;
pub mod geometry;
pub mod material;
pub mod overlay;
pub mod pick;

use super::live::{Live, Selected};
use super::panels::Scene3dArea;
use super::preferences::{ColourBy, Preferences};
use super::theme::Theme;
use crate::session::frame::Structure;
use bevy::camera::{
    CameraOutputMode, Viewport, visibility::NoFrustumCulling, visibility::RenderLayers,
};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::prelude::*;
use bevy::render::render_resource::BlendState;
use bevy::render::storage::ShaderBuffer;
use bevy_egui::egui::Color32;
use bevy_egui::{EguiGlobalSettings, PrimaryEguiContext};
use camera::{FIELD_OF_VIEW, Orbit, places};
use geometry::{Curve, neuron_mesh, ribbon_mesh};
use material::{Look, NeuronMaterial, RibbonMaterial};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most pulses that are drawn at once.
const MOST_PULSES: usize = 4096;
/// Simulated time without a spike after which a neuron is idle, in flashes.
const IDLE_FLASHES: f64 = 10.0;

/// Adds the 3D view. Where it is drawn is for [`spawn_cameras`] to say.
pub fn plugin(app: &mut App) {
    app.add_plugins(material::plugin)
        .init_resource::<Orbit>()
        .init_resource::<Scene3d>()
        .init_resource::<HiddenRegions>()
        .add_systems(
            Update,
            (
                rebuild,
                colour_neurons,
                draw_synapses,
                draw_pulses,
                aim_camera,
            )
                .chain(),
        );
}

/// The regions that the 3D view leaves out, by name.
#[derive(Resource, Clone, Debug, Default)]
pub struct HiddenRegions(pub BTreeSet<String>);

/// What is in the 3D view.
#[derive(Resource, Default)]
pub struct Scene3d {
    /// The version of the structure that is drawn.
    version: Option<u64>,
    neurons: Option<(Entity, Handle<NeuronMaterial>, Handle<ShaderBuffer>)>,
    pulses: Option<(Entity, Handle<NeuronMaterial>, Handle<ShaderBuffer>)>,
    bundles: Option<Entity>,
    synapses: Option<Entity>,
    /// What the drawn bundles and synapses depend on.
    bundles_of: Option<(u64, bool)>,
    synapses_of: Option<(usize, bool)>,
    curves: Vec<Curve>,
    /// Per presynaptic neuron: its curves and their delays in steps.
    curves_of: BTreeMap<u32, Vec<(usize, u32)>>,
    words: Vec<[u32; 2]>,
    /// Per region: the radius of a neuron in mm.
    pub radii: Vec<f32>,
    /// The range of the column that colours neurons.
    pub range: Option<(f32, f32)>,
    /// Whether the camera has been put where it shows the network.
    framed: Option<String>,
}

/// The camera of the 3D view.
#[derive(Component)]
pub struct SceneCamera;

/// Makes the cameras: one for the network, one over it for the panels, both drawing to `target`.
pub fn spawn_cameras(
    commands: &mut Commands,
    settings: &mut EguiGlobalSettings,
    target: Option<bevy::camera::RenderTarget>,
) {
    settings.auto_create_primary_context = false;
    let target = target.unwrap_or_default();
    commands.spawn((
        SceneCamera,
        Camera3d::default(),
        target.clone(),
        Projection::Perspective(PerspectiveProjection {
            fov: FIELD_OF_VIEW,
            near: 1e-3,
            ..default()
        }),
        Tonemapping::None,
        Msaa::Off,
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
                blend_state: Some(BlendState::ALPHA_BLENDING),
                clear_color: ClearColorConfig::None,
            },
            clear_color: ClearColorConfig::Custom(Color::NONE),
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

/// The radius of a neuron that suits the density of its region, in mm.
fn radius_of(positions: &[[f32; 3]]) -> f32 {
    let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
    for position in positions {
        low = low.min(Vec3::from_array(*position));
        high = high.max(Vec3::from_array(*position));
    }
    let size = (high - low).max(Vec3::splat(1e-3));
    if !size.is_finite() {
        return 0.01;
    }
    let longest = size.max_element();
    // A flat or thin region has the volume that it would have if its neurons were as far apart in all directions.
    let volume = size.max(Vec3::splat(longest * 0.05)).element_product();
    let apart = (volume / positions.len().max(1) as f32).cbrt();
    (0.17 * apart).clamp(longest * 0.002, longest.max(0.02) * 0.15)
}

/// Makes the neurons anew where the network has changed.
fn rebuild(
    live: Res<Live>,
    mut scene: ResMut<Scene3d>,
    mut orbit: ResMut<Orbit>,
    preferences: Res<Preferences>,
    area: Res<Scene3dArea>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
    mut materials: ResMut<Assets<NeuronMaterial>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    if scene.version == Some(structure.version) && !preferences.is_changed() {
        return;
    }
    scene.version = Some(structure.version);
    scene.bundles_of = None;
    scene.synapses_of = None;
    scene.radii = structure
        .regions
        .iter()
        .map(|r| radius_of(&r.positions) * preferences.scene3d.neuron_size)
        .collect();
    let mut balls = Vec::with_capacity(structure.neurons as usize);
    for (region, radius) in structure.regions.iter().zip(&scene.radii) {
        balls.extend(
            region
                .positions
                .iter()
                .map(|p| (Vec3::from_array(*p), *radius)),
        );
    }
    let mut make = |balls: &[(Vec3, f32)], old: Option<Entity>| {
        if let Some(old) = old {
            commands.entity(old).despawn();
        }
        let states = buffers.add(ShaderBuffer::from(vec![[0u32, 1]; balls.len().max(1)]));
        let material = materials.add(NeuronMaterial {
            states: states.clone(),
            look: Look::default(),
        });
        let entity = commands
            .spawn((
                Mesh3d(meshes.add(neuron_mesh(balls))),
                MeshMaterial3d(material.clone()),
                NoFrustumCulling,
            ))
            .id();
        (entity, material, states)
    };
    let old = scene.neurons.take().map(|n| n.0);
    scene.neurons = Some(make(&balls, old));
    if let Some((pulses, ..)) = scene.pulses.take() {
        commands.entity(pulses).despawn();
    }
    // Another network is looked at as a whole; an edited one from where the user is.
    if scene.framed.as_ref() != Some(&structure.source)
        && let Some(rect) = area.rect
    {
        scene.framed = Some(structure.source.clone());
        let aspect = rect.width() / rect.height().max(1.0);
        let pose = orbit.target.showing(places(structure), aspect);
        orbit.jump(pose);
    } else if scene.framed.as_ref() != Some(&structure.source) {
        scene.version = None;
    }
}

/// Fills the states of the neurons: colours, flashes, flags.
fn colour_neurons(
    live: Res<Live>,
    selected: Res<Selected>,
    preferences: Res<Preferences>,
    theme: Res<Theme>,
    hidden: Res<HiddenRegions>,
    orbit: Res<Orbit>,
    mut scene: ResMut<Scene3d>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
    mut materials: ResMut<Assets<NeuronMaterial>>,
) {
    let Some(structure) = live.structure.clone() else {
        return;
    };
    let Some((_, material, states)) = scene.neurons.clone() else {
        return;
    };
    let settings = &preferences.scene3d;
    let now = live.progress.step;
    let dt = live.progress.dt_ms;
    let mut words = core::mem::take(&mut scene.words);
    words.clear();
    let column = match &settings.colour_by {
        ColourBy::Column(name) => live.column.as_ref().filter(|(known, _)| known == name),
        _ => None,
    };
    let range = column.map(|(_, regions)| {
        let finite = regions.iter().flatten().copied().filter(|v| v.is_finite());
        finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| {
            (l.min(v), h.max(v))
        })
    });
    // The range widens at once and narrows slowly, so that colours do not flicker.
    scene.range = match (range.filter(|(l, h)| l <= h), scene.range) {
        (Some((low, high)), Some((l, h))) => Some((
            low.min(l + (low - l) * 0.02),
            high.max(h + (high - h) * 0.02),
        )),
        (new, _) => new,
    };
    let models: Vec<&String> = {
        let mut models: Vec<_> = structure.regions.iter().map(|r| &r.model).collect();
        models.sort_unstable();
        models.dedup();
        models
    };
    for (place, region) in structure.regions.iter().enumerate() {
        let plain = match &settings.colour_by {
            ColourBy::Model => {
                theme.region(models.iter().position(|m| **m == region.model).unwrap_or(0))
            }
            _ => theme.region(place),
        };
        let values = column
            .and_then(|(_, regions)| regions.get(place))
            .filter(|v| !v.is_empty());
        let hide = u32::from(hidden.0.contains(&region.name));
        let mut lesioned = region.lesioned.iter().copied().peekable();
        for neuron in 0..region.neurons {
            let number = region.first + neuron;
            let last = live.last_spike.get(number as usize).copied().unwrap_or(0);
            let age_ms = (now + 1).saturating_sub(last) as f64 * dt;
            let flash = match last {
                0 => 0.0,
                _ => (-(age_ms - dt).max(0.0) / f64::from(settings.flash_ms.max(0.01))).exp(),
            };
            let mut flags = hide;
            let idle = last == 0 || age_ms > IDLE_FLASHES * f64::from(settings.flash_ms);
            if settings.hide_idle && idle {
                flags |= 1;
            }
            let mut colour = match (values, scene.range) {
                (Some(values), Some((low, high))) => {
                    let value = values.get(neuron as usize).copied().unwrap_or(low);
                    theme.mapped((value - low) / (high - low).max(f32::MIN_POSITIVE))
                }
                _ => plain,
            };
            if lesioned.next_if_eq(&neuron).is_some() {
                colour = theme.lesioned;
            }
            if selected.neurons.contains(&number) {
                flags |= 2;
            }
            let rgb = u32::from_le_bytes([colour.r(), colour.g(), colour.b(), 0]);
            words.push([rgb | (((flash * 255.0) as u32) << 24), flags]);
        }
    }
    if words.is_empty() {
        words.push([0, 1]);
    }
    if let Some(mut buffer) = buffers.get_mut(&states) {
        buffer.set_data(&words);
    }
    scene.words = words;
    let look = look(&theme, &orbit);
    if materials.get(&material).is_some_and(|m| m.look != look)
        && let Some(mut material) = materials.get_mut(&material)
    {
        material.look = look;
    }
}

fn look(theme: &Theme, orbit: &Orbit) -> Look {
    let distance = orbit.now.distance;
    Look {
        spike: linear(theme.spike, 0.4),
        selection: linear(theme.selection, 1.0),
        background: linear(theme.background, 1.0),
        fading: Vec4::new(distance * 0.7, distance * 1.5, 0.55, 0.0),
    }
}

/// The middle of a region.
pub fn centre_of(structure: &Structure, region: usize) -> Vec3 {
    let positions = structure
        .regions
        .get(region)
        .map_or(&[][..], |r| &r.positions);
    let sum = positions
        .iter()
        .fold(Vec3::ZERO, |sum, p| sum + Vec3::from_array(*p));
    sum / positions.len().max(1) as f32
}

/// Draws projections as bundles and the synapses of the selected neuron.
fn draw_synapses(
    live: Res<Live>,
    preferences: Res<Preferences>,
    theme: Res<Theme>,
    hidden: Res<HiddenRegions>,
    mut scene: ResMut<Scene3d>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<RibbonMaterial>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    let settings = &preferences.scene3d;
    let mut draw = |curves: &[Curve], pieces: u32| {
        let mesh = meshes.add(ribbon_mesh(curves, pieces));
        let material = materials.add(RibbonMaterial {});
        commands
            .spawn((Mesh3d(mesh), MeshMaterial3d(material), NoFrustumCulling))
            .id()
    };
    let synapses = live.synapses.as_ref().filter(|_| settings.synapses);
    let alone = synapses.is_some_and(|s| !s.synapses.is_empty());
    let bundles_of = (structure.version, settings.bundles && !alone);
    let mut gone = Vec::new();
    if scene.bundles_of != Some(bundles_of) || theme.is_changed() || hidden.is_changed() {
        scene.bundles_of = Some(bundles_of);
        gone.extend(scene.bundles.take());
        let curves = if bundles_of.1 {
            bundles(structure, &theme, &hidden)
        } else {
            Vec::new()
        };
        if !curves.is_empty() {
            scene.bundles = Some(draw(&curves, 32));
        }
    }
    let synapses_of = (
        synapses.map_or(0, |s| Arc::as_ptr(s) as usize),
        settings.synapses,
    );
    if scene.synapses_of != Some(synapses_of) || theme.is_changed() {
        scene.synapses_of = Some(synapses_of);
        gone.extend(scene.synapses.take());
        scene.curves.clear();
        scene.curves_of.clear();
        if let Some(synapses) = synapses {
            let place = |number: u32| {
                let id = structure.neuron(number)?;
                let position = structure.regions[id.region]
                    .positions
                    .get(id.neuron as usize)?;
                Some(Vec3::from_array(*position))
            };
            let middle = places(structure).sum::<Vec3>() / structure.neurons.max(1) as f32;
            let largest = synapses
                .synapses
                .iter()
                .map(|s| s.weight.abs())
                .fold(f32::MIN_POSITIVE, f32::max);
            let many = (synapses.synapses.len() as f32 / 100.0).clamp(1.0, 12.0);
            for synapse in &synapses.synapses {
                let (Some(from), Some(to)) = (place(synapse.from), place(synapse.to)) else {
                    continue;
                };
                let colour = if synapse.weight < 0.0 {
                    theme.inhibitory
                } else {
                    theme.excitatory
                };
                let width = 0.8 + 2.2 * (synapse.weight.abs() / largest);
                let colour = linear(colour, (0.75 / many).max(0.12));
                let curve = match synapse.from == synapse.to {
                    true => Curve::around(from, 0.05, middle, width, colour),
                    false => Curve::between(from, to, middle, width, colour),
                };
                let index = scene.curves.len();
                scene.curves.push(curve);
                scene
                    .curves_of
                    .entry(synapse.from)
                    .or_default()
                    .push((index, synapse.delay));
            }
            if !scene.curves.is_empty() {
                let entity = draw(&scene.curves, 16);
                scene.synapses = Some(entity);
            }
        }
    }
    for entity in gone {
        commands.entity(entity).despawn();
    }
}

/// One curve per projection, between the middles of its regions.
fn bundles(structure: &Structure, theme: &Theme, hidden: &HiddenRegions) -> Vec<Curve> {
    let middle = places(structure).sum::<Vec3>() / structure.neurons.max(1) as f32;
    let size = |region: usize| {
        let centre = centre_of(structure, region);
        let positions = &structure.regions[region].positions;
        positions
            .iter()
            .map(|p| centre.distance(Vec3::from_array(*p)))
            .fold(0.02, f32::max)
    };
    let shown = |region: usize| !hidden.0.contains(&structure.regions[region].name);
    (structure.projections.iter())
        .filter(|p| shown(p.from) && shown(p.to))
        .map(|p| {
            let colour = if p.mean_weight < 0.0 {
                theme.inhibitory
            } else {
                theme.excitatory
            };
            let opacity = if p.muted { 0.08 } else { 0.5 };
            let width = 1.0 + 0.7 * (p.synapses.max(1) as f32).log10();
            let (from, to) = (centre_of(structure, p.from), centre_of(structure, p.to));
            let colour = linear(colour, opacity);
            match p.from == p.to || from.distance(to) < 1e-3 {
                true => Curve::around(from, size(p.from), middle, width, colour),
                false => Curve::between(from, to, middle, width, colour),
            }
        })
        .collect()
}

/// Draws the spikes that are under way on the synapses of the selected neuron.
fn draw_pulses(
    live: Res<Live>,
    theme: Res<Theme>,
    orbit: Res<Orbit>,
    mut scene: ResMut<Scene3d>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
    mut materials: ResMut<Assets<NeuronMaterial>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    let mut balls = Vec::new();
    let now = live.progress.step;
    let size = scene.radii.iter().copied().fold(f32::INFINITY, f32::min);
    let size = if size.is_finite() { size * 0.5 } else { 0.005 };
    if !scene.curves_of.is_empty() {
        for spike in live.spikes.iter().rev() {
            // A spike of step k has travelled now − k − 1 steps at the end of step now − 1.
            let travelled = now.saturating_sub(spike.step + 1);
            if travelled > structure.longest_delay || balls.len() >= MOST_PULSES {
                break;
            }
            for &(curve, delay) in scene.curves_of.get(&spike.neuron).into_iter().flatten() {
                if travelled < u64::from(delay) {
                    let t = (travelled as f32 + 0.5) / delay as f32;
                    balls.push((scene.curves[curve].at(t.min(1.0)), size));
                }
            }
        }
        balls.truncate(MOST_PULSES);
    }
    if let Some((entity, ..)) = scene.pulses.take() {
        commands.entity(entity).despawn();
    }
    if balls.is_empty() {
        return;
    }
    let rgb = u32::from_le_bytes([theme.spike.r(), theme.spike.g(), theme.spike.b(), 200]);
    let states = buffers.add(ShaderBuffer::from(vec![[rgb, 0]; balls.len()]));
    let material = materials.add(NeuronMaterial {
        states: states.clone(),
        look: look(&theme, &orbit),
    });
    let entity = commands
        .spawn((
            Mesh3d(meshes.add(neuron_mesh(&balls))),
            MeshMaterial3d(material.clone()),
            NoFrustumCulling,
        ))
        .id();
    scene.pulses = Some((entity, material, states));
}

/// Puts the camera where the orbit is and its picture where the area is.
fn aim_camera(
    time: Res<Time>,
    area: Res<Scene3dArea>,
    mut orbit: ResMut<Orbit>,
    camera: Option<Single<(&mut Transform, &mut Camera), With<SceneCamera>>>,
) {
    orbit.glide(time.delta_secs());
    let Some(mut camera) = camera else { return };
    let (transform, camera) = &mut *camera;
    **transform = orbit.now.transform();
    let Some(target) = camera.physical_target_size() else {
        return;
    };
    let scale = camera.target_scaling_factor().unwrap_or(1.0);
    camera.is_active = area.rect.is_some();
    if let Some(rect) = area.rect {
        let low = UVec2::new((rect.min.x * scale) as u32, (rect.min.y * scale) as u32);
        let low = low.min(target.saturating_sub(UVec2::ONE));
        let high = UVec2::new((rect.max.x * scale) as u32, (rect.max.y * scale) as u32);
        let size = high.min(target).saturating_sub(low).max(UVec2::ONE);
        camera.viewport = Some(Viewport {
            physical_position: low,
            physical_size: size,
            ..default()
        });
    }
}
