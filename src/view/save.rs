//! Saving what a panel shows: a small menu that asks for a name, and a thread that writes.

use crate::files::whole::{FileError, write_whole};
use crate::session::frame::Notice;
use bevy_egui::egui::containers::menu::{MenuButton, MenuConfig};
use bevy_egui::egui::{self, PopupCloseBehavior, Ui};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// What writes a file; it runs on a thread of its own.
pub type Write = Box<dyn FnOnce(&Path) -> Result<(), FileError> + Send>;

/// What makes the text of a table; it runs on the thread that writes.
pub type Table = Box<dyn FnOnce() -> String + Send>;

/// A button that saves under a name that the user gives.
pub struct Save {
    label: &'static str,
    name: String,
    /// Whether there is a file of this name; none until it was looked for.
    known: Option<bool>,
    writing: Option<Mutex<Receiver<Notice>>>,
}

impl Save {
    /// A button with this text, for example "PNG", and this name for the file unless the user changes it.
    pub fn new(label: &'static str, name: &str) -> Self {
        Self {
            label,
            name: name.to_owned(),
            known: None,
            writing: None,
        }
    }

    /// Draws the button. When the user has given a name, `prepare` copies what is to be written and says how. What came of it becomes a
    /// notice in a later frame.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        what: &str,
        notices: &mut Vec<Notice>,
        prepare: impl FnOnce() -> Write,
    ) {
        self.take_result(notices);
        let config = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let text = match self.writing {
            Some(_) => format!("Saving {}", self.label),
            None => format!("{}…", self.label),
        };
        let (button, _) = MenuButton::new(text).config(config).ui(ui, |ui| {
            ui.set_min_width(220.0);
            ui.label("File name");
            let edit = egui::TextEdit::singleline(&mut self.name).desired_width(220.0);
            let edit = ui.add(edit).on_hover_text(format!(
                "A name or a path; without a folder it goes into {}",
                std::env::current_dir()
                    .map_or_else(|_| "the current folder".into(), |f| f.display().to_string())
            ));
            let entered = edit.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
            if edit.changed() || self.known.is_none() {
                self.known = Some(Path::new(self.name.trim()).is_file());
            }
            if self.known == Some(true) {
                ui.weak("There is such a file; it will be replaced");
            }
            let ready = self.writing.is_none() && !self.name.trim().is_empty();
            let save = ui.add_enabled(ready, egui::Button::new("Save"));
            if ready && (entered || save.clicked()) {
                self.start(prepare());
                self.known = None;
                ui.close();
            }
        });
        button.on_hover_text(what);
    }

    /// As [`show`](Self::show), for a table: `prepare` copies what is in it, and what it returns makes the text.
    pub fn table(
        &mut self,
        ui: &mut Ui,
        what: &str,
        notices: &mut Vec<Notice>,
        prepare: impl FnOnce() -> Table,
    ) {
        self.show(ui, what, notices, || {
            let table = prepare();
            Box::new(move |path: &Path| write_whole(path, |out| out.write_all(table().as_bytes())))
        });
    }

    /// Writes on a thread of its own.
    fn start(&mut self, write: Write) {
        let path = PathBuf::from(self.name.trim());
        let (sender, receiver) = channel();
        let job = move || {
            let notice = match write(&path) {
                Ok(()) => Notice {
                    error: false,
                    text: format!("saved {}", path.display()),
                },
                Err(error) => Notice {
                    error: true,
                    text: error.to_string(),
                },
            };
            // Only a panel that is gone does not listen.
            let _ = sender.send(notice);
        };
        // Without a thread the channel closes at once, which the next frame reports.
        let _ = std::thread::Builder::new().name("save".into()).spawn(job);
        self.writing = Some(Mutex::new(receiver));
    }

    /// Passes on what came of the file that was being written.
    fn take_result(&mut self, notices: &mut Vec<Notice>) {
        let Some(receiver) = &mut self.writing else {
            return;
        };
        let receiver = receiver.get_mut();
        let receiver = receiver.unwrap_or_else(std::sync::PoisonError::into_inner);
        match receiver.try_recv() {
            Ok(notice) => notices.push(notice),
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => notices.push(Notice {
                error: true,
                text: format!("could not save {}: the writing ended early", self.name),
            }),
        }
        self.writing = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn result_of(path: &str, write: Write) -> Notice {
        let mut save = Save::new("CSV", path);
        save.start(write);
        let (mut notices, begun) = (Vec::new(), Instant::now());
        while notices.is_empty() && begun.elapsed() < Duration::from_secs(20) {
            save.take_result(&mut notices);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(save.writing.is_none());
        notices.remove(0)
    }

    #[test]
    fn files_are_written_and_errors_become_notices() {
        let folder = std::env::temp_dir().join(format!("neuropil-save-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let path = folder.join("a.csv");
        let write = || -> Write {
            Box::new(|path: &Path| write_whole(path, |out| out.write_all(b"1,2\n")))
        };
        let good = result_of(&path.display().to_string(), write());
        assert!(!good.error, "{}", good.text);
        assert_eq!(std::fs::read(&path).expect("the file"), b"1,2\n");
        let missing = folder.join("nowhere").join("a.csv");
        let bad = result_of(&missing.display().to_string(), write());
        assert!(
            bad.error && bad.text.contains("does not exist"),
            "{}",
            bad.text
        );
        let broken = result_of(
            "a.csv",
            Box::new(|_: &Path| panic!("the writer has a fault")),
        );
        assert!(broken.error);
        std::fs::remove_dir_all(&folder).expect("the folder of the test");
    }
}
