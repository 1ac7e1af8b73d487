//! What a command makes of a scene.

use super::command::{Place, SimCommand};
use crate::modulation::{Effect, Evaluation, Rewarder};
use crate::network::stimulus::{Selection, StimulusKind, Window};
use crate::plasticity::settable::Settable;
use crate::scene::error::unknown;
use crate::scene::prepare::{BuildError, Prepared};
use crate::scene::schema::{ProbeKind, ProjectionSpec, RuleValue, Scene, StimulusSpec};
use crate::scene::set_field::set_field;
use bevy::reflect::{PartialReflect, TypeRegistry};

/// The stimulus that a lesion is, by the start of its name.
const LESION: &str = "lesion of ";

/// Gives every projection and stimulus the name that it goes by, so that random numbers, which follow from names, stay the same when
/// others are added or removed.
pub fn name_parts(scene: &mut Scene, prepared: &Prepared) {
    for (spec, prepared) in scene.projections.iter_mut().zip(&prepared.projections) {
        spec.name = Some(prepared.name.clone());
    }
    for (i, stimulus) in scene.stimuli.iter_mut().enumerate() {
        stimulus.name.get_or_insert_with(|| format!("stimulus {i}"));
    }
}

/// Moves a pulse or spikes whose time is over to `now_ms`: they were given a moment ago, by somebody who saw an earlier state.
pub fn bring_forward(command: &mut SimCommand, now_ms: f64) {
    let SimCommand::Stimulate(stimulus) = command else {
        return;
    };
    let late = |start: f64| (now_ms - start).max(0.0);
    let window = &mut stimulus.window;
    if let Some(stop) = &mut window.stop_ms {
        let late = late(window.start_ms);
        window.start_ms += late;
        *stop += late;
    }
    if let StimulusKind::InputSpikes { times_ms, .. } | StimulusKind::Spike { times_ms } =
        &mut stimulus.kind
    {
        let first = times_ms.iter().copied().fold(f64::INFINITY, f64::min);
        if first.is_finite() {
            let late = late(first);
            times_ms.iter_mut().for_each(|time| *time += late);
        }
    }
}

/// What each stimulus is called: its name; where several regions have one of that name, with the region.
pub fn stimulus_labels(scene: &Scene) -> Vec<String> {
    let name = |s: &StimulusSpec| s.name.clone().unwrap_or_default();
    let shared = |wanted: &str| {
        let same = scene.stimuli.iter().filter(|s| name(s) == wanted);
        same.count() > 1
    };
    (scene.stimuli.iter())
        .map(|s| match name(s) {
            own if shared(&own) => format!("{own} on {}", s.to),
            own => own,
        })
        .collect()
}

/// Applies an edit to a scene whose parts are [named](name_parts). `now_ms` is the simulated time. Undo and redo are not edits.
///
/// # Errors
/// Says what is wrong with the command. Whether the scene makes sense as a whole is for
/// [`prepare`](crate::scene::prepare::prepare) to say.
pub fn apply(
    command: &SimCommand,
    scene: &mut Scene,
    now_ms: f64,
    registry: &TypeRegistry,
) -> Result<(), String> {
    match command {
        SimCommand::Set { of, field, value } => {
            if field == "name" {
                return Err("a name stays: random numbers follow from it".into());
            }
            let part = find(scene, of)?;
            set_field(part, field, value, registry)
                .map_err(|e| format!("{of}, {field}: {}", e.message))
        }
        SimCommand::Lesion { region, neurons } => {
            region_index(scene, region)?;
            let name = free_name(scene, &format!("{LESION}{region}"));
            scene.stimuli.push(StimulusSpec {
                name: Some(name),
                to: region.clone(),
                neurons: neurons.clone(),
                window: Window {
                    start_ms: now_ms,
                    stop_ms: None,
                },
                kind: StimulusKind::Silence,
            });
            Ok(())
        }
        SimCommand::AddRegion(region) => {
            scene.regions.push(region.clone());
            Ok(())
        }
        SimCommand::Connect(projection) => {
            let mut projection = projection.clone();
            if projection.name.is_none() {
                let taken = |name: &str| {
                    scene
                        .projections
                        .iter()
                        .any(|p| p.name.as_deref() == Some(name))
                };
                let base = format!("{} → {}", projection.from, projection.to);
                projection.name = Some(numbered(&base, taken));
            }
            scene.projections.push(projection);
            Ok(())
        }
        SimCommand::Stimulate(stimulus) => {
            let mut stimulus = stimulus.clone();
            region_index(scene, &stimulus.to)?;
            let base = stimulus.name.take().unwrap_or_else(|| "stimulus".into());
            stimulus.name = Some(free_name(scene, &base));
            scene.stimuli.push(stimulus);
            Ok(())
        }
        SimCommand::Remove(place) => remove(scene, place),
        SimCommand::Undo
        | SimCommand::Redo
        | SimCommand::ResetTraces(_)
        | SimCommand::Reward { .. } => Ok(()),
    }
}

