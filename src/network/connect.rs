//! Connection rules: which neurons of one region reach which neurons of another.
//!
//! A [`Rule`] is the recipe, kept for saving; a [`Plan`] is the rule applied to a number of sources and targets. A plan gives
//! the targets of any one source at any time, on any thread, always the same ones: connectivity is a function of the
//! projection's [`Random`] and is never stored where it can be regenerated.
//!
//! | rule (NEST, PyNN) | joins | rows come from |
//! |---|---|---|
//! | `AllToAll` (all_to_all) | every source with every target | the index |
//! | `OneToOne` (one_to_one) | equal indices | the index |
//! | `AllButOwn` | all but equal indices (lateral inhibition) | the index |
//! | `FixedIndegree` (fixed_indegree, FixedNumberPre) | each target with k random sources | 4 bytes per synapse |
//! | `FixedOutdegree` (fixed_outdegree, FixedNumberPost) | each source with k random targets | random words |
//! | `FixedTotalNumber` (fixed_total_number) | n random pairs | random words, a count per source |
//! | `PairwiseBernoulli` (pairwise_bernoulli, FixedProbability) | each pair with probability p | random words, a count per source |
//! | `Distance` (spatial, DistanceDependent) | each pair with a probability that falls with distance | random words, a count per source |
//! | `SmallWorld` (SmallWorld) | the ring of Watts & Strogatz (1998, doi:10.1038/30918), directed | random words |
//! | `Pairs`, `List`, `ListFile` (FromList, FromFile) | the pairs of a list | the list |
//! | `Not`, `And`, `Or` | sets of pairs, combined | the operands' rows |
//!
//! # Switches
//!
//! *Autapses* join a neuron with itself and can only arise within one region; *multapses* are several synapses for
//! one pair. Both are allowed unless a request says otherwise. A rule that cannot be satisfied without them is an error; what
//! is drawn without them is drawn exactly, every allowed outcome being equally likely. `OneToOne` within one region
//! consists of autapses and is an error if they are off.
//!
//! The set rules see each operand as a set of pairs. Operands are drawn without multapses, so `FixedIndegree(10)` is
//! ten *different* sources there; the result lacks autapses if they are off; weights in lists are refused.
//!
//! # Uniformity
//!
//! A random index below n ≤ 2²⁰ is the high half of a 32-bit word times n: the probabilities of two indices differ by at
//! most a fraction n/2³², 2⁻¹² in the worst case and 5·10⁻⁶ for 20,000 neurons. Above that, 64-bit words are used.

mod algebra;
mod check;
mod counted;
mod distance;
mod draw;
mod error;
mod estimate;
mod indegree;
mod list;
mod parallel;
mod probability;
mod small_world;
mod whole;
pub mod words;

pub use counted::count_for_probability;
pub use error::ConnectError;
pub use estimate::{Estimate, estimate, indegree_bound};
pub use list::parse_entries;
pub use words::Words;

use crate::sim::rng::Random;
use bevy::reflect::Reflect;
use parallel::Progress;

