//! What the network is made of, and editors of every part of it.

mod dialogs;
mod editor;
mod rules;

use super::{Panel, PanelContext, row};
use crate::network::stimulus::Selection;
use crate::results::quantities::grouped;
use crate::session::command::{Place, SimCommand};
use crate::session::frame::Structure;
use crate::session::runner::Request;
use crate::view::fields::{fields_of, problem_with};
use crate::view::plot::nothing;
use bevy_egui::egui::{self, CollapsingHeader, RichText, ScrollArea, Slider, Ui};
use dialogs::{NewProjection, NewRegion};
use editor::Editor;

/// The network panel.
pub struct NetworkPanel {
    /// A stimulus or a modulator that is shown; regions and projections are shown as they are selected.
    other: Option<Place>,
    editor: Editor,
    new_region: Option<NewRegion>,
    new_projection: Option<NewProjection>,
    /// What is removed if the user says so once more.
    removing: Option<Place>,
    fraction: f64,
    /// The size of a reward that is given by hand.
    reward: f64,
}

impl Default for NetworkPanel {
    fn default() -> Self {
        Self {
            other: None,
            editor: Editor::default(),
            new_region: None,
            new_projection: None,
            removing: None,
            fraction: 0.1,
            reward: 1.0,
        }
    }
}

impl Panel for NetworkPanel {
    fn title(&self) -> &'static str {
        "Network"
    }

    fn help(&self) -> &'static str {
        "The regions, projections, stimuli and modulators of the scene. Click on one to edit its fields while the network runs: drag a number or click on it \
         to write one, write anything else as a scene would. Each edit can be undone and is logged."
    }

    fn show(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>) {
        let Some(structure) = context.live.structure.clone() else {
            return nothing(ui, "No scene is open");
        };
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            about(ui, &structure);
            self.add(ui, context, &structure);
            ui.separator();
            self.tree(ui, context, &structure);
            ui.separator();
            self.part(ui, context, &structure);
        });
    }
}

impl NetworkPanel {
    /// The buttons that add, and their forms.
    fn add(&mut self, ui: &mut Ui, context: &PanelContext<'_>, structure: &Structure) {
        row(ui, |ui| {
            if ui.button("Add region…").clicked() {
                self.new_region.get_or_insert_default();
            }
            let can = !structure.regions.is_empty();
            if ui.add_enabled(can, egui::Button::new("Connect…")).clicked() {
                self.new_projection.get_or_insert_default();
            }
        });
        let form = |ui: &mut Ui, show: &mut dyn FnMut(&mut Ui)| {
            egui::Frame::group(ui.style()).show(ui, |ui| show(ui));
        };
        let mut answer = None;
        if let Some(new) = &mut self.new_region {
            form(ui, &mut |ui| {
                answer = new.show(ui, structure, context.registry)
            });
        }
        if let Some(command) = answer {
            self.new_region = None;
            command.into_iter().for_each(|c| context.live.edit(c));
        }
        let mut answer = None;
        if let Some(new) = &mut self.new_projection {
            form(ui, &mut |ui| {
                answer = new.show(ui, structure, context.registry)
            });
        }
        if let Some(command) = answer {
            self.new_projection = None;
            command.into_iter().for_each(|c| context.live.edit(c));
        }
    }

