//! The units in which synaptic input is summed.

use super::lists::ListRows;
use super::prepare::{BuildError, PreparedProjection, PreparedRegion, Warning, factor_of};
use super::schema::Scene;
use crate::network::connect;
use crate::network::distribution::Distribution;
use crate::network::stimulus::StimulusKind;
use crate::network::synapses::WeightFormat;
use crate::synapses::response::filter::Filter;
use std::collections::HashMap;

/// The unit of one channel's sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quantum {
    /// The binary exponent of the quantum; `None` if nothing reaches the receptor.
    pub(super) exponent: Option<i32>,
    /// Whether the largest sum needs 64 bits.
    pub(super) wide: bool,
}

/// Spikes of each synapse of which a receptor can take the whole response at once, where responses take that long.
const MOST_AT_ONCE: f64 = 16_777_216.0;

/// Chooses the quantum of every channel and the shift of every projection.
///
/// A quantum must let the largest possible sum of one step fit its integer, and be fine: 2⁻²⁰ of the largest weight or finer where weights
/// are constant or listed, and as fine as the 16-bit weights where they are drawn. If 32 bits cannot do both, the sums take 64.
pub(super) fn choose_quanta(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &mut [PreparedProjection],
    lists: &[Option<ListRows>],
    stimulus_receptors: &[usize],
    places: &HashMap<&str, usize>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Vec<Quantum>>, BuildError> {
    #[derive(Clone, Default)]
    struct Need {
        positive: f64,
        negative: f64,
        largest: f64,
        narrow: Vec<f64>,
        exact: bool,
    }
    let mut needs: Vec<Vec<Need>> = regions
        .iter()
        .map(|r| vec![Need::default(); r.model.receptors.len()])
        .collect();
    for projection in projections.iter() {
        let channels = &mut needs[projection.to];
        let most = channels.len().max(projection.channel + 1);
        channels.resize(most, Need::default());
    }
    let mut add =
        |region: usize, receptor: usize, number: f64, mean: f64, largest: f64, narrow: bool| {
            let need = &mut needs[region][receptor];
            need.largest = need.largest.max(largest);
            // The sum of so many weights, with a margin of twelve of its standard deviations.
            let sum = number * mean.abs() + 12.0 * number.sqrt() * (largest - mean.abs()).max(0.0);
            let sum = sum.min(number * largest);
            if mean >= 0.0 {
                need.positive += sum
            } else {
                need.negative += sum
            }
            if narrow {
                need.narrow.push(largest)
            } else {
                need.exact = true
            }
        };
    for (i, projection) in projections.iter().enumerate() {
        let spec = &scene.projections[i];
        let (number, mean, largest) = match &lists[i] {
            Some(list) => {
                let mut targets = list.targets.clone();
                targets.sort_unstable();
                let most = targets
                    .chunk_by(u32::eq)
                    .map(<[u32]>::len)
                    .max()
                    .unwrap_or(0) as f64;
                match &list.weights {
                    Some(weights) => {
                        let largest = weights.iter().fold(0.0f64, |a, w| a.max(w.abs()));
                        // Listed weights may have both signs: both sums are bounded by all of them.
                        add(
                            projection.to,
                            projection.channel,
                            most,
                            -largest,
                            largest,
                            false,
                        );
                        (most, largest, largest)
                    }
                    None => (most, mean(&spec.weight), largest_of(&spec.weight)),
                }
            }
            None => {
                let source = &scene.regions[projection.from];
                let target = &scene.regions[projection.to];
                let bound =
                    connect::indegree_bound(&projection.rule, source.neurons, target.neurons);
                (
                    f64::from(bound),
                    mean(&spec.weight),
                    largest_of(&spec.weight),
                )
            }
        };
        if let Some(changing) = &projection.changing {
            // All may reach a bound, and a spike transmits at most the whole weight.
            let largest =
                changing.most_released * changing.bounds.0.abs().max(changing.bounds.1.abs());
            let sent = changing.sign * projection.factor;
            for sign in [-1.0, 1.0] {
                if changing.bounds.0 < 0.0 || sign > 0.0 {
                    add(
                        projection.to,
                        projection.channel,
                        number,
                        sent * sign * largest,
                        largest,
                        false,
                    );
                }
            }
            continue;
        }
        let narrow = matches!(
            projection.format,
            WeightFormat::Narrow { .. } | WeightFormat::Dense { .. }
        );
        add(
            projection.to,
            projection.channel,
            number,
            mean * projection.factor,
            largest,
            narrow,
        );
    }
    for (stimulus, &receptor) in scene.stimuli.iter().zip(stimulus_receptors) {
        let to = places.get(stimulus.to.as_str()).copied().unwrap_or(0);
        let factor = factor_of(&regions[to], receptor);
        match &stimulus.kind {
            StimulusKind::Poisson {
                rate_hz, weight, ..
            } => {
                let mean = rate_hz.largest_magnitude() * scene.dt_ms * 1e-3;
                let most = mean + 12.0 * mean.sqrt() + 40.0;
                add(
                    to,
                    receptor,
                    most,
                    weight.mean() * factor,
                    weight.largest_magnitude(),
                    false,
                );
            }
            StimulusKind::InputSpikes {
                times_ms, weight, ..
            } => {
                add(
                    to,
                    receptor,
                    times_ms.len() as f64,
                    weight * factor,
                    weight.abs(),
                    false,
                );
            }
            _ => {}
        }
    }
    for projection in projections.iter() {
        if let Some(cascade) = &projection.response {
            let most = Filter::new(cascade, 1.0).largest();
            let area = cascade.area().min(most * MOST_AT_ONCE);
            let channels = &mut needs[projection.to];
            let sent = channels[projection.channel].clone();
            let need = &mut channels[projection.receptor];
            need.positive += area * sent.positive;
            need.negative += area * sent.negative;
            need.largest = need.largest.max(most * sent.largest);
            need.exact = true;
        }
    }
    let mut quanta = Vec::new();
    // The exponents that would do for each receptor, finest and coarsest.
    let mut ranges = Vec::new();
    for (region, needs) in needs.iter().enumerate() {
        let mut of_region = Vec::new();
        let mut range_of = Vec::new();
        for need in needs {
            let used = need.exact || !need.narrow.is_empty();
            if !used {
                of_region.push(Quantum::default());
                range_of.push(None);
                continue;
            }
            let largest = if need.largest > 0.0 {
                need.largest
            } else {
                1.0
            };
            let sum = need.positive.max(need.negative).max(largest);
            let floor_log2 = |x: f64| libm::log2(x).floor() as i32;
            let ceil_log2 = |x: f64| libm::log2(x).ceil() as i32;
            // Below this the largest sum leaves 31 bits.
            let fits = ceil_log2(sum / 2_147_483_000.0);
            let wanted = if need.exact {
                floor_log2(largest) - 20
            } else {
                need.narrow
                    .iter()
                    .map(|w| narrow_exponent(*w))
                    .min()
                    .unwrap_or(0)
            };
            // As fine as fits, but not finer than single precision can show.
            let finest = fits.max(floor_log2(largest) - 24).min(wanted);
            range_of.push((fits <= wanted).then_some((finest, wanted)));
            let quantum = if fits <= wanted {
                let exponent = if need.exact { finest } else { wanted };
                Quantum {
                    exponent: Some(exponent),
                    wide: false,
                }
            } else {
                if libm::log2(sum) - f64::from(wanted) > 62.0 {
                    return Err(BuildError::new(
                        format!("regions[{region}]"),
                        format!(
                            "the synaptic input of one step can reach {sum:.3e}, which is too much; reduce weights or in-degrees"
                        ),
                    ));
                }
                Quantum {
                    exponent: Some(wanted),
                    wide: true,
                }
            };
            of_region.push(quantum);
        }
        quanta.push(of_region);
        ranges.push(range_of);
    }
    let units = common_units(scene, projections, lists);
    share_quanta(projections, &ranges, &mut quanta);
    for (i, projection) in projections.iter_mut().enumerate() {
        let Some(exponent) = quanta[projection.to][projection.channel].exponent else {
            continue;
        };
        match &mut projection.format {
            WeightFormat::Shared(weight) => {
                let value = mean(&scene.projections[i].weight) * projection.factor;
                *weight = (value / libm::exp2(f64::from(exponent))).round() as i32;
            }
            WeightFormat::Narrow { shift } | WeightFormat::Dense { shift, .. } => {
                *shift = (units[i] - exponent).max(0) as u32;
            }
            WeightFormat::Wide => {}
        }
    }
    warn_of_coarse_weights(scene, regions, projections, lists, &quanta, warnings);
    for (i, (stimulus, &receptor)) in scene.stimuli.iter().zip(stimulus_receptors).enumerate() {
        let to = places.get(stimulus.to.as_str()).copied().unwrap_or(0);
        let weight = match &stimulus.kind {
            StimulusKind::Poisson { weight, .. } if weight.is_constant() => weight.mean(),
            StimulusKind::InputSpikes { weight, .. } => *weight,
            _ => continue,
        };
        let name = (
            &scene.regions[to].name,
            regions[to].model.receptors[receptor].name,
        );
        if let Some(message) = coarseness(weight, quanta[to][receptor].exponent.unwrap_or(0), name)
        {
            warnings.push(Warning::new(format!("stimuli[{i}].kind.weight"), message));
        }
    }
    Ok(quanta)
}

/// The mean of weights, if they are given.
fn mean(weight: &Option<Distribution>) -> f64 {
    weight.as_ref().map_or(0.0, Distribution::mean)
}

/// The largest magnitude of weights, if they are given.
fn largest_of(weight: &Option<Distribution>) -> f64 {
    (weight.as_ref()).map_or(0.0, Distribution::largest_magnitude)
}

/// Bits of a 16-bit weight that may be given up so that projections from one region share a unit, and with it a store.
const SPARE_BITS: i32 = 2;

/// The binary exponent of the unit of each projection's 16-bit weights: what its largest weight asks for, or the coarser unit of other
/// projections from the same region where that is not much coarser.
fn common_units(
    scene: &Scene,
    projections: &[PreparedProjection],
    lists: &[Option<ListRows>],
) -> Vec<i32> {
    let own: Vec<i32> = (0..projections.len())
        .map(|i| {
            narrow_exponent(match &lists[i] {
                Some(ListRows {
                    weights: Some(weights),
                    ..
                }) => weights.iter().fold(0.0f64, |a, w| a.max(w.abs())),
                _ => largest_of(&scene.projections[i].weight),
            })
        })
        .collect();
    // Weights that a user listed one by one are not made coarser for the sake of others.
    let listed = |i: usize| lists[i].as_ref().is_some_and(|list| list.weights.is_some());
    let narrow =
        |i: usize| matches!(projections[i].format, WeightFormat::Narrow { .. }) && !listed(i);
    (0..projections.len())
        .map(|i| {
            let siblings = (0..projections.len())
                .filter(|&j| narrow(i) && narrow(j) && projections[j].from == projections[i].from);
            siblings
                .map(|j| own[j])
                .filter(|&unit| unit <= own[i] + SPARE_BITS)
                .fold(own[i], i32::max)
        })
        .collect()
}

/// Gives the receptors that one region reaches with 16-bit weights the same quantum where their ranges allow, so that its synapses need
/// one store and not one for each shift.
fn share_quanta(
    projections: &[PreparedProjection],
    ranges: &[Vec<Option<(i32, i32)>>],
    quanta: &mut [Vec<Quantum>],
) {
    // Sets of receptors with the exponents that would do for all of them.
    let mut sets: Vec<((i32, i32), Vec<(usize, usize)>)> = Vec::new();
    let mut set_of: HashMap<(usize, usize), usize> = HashMap::new();
    let mut first_of: HashMap<usize, usize> = HashMap::new();
    for projection in projections {
        let receptor = (projection.to, projection.channel);
        let (WeightFormat::Narrow { .. }, Some(range)) =
            (projection.format, ranges[receptor.0][receptor.1])
        else {
            continue;
        };
        let set = *set_of.entry(receptor).or_insert_with(|| {
            sets.push((range, vec![receptor]));
            sets.len() - 1
        });
        let first = *first_of.entry(projection.from).or_insert(set);
        let ((finest, coarsest), (other_finest, other_coarsest)) = (sets[first].0, sets[set].0);
        let both = (finest.max(other_finest), coarsest.min(other_coarsest));
        if first == set || both.0 > both.1 {
            continue;
        }
        sets[first].0 = both;
        for member in core::mem::take(&mut sets[set].1) {
            set_of.insert(member, first);
            sets[first].1.push(member);
        }
        for other in first_of.values_mut().filter(|other| **other == set) {
            *other = first;
        }
    }
    for ((finest, _), members) in sets.iter().filter(|(_, members)| members.len() > 1) {
        for &(region, receptor) in members {
            quanta[region][receptor].exponent = Some(*finest);
        }
    }
}

/// Warns of weights that are so small against others onto the same receptor that its quantum distorts them.
fn warn_of_coarse_weights(
    scene: &Scene,
    regions: &[PreparedRegion],
    projections: &[PreparedProjection],
    lists: &[Option<ListRows>],
    quanta: &[Vec<Quantum>],
    warnings: &mut Vec<Warning>,
) {
    for (i, projection) in projections.iter().enumerate() {
        let Some(exponent) = quanta[projection.to][projection.channel].exponent else {
            continue;
        };
        let name = (
            &scene.regions[projection.to].name,
            regions[projection.to].model.receptors[projection.receptor].name,
        );
        let spec = &scene.projections[i];
        let listed = lists[i].as_ref().and_then(|list| list.weights.as_deref());
        let (field, message) = match (projection.format, listed) {
            (WeightFormat::Shared(_), _) => {
                ("weight", coarseness(mean(&spec.weight), exponent, name))
            }
            (WeightFormat::Wide, Some(weights)) => (
                "rule",
                weights.iter().find_map(|w| coarseness(*w, exponent, name)),
            ),
            // Drawn weights have 15 bits of their own; what counts is that the largest keeps most of them.
            (WeightFormat::Narrow { shift } | WeightFormat::Dense { shift, .. }, None) => (
                "weight",
                coarseness(
                    largest_of(&spec.weight) / 64.0,
                    exponent + shift as i32,
                    name,
                ),
            ),
            _ => continue,
        };
        if let Some(message) = message {
            warnings.push(Warning::new(format!("projections[{i}].{field}"), message));
        }
    }
}

/// What is lost if `weight` is rounded to a whole multiple of a quantum: a message if it is more than a hundredth.
fn coarseness(weight: f64, exponent: i32, (region, receptor): (&String, &str)) -> Option<String> {
    let quantum = libm::exp2(f64::from(exponent));
    let kept = (weight / quantum).round() * quantum;
    ((kept - weight).abs() > 0.01 * weight.abs()).then(|| {
        format!(
            "a weight of {weight:.4e} acts as {kept:.4e}: weights onto the receptor \"{receptor}\" of region \"{region}\" are \
             multiples of {quantum:.4e}, because others are so much larger"
        )
    })
}

/// The binary exponent of the unit in which weights up to `largest` fit 16 bits.
pub(super) fn narrow_exponent(largest: f64) -> i32 {
    if largest > 0.0 {
        libm::log2(largest / 32_767.0).ceil() as i32
    } else {
        0
    }
}
