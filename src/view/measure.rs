//! How fast the app is: frames per second of networks of several sizes, what publishing costs the simulation, how soon a window is there.

use super::adapter::{CannotDraw, adapter, display};
use super::app::Panels;
use super::live::{Live, receive_frames};
use super::offscreen::Offscreen;
use super::preferences::Preferences;
use super::scene3d::Effort;
use crate::headless::say;
use crate::results::report::cpu_seconds;
use crate::scene::build::BuildOptions;
use crate::scene::load::SceneSource;
use crate::scene::shipped;
use crate::session::frame::{Structure, Subscription, TraceOf};
use crate::session::runner::{Request, Runner};
use crate::sim::clock::Pacing;
use bevy::prelude::*;
use bevy::window::WindowCreated;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The size of the pictures in pixels.
const SIZE: (u32, u32) = (1280, 800);
/// Frames that are not counted.
const WARM_UP: usize = 10;
/// How long frames are counted.
const COUNTED: Duration = Duration::from_secs(4);
/// Simulated against wall time while frames are counted.
const SPEED: f64 = 0.05;
/// Scenes for what publishing costs.
const PUBLISHED: [&str; 3] = ["izhikevich2003", "cuba", "brunel2000"];
/// How often frames are taken while their cost is measured, and for how long.
const TAKEN: (Duration, Duration) = (Duration::from_millis(16), Duration::from_secs(1));
/// Turns of watching and of not watching.
const TURNS: usize = 6;

/// Something that was measured.
#[derive(Serialize)]
struct Row {
    what: &'static str,
    of: String,
    value: f64,
    unit: &'static str,
}

impl Row {
    fn say(&self, json: bool) {
        if json {
            return say(&serde_json::to_string(self).unwrap_or_default());
        }
        let value = if self.value < 10.0 {
            format!("{:.3}", self.value)
        } else {
            format!("{:.1}", self.value)
        };
        say(&format!(
            "{:<34} {:<26} {value:>9} {}",
            self.what, self.of, self.unit
        ));
    }
}

/// Measures, and prints a table or one JSON object per line.
///
/// # Errors
/// There is no adapter, or it was lost.
pub fn measure(json: bool) -> Result<(), CannotDraw> {
    let adapter = adapter()?;
    if !json {
        say(&format!("{}, {} x {} pixels", adapter.name, SIZE.0, SIZE.1));
    }
    let effort = match adapter.software {
        true => Effort::Least,
        false => Effort::Fine,
    };
    for neurons in [1_000, 10_000, 100_000] {
        for (panels, what) in [
            (Panels::Hidden, "frames, 3D view alone"),
            (Panels::Shown, "frames, with panels"),
        ] {
            let row = Row {
                what,
                of: format!("{neurons} neurons"),
                value: frames_per_second(neurons, panels, effort)?,
                unit: "per s",
            };
            row.say(json);
        }
    }
    for name in PUBLISHED {
        let [alone, watched] = step_costs(name);
        let rows = [
            ("CPU time of a step, nobody watches", alone * 1e6, "us"),
            ("CPU time of a step, all published", watched * 1e6, "us"),
            ("added by publishing", 100.0 * (watched / alone - 1.0), "%"),
        ];
        for (what, value, unit) in rows {
            let of = name.to_owned();
            let row = Row {
                what,
                of,
                value,
                unit,
            };
            row.say(json);
        }
    }
    if display().is_ok() {
        for row in opening() {
            row.say(json);
        }
    }
    Ok(())
}

