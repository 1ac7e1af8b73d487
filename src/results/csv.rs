//! Comma-separated values: spikes, traces and rates out; columns of numbers in by [`read_columns`].
//!
//! `spikes.csv` has the header `time_ms,region,neuron` and one row per spike, sorted by time, then region in
//! the order of the scene, then neuron. Times have exactly the decimals that dt needs (0.1 → one, 0.05 →
//! two, 0.3125 → four, never less than one; six if dt has no short decimal form), made from whole steps,
//! so they carry no rounding noise and equal runs give equal files.

pub use super::table::{CsvError, Table, read_columns, read_present_columns};

use super::{RateTrace, Recording, Trace};
use crate::files::whole::{FileError, write_whole};
use std::io::{self, Write};
use std::path::Path;

/// Bytes gathered before they are handed on.
const CHUNK: usize = 1 << 16;
/// Most decimals that a time is written with.
const MOST_DECIMALS: u32 = 12;
/// Decimals of a time whose dt has no short decimal form.
const USUAL_DECIMALS: u32 = 6;

/// Writes the spikes of a recording as `time_ms,region,neuron`.
pub fn write_spikes(path: impl AsRef<Path>, recording: &Recording) -> Result<(), FileError> {
    write_whole(path, |out| spikes_to(out, recording))
}

/// Writes a trace as one row per sample: `time_ms`, then one column per neuron, such as `v_12`.
pub fn write_trace(path: impl AsRef<Path>, trace: &Trace) -> Result<(), FileError> {
    let names: Vec<_> = (trace.neurons.iter())
        .map(|neuron| format!("{}_{neuron}", trace.column))
        .collect();
    write_samples(
        path,
        &names,
        trace.start_ms,
        trace.interval_ms,
        trace.values,
    )
}

/// Writes samples as one row each: `time_ms`, then the columns of these names. `values` holds them row by row.
pub fn write_samples(
    path: impl AsRef<Path>,
    names: &[String],
    start_ms: f64,
    interval_ms: f64,
    values: &[f32],
) -> Result<(), FileError> {
    write_whole(path, |out| {
        header_to(out, names.iter().map(String::as_str))?;
        for (sample, values) in values.chunks_exact(names.len().max(1)).enumerate() {
            let time = start_ms + sample as f64 * interval_ms;
            row_to(out, time, values.iter().copied())?;
        }
        Ok(())
    })
}

/// Writes population rates as one row per bin: `time_ms` of its start, then one column per region, in Hz.
///
/// The bins of all traces must be those of the first; a shorter one ends the table.
pub fn write_rates(path: impl AsRef<Path>, rates: &[RateTrace]) -> Result<(), FileError> {
    write_whole(path, |out| {
        header_to(out, rates.iter().map(|rate| rate.region.as_str()))?;
        let bins = rates
            .iter()
            .map(|rate| rate.values.len())
            .min()
            .unwrap_or(0);
        for bin in 0..bins {
            let time = rates[0].start_ms + bin as f64 * rates[0].bin_ms;
            row_to(out, time, rates.iter().map(|rate| rate.values[bin]))?;
        }
        Ok(())
    })
}

/// How times are written: as whole multiples of 10^-decimals ms.
pub(super) struct TimeFormat {
    dt_ms: f64,
    decimals: u32,
    /// dt in units of the last decimal, if that is a whole number.
    unit: Option<u64>,
}

impl TimeFormat {
    pub(super) fn new(dt_ms: f64) -> Self {
        for decimals in 1..=MOST_DECIMALS {
            let scaled = dt_ms * 10_f64.powi(decimals as i32);
            let whole = scaled.round();
            if (1.0..1e18).contains(&whole) && (scaled - whole).abs() <= 1e-14 * scaled {
                return Self {
                    dt_ms,
                    decimals,
                    unit: Some(whole as u64),
                };
            }
        }
        Self {
            dt_ms,
            decimals: USUAL_DECIMALS,
            unit: None,
        }
    }