/// A connection rule. See the [module](self) for what each joins.
#[derive(Reflect, Clone, Debug, PartialEq)]
#[reflect(no_field_bounds)]
pub enum Rule {
    /// Every source with every target.
    AllToAll,
    /// Each source with the target of the same index; needs as many sources as targets.
    OneToOne,
    /// Each source with every target but the one of the same index; needs as many sources as targets.
    AllButOwn,
    /// Each target with this many random sources.
    FixedIndegree(u32),
    /// Each source with this many random targets.
    FixedOutdegree(u32),
    /// This many random pairs in all. See [`count_for_probability`].
    FixedTotalNumber(u64),
    /// Each pair with this probability, at most once.
    PairwiseBernoulli(f64),
    /// Each pair, at most once, with a probability that depends on the distance between the two neurons.
    Distance {
        /// The probability.
        kernel: Kernel,
        /// The lengths after which space repeats along x, y and z; 0 for an axis that does not. The nearest image counts.
        #[reflect(default)]
        period_mm: Option<[f64; 3]>,
    },
    /// Each neuron with its neighbours on a ring by index, some of them rewired. Never joins equal indices, nor a pair twice.
    SmallWorld {
        /// Targets of each source, half of them on either side: even, at most half the neurons.
        neighbours: u32,
        /// The probability with which a connection goes to a random other target instead.
        rewire: f64,
    },
    /// These pairs of source and target.
    Pairs(Vec<(u32, u32)>),
    /// The pairs of these entries, with weights and delays where an entry has them.
    List(Vec<ListEntry>),
    /// The entries of a table in a file; see [`parse_entries`] for its form and [`Rule::read_files`].
    ListFile(String),
    /// The pairs that belong to none of these rules.
    Not(Vec<Rule>),
    /// The pairs that belong to all of these rules.
    And(Vec<Rule>),
    /// The pairs that belong to at least one of these rules.
    Or(Vec<Rule>),
}

/// One line of a connection list.
#[derive(Reflect, Clone, Debug, Default, PartialEq)]
pub struct ListEntry {
    /// Index of the source.
    pub source: u32,
    /// Index of the target.
    pub target: u32,
    /// Weight in the projection's unit; if absent, the projection's.
    #[reflect(default)]
    pub weight: Option<f64>,
    /// Delay in ms; if absent, the projection's.
    #[reflect(default)]
    pub delay_ms: Option<f64>,
}

/// How the probability of a connection falls with the distance d.
#[derive(Reflect, Clone, Copy, Debug, PartialEq)]
pub enum Kernel {
    /// peak · exp(−d²/2σ²)
    Gaussian {
        /// σ, more than 0.
        sigma_mm: f64,
        /// The probability at no distance, from 0 to 1.
        peak: f64,
    },
    /// peak · exp(−d/length)
    Exponential {
        /// The length, more than 0.
        length_mm: f64,
        /// The probability at no distance, from 0 to 1.
        peak: f64,
    },
    /// Every pair up to a radius (a millionth more is let pass, since positions are kept in single precision).
    Mask {
        /// The radius, more than 0.
        radius_mm: f64,
    },
}

impl Rule {
    /// The variant's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AllToAll => "AllToAll",
            Self::OneToOne => "OneToOne",
            Self::AllButOwn => "AllButOwn",
            Self::FixedIndegree(_) => "FixedIndegree",
            Self::FixedOutdegree(_) => "FixedOutdegree",
            Self::FixedTotalNumber(_) => "FixedTotalNumber",
            Self::PairwiseBernoulli(_) => "PairwiseBernoulli",
            Self::Distance { .. } => "Distance",
            Self::SmallWorld { .. } => "SmallWorld",
            Self::Pairs(_) => "Pairs",
            Self::List(_) => "List",
            Self::ListFile(_) => "ListFile",
            Self::Not(_) => "Not",
            Self::And(_) => "And",
            Self::Or(_) => "Or",
        }
    }

    /// Whether the rule, or one inside it, depends on positions.
    pub fn needs_positions(&self) -> bool {
        match self {
            Self::Distance { .. } => true,
            Self::Not(rules) | Self::And(rules) | Self::Or(rules) => {
                rules.iter().any(Self::needs_positions)
            }
            _ => false,
        }
    }

    /// The rule with every [`ListFile`](Self::ListFile) replaced by what `read` makes of its path.
    ///
    /// # Errors
    /// What `read` says, with the path.
    pub fn read_files(
        &self,
        read: &mut dyn FnMut(&str) -> Result<Vec<ListEntry>, String>,
    ) -> Result<Self, ConnectError> {
        let mut all = |rules: &[Self]| -> Result<Vec<Self>, ConnectError> {
            rules.iter().map(|rule| rule.read_files(read)).collect()
        };
        Ok(match self {
            Self::ListFile(path) => match read(path) {
                Ok(entries) => Self::List(entries),
                Err(message) => {
                    return Err(ConnectError::File {
                        path: path.clone(),
                        message,
                    });
                }
            },
            Self::Not(rules) => Self::Not(all(rules)?),
            Self::And(rules) => Self::And(all(rules)?),
            Self::Or(rules) => Self::Or(all(rules)?),
            other => other.clone(),
        })
    }
}

