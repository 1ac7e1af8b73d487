//! `run.json` and the table that a terminal shows: what ran, on what, how fast, and what came out.
//!
//! [`RunReport`] serialises to one JSON object in the order of its fields. Everything that is the same for
//! equal runs (scene, parameters, seed, network, statistics, spike hash) can be compared between machines;
//! `machine`, `threads`, `timings` and `peak_memory_bytes` cannot.

use super::quantities::{bytes, counted, duration, figures, grouped, seconds};
use super::statistics::{RegionStatistics, RunStatistics};
use crate::files::whole::{FileError, write_whole};
use crate::modulation::probe::ModulatorSummary;
use crate::network::weight_probe::WeightSummary;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Everything there is to say about a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunReport {
    /// Title of the scene.
    pub title: String,
    /// Path of the scene's file, or its text.
    pub scene: String,
    /// Version of the simulator.
    pub version: String,
    /// Parameters that were set for this run, by name.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// How many commands acted on the network while it ran.
    pub commands: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Length of a step in ms.
    pub dt_ms: f64,
    /// Simulated time in ms; shorter than planned if the run was interrupted.
    pub duration_ms: f64,
    /// Whether somebody stopped the run before its end.
    pub interrupted: bool,
    /// Spikes of all regions over the whole run.
    pub spikes: u64,
    /// Hash over all spikes: see [`hash_text`](super::quantities::hash_text).
    pub spike_hash: String,
    /// The statistics of every region.
    pub statistics: RunStatistics,
    /// The strongest frequency of each region's population rate, where it has one.
    pub spectrum_peaks: Vec<SpectrumPeak>,
    /// What was built.
    pub network: NetworkReport,
    /// How long it took.
    pub timings: Timings,
    /// Threads that computed.
    pub threads: usize,
    /// What it ran on.
    pub machine: Machine,
    /// Most memory that the process held, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

/// The parts of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NetworkReport {
    /// Neurons of all regions.
    pub neurons: u64,
    /// Synapses of all projections.
    pub synapses: u64,
    /// Bytes that neurons and synapses take.
    pub bytes: u64,
    /// Every region, in the order of the scene.
    pub regions: Vec<RegionReport>,
    /// Every projection, in the order of the scene.
    pub projections: Vec<ProjectionReport>,
    /// Every modulator, in the order of the scene.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modulators: Vec<ModulatorReport>,
}

/// The strongest frequency of a region's population rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpectrumPeak {
    /// Name of the region.
    pub region: String,
    /// The frequency in Hz.
    pub frequency_hz: f64,
    /// Power at the peak over the mean power.
    pub prominence: f64,
    /// Distance between two frequencies that can be told apart, in Hz.
    pub resolution_hz: f64,
}

/// One region.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegionReport {
    /// Its name.
    pub name: String,
    /// Its neuron model.
    pub model: String,
    /// How many neurons it has.
    pub neurons: u64,
}

/// One projection.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProjectionReport {
    /// Its name.
    pub name: String,
    /// Region its synapses come from.
    pub from: String,
    /// Region its synapses go to.
    pub to: String,
    /// How many synapses it has.
    pub synapses: u64,
    /// Its weights in the end, if they change: in the receptor's unit, magnitudes where all are inhibitory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightSummary>,
}

/// One modulator.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ModulatorReport {
    /// Its name.
    pub name: String,
    /// What it did.
    #[serde(flatten)]
    pub summary: ModulatorSummary,
}

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Seconds to build the network.
    pub build_s: f64,
    /// Seconds to run it.
    pub run_s: f64,
    /// Processor seconds of the run over all threads, where the system tells.
    pub cpu_s: Option<f64>,
    /// Seconds that a simulated second took; below 1 is faster than life. None for no simulated time.
    pub real_time_factor: Option<f64>,
}

/// The computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Operating system, such as `linux`.
    pub os: String,
    /// Processor architecture, such as `x86_64`.
    pub arch: String,
    /// Processor model; empty where the system does not tell.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Widest vector instructions there are: `avx512`, `avx2`, `sse2`, `neon` or `none`.
    pub simd: String,
}

impl Timings {
    /// Fills in the real-time factor.
    pub fn new(build_s: f64, run_s: f64, cpu_s: Option<f64>, duration_ms: f64) -> Self {
        Self {
            build_s,
            run_s,
            cpu_s,
            real_time_factor: (duration_ms > 0.0).then(|| run_s * 1000.0 / duration_ms),
        }
    }
}

impl NetworkReport {
    /// Fills in the totals. `bytes` is what neurons and synapses take together.
    pub fn new(regions: Vec<RegionReport>, projections: Vec<ProjectionReport>, bytes: u64) -> Self {
        Self {
            neurons: regions.iter().map(|region| region.neurons).sum(),
            synapses: projections.iter().map(|p| p.synapses).sum(),
            bytes,
            regions,
            projections,
            modulators: Vec::new(),
        }
    }
}