    /// The time of a spike detected in `step`: the number nearest to the decimals, so 0.3 and not 3 × 0.1.
    pub(super) fn value(&self, step: u64) -> f64 {
        let steps = step.saturating_add(1);
        match self.unit {
            Some(unit) => {
                let time = u128::from(steps) * u128::from(unit);
                time as f64 / 10_f64.powi(self.decimals as i32)
            }
            None => steps as f64 * self.dt_ms,
        }
    }

    /// The time of a spike detected in `step`, in digits.
    fn write(&self, step: u64, to: &mut Vec<u8>) {
        let steps = step.saturating_add(1);
        let time = match self.unit {
            Some(unit) => u128::from(steps) * u128::from(unit),
            None => (steps as f64 * self.dt_ms * 10_f64.powi(self.decimals as i32)).round() as u128,
        };
        let one = 10_u128.pow(self.decimals);
        push_number(to, (time / one) as u64);
        to.push(b'.');
        let mut fraction = (time % one) as u64;
        let start = to.len();
        to.resize(start + self.decimals as usize, b'0');
        for digit in to[start..].iter_mut().rev() {
            *digit = b'0' + (fraction % 10) as u8;
            fraction /= 10;
        }
    }
}

/// Appends the decimal digits of a number.
fn push_number(to: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    to.extend_from_slice(&digits[at..]);
}

/// A name as a cell: in quotes where it needs them.
pub fn cell(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r', '#']) || name.trim() != name {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

fn spikes_to(out: &mut dyn Write, recording: &Recording) -> io::Result<()> {
    let format = TimeFormat::new(recording.dt_ms);
    let regions: Vec<_> = (recording.trains.iter())
        .map(|train| format!(",{},", cell(train.region)))
        .collect();
    let mut chunk = Vec::with_capacity(2 * CHUNK);
    let mut row = Vec::new();
    let mut last_step = None;
    chunk.extend_from_slice(b"time_ms,region,neuron\n");
    recording.try_visit_steps(recording.window(), |step, train, ids| {
        if last_step != Some((step, train)) {
            last_step = Some((step, train));
            row.clear();
            format.write(step, &mut row);
            row.extend_from_slice(regions[train].as_bytes());
        }
        for &id in ids {
            chunk.extend_from_slice(&row);
            push_number(&mut chunk, u64::from(id));
            chunk.push(b'\n');
            if chunk.len() >= CHUNK {
                out.write_all(&chunk)?;
                chunk.clear();
            }
        }
        Ok::<(), io::Error>(())
    })?;
    out.write_all(&chunk)
}

fn header_to<'a>(out: &mut dyn Write, names: impl Iterator<Item = &'a str>) -> io::Result<()> {
    write!(out, "time_ms")?;
    for name in names {
        write!(out, ",{}", cell(name))?;
    }
    writeln!(out)
}

