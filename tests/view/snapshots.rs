//! Pictures compared with stored ones: every shipped scene in 3D, every panel.
//!
//! The stored pictures are in `tests/view/pictures`. Drivers differ in how they round, so a few pixels may be others. Where a change is
//! meant, `NEUROPIL_UPDATE_PICTURES=1 cargo test --test view snapshots` stores the pictures anew; look at them before they are committed.

use super::{App, open, seek, shipped, usual};
use bevy_egui::egui;
use neuropil::prelude::*;
use neuropil::scene::load::load;
use neuropil::scene::shipped::SCENES;
use neuropil::session::command::{Place, SimCommand};
use neuropil::view::app::Panels;
use neuropil::view::live::{Live, Selected};
use neuropil::view::offscreen::Picture;
use neuropil::view::panels::PanelKind;
use neuropil::view::shell::Shell;
use std::path::{Path, PathBuf};

/// A channel that differs by more than this is another colour.
const OTHER: u8 = 32;
/// The largest part of the pixels that may have another colour.
const MOST_OTHER: f64 = 0.004;
/// The largest mean difference of all channels.
const MOST_MEAN: f64 = 1.0;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/view/pictures")
}

/// Whether pictures are stored instead of compared.
fn updates() -> bool {
    std::env::var("NEUROPIL_UPDATE_PICTURES").is_ok_and(|v| v == "1")
}

fn read(path: &Path) -> Option<Picture> {
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).ok()?));
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    Some(Picture {
        width: info.width,
        height: info.height,
        pixels,
    })
}

/// Compares a picture with the stored one, or stores it if that is asked for. Says what is wrong.
fn compare(name: &str, picture: &Picture) -> Result<(), String> {
    let stored = folder().join(format!("{name}.png"));
    if updates() {
        std::fs::create_dir_all(folder()).map_err(|e| e.to_string())?;
        return picture.write_png(&stored).map_err(|e| e.to_string());
    }
    let there = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
    let fails = |what: String| {
        // What was drawn is kept beside, to be looked at.
        let _ = picture.write_png(&there);
        let (there, stored) = (there.display(), stored.display());
        Err(format!("{name}: {what}; compare {there} with {stored}"))
    };
    let Some(expected) = read(&stored) else {
        return fails("there is no stored picture".into());
    };
    if (picture.width, picture.height) != (expected.width, expected.height) {
        return fails("it has another size".into());
    }
    let pairs = || picture.pixels.chunks(4).zip(expected.pixels.chunks(4));
    let most = |(a, b): (&[u8], &[u8])| (0..3).map(|i| a[i].abs_diff(b[i])).max().unwrap_or(0);
    let other = pairs().filter(|pair| most(*pair) > OTHER).count();
    let other = other as f64 / pairs().count().max(1) as f64;
    let channels = || picture.pixels.iter().zip(&expected.pixels);
    let sum: f64 = channels().map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    let mean = sum / channels().count().max(1) as f64;
    if other > MOST_OTHER || mean > MOST_MEAN {
        let part = 100.0 * other;
        return fails(format!(
            "{part:.2} % of the pixels have another colour, the mean difference is {mean:.2} of 255"
        ));
    }
    Ok(())
}

fn all_agree(outcomes: Vec<Result<(), String>>) {
    let wrong: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_shipped_scene_looks_as_it_did_and_drawing_changes_no_spike() {
    let mut outcomes = Vec::new();
    for (name, _) in SCENES {
        let settings: &[_] = match *name {
            "microcircuit" => &[("scale", "0.02")],
            _ => &[],
        };
        let Some(mut app) = open(shipped(name), settings, (320, 200), Panels::Hidden, usual())
        else {
            return;
        };
        seek(&mut app, 300);
        let picture = app.picture().expect("a picture");
        outcomes.push(compare(name, &picture));
        let hash = app.world_mut().resource::<Live>().progress.hash;

        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<_> = settings.iter().map(owned).collect();
        let loaded = load(shipped(name), &settings, &Registry::new()).expect("a scene");
        let alone = Simulation::new(&loaded.scene, &BuildOptions::default());
        let mut alone = alone.expect("a network");
        alone.run_steps(300);
        assert_eq!(hash, alone.spike_count().hash, "{name}");
    }
    all_agree(outcomes);
}

/// A network at a moment, with two neurons chosen and a log of two commands.
fn at_work() -> Option<App> {
    let source = shipped("small_world");
    let mut app = open(source, &[], (1280, 800), Panels::Shown, usual())?;
    app.world_mut().resource_mut::<Selected>().neurons = [3, 120].into();
    app.world_mut().resource_mut::<Selected>().region = Some("excitatory".into());
    seek(&mut app, 100);
    let live = app.world_mut().resource::<Live>();
    live.edit(SimCommand::Lesion {
        region: "inhibitory".into(),
        neurons: Selection::Range(0, 20),
    });
    live.edit(SimCommand::Remove(Place::Stimulus("stimulus 1".into())));
    live.edit(SimCommand::Undo);
    live.runner().wait_idle();
    Some(app)
}

#[test]
fn every_panel_looks_as_it_did() {
    let Some(mut app) = at_work() else {
        return;
    };
    let mut outcomes = Vec::new();
    for kind in PanelKind::ALL {
        // How fast this machine is cannot be compared.
        if kind == PanelKind::Performance {
            continue;
        }
        app.world_mut().resource_mut::<Shell>().dock().front(kind);
        app.update(3);
        // What the panel subscribes to comes with the next steps.
        let step = app.world_mut().resource::<Live>().progress.step;
        seek(&mut app, step + 60);
        let whole = app.picture().expect("a picture");
        let rect = app.world_mut().resource_mut::<Shell>().dock().rect(kind);
        let rect = rect.unwrap_or(egui::Rect::NOTHING);
        let name = format!("panel_{}", kind.title().to_lowercase());
        let picture = whole.cut(rect);
        // Another panel of the same size is told from it.
        if kind == PanelKind::Log && !updates() {
            assert!(compare("panel_view", &picture).is_err());
        }
        outcomes.push(compare(&name, &picture));
    }
    all_agree(outcomes);
}
