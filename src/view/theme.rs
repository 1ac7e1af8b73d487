//! Colours, from theme files, and the look of panels that is made of them.
//!
//! `assets/themes/dark.ron` and `light.ron` hold every colour of the 3D view and the panels. The palettes for regions are those that
//! people with colour-blindness can tell apart: Okabe and Ito 2008, and Paul Tol's schemes (SRON/EPS/TN/09-002).

use super::preferences::Preferences;
use bevy::prelude::*;
use bevy_egui::egui::epaint::FontColorTransferFunction;
use bevy_egui::egui::{self, Color32, CornerRadius, FontFamily, FontId, Margin, Stroke, TextStyle};
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;

/// Which colours tell regions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Palette {
    /// Okabe and Ito 2008, without black.
    #[default]
    OkabeIto,
    /// Tol's bright scheme.
    TolBright,
    /// Tol's muted scheme: more colours, less loud.
    TolMuted,
    /// Tol's vibrant scheme.
    TolVibrant,
}

impl Palette {
    /// Every palette.
    pub const ALL: [Self; 4] = [
        Self::OkabeIto,
        Self::TolBright,
        Self::TolMuted,
        Self::TolVibrant,
    ];

    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::OkabeIto => "Okabe–Ito",
            Self::TolBright => "Tol bright",
            Self::TolMuted => "Tol muted",
            Self::TolVibrant => "Tol vibrant",
        }
    }

    /// Its colours as 0xrrggbb.
    fn colours(self) -> &'static [u32] {
        match self {
            Self::OkabeIto => &[
                0x56b4e9, 0xe69f00, 0x009e73, 0xcc79a7, 0xf0e442, 0xd55e00, 0x0072b2, 0xaaaaaa,
            ],
            Self::TolBright => &[
                0x4477aa, 0xee6677, 0x228833, 0xccbb44, 0x66ccee, 0xaa3377, 0xbbbbbb,
            ],
            Self::TolMuted => &[
                0x88ccee, 0xcc6677, 0xddcc77, 0x117733, 0x332288, 0xaa4499, 0x44aa99, 0x999933,
                0x882255,
            ],
            Self::TolVibrant => &[
                0x33bbee, 0xee7733, 0x0077bb, 0xcc3311, 0x009988, 0xee3377, 0xbbbbbb,
            ],
        }
    }
}

/// From which colours values are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColourMap {
    /// Violet, green, yellow.
    #[default]
    Viridis,
    /// Blue, grey, yellow: even with a red-green deficiency it looks the same.
    Cividis,
    /// Black, red, white.
    Magma,
}

impl ColourMap {
    /// Every map.
    pub const ALL: [Self; 3] = [Self::Viridis, Self::Cividis, Self::Magma];

    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Viridis => "Viridis",
            Self::Cividis => "Cividis",
            Self::Magma => "Magma",
        }
    }

    /// Colours at equal distances as 0xrrggbb.
    fn colours(self) -> &'static [u32] {
        match self {
            Self::Viridis => &[0x440154, 0x3b528b, 0x21918c, 0x5ec962, 0xfde725],
            Self::Cividis => &[0x00224e, 0x434e6c, 0x7d7c78, 0xbcae6c, 0xfee838],
            Self::Magma => &[0x000004, 0x51127c, 0xb73779, 0xfc8961, 0xfcfdbf],
        }
    }
}

/// The colours in force.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Theme {
    /// Whether panels are dark.
    pub dark: bool,
    /// Behind the 3D view.
    pub background: Color32,
    /// Behind menus and tabs.
    pub bar: Color32,
    /// Behind panels.
    pub panel: Color32,
    /// Buttons at rest.
    pub raised: Color32,
    /// Fields for text, plots.
    pub field: Color32,
    /// Lines between things.
    pub outline: Color32,
    /// Text, also over the 3D view.
    pub text: Color32,
    /// Text that matters less.
    pub weak: Color32,
    /// What can be acted on or is under way.
    pub accent: Color32,
    /// Behind text and rows that are chosen.
    pub selected: Color32,
    /// Excitatory synapses.
    pub excitatory: Color32,
    /// Inhibitory synapses.
    pub inhibitory: Color32,
    /// Neurons that are selected.
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

/// A theme file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemeFile {
    dark: bool,
    background: Hex,
    bar: Hex,
    panel: Hex,
    raised: Hex,
    field: Hex,
    outline: Hex,
    text: Hex,
    weak: Hex,
    accent: Hex,
    selected: Hex,
    excitatory: Hex,
    inhibitory: Hex,
    selection: Hex,
    spike: Hex,
    lesioned: Hex,
    error: Hex,
    warning: Hex,
}

