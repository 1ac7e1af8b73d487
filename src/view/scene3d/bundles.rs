//! Projections as bundles between regions, and the synapses of the selected neuron as threads between neurons.

use super::geometry::{Curve, Style, ribbon_mesh};
use super::material::RibbonMaterial;
use super::neurons::Neurons;
use super::shape::Shapes;
use super::{HiddenRegions, linear};
use crate::session::frame::{NeuronSynapses, ProjectionInfo, Structure};
use crate::view::live::{Live, Selected};
use crate::view::preferences::Preferences;
use crate::view::theme::Theme;
use bevy::camera::visibility::NoFrustumCulling;
use bevy::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The golden angle: loops that are turned by it never lie on each other.
const GOLDEN: f32 = 2.399_963;

/// The bundles as they are drawn.
#[derive(Resource, Default)]
pub struct Bundles {
    entity: Option<Entity>,
    drawn: Option<(u64, bool, bool, Option<String>)>,
}

/// One synapse that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thread {
    /// Its curve.
    pub curve: Curve,
    /// Its delay in steps.
    pub delay: u32,
}

/// The synapses of the selected neuron as they are drawn.
#[derive(Resource, Default)]
pub struct Threads {
    entity: Option<Entity>,
    drawn: Option<Arc<NeuronSynapses>>,
    /// Sorted by the presynaptic neuron.
    threads: Vec<(u32, Thread)>,
    longest: Option<u32>,
}

impl Threads {
    /// The synapses that a neuron sends its spikes to.
    pub fn of(&self, neuron: u32) -> impl Iterator<Item = &Thread> {
        let first = self.threads.partition_point(|(from, _)| *from < neuron);
        let rest = self.threads[first..].iter();
        rest.take_while(move |(from, _)| *from == neuron)
            .map(|(_, thread)| thread)
    }

    /// The longest delay of a synapse that is drawn, in steps; none if none is drawn.
    pub fn longest_delay(&self) -> Option<u32> {
        self.longest
    }
}

/// Draws one bundle per projection.
pub fn draw_bundles(
    live: Res<Live>,
    preferences: Res<Preferences>,
    theme: Res<Theme>,
    hidden: Res<HiddenRegions>,
    selected: Res<Selected>,
    neurons: Res<Neurons>,
    threads: Res<Threads>,
    mut bundles: ResMut<Bundles>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<RibbonMaterial>>,
) {
    let Some(structure) = &live.structure else {
        return;
    };
    let wanted = (
        structure.version,
        preferences.scene3d.bundles,
        threads.longest.is_some(),
        selected.projection.clone(),
    );
    if bundles.drawn.as_ref() == Some(&wanted) && !theme.is_changed() && !hidden.is_changed() {
        return;
    }
    if let Some(old) = bundles.entity.take() {
        commands.entity(old).despawn();
    }
    let curves = if wanted.1 {
        let chosen = selected.projection.as_deref();
        curves_of(
            structure,
            &neurons.shapes,
            &theme,
            &hidden,
            chosen,
            wanted.2,
        )
    } else {
        Vec::new()
    };
    bundles.drawn = Some(wanted);
    if curves.is_empty() {
        return;
    }
    let entity = commands.spawn((
        Mesh3d(meshes.add(ribbon_mesh(&curves, Style::Arrow))),
        MeshMaterial3d(materials.add(RibbonMaterial {
            look: neurons.look.clone(),
        })),
        NoFrustumCulling,
    ));
    bundles.entity = Some(entity.id());
}

fn curves_of(
    structure: &Structure,
    shapes: &Shapes,
    theme: &Theme,
    hidden: &HiddenRegions,
    chosen: Option<&str>,
    behind: bool,
) -> Vec<Curve> {
    let is_hidden = |region: usize| {
        let region = structure.regions.get(region);
        region.is_none_or(|r| hidden.0.contains(&r.name))
    };
    // How many curves there are already between two regions, and around a place.
    let mut between: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    let mut around = 0u32;
    let mut curves = Vec::new();
    for projection in &structure.projections {
        let (from, to) = (projection.from, projection.to);
        if is_hidden(from) || is_hidden(to) {
            continue;
        }
        let curve = if from == to || shapes.mixed(from, to) {
            around += 1;
            loop_around(shapes, from, to, around)
        } else {
            let rank = between.entry((from, to)).or_default();
            *rank += 1;
            arc_between(shapes, from, to, *rank)
        };
        let opacity = match chosen {
            Some(name) if name == projection.name => 1.0,
            Some(_) => 0.25,
            None if projection.muted => 0.12,
            None if behind => 0.16,
            None => 0.82,
        };
        let colour = if projection.mean_weight < 0.0 {
            theme.inhibitory
        } else {
            theme.excitatory
        };
        curves.push(curve.drawn(width_of(projection, shapes), linear(colour, opacity)));
    }
    curves
}

