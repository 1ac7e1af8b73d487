//! A session on a thread of its own.
//!
//! The thread handles requests, takes the steps that the pace allows, keeps states to go back to, and publishes a frame whenever the
//! observer has taken the one before. The observer sends requests and takes frames; no call of either side waits for the other.

use super::command::{LoggedCommand, SimCommand};
use super::frame::{Frame, Notice, Progress, Structure, Subscription};
use super::log::write_log;
use super::observe::Observer;
use super::{Session, SessionError, scene_text};
use crate::files::whole::write_whole;
use crate::headless::free_memory;
use crate::scene::build::BuildOptions;
use crate::scene::load::{SceneFiles, SceneSource, load};
use crate::sim::clock::{Pacing, to_steps};
use crate::simulation::Registry;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the thread steps before it looks for requests.
const SLICE: Duration = Duration::from_millis(4);
/// How long it sleeps when there is nothing to do.
const NAP: Duration = Duration::from_millis(10);
/// Wall time between states that are kept.
const KEEP_EVERY: Duration = Duration::from_millis(300);
/// The memory for kept states unless the observer says otherwise, in bytes.
const BUDGET: u64 = 256 << 20;
/// How long the search for the next spike goes on, in simulated ms.
const PATIENCE_MS: f64 = 60_000.0;
/// Over how long speeds are averaged.
const AVERAGED: Duration = Duration::from_millis(500);

/// What the thread is asked to do. Requests are handled in order, between steps.
#[derive(Debug)]
pub enum Request {
    /// Opens a scene. If it is wrong, the network that runs goes on and the error comes as a notice.
    Open {
        /// Its text.
        source: SceneSource,
        /// Settings of its named parameters.
        settings: Vec<(String, String)>,
        /// Another seed than the scene's.
        seed: Option<u64>,
        /// Whether the network may run once it is built; otherwise it is paused.
        play: bool,
    },
    /// Reads the scene's file again and opens it.
    Reload,
    /// An edit.
    Edit(SimCommand),
    /// An edit that goes on with the one just before it, as a number that is dragged does.
    GoOn(SimCommand),
    /// How fast to run.
    Pace(Pacing),
    /// Takes so many steps, then pauses.
    Steps(u64),
    /// Runs until a neuron of these regions (all if empty) spikes, then pauses; gives up after a simulated minute.
    NextSpike(Vec<String>),
    /// Goes to the state after so many steps, back or forth, then keeps its pace.
    Seek(u64),
    /// Goes back to the start; commands stay in the log and act again when their time comes.
    Reset,
    /// What frames shall hold.
    Subscribe(Subscription),
    /// The most memory that kept states may take, in bytes.
    Budget(u64),
    /// Saves the scene as edited.
    SaveScene(PathBuf),
    /// Saves the log of commands.
    SaveLog(PathBuf),
    /// Writes the log to a file if there is any command in it.
    Rescue(PathBuf),
    /// Makes this the log, from the start: its commands act when their time comes.
    Replay(Vec<LoggedCommand>),
}

/// What both sides see.
#[derive(Default)]
struct Shared {
    /// A frame that is ready to be taken.
    ready: Mutex<Option<Box<Frame>>>,
    /// A frame that was read, to be filled again.
    spare: Mutex<Option<Box<Frame>>>,
    /// Requests that were handled.
    handled: Mutex<u64>,
    /// Tells of a change of `handled`, and of the end of what keeps the thread busy.
    change: Condvar,
    /// Whether a seek is under way.
    seeking: AtomicBool,
    /// How far the build under way is, in thousandths.
    built: AtomicU64,
    ended: AtomicBool,
}

/// A lock whose holder may have panicked: what is behind it is whole all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session on a thread of its own. Dropping it ends the thread.
pub struct Runner {
    shared: Arc<Shared>,
    requests: Mutex<Sender<Request>>,
    sent: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

impl Runner {
    /// Starts the thread with default options; it waits for [`Request::Open`].
    pub fn start() -> Self {
        Self::with_options(BuildOptions {
            memory_limit: free_memory(),
            ..BuildOptions::default()
        })
    }

