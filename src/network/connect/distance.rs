//! `Distance`: the probability of a connection falls with the distance between the neurons.
//!
//! Targets are sorted into cells once, and a row visits the cells within the kernel's reach, beyond which the probability is
//! less than 2⁻³² and taken as 0. Within a cell no probability exceeds a bound q, that of the cell's nearest point. So
//! candidates are drawn with probability q, by skipping over the others, and a candidate is joined with probability
//! p/q: thinning. Skips carry over from cell to cell. With ε an exponential number of mean 1, the next candidate is the
//! one before which the sum of −ln(1 − q) over all targets passed reaches ε; one logarithm is paid per candidate, not per
//! cell or target.

use super::{Kernel, Lengths, Made, Request, Rows};
use crate::sim::rng::{Draws, Random};

/// 2³²: the smallest probability that is told from 0 is 1 in this many.
const UNIT: f64 = 4_294_967_296.0;
/// Pieces of the table of bounds, equally wide in the squared distance.
const PIECES: usize = 1024;
/// Targets per cell, roughly.
const PER_CELL: f64 = 8.0;
/// Cells are not smaller than the reach divided by this.
const CELLS_PER_REACH: f64 = 16.0;
/// What positions in single precision may add to the radius of a mask.
const SLACK: f64 = 1.0 + 1e-6;

impl Kernel {
    /// The probability at no distance.
    pub(super) fn peak(&self) -> f64 {
        match *self {
            Self::Gaussian { peak, .. } | Self::Exponential { peak, .. } => peak,
            Self::Mask { .. } => 1.0,
        }
    }

    /// The distance beyond which nothing is joined.
    fn reach(&self) -> f64 {
        let depth = libm::log((self.peak() * UNIT).max(1.0));
        let reach = match *self {
            Self::Gaussian { sigma_mm, .. } => sigma_mm * libm::sqrt(2.0 * depth),
            Self::Exponential { length_mm, .. } => length_mm * depth,
            Self::Mask { radius_mm } => radius_mm * SLACK,
        };
        reach.min(1e40)
    }

    /// The probability at a squared distance.
    fn probability(&self, squared: f64) -> f64 {
        match *self {
            Self::Gaussian { sigma_mm, peak } => {
                peak * libm::exp(-0.5 * (squared / sigma_mm / sigma_mm))
            }
            Self::Exponential { length_mm, peak } => {
                peak * libm::exp(-libm::sqrt(squared) / length_mm)
            }
            Self::Mask { .. } => 1.0,
        }
    }
}

/// The cells of one axis.
struct Axis {
    origin: f64,
    cells: usize,
    per_mm: f64,
    /// 0 if the axis does not repeat.
    period: f64,
}

impl Axis {
    /// The coordinate within the first period.
    fn fold(&self, x: f64) -> f64 {
        if self.period == 0.0 {
            return x;
        }
        let folded = x - self.period * libm::floor(x / self.period);
        if folded < self.period {
            folded.max(0.0)
        } else {
            0.0
        }
    }

    fn cell(&self, x: f64) -> usize {
        // Saturates at both ends.
        (((x - self.origin) * self.per_mm) as usize).min(self.cells - 1)
    }

    /// The first of the cells that hold everything within `reach` of `x`, and their number; they wrap around.
    fn within(&self, x: f64, reach: f64) -> (usize, usize) {
        if self.period == 0.0 {
            let first = self.cell(x - reach);
            return (first, self.cell(x + reach) - first + 1);
        }
        let around = libm::ceil(reach * self.per_mm).min(1e9) as usize;
        if 2 * around + 1 >= self.cells {
            (0, self.cells)
        } else {
            (self.cell(x) + self.cells - around, 2 * around + 1)
        }
    }

    /// The distance along the axis between two folded coordinates, to the nearest image.
    #[inline(always)]
    fn distance(&self, a: f64, b: f64) -> f64 {
        let apart = (a - b).abs();
        if self.period == 0.0 {
            apart
        } else {
            apart.min(self.period - apart)
        }
    }

    /// The square of the least distance along the axis from `x` to anything in `cell`, or less.
    fn least_squared(&self, x: f64, cell: usize) -> f64 {
        if self.cells == 1 {
            return 0.0;
        }
        let (start, end) = (
            self.origin + cell as f64 / self.per_mm,
            self.origin + (cell + 1) as f64 / self.per_mm,
        );
        let to = |x: f64| (start - x).max(x - end).max(0.0);
        let least = if self.period == 0.0 {
            to(x)
        } else {
            to(x).min(to(x - self.period)).min(to(x + self.period))
        };
        least * least
    }

