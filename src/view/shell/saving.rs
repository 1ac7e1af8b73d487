//! Asks under which name something is saved.

use crate::view::action::Action;
use crate::view::theme::Theme;
use bevy_egui::egui::{self, Key, Modifiers, RichText};
use std::path::{Path, PathBuf};

/// The dialog that asks for the name of a file.
#[derive(Default)]
pub struct Saving {
    open: Option<Question>,
}

struct Question {
    action: Action,
    path: String,
    /// Whether the field is still to be given the focus.
    fresh: bool,
    /// What is known of the path as it is typed.
    known: Known,
}

#[derive(Clone, Copy, PartialEq)]
enum Known {
    /// It can be written.
    Free,
    /// There is such a file.
    File,
    /// There is a folder of this name.
    Folder,
    /// Its folder does not exist.
    Nowhere,
}

impl Known {
    fn of(path: &str) -> Self {
        let path = Path::new(path.trim());
        let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
        if path.is_dir() {
            Self::Folder
        } else if path.is_file() {
            Self::File
        } else if folder.is_some_and(|f| !f.is_dir()) {
            Self::Nowhere
        } else {
            Self::Free
        }
    }
}

impl Saving {
    /// Asks for a name; `path` is what it is unless the user changes it.
    pub fn ask(&mut self, action: Action, path: String) {
        let known = Known::of(&path);
        self.open = Some(Question {
            action,
            path,
            fresh: true,
            known,
        });
    }

    /// Escape closes the dialog; whether it did.
    pub fn keys(&mut self, ctx: &egui::Context) -> bool {
        let closes = self.open.is_some()
            && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        if closes {
            self.open = None;
        }
        closes
    }

    /// Draws the dialog; answers what is to be saved, and where, once the user has said so.
    pub fn show(&mut self, ctx: &egui::Context, theme: &Theme) -> Option<(Action, PathBuf)> {
        let question = self.open.as_mut()?;
        let (mut stays, mut said) = (true, false);
        egui::Window::new(question.action.label().trim_end_matches('…'))
            .collapsible(false)
            .resizable(false)
            .open(&mut stays)
            .pivot(egui::Align2::CENTER_CENTER)
            .default_pos(ctx.content_rect().center())
            .show(ctx, |ui| said = question.ask(ui, theme));
        if !stays || said {
            let question = self.open.take()?;
            return said.then(|| (question.action, PathBuf::from(question.path.trim())));
        }
        None
    }
}

impl Question {
    fn ask(&mut self, ui: &mut egui::Ui, theme: &Theme) -> bool {
        ui.set_width(380.0);
        let here =
            std::env::current_dir().map_or_else(|_| String::new(), |f| f.display().to_string());
        ui.label("File").on_hover_text(format!(
            "A name or a path; without a folder it goes into {here}"
        ));
        let edit = egui::TextEdit::singleline(&mut self.path)
            .id(egui::Id::new("save as"))
            .desired_width(f32::INFINITY);
        let edit = ui.add(edit);
        if core::mem::take(&mut self.fresh) {
            edit.request_focus();
        }
        if edit.changed() {
            self.known = Known::of(&self.path);
        }
        let named = !self.path.trim().is_empty();
        let (text, wrong) = match self.known {
            Known::Free if named => (format!("In {here}"), false),
            Known::Free => ("Give it a name".to_owned(), true),
            Known::File => (
                "There is such a file; it will be replaced".to_owned(),
                false,
            ),
            Known::Folder => ("This is a folder".to_owned(), true),
            Known::Nowhere => ("There is no such folder".to_owned(), true),
        };
        let colour = match self.known {
            Known::File => theme.warning,
            _ if wrong => theme.error,
            _ => theme.weak,
        };
        ui.add(egui::Label::new(RichText::new(text).color(colour)).truncate());
        ui.add_space(4.0);
        let entered = edit.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        let save = ui.add_enabled(!wrong, egui::Button::new("Save"));
        !wrong && (entered || save.clicked())
    }
}