    /// Starts the thread; networks are built with these options.
    pub fn with_options(options: BuildOptions) -> Self {
        let shared = Arc::new(Shared::default());
        let (requests, inbox) = channel();
        let thread = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("simulation".into())
                .spawn(move || {
                    let end = Ended(shared.clone());
                    Thread::new(shared, inbox, options).run();
                    drop(end);
                })
        };
        if thread.is_err() {
            shared.ended.store(true, Ordering::Release);
        }
        Self {
            shared,
            requests: Mutex::new(requests),
            sent: AtomicU64::new(0),
            thread: thread.ok(),
        }
    }

    /// Sends a request; returns at once.
    pub fn send(&self, request: Request) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        // Only a thread that has ended does not listen; `has_ended` tells.
        let _ = lock(&self.requests).send(request);
    }

    /// The newest frame, if there is one since the last call; returns at once. Hand it back with [`recycle`](Self::recycle).
    pub fn take_frame(&self) -> Option<Box<Frame>> {
        lock(&self.shared.ready).take()
    }

    /// Gives a frame back that was read, so that its memory is used again.
    pub fn recycle(&self, frame: Box<Frame>) {
        *lock(&self.shared.spare) = Some(frame);
    }

    /// How far the build under way is, from 0 to 1.
    pub fn built(&self) -> f32 {
        self.shared.built.load(Ordering::Relaxed) as f32 / 1e3
    }

    /// Whether the thread has ended, which only a fault of the simulator brings about.
    pub fn has_ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Waits until all requests sent so far have been handled, whatever is under way; not longer than `patience`.
    pub fn wait_handled(&self, patience: Duration) {
        let (sent, begun) = (self.sent.load(Ordering::Relaxed), Instant::now());
        let mut handled = lock(&self.shared.handled);
        while !self.has_ended() && *handled < sent && begun.elapsed() < patience {
            let waited = self.shared.change.wait_timeout(handled, NAP);
            handled = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until all requests sent so far have been handled and no seek is under way. For tests and offscreen pictures.
    pub fn wait_idle(&self) {
        let sent = self.sent.load(Ordering::Relaxed);
        let mut handled = lock(&self.shared.handled);
        while !self.has_ended() && (*handled < sent || self.shared.seeking.load(Ordering::Acquire))
        {
            let waited = self.shared.change.wait_timeout(handled, NAP);
            handled = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // The thread ends when nobody can send any more.
        let (nobody, _) = channel();
        *lock(&self.requests) = nobody;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Says that the thread has ended, also if it panics.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.change.notify_all();
    }
}

/// What the thread is after, apart from its pace.
enum Aim {
    /// Nothing.
    None,
    /// A step, reached from an earlier one as fast as possible.
    Step {
        /// Where it set out.
        from: u64,
        /// Where it goes.
        to: u64,
    },
    /// A spike of one of these regions by their place, until a step.
    Spike(Vec<usize>, u64),
}

/// Speeds, averaged over a while.
struct Meter {
    since: Instant,
    steps: u64,
    events: u64,
    busy: Duration,
    speed: f64,
    cost: f64,
    events_per_s: f64,
    stages: [f64; 12],
    timed: u64,
    stages_shown: Option<[f64; 12]>,
}

impl Meter {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            steps: 0,
            events: 0,
            busy: Duration::ZERO,
            speed: 0.0,
            cost: 0.0,
            events_per_s: 0.0,
            stages: [0.0; 12],
            timed: 0,
            stages_shown: None,
        }
    }

    fn average(&mut self, step: u64, events: u64, dt_ms: f64) {
        let elapsed = self.since.elapsed();
        if elapsed < AVERAGED {
            return;
        }
        let simulated = step.saturating_sub(self.steps) as f64 * dt_ms * 1e-3;
        let wall = elapsed.as_secs_f64();
        self.speed = simulated / wall;
        if simulated > 0.0 {
            self.cost = self.busy.as_secs_f64() / simulated;
        }
        self.events_per_s = events.saturating_sub(self.events) as f64 / wall;
        if self.timed > 0 {
            self.stages_shown = Some(self.stages.map(|s| s / self.timed as f64));
            (self.stages, self.timed) = ([0.0; 12], 0);
        }
        (self.steps, self.events) = (step, events);
        (self.since, self.busy) = (Instant::now(), Duration::ZERO);
    }
}