    /// The cells within `reach` of `x`, each with its least squared distance.
    fn cells_near(&self, x: f64, reach: f64) -> Vec<(usize, f64)> {
        let (first, number) = self.within(x, reach);
        let cells = (first..first + number).map(|cell| cell % self.cells);
        cells
            .map(|cell| (cell, self.least_squared(x, cell)))
            .collect()
    }
}

struct Spatial {
    random: Random,
    kernel: Kernel,
    skips_own: bool,
    axes: [Axis; 3],
    /// Folded positions of the sources.
    sources: Vec<[f64; 3]>,
    /// Where each cell starts in `targets`, and where the last one ends.
    starts: Vec<u32>,
    /// Folded position and index of each target, by cell.
    targets: Vec<([f64; 3], u32)>,
    reach: f64,
    /// For each piece of squared distance the largest probability q in it, and −ln(1 − q).
    bounds: Vec<(f64, f64)>,
    pieces_per_squared_mm: f64,
}

impl Rows for Spatial {
    fn fill(&self, source: u32, targets: &mut Vec<u32>) {
        let at = self.sources[source as usize];
        let mut row = Row {
            space: self,
            source,
            at,
            draws: self.random.draws(source.into()),
            ahead: 0.0,
            targets,
        };
        row.ahead = row.draws.exponential();
        let [x, y, z] = &self.axes;
        // A little more than the reach, so that rounding cannot hide a target behind a cell's edge.
        let reach = self.reach * SLACK;
        let lines = x.cells_near(at[0], reach);
        let (rows, layers) = (y.cells_near(at[1], reach), z.cells_near(at[2], reach));
        for (k, to_k) in layers {
            for &(j, to_j) in &rows {
                for &(i, to_i) in &lines {
                    row.visit((k * y.cells + j) * x.cells + i, to_i + to_j + to_k);
                }
            }
        }
    }
}

/// A row that is being drawn.
struct Row<'a> {
    space: &'a Spatial,
    source: u32,
    at: [f64; 3],
    draws: Draws,
    /// What is left of ε.
    ahead: f64,
    targets: &'a mut Vec<u32>,
}

impl Row<'_> {
    /// Draws the targets in a cell, all of which are at least so far away.
    fn visit(&mut self, cell: usize, least_squared: f64) {
        let space = self.space;
        let (start, end) = (space.starts[cell], space.starts[cell + 1]);
        let piece = (least_squared * space.pieces_per_squared_mm) as usize;
        let Some(&(bound, rate)) = space.bounds.get(piece) else {
            return;
        };
        let mut left = &space.targets[start as usize..end as usize];
        if rate == f64::INFINITY {
            for target in left {
                self.consider(target, bound);
            }
            return;
        }
        while left.len() as f64 * rate > self.ahead {
            // Rounding must not lead past the end.
            let skip = ((self.ahead / rate) as usize).min(left.len() - 1);
            self.consider(&left[skip], bound);
            left = &left[skip + 1..];
            self.ahead = self.draws.exponential();
        }
        self.ahead -= left.len() as f64 * rate;
    }

    /// Joins a candidate, drawn with probability `bound`, so that it is joined with its own probability in all.
    fn consider(&mut self, (position, target): &([f64; 3], u32), bound: f64) {
        let space = self.space;
        let mut squared = 0.0;
        for ((axis, a), b) in space.axes.iter().zip(self.at).zip(position) {
            let apart = axis.distance(a, *b);
            squared += apart * apart;
        }
        let possible =
            squared <= space.reach * space.reach && !(space.skips_own && *target == self.source);
        if possible && self.draws_below(space.kernel.probability(squared) / bound) {
            self.targets.push(*target);
        }
    }

    fn draws_below(&mut self, p: f64) -> bool {
        p >= 1.0 || self.draws.unit() < p
    }
}