/// A time is written to the nearest nanosecond without trailing zeros.
fn row_to(out: &mut dyn Write, time: f64, values: impl Iterator<Item = f32>) -> io::Result<()> {
    write!(out, "{:?}", (time * 1e6).round() / 1e6)?;
    for value in values {
        write!(out, ",{value}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::super::SpikeTrain;
    use super::*;
    use crate::files::whole::TestFolder;

    fn text_of(recording: &Recording) -> String {
        let mut text = Vec::new();
        spikes_to(&mut text, recording).unwrap();
        String::from_utf8(text).unwrap()
    }

    fn one_train(dt_ms: f64, steps: &[u64]) -> String {
        let text = text_of(&Recording {
            dt_ms,
            start_step: 0,
            end_step: u64::MAX,
            trains: vec![SpikeTrain {
                region: "E",
                neurons: 1,
                steps,
                ids: &vec![0; steps.len()],
            }],
        });
        let times = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(','))
            .map(|row| row.0);
        times.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn times_have_exactly_the_decimals_that_dt_needs() {
        assert_eq!(one_train(0.1, &[0, 2, 9, 12_345]), "0.1 0.3 1.0 1234.6");
        assert_eq!(one_train(1.0, &[0, 9]), "1.0 10.0");
        assert_eq!(one_train(2.0, &[0, 9]), "2.0 20.0");
        assert_eq!(one_train(0.05, &[0, 1, 20]), "0.05 0.10 1.05");
        assert_eq!(one_train(0.3125, &[0, 31]), "0.3125 10.0000");
        assert_eq!(one_train(0.01, &[6]), "0.07");
        assert_eq!(one_train(1.0 / 1024.0, &[1023]), "1.0000000000");
        assert_eq!(
            one_train(1.0 / 3.0, &[0, 2, 2_999_999]),
            "0.333333 1.000000 1000000.000000"
        );
        assert_eq!(one_train(0.1, &[u64::MAX / 4]), "461168601842738790.4");
    }

    #[test]
    fn every_time_reads_back_as_the_nearest_number() {
        for dt in [0.1, 0.05, 0.3125, 0.7, 0.001] {
            let format = TimeFormat::new(dt);
            let steps: Vec<u64> = (0..3000).map(|i| i * 17).collect();
            for (text, step) in one_train(dt, &steps).split(' ').zip(steps) {
                let time: f64 = text.parse().unwrap();
                assert!((time - (step + 1) as f64 * dt).abs() < 1e-9);
                assert_eq!(time, format.value(step));
            }
        }
    }

    #[test]
    fn spikes_are_sorted_by_time_region_and_neuron() {
        let text = text_of(&Recording {
            dt_ms: 0.5,
            start_step: 0,
            end_step: 10,
            trains: vec![
                SpikeTrain {
                    region: "E",
                    neurons: 4_294_967_295,
                    steps: &[0, 3, 3, 3],
                    ids: &[8, 50, 2, 4_294_967_294],
                },
                SpikeTrain {
                    region: "a, \"b\"",
                    neurons: 9,
                    steps: &[1, 3],
                    ids: &[1, 0],
                },
            ],
        });
        let expected = "time_ms,region,neuron\n\
            0.5,E,8\n\
            1.0,\"a, \"\"b\"\"\",1\n\
            2.0,E,2\n2.0,E,50\n2.0,E,4294967294\n\
            2.0,\"a, \"\"b\"\"\",0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn spikes_read_back_from_their_file() {
        let folder = TestFolder::new("csvspikes");
        let path = folder.path("spikes.csv");
        // More than one chunk of text.
        let steps: Vec<u64> = (0..20_000).collect();
        let ids: Vec<u32> = (0..20_000).map(|i| i % 77).collect();
        let recording = Recording {
            dt_ms: 0.1,
            start_step: 0,
            end_step: 20_000,
            trains: vec![SpikeTrain {
                region: "E",
                neurons: 77,
                steps: &steps,
                ids: &ids,
            }],
        };
        write_spikes(&path, &recording).unwrap();
        let columns = read_columns(&path, &["neuron", "time_ms"], &[]).unwrap();
        assert_eq!(columns[0].len(), 20_000);
        assert!(
            columns[0]
                .iter()
                .zip(&ids)
                .all(|(&a, &b)| a == f64::from(b))
        );
        let times = columns[1].iter().zip(&steps);
        assert!(
            times
                .into_iter()
                .all(|(&time, &step)| (time - (step + 1) as f64 * 0.1).abs() < 1e-9)
        );
    }

    #[test]
    fn traces_and_rates_are_tables_over_time() {
        let folder = TestFolder::new("csvtraces");
        let path = folder.path("v.csv");
        let trace = Trace {
            region: "E",
            column: "v",
            unit: "mV",
            neurons: &[3, 7],
            interval_ms: 0.1,
            start_ms: 0.1,
            values: &[-70.0, -69.5, -68.25, 1e-7, 0.0, 1.0],
        };
        write_trace(&path, &trace).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "time_ms,v_3,v_7\n0.1,-70,-69.5\n0.2,-68.25,0.0000001\n0.3,0,1\n"
        );

        let rate = |region: &str, values| RateTrace {
            region: region.into(),
            start_ms: 200.0,
            bin_ms: 5.0,
            values,
        };
        write_rates(
            &path,
            &[rate("E", vec![1.5, 2.0]), rate("I", vec![0.0, 3.0])],
        )
        .unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "time_ms,E,I\n200.0,1.5,0\n205.0,2,3\n");
        write_rates(&path, &[]).unwrap();
    }
}
