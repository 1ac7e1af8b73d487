//! All neurons as one mesh of quads: places that stay, and two words per neuron that say how it looks now.

use super::geometry::quad_mesh;
use super::material::{Look, NeuronMaterial};
use super::shape::Shapes;
use super::{Effort, HiddenRegions, Motion, linear};
use crate::session::frame::Structure;
use crate::view::live::{Live, Selected};
use crate::view::preferences::{ColourBy, Preferences, Scene3dPreferences};
use crate::view::theme::Theme;
use bevy::camera::visibility::NoFrustumCulling;
use bevy::prelude::*;
use bevy::render::storage::ShaderBuffer;
use bevy_egui::egui::Color32;
use std::sync::Arc;

/// The neuron is not drawn.
pub const HIDDEN: u32 = 1;
const SELECTED: u32 = 2;
const DIMMED: u32 = 4;
const HOVERED: u32 = 8;
const LESIONED: u32 = 16;
/// A neuron is idle after so many times the decay of a flash.
const IDLE_FLASHES: f64 = 10.0;
/// By how much a neuron grows with its spike.
const GROWTH: f32 = 0.45;

/// The neurons as they are drawn.
#[derive(Resource, Default)]
pub struct Neurons {
    version: Option<u64>,
    size: f32,
    entity: Option<Entity>,
    states: Handle<ShaderBuffer>,
    /// What all materials share.
    pub look: Handle<ShaderBuffer>,
    drawn_look: Look,
    words: Vec<[u32; 2]>,
    before: Vec<[u32; 2]>,
    /// Per neuron: place and radius in mm.
    pub places: Vec<Vec4>,
    /// Where the regions are.
    pub shapes: Arc<Shapes>,
    /// The range of the column that colours neurons, as it is drawn.
    pub range: Option<(f32, f32)>,
    ranged: Option<String>,
}

impl Neurons {
    /// Place and radius of a neuron that is shown.
    pub fn shown(&self, number: u32) -> Option<Vec4> {
        let word = self.words.get(number as usize)?;
        let place = self.places.get(number as usize)?;
        ((word[0] >> 24) & HIDDEN == 0).then_some(*place)
    }

    /// Every neuron's place and radius, with whether it is shown.
    pub fn all(&self) -> impl Iterator<Item = (Vec4, bool)> + '_ {
        let shown = self.words.iter().map(|w| (w[0] >> 24) & HIDDEN == 0);
        self.places.iter().copied().zip(shown)
    }
}

/// Makes the mesh and the places anew where the network has changed.
pub fn rebuild(
    live: Res<Live>,
    preferences: Res<Preferences>,
    mut neurons: ResMut<Neurons>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
    mut materials: ResMut<Assets<NeuronMaterial>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    let size = preferences.scene3d.neuron_size.clamp(0.05, 20.0);
    if neurons.version == Some(structure.version) && neurons.size == size {
        return;
    }
    if neurons.version != Some(structure.version) {
        neurons.shapes = Arc::new(Shapes::of(&structure.regions));
    }
    neurons.version = Some(structure.version);
    neurons.size = size;
    let shapes = neurons.shapes.clone();
    neurons.places.clear();
    for (region, shape) in structure.regions.iter().zip(&shapes.regions) {
        let radius = shape.neuron * size;
        let place = |p: &[f32; 3]| Vec3::from_array(*p).extend(radius);
        neurons.places.extend(region.positions.iter().map(place));
    }
    neurons.words.clear();
    neurons.before.clear();
    if let Some(old) = neurons.entity.take() {
        commands.entity(old).despawn();
    }
    if neurons.places.is_empty() {
        return;
    }
    neurons.states = buffers.add(ShaderBuffer::from(vec![
        [HIDDEN << 24, 0];
        neurons.places.len()
    ]));
    let material = NeuronMaterial {
        places: buffers.add(ShaderBuffer::from(neurons.places.clone())),
        states: neurons.states.clone(),
        look: neurons.look.clone(),
    };
    let entity = commands.spawn((
        Mesh3d(meshes.add(quad_mesh(neurons.places.len() as u32))),
        MeshMaterial3d(materials.add(material)),
        NoFrustumCulling,
    ));
    neurons.entity = Some(entity.id());
}

