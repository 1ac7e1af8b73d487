//! Sparks: the glow of neurons that have just spiked, and spikes under way on the synapses of the selected neuron.

use super::bundles::Threads;
use super::geometry::quad_mesh;
use super::linear;
use super::material::{Spark, SparkMaterial};
use super::neurons::Neurons;
use crate::session::frame::SpikeAt;
use crate::view::live::Live;
use crate::view::preferences::Preferences;
use crate::view::theme::Theme;
use bevy::camera::visibility::NoFrustumCulling;
use bevy::prelude::*;
use bevy::render::storage::ShaderBuffer;

/// The most glows that are drawn at once.
const MOST_GLOWS: usize = 8192;
/// The most spikes under way that are drawn at once.
const MOST_PULSES: usize = 8192;
/// The room for sparks at first; it doubles when it is too small.
const ROOM: usize = 512;
/// After so many times the decay of a flash there is no glow.
const GLOW_FLASHES: f64 = 3.5;

/// The sparks as they are drawn.
#[derive(Resource, Default)]
pub struct Sparks {
    entity: Option<Entity>,
    buffer: Handle<ShaderBuffer>,
    room: usize,
    drawn: Vec<Spark>,
}

/// Finds the sparks of now and uploads them, if they have changed.
pub fn draw(
    live: Res<Live>,
    theme: Res<Theme>,
    preferences: Res<Preferences>,
    neurons: Res<Neurons>,
    threads: Res<Threads>,
    mut sparks: ResMut<Sparks>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
    mut materials: ResMut<Assets<SparkMaterial>>,
) {
    let mut found = Vec::new();
    if live.structure.is_some() {
        glows(&mut found, &live, &theme, &preferences, &neurons);
        pulses(&mut found, &live, &neurons, &threads);
    }
    if found == sparks.drawn {
        return;
    }
    sparks.drawn.clone_from(&found);
    let grow = found.len() > sparks.room;
    if grow {
        sparks.room = found.len().next_power_of_two().max(ROOM);
    }
    found.resize(sparks.room, Spark::default());
    if let (false, Some(mut buffer)) = (grow, buffers.get_mut(&sparks.buffer)) {
        buffer.set_data(found);
        return;
    }
    if let Some(old) = sparks.entity.take() {
        commands.entity(old).despawn();
    }
    sparks.buffer = buffers.add(ShaderBuffer::from(found));
    let material = SparkMaterial {
        sparks: sparks.buffer.clone(),
        look: neurons.look.clone(),
    };
    let entity = commands.spawn((
        Mesh3d(meshes.add(quad_mesh(sparks.room as u32))),
        MeshMaterial3d(materials.add(material)),
        NoFrustumCulling,
    ));
    sparks.entity = Some(entity.id());
}

/// A glow around every neuron whose newest spike is not long ago.
fn glows(
    found: &mut Vec<Spark>,
    live: &Live,
    theme: &Theme,
    preferences: &Preferences,
    neurons: &Neurons,
) {
    let flash_ms = f64::from(preferences.scene3d.flash_ms.max(0.01));
    let decay = live.progress.dt_ms / flash_ms;
    let Some(structure) = &live.structure else {
        return;
    };
    for spike in live.spikes.iter().rev() {
        let age = live.progress.step.saturating_sub(spike.step + 1) as f64 * decay;
        if age > GLOW_FLASHES || found.len() >= MOST_GLOWS {
            break;
        }
        if live.last_spike.get(spike.neuron as usize) != Some(&(spike.step + 1)) {
            continue;
        }
        let (Some(place), Some(id)) = (neurons.shown(spike.neuron), structure.neuron(spike.neuron))
        else {
            continue;
        };
        let colour = theme.region(id.region).lerp_to_gamma(theme.spike, 0.35);
        found.push(Spark {
            place: place.truncate().extend(place.w * 4.2),
            colour: linear(colour, (-age).exp() as f32),
            shape: Vec4::new(2.5, 0.0, 0.0, 0.0),
        });
    }
    // Where many glow, each glows less: a burst shall not wash out the picture.
    let strength = 0.62 / (1.0 + found.len() as f32 / 500.0).sqrt();
    found.iter_mut().for_each(|s| s.colour.w *= strength);
}

/// Where on its synapse a spike is, from 0 to 1; none if it is not under way.
///
/// A spike of step k is stamped at the end of that step, after k + 1 steps, and acts `delay` steps later.
pub fn under_way(spike: SpikeAt, delay: u32, now: u64) -> Option<f32> {
    let travelled = now.checked_sub(spike.step + 1)?;
    (travelled < u64::from(delay)).then(|| (travelled as f32 + 0.5) / delay as f32)
}

fn pulses(found: &mut Vec<Spark>, live: &Live, neurons: &Neurons, threads: &Threads) {
    let now = live.progress.step;
    let Some(longest) = threads.longest_delay() else {
        return;
    };
    let radius = neurons.shapes.radius * 0.011;
    let most = found.len() + MOST_PULSES;
    for spike in live.spikes.iter().rev() {
        if spike.step + 1 + u64::from(longest) <= now {
            break;
        }
        for thread in threads.of(spike.neuron) {
            let Some(t) = under_way(*spike, thread.delay, now) else {
                continue;
            };
            if found.len() >= most {
                return;
            }
            let mut colour = thread.curve.colour;
            colour.w = 0.9;
            found.push(Spark {
                place: thread.curve.at(t).extend(radius),
                colour: colour.lerp(Vec4::new(1.0, 1.0, 1.0, 0.9), 0.35),
                shape: Vec4::new(4.0, 0.38, 0.0, 0.0),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_is_under_way_for_exactly_its_delay() {
        let spike = SpikeAt {
            step: 10,
            neuron: 0,
        };
        let on = |now| under_way(spike, 4, now);
        assert_eq!(on(10), None);
        assert_eq!(on(11), Some(0.125));
        assert_eq!(on(14), Some(0.875));
        assert_eq!(on(15), None);
        assert_eq!((11..100).filter(|&now| on(now).is_some()).count(), 4);
    }
}
