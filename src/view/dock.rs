//! Panels around the 3D view: they can be dragged, split, stacked as tabs, closed and opened again.
//!
//! A closed panel stays in the tree out of sight, so that it comes back where it was. The layout is kept with the preferences as text;
//! text that does not fit (edited by hand, or of a version with other panels) gives the layout at first.

use super::panels::{Panel, PanelContext, PanelKind, Scene3dArea, Side};
use super::theme::Theme;
use bevy_egui::egui;
use egui_tiles::{
    Behavior, Container, EditAction, Linear, LinearDir, SimplificationOptions, TabState, Tabs,
    Tile, TileId, Tiles, Tree, UiResponse,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The name of the tree in egui's memory.
const TREE: &str = "dock";
/// The deepest nesting of splits that a kept layout may have.
const DEEPEST: usize = 16;

/// A place in the dock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Pane {
    /// The 3D view, which shows through.
    Scene3d,
    /// A panel.
    Panel(PanelKind),
}

/// The 3D view and the panels around it.
pub struct Dock {
    panels: Vec<(PanelKind, Box<dyn Panel>)>,
    /// None until the first frame tells how large the window is.
    tree: Option<Tree<Pane>>,
    kept: String,
    changed: bool,
    /// Where each visible panel was drawn last.
    rects: BTreeMap<PanelKind, egui::Rect>,
}

impl Dock {
    /// A dock of these panels, in a layout that was kept.
    pub fn new(panels: Vec<(PanelKind, Box<dyn Panel>)>, layout: &str) -> Self {
        Self {
            panels,
            tree: None,
            kept: layout.to_owned(),
            changed: false,
            rects: BTreeMap::new(),
        }
    }

    /// The panels that there are.
    pub fn kinds(&self) -> impl Iterator<Item = PanelKind> + '_ {
        self.panels.iter().map(|(kind, _)| *kind)
    }

    /// Whether there is a panel of this kind.
    pub fn has(&self, kind: PanelKind) -> bool {
        self.kinds().any(|known| known == kind)
    }

    /// Whether a panel is open, be it behind another tab.
    pub fn is_open(&self, kind: PanelKind) -> bool {
        let tile = self.tile(kind);
        self.tree
            .as_ref()
            .zip(tile)
            .is_some_and(|(tree, tile)| tree.is_visible(tile))
    }

    /// Where a panel was drawn in the last frame; none if it is closed or behind another tab.
    pub fn rect(&self, kind: PanelKind) -> Option<egui::Rect> {
        self.rects.get(&kind).copied()
    }

    /// Where a panel was drawn in the last frame together with its tabs.
    pub fn framed(&self, kind: PanelKind) -> Option<egui::Rect> {
        let tree = self.tree.as_ref()?;
        let rect = self.rect(kind)?;
        let tabs = tree.tiles.parent_of(self.tile(kind)?)?;
        Some(tree.tiles.rect(tabs).map_or(rect, |tabs| tabs.union(rect)))
    }

    fn tile(&self, kind: PanelKind) -> Option<TileId> {
        self.tree.as_ref()?.tiles.find_pane(&Pane::Panel(kind))
    }

    /// Brings a panel to the front; opens it if it was closed.
    pub fn front(&mut self, kind: PanelKind) {
        if let Some((tile, tree)) = self.tile(kind).zip(self.tree.as_mut()) {
            tree.set_visible(tile, true);
            tree.make_active(|id, _| id == tile);
            self.changed = true;
        }
    }

    /// Closes a panel.
    pub fn close(&mut self, kind: PanelKind) {
        if let Some((tile, tree)) = self.tile(kind).zip(self.tree.as_mut()) {
            tree.set_visible(tile, false);
            self.changed = true;
        }
    }

    /// Puts every panel back to its first place.
    pub fn reset(&mut self) {
        self.tree = None;
        self.kept.clear();
        self.changed = true;
    }

    /// The layout as text, if it has changed since the last call.
    pub fn changed_layout(&mut self) -> Option<String> {
        let tree = self.tree.as_ref().filter(|_| self.changed)?;
        self.changed = false;
        self.kept = serde_json::to_string(tree).unwrap_or_default();
        Some(self.kept.clone())
    }

    /// Draws it, and says where the 3D view is.
    pub fn show(
        &mut self,
        ui: &mut egui::Ui,
        context: &mut PanelContext<'_>,
        area: &mut Scene3dArea,
    ) {
        let kinds: BTreeSet<PanelKind> = self.kinds().collect();
        let size = ui.available_size();
        let kept = &self.kept;
        let tree = self
            .tree
            .get_or_insert_with(|| read(kept, &kinds).unwrap_or_else(|| first_tree(&kinds, size)));
        *area = Scene3dArea::default();
        self.rects.clear();
        for (_, panel) in &mut self.panels {
            panel.keys(ui.ctx(), context);
        }
        let mut closed = None;
        let mut behavior = Drawing {
            panels: &mut self.panels,
            context,
            area,
            rects: &mut self.rects,
            changed: &mut self.changed,
            closed: &mut closed,
        };
        tree.ui(&mut behavior, ui);
        if let Some(kind) = closed {
            self.close(kind);
        }
    }
}