/// Each pair with a probability that depends on its distance.
pub(super) fn distance(
    request: &Request,
    random: Random,
    kernel: Kernel,
    period_mm: Option<[f64; 3]>,
) -> Made {
    let reach = kernel.reach();
    let axes = axes(
        request.target_positions,
        reach,
        period_mm.unwrap_or_default(),
    );
    let fold = |position: &[f32; 3]| {
        let mut folded = position.map(f64::from);
        for (x, axis) in folded.iter_mut().zip(&axes) {
            *x = axis.fold(*x);
        }
        folded
    };
    let cell_of = |p: &[f64; 3]| {
        let [x, y, z] = &axes;
        (z.cell(p[2]) * y.cells + y.cell(p[1])) * x.cells + x.cell(p[0])
    };
    let positions: Vec<_> = request.target_positions.iter().map(fold).collect();
    let mut targets: Vec<_> = positions.into_iter().zip(0u32..).collect();
    // Stable, so targets of one cell stay in the order of their indices.
    targets.sort_by_cached_key(|(position, _)| cell_of(position));
    let cells: usize = axes.iter().map(|axis| axis.cells).product();
    let mut starts = vec![0u32; cells + 1];
    for (position, _) in &targets {
        starts[cell_of(position) + 1] += 1;
    }
    for cell in 0..cells {
        starts[cell + 1] += starts[cell];
    }
    let width = reach * reach / PIECES as f64;
    let rows = Spatial {
        random,
        kernel,
        skips_own: request.skips_own(),
        sources: request.source_positions.iter().map(fold).collect(),
        axes,
        starts,
        targets,
        reach,
        bounds: (0..=PIECES)
            .map(|piece| {
                let q = kernel.probability(piece as f64 * width);
                (q, -libm::log1p(-q))
            })
            .collect(),
        pieces_per_squared_mm: 1.0 / width.max(f64::MIN_POSITIVE),
    };
    Made::new(rows, Lengths::Unknown, None)
}

