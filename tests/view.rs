//! The app without a window: what its pictures show, and that watching changes nothing.
//!
//! These tests need a graphics adapter, if only a software one. Without any they are skipped with a printed reason, or fail if
//! `NEUROPIL_REQUIRE_ADAPTER` is 1. They run one after another: each has a renderer of its own.
#![cfg(feature = "view")]

use neuropil::prelude::*;
use neuropil::scene::load::SceneSource;
use neuropil::scene::shipped::SCENES;
use neuropil::session::command::SimCommand;
use neuropil::session::runner::{Request, Runner};
use neuropil::view::adapter::adapter;
use neuropil::view::app::Panels;
use neuropil::view::live::{Live, Selected};
use neuropil::view::offscreen::{Offscreen, Picture};
use neuropil::view::preferences::Preferences;
use std::sync::Mutex;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Whether there is an adapter; if none, says so, and fails where one is required.
fn can_draw() -> bool {
    match adapter() {
        Ok(_) => true,
        Err(reason) => {
            let required = std::env::var("NEUROPIL_REQUIRE_ADAPTER").is_ok_and(|v| v == "1");
            assert!(!required, "{reason}");
            eprintln!("skipped: {reason}");
            false
        }
    }
}

fn open(scene: &str, settings: &[(&str, &str)], size: (u32, u32), panels: Panels) -> Offscreen {
    let runner = Runner::start();
    runner.send(Request::Open {
        source: SceneSource::find(scene).expect("a shipped scene"),
        settings: settings
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect(),
        seed: None,
        play: false,
    });
    let preferences = Preferences {
        tour_seen: true,
        ..Preferences::default()
    };
    let mut offscreen =
        Offscreen::new(size, Live::new(runner), preferences, panels).expect("an adapter");
    offscreen.update(1);
    offscreen
}

fn seek(offscreen: &mut Offscreen, step: u64) {
    let live = offscreen.world_mut().resource::<Live>();
    live.send(Request::Seek(step));
    live.runner().wait_idle();
}

/// Pixels that are not the background's colour.
fn drawn(picture: &Picture) -> usize {
    picture
        .pixels
        .chunks(4)
        .filter(|p| p[0].max(p[1]).max(p[2]) > 60)
        .count()
}

#[test]
fn every_shipped_scene_can_be_drawn_and_drawing_changes_no_spike() {
    let _guard = ONE_AT_A_TIME.lock();
    if !can_draw() {
        return;
    }
    for (name, _) in SCENES {
        let settings: &[_] = match *name {
            "microcircuit" => &[("scale", "0.02")],
            _ => &[],
        };
        let mut offscreen = open(name, settings, (320, 240), Panels::Hidden);
        seek(&mut offscreen, 200);
        let picture = offscreen.picture().expect("a picture");
        assert_eq!((picture.width, picture.height), (320, 240));
        let part = drawn(&picture) as f64 / (320.0 * 240.0);
        assert!((0.005..0.9).contains(&part), "{name}: {part}");
        let hash = offscreen.world_mut().resource::<Live>().progress.hash;

        let registry = Registry::new();
        let settings: Vec<_> = settings
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        let source = SceneSource::find(name).expect("a shipped scene");
        let loaded = neuropil::scene::load::load(source, &settings, &registry).expect("a scene");
        let mut alone =
            Simulation::new(&loaded.scene, &BuildOptions::default()).expect("a network");
        alone.run_steps(200);
        assert_eq!(hash, alone.spike_count().hash, "{name}");
    }
}

#[test]
fn the_same_moment_gives_the_same_picture_and_what_happens_is_seen() {
    let _guard = ONE_AT_A_TIME.lock();
    if !can_draw() {
        return;
    }
    let mut offscreen = open("izhikevich2003", &[], (480, 360), Panels::Hidden);
    seek(&mut offscreen, 300);
    let first = offscreen.picture().expect("a picture");
    seek(&mut offscreen, 150);
    let earlier = offscreen.picture().expect("a picture");
    assert!(earlier != first, "other neurons flash at another time");
    seek(&mut offscreen, 300);
    let again = offscreen.picture().expect("a picture");
    let differ = first
        .pixels
        .chunks(4)
        .zip(again.pixels.chunks(4))
        .filter(|(a, b)| a != b)
        .count();
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
    let _guard = ONE_AT_A_TIME.lock();
    if !can_draw() {
        return;
    }
    for size in [(1280, 800), (640, 400), (200, 120)] {
        let mut offscreen = open("cuba", &[], size, Panels::Shown);
        seek(&mut offscreen, 500);
        let picture = offscreen.picture().expect("a picture");
        assert!(drawn(&picture) > 200, "{size:?}");
    }
}

/// `view` is an observer: nothing below it names it, nor a graphics crate.
#[test]
fn nothing_below_the_view_names_it() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("view") {
                    folders.push(path);
                }
                continue;
            }
            let name = path
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or_default();
            if !name.ends_with(".rs") || ["lib.rs", "cli.rs"].contains(&name) {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a text");
            for word in [
                "crate::view",
                "bevy_egui",
                "egui::",
                "bevy_render",
                "wgpu::",
                "winit::",
            ] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
    assert!(files > 50);
}
