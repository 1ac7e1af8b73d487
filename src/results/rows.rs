//! Where the regions and neurons of a raster go: a band per region, a row per neuron.
//!
//! A region gets height in proportion to its neurons, but never so little that its name does not fit while
//! there is room. Where there are more neurons than rows of two pixels, evenly spaced neurons are shown. If
//! few marks come out of that because the neurons fire rarely, rows move closer in all regions alike, until
//! a small part of the panel is covered.

use super::canvas::Area;
use std::ops::Range;

/// Least height of a row, and width of a mark, in pixels.
pub(super) const ROW: f32 = 2.0;
/// Greatest height of a mark in pixels.
const TALLEST_MARK: f32 = 16.0;
/// Part of the panel that marks should cover before rows stop moving closer.
const ENOUGH_COVERED: f64 = 0.03;
/// How many times closer rows may move.
const CLOSEST: f64 = 6.0;

/// One region's part of the panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Band {
    /// Where it is.
    pub area: Area,
    /// Neurons of the region.
    pub neurons: u32,
    /// Neurons that have a row.
    pub rows: u32,
    /// Positions of the spikes in the time span of the figure, shown or not.
    pub spikes: Range<usize>,
}

/// Shares `panel` out among regions, given by their neurons and spikes.
///
/// `name` is the height that a region's name needs; `scale` is the size of a pixel of the design.
pub(super) fn bands(
    regions: impl Iterator<Item = (u32, Range<usize>)>,
    panel: Area,
    name: f32,
    scale: f32,
) -> Vec<Band> {
    let row = (ROW * scale).round().max(1.0);
    let regions: Vec<_> = regions.collect();
    let neurons: Vec<u32> = regions.iter().map(|(neurons, _)| *neurons).collect();
    let mut top = panel.top;
    let mut bands = Vec::with_capacity(regions.len());
    for ((neurons, spikes), height) in regions.into_iter().zip(heights(&neurons, panel, name)) {
        let bottom = top + height;
        bands.push(Band {
            area: Area {
                top,
                bottom,
                ..panel
            },
            neurons,
            rows: neurons.min((height / row).max(1.0) as u32),
            spikes,
        });
        top = bottom;
    }

    // How much the marks would cover, if the neurons shown fire as the others do.
    let marks: f64 = (bands.iter())
        .map(|band| {
            let shown = f64::from(band.rows) / f64::from(band.neurons.max(1));
            band.spikes.len() as f64 * shown
        })
        .sum();
    let size = f64::from(panel.width() * panel.height()).max(1.0);
    let covered = marks * f64::from(row * row) / size;
    let closer = (ENOUGH_COVERED / covered.max(1e-9)).clamp(1.0, CLOSEST);
    for band in &mut bands {
        band.rows = band.neurons.min((f64::from(band.rows) * closer) as u32);
    }
    bands
}

/// Heights in proportion to the neurons, none below `least` or, if that is smaller, an equal share.
fn heights(neurons: &[u32], panel: Area, least: f32) -> Vec<f32> {
    let least = least.min(panel.height() / neurons.len().max(1) as f32);
    // Who would get less than `least` gets that; the rest is shared out among the others, until it fits.
    let mut small = vec![false; neurons.len()];
    loop {
        let taken = least * small.iter().filter(|&&small| small).count() as f32;
        let others: u64 = (neurons.iter().zip(&small))
            .map(|(&neurons, &small)| if small { 0 } else { u64::from(neurons) })
            .sum();
        let share = (panel.height() - taken) / others.max(1) as f32;
        let mut fits = true;
        for (&neurons, small) in neurons.iter().zip(&mut small) {
            if !*small && (neurons as f32 * share) < least {
                (*small, fits) = (true, false);
            }
        }
        if fits {
            let height = |(&neurons, &small): (&u32, &bool)| match small {
                true => least,
                false => neurons as f32 * share,
            };
            return neurons.iter().zip(&small).map(height).collect();
        }
    }
}

impl Band {
    /// The row of each neuron, or None for those that have none: evenly spaced, equal in every picture.
    pub fn row_of_neuron(&self) -> Vec<Option<u32>> {
        let mut row_of = vec![None; self.neurons as usize];
        let (neurons, rows) = (u64::from(self.neurons), u64::from(self.rows));
        for row in 0..self.rows {
            let neuron = (2 * u64::from(row) + 1) * neurons / (2 * rows);
            row_of[neuron as usize] = Some(row);
        }
        row_of
    }

