//! The app as a whole: moments and edits that are seen, all panels at any size.

use super::{differing, open, seek, shipped, usual};
use neuropil::prelude::*;
use neuropil::session::command::SimCommand;
use neuropil::view::app::Panels;
use neuropil::view::live::{Live, Selected};
use neuropil::view::offscreen::Picture;

/// Pixels that are not the background's colour.
fn drawn(picture: &Picture) -> usize {
    picture
        .pixels
        .chunks(4)
        .filter(|p| p[0].max(p[1]).max(p[2]) > 60)
        .count()
}

#[test]
fn the_same_moment_gives_the_same_picture_and_what_happens_is_seen() {
    let source = shipped("izhikevich2003");
    let Some(mut offscreen) = open(source, &[], (480, 360), Panels::Hidden, usual()) else {
        return;
    };
    seek(&mut offscreen, 300);
    let first = offscreen.picture().expect("a picture");
    seek(&mut offscreen, 150);
    let earlier = offscreen.picture().expect("a picture");
    assert!(earlier != first, "other neurons flash at another time");
    seek(&mut offscreen, 300);
    let again = offscreen.picture().expect("a picture");
    let differ = differing(&first, &again);
    assert!(differ < 50, "{differ} pixels differ");

    offscreen.world_mut().resource_mut::<Selected>().neurons = [5].into();
    offscreen.update(3);
    offscreen
        .world_mut()
        .resource::<Live>()
        .runner()
        .wait_idle();
    let selected = offscreen.picture().expect("a picture");
    assert!(
        selected != again,
        "the selected neuron's synapses are drawn"
    );
    offscreen
        .world_mut()
        .resource_mut::<Selected>()
        .neurons
        .clear();

    let live = offscreen.world_mut().resource::<Live>();
    live.edit(SimCommand::Lesion {
        region: "excitatory".into(),
        neurons: Selection::All,
    });
    live.runner().wait_idle();
    let lesioned = offscreen.picture().expect("a picture");
    let blue = |picture: &Picture| {
        picture
            .pixels
            .chunks(4)
            .filter(|p| p[2] > 120 && p[0] < 90)
            .count()
    };
    assert!(
        blue(&lesioned) * 4 < blue(&first),
        "{} {}",
        blue(&lesioned),
        blue(&first)
    );
}

#[test]
fn the_app_with_all_panels_is_drawn_at_any_size() {
    for size in [(1280, 800), (640, 400), (200, 120)] {
        let Some(mut offscreen) = open(shipped("cuba"), &[], size, Panels::Shown, usual()) else {
            return;
        };
        seek(&mut offscreen, 500);
        let picture = offscreen.picture().expect("a picture");
        assert!(drawn(&picture) > 200, "{size:?}");
    }
}