/// Cells of a few targets each, but not much smaller than the reach.
fn axes(positions: &[[f32; 3]], reach: f64, periods: [f64; 3]) -> [Axis; 3] {
    let ends: [(f64, f64); 3] = core::array::from_fn(|axis| {
        if periods[axis] > 0.0 {
            return (0.0, periods[axis]);
        }
        let along = positions.iter().map(|position| f64::from(position[axis]));
        let start = along.clone().fold(f64::INFINITY, f64::min);
        let end = along.fold(f64::NEG_INFINITY, f64::max);
        if start <= end {
            (start, end)
        } else {
            (0.0, 0.0)
        }
    });
    let most = positions.len() as f64 / PER_CELL + 1.0;
    let mut edge = (reach / CELLS_PER_REACH).max(f64::from(f32::MIN_POSITIVE));
    let cells = |edge: f64| ends.map(|(start, end)| libm::floor((end - start) / edge).max(1.0));
    while cells(edge).iter().product::<f64>() > most {
        edge *= 1.25;
    }
    let cells = cells(edge);
    core::array::from_fn(|axis| {
        let (start, end) = ends[axis];
        let extent = end - start;
        Axis {
            origin: start,
            cells: cells[axis] as usize,
            per_mm: if extent > 0.0 {
                cells[axis] / extent
            } else {
                0.0
            },
            period: periods[axis],
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{positions, random, rows};
    use super::super::{Rule, plan};
    use super::*;

    /// The distance that [`Kernel`]s see, by definition.
    fn separation(a: &[f32; 3], b: &[f32; 3], periods: [f64; 3]) -> f64 {
        let squared = (0..3).map(|axis| {
            let apart = (f64::from(a[axis]) - f64::from(b[axis])).abs();
            let period = periods[axis];
            if period == 0.0 {
                return apart * apart;
            }
            let apart = apart % period;
            apart.min(period - apart).powi(2)
        });
        libm::sqrt(squared.sum())
    }

    #[test]
    fn a_mask_joins_exactly_what_lies_within_it() {
        let targets = positions(700);
        // Sources partly outside the targets' extent, and outside the first period.
        let sources: Vec<[f32; 3]> = positions(150)
            .iter()
            .map(|p| p.map(|x| 3.0 * x + 0.2))
            .collect();
        for radius_mm in [0.01, 0.1, 0.45, 3.0] {
            for periods in [[0.0; 3], [1.0, 1.0, 0.0], [0.0, 1.3, 0.0], [0.3, 0.01, 0.5]] {
                let rule = Rule::Distance {
                    kernel: Kernel::Mask { radius_mm },
                    period_mm: Some(periods),
                };
                let request = Request {
                    source_positions: &sources,
                    target_positions: &targets,
                    ..Request::new(&rule, 150, 700, random(1))
                };
                for (source, mut row) in sources.iter().zip(rows(&plan(&request).unwrap())) {
                    row.sort_unstable();
                    let within: Vec<u32> = (0..)
                        .zip(&targets)
                        .filter(|(_, target)| separation(source, target, periods) <= radius_mm)
                        .map(|(index, _)| index)
                        .collect();
                    assert_eq!(row, within, "{radius_mm} {periods:?}");
                }
            }
        }
    }

    #[test]
    fn a_mask_is_not_cut_short_by_single_precision() {
        let line: Vec<[f32; 3]> = (0..100).map(|i| [0.1 * i as f32, 0.0, 0.0]).collect();
        let rule = Rule::Distance {
            kernel: Kernel::Mask { radius_mm: 0.3 },
            period_mm: None,
        };
        let request = Request {
            source_positions: &line,
            target_positions: &line,
            ..Request::new(&rule, 100, 100, random(1))
        };
        assert!(
            rows(&plan(&request).unwrap())[3..97]
                .iter()
                .all(|row| row.len() == 7)
        );
    }

    #[test]
    fn distance_kernels_have_their_probabilities() {
        let places = positions(400);
        for kernel in [
            Kernel::Gaussian {
                sigma_mm: 0.15,
                peak: 0.8,
            },
            Kernel::Exponential {
                length_mm: 0.1,
                peak: 1.0,
            },
            Kernel::Gaussian {
                sigma_mm: 1e9,
                peak: 0.25,
            },
            Kernel::Gaussian {
                sigma_mm: 1e-200,
                peak: 0.5,
            },
        ] {
            for periods in [[0.0; 3], [1.0, 1.0, 0.0]] {
                let rule = Rule::Distance {
                    kernel,
                    period_mm: Some(periods),
                };
                let mut bins = [[0.0; 3]; 12];
                let bin = |d: f64| ((d * 12.0 / 1.5) as usize).min(11);
                for a in &places {
                    for b in &places {
                        let d = separation(a, b, periods);
                        let p = match kernel {
                            Kernel::Gaussian { sigma_mm, peak } => {
                                peak * libm::exp(-0.5 * (d / sigma_mm) * (d / sigma_mm))
                            }
                            Kernel::Exponential { length_mm, peak } => {
                                peak * libm::exp(-d / length_mm)
                            }
                            Kernel::Mask { .. } => 1.0,
                        };
                        bins[bin(d)][0] += p;
                        bins[bin(d)][1] += p * (1.0 - p);
                    }
                }
                let request = Request {
                    same_region: true,
                    source_positions: &places,
                    target_positions: &places,
                    ..Request::new(&rule, 400, 400, random(6))
                };
                for (source, row) in places.iter().zip(rows(&plan(&request).unwrap())) {
                    for target in row {
                        bins[bin(separation(source, &places[target as usize], periods))][2] += 1.0;
                    }
                }
                for [expected, variance, found] in bins {
                    let limit = 4.5 * libm::sqrt(variance) + 1e-6;
                    assert!(
                        (found - expected).abs() <= limit,
                        "{rule:?}: {found} for {expected}"
                    );
                }
            }
        }
    }

    /// On a sheet that repeats, the mean number of targets is the density times the integral of the kernel.
    #[test]
    fn gaussian_indegree_follows_from_the_integral() {
        let n = 4000;
        let places = positions(n);
        let (sigma_mm, peak) = (0.05, 0.9);
        let rule = Rule::Distance {
            kernel: Kernel::Gaussian { sigma_mm, peak },
            period_mm: Some([1.0, 1.0, 0.0]),
        };
        let request = Request {
            source_positions: &places,
            target_positions: &places,
            ..Request::new(&rule, n, n, random(8))
        };
        let mean = plan(&request).unwrap().len() as f64 / f64::from(n);
        let expected = f64::from(n) * peak * core::f64::consts::TAU * sigma_mm * sigma_mm + peak;
        // One neuron always lies at distance 0: itself, which the integral leaves out.
        assert!(
            (mean / expected - 1.0).abs() < 0.02,
            "{mean} for {expected}"
        );
    }
}
