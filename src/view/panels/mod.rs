//! The panels around the 3D view, one file each.

pub mod axes;
pub mod distributions;
pub mod fields;
pub mod library;
pub mod log;
pub mod matrix;
pub mod network;
pub mod performance;
pub mod raster;
pub mod spectrum;
pub mod stimulate;
pub mod traces;
pub mod transport;

use super::live::{Live, Selected};
use super::preferences::Preferences;
use super::theme::Theme;
use crate::session::frame::Subscription;
use crate::simulation::Registry;
use bevy::prelude::*;
use bevy_egui::egui;

/// What a panel may read and touch while it is drawn.
pub struct PanelContext<'a> {
    /// What is known of the network; requests go through it.
    pub live: &'a mut Live,
    /// What the user has chosen.
    pub selected: &'a mut Selected,
    /// What the user likes.
    pub preferences: &'a mut Preferences,
    /// The colours in force.
    pub theme: &'a Theme,
    /// The types and columns that scenes can name.
    pub registry: &'a Registry,
    /// What the visible panels want of the next frames: each panel adds what it needs, anew in every frame.
    pub wants: &'a mut Subscription,
}

/// One panel.
pub trait Panel: Send + Sync + 'static {
    /// Its title, sentence case.
    fn title(&self) -> &'static str;

    /// What it shows and how it is used, in a few sentences.
    fn help(&self) -> &'static str;

    /// Draws it and handles what the user does in it.
    fn show(&mut self, ui: &mut egui::Ui, context: &mut PanelContext<'_>);
}

/// Every panel, in the order of their tabs.
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(library::LibraryPanel::default()),
        Box::new(network::NetworkPanel::default()),
        Box::new(raster::RasterPanel::default()),
        Box::new(traces::TracesPanel::default()),
        Box::new(distributions::DistributionsPanel::default()),
        Box::new(spectrum::SpectrumPanel::default()),
        Box::new(matrix::MatrixPanel::default()),
        Box::new(stimulate::StimulatePanel::default()),
        Box::new(performance::PerformancePanel::default()),
        Box::new(log::LogPanel::default()),
    ]
}

/// The part of the window that the 3D view fills, in points; none while it is hidden. Set by the panels, read by the 3D view.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct Scene3dArea {
    /// The rectangle in points, from the upper left corner of the window.
    pub rect: Option<egui::Rect>,
    /// Whether the pointer is over it and no panel, menu or window is in between.
    pub hovered: bool,
}