/// A colour written as `#rrggbb`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Color32);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a colour; write #rrggbb");
        Color32::from_hex(&text).map(Self).map_err(|_| wrong())
    }
}

impl ThemeFile {
    fn theme(self) -> Theme {
        Theme {
            dark: self.dark,
            background: self.background.0,
            bar: self.bar.0,
            panel: self.panel.0,
            raised: self.raised.0,
            field: self.field.0,
            outline: self.outline.0,
            text: self.text.0,
            weak: self.weak.0,
            accent: self.accent.0,
            selected: self.selected.0,
            excitatory: self.excitatory.0,
            inhibitory: self.inhibitory.0,
            selection: self.selection.0,
            spike: self.spike.0,
            lesioned: self.lesioned.0,
            error: self.error.0,
            warning: self.warning.0,
            regions: Vec::new(),
            map: Vec::new(),
        }
    }
}

/// The two themes that ship: dark, light.
fn shipped() -> &'static [Theme; 2] {
    static THEMES: OnceLock<[Theme; 2]> = OnceLock::new();
    THEMES.get_or_init(|| {
        [
            include_str!("../../assets/themes/dark.ron"),
            include_str!("../../assets/themes/light.ron"),
        ]
        .map(|text| {
            let file: ThemeFile = ron::from_str(text).expect("themes that ship are tested");
            file.theme()
        })
    })
}