/// Where a command takes all its rules from a projection, puts one there by which its weights stay as they have become: without any they would be
/// those of the scene again.
///
/// # Errors
/// The scene before the command cannot be [prepared](crate::scene::prepare::prepare).
pub fn hold_weights(
    command: &SimCommand,
    before: &Scene,
    after: &mut Scene,
    prepare: impl FnOnce(&Scene) -> Result<Prepared, BuildError>,
) -> Result<(), BuildError> {
    let SimCommand::Set {
        of: Place::Projection(name),
        ..
    } = command
    else {
        return Ok(());
    };
    let is_named = |p: &ProjectionSpec| p.name.as_ref() == Some(name);
    let is_held = |rule: &RuleValue| rule.0.represents::<Settable>();
    let at = before.projections.iter().position(is_named);
    let now = after.projections.iter_mut().find(|p| is_named(p));
    if let (Some(at), Some(now)) = (at, now)
        && now.plasticity.is_empty()
        && !before.projections[at].plasticity.iter().all(is_held)
        && let Some((w_min, w_max)) = prepare(before)?.projections[at].bounds_of_magnitudes()
    {
        now.plasticity
            .push(RuleValue::new(Settable { w_min, w_max }));
    }
    Ok(())
}

/// The part of a scene at a place.
fn find<'s>(scene: &'s mut Scene, place: &Place) -> Result<&'s mut dyn PartialReflect, String> {
    match place {
        Place::Region(name) => {
            let index = region_index(scene, name)?;
            Ok(&mut scene.regions[index])
        }
        Place::Projection(name) => {
            let known: Vec<_> = scene
                .projections
                .iter()
                .map(|p| p.name.clone().unwrap_or_default())
                .collect();
            let index = index_of("projection", name, &known)?;
            Ok(&mut scene.projections[index])
        }
        Place::Stimulus(name) => {
            let index = stimulus_index(scene, name)?;
            Ok(&mut scene.stimuli[index])
        }
        Place::Modulator(name) => {
            let index = modulator_index(scene, name)?;
            Ok(&mut scene.modulators[index])
        }
    }
}

fn index_of(what: &str, name: &str, known: &[String]) -> Result<usize, String> {
    known
        .iter()
        .position(|k| k == name)
        .ok_or_else(|| unknown(what, name, known.iter().map(String::as_str)))
}

fn region_index(scene: &Scene, name: &str) -> Result<usize, String> {
    let known: Vec<_> = scene.regions.iter().map(|r| r.name.clone()).collect();
    index_of("region", name, &known)
}

fn stimulus_index(scene: &Scene, name: &str) -> Result<usize, String> {
    index_of("stimulus", name, &stimulus_labels(scene))
}

fn modulator_index(scene: &Scene, name: &str) -> Result<usize, String> {
    let known: Vec<_> = scene.modulators.iter().map(|m| m.name.clone()).collect();
    index_of("modulator", name, &known)
}

/// A name for a stimulus that none has yet.
fn free_name(scene: &Scene, base: &str) -> String {
    numbered(base, |name| {
        scene
            .stimuli
            .iter()
            .any(|s| s.name.as_deref() == Some(name))
    })
}

