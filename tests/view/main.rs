//! The app without a window: what its pictures show, and that watching changes nothing.
//!
//! These tests need a graphics adapter, if only a software one. Without any they are skipped with a printed reason, or fail if
//! `NEUROPIL_REQUIRE_ADAPTER` is 1. They run one after another: each has a renderer of its own.
#![cfg(feature = "view")]

mod app;
mod layers;
mod scene3d;
mod snapshots;

use neuropil::scene::load::SceneSource;
use neuropil::session::runner::{Request, Runner};
use neuropil::view::adapter::adapter;
use neuropil::view::app::Panels;
use neuropil::view::live::Live;
use neuropil::view::offscreen::{Offscreen, Picture};
use neuropil::view::preferences::Preferences;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// The app without a window, while no other test has one.
pub struct App {
    offscreen: Offscreen,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for App {
    type Target = Offscreen;

    fn deref(&self) -> &Offscreen {
        &self.offscreen
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut Offscreen {
        &mut self.offscreen
    }
}

/// Preferences that do not depend on who runs the tests.
pub fn usual() -> Preferences {
    Preferences {
        tour_seen: true,
        ..Preferences::default()
    }
}

/// Opens a scene in a picture of this size, at its start; none where nothing can be drawn.
pub fn open(
    source: SceneSource,
    settings: &[(&str, &str)],
    size: (u32, u32),
    panels: Panels,
    preferences: Preferences,
) -> Option<App> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(reason) = adapter() {
        let required = std::env::var("NEUROPIL_REQUIRE_ADAPTER").is_ok_and(|v| v == "1");
        assert!(!required, "{reason}");
        eprintln!("skipped: {reason}");
        return None;
    }
    let runner = Runner::start();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    runner.send(Request::Open {
        source,
        settings: settings.iter().map(owned).collect(),
        seed: None,
        play: false,
    });
    runner.wait_idle();
    let live = Live::new(runner);
    let offscreen = Offscreen::new(size, live, preferences, panels);
    let mut app = App {
        offscreen: offscreen.unwrap_or_else(|e| panic!("{e}")),
        _turn: turn,
    };
    app.update(3);
    Some(app)
}

/// A scene that ships.
pub fn shipped(name: &str) -> SceneSource {
    SceneSource::find(name).expect("a shipped scene")
}

/// Goes to a step, and waits until the network is there.
pub fn seek(app: &mut App, step: u64) {
    let live = app.world_mut().resource::<Live>();
    live.send(Request::Seek(step));
    live.runner().wait_idle();
}

/// How many pixels are not the same.
pub fn differing(one: &Picture, other: &Picture) -> usize {
    let pixels = one.pixels.chunks(4).zip(other.pixels.chunks(4));
    pixels.filter(|(a, b)| a != b).count()
}
