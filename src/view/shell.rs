//! The app around the 3D view: menus, the transport bar, the dock, dialogs, notices.
//!
//! [`Shell::show`] draws all of it into any egui context, with or without a renderer; [`app`](super::app) does so in every frame.

mod dialogs;
mod menus;
mod palette;
mod saving;
#[cfg(test)]
mod tests;
mod toasts;
mod tour;
mod watch;

use super::action::{Action, command_line, file_name, pressed, times};
use super::dock::Dock;
use super::panels::transport::{Transport, chosen, is_running};
use super::panels::{Panel, PanelContext, PanelKind, Scene3dArea, library};
use super::preferences::Preferences;
use crate::files::whole::write_whole;
use crate::session::command::SimCommand;
use crate::session::log::write_log;
use crate::session::runner::Request;
use crate::session::scene_text;
use crate::sim::clock::Pacing;
use bevy::prelude::*;
use bevy_egui::egui;
use dialogs::Dialogs;
use palette::Palette;
use saving::Saving;
use std::path::{Path, PathBuf};
use toasts::Toasts;
use tour::Tour;
use watch::Watch;

/// A picture that is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureOf {
    /// Whether of the whole window, or of the 3D view.
    pub window: bool,
    /// Where it is saved.
    pub path: PathBuf,
}

/// The app around the 3D view.
#[derive(Resource)]
pub struct Shell {
    dock: Dock,
    transport: Transport,
    palette: Palette,
    dialogs: Dialogs,
    saving: Saving,
    /// Pictures that the app is to take.
    pictures: Vec<PictureOf>,
    tour: Tour,
    toasts: Toasts,
    watch: Watch,
    /// The memory for kept states that the network's thread was told, in MiB.
    budget: Option<u32>,
}

impl Shell {
    /// The shell with these panels.
    pub fn new(panels: Vec<(PanelKind, Box<dyn Panel>)>, preferences: &Preferences) -> Self {
        Self {
            dock: Dock::new(panels, &preferences.layout),
            transport: Transport::default(),
            palette: Palette::default(),
            dialogs: Dialogs::default(),
            saving: Saving::default(),
            pictures: Vec::new(),
            tour: Tour::new(!preferences.tour_seen),
            toasts: Toasts::default(),
            watch: Watch::default(),
            budget: None,
        }
    }

    /// The dock, to bring panels to the front.
    pub fn dock(&mut self) -> &mut Dock {
        &mut self.dock
    }

    /// Draws everything, does what the user asks for, and returns those commands that are not the shell's own.
    pub fn show(
        &mut self,
        root: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        area: &mut Scene3dArea,
    ) -> Vec<Action> {
        let ctx = root.ctx().clone();
        let mut actions = Vec::new();
        // Whatever lies above the panels takes the keys first.
        let is_free = !self.palette.keys(&ctx, context, &self.dock, &mut actions)
            && !self.saving.keys(&ctx)
            && !self.dialogs.keys(&ctx)
            && !self.tour.keys(&ctx);
        if is_free {
            actions.extend(pressed(&ctx, context.live, context.selected));
        }
        let bar = |margin| {
            egui::Frame::new()
                .fill(context.theme.bar)
                .inner_margin(margin)
        };
        let (menus, transport) = (
            bar(egui::Margin::symmetric(8, 3)),
            bar(egui::Margin::symmetric(8, 5)),
        );
        egui::Panel::top("menus")
            .frame(menus)
            .show_separator_line(false)
            .show(root, |ui| {
                menus::show(ui, context, &mut self.dock, &mut actions)
            });
        egui::Panel::top("transport")
            .frame(transport)
            .show(root, |ui| self.transport.show(ui, context, &mut actions));
        egui::CentralPanel::default()
            .frame(egui::Frame::NONE)
            .show(root, |ui| self.dock.show(ui, context, area));
        actions.append(context.asks);
        self.palette.show(&ctx, context, &self.dock, &mut actions);
        self.dialogs.show(&ctx, context, &self.dock);
        if let Some((action, path)) = self.saving.show(&ctx, context.theme) {
            self.save(action, path, context);
        }
        self.tour.show(
            &ctx,
            context,
            &mut self.dock,
            self.transport.slider,
            area.rect,
        );
        self.toasts.show(&ctx, context);
        actions.retain(|action| !self.act(*action, &ctx, context));
        self.watch.look(context);
        self.tell_budget(context);
        if let Some(layout) = self.dock.changed_layout() {
            context.preferences.layout = layout;
        }
        actions
    }

    /// Saves something under the name that the user gave.
    fn save(&mut self, action: Action, path: PathBuf, context: &mut PanelContext<'_>) {
        match action {
            Action::SaveScene | Action::SaveLog if context.live.runner().has_ended() => {
                let said = save_without_network(action, &path, context);
                let error = said.is_err();
                context.live.tell(error, said.unwrap_or_else(|text| text));
            }
            Action::SaveScene => {
                self.watch.expect(&path);
                context.live.send(Request::SaveScene(path));
            }
            Action::SaveLog => context.live.send(Request::SaveLog(path)),
            _ => self.pictures.push(PictureOf {
                window: action == Action::SaveWindow,
                path,
            }),
        }
    }

