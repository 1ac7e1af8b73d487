//! What a user can do to neurons, and the commands that do it.

use crate::network::stimulus::{Selection, StimulusKind, Window};
use crate::scene::schema::StimulusSpec;
use crate::session::command::SimCommand;
use crate::session::frame::{Progress, Structure};
use crate::sim::clock::Pacing;
use crate::view::fields::fields_of;
use crate::view::live::Selected;
use crate::view::panels::PanelContext;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Wall time until a stimulus starts while the network runs, in s: commands and frames take a while.
const LEAD_S: f64 = 0.1;

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// A rectangular current.
    Pulse {
        /// In the model's current unit.
        amplitude: f64,
        /// How long.
        duration_ms: f64,
    },
    /// One spike, at the next step.
    Spike,
    /// Poisson input until it is removed.
    Poisson {
        /// Per neuron.
        rate_hz: f64,
        /// In the receptor's unit.
        weight: f64,
    },
    /// Silence for good.
    Lesion {
        /// How many of a region; of selected neurons, all.
        fraction: f64,
    },
}

/// What a number key does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Brush {
    /// The key, from 1 to 9.
    pub key: u8,
    /// What is done.
    pub action: Action,
    /// Whom it is done to.
    pub target: Target,
}

impl Action {
    /// The action in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Pulse {
                amplitude,
                duration_ms,
            } => format!("current of {amplitude} for {duration_ms} ms"),
            Self::Spike => "spike".into(),
            Self::Poisson { rate_hz, weight } => {
                format!("Poisson input, {rate_hz} Hz of weight {weight}")
            }
            Self::Lesion { fraction } => format!("lesion, {:.0} % of a region", fraction * 100.0),
        }
    }
}

/// Whom it is done to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// The neurons that are selected at that moment.
    Selected,
    /// All neurons of a region.
    Region(String),
}

impl Target {
    /// The target in a few words.
    pub fn words(&self) -> &str {
        match self {
            Self::Selected => "selected neurons",
            Self::Region(name) => name,
        }
    }

    /// The regions that are meant and which of their neurons, in the order of the network.
    pub fn parts(&self, selected: &Selected, structure: &Structure) -> Vec<(String, Selection)> {
        match self {
            Self::Region(name) => structure
                .region(name)
                .map(|_| vec![(name.clone(), Selection::All)])
                .unwrap_or_default(),
            Self::Selected => {
                let mut parts: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
                for id in selected.neurons.iter().filter_map(|&n| structure.neuron(n)) {
                    parts.entry(id.region).or_default().push(id.neuron);
                }
                (parts.into_iter())
                    .map(|(region, list)| {
                        (
                            structure.regions[region].name.clone(),
                            Selection::List(list),
                        )
                    })
                    .collect()
            }
        }
    }

    /// The region whose units are shown.
    fn first_region(&self, context: &PanelContext<'_>, structure: &Structure) -> Option<usize> {
        match self {
            Self::Region(name) => structure.region(name),
            Self::Selected => Some(structure.neuron(context.selected.first()?)?.region),
        }
    }
}

/// The unit of a current into the target; empty if its model has none.
pub fn current_unit(
    target: &Target,
    context: &PanelContext<'_>,
    structure: &Structure,
) -> &'static str {
    let region = target.first_region(context, structure);
    let Some(spec) = region.and_then(|r| structure.scene.regions.get(r)) else {
        return "";
    };
    let fields = fields_of(spec, &["layout", "initial"], &context.registry.types.read());
    (fields.iter())
        .find(|f| f.name() == "i_e")
        .and_then(|f| f.unit)
        .unwrap_or("")
}

/// The unit of a weight onto the target's first receptor.
pub fn weight_unit(
    target: &Target,
    context: &PanelContext<'_>,
    structure: &Structure,
) -> &'static str {
    let region = target.first_region(context, structure);
    region
        .and_then(|r| structure.regions.get(r)?.receptors.first())
        .map_or("", |r| r.1)
}

/// The commands that do it. `taken` are the names of the stimuli that there are.
pub fn commands(
    action: &Action,
    parts: Vec<(String, Selection)>,
    progress: &Progress,
    taken: &[String],
) -> Vec<SimCommand> {
    let dt = progress.dt_ms;
    let start = start_ms(progress);
    let mut taken = taken.to_vec();
    (parts.into_iter())
        .map(|(region, neurons)| {
            let (base, kind, stop_ms) = match action {
                Action::Lesion { fraction } => {
                    let neurons = match neurons {
                        Selection::All => Selection::Fraction(*fraction),
                        chosen => chosen,
                    };
                    return SimCommand::Lesion { region, neurons };
                }
                Action::Pulse {
                    amplitude,
                    duration_ms,
                } => {
                    let amplitude = (*amplitude).into();
                    let stop = start + duration_ms.max(dt);
                    ("user current", StimulusKind::Step { amplitude }, Some(stop))
                }
                Action::Spike => {
                    let times_ms = vec![tidy(start + dt)];
                    (
                        "user spike",
                        StimulusKind::Spike { times_ms },
                        Some(start + 2.0 * dt),
                    )
                }
                Action::Poisson { rate_hz, weight } => {
                    let kind = StimulusKind::Poisson {
                        rate_hz: (*rate_hz).into(),
                        weight: (*weight).into(),
                        delay_ms: dt,
                        receptor: None,
                    };
                    ("user Poisson input", kind, None)
                }
            };
            let name = free_name(base, &taken);
            taken.push(name.clone());
            SimCommand::Stimulate(StimulusSpec {
                name: Some(name),
                to: region,
                neurons,
                window: Window {
                    start_ms: start,
                    stop_ms: stop_ms.map(tidy),
                },
                kind,
            })
        })
        .collect()
}