/// Makes the buffer that all materials share.
pub fn make_look(mut neurons: ResMut<Neurons>, mut buffers: ResMut<Assets<ShaderBuffer>>) {
    neurons.look = buffers.add(ShaderBuffer::from(Look::default()));
}

/// Uploads what all materials share, if it has changed.
pub fn set_look(
    live: Res<Live>,
    theme: Res<Theme>,
    preferences: Res<Preferences>,
    orbit: Res<super::camera::Orbit>,
    effort: Res<Effort>,
    mut neurons: ResMut<Neurons>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
) {
    let (middle, radius) = (neurons.shapes.middle, neurons.shapes.radius);
    let distance = orbit.now.transform().translation.distance(middle);
    let flash_ms = f64::from(preferences.scene3d.flash_ms.max(0.01));
    let valued = matches!(preferences.scene3d.colour_by, ColourBy::Column(_));
    let rest = match (valued, theme.dark) {
        (true, _) => 0.95,
        (false, true) => 0.55,
        (false, false) => 0.75,
    };
    let look = Look {
        background: linear(theme.background, 1.0),
        spike: linear(theme.spike, GROWTH),
        selection: linear(theme.selection, rest),
        fading: Vec4::new(distance - radius * 0.7, distance + radius, 0.7, 0.3),
        flash: Vec4::new(
            (live.progress.dt_ms / flash_ms) as f32,
            if theme.dark { 0.0 } else { 1.0 },
            if *effort == Effort::Least { 1.0 } else { 0.0 },
            0.0,
        ),
        now: live.progress.step as u32,
    };
    if look != neurons.drawn_look
        && let Some(mut buffer) = buffers.get_mut(&neurons.look)
    {
        buffer.set_data(look);
        neurons.drawn_look = look;
    }
}

/// Fills the states of the neurons: colours, flags and newest spikes.
pub fn colour(
    live: Res<Live>,
    selected: Res<Selected>,
    preferences: Res<Preferences>,
    theme: Res<Theme>,
    hidden: Res<HiddenRegions>,
    motion: Res<Motion>,
    mut neurons: ResMut<Neurons>,
    mut buffers: ResMut<Assets<ShaderBuffer>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    let settings = &preferences.scene3d;
    let neurons = &mut *neurons;
    let column = match &settings.colour_by {
        ColourBy::Column(name) => live.column.as_ref().filter(|(known, _)| known == name),
        _ => None,
    };
    let values = column.map(|(_, values)| values.as_slice());
    let found = values.and_then(range_of);
    let same = column.map(|(name, _)| name) == neurons.ranged.as_ref();
    let before = neurons.range.filter(|_| same && *motion == Motion::Glides);
    neurons.range = eased(before, found);
    neurons.ranged = column.map(|(name, _)| name.clone());

    let mut words = core::mem::take(&mut neurons.words);
    words.clear();
    fill(
        &mut words,
        structure,
        &live,
        &theme,
        settings,
        values,
        neurons.range,
    );
    let partners = live
        .synapses
        .as_ref()
        .filter(|s| settings.synapses && !s.synapses.is_empty() && !selected.neurons.is_empty());
    if let Some(partners) = partners {
        words.iter_mut().for_each(|w| w[0] |= DIMMED << 24);
        for synapse in &partners.synapses {
            for number in [synapse.from, synapse.to] {
                if let Some(word) = words.get_mut(number as usize) {
                    word[0] &= !(DIMMED << 24);
                }
            }
        }
    }
    if settings.hide_idle {
        let idle = IDLE_FLASHES * f64::from(settings.flash_ms) / live.progress.dt_ms.max(1e-9);
        for (word, last) in words.iter_mut().zip(&live.last_spike) {
            let age = live.progress.step.saturating_sub(*last) as f64;
            if *last == 0 || age > idle {
                word[0] |= HIDDEN << 24;
            }
        }
    }
    let mut flag = |number: u32, flag: u32, clear: u32| {
        if let Some(word) = words.get_mut(number as usize) {
            word[0] = (word[0] | flag << 24) & !(clear << 24);
        }
    };
    for &number in &selected.neurons {
        flag(number, SELECTED, DIMMED | HIDDEN);
    }
    if let Some(number) = selected.hovered {
        flag(number, HOVERED, DIMMED);
    }
    for region in structure
        .regions
        .iter()
        .filter(|r| hidden.0.contains(&r.name))
    {
        (region.first..region.first + region.neurons).for_each(|n| flag(n, HIDDEN, 0));
    }
    words.resize(neurons.places.len(), [HIDDEN << 24, 0]);
    if words != neurons.before
        && !words.is_empty()
        && let Some(mut buffer) = buffers.get_mut(&neurons.states)
    {
        buffer.data = Some(bytemuck::cast_slice(&words).to_vec());
        neurons.before.clone_from(&words);
    }
    neurons.words = words;
}