impl RunReport {
    /// The report as JSON text.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("a report has text keys only") + "\n"
    }

    /// Writes the report as JSON.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        write_whole(path, |out| out.write_all(self.to_json().as_bytes()))
    }

    /// The report for a person at a terminal: a table of the regions, then totals, times and the spike hash.
    ///
    /// The last line ends without a newline.
    pub fn summary(&self) -> String {
        let mut lines = Vec::new();
        let title = if self.title.is_empty() {
            "run"
        } else {
            &self.title
        };
        let verb = if self.interrupted {
            "interrupted after"
        } else {
            "simulated"
        };
        lines.push(format!(
            "{title}: {verb} {} in steps of {} ms, seed {}",
            duration(self.duration_ms),
            self.dt_ms,
            self.seed,
        ));
        lines.push(String::new());
        lines.extend(self.region_table());
        lines.push(String::new());
        lines.push(format!(
            "{}, {}, {}; {}",
            counted(self.network.neurons, "neuron"),
            counted(self.network.synapses, "synapse"),
            bytes(self.network.bytes),
            counted(self.spikes, "spike"),
        ));
        let cpu = self
            .timings
            .cpu_s
            .map(|s| format!(" ({} of CPU)", seconds(s)));
        let memory = self
            .peak_memory_bytes
            .map(|b| format!(", peak memory {}", bytes(b)));
        let factor = self
            .timings
            .real_time_factor
            .map(|f| format!(", real-time factor {}", figures(f)));
        lines.push(format!(
            "built in {}, ran in {}{} on {}{}{}",
            seconds(self.timings.build_s),
            seconds(self.timings.run_s),
            cpu.unwrap_or_default(),
            counted(self.threads as u64, "thread"),
            factor.unwrap_or_default(),
            memory.unwrap_or_default(),
        ));
        lines.push(format!("spike hash {}", self.spike_hash));
        lines.join("\n")
    }

    fn region_table(&self) -> Vec<String> {
        let number = |value: Option<f64>, decimals: usize| match value {
            Some(value) => format!("{value:.decimals$}"),
            None => "–".to_owned(),
        };
        let row = |s: &RegionStatistics| {
            [
                s.region.clone(),
                grouped(s.neurons),
                number(Some(s.rate_hz), 2),
                number(s.cv_isi, 3),
                number(s.fano_1ms, 2),
                format!("{:.1} %", s.silent_fraction * 100.0),
            ]
        };
        let header = [
            "region",
            "neurons",
            "rate (Hz)",
            "CV of ISI",
            "Fano (1 ms)",
            "silent",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.statistics.regions.iter().map(row));
        if self.statistics.regions.len() > 1 {
            rows.push(row(&self.statistics.all));
        }
        let widths: Vec<usize> = (0..header.len())
            .map(|column| {
                rows.iter()
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        (rows.iter())
            .map(|row| {
                let name = format!("{:<width$}", row[0], width = widths[0]);
                let cells = row.iter().zip(&widths).skip(1);
                cells.fold(name, |line, (cell, width)| {
                    format!("{line}  {cell:>width$}")
                })
            })
            .collect()
    }
}

impl Machine {
    /// The computer that this process runs on.
    pub fn detect() -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cpu: cpu_model().unwrap_or_default(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            simd: simd().to_owned(),
        }
    }
}

/// Processor seconds that this process has used so far, over all threads; None where the system does not tell.
pub fn cpu_seconds() -> Option<f64> {
    #[cfg(unix)]
    {
        let usage = usage()?;
        let time = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
        Some(time(usage.ru_utime) + time(usage.ru_stime))
    }
    #[cfg(not(unix))]
    None
}

/// Most memory that this process has held at any time, in bytes; None where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        // The value in `getrusage` can stem from the process that started this one.
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        let unit = if cfg!(target_vendor = "apple") {
            1
        } else {
            1024
        };
        Some(usage()?.ru_maxrss as u64 * unit)
    }
    #[cfg(not(unix))]
    None
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn usage() -> Option<libc::rusage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for a write of one `rusage`, of which every bit pattern is a value.
    unsafe {
        (libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) == 0).then(|| usage.assume_init())
    }
}

fn cpu_model() -> Option<String> {
    if cfg!(target_os = "linux") {
        let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        return Some(line.split_once(':')?.1.trim().to_owned());
    }
    std::env::var("PROCESSOR_IDENTIFIER").ok()
}

fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq");
        match (avx512, is_x86_feature_detected!("avx2")) {
            (true, _) => "avx512",
            (false, true) => "avx2",
            (false, false) => "sse2",
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        "neon"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "none"
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantities::hash_text;
    use super::*;
    use crate::files::whole::TestFolder;

    fn example() -> RunReport {
        let region = |region: &str, neurons, rate_hz, cv_isi, fano_1ms| RegionStatistics {
            region: region.into(),
            neurons,
            rate_hz,
            cv_isi,
            fano_1ms,
            silent_fraction: 0.004,
            ..Default::default()
        };
        RunReport {
            commands: 0,
            title: "Balanced network".into(),
            scene: "scenes/coba.ron".into(),
            version: "0.1.0".into(),
            parameters: BTreeMap::from([
                ("E.weight".into(), 6.0.into()),
                ("on".into(), true.into()),
            ]),
            seed: 1,
            dt_ms: 0.1,
            duration_ms: 1000.0,
            interrupted: false,
            spikes: 58_321,
            spike_hash: hash_text(0x00ab_cdef),
            spectrum_peaks: Vec::new(),
            statistics: RunStatistics {
                window_ms: [200.0, 1000.0],
                regions: vec![
                    region("E", 3200, 14.541, Some(1.673), Some(5.9)),
                    region("Inhibitory", 800, 4.1, None, None),
                ],
                all: region("all", 4000, 12.45, Some(1.673), Some(5.9)),
            },
            network: NetworkReport::new(
                vec![
                    RegionReport {
                        name: "E".into(),
                        model: "lif".into(),
                        neurons: 3200,
                    },
                    RegionReport {
                        name: "Inhibitory".into(),
                        model: "lif".into(),
                        neurons: 800,
                    },
                ],
                vec![ProjectionReport {
                    name: "excitation".into(),
                    weights: None,
                    from: "E".into(),
                    to: "Inhibitory".into(),
                    synapses: 320_000,
                }],
                1_480_000,
            ),
            timings: Timings::new(0.0123, 0.5, Some(0.97), 1000.0),
            threads: 2,
            machine: Machine::default(),
            peak_memory_bytes: Some(1_170_000_000),
        }
    }

    #[test]
    fn summary_is_an_aligned_table() {
        let expected = "\
Balanced network: simulated 1000 ms in steps of 0.1 ms, seed 1

region      neurons  rate (Hz)  CV of ISI  Fano (1 ms)  silent
E             3,200      14.54      1.673         5.90   0.4 %
Inhibitory      800       4.10          –            –   0.4 %
all           4,000      12.45      1.673         5.90   0.4 %

4,000 neurons, 320,000 synapses, 1.48 MB; 58,321 spikes
built in 12.3 ms, ran in 500 ms (970 ms of CPU) on 2 threads, real-time factor 0.500, peak memory 1.17 GB
spike hash 0000000000abcdef";
        assert_eq!(example().summary(), expected);
    }

    #[test]
    fn interrupted_run_says_so_and_what_is_unknown_is_left_out() {
        let report = RunReport {
            interrupted: true,
            duration_ms: 12_345.6,
            timings: Timings::new(0.0, 2.0, None, 0.0),
            peak_memory_bytes: None,
            ..example()
        };
        let summary = report.summary();
        assert!(summary.contains("interrupted after 12.3456 s"), "{summary}");
        assert!(
            summary.contains("ran in 2.00 s on 2 threads\n"),
            "{summary}"
        );
        // A report of nothing is still a report.
        assert!(RunReport::default().summary().contains("0 spikes"));
    }

    #[test]
    fn json_holds_every_field() {
        let folder = TestFolder::new("report");
        let path = folder.path("run.json");
        example().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["spike_hash"], "0000000000abcdef");
        assert_eq!(json["parameters"]["E.weight"], 6.0);
        assert_eq!(json["network"]["synapses"], 320_000);
        assert_eq!(json["network"]["projections"][0]["to"], "Inhibitory");
        assert_eq!(
            json["statistics"]["regions"][1]["cv_isi"],
            serde_json::Value::Null
        );
        assert_eq!(json["statistics"]["window_ms"][0], 200.0);
        assert_eq!(json["timings"]["real_time_factor"], 0.5);
        assert_eq!(json["interrupted"], false);
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn machine_and_process_are_known_here() {
        let machine = Machine::detect();
        assert!(machine.cores >= 1 && !machine.os.is_empty() && !machine.simd.is_empty());
        if cfg!(target_os = "linux") {
            // Work that takes processor time and memory.
            let before = cpu_seconds().unwrap();
            let mut numbers = vec![1_u64; 8_000_000];
            while cpu_seconds().unwrap() - before < 0.02 {
                numbers.iter_mut().for_each(|n| *n = n.wrapping_mul(3));
            }
            assert!(std::hint::black_box(numbers)[7] > 0);
            assert!(peak_memory().unwrap() > 64_000_000);
        }
    }
}