/// A rule and what it is applied to.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Neurons of the source region.
    pub sources: u32,
    /// Neurons of the target region.
    pub targets: u32,
    /// Whether both are the same region, so that equal indices are one neuron.
    pub same_region: bool,
    /// Whether a neuron may reach itself.
    pub autapses: bool,
    /// Whether a pair may get several synapses.
    pub multapses: bool,
    /// Positions of the sources in mm; may be empty unless [`Rule::needs_positions`].
    pub source_positions: &'a [[f32; 3]],
    /// Positions of the targets in mm, likewise.
    pub target_positions: &'a [[f32; 3]],
    /// The projection's random function, for [`Purpose::Connect`](crate::sim::rng::Purpose::Connect).
    pub random: Random,
    /// Threads that planning may use; the plan does not depend on it.
    pub threads: usize,
    /// Hears the fraction done, from 0 to 1, from any of the threads.
    pub progress: &'a (dyn Fn(f32) + Sync),
}

impl<'a> Request<'a> {
    /// A request between two different regions without positions, on one thread, with autapses and multapses allowed.
    pub fn new(rule: &'a Rule, sources: u32, targets: u32, random: Random) -> Self {
        Self {
            rule,
            sources,
            targets,
            same_region: false,
            autapses: true,
            multapses: true,
            source_positions: &[],
            target_positions: &[],
            random,
            threads: 1,
            progress: &|_| {},
        }
    }

    /// Whether pairs of equal indices must be left out.
    fn skips_own(&self) -> bool {
        self.same_region && !self.autapses
    }
}

/// The rows of a rule: the targets of any source, on demand.
trait Rows: Send + Sync {
    /// Appends the targets of `source`.
    fn fill(&self, source: u32, targets: &mut Vec<u32>);
}

/// How many targets each source has.
enum Lengths {
    /// All the same.
    Same(u32),
    /// One number per source.
    Each(Vec<u32>),
    /// Not known without filling the rows.
    Unknown,
}

/// What one rule gives: its rows and what it knows of their sizes.
struct Made {
    rows: Box<dyn Rows>,
    lengths: Lengths,
    /// The most synapses of one target, where that is known.
    indegree: Option<u32>,
    /// Weights and delays of a list.
    extras: Option<list::Extras>,
}

impl Made {
    fn new(rows: impl Rows + 'static, lengths: Lengths, indegree: Option<u32>) -> Self {
        Self {
            rows: Box::new(rows),
            lengths,
            indegree,
            extras: None,
        }
    }
}

/// A rule applied to sources and targets. All methods may be called from any thread.
pub struct Plan {
    made: Made,
    sources: u32,
    total: u64,
    indegree: u32,
}

/// Plans the synapses of `request`.
///
/// # Errors
/// When the rule cannot be applied; the message names the rule, the value, the allowed range and the fix.
pub fn plan(request: &Request) -> Result<Plan, ConnectError> {
    check(request)?;
    let mut made = make(request, request.rule, &mut 0)?;
    if let Lengths::Unknown = made.lengths {
        let (lengths, indegree) = parallel::count_rows(request, &*made.rows);
        made.lengths = Lengths::Each(lengths);
        made.indegree = Some(indegree);
    }
    let total = match &made.lengths {
        Lengths::Same(length) => u64::from(*length) * u64::from(request.sources),
        Lengths::Each(lengths) => lengths.iter().map(|&length| u64::from(length)).sum(),
        Lengths::Unknown => 0,
    };
    let indegree = made.indegree.unwrap_or_else(|| {
        let bound = indegree_bound(request.rule, request.sources, request.targets);
        if request.multapses {
            bound
        } else {
            bound.min(request.sources)
        }
    });
    (request.progress)(1.0);
    Ok(Plan {
        indegree: u32::try_from(total).unwrap_or(u32::MAX).min(indegree),
        made,
        sources: request.sources,
        total,
    })
}