/// The layout at first, for a window of this size in points.
fn first_tree(kinds: &BTreeSet<PanelKind>, size: egui::Vec2) -> Tree<Pane> {
    let mut tiles = Tiles::default();
    let of_side = |tiles: &mut Tiles<Pane>, side| {
        let there = PanelKind::ALL
            .into_iter()
            .filter(|k| kinds.contains(k) && k.side() == side);
        let panes: Vec<TileId> = there.map(|k| tiles.insert_pane(Pane::Panel(k))).collect();
        (!panes.is_empty()).then(|| {
            let mut tabs = Tabs::new(panes.clone());
            tabs.set_active(panes[0]);
            tiles.insert_container(Container::Tabs(tabs))
        })
    };
    let left = of_side(&mut tiles, Side::Left);
    let bottom = of_side(&mut tiles, Side::Bottom);
    let right = of_side(&mut tiles, Side::Right);
    // Side panels have a width that suits text; what the window has beyond goes to the 3D view.
    let (wide, high) = (size.x.max(640.0), size.y.max(400.0));
    let side = (wide * 0.2).clamp(250.0, 360.0);
    let below = (high * 0.36).clamp(200.0, 380.0);
    let scene = tiles.insert_pane(Pane::Scene3d);
    let mut middle = Linear::new(LinearDir::Vertical, vec![scene]);
    middle.shares.set_share(scene, high - below);
    if let Some(bottom) = bottom {
        middle.add_child(bottom);
        middle.shares.set_share(bottom, below);
    }
    let middle = tiles.insert_container(middle);
    let mut root = Linear::new(LinearDir::Horizontal, Vec::new());
    let columns = [
        (left, side),
        (Some(middle), wide - 2.0 * side),
        (right, side),
    ];
    for (tile, share) in columns {
        if let Some(tile) = tile {
            root.add_child(tile);
            root.shares.set_share(tile, share);
        }
    }
    let root = tiles.insert_container(root);
    Tree::new(TREE, root, tiles)
}

