//! Checking stimuli and probes: selections, windows, receptors, rates, intervals, columns.

use super::projections::{reach, resolve_receptor};
use super::values::{self, check_selection, check_time, check_weight, shown, warn_of_rounding};
use super::{BuildError, PreparedProjection, PreparedRegion, Warning, no_column};
use crate::files::Files;
use crate::network::stimulus::{PoissonCounts, Selection, StimulusKind, Window};
use crate::scene::error::{quoted, unknown};
use crate::scene::modulators;
use crate::scene::outside::{MOST_DRAWS, read_currents};
use crate::scene::schema::{ProbeKind, ProbeSpec, Scene, StimulusSpec};
use std::collections::{HashMap, HashSet};

/// A probe that keeps more than this many bytes over the scene's duration is warned of.
const MUCH: f64 = 1.1e9;

fn is_current(kind: &StimulusKind) -> bool {
    matches!(
        kind,
        StimulusKind::Direct { .. }
            | StimulusKind::Step { .. }
            | StimulusKind::Alternating { .. }
            | StimulusKind::Ramp { .. }
            | StimulusKind::Noise { .. }
            | StimulusKind::CurrentFile(_)
            | StimulusKind::Schedule(_)
    )
}

/// Checks a stimulus and returns the receptor that it reaches (0 if it reaches none).
pub(super) fn prepare_stimulus(
    scene: &Scene,
    stimulus: &StimulusSpec,
    path: &str,
    to: usize,
    region: &PreparedRegion,
    files: &dyn Files,
    warnings: &mut Vec<Warning>,
) -> Result<usize, BuildError> {
    let at = |field: &str, message: String| BuildError::new(format!("{path}.{field}"), message);
    let dt = scene.dt_ms;
    let neurons = scene.regions[to].neurons;
    check_selection(
        &stimulus.neurons,
        format!("{path}.neurons"),
        neurons,
        warnings,
    )?;
    check_window(scene, &stimulus.window, path, warnings)?;
    values::check_fields(&format!("{path}.kind"), &stimulus.kind)?;
    if region.model.source
        && !matches!(
            stimulus.kind,
            StimulusKind::Spike { .. } | StimulusKind::Silence
        )
    {
        return Err(at(
            "to",
            format!(
                "{} of region {} takes no input",
                region.type_name,
                quoted(&stimulus.to)
            ),
        ));
    }
    let receptor_of = |wanted: &Option<String>, (low, high): (f64, f64)| {
        check_weight(low.abs().max(high.abs())).map_err(|e| at("kind.weight", e))?;
        resolve_receptor(wanted.as_deref(), region, low, high)
            .map_err(|(field, e)| at(&format!("kind.{field}"), e))
    };
    let check_times = |times: &[f64]| {
        times
            .iter()
            .enumerate()
            .try_for_each(|(i, t)| check_time(format!("{path}.kind.times_ms[{i}]"), *t, dt))
    };
    match &stimulus.kind {
        StimulusKind::Poisson {
            rate_hz,
            weight,
            receptor,
            delay_ms,
        } => {
            let most = f64::from(MOST_DRAWS) * PoissonCounts::LARGEST_MEAN;
            let rate = rate_hz.largest_magnitude();
            if !(rate * dt * 1e-3 <= most) {
                let message = format!(
                    "a rate of {} Hz is {} input spikes in a step of {dt} ms; at most {most} are possible: shorten the step or use fewer spikes of more weight",
                    shown(rate),
                    shown(rate * dt * 1e-3)
                );
                return Err(at("kind.rate_hz", message));
            }
            check_time(format!("{path}.kind.delay_ms"), *delay_ms, dt)?;
            if *delay_ms > 0.0 {
                warn_of_rounding(
                    format!("{path}.kind.delay_ms"),
                    "a delay",
                    *delay_ms,
                    dt,
                    warnings,
                );
            }
            receptor_of(receptor, reach(weight))
        }
        StimulusKind::InputSpikes {
            weight,
            receptor,
            times_ms,
            delay_ms,
        } => {
            check_times(times_ms)?;
            check_time(format!("{path}.kind.delay_ms"), *delay_ms, dt)?;
            if *delay_ms > 0.0 {
                warn_of_rounding(
                    format!("{path}.kind.delay_ms"),
                    "a delay",
                    *delay_ms,
                    dt,
                    warnings,
                );
            }
            receptor_of(receptor, (*weight, *weight))
        }
        StimulusKind::Spike { times_ms } => check_times(times_ms).map(|()| 0),
        StimulusKind::Alternating { frequency_hz, .. } => {
            let most = 500.0 / dt;
            if !(*frequency_hz <= most) {
                let message = format!(
                    "steps of {dt} ms cannot show {} Hz; at most {} Hz, half a turn per step",
                    shown(*frequency_hz),
                    shown(most)
                );
                return Err(at("kind.frequency_hz", message));
            }
            Ok(0)
        }
        StimulusKind::Ramp { .. } if stimulus.window.stop_ms.is_none() => Err(at(
            "window",
            "a ramp needs `stop_ms`, where it reaches its last value".into(),
        )),
        StimulusKind::Noise { interval_ms, .. } => {
            check_time(format!("{path}.kind.interval_ms"), *interval_ms, dt)?;
            if *interval_ms > 0.0 {
                warn_of_rounding(
                    format!("{path}.kind.interval_ms"),
                    "an interval",
                    *interval_ms,
                    dt,
                    warnings,
                );
            }
            Ok(0)
        }
        StimulusKind::Schedule(list) => {
            for (i, (time, current)) in list.iter().enumerate() {
                let entry = |message: String| at(&format!("kind[{i}]"), message);
                if !(*time >= 0.0) {
                    return Err(entry(format!(
                        "the time {time} ms lies before the start; allowed is 0 or more"
                    )));
                }
                check_time(format!("{path}.kind[{i}]"), *time, dt)?;
                if current.abs() > f64::from(f32::MAX) || current.is_nan() {
                    return Err(entry(format!(
                        "a current of {} is too large for 32 bits; the largest number is about 3.4e38",
                        shown(*current)
                    )));
                }
                if i > 0 && *time <= list[i - 1].0 {
                    return Err(entry(format!(
                        "times must ascend, but {time} ms follows {} ms",
                        list[i - 1].0
                    )));
                }
            }
            Ok(0)
        }
        StimulusKind::CurrentFile(file) => read_currents(file, neurons, files)
            .map(|_| 0)
            .map_err(|e| at("kind", e)),
        StimulusKind::Direct { .. }
        | StimulusKind::Step { .. }
        | StimulusKind::Ramp { .. }
        | StimulusKind::Silence => Ok(0),
    }
}