/// A bundle's width in mm: it grows with the logarithm of the synapses.
fn width_of(projection: &ProjectionInfo, shapes: &Shapes) -> f32 {
    let decades = (projection.synapses.max(1) as f32).log10();
    shapes.radius * (0.005 + 0.0035 * decades)
}

/// A loop outside a region, or outside two that share a place, each loop in another direction.
fn loop_around(shapes: &Shapes, from: usize, to: usize, rank: u32) -> Curve {
    let (Some(a), Some(b)) = (shapes.regions.get(from), shapes.regions.get(to)) else {
        return Curve::around(shapes.middle, Vec3::Y, Vec3::X, shapes.radius);
    };
    let larger = if b.radius() > a.radius() { b } else { a };
    let away = larger.centre - shapes.middle;
    let (up, turn) = (Vec3::Y, rank as f32 * GOLDEN);
    let tilt = Vec3::new(turn.cos(), 0.35 * (turn * 1.7).sin(), turn.sin());
    // Away from the other regions where there are some, else to all sides.
    let out = if away.length() > 0.3 * larger.radius() {
        away.normalize() + 0.55 * tilt + 0.35 * up
    } else {
        tilt + 0.25 * up
    };
    let out = out.normalize_or(up);
    let at = larger.centre + out * larger.reach(out) * 1.01;
    Curve::around(at, out, out.cross(up + tilt * 0.3), larger.radius() * 0.42)
}

/// An arc from the surface of a region to that of another; arcs there and back bend to different sides.
fn arc_between(shapes: &Shapes, from: usize, to: usize, rank: u32) -> Curve {
    let (a, b) = (&shapes.regions[from], &shapes.regions[to]);
    let along = b.centre - a.centre;
    let outwards = a.centre.midpoint(b.centre) - shapes.middle;
    let side = along.cross(Vec3::Z + Vec3::Y * 0.5).normalize_or(Vec3::Y);
    let aside = side + 0.7 * outwards.normalize_or_zero();
    let bend = 0.16 + 0.09 * rank as f32;
    // Where an arc between the middles would leave one ball and enter the other.
    let whole = Curve::between(a.centre, b.centre, aside, bend);
    let [start, out, inwards, end] = whole.through;
    let leave = (out - start).normalize_or(Vec3::X);
    let enter = (inwards - end).normalize_or(Vec3::X);
    let from = start + leave * a.reach(leave).min(along.length() * 0.45) * 1.03;
    let to = end + enter * b.reach(enter).min(along.length() * 0.45) * 1.03;
    Curve::between(from, to, aside, bend)
}

/// Draws the synapses of the selected neuron.
pub fn draw_threads(
    live: Res<Live>,
    preferences: Res<Preferences>,
    theme: Res<Theme>,
    selected: Res<Selected>,
    hidden: Res<HiddenRegions>,
    neurons: Res<Neurons>,
    mut threads: ResMut<Threads>,
    mut commands: Commands,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<RibbonMaterial>>,
) {
    let shown = preferences.scene3d.synapses && !selected.neurons.is_empty();
    let wanted = live.synapses.as_ref().filter(|_| shown);
    let same = match (&threads.drawn, wanted) {
        (Some(drawn), Some(wanted)) => Arc::ptr_eq(drawn, wanted),
        (None, None) => true,
        _ => false,
    };
    if same && !theme.is_changed() && !hidden.is_changed() {
        return;
    }
    threads.drawn = wanted.cloned();
    if let Some(old) = threads.entity.take() {
        commands.entity(old).despawn();
    }
    threads.threads = match (wanted, &live.structure) {
        (Some(wanted), Some(structure)) => threads_of(wanted, structure, &neurons, &theme, &hidden),
        _ => Vec::new(),
    };
    threads.longest = threads.threads.iter().map(|(_, t)| t.delay).max();
    if threads.threads.is_empty() {
        return;
    }
    let curves: Vec<_> = threads.threads.iter().map(|(_, t)| t.curve).collect();
    let entity = commands.spawn((
        Mesh3d(meshes.add(ribbon_mesh(&curves, Style::Thread))),
        MeshMaterial3d(materials.add(RibbonMaterial {
            look: neurons.look.clone(),
        })),
        NoFrustumCulling,
    ));
    threads.entity = Some(entity.id());
}