    fn tree(&mut self, ui: &mut Ui, context: &mut PanelContext<'_>, structure: &Structure) {
        let header = |name: &str, count: usize| {
            CollapsingHeader::new(format!("{name} ({count})"))
                .id_salt(name)
                .default_open(true)
        };
        let now = self.place(context, structure);
        let mut chosen = None;
        header("Regions", structure.regions.len()).show(ui, |ui| {
            for (i, region) in structure.regions.iter().enumerate() {
                let place = Place::Region(region.name.clone());
                let text = RichText::new(&region.name).color(context.theme.region(i));
                ui.horizontal(|ui| {
                    if ui
                        .selectable_label(now.as_ref() == Some(&place), text)
                        .clicked()
                    {
                        chosen = Some(place);
                    }
                    let lesioned = match region.lesioned.len() {
                        0 => String::new(),
                        n => format!(", {} lesioned", grouped(n as u64)),
                    };
                    ui.weak(format!(
                        "{} {}{lesioned}",
                        grouped(region.neurons.into()),
                        region.model
                    ));
                });
            }
        });
        header("Projections", structure.projections.len()).show(ui, |ui| {
            for projection in &structure.projections {
                let place = Place::Projection(projection.name.clone());
                ui.horizontal(|ui| {
                    let is = now.as_ref() == Some(&place);
                    if ui.selectable_label(is, &projection.name).clicked() {
                        chosen = Some(place);
                    }
                    ui.weak(match projection.muted {
                        true => "muted".to_owned(),
                        false => format!("{} synapses", grouped(projection.synapses)),
                    });
                });
            }
        });
        header("Stimuli", structure.stimuli.len()).show(ui, |ui| {
            for (name, spec) in structure.stimuli.iter().zip(&structure.scene.stimuli) {
                let place = Place::Stimulus(name.clone());
                ui.horizontal(|ui| {
                    if ui
                        .selectable_label(now.as_ref() == Some(&place), name)
                        .clicked()
                    {
                        chosen = Some(place);
                    }
                    ui.weak(format!("on {}", spec.to));
                });
            }
        });
        let modulators = &structure.scene.modulators;
        if !modulators.is_empty() {
            header("Modulators", modulators.len()).show(ui, |ui| {
                for modulator in modulators {
                    let place = Place::Modulator(modulator.name.clone());
                    ui.horizontal(|ui| {
                        let is = now.as_ref() == Some(&place);
                        if ui.selectable_label(is, &modulator.name).clicked() {
                            chosen = Some(place);
                        }
                        let hint = "A reward, or what is added to a pool; below 0 it is a punishment. Cannot be undone";
                        ui.add(egui::DragValue::new(&mut self.reward).speed(0.05))
                            .on_hover_text(hint);
                        if ui.button("Give").on_hover_text(hint).clicked() {
                            context.live.edit(SimCommand::Reward {
                                modulator: modulator.name.clone(),
                                amount: self.reward,
                            });
                        }
                    });
                }
            });
        }
        if let Some(place) = chosen {
            self.choose(place, context);
        }
    }

    /// Shows a part from now on, here and in the 3D view.
    fn choose(&mut self, place: Place, context: &mut PanelContext<'_>) {
        self.other = None;
        self.removing = None;
        context.selected.region = None;
        context.selected.projection = None;
        match place {
            Place::Region(name) => context.selected.region = Some(name),
            Place::Projection(name) => context.selected.projection = Some(name),
            other => self.other = Some(other),
        }
    }

    /// The part that is shown.
    fn place(&self, context: &PanelContext<'_>, structure: &Structure) -> Option<Place> {
        let selected = &*context.selected;
        let other = self.other.clone().filter(|place| match place {
            Place::Stimulus(name) => structure.stimuli.contains(name),
            Place::Modulator(name) => {
                let mut known = structure.scene.modulators.iter();
                known.any(|m| m.name == *name)
            }
            _ => false,
        });
        let projection = (selected.projection.as_ref())
            .filter(|name| structure.projections.iter().any(|p| p.name == **name));
        let region = (selected.region.as_ref()).filter(|name| structure.region(name).is_some());
        other
            .or_else(|| projection.map(|p| Place::Projection(p.clone())))
            .or_else(|| region.map(|r| Place::Region(r.clone())))
    }

