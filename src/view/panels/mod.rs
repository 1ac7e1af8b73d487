//! The panels around the 3D view, one file each.
//!
//! A panel is a file here that implements [`Panel`], and a line in [`all`].

pub mod distributions;
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
pub mod view;

use super::action::Action;
use super::live::{Live, Selected};
use super::preferences::Preferences;
use super::scene3d::HiddenRegions;
use super::scene3d::camera::{CameraRequest, Pose};
use super::theme::Theme;
use crate::session::frame::Subscription;
use crate::simulation::Registry;
use bevy::prelude::*;
use bevy_egui::egui;
use serde::{Deserialize, Serialize};

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
    /// The regions that the 3D view leaves out.
    pub hidden: &'a mut HiddenRegions,
    /// Where the camera of the 3D view is, or glides to.
    pub pose: Pose,
    /// Where to send the camera.
    pub camera: &'a mut Option<CameraRequest>,
    /// Commands that panels give, as menus and keys do.
    pub asks: &'a mut Vec<Action>,
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

    /// Reads keys in every frame, whether the panel is shown or not.
    fn keys(&mut self, _ctx: &egui::Context, _context: &mut PanelContext<'_>) {}
}

/// Which panel, wherever it is docked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PanelKind {
    /// Scenes to open.
    Library,
    /// Regions and projections with their parameters.
    Network,
    /// How the 3D view looks and where its camera is.
    View,
    /// Spikes over time.
    Raster,
    /// State over time.
    Traces,
    /// Histograms.
    Distributions,
    /// Frequencies.
    Spectrum,
    /// Weights.
    Matrix,
    /// Input from outside.
    Stimulate,
    /// Where the time goes.
    Performance,
    /// Commands and messages.
    Log,
}

/// The side of the 3D view on which a panel is at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Left of it.
    Left,
    /// Below it.
    Bottom,
    /// Right of it.
    Right,
}

impl PanelKind {
    /// Every kind, in the order of menus and tabs.
    pub const ALL: [Self; 11] = [
        Self::Library,
        Self::Network,
        Self::View,
        Self::Raster,
        Self::Traces,
        Self::Distributions,
        Self::Spectrum,
        Self::Matrix,
        Self::Stimulate,
        Self::Performance,
        Self::Log,
    ];

    /// What menus and tabs call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Library => "Library",
            Self::Network => "Network",
            Self::View => "View",
            Self::Raster => "Raster",
            Self::Traces => "Traces",
            Self::Distributions => "Distributions",
            Self::Spectrum => "Spectrum",
            Self::Matrix => "Matrix",
            Self::Stimulate => "Stimulate",
            Self::Performance => "Performance",
            Self::Log => "Log",
        }
    }

    /// Where it is at first.
    pub fn side(self) -> Side {
        match self {
            Self::Library | Self::Network | Self::View => Side::Left,
            Self::Stimulate | Self::Performance | Self::Log => Side::Right,
            _ => Side::Bottom,
        }
    }

    /// The key that shows it, together with the command key; the first ten have one.
    pub fn key(self) -> Option<egui::Key> {
        let place = Self::ALL.iter().position(|kind| *kind == self)?;
        let digit = (place < 10).then_some((place + 1) % 10)?;
        egui::Key::from_name(&digit.to_string())
    }
}

/// A row of widgets that goes on in the next line where one does not fit; no widget is broken in two.
pub fn row<R>(ui: &mut egui::Ui, add: impl FnOnce(&mut egui::Ui) -> R) -> egui::InnerResponse<R> {
    ui.horizontal_wrapped(|ui| {
        ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
        add(ui)
    })
}

/// Every panel that can be docked.
pub fn all() -> Vec<(PanelKind, Box<dyn Panel>)> {
    vec![
        (PanelKind::Library, Box::new(library::Library::default())),
        (
            PanelKind::Network,
            Box::new(network::NetworkPanel::default()),
        ),
        (PanelKind::View, Box::new(view::ViewPanel::default())),
        (PanelKind::Raster, Box::new(raster::RasterPanel::default())),
        (PanelKind::Traces, Box::new(traces::TracesPanel::default())),
        (
            PanelKind::Distributions,
            Box::new(distributions::DistributionsPanel::default()),
        ),
        (
            PanelKind::Spectrum,
            Box::new(spectrum::SpectrumPanel::default()),
        ),
        (PanelKind::Matrix, Box::new(matrix::MatrixPanel::default())),
        (
            PanelKind::Stimulate,
            Box::new(stimulate::StimulatePanel::default()),
        ),
        (
            PanelKind::Performance,
            Box::new(performance::PerformancePanel::default()),
        ),
        (PanelKind::Log, Box::new(log::Log::default())),
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