fn numbered(base: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(base) {
        return base.to_owned();
    }
    let mut number = 2;
    loop {
        let name = format!("{base} #{number}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

fn remove(scene: &mut Scene, place: &Place) -> Result<(), String> {
    match place {
        Place::Region(name) => {
            let index = region_index(scene, name)?;
            scene.regions.remove(index);
            scene
                .projections
                .retain(|p| p.from != *name && p.to != *name);
            scene.stimuli.retain(|s| s.to != *name);
        }
        Place::Projection(name) => {
            find(scene, place)?;
            scene.projections.retain(|p| p.name.as_ref() != Some(name));
        }
        Place::Stimulus(name) => {
            let index = stimulus_index(scene, name)?;
            scene.stimuli.remove(index);
        }
        Place::Modulator(name) => {
            let index = modulator_index(scene, name)?;
            scene.modulators.remove(index);
        }
    }
    let regions: Vec<_> = scene.regions.iter().map(|r| r.name.clone()).collect();
    let joined: Vec<_> = scene
        .projections
        .iter()
        .map(|p| (p.from.clone(), p.to.clone()))
        .collect();
    let modulators: Vec<_> = scene.modulators.iter().map(|m| m.name.clone()).collect();
    scene.probes.retain(|probe| {
        probe
            .region
            .as_ref()
            .is_none_or(|name| regions.contains(name))
            && match &probe.kind {
                ProbeKind::Weights { from, to } => joined.contains(&(from.clone(), to.clone())),
                ProbeKind::WeightCourse { projection, .. }
                | ProbeKind::WeightHistogram { projection, .. }
                | ProbeKind::ReceptiveFields { projection, .. } => scene
                    .projections
                    .iter()
                    .any(|p| p.name.as_ref() == Some(projection)),
                ProbeKind::Modulator { modulator, .. } => modulators.contains(modulator),
                ProbeKind::Spikes | ProbeKind::Rate { .. } | ProbeKind::Column { .. } => true,
            }
    });
    let named: Vec<_> = scene.projections.iter().map(|p| p.called()).collect();
    for modulator in &mut scene.modulators {
        let released_by = &mut modulator.released_by;
        released_by.retain(|release| regions.contains(&release.from));
        modulator.rewards.retain(|rewarder| match rewarder {
            Rewarder::Coincidence { region, .. } => regions.contains(region),
            Rewarder::Schedule { .. } => true,
        });
        modulator.effects.retain(|effect| match effect {
            Effect::Excitability { region, .. } => regions.contains(region),
            Effect::Release { projection, .. } | Effect::Learning { projection, .. } => {
                named.contains(projection)
            }
        });
        if let Evaluation::TemporalDifference { critic, .. } = &modulator.evaluation
            && !regions.contains(critic)
        {
            // Nobody predicts rewards any more.
            modulator.evaluation = Evaluation::Reward;
        }
    }
    Ok(())
}

/// The neurons that are silenced for good from some time on, by the stimuli of a scene: for each region that has any, its name and what
/// the stimulus selects.
pub fn lesions(scene: &Scene) -> impl Iterator<Item = &StimulusSpec> {
    scene
        .stimuli
        .iter()
        .filter(|s| s.kind == StimulusKind::Silence && s.window.stop_ms.is_none())
}

impl SimCommand {
    /// The command in a few words, for logs and menus.
    pub fn words(&self) -> String {
        match self {
            Self::Set { of, field, value } => {
                let value: String = value.chars().take(60).collect();
                format!("set {field} of {of} to {value}")
            }
            Self::Lesion { region, neurons } => {
                let part = match neurons {
                    Selection::All => "all".into(),
                    Selection::Fraction(f) => format!("{:.0} %", f * 100.0),
                    Selection::List(list) if list.len() == 1 => format!("neuron {}", list[0]),
                    Selection::List(list) => format!("{} neurons", list.len()),
                    other => format!("{other:?}"),
                };
                format!("lesion {part} of region \"{region}\"")
            }
            Self::AddRegion(region) => {
                format!(
                    "add region \"{}\" of {} neurons",
                    region.name, region.neurons
                )
            }
            Self::Connect(p) => format!(
                "connect \"{}\" to \"{}\" by {}",
                p.from,
                p.to,
                p.rule.name()
            ),
            Self::Stimulate(s) => {
                let name = s.name.as_deref().unwrap_or("stimulus");
                format!("stimulate region \"{}\" ({name})", s.to)
            }
            Self::Remove(place) => format!("remove {place}"),
            Self::ResetTraces(projection) => format!("reset the traces of \"{projection}\""),
            Self::Reward { modulator, amount } => format!("give {amount} of \"{modulator}\""),
            Self::Undo => "undo".into(),
            Self::Redo => "redo".into(),
        }
    }
}
