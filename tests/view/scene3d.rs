//! The 3D view, drawn without a window: what a picture must show of a network that really runs.

use super::{App, differing, open, seek};
use neuropil::network::stimulus::Selection;
use neuropil::scene::load::SceneSource;
use neuropil::session::command::SimCommand;
use neuropil::view::app::Panels;
use neuropil::view::live::{Live, Selected};
use neuropil::view::offscreen::Picture;
use neuropil::view::preferences::{ColourBy, Preferences};
use neuropil::view::scene3d::HiddenRegions;
use neuropil::view::scene3d::camera::{FIELD_OF_VIEW, Orbit};
use neuropil::view::scene3d::pick::Projector;
use neuropil::view::theme::Theme;

/// Two balls beside each other; one neuron of the first spikes at 20 ms, and its spike takes 4 ms to its targets.
const TWO_BALLS: &str = r#"Scene(
    title: "two balls", dt_ms: 0.1, duration_ms: 100, seed: 5,
    regions: [
        (name: "thalamus", neurons: 200, model: SpikeSource(spikes: [(20, 0), (20, 1), (20, 2), (20, 3), (20, 4), (20, 5), (20, 6), (20, 7), (20, 8), (20, 9)]), layout: Ball(radius_mm: 0.35, centre_mm: (-1.0, 0, 0))),
        (name: "cortex", neurons: 800, model: LifExp(), layout: Ball(radius_mm: 0.6, centre_mm: (0.6, 0, 0))),
    ],
    projections: [
        (from: "thalamus", to: "cortex", rule: FixedOutdegree(60), weight: Uniform(min: 1, max: 9), delay_ms: 4),
        (from: "cortex", to: "cortex", rule: FixedIndegree(10), weight: -5, delay_ms: 1),
    ],
)"#;

const SIZE: (u32, u32) = (640, 400);

fn offscreen(text: &str, preferences: Preferences) -> Option<App> {
    let source = SceneSource::from_text("test", text);
    open(source, &[], SIZE, Panels::Hidden, preferences)
}

fn picture(offscreen: &mut App, name: &str) -> Picture {
    let picture = offscreen.picture().expect("a picture");
    assert_eq!((picture.width, picture.height), SIZE);
    let folder = std::env::temp_dir().join("scene3d");
    if std::fs::create_dir_all(&folder).is_ok() {
        let _ = picture.write_png(&folder.join(name));
    }
    picture
}

fn light(pixel: &[u8]) -> u32 {
    pixel[..3].iter().map(|b| u32::from(*b)).sum()
}

/// The light of the brightest pixel within a few pixels of a neuron.
fn light_at(offscreen: &mut App, picture: &Picture, neuron: u32) -> u32 {
    let world = offscreen.world_mut();
    let place = {
        let structure = world
            .resource::<Live>()
            .structure
            .clone()
            .expect("a network");
        let id = structure.neuron(neuron).expect("a neuron");
        structure.regions[id.region].positions[id.neuron as usize]
    };
    let area = bevy_egui::egui::Rect::from_min_size(
        bevy_egui::egui::Pos2::ZERO,
        bevy_egui::egui::vec2(SIZE.0 as f32, SIZE.1 as f32),
    );
    let camera = world.resource::<Orbit>().now.transform();
    let projector = Projector::new(&camera, FIELD_OF_VIEW, area);
    let (at, _) = projector.project(place.into()).expect("in front");
    let (x, y) = (at.x as i64, at.y as i64);
    let near = (-2..=2).flat_map(|dy| (-2..=2).map(move |dx| (x + dx, y + dy)));
    near.map(|(x, y)| {
        let at = (y.clamp(0, i64::from(SIZE.1) - 1) * i64::from(SIZE.0)
            + x.clamp(0, i64::from(SIZE.0) - 1)) as usize
            * 4;
        light(&picture.pixels[at..at + 4])
    })
    .max()
    .unwrap_or(0)
}

fn plain() -> Preferences {
    let mut preferences = Preferences::default();
    preferences.scene3d.labels = false;
    preferences.scene3d.bundles = false;
    preferences
}

