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

/// Where the test that loses its device runs.
const LOST: &str = "NEUROPIL_TEST_LOST_IN";

/// A device is lost when a driver is updated or a graphics card is pulled: a message instead of a panic, and the commands are kept.
#[test]
fn a_lost_device_ends_the_app_and_keeps_what_was_done() {
    if open(
        shipped("small_world"),
        &[],
        (64, 64),
        Panels::Hidden,
        usual(),
    )
    .is_none()
    {
        return;
    }
    let folder = std::env::temp_dir().join(format!("neuropil-lost-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let test = std::env::current_exe().expect("this test");
    let output = std::process::Command::new(test)
        .args([
            "--exact",
            "app::loses_its_device",
            "--ignored",
            "--nocapture",
        ])
        .env(LOST, &folder)
        .output()
        .expect("the test again");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: the window was lost ("), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let kept = std::fs::read_to_string(folder.join("neuropil-rescued-1.ron")).expect("a log");
    let first = "// neuropil run 'small_world' --seed 1 --commands 'neuropil-rescued-1.ron'\n";
    assert!(kept.starts_with(first), "{kept}");
    let log = neuropil::session::log::read_log(&kept, "log", &Registry::new()).expect("a log");
    assert_eq!(log.len(), 1);
    std::fs::remove_dir_all(folder).expect("the folder");
}

#[test]
#[ignore = "run by the test above, in a process that ends"]
fn loses_its_device() {
    use bevy::render::renderer::RenderDevice;
    let Some(folder) = std::env::var_os(LOST) else {
        return;
    };
    std::env::set_current_dir(folder).expect("a folder");
    let source = shipped("small_world");
    let mut app = open(source, &[], (320, 240), Panels::Hidden, usual()).expect("an adapter");
    seek(&mut app, 50);
    let live = app.world_mut().resource::<Live>();
    live.edit(SimCommand::Lesion {
        region: "excitatory".into(),
        neurons: Selection::All,
    });
    live.runner().wait_idle();
    let runner = live.shared_runner();
    app.update(1);
    let device = app.world_mut().resource::<RenderDevice>().clone();
    let _ = neuropil::view::loss::guarded(runner, || {
        device.wgpu_device().destroy();
        for _ in 0..100 {
            app.update(1);
        }
        bevy::app::AppExit::error()
    });
}