struct Thread {
    shared: Arc<Shared>,
    inbox: Receiver<Request>,
    waiting: VecDeque<Request>,
    /// Edits that came while the network was on its way to another time.
    held: VecDeque<Request>,
    options: BuildOptions,
    registry: Registry,
    open: Option<Open>,
    pacing: Pacing,
    /// The pace at which the network ran last.
    running: Pacing,
    owed: f64,
    stepped: Instant,
    aim: Aim,
    budget: u64,
    subscription: Subscription,
    frame: Box<Frame>,
    /// Whether the frame holds anything new.
    news: bool,
    log_news: bool,
    meter: Meter,
    progress: Progress,
    /// Counts the structures that were published.
    opened: u64,
}

/// The network that is open.
struct Open {
    session: Session,
    structure: Arc<Structure>,
    observer: Observer,
    kept: Instant,
    /// The seed that was given instead of the scene's.
    seed: Option<u64>,
    /// The version of the session's network that `structure` is of.
    version: u64,
}

impl Thread {
    fn new(shared: Arc<Shared>, inbox: Receiver<Request>, options: BuildOptions) -> Self {
        Self {
            shared,
            inbox,
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            options: BuildOptions {
                statistics: false,
                ..options
            },
            registry: Registry::new(),
            open: None,
            pacing: Pacing::Paused,
            running: Pacing::RealTime(1.0),
            owed: 0.0,
            stepped: Instant::now(),
            aim: Aim::None,
            budget: BUDGET,
            subscription: Subscription::default(),
            frame: Box::default(),
            news: false,
            log_news: false,
            meter: Meter::new(),
            progress: Progress::default(),
            opened: 0,
        }
    }

    fn run(mut self) {
        loop {
            match self.listen() {
                // What is done to the network waits until it is where the user sent it.
                Some(request @ (Request::Edit(_) | Request::GoOn(_)))
                    if matches!(self.aim, Aim::Step { .. }) =>
                {
                    self.held.push_back(request);
                }
                Some(request) => {
                    self.handle(request);
                    *lock(&self.shared.handled) += 1;
                    self.shared.change.notify_all();
                }
                None if self.shared.ended.load(Ordering::Relaxed) => return,
                None => {
                    let stepped = self.advance();
                    self.publish();
                    if !stepped {
                        self.rest();
                    }
                }
            }
        }
    }

