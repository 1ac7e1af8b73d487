//! Checking how the synapses of a projection change: their rules, bounds, short-term dynamics and the parts of their delay.

use super::projections::Place;
use super::values::{self, shown, warn_of_rounding, warn_of_rounding_to_none};
use super::{BuildError, Delays, PreparedRegion, Warning};
use crate::network::connect;
use crate::network::connect::Rule;
use crate::network::plastic::DelayParts;
use crate::network::stimulus::Selection;
use crate::neurons::Sign;
use crate::plasticity::exact::TICKS;
use crate::plasticity::upkeep::{ReflectUpkeep, Setting};
use crate::plasticity::{BoxedRule, Coincidence, ReflectPlasticity};
use crate::scene::error::quoted;
use crate::scene::modulators;
use crate::scene::schema::Dendritic;
use bevy::reflect::ReflectRef;

/// What is known of changing synapses before they are built.
#[derive(Clone)]
pub(in crate::scene) struct Changing {
    /// The rules that act at events, with their places in the list.
    pub(in crate::scene) rules: Vec<(usize, ReflectPlasticity)>,
    /// Rules of upkeep and their places in the list.
    pub(in crate::scene) upkeep: Vec<(usize, ReflectUpkeep)>,
    /// What those know of the projection.
    pub(in crate::scene) setting: Setting,
    /// The least and the largest weight, as the rule sees it.
    pub(in crate::scene) bounds: (f64, f64),
    /// The most that a spike transmits, relative to the weight.
    pub(in crate::scene) most_released: f64,
    /// Whether synapses carry a tag.
    pub(in crate::scene) tagged: bool,
    /// Whether spikes arrive one by one, at neurons that are resolved in continuous time.
    pub(in crate::scene) exact: bool,
    /// Bytes per source neuron that wide traces take.
    pub(in crate::scene) wide_traces: f64,
    /// Bytes per target neuron that rules keep.
    pub(in crate::scene) target_bytes: f64,
    /// −1 where the rule sees magnitudes of negative weights, else 1.
    pub(in crate::scene) sign: f64,
    /// Whether all weights start as negative ones.
    pub(in crate::scene) all_negative: bool,
}

impl core::fmt::Debug for Changing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Changing")
            .field("bounds", &self.bounds)
            .field("tagged", &self.tagged)
            .finish_non_exhaustive()
    }
}

/// The parts of a delay of so many steps.
pub(in crate::scene) fn parts_of(
    steps: u32,
    dendritic: Dendritic,
    backpropagation_ms: Option<f64>,
    dt_ms: f64,
) -> DelayParts {
    let in_steps = |ms: f64| libm::rint(ms / dt_ms) as u32;
    let dendritic = match dendritic {
        Dendritic::None => 0,
        Dendritic::All => steps,
        Dendritic::Ms(ms) => in_steps(ms).min(steps),
    };
    DelayParts {
        axonal: steps - dendritic,
        dendritic,
        back: backpropagation_ms.map_or(dendritic, in_steps),
    }
}