/// The tree that a text describes, if it is whole: every tile once, the 3D view, and every panel that there is. Panels that a newer
/// version added are taken in beside others of their side.
fn read(text: &str, kinds: &BTreeSet<PanelKind>) -> Option<Tree<Pane>> {
    let mut tree: Tree<Pane> = serde_json::from_str(text).ok()?;
    let root = tree.root()?;
    let (mut seen, mut panes) = (BTreeSet::new(), BTreeMap::new());
    let mut open = vec![(root, 0)];
    while let Some((id, depth)) = open.pop() {
        if !seen.insert(id.0) || depth > DEEPEST {
            return None;
        }
        match tree.tiles.get(id)? {
            Tile::Pane(pane) => {
                if panes.insert(*pane, id).is_some() {
                    return None;
                }
            }
            Tile::Container(container) => {
                if let Container::Linear(linear) = container
                    && linear
                        .shares
                        .iter()
                        .any(|(_, s)| !s.is_finite() || *s <= 0.0)
                {
                    return None;
                }
                open.extend(container.children().map(|child| (*child, depth + 1)));
            }
        }
    }
    let scene = *panes.get(&Pane::Scene3d)?;
    if seen.len() != tree.tiles.len() || !tree.is_visible(scene) {
        return None;
    }
    let added = kinds
        .iter()
        .filter(|kind| !panes.contains_key(&Pane::Panel(**kind)));
    for kind in added.copied().collect::<Vec<_>>() {
        let beside = panes.iter().find_map(|(pane, id)| match pane {
            Pane::Panel(other) if other.side() == kind.side() => tree.tiles.parent_of(*id),
            _ => None,
        });
        let Some(Tile::Container(Container::Tabs(_))) = beside.and_then(|id| tree.tiles.get(id))
        else {
            return None;
        };
        let tile = tree.tiles.insert_pane(Pane::Panel(kind));
        tree.move_tile_to_container(tile, beside?, usize::MAX, false);
    }
    let gone: Vec<TileId> = (panes.iter())
        .filter(|(pane, _)| matches!(pane, Pane::Panel(kind) if !kinds.contains(kind)))
        .map(|(_, id)| *id)
        .collect();
    for id in gone {
        tree.remove_recursively(id);
    }
    Some(tree)
}

/// Draws the panes.
struct Drawing<'d, 'c> {
    panels: &'d mut [(PanelKind, Box<dyn Panel>)],
    context: &'d mut PanelContext<'c>,
    area: &'d mut Scene3dArea,
    rects: &'d mut BTreeMap<PanelKind, egui::Rect>,
    changed: &'d mut bool,
    /// The panel whose cross was clicked.
    closed: &'d mut Option<PanelKind>,
}

impl Drawing<'_, '_> {
    fn theme(&self) -> &Theme {
        self.context.theme
    }

    fn panel(&mut self, kind: PanelKind) -> Option<&mut Box<dyn Panel>> {
        self.panels
            .iter_mut()
            .find(|(known, _)| *known == kind)
            .map(|(_, panel)| panel)
    }
}