fn check_window(
    scene: &Scene,
    window: &Window,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    let (start, field) = (window.start_ms, format!("{path}.window.start_ms"));
    values::check_fields(&format!("{path}.window"), window)?;
    check_time(field.clone(), start, scene.dt_ms)?;
    if let Some(stop) = window.stop_ms {
        let path = format!("{path}.window.stop_ms");
        check_time(path.clone(), stop, scene.dt_ms)?;
        if stop < start {
            return Err(BuildError::new(
                path,
                format!("the window ends at {stop} ms, before it starts at {start} ms"),
            ));
        }
    }
    if start > 0.0 && scene.duration_ms > 0.0 && start >= scene.duration_ms {
        let message = format!(
            "the window starts at {start} ms, but the run ends at {} ms",
            scene.duration_ms
        );
        warnings.push(Warning::new(field, message));
    }
    Ok(())
}

/// A probe and its place in the scene.
pub(super) struct ProbePlace<'a> {
    pub(super) scene: &'a Scene,
    pub(super) spec: &'a ProbeSpec,
    pub(super) path: &'a str,
    pub(super) regions: &'a [PreparedRegion],
    pub(super) projections: &'a [PreparedProjection],
    /// The regions that it probes.
    pub(super) targets: &'a [usize],
}

/// What the probes of a scene have in common.
pub(super) struct Probed {
    /// (from, to) of every projection.
    joined: HashSet<(usize, usize)>,
    /// Names of all projections, and for those that change their target region.
    projections: Vec<(String, Option<usize>)>,
    /// The regions that have a drive.
    driven: HashSet<usize>,
    /// (region, column) of the probes so far.
    columns: HashSet<(usize, String)>,
}