fn rgb(colour: u32) -> Color32 {
    let [_, r, g, b] = colour.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

impl Default for Theme {
    fn default() -> Self {
        Self::of(&Preferences::default())
    }
}

impl Theme {
    /// The theme that the user has chosen.
    pub fn of(preferences: &Preferences) -> Self {
        let [dark, light] = shipped();
        let theme = if preferences.dark { dark } else { light };
        let all = |colours: &[u32]| colours.iter().copied().map(rgb).collect();
        Self {
            regions: all(preferences.palette.colours()),
            map: all(preferences.colour_map.colours()),
            ..theme.clone()
        }
    }

    /// The colour of the region at this place.
    pub fn region(&self, region: usize) -> Color32 {
        match self.regions.len() {
            0 => Color32::GRAY,
            n => self.regions[region % n],
        }
    }

    /// The colour of a value from 0 to 1 on the colour map. One that is not a number has the colour of 0.
    pub fn mapped(&self, value: f32) -> Color32 {
        let Some(last) = self.map.len().checked_sub(1) else {
            return Color32::GRAY;
        };
        let part = if value > 0.0 { value.min(1.0) } else { 0.0 };
        let at = part * last as f32;
        let low = (at as usize).min(last);
        let high = (low + 1).min(last);
        self.map[low].lerp_to_gamma(self.map[high], at - low as f32)
    }

    /// Gives egui this look, with text of this size in points.
    pub fn apply(&self, ctx: &egui::Context, font_size: f32) {
        let (theme, visuals) = match self.dark {
            true => (egui::Theme::Dark, egui::Visuals::dark()),
            false => (egui::Theme::Light, egui::Visuals::light()),
        };
        // The proportional font has no arrows, which names of projections have.
        let mut fonts = egui::FontDefinitions::default();
        if let Some(names) = fonts.families.get_mut(&egui::FontFamily::Proportional) {
            names.push("Hack".into());
        }
        ctx.set_fonts(fonts);
        ctx.set_theme(theme);
        ctx.set_style_of(theme, self.style(visuals, font_size));
    }

    fn style(&self, visuals: egui::Visuals, font_size: f32) -> egui::Style {
        let mut style = egui::Style {
            visuals,
            ..egui::Style::default()
        };
        let font = |part: f32, family| FontId::new((font_size * part).round(), family);
        style.text_styles = [
            (TextStyle::Small, font(0.85, FontFamily::Proportional)),
            (TextStyle::Body, font(1.0, FontFamily::Proportional)),
            (TextStyle::Button, font(1.0, FontFamily::Proportional)),
            (TextStyle::Heading, font(1.25, FontFamily::Proportional)),
            (TextStyle::Monospace, font(0.95, FontFamily::Monospace)),
        ]
        .into();
        let spacing = &mut style.spacing;
        spacing.item_spacing = egui::vec2(8.0, 5.0);
        spacing.button_padding = egui::vec2(8.0, 3.0);
        spacing.interact_size.y = (font_size * 1.7).round();
        spacing.indent = 16.0;
        spacing.menu_margin = Margin::same(6);
        spacing.window_margin = Margin::same(14);
        spacing.scroll = egui::style::ScrollStyle::thin();
        spacing.tooltip_width = 360.0;
        spacing.slider_rail_height = 4.0;
        style.animation_time = 0.08;
        self.colour(&mut style.visuals);
        style
    }

    fn colour(&self, visuals: &mut egui::Visuals) {
        if !self.dark {
            // Colours are blended in linear light, which thins dark text on a light ground.
            visuals.text_options.color_transfer_function = FontColorTransferFunction::Gamma(0.45);
        }
        visuals.panel_fill = self.panel;
        visuals.window_fill = self.panel;
        visuals.window_stroke = Stroke::new(1.0, self.outline);
        visuals.window_corner_radius = CornerRadius::same(8);
        visuals.menu_corner_radius = CornerRadius::same(6);
        visuals.extreme_bg_color = self.field;
        visuals.text_edit_bg_color = Some(self.field);
        visuals.code_bg_color = self.raised;
        visuals.faint_bg_color = self.panel.lerp_to_gamma(self.raised, 0.5);
        visuals.hyperlink_color = self.accent;
        visuals.error_fg_color = self.error;
        visuals.warn_fg_color = self.warning;
        visuals.weak_text_color = Some(self.weak);
        visuals.selection.bg_fill = self.selected;
        visuals.selection.stroke = Stroke::new(1.0, self.text);
        visuals.slider_trailing_fill = true;
        visuals.handle_shape = egui::style::HandleShape::Circle;
        visuals.striped = false;
        visuals.indent_has_left_vline = false;
        let shadow = |blur, y| egui::Shadow {
            offset: [0, y],
            blur,
            spread: 0,
            color: Color32::from_black_alpha(if self.dark { 110 } else { 45 }),
        };
        visuals.window_shadow = shadow(24, 8);
        visuals.popup_shadow = shadow(12, 4);
        let lit = |part| self.raised.lerp_to_gamma(self.text, part);
        let widgets = &mut visuals.widgets;
        let looks = [
            (
                &mut widgets.noninteractive,
                self.panel,
                self.outline,
                self.text,
            ),
            (
                &mut widgets.inactive,
                self.raised,
                Color32::TRANSPARENT,
                self.text,
            ),
            (
                &mut widgets.hovered,
                lit(0.12),
                Color32::TRANSPARENT,
                self.text,
            ),
            (&mut widgets.active, lit(0.2), self.accent, self.text),
            (
                &mut widgets.open,
                lit(0.06),
                Color32::TRANSPARENT,
                self.text,
            ),
        ];
        for (look, fill, outline, text) in looks {
            look.bg_fill = fill;
            look.weak_bg_fill = fill;
            look.bg_stroke = match outline {
                Color32::TRANSPARENT => Stroke::NONE,
                colour => Stroke::new(1.0, colour),
            };
            look.fg_stroke = Stroke::new(1.0, text);
            look.corner_radius = CornerRadius::same(4);
            look.expansion = 0.0;
        }
        if !self.dark {
            // White fields on a nearly white ground need an edge.
            visuals.widgets.inactive.bg_stroke = Stroke::new(1.0, self.outline);
        }
        // The rail and box of a slider or checkbox must be seen on the panel.
        visuals.widgets.inactive.bg_fill = lit(0.14);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance as WCAG 2 defines it.
    fn luminance(colour: Color32) -> f64 {
        let linear = |c: u8| match f64::from(c) / 255.0 {
            c if c <= 0.03928 => c / 12.92,
            c => ((c + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground_of_both_themes() {
        for theme in shipped() {
            for ground in [
                theme.background,
                theme.bar,
                theme.panel,
                theme.raised,
                theme.field,
            ] {
                assert!(
                    contrast(theme.text, ground) > 7.0,
                    "text, dark {}",
                    theme.dark
                );
                assert!(
                    contrast(theme.weak, ground) > 4.5,
                    "weak, dark {}",
                    theme.dark
                );
            }
            for ground in [theme.panel, theme.field] {
                assert!(
                    contrast(theme.error, ground) > 4.5,
                    "error, dark {}",
                    theme.dark
                );
                assert!(
                    contrast(theme.warning, ground) > 4.5,
                    "warning, dark {}",
                    theme.dark
                );
            }
            assert!(
                contrast(theme.text, theme.selected) > 7.0,
                "chosen, dark {}",
                theme.dark
            );
        }
    }

    #[test]
    fn values_beyond_the_map_take_its_ends() {
        let theme = Theme::default();
        assert_eq!(theme.mapped(-1.0), theme.map[0]);
        assert_eq!(theme.mapped(2.0), theme.map[4]);
        assert_eq!(theme.mapped(f32::NAN), theme.map[0]);
        assert_eq!(theme.mapped(0.5), theme.map[2]);
        assert_eq!(theme.region(8), theme.region(0));
    }
}