/// When a stimulus starts: now, or a moment later if the network runs on meanwhile; a whole number of steps.
fn start_ms(progress: &Progress) -> f64 {
    let lead = match progress.pacing {
        Pacing::Paused => 0.0,
        _ if progress.dt_ms > 0.0 => (progress.speed * LEAD_S * 1000.0 / progress.dt_ms).ceil(),
        _ => 0.0,
    };
    tidy((progress.step as f64 + lead.max(0.0)) * progress.dt_ms)
}

/// A time without the noise of floating point.
fn tidy(ms: f64) -> f64 {
    (ms * 1e9).round() / 1e9
}

fn free_name(base: &str, taken: &[String]) -> String {
    let mut number = 1;
    loop {
        let name = format!("{base} {number}");
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}

/// A kind of stimulus in a few words.
pub fn kind_words(kind: &StimulusKind) -> &'static str {
    match kind {
        StimulusKind::Direct { .. } => "constant current",
        StimulusKind::Step { .. } => "current",
        StimulusKind::Alternating { .. } => "alternating current",
        StimulusKind::Ramp { .. } => "ramp of current",
        StimulusKind::Noise { .. } => "noise current",
        StimulusKind::CurrentFile(_) => "currents of a file",
        StimulusKind::Schedule(_) => "schedule of currents",
        StimulusKind::Poisson { .. } => "Poisson input",
        StimulusKind::InputSpikes { .. } => "input spikes",
        StimulusKind::Spike { .. } => "forced spikes",
        StimulusKind::Silence => "silence",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(pacing: Pacing) -> Progress {
        Progress {
            step: 1000,
            dt_ms: 0.1,
            speed: 2.0,
            pacing,
            ..Progress::default()
        }
    }

    fn spec(action: &Action, pacing: Pacing, taken: &[String]) -> StimulusSpec {
        let parts = vec![("a".to_owned(), Selection::List(vec![1]))];
        match commands(action, parts, &progress(pacing), taken).remove(0) {
            SimCommand::Stimulate(spec) => spec,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_forced_spike_comes_with_the_next_step_of_a_paused_network() {
        let spec = spec(&Action::Spike, Pacing::Paused, &[]);
        let StimulusKind::Spike { times_ms } = &spec.kind else {
            panic!("{spec:?}");
        };
        assert_eq!(times_ms[..], [100.1], "the stamp of step 1000");
        assert_eq!(spec.window.start_ms, 100.0);
    }

    #[test]
    fn stimuli_of_a_running_network_start_a_moment_later() {
        let action = Action::Poisson {
            rate_hz: 10.0,
            weight: -1.0,
        };
        let spec = spec(&action, Pacing::Unlimited, &[]);
        assert_eq!(spec.window.start_ms, 300.0);
        assert_eq!(spec.window.stop_ms, None);
    }

    #[test]
    fn names_are_unique() {
        let taken = ["user spike 1".to_owned(), "user spike 3".to_owned()];
        let spec = spec(&Action::Spike, Pacing::Paused, &taken);
        assert_eq!(spec.name.as_deref(), Some("user spike 2"));
        let parts = vec![("a".into(), Selection::All), ("b".into(), Selection::All)];
        let sent = commands(&Action::Spike, parts, &progress(Pacing::Paused), &taken);
        let names: Vec<_> = (sent.iter())
            .filter_map(|c| match c {
                SimCommand::Stimulate(spec) => spec.name.as_deref(),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["user spike 2", "user spike 4"]);
    }

    #[test]
    fn selected_neurons_are_lesioned_one_by_one_and_regions_in_part() {
        let lesion = Action::Lesion { fraction: 0.5 };
        let parts = vec![
            ("a".to_owned(), Selection::List(vec![7])),
            ("b".to_owned(), Selection::All),
        ];
        let sent = commands(&lesion, parts, &progress(Pacing::Paused), &[]);
        let lesioned: Vec<_> = (sent.iter())
            .filter_map(|c| match c {
                SimCommand::Lesion { neurons, .. } => Some(neurons.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(
            lesioned,
            [Selection::List(vec![7]), Selection::Fraction(0.5)]
        );
    }
}