impl Probed {
    pub(super) fn new(
        scene: &Scene,
        projections: &[PreparedProjection],
        places: &HashMap<&str, usize>,
    ) -> Self {
        let currents = scene.stimuli.iter().filter(|s| is_current(&s.kind));
        Self {
            joined: projections.iter().map(|p| (p.from, p.to)).collect(),
            projections: (projections.iter())
                .map(|p| (p.name.clone(), p.changing.as_ref().map(|_| p.to)))
                .collect(),
            driven: currents
                .filter_map(|s| places.get(s.to.as_str()).copied())
                .chain((0..scene.regions.len()).filter(|i| scene.regions[*i].intrinsic.is_some()))
                .chain(modulators::excited(scene, places))
                .collect(),
            columns: HashSet::new(),
        }
    }
}

/// Bytes that a probe of weights keeps by the end of the scene, or takes then; 0 for others.
pub(super) fn bytes_of_weights(
    scene: &Scene,
    probe: &ProbeKind,
    projections: &[PreparedProjection],
) -> f64 {
    let (ProbeKind::WeightCourse { projection, .. }
    | ProbeKind::WeightHistogram { projection, .. }
    | ProbeKind::ReceptiveFields { projection, .. }) = probe
    else {
        return 0.0;
    };
    let Some(probed) = projections.iter().find(|p| p.name == *projection) else {
        return 0.0;
    };
    let [sources, targets] = [probed.from, probed.to].map(|i| scene.regions[i].neurons);
    let chosen = |selection: &Selection| f64::from(selection.count(targets).unwrap_or(0));
    let samples = |every_ms: f64| scene.duration_ms / every_ms.max(scene.dt_ms);
    match probe {
        ProbeKind::WeightCourse {
            targets: selection,
            every_ms,
            ..
        } => {
            let weights = probed.synapses * chosen(selection) / f64::from(targets.max(1));
            weights * (8.0 + 4.0 * samples(*every_ms))
        }
        ProbeKind::WeightHistogram { bins, every_ms, .. } => {
            4.0 * (2.0 + f64::from(*bins)) * samples(*every_ms)
        }
        ProbeKind::ReceptiveFields {
            targets: selection, ..
        } => 4.0 * chosen(selection) * f64::from(sources),
        _ => 0.0,
    }
}