    /// The fields of the part that is shown, and what can be done with it.
    fn part(&mut self, ui: &mut Ui, context: &PanelContext<'_>, structure: &Structure) {
        let Some(place) = self.place(context, structure) else {
            ui.weak("Click on a region, a projection, a stimulus or a modulator to edit it");
            return;
        };
        let scene = &structure.scene;
        let types = context.registry.types.read();
        let mut sent = Vec::new();
        match &place {
            Place::Region(name) => {
                let Some(spec) = scene.regions.iter().find(|r| r.name == *name) else {
                    return;
                };
                ui.heading(name);
                self.lesion(ui, name, &mut sent);
                let fields = fields_of(spec, &["name"], &types);
                let problem = |path: &str, text: &str| problem_with(spec, path, text, &types);
                sent.extend(self.editor.show(ui, &place, &fields, &problem));
            }
            Place::Projection(name) => {
                let spec = scene
                    .projections
                    .iter()
                    .find(|p| p.name.as_ref() == Some(name));
                let info = structure.projections.iter().find(|p| p.name == *name);
                let (Some(spec), Some(info)) = (spec, info) else {
                    return;
                };
                ui.heading(name);
                let text = if info.muted { "Unmute" } else { "Mute" };
                let hint = "Muted, a projection keeps its place and its random numbers, but nothing passes";
                if ui.button(text).on_hover_text(hint).clicked() {
                    sent.push(Request::Edit(SimCommand::Set {
                        of: place.clone(),
                        field: "muted".into(),
                        value: (!info.muted).to_string(),
                    }));
                }
                if !spec.plasticity.is_empty() {
                    let text = match spec.frozen {
                        true => "Learn again",
                        false => "Freeze learning",
                    };
                    let hint = "Frozen, weights stay as they are; traces and eligibility go on";
                    if ui.button(text).on_hover_text(hint).clicked() {
                        sent.push(Request::Edit(SimCommand::Set {
                            of: place.clone(),
                            field: "frozen".into(),
                            value: (!spec.frozen).to_string(),
                        }));
                    }
                    let hint = "Sets traces and eligibility to zero, as if no spike had been; weights stay. Cannot be undone";
                    if ui.button("Reset traces").on_hover_text(hint).clicked() {
                        sent.push(Request::Edit(SimCommand::ResetTraces(name.clone())));
                    }
                }
                rules::show(ui, &place, spec, scene, &types, &mut sent);
                ui.weak(format!(
                    "from {} to {}, receptor {}",
                    spec.from, spec.to, info.receptor
                ));
                let fields = fields_of(spec, &["name", "from", "to", "muted", "frozen"], &types);
                let problem = |path: &str, text: &str| problem_with(spec, path, text, &types);
                sent.extend(self.editor.show(ui, &place, &fields, &problem));
            }
            Place::Stimulus(name) => {
                let index = structure.stimuli.iter().position(|s| s == name);
                let Some(spec) = index.and_then(|i| scene.stimuli.get(i)) else {
                    return;
                };
                ui.heading(name);
                ui.weak(format!("on {}", spec.to));
                let fields = fields_of(spec, &["name", "to"], &types);
                let problem = |path: &str, text: &str| problem_with(spec, path, text, &types);
                sent.extend(self.editor.show(ui, &place, &fields, &problem));
            }
            Place::Modulator(name) => {
                let Some(spec) = scene.modulators.iter().find(|m| m.name == *name) else {
                    return;
                };
                ui.heading(name);
                let fields = fields_of(spec, &["name"], &types);
                let problem = |path: &str, text: &str| problem_with(spec, path, text, &types);
                sent.extend(self.editor.show(ui, &place, &fields, &problem));
            }
        }
        ui.add_space(6.0);
        self.remove(ui, &place, &mut sent);
        sent.into_iter()
            .for_each(|request| context.live.send(request));
    }

    fn lesion(&mut self, ui: &mut Ui, region: &str, sent: &mut Vec<Request>) {
        row(ui, |ui| {
            let slider = Slider::new(&mut self.fraction, 0.0..=1.0)
                .custom_formatter(|v, _| format!("{:.0} %", v * 100.0))
                .custom_parser(|t| {
                    Some(t.trim_end_matches(['%', ' ']).parse::<f64>().ok()? / 100.0)
                });
            ui.add(slider)
                .on_hover_text("How many of the neurons, drawn at random, from 0 to 100 %");
            if ui
                .button("Lesion")
                .on_hover_text("They spike no more; can be undone")
                .clicked()
            {
                sent.push(Request::Edit(SimCommand::Lesion {
                    region: region.to_owned(),
                    neurons: Selection::Fraction(self.fraction),
                }));
            }
        });
    }