impl Place<'_> {
    /// Checks how the projection's synapses change; `None` if they do not. Weights start from `low` to `high`.
    pub(super) fn changing(
        &self,
        target: &PreparedRegion,
        receptor: usize,
        (low, high): (f64, f64),
        delays: &Delays,
        (connections, synapses): (&Rule, f64),
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Changing>, BuildError> {
        let (spec, dt, types) = (self.spec, self.scene.dt_ms, self.types);
        // What is only inhibitory is seen as magnitudes, by the receptor or by rules that know no negative weights.
        let inhibitory = target.model.receptors[receptor].sign == Sign::Negative
            || (high <= 0.0 && low < 0.0 && !self.allows_negative());
        let sign = if inhibitory { -1.0 } else { 1.0 };
        let all_negative = high <= 0.0 && low < 0.0;
        let (low, high) = if inhibitory {
            (-high, -low)
        } else {
            (low, high)
        };
        let targets = &self.scene.regions[self.to];
        values::check_selection(
            &spec.learning_targets,
            format!("{}.learning_targets", self.path),
            targets.neurons,
            warnings,
        )?;
        if let Some(model) = &spec.short_term {
            values::check_fields(&format!("{}.short_term", self.path), model)?;
        }
        let exact = target.model.exact && (self.from_exact || !spec.plasticity.is_empty());
        let mut setting = Setting {
            dt,
            ticks: if exact { TICKS } else { 1 },
            bounds: (low, high),
            learning: false,
            inhibitory,
            most_per_target: f64::from(connect::indegree_bound(
                connections,
                self.scene.regions[self.from].neurons,
                self.scene.regions[self.to].neurons,
            )),
            synapses,
        };
        let mut upkeep = Vec::new();
        let (mut rules, mut boxes) = (Vec::new(), Vec::new());
        let mut allowed = (f64::NEG_INFINITY, f64::INFINITY);
        for (i, value) in spec.plasticity.iter().enumerate() {
            let field = format!("plasticity[{i}]");
            let value = value.0.as_ref();
            let info = value.get_represented_type_info();
            values::check_fields(&format!("{}.{field}", self.path), value)?;
            if let Some(rule) =
                info.and_then(|info| types.get_type_data::<ReflectUpkeep>(info.type_id()))
            {
                upkeep.push((i, rule.clone()));
                continue;
            }
            let rule = info
                .and_then(|info| types.get_type_data::<ReflectPlasticity>(info.type_id()))
                .ok_or_else(|| self.wrong(&field, "this is no learning rule"))?;
            let at = |message: String| self.wrong(&field, message);
            let tick = setting.tick_ms();
            (rule.check)(value, tick).map_err(at)?;
            let is_same = |(other, _): &&(usize, ReflectPlasticity)| {
                let other = spec.plasticity[*other].0.get_represented_type_info();
                other.map(|info| info.type_id()) == info.map(|info| info.type_id())
            };
            if let Some((other, _)) = rules.iter().find(is_same) {
                return Err(at(format!(
                    "plasticity[{other}] is the same rule; rules of different kinds can be added, each once"
                )));
            }
            let bounds = (rule.bounds)(value).map_err(at)?;
            if low < bounds.0 || high > bounds.1 {
                let as_what = if inhibitory {
                    " (magnitudes of inhibitory weights)"
                } else {
                    ""
                };
                return Err(at(format!(
                    "the bounds of the rule, {} to {}, exclude initial weights, which go from {} to {}{as_what}; change `w_min` and `w_max` or the weights",
                    shown(bounds.0),
                    shown(bounds.1),
                    shown(low),
                    shown(high)
                )));
            }
            if (rule.follows_membrane)(value) && !target.model.columns.contains(&"v") {
                return Err(at(format!(
                    "this rule follows the membrane potential of target neurons, and {} has none; choose a model with the column `v`",
                    target.type_name
                )));
            }
            if let Some(name) = (rule.modulator)(value) {
                modulators::check_name(self.scene, &name, "the rule is modulated by")
                    .map_err(|e| self.wrong(&format!("{field}.modulator"), e))?;
            }
            let boxed = (rule.derive)(value, tick).map_err(at)?;
            if exact && (rule.follows_membrane)(value) {
                return Err(self.not_exact(&field, target, "rules that follow membranes"));
            }
            if !exact && boxed.coincidence == Coincidence::Both && self.unknown_in_time(delays) {
                return Err(at(
                    "coincidence Both needs postsynaptic spikes that are known when a presynaptic one arrives: give the projection a `dendritic` part of its delay, or `backpropagation_ms` of a step or more"
                        .into(),
                ));
            }
            allowed = (allowed.0.max(bounds.0), allowed.1.min(bounds.1));
            rules.push((i, rule.clone()));
            boxes.push((i, boxed));
        }
        if !rules.is_empty() {
            setting.bounds = allowed;
            setting.learning = true;
        }
        let rule = match boxes.len() {
            0 | 1 => boxes.pop().map(|(_, rule)| rule),
            _ => Some(BoxedRule::sum(boxes, allowed).map_err(|e| self.wrong("plasticity", e))?),
        };
        self.check_upkeep(&upkeep, &mut setting, warnings)?;
        self.warn_of_steering(!rules.is_empty(), !upkeep.is_empty(), warnings);
        if let Dendritic::Ms(ms) = spec.dendritic
            && let Some(shortest) = shortest(delays)
            && libm::rint(ms / dt) > f64::from(shortest)
        {
            let message = format!(
                "the dendritic part of {ms} ms is longer than the shortest delay, {} ms",
                shown(f64::from(shortest) * dt)
            );
            return Err(self.wrong("dendritic", message));
        }
        if let Some(ms) = spec.backpropagation_ms
            && ms / dt > LONGEST_BACK
        {
            let message = format!(
                "{ms} ms are more than {LONGEST_BACK} steps; spikes come back to the synapse sooner"
            );
            return Err(self.wrong("backpropagation_ms", message));
        }
        let (sources, targets) = (self.scene.regions[self.from].neurons, targets.neurons);
        let back = match longest(delays) {
            Some(steps) if !exact => {
                parts_of(steps, spec.dendritic, spec.backpropagation_ms, dt).back
            }
            _ => 0,
        };
        if !rules.is_empty() && f64::from(back) > LONGEST_BACK {
            let message = format!(
                "the dendritic part of the delay reaches {} ms, more than {LONGEST_BACK} steps of {dt} ms; let delays be shorter, or say in `backpropagation_ms` how soon spikes come back to the synapse",
                shown(f64::from(back) * dt)
            );
            return Err(self.wrong("dendritic", message));
        }
        // Only rows of one delay are visited as a whole, and only where most synapses are in such rows.
        let is_listed = matches!(connections, Rule::List(_) | Rule::Pairs(_));
        let dense = is_listed || 4.0 * synapses >= f64::from(sources) * f64::from(targets);
        let whole = !exact && dense && shortest(delays) == longest(delays);
        let most_released = modulators::most_released(self.scene, &spec.called());
        if exact {
            self.check_exact(target)?;
        }
        let stays = rules.is_empty() && upkeep.is_empty() && spec.short_term.is_none() && !exact;
        if stays && most_released.is_none() {
            return Ok(None);
        }
        Ok(Some(Changing {
            exact,
            tagged: rule.as_ref().is_some_and(|rule| rule.tagged),
            wide_traces: rule.as_ref().map_or(0.0, |rule| rule.wide_traces),
            target_bytes: rule.map_or(0.0, |rule| rule.bytes_per_target(back, whole)),
            rules,
            most_released: most_released.unwrap_or(1.0),
            upkeep,
            bounds: setting.bounds,
            setting,
            sign,
            all_negative,
        }))
    }

    fn not_exact(&self, field: &str, target: &PreparedRegion, what: &str) -> BuildError {
        let message = format!(
            "{} is resolved in continuous time, and projections onto it cannot have {what} so far",
            target.type_name
        );
        self.wrong(field, message)
    }

    /// Checks what a projection cannot have whose spikes arrive one by one, at neurons that are resolved in continuous time.
    fn check_exact(&self, target: &PreparedRegion) -> Result<(), BuildError> {
        let spec = self.spec;
        let is_late = spec.backpropagation_ms.is_some_and(|ms| ms != 0.0);
        for (has, field, what) in [
            (spec.responses.is_some(), "responses", "responses"),
            (
                spec.dendritic != Dendritic::None,
                "dendritic",
                "a delay with a dendritic part",
            ),
            (
                is_late,
                "backpropagation_ms",
                "spikes that take their time back to the synapse",
            ),
        ] {
            if has {
                return Err(self.not_exact(field, target, what));
            }
        }
        Ok(())
    }

    /// Checks rules of upkeep, and works out the bounds of weights if no learning rule sets them.
    fn check_upkeep(
        &self,
        upkeep: &[(usize, ReflectUpkeep)],
        setting: &mut Setting,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), BuildError> {
        let at = |i: usize| move |message: String| self.wrong(&format!("plasticity[{i}]"), message);
        let value = |i: usize| self.spec.plasticity[i].0.as_ref();
        if !setting.learning {
            let start = setting.bounds;
            for (i, rule) in upkeep {
                let (low, high) = (rule.reach)(value(*i), start).map_err(at(*i))?;
                setting.bounds.0 = setting.bounds.0.min(low);
                setting.bounds.1 = setting.bounds.1.max(high);
            }
        }
        let mut seen: Vec<(usize, &'static str)> = Vec::new();
        for (i, rule) in upkeep {
            (rule.check)(value(*i), setting).map_err(at(*i))?;
            if let ReflectRef::Struct(fields) = value(*i).reflect_ref()
                && let Some(every_ms) = fields.field("every_ms")
                && let Some(ms) = every_ms.try_downcast_ref::<f64>()
            {
                let path = format!("{}.plasticity[{i}].every_ms", self.path);
                warn_of_rounding(path, "an interval", *ms, setting.dt, warnings);
            }
            let advice = (rule.advice)(value(*i), setting).map_err(at(*i))?;
            warnings.extend(advice.map(at(*i)));
            let what = (rule.sees_to)(value(*i)).map_err(at(*i))?;
            if let Some((other, _)) = seen.iter().find(|(_, known)| *known == what) {
                return Err(at(*i)(format!(
                    "plasticity[{other}] sees to {what} already; remove one of them"
                )));
            }
            seen.push((*i, what));
        }
        Ok(())
    }

    /// Warns of fields that steer changes of weights where there are none, and of times that are rounded.
    fn warn_of_steering(&self, has_rule: bool, has_upkeep: bool, warnings: &mut Vec<Warning>) {
        let (spec, dt) = (self.spec, self.scene.dt_ms);
        let name = quoted(&spec.called());
        let stays = !has_rule && !has_upkeep;
        let restricted = spec.learning_targets != Selection::All;
        for (is_idle, field) in [
            (stays && spec.frozen, "frozen"),
            (stays && restricted, "learning_targets"),
        ] {
            if is_idle {
                let message = format!(
                    "the weights of {name} do not change, so this does nothing; give it a rule in `plasticity`"
                );
                warnings.push(self.wrong(field, message));
            }
        }
        let parts = match spec.dendritic {
            Dendritic::Ms(ms) => Some(ms),
            Dendritic::None | Dendritic::All => None,
        };
        for (is_given, field, ms) in [
            (spec.dendritic != Dendritic::None, "dendritic", parts),
            (
                spec.backpropagation_ms.is_some(),
                "backpropagation_ms",
                spec.backpropagation_ms,
            ),
        ] {
            if is_given && !has_rule {
                let message = format!(
                    "spikes do not change the weights of {name}, so this does nothing; give it a learning rule in `plasticity`"
                );
                warnings.push(self.wrong(field, message));
            } else if let Some(ms) = ms {
                let path = format!("{}.{field}", self.path);
                warn_of_rounding_to_none(path, "a delay", ms, dt, warnings);
            }
        }
    }

    /// Whether a rule's bounds include negative weights.
    fn allows_negative(&self) -> bool {
        self.spec.plasticity.iter().any(|value| {
            let value = value.0.as_ref();
            value
                .get_represented_type_info()
                .and_then(|info| {
                    self.types
                        .get_type_data::<ReflectPlasticity>(info.type_id())
                })
                .and_then(|rule| (rule.bounds)(value).ok())
                .is_some_and(|(low, _)| low < 0.0)
        })
    }

    /// Whether a postsynaptic spike of the step in which a presynaptic one arrives is not known then.
    fn unknown_in_time(&self, delays: &Delays) -> bool {
        let (dendritic, back) = (self.spec.dendritic, self.spec.backpropagation_ms);
        shortest(delays).is_some_and(|steps| {
            let parts = parts_of(steps, dendritic, back, self.scene.dt_ms);
            parts.dendritic == 0 && parts.back == 0
        })
    }
}

/// Steps that postsynaptic spikes may take to a synapse: of every neuron as many spikes are kept.
const LONGEST_BACK: f64 = 4_096.0;

fn longest(delays: &Delays) -> Option<u32> {
    match delays {
        Delays::Fixed(steps) | Delays::Range(_, steps) => Some(*steps),
        Delays::Listed(list) => list.iter().copied().max(),
    }
}

fn shortest(delays: &Delays) -> Option<u32> {
    match delays {
        Delays::Fixed(steps) | Delays::Range(steps, _) => Some(*steps),
        Delays::Listed(list) => list.iter().copied().min(),
    }
}