impl ProbePlace<'_> {
    /// Checks the probe.
    pub(super) fn check(
        &self,
        find: &dyn Fn(&str, String) -> Result<usize, BuildError>,
        probed: &mut Probed,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), BuildError> {
        let (dt, path) = (self.scene.dt_ms, self.path);
        match &self.spec.kind {
            ProbeKind::Spikes => Ok(()),
            ProbeKind::Rate { bin_ms } => {
                values::check_fields(&format!("{path}.kind"), &self.spec.kind)?;
                check_time(format!("{path}.kind.bin_ms"), *bin_ms, dt)?;
                // The command line's own bins of 1 ms are the run's business, not the scene's.
                if self.spec.region.is_some() || *bin_ms != dt.max(1.0) {
                    warn_of_rounding(
                        format!("{path}.kind.bin_ms"),
                        "a bin",
                        *bin_ms,
                        dt,
                        warnings,
                    );
                }
                Ok(())
            }
            ProbeKind::Column {
                column, every_ms, ..
            } => {
                values::check_fields(&format!("{path}.kind"), &self.spec.kind)?;
                check_time(format!("{path}.kind.every_ms"), *every_ms, dt)?;
                warn_of_rounding(
                    format!("{path}.kind.every_ms"),
                    "an interval",
                    *every_ms,
                    dt,
                    warnings,
                );
                self.check_column(column, probed, warnings)
            }
            ProbeKind::WeightCourse {
                projection,
                targets,
                every_ms,
            } => self.check_changing(projection, Some(targets), Some(*every_ms), probed, warnings),
            ProbeKind::WeightHistogram {
                projection,
                every_ms,
                ..
            } => self.check_changing(projection, None, Some(*every_ms), probed, warnings),
            ProbeKind::ReceptiveFields {
                projection,
                targets,
                ..
            } => self.check_changing(projection, Some(targets), None, probed, warnings),
            ProbeKind::Modulator {
                modulator,
                every_ms,
            } => {
                values::check_fields(&format!("{path}.kind"), &self.spec.kind)?;
                if self.spec.region.is_some() {
                    let message = "a probe of a modulator belongs to no region; leave `region` out";
                    return Err(BuildError::new(format!("{path}.region"), message));
                }
                modulators::check_name(self.scene, modulator, "the probe is of modulator")
                    .map_err(|e| BuildError::new(format!("{path}.kind.modulator"), e))?;
                let at = format!("{path}.kind.every_ms");
                check_time(at.clone(), *every_ms, dt)?;
                warn_of_rounding(at, "an interval", *every_ms, dt, warnings);
                Ok(())
            }
            ProbeKind::Weights { from, to } => {
                let ends = (
                    find(from, format!("{path}.kind.from"))?,
                    find(to, format!("{path}.kind.to"))?,
                );
                if self.spec.region.is_some() {
                    let message = "a probe of weights names its regions itself, as `from` and `to`; leave `region` out";
                    return Err(BuildError::new(format!("{path}.region"), message));
                }
                if !probed.joined.contains(&ends) {
                    let message = format!(
                        "no projection leads from {} to {}, so there are no weights",
                        quoted(from),
                        quoted(to)
                    );
                    warnings.push(Warning::new(format!("{path}.kind"), message));
                }
                Ok(())
            }
        }
    }

    /// Checks a probe of the weights of one projection, and what it keeps of them.
    fn check_changing(
        &self,
        projection: &str,
        targets: Option<&Selection>,
        every_ms: Option<f64>,
        probed: &Probed,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), BuildError> {
        let at = |field: &str| format!("{}.kind.{field}", self.path);
        values::check_fields(&format!("{}.kind", self.path), &self.spec.kind)?;
        if self.spec.region.is_some() {
            let message = "a probe of weights names a projection; leave `region` out";
            return Err(BuildError::new(format!("{}.region", self.path), message));
        }
        let Some((_, to)) = probed.projections.iter().find(|p| p.0 == projection) else {
            let known = probed.projections.iter().map(|p| p.0.as_str());
            let message = unknown("projection", projection, known);
            return Err(BuildError::new(at("projection"), message));
        };
        let Some(to) = to else {
            let message = format!(
                "the weights of {} do not change; give it a rule in `plasticity`, or probe `Weights`",
                quoted(projection)
            );
            return Err(BuildError::new(at("projection"), message));
        };
        if let Some(targets) = targets {
            (targets.count(self.scene.regions[*to].neurons))
                .map_err(|e| BuildError::new(at("targets"), e))?;
        }
        if let Some(every_ms) = every_ms {
            let dt = self.scene.dt_ms;
            check_time(at("every_ms"), every_ms, dt)?;
            warn_of_rounding(at("every_ms"), "an interval", every_ms, dt, warnings);
        }
        let bytes = bytes_of_weights(self.scene, &self.spec.kind, self.projections);
        self.warn_of_much(bytes, warnings);
        Ok(())
    }

    fn warn_of_much(&self, bytes: f64, warnings: &mut Vec<Warning>) {
        if bytes > MUCH {
            let message = format!(
                "this probe keeps about {:.1} GB over {} ms",
                bytes * 1e-9,
                self.scene.duration_ms
            );
            warnings.push(Warning::new(format!("{}.kind", self.path), message));
        }
    }

    fn check_column(
        &self,
        column: &str,
        probed: &mut Probed,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), BuildError> {
        let ProbeKind::Column {
            neurons, every_ms, ..
        } = &self.spec.kind
        else {
            return Ok(());
        };
        let mut kept = 0.0;
        for &target in self.targets {
            let region = &self.scene.regions[target];
            let path = format!("{}.kind.column", self.path);
            let known = self.regions[target].model.columns;
            let driven = column == "drive" && probed.driven.contains(&target);
            if !known.contains(&column) && !driven {
                let model = format!(
                    "{} of region {}",
                    self.regions[target].type_name,
                    quoted(&region.name)
                );
                return Err(BuildError::new(path, no_column(&model, column, known)));
            }
            if !probed.columns.insert((target, column.to_owned())) {
                let message = format!(
                    "another probe keeps {} of region {} too; only the last one's file stays",
                    quoted(column),
                    quoted(&region.name)
                );
                warnings.push(Warning::new(path, message));
            }
            kept += f64::from(check_selection(
                neurons,
                format!("{}.kind.neurons", self.path),
                region.neurons,
                warnings,
            )?);
        }
        let bytes = 4.0 * kept * self.scene.duration_ms / every_ms.max(self.scene.dt_ms);
        self.warn_of_much(bytes, warnings);
        Ok(())
    }
}