#[test]
fn neurons_are_seen_and_bundles_and_labels_add_to_them() {
    let Some(mut bare) = offscreen(TWO_BALLS, plain()) else {
        return;
    };
    let theme = Theme::default();
    let background = &theme.background.to_array()[..3];
    let neurons = picture(&mut bare, "neurons.png");
    let seen = neurons.pixels.chunks(4).filter(|p| &p[..3] != background);
    assert!(seen.count() > 3000);
    bare.world_mut().insert_resource(Preferences::default());
    let all = picture(&mut bare, "all.png");
    assert!(differing(&neurons, &all) > 1000);

    bare.world_mut()
        .resource_mut::<HiddenRegions>()
        .toggle("cortex");
    bare.world_mut().insert_resource(plain());
    let half = picture(&mut bare, "hidden.png");
    let count = |p: &Picture| p.pixels.chunks(4).filter(|p| &p[..3] != background).count();
    assert!(count(&half) < count(&neurons) / 2);
}

#[test]
fn a_spike_flashes_and_decays_in_simulated_time() {
    let Some(mut app) = offscreen(TWO_BALLS, plain()) else {
        return;
    };
    seek(&mut app, 190);
    let before = picture(&mut app, "before_spike.png");
    seek(&mut app, 200);
    let flash = picture(&mut app, "spike.png");
    seek(&mut app, 320);
    let later = picture(&mut app, "after_spike.png");
    // Some of the ten are behind others.
    let flashes = (0..10).filter(|&neuron| {
        let dark = light_at(&mut app, &before, neuron);
        let bright = light_at(&mut app, &flash, neuron);
        let fading = light_at(&mut app, &later, neuron);
        bright > dark + 60 && bright > fading && fading >= dark
    });
    assert!(flashes.count() >= 6);
    let silent =
        (50..60).filter(|&n| light_at(&mut app, &flash, n) > light_at(&mut app, &before, n) + 60);
    assert!(silent.count() <= 2);
}

#[test]
fn the_synapses_of_a_selected_neuron_appear_with_spikes_under_way() {
    let Some(mut app) = offscreen(TWO_BALLS, plain()) else {
        return;
    };
    seek(&mut app, 190);
    let alone = picture(&mut app, "unselected.png");
    app.world_mut().resource_mut::<Selected>().neurons.insert(0);
    let still = picture(&mut app, "selected.png");
    let live = app.world_mut().resource::<Live>();
    assert_eq!(live.synapses.as_ref().map(|s| s.outgoing), Some(60));
    assert!(differing(&alone, &still) > 2000);
    seek(&mut app, 220);
    let under_way = picture(&mut app, "under_way.png");
    seek(&mut app, 230);
    let further = picture(&mut app, "further.png");
    assert!(differing(&under_way, &further) > 200);
    app.world_mut().resource_mut::<Selected>().neurons.clear();
    seek(&mut app, 190);
    let again = picture(&mut app, "cleared.png");
    assert_eq!(differing(&alone, &again), 0);
}

#[test]
fn a_picture_depends_on_the_network_alone() {
    let coloured = || {
        let mut preferences = Preferences::default();
        preferences.scene3d.colour_by = ColourBy::Column("v".into());
        preferences
    };
    let Some(mut one) = offscreen(TWO_BALLS, coloured()) else {
        return;
    };
    seek(&mut one, 300);
    picture(&mut one, "coloured_early.png");
    seek(&mut one, 250);
    let after_another = picture(&mut one, "coloured.png");
    drop(one);
    let Some(mut other) = offscreen(TWO_BALLS, coloured()) else {
        return;
    };
    other.update(17);
    seek(&mut other, 250);
    let direct = picture(&mut other, "coloured_again.png");
    assert_eq!(differing(&after_another, &direct), 0);
}

#[test]
fn a_lesioned_neuron_loses_its_colour() {
    let Some(mut app) = offscreen(TWO_BALLS, plain()) else {
        return;
    };
    let before = picture(&mut app, "whole.png");
    app.world_mut().resource::<Live>().edit(SimCommand::Lesion {
        region: "cortex".into(),
        neurons: Selection::Range(0, 799),
    });
    app.world_mut().resource::<Live>().runner().wait_idle();
    let after = picture(&mut app, "lesioned.png");
    assert_eq!(app.world_mut().resource::<Live>().notices, []);
    assert!(differing(&before, &after) > 2000);
    let colourful = |p: &Picture| -> u64 {
        let spread = |p: &[u8]| {
            u64::from(p[..3].iter().max().unwrap_or(&0) - p[..3].iter().min().unwrap_or(&0))
        };
        p.pixels.chunks(4).map(spread).sum()
    };
    assert!(colourful(&after) < colourful(&before));
}
