//! Checking a projection: signs, receptor, delays, and whether its rule can be met.

use super::values::{self, shown};
use super::{BuildError, Delays, PreparedProjection, PreparedRegion, Warning, has_no};
use crate::files::Files;
use crate::network::connect::{self, Estimate, Request, Rule};
use crate::network::distribution::{Distribution, Sampler};
use crate::network::synapses::WeightFormat;
use crate::neurons::Sign;
use crate::scene::error::{listed, quoted};
use crate::scene::lists::{ListError, ListRows, list_rows, read_rule};
use crate::scene::schema::{NeuronSign, ProjectionSpec, Scene};
use crate::sim::rng::{Purpose, Random, entity_key};
use bevy::reflect::TypeRegistry;

/// The longest delay in steps: one less than a 16-bit index of delays can tell apart.
const LONGEST_DELAY: f64 = 65_535.0;
/// Listed weights from which on they are kept in 16 bits each.
const MANY_WEIGHTS: usize = 1_000_000;
/// Pairs that `Not`, `And` and `Or` may look at: about an hour of one core.
const MOST_PAIRS: f64 = 1e12;
/// Neurons up to which positions are made to estimate a rule that depends on distance.
const MOST_PLACED: u32 = 2_000_000;

/// The factor that a receptor's weights are stored with.
pub(in crate::scene) fn factor_of(region: &PreparedRegion, receptor: usize) -> f64 {
    match region.model.receptors.get(receptor).map(|r| r.sign) {
        Some(Sign::Negative) => -1.0,
        _ => 1.0,
    }
}

/// The receptor of a region that takes input, to which weights from `low` to `high` go.
///
/// # Errors
/// The field that is wrong, `receptor` or `weight`, and why.
pub(super) fn resolve_receptor(
    wanted: Option<&str>,
    region: &PreparedRegion,
    low: f64,
    high: f64,
) -> Result<usize, (&'static str, String)> {
    let receptors = region.model.receptors;
    let (model, names) = (region.type_name, receptors.iter().map(|r| r.name));
    let index = match wanted {
        Some(name) => receptors
            .iter()
            .position(|r| r.name == name)
            .ok_or_else(|| ("receptor", has_no(model, "receptor", name, names)))?,
        None if receptors.len() == 1 || low >= 0.0 => 0,
        None if high <= 0.0 => 1,
        None => {
            let known = listed(names);
            let message = format!(
                "weights from {} to {} have both signs; bound them with `min` or `max` at 0, or name the receptor: {model} has {known}",
                shown(low),
                shown(high)
            );
            return Err(("weight", message));
        }
    };
    let receptor = &receptors[index];
    let takes = |allowed: &str, found: String| {
        let message = format!(
            "the receptor \"{}\" of {model} takes weights of {allowed} ({}), but these {found}",
            receptor.name, receptor.unit
        );
        Err(("weight", message))
    };
    match receptor.sign {
        Sign::Positive if low < 0.0 => takes("0 or more", format!("go down to {}", shown(low))),
        Sign::Negative if high > 0.0 => takes("0 or less", format!("go up to {}", shown(high))),
        _ => Ok(index),
    }
}

/// The least and the largest value that weights of a distribution have in practice: 10⁻¹⁵ of them may lie beyond.
pub(super) fn reach(weight: &Distribution) -> (f64, f64) {
    let (low, high) = weight.bounds();
    let most = weight.largest_magnitude();
    (low.max(-most), high.min(most))
}

/// A projection and its place in the scene.
pub(super) struct Place<'a> {
    pub(super) scene: &'a Scene,
    pub(super) spec: &'a ProjectionSpec,
    pub(super) path: &'a str,
    pub(super) from: usize,
    /// Whether the spikes of the source have offsets inside the step.
    pub(super) from_exact: bool,
    pub(super) to: usize,
    pub(super) types: &'a TypeRegistry,
}

