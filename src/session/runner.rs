//! A session on a thread of its own.

use super::command::{LoggedCommand, SimCommand};
use super::frame::{Frame, Subscription};
use crate::scene::load::SceneSource;
use crate::sim::clock::Pacing;
use std::path::PathBuf;

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
    /// Makes a network of this log: its commands act when their time comes. For replays.
    Replay(Vec<LoggedCommand>),
}

/// A session on a thread of its own. Dropping it ends the thread.
pub struct Runner {
    _todo: (),
}

impl Runner {
    /// Starts the thread; it waits for [`Request::Open`].
    pub fn start() -> Self {
        Self { _todo: () }
    }

    /// Sends a request; returns at once.
    pub fn send(&self, _request: Request) {}

    /// The newest frame, if there is one since the last call; returns at once. Hand it back with [`recycle`](Self::recycle).
    pub fn take_frame(&self) -> Option<Box<Frame>> {
        None
    }

    /// Gives a frame back that was read, so that its memory is used again.
    pub fn recycle(&self, _frame: Box<Frame>) {}

    /// Waits until all requests sent so far have been handled and no seek or build is under way. For tests and offscreen pictures.
    pub fn wait_idle(&self) {}
}
