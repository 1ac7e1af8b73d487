//! When the window cannot be opened, or is lost: a clear message, and nothing that the user did is gone.

use crate::session::runner::{Request, Runner};
use bevy::app::AppExit;
use bevy::ecs::system::Res;
use bevy::prelude::World;
use bevy::render::error_handler::{RenderError, RenderErrorHandler, RenderErrorPolicy};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why no window could be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window could not be opened ({0})")]
pub struct NotOpened(pub String);

/// How long a rescue may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the first fault said.
static FAULT: Mutex<Option<String>> = Mutex::new(None);
/// Whether a frame was drawn.
static DRAWN: AtomicBool = AtomicBool::new(false);

fn note(text: String) {
    let mut fault = FAULT.lock().unwrap_or_else(PoisonError::into_inner);
    fault.get_or_insert(text);
}

/// Remembers that a frame was drawn.
pub fn note_drawn(live: Res<super::live::Live>) {
    if live.structure.is_some() {
        DRAWN.store(true, Ordering::Relaxed);
    }
}

/// Ends the app when the graphics device is lost or used up, and remembers why.
pub fn handler() -> RenderErrorHandler {
    fn ends(error: &RenderError, main: &mut World, _: &mut World) -> RenderErrorPolicy {
        let text = error.description.trim();
        note(match text {
            "" => format!("{:?}", error.ty),
            text => format!("{:?}: {text}", error.ty),
        });
        main.write_message(AppExit::error());
        RenderErrorPolicy::StopRendering
    }
    RenderErrorHandler(ends)
}

/// What the first fault said, if there was one; it is forgotten.
fn take_fault() -> Option<String> {
    let mut fault = FAULT.lock().unwrap_or_else(PoisonError::into_inner);
    fault.take()
}

/// Runs the window's loop. A fault before the first picture is handed back; a later one saves what was done to the network and ends the
/// program with a message, at once: renderers that have lost their device cannot be taken down in order.
///
/// # Errors
/// Why there is no window.
pub fn guarded(runner: Arc<Runner>, run: impl FnOnce() -> AppExit) -> Result<(), NotOpened> {
    let usual = Arc::new(std::panic::take_hook());
    let (hook, rescued) = (usual.clone(), runner.clone());
    std::panic::set_hook(Box::new(move |info| {
        // The network's own thread is not the window's: the app says that it has stopped.
        if std::thread::current().name() == Some("simulation") {
            return hook(info);
        }
        note(message(info));
        if DRAWN.load(Ordering::Relaxed) {
            lost(&rescued);
        }
    }));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    std::panic::set_hook(Box::new(move |info| usual(info)));
    if matches!(outcome, Ok(AppExit::Success)) {
        return Ok(());
    }
    if DRAWN.load(Ordering::Relaxed) {
        lost(&runner);
    }
    let reason = take_fault().unwrap_or_else(|| "for an unknown reason".into());
    Err(NotOpened(reason))
}

/// Says that the window was lost, saves what was done to the network, and ends the program.
fn lost(runner: &Runner) -> ! {
    let reason = take_fault().unwrap_or_else(|| "for an unknown reason".into());
    let kept = match rescue(runner) {
        Some(path) => format!(
            "; what was done to the network is kept in {}, whose first line says how to replay it",
            path.display()
        ),
        None => String::new(),
    };
    eprintln!("error: the window was lost ({reason}){kept}");
    // Not even handlers of the driver are to run any more.
    #[cfg(unix)]
    // SAFETY: ends the process; nothing is used after it.
    unsafe {
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    std::process::exit(1)
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("a fault without a message");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Saves the commands of a network whose window is gone, if there are any; where.
fn rescue(runner: &Runner) -> Option<PathBuf> {
    let name = |i: u32| PathBuf::from(format!("neuropil-rescued-{i}.ron"));
    let path = (1..10_000).map(name).find(|path| !path.exists())?;
    runner.send(Request::Rescue(path.clone()));
    runner.wait_handled(PATIENCE);
    path.exists().then_some(path)
}