    /// Upper and lower edge of the marks in each row.
    ///
    /// Marks lie on whole pixels, so that all look alike. Low rows are filled to their edges, since a gap of
    /// one pixel here and there would look like a silent neuron.
    pub fn mark_edges(&self, scale: f32) -> Vec<(f32, f32)> {
        let row_height = self.area.height() / self.rows.max(1) as f32;
        let least = (ROW * scale).round().max(1.0);
        let inset = match row_height {
            height if height < 3.0 => 0.0,
            height => (0.1 * height)
                .max(0.5)
                .max((height - TALLEST_MARK * scale) / 2.0),
        };
        (0..self.rows)
            .map(|row| {
                let top = self.area.top + row as f32 * row_height;
                let bottom = (top + row_height - inset).round();
                let top = (top + inset).round();
                (top, bottom.max(top + least))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel() -> Area {
        Area {
            left: 0.0,
            top: 100.0,
            right: 1000.0,
            bottom: 700.0,
        }
    }

    fn bands_of(regions: &[(u32, usize)]) -> Vec<Band> {
        let regions = regions
            .iter()
            .map(|&(neurons, spikes)| (neurons, 0..spikes));
        bands(regions, panel(), 25.0, 1.0)
    }

    #[test]
    fn bands_fill_the_panel_in_proportion() {
        let bands = bands_of(&[(300, 100_000), (100, 100_000)]);
        assert_eq!((bands[0].area.top, bands[0].area.bottom), (100.0, 550.0));
        assert_eq!((bands[1].area.top, bands[1].area.bottom), (550.0, 700.0));
    }

    #[test]
    fn small_regions_get_room_for_a_name() {
        let heights = heights(&[20_000, 1, 0, 10_000], panel(), 25.0);
        assert_eq!(heights[1..3], [25.0, 25.0]);
        assert!((heights[0] / heights[3] - 2.0).abs() < 1e-4);
        assert!((heights.iter().sum::<f32>() - 600.0).abs() < 1e-3);
        // Too many for their names: equal shares.
        let heights = super::heights(&[1; 100], panel(), 25.0);
        assert!(heights.iter().all(|height| (height - 6.0).abs() < 1e-4));
        assert!(super::heights(&[], panel(), 25.0).is_empty());
        assert_eq!(super::heights(&[0], panel(), 25.0), [25.0]);
    }

    #[test]
    fn every_neuron_has_a_row_while_there_is_room() {
        let bands = bands_of(&[(100, 1_000_000), (10_000, 1_000_000)]);
        let rows = bands[1].area.height() / ROW;
        assert_eq!(bands[1].rows, rows as u32);
        let few = bands_of(&[(5, 10)]);
        assert_eq!(few[0].rows, 5);
        let rows = few[0].row_of_neuron();
        assert_eq!(rows, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn rare_firing_brings_rows_closer_in_all_regions() {
        let busy = bands_of(&[(10_000, 100_000), (10_000, 1_000_000)]);
        let rare = bands_of(&[(10_000, 100), (10_000, 1000)]);
        assert_eq!((busy[0].rows, busy[1].rows), (150, 150));
        assert_eq!((rare[0].rows, rare[1].rows), (900, 900));
    }

    #[test]
    fn shown_neurons_are_evenly_spaced() {
        let band = &bands_of(&[(2400, 1_000_000)])[0];
        let shown: Vec<usize> = (band.row_of_neuron().iter().enumerate())
            .filter_map(|(neuron, row)| row.map(|_| neuron))
            .collect();
        assert_eq!(shown.len(), 300);
        assert!(shown.windows(2).all(|pair| pair[1] - pair[0] == 8));
        assert_eq!(shown[0], 4);
    }

    #[test]
    fn marks_of_low_rows_leave_no_gaps_and_those_of_high_rows_do() {
        let mut band = bands_of(&[(10_000, 1_000_000)])[0].clone();
        band.area.bottom = 699.0;
        band.rows = 290;
        let edges = band.mark_edges(1.0);
        assert!(edges.windows(2).all(|pair| pair[0].1 >= pair[1].0));
        for rows in [1, 7, 40, 120] {
            band.rows = rows;
            let edges = band.mark_edges(1.0);
            assert!(
                edges
                    .iter()
                    .all(|(top, bottom)| bottom - top >= ROW && bottom - top <= 18.0)
            );
            assert!(
                edges.windows(2).all(|pair| pair[0].1 < pair[1].0),
                "{rows} {edges:?}"
            );
        }
    }
}