    fn remove(&mut self, ui: &mut Ui, place: &Place, sent: &mut Vec<Request>) {
        if self.removing.as_ref() != Some(place) {
            if ui.button("Remove…").clicked() {
                self.removing = Some(place.clone());
            }
            return;
        }
        row(ui, |ui| {
            let with = match place {
                Place::Region(_) => " with its projections and stimuli",
                _ => "",
            };
            ui.label(format!("Remove {place}{with}?"));
            if ui.button("Remove").clicked() {
                sent.push(Request::Edit(SimCommand::Remove(place.clone())));
                self.removing = None;
            }
            if ui.button("Keep").clicked() {
                self.removing = None;
            }
        });
    }
}

/// What holds for the whole network.
fn about(ui: &mut Ui, structure: &Structure) {
    let scene = &structure.scene;
    if !scene.title.is_empty() {
        ui.label(RichText::new(&scene.title).strong());
    }
    ui.weak(format!(
        "step {} ms, seed {}, {} neurons, {} synapses",
        scene.dt_ms,
        scene.seed,
        grouped(structure.neurons.into()),
        grouped(structure.synapses)
    ))
    .on_hover_text(format!("From {}", structure.source));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{Stage, edits, network, survives};
    use bevy_egui::egui::{Vec2, vec2};

    const SIZE: Vec2 = vec2(700.0, 1400.0);

    #[test]
    fn any_network_can_be_drawn_at_any_size() {
        survives(|| Box::new(NetworkPanel::default()));
        survives(|| {
            Box::new(NetworkPanel {
                new_region: Some(NewRegion::default()),
                new_projection: Some(NewProjection::default()),
                other: Some(Place::Stimulus("background".into())),
                ..NetworkPanel::default()
            })
        });
    }

    #[test]
    fn a_projection_is_muted_and_removed_by_clicks() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "a → b");
        assert_eq!(stage.selected.projection.as_deref(), Some("a → b"));
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "Mute");
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Set { of: Place::Projection(p), field, value }]
                if p == "a → b" && field == "muted" && value == "true"),
            "{sent:?}"
        );
        stage.click_text(&mut panel, &mut live, SIZE, "Remove…");
        assert!(edits(&mut live).is_empty(), "asks first");
        stage.click_text(&mut panel, &mut live, SIZE, "Remove");
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Remove(Place::Projection(p))] if p == "a → b"),
            "{sent:?}"
        );
    }

    #[test]
    fn regions_are_added_and_connected_by_their_forms() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "Add region…");
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "Add region");
        stage.click_text(&mut panel, &mut live, SIZE, "Connect…");
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "Connect");
        let sent = edits(&mut live);
        let [
            SimCommand::AddRegion(region),
            SimCommand::Connect(projection),
        ] = &sent[..]
        else {
            panic!("{sent:?}");
        };
        assert_eq!((region.name.as_str(), region.neurons), ("new region", 100));
        assert_eq!(
            (projection.from.as_str(), projection.to.as_str()),
            ("a", "a")
        );
        assert!(panel.new_region.is_none() && panel.new_projection.is_none());
    }

    /// A network whose projection learns by these rules.
    fn learning(rules: &str) -> crate::view::live::Live {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let registry = crate::simulation::Registry::new();
        let mut structure = (*live.structure.take().expect("a network")).clone();
        let mut scene = (*structure.scene).clone();
        crate::scene::set_field::set_field(
            &mut scene.projections[0],
            "plasticity",
            rules,
            &registry.types.read(),
        )
        .expect("rules");
        structure.scene = scene.into();
        live.structure = Some(structure.into());
        live
    }

    /// The rules that the network of the edits that were sent has, by the names of their types.
    fn rules_set(live: &mut crate::view::live::Live) -> Vec<String> {
        let sent = edits(live);
        let [
            SimCommand::Set {
                of: Place::Projection(_),
                field,
                value,
            },
        ] = &sent[..]
        else {
            panic!("{sent:?}");
        };
        assert_eq!(field, "plasticity");
        let live = learning(value);
        let structure = live.structure.expect("a network");
        let rules = structure.scene.projections[0].plasticity.iter();
        rules
            .filter_map(|rule| rule.0.get_represented_type_info())
            .map(|info| info.type_path_table().short_path().to_owned())
            .collect()
    }

    #[test]
    fn rules_are_added_and_removed_by_menus() {
        let tall = vec2(600.0, 1400.0);
        for (rules, menu, item, want) in [
            ("[]", "Add rule", "Stdp", &["Stdp"][..]),
            (
                "[Stdp(w_max: 40)]",
                "Add rule",
                "Budget",
                &["Stdp", "Budget"],
            ),
            (
                "[Stdp(w_max: 40, dependence: Guetig(mu_plus: 0.2, mu_minus: 0.3)), Budget(total: 20)]",
                "Add rule",
                "InhibitoryStdp",
                &["Stdp", "Budget", "InhibitoryStdp"],
            ),
            (
                "[Stdp(w_max: 40), Budget(total: 20)]",
                "Remove rule",
                "Stdp",
                &["Budget"],
            ),
            ("[Stdp(w_max: 40)]", "Remove rule", "Stdp", &[]),
        ] {
            let mut live = learning(rules);
            let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
            stage.selected.projection = Some("a → b".into());
            stage.settle(&mut panel, &mut live, tall);
            stage.click_text(&mut panel, &mut live, tall, menu);
            stage.settle(&mut panel, &mut live, tall);
            stage.click_last(&mut panel, &mut live, tall, item);
            assert_eq!(rules_set(&mut live), want, "{rules}");
        }
    }

    #[test]
    fn a_rule_that_needs_a_modulator_is_offered_where_there_is_one() {
        let tall = vec2(600.0, 1400.0);
        let mut live = learning("[]");
        for has_modulator in [false, true] {
            if has_modulator {
                let mut structure = (*live.structure.take().expect("a network")).clone();
                let mut scene = (*structure.scene).clone();
                scene.modulators.push(crate::modulation::ModulatorSpec {
                    name: "reward".into(),
                    ..Default::default()
                });
                structure.scene = scene.into();
                live.structure = Some(structure.into());
            }
            let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
            stage.selected.projection = Some("a → b".into());
            stage.settle(&mut panel, &mut live, tall);
            stage.click_text(&mut panel, &mut live, tall, "Add rule");
            stage.settle(&mut panel, &mut live, tall);
            stage.click_last(&mut panel, &mut live, tall, "DopamineStdp");
            match has_modulator {
                false => assert!(edits(&mut live).is_empty()),
                true => {
                    let sent = edits(&mut live);
                    assert!(
                        matches!(&sent[..], [SimCommand::Set { value, .. }]
                            if value == "[DopamineStdp(w_max: 40.0, modulator: \"reward\")]"),
                        "{sent:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn weight_dependence_goes_back_to_additive() {
        let tall = vec2(600.0, 1400.0);
        let mut live = learning("[Stdp(dependence: PowerLaw(mu: 0.4, w_ref: 1))]");
        let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
        stage.selected.projection = Some("a → b".into());
        stage.settle(&mut panel, &mut live, tall);
        stage.click_text(&mut panel, &mut live, tall, "PowerLaw");
        stage.settle(&mut panel, &mut live, tall);
        stage.click_last(&mut panel, &mut live, tall, "Additive");
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Set { field, value, .. }]
                if field == "plasticity.0.dependence" && value == "Additive"),
            "{sent:?}"
        );
    }

    #[test]
    fn a_region_is_lesioned_in_part() {
        let mut live = network(&[("a", 10), ("b", 5)]);
        let (mut stage, mut panel) = (Stage::new(), NetworkPanel::default());
        stage.selected.region = Some("b".into());
        stage.settle(&mut panel, &mut live, SIZE);
        stage.click_text(&mut panel, &mut live, SIZE, "Lesion");
        let sent = edits(&mut live);
        assert!(
            matches!(&sent[..], [SimCommand::Lesion { region, neurons: Selection::Fraction(f) }]
                if region == "b" && *f == 0.1),
            "{sent:?}"
        );
    }
}
