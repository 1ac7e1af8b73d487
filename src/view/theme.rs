//! Colours, from theme files.
//!
//! `assets/themes/dark.ron` and `light.ron` hold every colour of the 3D view and the panels; a palette for regions is one of several that
//! people with colour-blindness can tell apart.

use bevy::prelude::*;
use bevy_egui::egui::Color32;

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