/// Checks that `request` can be planned, without doing so.
///
/// # Errors
/// Those of [`plan`], except for running out of memory.
pub fn check(request: &Request) -> Result<(), ConnectError> {
    check::check(request)
}

/// Makes the rows of `rule`, which has been checked. `node` counts the rules of an expression, so that each gets random
/// numbers of its own.
fn make(request: &Request, rule: &Rule, node: &mut u64) -> Result<Made, ConnectError> {
    let random = draw::child(&request.random, *node);
    *node += 1;
    Ok(match rule {
        Rule::AllToAll => whole::all_to_all(request),
        Rule::OneToOne => whole::one_to_one(request),
        Rule::AllButOwn => whole::all_but_own(request),
        Rule::FixedIndegree(k) => indegree::fixed_indegree(request, random, *k)?,
        Rule::FixedOutdegree(k) => counted::fixed_outdegree(request, random, *k),
        Rule::FixedTotalNumber(n) => counted::fixed_total_number(request, random, *n),
        Rule::PairwiseBernoulli(p) => probability::pairwise_bernoulli(request, random, *p),
        Rule::Distance { kernel, period_mm } => {
            distance::distance(request, random, *kernel, *period_mm)
        }
        Rule::SmallWorld { neighbours, rewire } => {
            small_world::small_world(request, random, *neighbours, *rewire)
        }
        Rule::Pairs(pairs) => list::pairs(request, pairs),
        Rule::List(entries) => list::entries(request, entries),
        Rule::ListFile(path) => return Err(ConnectError::FileNotRead { path: path.clone() }),
        Rule::Not(rules) => algebra::combine(request, algebra::Set::Not, rules, node)?,
        Rule::And(rules) => algebra::combine(request, algebra::Set::And, rules, node)?,
        Rule::Or(rules) => algebra::combine(request, algebra::Set::Or, rules, node)?,
    })
}

impl core::fmt::Debug for Plan {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Plan")
            .field("sources", &self.sources)
            .field("synapses", &self.total)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// The number of synapses.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether there are no synapses.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The number of sources, that is, of rows.
    pub fn sources(&self) -> u32 {
        self.sources
    }

    /// The number of targets of `source`, multapses counted; 0 beyond the last source.
    pub fn row_len(&self, source: u32) -> u32 {
        match &self.made.lengths {
            Lengths::Same(length) if source < self.sources => *length,
            Lengths::Each(lengths) => lengths.get(source as usize).copied().unwrap_or(0),
            _ => 0,
        }
    }

    /// Appends the [`row_len`](Self::row_len) targets of `source` to `targets`, always in the same order.
    pub fn fill_row(&self, source: u32, targets: &mut Vec<u32>) {
        if self.row_len(source) > 0 {
            self.made.rows.fill(source, targets);
        }
    }

    /// The weight and the delay in ms that a list gives to the synapse at position `place` of the row of `source`.
    pub fn list_weight_delay(&self, source: u32, place: u32) -> (Option<f64>, Option<f64>) {
        match &self.made.extras {
            Some(extras) if place < self.row_len(source) => extras.at(source, place),
            _ => (None, None),
        }
    }

    /// The most synapses that one target gets: exact where the rule or a count tells, else [`indegree_bound`].
    pub fn max_indegree_bound(&self) -> u32 {
        self.indegree
    }
}

#[cfg(test)]
mod tests;