    /// The next request, if there is one.
    fn listen(&mut self) -> Option<Request> {
        loop {
            match self.inbox.try_recv() {
                Ok(request) => self.waiting.push_back(request),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.shared.ended.store(true, Ordering::Release);
                    return None;
                }
            }
        }
        let mut request = self.waiting.pop_front()?;
        // Of seeks in a row, as a slider sends them, the last one counts.
        while matches!(request, Request::Seek(_))
            && matches!(self.waiting.front(), Some(Request::Seek(_)))
        {
            *lock(&self.shared.handled) += 1;
            request = self.waiting.pop_front()?;
        }
        Some(request)
    }

    /// Waits for a request, or a while.
    fn rest(&mut self) {
        let nap = match self.pacing {
            Pacing::RealTime(_) => Duration::from_millis(1),
            _ => NAP,
        };
        if let Ok(request) = self.inbox.recv_timeout(nap) {
            self.waiting.push_back(request);
        }
    }

    fn notice(&mut self, error: bool, text: impl Into<String>) {
        self.frame.notices.push(Notice {
            error,
            text: text.into(),
        });
        self.news = true;
    }

    fn handle(&mut self, request: Request) {
        self.news = true;
        match request {
            Request::Open {
                source,
                settings,
                seed,
                play,
            } => {
                self.open_scene(source, &settings, seed, Some(play));
            }
            Request::Reload => self.reload(),
            Request::Edit(command) => self.edit(|session| session.apply(command)),
            Request::GoOn(command) => self.edit(|session| session.go_on(command)),
            Request::Pace(pacing) => {
                self.set_pace(pacing);
                if pacing == Pacing::Paused && !matches!(self.aim, Aim::Step { .. }) {
                    self.aim_at(Aim::None);
                }
            }
            Request::Steps(steps) => {
                self.set_pace(Pacing::Steps(steps));
                self.aim_at(Aim::None);
            }
            Request::NextSpike(names) => {
                if let Some(open) = &self.open {
                    let regions = names
                        .iter()
                        .filter_map(|name| open.structure.region(name))
                        .collect();
                    let dt = self.progress.dt_ms.max(1e-9);
                    let until = open.session.now() + to_steps(PATIENCE_MS, dt);
                    self.set_pace(Pacing::Paused);
                    self.aim_at(Aim::Spike(regions, until));
                }
            }
            Request::Seek(step) => self.seek(step),
            Request::Reset => {
                self.seek(0);
            }
            Request::Subscribe(subscription) => {
                if let Some(open) = &mut self.open {
                    open.observer
                        .subscribe(&open.session, &open.structure, subscription.clone());
                }
                self.subscription = subscription;
            }
            Request::Budget(bytes) => self.budget = bytes,
            Request::SaveScene(path) => self.save_scene(&path),
            Request::SaveLog(path) => self.save_log(&path),
            Request::Rescue(path) => {
                self.rescue(&path);
            }
            Request::Replay(log) => {
                if let Some(open) = &mut self.open {
                    let outcome = open.session.replay(log);
                    self.after_change();
                    if let Err(error) = outcome {
                        self.notice(true, error.to_string());
                    }
                }
            }
        }
    }

    fn set_pace(&mut self, pacing: Pacing) {
        if matches!(pacing, Pacing::RealTime(_) | Pacing::Unlimited) {
            self.running = pacing;
        }
        self.pacing = pacing;
        self.owed = 0.0;
        self.stepped = Instant::now();
    }

    fn aim_at(&mut self, aim: Aim) {
        self.aim = aim;
        let busy = !matches!(self.aim, Aim::None);
        if !busy {
            while let Some(request) = self.held.pop_back() {
                self.waiting.push_front(request);
            }
        }
        self.shared.seeking.store(busy, Ordering::Release);
        self.progress.busy = None;
        self.shared.change.notify_all();
    }

    fn open_scene(
        &mut self,
        source: SceneSource,
        settings: &[(String, String)],
        seed: Option<u64>,
        play: Option<bool>,
    ) {
        let name = source.name.clone();
        self.progress.busy = Some((format!("building {name}"), 0.0));
        self.publish_now();
        let files = SceneFiles::beside(&source);
        let shared = self.shared.clone();
        let built = load(source, settings, &self.registry).and_then(|mut loaded| {
            if let Some(seed) = seed {
                loaded.scene.seed = seed;
            }
            let progress = |done: f64| {
                shared.built.store((done * 1e3) as u64, Ordering::Relaxed);
            };
            let options = BuildOptions {
                memory_limit: self.options.memory_limit.and_then(|_| free_memory()),
                ..self.options.clone()
            };
            Session::open(
                loaded,
                files,
                self.registry.clone(),
                options,
                false,
                &progress,
            )
        });
        self.progress.busy = None;
        self.shared.built.store(0, Ordering::Relaxed);
        match built {
            Ok(mut session) => {
                for warning in &session.prepared().warnings {
                    let text = format!("warning: {}", session.loaded().locate(warning));
                    self.frame.notices.push(Notice { error: false, text });
                }
                self.opened += 1;
                let structure = Arc::new(Structure {
                    version: self.opened,
                    ..session.structure()
                });
                let mut observer = Observer::default();
                observer.look_at(&mut session, &structure);
                observer.subscribe(&session, &structure, self.subscription.clone());
                let version = session.version();
                self.open = Some(Open {
                    version,
                    seed,
                    session,
                    structure,
                    observer,
                    kept: Instant::now(),
                });
                self.progress.problem = None;
                self.drop_held();
                self.frame.spikes.clear();
                self.frame.traces.clear();
                self.void(0);
                self.meter = Meter::new();
                self.aim_at(Aim::None);
                match play {
                    Some(true) if self.pacing == Pacing::Paused => {
                        self.set_pace(self.running);
                    }
                    Some(false) => self.set_pace(Pacing::Paused),
                    _ => self.set_pace(self.pacing),
                }
                self.log_news = true;
            }
            Err(error) => self.notice(true, error.to_string()),
        }
    }

    /// Edits that were meant for a network that is gone.
    fn drop_held(&mut self) {
        *lock(&self.shared.handled) += self.held.len() as u64;
        self.held.clear();
        self.shared.change.notify_all();
    }

    fn reload(&mut self) {
        let Some(open) = &self.open else { return };
        let loaded = open.session.loaded();
        let (name, settings) = (loaded.source.name.clone(), loaded.overrides.clone());
        let seed = open.seed;
        match SceneSource::find(&name) {
            Ok(source) => self.open_scene(source, &settings, seed, None),
            Err(error) => self.notice(true, error.to_string()),
        }
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Session) -> Result<usize, SessionError>) {
        let Some(open) = &mut self.open else {
            self.notice(true, "open a scene first");
            return;
        };
        match edit(&mut open.session) {
            Ok(dropped) => {
                self.after_change();
                if dropped > 0 {
                    let text = format!(
                        "{dropped} later command{} dropped: time was turned back before this one",
                        if dropped == 1 { " was" } else { "s were" }
                    );
                    self.notice(false, text);
                }
            }
            Err(error) => {
                self.after_change();
                self.notice(true, error.to_string());
            }
        }
    }

    /// Looks at the network again if it is another one now.
    fn after_change(&mut self) {
        self.log_news = true;
        self.news = true;
        let Some(open) = &mut self.open else { return };
        if open.version != open.session.version() {
            open.version = open.session.version();
            self.opened += 1;
            let before = core::mem::replace(
                &mut open.structure,
                Arc::new(Structure {
                    version: self.opened,
                    ..open.session.structure()
                }),
            );
            if !before.numbers_as(&open.structure) {
                // Spikes that nobody has seen yet have numbers of the network before.
                let renumber = |frame: &mut Frame| {
                    frame.spikes.retain_mut(|spike| {
                        let number = before.renumbered(&open.structure, spike.neuron);
                        spike.neuron = number.unwrap_or(0);
                        number.is_some()
                    });
                };
                renumber(&mut self.frame);
                if let Some(waiting) = lock(&self.shared.ready).as_mut() {
                    renumber(waiting);
                    waiting.structure = Some(open.structure.clone());
                }
            }
            open.observer.look_at(&mut open.session, &open.structure);
        }
    }

    /// What observers keep of this step and later is void.
    fn void(&mut self, from: u64) {
        if let Some(open) = &mut self.open {
            open.observer.forget(from);
        }
        let frame = &mut self.frame;
        frame.spikes.retain(|s| s.step < from);
        for part in &mut frame.traces {
            part.values
                .truncate(from.saturating_sub(part.first) as usize);
        }
        frame.traces.retain(|part| !part.values.is_empty());
        frame.void_from = Some(frame.void_from.map_or(from, |v| v.min(from)));
        self.news = true;
    }

    fn seek(&mut self, step: u64) {
        let Some(open) = &mut self.open else { return };
        let now = open.session.now();
        if step < now {
            match open.session.go_back(step) {
                Ok(at) => self.void(at),
                Err(error) => self.notice(true, error.to_string()),
            }
            self.after_change();
        }
        self.set_pace(self.pacing);
        let from = self.open.as_ref().map_or(0, |open| open.session.now());
        self.aim_at(Aim::Step {
            from: from.min(step),
            to: step,
        });
    }

    fn save_scene(&mut self, path: &Path) {
        let Some(open) = &self.open else { return };
        let session = &open.session;
        let text = scene_text(session.scene(), &self.registry);
        let outcome = text.and_then(|text| {
            write_whole(path, |out| std::io::Write::write_all(out, text.as_bytes()))
                .map_err(|e| e.to_string())?;
            copy_files(session.files(), path)
        });
        match outcome {
            Ok(()) => self.notice(false, format!("scene saved to {}", path.display())),
            Err(error) => self.notice(true, error),
        }
    }

    fn save_log(&mut self, path: &Path) {
        let Some(open) = &self.open else { return };
        let outcome = write_log(&open.session.log().0, &self.registry).and_then(|text| {
            write_whole(path, |out| std::io::Write::write_all(out, text.as_bytes()))
                .map_err(|e| e.to_string())
        });
        match outcome {
            Ok(()) => self.notice(false, format!("commands saved to {}", path.display())),
            Err(error) => self.notice(true, error),
        }
    }

    /// Saves the log if there is anything in it, with the command that replays it at its head.
    fn rescue(&mut self, path: &Path) {
        let Some(open) = &self.open else { return };
        let (log, _) = open.session.log();
        if log.is_empty() {
            return;
        }
        let loaded = open.session.loaded();
        let settings = loaded.overrides.iter();
        let settings: String = settings
            .map(|(name, value)| format!(" --set '{name}={value}'"))
            .collect();
        let head = format!(
            "// neuropil run '{}'{settings} --seed {} --commands '{}'\n",
            loaded.source.name,
            loaded.scene.seed,
            path.display()
        );
        let outcome = write_log(&log, &self.registry).and_then(|text| {
            let text = head + &text;
            write_whole(path, |out| std::io::Write::write_all(out, text.as_bytes()))
                .map_err(|e| e.to_string())
        });
        if let Err(error) = outcome {
            self.notice(true, error);
        }
    }

    /// Takes the steps that aim and pace allow, for a slice of time; false if there is nothing to do.
    fn advance(&mut self) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        if self.progress.problem.is_some() {
            self.pacing = Pacing::Paused;
        }
        let begin = Instant::now();
        let dt = open.session.simulation().clock().dt_ms();
        let elapsed = begin - self.stepped;
        self.stepped = begin;
        let due = match self.aim {
            Aim::None => match self.pacing {
                Pacing::RealTime(_) => {
                    // What a slice cannot do is forgotten, so that a slow network does not fall ever farther behind.
                    self.pacing.due(
                        elapsed.min(Duration::from_millis(100)),
                        dt,
                        &mut self.owed,
                        1 << 20,
                    )
                }
                Pacing::Steps(left) => left,
                Pacing::Unlimited => u64::MAX,
                Pacing::Paused => 0,
            },
            Aim::Step { to, .. } => to.saturating_sub(open.session.now()),
            Aim::Spike(_, until) => until.saturating_sub(open.session.now()),
        };
        let (mut taken, mut done, mut failed) = (0, false, None);
        let acted = open.session.acted();
        while taken < due {
            // One step of a slice is timed: its own schedule and clock take time. Not the first, for which caches are cold.
            let timed = self.subscription.stages && taken == due.min(4) - 1;
            if let Some(stages) = open.session.step_alone(timed) {
                for (sum, stage) in self.meter.stages.iter_mut().zip(stages) {
                    *sum += stage;
                }
                self.meter.timed += 1;
            }
            taken += 1;
            // Commands that are due may make another network: what this step did is looked at before.
            open.observer.after_step(&open.session, &mut self.frame);
            if let Aim::Spike(regions, _) = &self.aim {
                done = open.observer.has_spike(&open.session, regions);
            }
            if let Err(error) = open.session.act_due() {
                failed = Some(error.to_string());
            }
            if open.session.acted() != acted {
                break;
            }
            if done || failed.is_some() || (taken.is_multiple_of(4) && begin.elapsed() > SLICE) {
                break;
            }
        }
        self.meter.busy += begin.elapsed();
        let now = open.session.now();
        let acted_more = open.session.acted() != acted;
        if let Pacing::Steps(left) = &mut self.pacing
            && matches!(self.aim, Aim::None)
        {
            *left = left.saturating_sub(taken);
            if *left == 0 {
                self.pacing = Pacing::Paused;
            }
        }
        let due_later = taken < due && taken > 0;
        if let (Aim::None, Pacing::RealTime(_), true) = (&self.aim, self.pacing, due_later) {
            self.owed = 0.0;
        }
        if taken > 0 && open.kept.elapsed() > KEEP_EVERY && self.budget > 0 {
            open.kept = Instant::now();
            if let Err(error) = open.session.keep_state(self.budget) {
                failed = Some(error.to_string());
            }
        }
        let arrived = match self.aim {
            Aim::None => false,
            Aim::Step { to, .. } => now >= to,
            Aim::Spike(_, until) => done || now >= until,
        };
        if let (Aim::Step { from, to }, false) = (&self.aim, arrived) {
            let part = now.saturating_sub(*from) as f32 / (to - from).max(1) as f32;
            self.progress.busy = Some(("going there".into(), part));
        }
        if arrived {
            open.observer.look_again();
            if matches!(self.aim, Aim::Spike(..)) && !done {
                self.notice(false, "no spike within a simulated minute");
            }
            self.aim_at(Aim::None);
            self.set_pace(self.pacing);
        }
        if acted_more {
            self.after_change();
        }
        if let Some(error) = failed {
            self.set_pace(Pacing::Paused);
            self.aim_at(Aim::None);
            self.notice(true, error);
        }
        self.news |= taken > 0;
        taken > 0
    }

    /// Publishes a frame if there is news and the one before was taken.
    fn publish(&mut self) {
        if let Some(open) = &self.open {
            let simulation = open.session.simulation();
            let count = simulation.spike_count();
            self.meter
                .average(open.session.now(), count.events, simulation.clock().dt_ms());
        }
        let waits = lock(&self.shared.ready).is_some();
        // A frame without news goes out now and then, for averages that fall.
        if !waits && (self.news || self.meter.since.elapsed() < NAP) {
            self.publish_now();
        }
    }

    /// Fills the frame with what is as it is now and makes it ready, over one that was not taken.
    fn publish_now(&mut self) {
        let waiting = lock(&self.shared.ready).take();
        if let Some(waiting) = waiting {
            // Nobody has read it: what is in it comes first.
            let newer = core::mem::replace(&mut self.frame, waiting);
            self.frame.append(*newer);
        }
        let frame = &mut self.frame;
        if let Some(open) = &mut self.open {
            frame.structure = Some(open.structure.clone());
            open.observer
                .fill(&mut open.session, &open.structure, frame);
            let session = &open.session;
            let simulation = session.simulation();
            let (clock, count) = (simulation.clock(), simulation.spike_count());
            let progress = &mut self.progress;
            progress.step = clock.steps_done();
            progress.dt_ms = clock.dt_ms();
            progress.spikes = count.spikes;
            progress.hash = count.hash;
            progress.events = count.events;
            progress.reached = session.reached();
            progress.kept.clear();
            progress.kept.extend(session.history().steps());
            progress.kept_bytes = session.history().bytes();
            let problem = simulation.problem().map(str::to_owned);
            if problem.is_some() && problem != progress.problem {
                frame.notices.push(Notice {
                    error: true,
                    text: problem.clone().unwrap_or_default(),
                });
            }
            progress.problem = problem;
            progress.speed = self.meter.speed;
            progress.cost = self.meter.cost;
            progress.events_per_s = self.meter.events_per_s;
            progress.stages = self.meter.stages_shown.filter(|_| self.subscription.stages);
            if core::mem::take(&mut self.log_news) {
                let (log, acted) = session.log();
                frame.log = Some((Arc::new(log), acted));
            }
            (frame.undo, frame.redo) = session.undo_and_redo();
        }
        self.progress.pacing = self.pacing;
        frame.progress.clone_from(&self.progress);
        let mut next = lock(&self.shared.spare).take().unwrap_or_default();
        next.clear();
        core::mem::swap(&mut self.frame, &mut next);
        *lock(&self.shared.ready) = Some(next);
        self.news = false;
    }
}

/// Writes the files that a scene names beside the saved scene, where they are not there already.
fn copy_files(files: &SceneFiles, scene: &Path) -> Result<(), String> {
    let folder = scene.parent().map(Path::to_path_buf).unwrap_or_default();
    for (name, bytes) in files.contents() {
        let path = folder.join(&name);
        if path.exists() || Path::new(&name).is_absolute() {
            continue;
        }
        if let Some(parent) = path.parent() {
            crate::files::whole::create_folder(parent).map_err(|e| e.to_string())?;
        }
        write_whole(&path, |out| std::io::Write::write_all(out, &bytes))
            .map_err(|e| e.to_string())?;
    }
    Ok(())
}
