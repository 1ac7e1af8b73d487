//! Work that may wait for a disk, done beside the frames.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Runs jobs on threads of their own and hands their answers back when they are asked for.
pub struct Background<T> {
    answers: Mutex<Receiver<T>>,
    sender: Sender<T>,
    waiting: usize,
}

impl<T: Send + 'static> Default for Background<T> {
    fn default() -> Self {
        let (sender, answers) = channel();
        Self {
            answers: Mutex::new(answers),
            sender,
            waiting: 0,
        }
    }
}

impl<T: Send + 'static> Background<T> {
    /// Starts a job. A system that has no thread left gives no answer.
    pub fn start(&mut self, job: impl FnOnce() -> T + Send + 'static) {
        let sender = self.sender.clone();
        let thread = std::thread::Builder::new()
            .name("files".into())
            .spawn(move || {
                // Nobody waits for the answer once the app is closed.
                let _ = sender.send(job());
            });
        self.waiting += usize::from(thread.is_ok());
    }

    /// An answer, if one is there.
    pub fn take(&mut self) -> Option<T> {
        let answers = self.answers.get_mut().ok()?;
        let answer = answers.try_recv().ok()?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(answer)
    }

    /// Whether answers are still to come.
    pub fn is_busy(&self) -> bool {
        self.waiting > 0
    }
}