/// A balanced network of this size, four in five neurons excitatory, 20 synapses each.
fn network(neurons: u32) -> SceneSource {
    let inhibitory = neurons / 5;
    let text = format!(
        "Scene(title: \"{neurons} neurons\", dt_ms: 0.1, duration_ms: 1000, regions: [
            (name: \"E\", neurons: {}, model: LifExp, layout: Ball(radius_mm: 1, centre_mm: (-0.6, 0, 0))),
            (name: \"I\", neurons: {inhibitory}, model: LifExp, layout: Ball(radius_mm: 0.7, centre_mm: (1.1, 0, 0))),
        ], projections: [
            (from: \"E\", to: \"E\", rule: FixedIndegree(16), weight: 20, delay_ms: 1.5),
            (from: \"E\", to: \"I\", rule: FixedIndegree(16), weight: 20, delay_ms: 1.5),
            (from: \"I\", to: \"E\", rule: FixedIndegree(4), weight: -80, delay_ms: 1.5),
            (from: \"I\", to: \"I\", rule: FixedIndegree(4), weight: -80, delay_ms: 1.5),
        ], stimuli: [
            (to: \"E\", kind: Poisson(rate_hz: 9000, weight: 20, delay_ms: 1)),
            (to: \"I\", kind: Poisson(rate_hz: 9000, weight: 20, delay_ms: 1)),
        ])",
        neurons - inhibitory
    );
    SceneSource::from_text("measured", text)
}

fn open(runner: &Runner, source: SceneSource) {
    runner.send(Request::Open {
        source,
        settings: Vec::new(),
        seed: None,
        play: false,
    });
    runner.wait_idle();
}

fn frames_per_second(neurons: u32, panels: Panels, effort: Effort) -> Result<f64, CannotDraw> {
    let runner = Runner::start();
    open(&runner, network(neurons));
    runner.send(Request::Pace(Pacing::RealTime(SPEED)));
    let preferences = Preferences {
        tour_seen: true,
        ..default()
    };
    let live = Live::new(runner);
    let mut offscreen = Offscreen::with_effort(SIZE, live, preferences, panels, effort)?;
    offscreen.update(WARM_UP);
    let (begun, mut frames) = (Instant::now(), 0);
    while begun.elapsed() < COUNTED {
        offscreen.update(1);
        frames += 1;
    }
    Ok(f64::from(frames) / begun.elapsed().as_secs_f64())
}

/// Everything that panels can ask for at once.
fn everything(structure: &Structure) -> Subscription {
    let region = &structure.regions[0];
    let traces = (0..8.min(region.neurons)).map(|neuron| TraceOf::Column {
        region: region.name.clone(),
        neuron,
        column: region.columns[0].0.to_owned(),
    });
    Subscription {
        spikes: true,
        column: Some(region.columns[0].0.to_owned()),
        traces: traces.collect(),
        state_of: Some((region.name.clone(), 0)),
        synapses_of: Some((region.name.clone(), 0)),
        weights_of: structure.projections.first().map(|p| p.name.clone()),
        stages: true,
    }
}

/// The CPU time of a step in seconds while nobody watches and while everything is published, on one thread, as fast as it goes. The two
/// take turns on one network; of each the best turn counts.
fn step_costs(name: &str) -> [f64; 2] {
    let runner = Runner::with_options(BuildOptions {
        threads: 1,
        ..BuildOptions::default()
    });
    let text = shipped::text(name).unwrap_or_default();
    open(&runner, SceneSource::from_text(name, text));
    let structure: Arc<Structure> = loop {
        if let Some(structure) = runner.take_frame().and_then(|frame| frame.structure) {
            break structure;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    runner.send(Request::Pace(Pacing::Unlimited));
    let mut best = [f64::INFINITY; 2];
    for turn in 0..2 * TURNS {
        let watched = turn % 2;
        runner.send(Request::Subscribe(match watched {
            0 => Subscription::default(),
            _ => everything(&structure),
        }));
        let cost = turn_cost(&runner, watched == 1);
        // The first turns warm up.
        if turn > 1 {
            best[watched] = best[watched].min(cost);
        }
    }
    best
}

/// The CPU time of a step over a turn.
fn turn_cost(runner: &Runner, watched: bool) -> f64 {
    // A frame that waits to be taken may be old; the one after it is not.
    let steps = || loop {
        std::thread::sleep(TAKEN.0);
        if let Some(frame) = runner.take_frame() {
            let step = frame.progress.step;
            runner.recycle(frame);
            break step;
        }
    };
    steps();
    let first = steps();
    let (cpu, begun) = (cpu_seconds().unwrap_or(0.0), Instant::now());
    while begun.elapsed() < TAKEN.1 {
        match watched {
            true => drop(steps()),
            false => std::thread::sleep(TAKEN.0),
        }
    }
    steps();
    let last = steps();
    (cpu_seconds().unwrap_or(0.0) - cpu) / (last - first).max(1) as f64
}

/// What a window says that was opened to be measured.
#[derive(Serialize, Deserialize)]
struct Opening {
    window_s: f64,
    picture_s: f64,
}

/// Opens a window in another process, as a user does.
fn opening() -> Vec<Row> {
    let Ok(program) = std::env::current_exe() else {
        return Vec::new();
    };
    let output = std::process::Command::new(program)
        .args(["view", "--until-drawn"])
        .output();
    let said = output.ok().map(|o| o.stdout).unwrap_or_default();
    let Ok(opening) = serde_json::from_slice::<Opening>(&said) else {
        return Vec::new();
    };
    let row = |what, value| Row {
        what,
        of: "izhikevich2003".into(),
        value,
        unit: "s",
    };
    vec![
        row("from start to a window", opening.window_s),
        row("from start to the first picture", opening.picture_s),
    ]
}

/// Says when the window was there and when it first showed the network, and closes it. `started` is when the program did.
pub fn until_drawn(app: &mut App, started: Instant) {
    let mut window_s = None;
    let mut frames = 0;
    let look = move |created: MessageReader<WindowCreated>,
                     live: Res<Live>,
                     mut exit: MessageWriter<AppExit>| {
        if window_s.is_none() && !created.is_empty() {
            window_s = Some(started.elapsed().as_secs_f64());
        }
        // Of two frames one is being drawn while the other is prepared; when the third begins, the first has been shown.
        frames += u32::from(live.structure.is_some());
        if frames == 4 {
            let opening = Opening {
                window_s: window_s.unwrap_or(f64::NAN),
                picture_s: started.elapsed().as_secs_f64(),
            };
            say(&serde_json::to_string(&opening).unwrap_or_default());
            exit.write(AppExit::Success);
        }
    };
    app.add_systems(PreUpdate, look.after(receive_frames));
}