/// One thread per synapse, its width by its weight, its colour by its sign; sorted by the presynaptic neuron.
fn threads_of(
    synapses: &NeuronSynapses,
    structure: &Structure,
    neurons: &Neurons,
    theme: &Theme,
    hidden: &HiddenRegions,
) -> Vec<(u32, Thread)> {
    let shapes = &neurons.shapes;
    let place = |number: u32| {
        let id = structure.neuron(number)?;
        if hidden.0.contains(&structure.regions[id.region].name) {
            return None;
        }
        neurons.places.get(number as usize).copied()
    };
    let weights = synapses.synapses.iter().map(|s| s.weight.abs());
    let largest = weights.filter(|w| w.is_finite()).fold(0.0, f32::max);
    // Many threads are each fainter, so that those behind can be seen.
    let opacity = (9.0 / (synapses.synapses.len() as f32).sqrt()).clamp(0.16, 0.9);
    let mut threads: Vec<(u32, Thread)> = (synapses.synapses.iter())
        .filter_map(|synapse| {
            let (from, to) = (place(synapse.from)?, place(synapse.to)?);
            let share = if largest > 0.0 {
                synapse.weight.abs() / largest
            } else {
                0.0
            };
            let colour = if synapse.weight < 0.0 {
                theme.inhibitory
            } else {
                theme.excitatory
            };
            let (start, end) = (from.truncate(), to.truncate());
            let curve = if synapse.from == synapse.to {
                let out = start - shapes.middle;
                Curve::around(start, out, Vec3::Z, from.w * 6.0)
            } else {
                let aside = start.midpoint(end) - shapes.middle + Vec3::Y * 0.25 * shapes.radius;
                Curve::between(start, end, aside, 0.16)
            };
            let width = shapes.radius * (0.0012 + 0.0055 * share);
            let opacity = opacity * (0.45 + 0.55 * share);
            let thread = Thread {
                curve: curve.drawn(width, linear(colour, opacity)),
                delay: synapse.delay,
            };
            Some((synapse.from, thread))
        })
        .collect();
    threads.sort_by_key(|(from, _)| *from);
    threads
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    fn shapes() -> Shapes {
        let region = |x: f32| Shape {
            centre: Vec3::X * x,
            half: Vec3::splat(0.5),
            neuron: 0.02,
        };
        Shapes {
            regions: vec![region(-1.0), region(1.0), region(1.05)],
            middle: Vec3::ZERO,
            radius: 1.5,
        }
    }

    #[test]
    fn arcs_begin_and_end_at_the_surface_and_differ_there_and_back() {
        let there = arc_between(&shapes(), 0, 1, 1);
        let back = arc_between(&shapes(), 1, 0, 1);
        let left = |p: Vec3| (p.distance(-Vec3::X) - 0.5).abs() < 0.05;
        let right = |p: Vec3| (p.distance(Vec3::X) - 0.5).abs() < 0.05;
        assert!(left(there.at(0.0)) && right(there.at(1.0)));
        assert!(right(back.at(0.0)) && left(back.at(1.0)));
        assert!(there.at(0.5).distance(back.at(0.5)) > 0.2);
    }

    #[test]
    fn regions_in_one_place_have_loops_outside() {
        let shapes = shapes();
        assert!(shapes.mixed(1, 2) && !shapes.mixed(0, 1));
        let loops: Vec<_> = (1..5)
            .map(|rank| loop_around(&shapes, 1, 2, rank))
            .collect();
        for (i, one) in loops.iter().enumerate() {
            assert!(one.at(0.5).distance(Vec3::X) > 0.6);
            for other in &loops[..i] {
                assert!(one.at(0.5).distance(other.at(0.5)) > 0.1);
            }
        }
    }

    #[test]
    fn wider_bundles_hold_more_synapses() {
        let projection = |synapses| ProjectionInfo {
            name: String::new(),
            from: 0,
            to: 1,
            synapses,
            bytes: 0,
            muted: false,
            mean_weight: 1.0,
            mean_delay_ms: 1.0,
            receptor: "",
        };
        let width = |n| width_of(&projection(n), &shapes());
        assert!(width(0) > 0.0 && width(1000) > width(10));
    }
}