    /// The pictures that are to be taken; they are forgotten here.
    pub fn take_pictures(&mut self) -> Vec<PictureOf> {
        core::mem::take(&mut self.pictures)
    }

    fn tell_budget(&mut self, context: &mut PanelContext<'_>) {
        let wanted = context.preferences.rewind_mib;
        if self.budget.replace(wanted) != Some(wanted) {
            context.live.send(Request::Budget(u64::from(wanted) << 20));
        }
    }

    /// Does what a command asks for; false if that is for somebody else.
    fn act(&mut self, action: Action, ctx: &egui::Context, context: &mut PanelContext<'_>) -> bool {
        match action {
            Action::PlayPause
            | Action::Step
            | Action::NextSpike
            | Action::Reset
            | Action::Slower
            | Action::Faster => transport(action, context),
            Action::Undo => context.live.edit(SimCommand::Undo),
            Action::Redo => context.live.edit(SimCommand::Redo),
            Action::Open => {
                self.dock.front(PanelKind::Library);
                ctx.memory_mut(|memory| memory.request_focus(library::path_field()));
            }
            Action::Reload => context.live.send(Request::Reload),
            Action::SaveScene | Action::SaveLog | Action::SavePicture | Action::SaveWindow => {
                if let Some(structure) = &context.live.structure {
                    let time = format!("{:.1}ms.png", context.live.time_ms());
                    let ending = match action {
                        Action::SaveScene => "edited.ron",
                        Action::SaveLog => "commands.ron",
                        _ => &time,
                    };
                    self.saving.ask(action, file_name(structure, ending));
                }
            }
            Action::CopyCommandLine => copy_command_line(ctx, context),
            Action::SelectAll => {
                let neurons = context.live.structure.as_ref().map_or(0, |s| s.neurons);
                context.selected.neurons = (0..neurons).collect();
            }
            Action::SelectNone => context.selected.neurons.clear(),
            Action::ShowPanel(kind) => self.dock.front(kind),
            Action::ResetLayout => {
                self.dock.reset();
                context.preferences.layout.clear();
            }
            Action::ToggleTheme => context.preferences.dark ^= true,
            Action::LargerText | Action::SmallerText => {
                let more = if action == Action::LargerText {
                    1.0
                } else {
                    -1.0
                };
                let size = &mut context.preferences.font_size;
                *size = (*size + more).clamp(9.0, 24.0);
            }
            Action::Palette => self.palette.toggle(),
            Action::Preferences => self.dialogs.preferences = true,
            Action::Shortcuts => self.dialogs.shortcuts = true,
            Action::About => self.dialogs.about = true,
            Action::Tour => self.tour = Tour::new(true),
            Action::FocusSelection | Action::FocusAll | Action::Quit => return false,
        }
        true
    }
}

/// What the keys and buttons of the transport bar do.
fn transport(action: Action, context: &mut PanelContext<'_>) {
    let pacing = context.live.progress.pacing;
    let running = is_running(pacing);
    let request = match action {
        Action::PlayPause if running => Request::Pace(Pacing::Paused),
        Action::PlayPause => Request::Pace(chosen(context)),
        Action::Step => Request::Steps(1),
        Action::NextSpike => Request::NextSpike(context.selected.region.iter().cloned().collect()),
        Action::Reset => Request::Seek(0),
        _ => {
            let factor = if action == Action::Faster { 2.0 } else { 0.5 };
            let pace = match (chosen(context), factor < 1.0) {
                // Slower than the machine can: half of what it manages now.
                (Pacing::Unlimited, true) => {
                    times(Pacing::RealTime(context.live.progress.speed), factor)
                }
                (pace, _) => times(pace, factor),
            };
            context.preferences.unlimited = pace == Pacing::Unlimited;
            if let Pacing::RealTime(speed) = pace {
                context.preferences.speed = speed;
            }
            if !running {
                return;
            }
            Request::Pace(pace)
        }
    };
    context.live.send(request);
}

/// Writes the scene or the commands as the view knows them: their thread has ended.
fn save_without_network(
    action: Action,
    path: &Path,
    context: &PanelContext<'_>,
) -> Result<String, String> {
    let structure = context.live.structure.as_ref().ok_or("no scene is open")?;
    let text = match action {
        Action::SaveScene => scene_text(&structure.scene, context.registry)?,
        _ => write_log(&context.live.log, context.registry)?,
    };
    write_whole(path, |out| out.write_all(text.as_bytes())).map_err(|e| e.to_string())?;
    Ok(format!("saved {}", path.display()))
}

fn copy_command_line(ctx: &egui::Context, context: &mut PanelContext<'_>) {
    let Some(structure) = context.live.structure.clone() else {
        return;
    };
    // A log that was saved before stays.
    let names = (1..).map(|i| match i {
        1 => file_name(&structure, "commands.ron"),
        i => file_name(&structure, &format!("commands-{i}.ron")),
    });
    let free = |name: &String| !Path::new(name).exists();
    let log = names.take(10_000).find(free).unwrap_or_default();
    if !context.live.log.is_empty() {
        context.live.send(Request::SaveLog(PathBuf::from(&log)));
    }
    let line = command_line(context.live, &structure, &log);
    context.live.tell(false, format!("Copied\n{line}"));
    ctx.copy_text(line);
}