impl Behavior<Pane> for Drawing<'_, '_> {
    fn pane_ui(&mut self, ui: &mut egui::Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        let rect = ui.max_rect();
        match *pane {
            Pane::Scene3d => {
                let response = ui.allocate_rect(rect, egui::Sense::click_and_drag());
                let hovered = response.contains_pointer() || response.dragged();
                *self.area = Scene3dArea {
                    rect: Some(rect),
                    hovered,
                };
            }
            Pane::Panel(kind) => {
                self.rects.insert(kind, rect);
                ui.painter()
                    .rect_filled(rect, 0.0, self.context.theme.panel);
                let inside = rect.shrink2(egui::vec2(10.0, 8.0));
                let mut ui = ui.new_child(egui::UiBuilder::new().max_rect(inside));
                ui.set_clip_rect(rect.intersect(ui.clip_rect()));
                let found = self.panels.iter_mut().find(|(known, _)| *known == kind);
                if let Some((_, panel)) = found {
                    panel.show(&mut ui, self.context);
                }
            }
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> egui::WidgetText {
        match *pane {
            Pane::Scene3d => "3D view".into(),
            Pane::Panel(kind) => kind.title().into(),
        }
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut egui::Ui,
        _: TileId,
        tabs: &Tabs,
        _: &mut f32,
    ) {
        let Some(Pane::Panel(kind)) = tabs.active.and_then(|id| tiles.get_pane(&id)).copied()
        else {
            return;
        };
        ui.add_space(6.0);
        let weak = self.context.theme.weak;
        let button = |text: &str| {
            egui::Button::new(egui::RichText::new(text).color(weak).size(15.0)).frame(false)
        };
        ui.spacing_mut().item_spacing.x = 4.0;
        if ui
            .add(button("×"))
            .on_hover_text("Close this panel; the View menu opens it again")
            .clicked()
        {
            *self.closed = Some(kind);
        }
        let Some(panel) = self.panel(kind) else {
            return;
        };
        let help = ui.add(button("?")).on_hover_text("What this panel is for");
        egui::Popup::from_toggle_button_response(&help)
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
            .width(300.0)
            .show(|ui| {
                ui.set_max_width(300.0);
                ui.strong(panel.title());
                ui.add(egui::Label::new(panel.help()).wrap());
            });
    }

    fn tab_bar_height(&self, style: &egui::Style) -> f32 {
        style.spacing.interact_size.y + 6.0
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        2.0
    }

    fn min_size(&self) -> f32 {
        90.0
    }

    fn tab_bar_color(&self, _: &egui::Visuals) -> egui::Color32 {
        self.theme().bar
    }

    fn tab_text_color(
        &self,
        _: &egui::Visuals,
        _: &Tiles<Pane>,
        _: TileId,
        state: &TabState,
    ) -> egui::Color32 {
        if state.active {
            self.theme().text
        } else {
            self.theme().weak
        }
    }

    fn tab_outline_stroke(
        &self,
        _: &egui::Visuals,
        _: &Tiles<Pane>,
        _: TileId,
        _: &TabState,
    ) -> egui::Stroke {
        egui::Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _: &egui::Visuals) -> egui::Stroke {
        egui::Stroke::new(1.0, self.theme().outline)
    }

    fn resize_stroke(&self, style: &egui::Style, state: egui_tiles::ResizeState) -> egui::Stroke {
        let colour = match state {
            egui_tiles::ResizeState::Idle => self.theme().outline,
            _ => self.theme().accent,
        };
        egui::Stroke::new(self.gap_width(style), colour)
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions {
            // A panel alone keeps its tab, with its name, its help and its cross; the 3D view needs none.
            prune_single_child_tabs: false,
            all_panes_must_have_tabs: false,
            ..SimplificationOptions::default()
        }
    }

    fn on_edit(&mut self, _: EditAction) {
        *self.changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds() -> BTreeSet<PanelKind> {
        PanelKind::ALL.into_iter().collect()
    }

    fn text() -> String {
        serde_json::to_string(&first_tree(&kinds(), egui::vec2(1280.0, 740.0))).expect("text")
    }

    #[test]
    fn a_layout_comes_back_as_it_was_kept() {
        let first = first_tree(&kinds(), egui::vec2(1280.0, 740.0));
        assert!(read(&text(), &kinds()) == Some(first));
    }

    #[test]
    fn text_that_is_no_layout_gives_none() {
        for wrong in ["", "{", "null", "[]", "{\"id\":1}"] {
            assert!(read(wrong, &kinds()).is_none(), "{wrong}");
        }
        let without_scene = text().replace("\"Scene3d\"", "{\"Panel\":\"Log\"}");
        assert!(read(&without_scene, &kinds()).is_none());
    }

    #[test]
    fn a_tile_that_holds_itself_is_refused() {
        let mut tiles = Tiles::default();
        let scene = tiles.insert_pane(Pane::Scene3d);
        let inner = tiles.insert_tab_tile(vec![scene]);
        if let Some(Tile::Container(container)) = tiles.get_mut(inner) {
            container.add_child(inner);
        }
        let text = serde_json::to_string(&Tree::new(TREE, inner, tiles)).expect("text");
        assert!(read(&text, &BTreeSet::new()).is_none());
    }

    #[test]
    fn panels_that_are_new_or_gone_are_taken_in_or_out() {
        let few: BTreeSet<_> = [PanelKind::Library, PanelKind::Raster, PanelKind::Log].into();
        let fewer = read(&text(), &few).expect("a layout");
        assert!(
            fewer
                .tiles
                .find_pane(&Pane::Panel(PanelKind::Spectrum))
                .is_none()
        );
        let text = serde_json::to_string(&fewer).expect("text");
        let all = read(&text, &kinds()).expect("a layout");
        assert!(
            kinds()
                .iter()
                .all(|kind| all.tiles.find_pane(&Pane::Panel(*kind)).is_some())
        );
    }
}
