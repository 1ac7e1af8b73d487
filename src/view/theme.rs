//! Colours, from theme files.
//!
//! `assets/themes/dark.ron` and `light.ron` hold every colour of the 3D view and the panels; a palette for regions is one of several that
//! people with colour-blindness can tell apart.

use super::preferences::Preferences;
use bevy::prelude::*;
use bevy_egui::egui::{self, Color32};

/// The colours in force.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Theme {
    /// Whether panels are dark.
    pub dark: bool,
    /// Behind the 3D view.
    pub background: Color32,
    /// Text over the 3D view.
    pub text: Color32,
    /// Excitatory synapses.
    pub excitatory: Color32,
    /// Inhibitory synapses.
    pub inhibitory: Color32,
    /// What is selected.
    pub selection: Color32,
    /// A neuron that spikes.
    pub spike: Color32,
    /// A neuron that is lesioned.
    pub lesioned: Color32,
    /// Errors.
    pub error: Color32,
    /// Warnings.
    pub warning: Color32,
    /// One colour per region, repeated if there are more regions.
    pub regions: Vec<Color32>,
    /// A colour map for columns, from the least to the largest value.
    pub map: Vec<Color32>,
}

impl Default for Theme {
    fn default() -> Self {
        let rgb = Color32::from_rgb;
        Self {
            dark: true,
            background: rgb(13, 16, 23),
            text: rgb(224, 228, 236),
            excitatory: rgb(230, 159, 0),
            inhibitory: rgb(86, 180, 233),
            selection: rgb(255, 255, 255),
            spike: rgb(255, 250, 225),
            lesioned: rgb(70, 70, 76),
            error: rgb(240, 96, 96),
            warning: rgb(240, 190, 80),
            // Okabe and Ito 2008, without black.
            regions: vec![
                rgb(86, 180, 233),
                rgb(230, 159, 0),
                rgb(0, 158, 115),
                rgb(204, 121, 167),
                rgb(240, 228, 66),
                rgb(213, 94, 0),
                rgb(0, 114, 178),
                rgb(170, 170, 170),
            ],
            map: vec![
                rgb(68, 1, 84),
                rgb(59, 82, 139),
                rgb(33, 145, 140),
                rgb(94, 201, 98),
                rgb(253, 231, 37),
            ],
        }
    }
}

impl Theme {
    /// The theme that the user likes.
    pub fn of(preferences: &Preferences) -> Self {
        if preferences.dark {
            Self::default()
        } else {
            Self::light()
        }
    }

    /// Dark on light.
    pub fn light() -> Self {
        let rgb = Color32::from_rgb;
        let dark = Self::default();
        Self {
            dark: false,
            background: rgb(246, 247, 250),
            text: rgb(32, 36, 44),
            excitatory: rgb(213, 94, 0),
            inhibitory: rgb(0, 114, 178),
            selection: rgb(10, 10, 10),
            spike: rgb(200, 20, 20),
            lesioned: rgb(190, 190, 196),
            error: rgb(190, 30, 30),
            warning: rgb(160, 100, 0),
            regions: vec![
                rgb(0, 114, 178),
                rgb(213, 94, 0),
                rgb(0, 138, 100),
                rgb(180, 90, 145),
                rgb(150, 130, 0),
                rgb(60, 150, 210),
                rgb(190, 120, 0),
                rgb(110, 110, 110),
            ],
            ..dark
        }
    }

    /// Gives the panels the theme's colours, spacing and text size.
    pub fn apply(&self, ctx: &egui::Context, font_size: f32) {
        let id = egui::Id::new("theme in force");
        let wanted = (self.dark, font_size.to_bits());
        if ctx.data(|d| d.get_temp::<(bool, u32)>(id)) == Some(wanted) {
            return;
        }
        ctx.data_mut(|d| d.insert_temp(id, wanted));
        let mut visuals = if self.dark {
            egui::Visuals::dark()
        } else {
            egui::Visuals::light()
        };
        if self.dark {
            visuals.panel_fill = Color32::from_rgb(22, 26, 34);
            visuals.window_fill = Color32::from_rgb(28, 32, 42);
            visuals.extreme_bg_color = self.background;
            visuals.override_text_color = Some(self.text);
        }
        ctx.set_theme(if self.dark {
            egui::Theme::Dark
        } else {
            egui::Theme::Light
        });
        ctx.set_visuals(visuals);
        ctx.all_styles_mut(|style| {
            for (kind, font) in &mut style.text_styles {
                font.size = match kind {
                    egui::TextStyle::Small => font_size * 0.85,
                    egui::TextStyle::Heading => font_size * 1.35,
                    _ => font_size,
                };
            }
            style.spacing.item_spacing = egui::vec2(8.0, 5.0);
            style.spacing.button_padding = egui::vec2(7.0, 3.0);
        });
    }

    /// The colour of the region at this place.
    pub fn region(&self, region: usize) -> Color32 {
        match self.regions.len() {
            0 => Color32::GRAY,
            n => self.regions[region % n],
        }
    }

    /// The colour of a value from 0 to 1 on the colour map.
    pub fn mapped(&self, value: f32) -> Color32 {
        let Some(last) = self.map.len().checked_sub(1) else {
            return Color32::GRAY;
        };
        let at = value.clamp(0.0, 1.0) * last as f32;
        let low = (at as usize).min(last);
        let high = (low + 1).min(last);
        self.map[low].lerp_to_gamma(self.map[high], at - low as f32)
    }
}