/// The least and the largest of the values that are finite.
fn range_of(regions: &[Vec<f32>]) -> Option<(f32, f32)> {
    let finite = regions.iter().flatten().filter(|v| v.is_finite());
    let range = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| {
        (low.min(*v), high.max(*v))
    });
    (range.0 <= range.1).then_some(range)
}

/// A range that widens at once and narrows slowly, so that colours do not flicker.
fn eased(before: Option<(f32, f32)>, now: Option<(f32, f32)>) -> Option<(f32, f32)> {
    match (before, now) {
        (Some((l, h)), Some((low, high))) => Some((
            low.min(l + (low - l) * 0.02),
            high.max(h + (high - h) * 0.02),
        )),
        (before, now) => now.or(before),
    }
}

fn fill(
    words: &mut Vec<[u32; 2]>,
    structure: &Structure,
    live: &Live,
    theme: &Theme,
    settings: &Scene3dPreferences,
    values: Option<&[Vec<f32>]>,
    range: Option<(f32, f32)>,
) {
    let packed = |c: Color32| u32::from_le_bytes([c.r(), c.g(), c.b(), 0]);
    let map: [u32; 256] = core::array::from_fn(|i| packed(theme.mapped(i as f32 / 255.0)));
    let lesioned = packed(theme.lesioned) | LESIONED << 24;
    let mut models: Vec<&str> = structure.regions.iter().map(|r| &*r.model).collect();
    models.sort_unstable();
    models.dedup();
    for (place, region) in structure.regions.iter().enumerate() {
        let first = words.len();
        let model = models.binary_search(&&*region.model).unwrap_or(0);
        let plain = packed(match (&settings.colour_by, values) {
            (ColourBy::Model, _) => theme.region(model),
            (ColourBy::Column(_), Some(_)) => theme.lesioned,
            _ => theme.region(place),
        });
        let spikes = live.last_spike.iter().skip(region.first as usize);
        let spikes = spikes.map(|&last| last as u32).chain(core::iter::repeat(0));
        let spikes = spikes.take(region.positions.len());
        let known = values.and_then(|v| v.get(place)).filter(|v| !v.is_empty());
        match (known, range) {
            (Some(known), Some((low, high))) => {
                let scale = 255.0 / (high - low).max(f32::MIN_POSITIVE);
                let known = known.iter().chain(core::iter::repeat(&low));
                words.extend(spikes.zip(known).map(|(last, value)| {
                    [
                        map[((value - low) * scale).clamp(0.0, 255.0) as usize],
                        last,
                    ]
                }));
            }
            _ => words.extend(spikes.map(|last| [plain, last])),
        }
        for &neuron in &region.lesioned {
            if let Some(word) = words.get_mut(first + neuron as usize) {
                word[0] = lesioned;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_widens_at_once_and_narrows_slowly() {
        let widened = eased(Some((0.0, 1.0)), Some((-1.0, 2.0)));
        assert_eq!(widened, Some((-1.0, 2.0)));
        let (low, high) = eased(Some((0.0, 1.0)), Some((0.4, 0.6))).expect("a range");
        assert!(low > 0.0 && low < 0.1 && high < 1.0 && high > 0.9);
        assert_eq!(eased(None, None), None);
    }

    #[test]
    fn values_that_are_not_finite_have_no_range() {
        assert_eq!(range_of(&[vec![f32::NAN], vec![]]), None);
        let mixed = [vec![1.0, f32::INFINITY], vec![-2.0, f32::NAN]];
        assert_eq!(range_of(&mixed), Some((-2.0, 1.0)));
    }
}