impl Place<'_> {
    pub(super) fn wrong(&self, field: &str, message: impl Into<String>) -> BuildError {
        BuildError::new(format!("{}.{field}", self.path), message)
    }

    fn warning(&self, field: &str, message: impl Into<String>) -> Warning {
        self.wrong(field, message)
    }

    /// Checks the projection. Its name is not yet made unique.
    pub(super) fn prepare(
        &self,
        target_model: &PreparedRegion,
        files: &dyn Files,
        warnings: &mut Vec<Warning>,
    ) -> Result<(PreparedProjection, Option<ListRows>), BuildError> {
        let (scene, spec) = (self.scene, self.spec);
        let (source, target) = (&scene.regions[self.from], &scene.regions[self.to]);
        let list = list_rows(spec, source.neurons, target.neurons, files)
            .map_err(|ListError { place, message }| self.wrong(&format!("rule{place}"), message))?;
        let listed_weights = list.as_ref().and_then(|l| l.weights.as_deref());
        let listed_delays = list.as_ref().and_then(|l| l.delays.as_deref());
        self.check_given(&spec.weight, listed_weights.is_some(), "weight", warnings)?;
        self.check_given(
            &spec.delay_ms,
            listed_delays.is_some(),
            "delay_ms",
            warnings,
        )?;

        // Where a message about weights points.
        let weight_field = if listed_weights.is_some() {
            "rule"
        } else {
            "weight"
        };
        let (low, high) = match listed_weights {
            Some([]) => (0.0, 0.0),
            Some(weights) => extremes(weights),
            None => spec.weight.as_ref().map_or((0.0, 0.0), reach),
        };
        values::check_weight(low.abs().max(high.abs())).map_err(|e| self.wrong(weight_field, e))?;
        let contradicts = |sign: &str, found: String, bound: &str| {
            let name = quoted(&source.name);
            let drawn = (spec.weight.as_ref()).is_some_and(|weight| !weight.is_constant());
            let bounded = listed_weights.is_none() && drawn;
            let fix = if bounded {
                format!("add `{bound}: 0` or change")
            } else {
                "change their sign or".into()
            };
            let message = format!(
                "region {name} is {sign}, but these weights {found}; {fix} the sign of the region"
            );
            Err(self.wrong(weight_field, message))
        };
        match source.sign {
            NeuronSign::Excitatory if low < 0.0 => {
                return contradicts("excitatory", format!("go down to {}", shown(low)), "min");
            }
            NeuronSign::Inhibitory if high > 0.0 => {
                return contradicts("inhibitory", format!("go up to {}", shown(high)), "max");
            }
            _ => {}
        }
        if target_model.model.receptors.is_empty() {
            let message = format!(
                "{} of region {} takes no synaptic input",
                target_model.type_name,
                quoted(&target.name)
            );
            return Err(self.wrong("to", message));
        }
        let receptor = resolve_receptor(spec.receptor.as_deref(), target_model, low, high)
            .map_err(|(field, message)| {
                self.wrong(
                    if field == "weight" {
                        weight_field
                    } else {
                        field
                    },
                    message,
                )
            })?;

        let response = self.response(low.abs().max(high.abs()), warnings)?;
        let delays = self.delays(listed_delays, warnings)?;
        let rule = match &list {
            Some(_) => spec.rule.clone(),
            None => read_rule(&spec.rule, files).map_err(|e| self.wrong("rule", e))?,
        };
        let Estimate {
            synapses,
            temporary_bytes,
        } = match &list {
            Some(list) => Estimate {
                synapses: list.order.len() as f64,
                temporary_bytes: 0.0,
            },
            None => self.check_rule(&rule)?,
        };
        if synapses == 0.0 {
            warnings.push(self.warning("rule", "this projection joins no neurons"));
        }
        let counted = (&rule, synapses);
        let changing = self.changing(
            target_model,
            receptor,
            (low, high),
            &delays,
            counted,
            warnings,
        )?;
        let format = match (listed_weights, &spec.weight) {
            _ if changing.is_some() => WeightFormat::Wide,
            (Some(weights), _) if weights.len() < MANY_WEIGHTS => WeightFormat::Wide,
            (Some(_), _) => WeightFormat::Narrow { shift: 0 },
            (None, Some(weight)) if weight.is_constant() => WeightFormat::Shared(0),
            (None, _) => match (&rule, &delays) {
                (Rule::AllToAll, Delays::Fixed(delay)) if spec.autapses || self.from != self.to => {
                    WeightFormat::Dense {
                        shift: 0,
                        delay: *delay,
                    }
                }
                _ => WeightFormat::Narrow { shift: 0 },
            },
        };
        let prepared = PreparedProjection {
            name: spec.called(),
            from: self.from,
            to: self.to,
            receptor,
            response,
            channel: receptor,
            factor: factor_of(target_model, receptor),
            synapses,
            format,
            delays,
            temporary_bytes: temporary_bytes as u64,
            rule,
            changing,
        };
        Ok((prepared, list))
    }

    /// Checks a weight or delay that may be left to the entries of a list.
    fn check_given(
        &self,
        distribution: &Option<Distribution>,
        is_listed: bool,
        field: &str,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), BuildError> {
        match distribution {
            None if is_listed => Ok(()),
            None => {
                let message = format!(
                    "this projection has no `{field}`: give it here, or in every entry of a list"
                );
                Err(self.wrong(field, message))
            }
            Some(given) => {
                if is_listed {
                    warnings.push(self.warning(
                        field,
                        "every entry of the list has its own; this one is not used",
                    ));
                }
                values::check_distribution(given, None).map_err(|e| self.wrong(field, e))
            }
        }
    }

    /// The delays that may occur.
    fn delays(
        &self,
        listed_delays: Option<&[f64]>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Delays, BuildError> {
        let dt = self.scene.dt_ms;
        let field = if listed_delays.is_some() {
            "rule"
        } else {
            "delay_ms"
        };
        let step_of = |ms: f64| -> Result<u32, BuildError> {
            let steps = (ms / dt).round().max(1.0);
            if !(ms > 0.0) {
                return Err(
                    self.wrong(field, format!("a delay is {ms} ms; it must be more than 0"))
                );
            }
            if steps > LONGEST_DELAY {
                let message = format!(
                    "a delay of {} ms is {} steps; at most {LONGEST_DELAY} steps of {dt} ms are possible",
                    shown(ms),
                    shown(steps)
                );
                return Err(self.wrong(field, message));
            }
            Ok(steps as u32)
        };
        match (listed_delays, &self.spec.delay_ms) {
            (Some(listed), _) => {
                let mut steps: Vec<u32> = listed
                    .iter()
                    .map(|d| step_of(*d))
                    .collect::<Result<_, _>>()?;
                steps.sort_unstable();
                steps.dedup();
                let (shortest, _) = extremes(listed);
                if shortest < dt * 0.999 {
                    values::warn_of_rounding(
                        format!("{}.rule", self.path),
                        "a delay",
                        shortest,
                        dt,
                        warnings,
                    );
                }
                Ok(Delays::Listed(steps))
            }
            // That it is not given was said before.
            (None, None) => Ok(Delays::Fixed(1)),
            (None, Some(Distribution::Constant(delay))) => {
                let steps = step_of(*delay)?;
                values::warn_of_rounding(
                    format!("{}.delay_ms", self.path),
                    "a delay",
                    *delay,
                    dt,
                    warnings,
                );
                Ok(Delays::Fixed(steps))
            }
            (None, Some(drawn)) => {
                let (low, high) = Sampler::new(drawn).bounds();
                if low <= 0.0 {
                    let message = format!(
                        "delays go down to {} ms; they must be more than 0: add `min: {}`",
                        shown(low),
                        dt / 2.0
                    );
                    return Err(self.wrong("delay_ms", message));
                }
                if low < dt * 0.499 {
                    let message = format!(
                        "delays go down to {} ms; all below half a step act after one step of {dt} ms",
                        shown(low)
                    );
                    warnings.push(self.warning("delay_ms", message));
                }
                Ok(Delays::Range(step_of(low)?, step_of(high)?))
            }
        }
    }

    /// Checks that the rule can be met, and estimates what it needs.
    fn check_rule(&self, rule: &Rule) -> Result<Estimate, BuildError> {
        let regions = &self.scene.regions;
        let (source, target) = (&regions[self.from], &regions[self.to]);
        let wrong = |message: String| self.wrong("rule", message);
        let random = Random::new(
            self.scene.seed,
            entity_key(&self.spec.from),
            Purpose::Connect,
        );
        // What does not depend on positions is checked without them.
        let check = |rule: &Rule| {
            let request = Request {
                same_region: self.from == self.to,
                autapses: self.spec.autapses,
                multapses: self.spec.multapses,
                ..Request::new(rule, source.neurons, target.neurons, random)
            };
            connect::check(&request).map_err(|e| wrong(e.to_string()))
        };
        if rule.needs_positions() {
            check(&without_positions(rule, &mut |distance| {
                let place = [[0.0; 3]];
                let request = Request::new(distance, 1, 1, random);
                connect::check(&Request {
                    source_positions: &place,
                    target_positions: &place,
                    ..request
                })
                .map_err(|e| wrong(e.to_string()))
            })?)?;
            if let Some(region) = [source, target].into_iter().find(|r| r.layout.is_none()) {
                let name = quoted(&region.name);
                return Err(wrong(format!(
                    "this rule depends on distance, but region {name} has no layout; give it one"
                )));
            }
        } else {
            check(rule)?;
        }
        let estimate = |rule: &Rule| {
            connect::estimate(rule, source.neurons, target.neurons)
                .map_err(|e| wrong(e.to_string()))
        };
        if let Rule::Not(rules) | Rule::And(rules) | Rule::Or(rules) = rule {
            let pairs = f64::from(source.neurons) * f64::from(target.neurons);
            let own = if matches!(rule, Rule::Not(_)) {
                pairs
            } else {
                0.0
            };
            let visited = rules
                .iter()
                .try_fold(own, |sum, rule| Ok(sum + estimate(rule)?.synapses))?;
            if visited > MOST_PAIRS {
                let message = format!(
                    "rule {}: it would look at {visited:.1e} pairs one by one; at most {MOST_PAIRS:e} are possible: use smaller regions or another rule",
                    rule.name()
                );
                return Err(wrong(message));
            }
        }
        let mut estimated = estimate(rule)?;
        if matches!(rule, Rule::Distance { .. })
            && let Some(expected) = self.expected_by_distance(rule, random)
        {
            estimated.synapses = expected;
        }
        Ok(estimated)
    }

    /// The expected synapses of a rule that depends on distance, from a sample of sources and targets. `None` if the regions are too large
    /// to be placed just for that.
    fn expected_by_distance(&self, rule: &Rule, random: Random) -> Option<f64> {
        const SOURCES: usize = 256;
        const TARGETS: usize = 16_384;
        let sample = |region: usize, most: usize| -> Option<Vec<[f32; 3]>> {
            let spec = &self.scene.regions[region];
            let places = Random::new(self.scene.seed, entity_key(&spec.name), Purpose::Layout);
            if spec.neurons > MOST_PLACED {
                return None;
            }
            let all = spec
                .layout
                .as_ref()?
                .positions(spec.neurons, &places)
                .ok()?;
            let stride = all.len().div_ceil(most);
            Some(all.into_iter().step_by(stride).collect())
        };
        let (sources, targets) = (sample(self.from, SOURCES)?, sample(self.to, TARGETS)?);
        let request = Request::new(rule, sources.len() as u32, targets.len() as u32, random);
        let plan = connect::plan(&Request {
            source_positions: &sources,
            target_positions: &targets,
            ..request
        })
        .ok()?;
        let sampled = sources.len() as f64 * targets.len() as f64;
        let regions = &self.scene.regions;
        let pairs = f64::from(regions[self.from].neurons) * f64::from(regions[self.to].neurons);
        // A sample that finds none does not show that there is none.
        let found = if pairs > sampled {
            plan.len().max(1)
        } else {
            plan.len()
        };
        Some(found as f64 / sampled * pairs)
    }
}

fn extremes(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &v| {
            (a.min(v), b.max(v))
        })
}

/// The rule with `AllToAll` in the place of every `Distance`, each of which is handed to `check`.
fn without_positions(
    rule: &Rule,
    check: &mut dyn FnMut(&Rule) -> Result<(), BuildError>,
) -> Result<Rule, BuildError> {
    let mut all = |rules: &[Rule]| -> Result<Vec<Rule>, BuildError> {
        rules
            .iter()
            .map(|rule| without_positions(rule, check))
            .collect()
    };
    Ok(match rule {
        Rule::Distance { .. } => {
            check(rule)?;
            Rule::AllToAll
        }
        Rule::Not(rules) => Rule::Not(all(rules)?),
        Rule::And(rules) => Rule::And(all(rules)?),
        Rule::Or(rules) => Rule::Or(all(rules)?),
        other => other.clone(),
    })
}
