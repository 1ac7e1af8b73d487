//! Power spectrum of a population rate, by Welch's method.
//!
//! The signal is cut into segments that overlap by half; each loses its mean, is weighted with a Hann
//! window and transformed; the squared magnitudes are averaged. The result is a one-sided density: its
//! sum × resolution is the variance of the signal, in Hz² when the signal is a rate in Hz.
//!
//! The *resolution* is the distance of two frequencies, 1 / (length of a segment). A Hann window spreads a
//! pure tone over about two of them to either side, so two rhythms are told apart from four resolutions on.
//! Longer segments resolve more finely, more segments make the estimate steadier; half as many bins twice
//! as long is the choice that a caller makes with `resolution_hz`.
//!
//! Source: P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967) 70, doi:10.1109/TAU.1967.1161901.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;
use std::f64::consts::TAU;
use std::ops::RangeInclusive;

use super::{Recording, Window};

/// Fewest samples in a segment that make a spectrum.
const FEWEST_SAMPLES: usize = 8;

/// A one-sided power spectral density.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Frequency in Hz and power density in signal²/Hz, from 0 Hz to half the sampling rate.
    pub points: Vec<(f64, f64)>,
    /// Distance between two frequencies in Hz. May be coarser than asked for if the signal is short.
    pub resolution_hz: f64,
    /// How many segments were averaged.
    pub segments: usize,
}

/// The highest point of a spectrum within a range.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Peak {
    /// Frequency in Hz; known to within half of `resolution_hz`.
    pub frequency_hz: f64,
    /// Power density there, in signal²/Hz.
    pub power: f64,
    /// Power relative to the mean over the range: near 1 to 3 for noise, far above for a rhythm.
    pub prominence: f64,
    /// Distance between two frequencies of the spectrum in Hz.
    pub resolution_hz: f64,
}

impl Spectrum {
    /// The highest point with a frequency in `range_hz`, or none if there is no power in it.
    ///
    /// Of equal points the lowest frequency is taken.
    pub fn peak(&self, range_hz: RangeInclusive<f64>) -> Option<Peak> {
        let inside = || self.points.iter().filter(|(hz, _)| range_hz.contains(hz));
        let (mut best, mut sum) = ((0.0, 0.0), 0.0);
        for &(hz, power) in inside() {
            sum += power;
            if power > best.1 {
                best = (hz, power);
            }
        }
        (best.1 > 0.0).then(|| Peak {
            frequency_hz: best.0,
            power: best.1,
            prominence: best.1 * inside().count() as f64 / sum,
            resolution_hz: self.resolution_hz,
        })
    }
}

/// Power spectrum of a signal sampled every `interval_ms`, in segments of 1 / `resolution_hz`.
///
/// A signal shorter than a segment makes one segment of its whole length, with the coarser resolution that
/// this means. None if there are fewer than eight samples, or if a length is not positive.
pub fn spectrum(signal: &[f32], interval_ms: f64, resolution_hz: f64) -> Option<Spectrum> {
    let sampling_hz = 1000.0 / interval_ms;
    let wanted = sampling_hz / resolution_hz;
    if !(sampling_hz > 0.0 && sampling_hz.is_finite() && wanted > 0.0) {
        return None;
    }
    let length = (wanted.round() as usize)
        .max(FEWEST_SAMPLES)
        .min(signal.len());
    if length < FEWEST_SAMPLES {
        return None;
    }

    let hann: Vec<f64> = (0..length)
        .map(|i| 0.5 - 0.5 * (TAU * i as f64 / length as f64).cos())
        .collect();
    let norm = 1.0 / (sampling_hz * hann.iter().map(|w| w * w).sum::<f64>());
    let fft = FftPlanner::new().plan_fft_forward(length);
    let mut buffer = vec![Complex::new(0.0, 0.0); length];
    let mut scratch = vec![Complex::new(0.0, 0.0); fft.get_inplace_scratch_len()];
    let mut power = vec![0.0; length / 2 + 1];
    let mut segments = 0;
    for segment in signal.windows(length).step_by(length - length / 2) {
        let mean = segment.iter().map(|&x| f64::from(x)).sum::<f64>() / length as f64;
        for ((to, &x), weight) in buffer.iter_mut().zip(segment).zip(&hann) {
            *to = Complex::new((f64::from(x) - mean) * weight, 0.0);
        }
        fft.process_with_scratch(&mut buffer, &mut scratch);
        for (sum, value) in power.iter_mut().zip(&buffer) {
            *sum += value.norm_sqr();
        }
        segments += 1;
    }

    let resolution_hz = sampling_hz / length as f64;
    let points = power
        .into_iter()
        .enumerate()
        .map(|(i, sum)| {
            // Every frequency but 0 and, for an even length, the highest stands for its negative too.
            let sides = if i == 0 || 2 * i == length { 1.0 } else { 2.0 };
            (
                i as f64 * resolution_hz,
                sides * norm * sum / segments as f64,
            )
        })
        .collect();
    Some(Spectrum {
        points,
        resolution_hz,
        segments,
    })
}

/// Power spectrum of the population rate of one region, in 1 ms bins: frequencies up to 500 Hz.
pub fn rate_spectrum(
    recording: &Recording,
    train: usize,
    window: Window,
    resolution_hz: f64,
) -> Option<Spectrum> {
    const BIN_MS: f64 = 1.0;
    let rate = recording.rate_trace(train, window, BIN_MS);
    spectrum(&rate.values, BIN_MS, resolution_hz)
}

#[cfg(test)]
mod tests {
    use super::super::SpikeTrain;
    use super::*;

    /// Numbers without a pattern, the same in every run.
    fn noise(length: usize) -> Vec<f32> {
        let mut state = 1_u64;
        (0..length)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect()
    }

    fn tone(hz: f64, amplitude: f64, length: usize) -> Vec<f32> {
        (0..length)
            .map(|i| (7.0 + amplitude * (TAU * hz * i as f64 / 1000.0).sin()) as f32)
            .collect()
    }

    fn total(spectrum: &Spectrum) -> f64 {
        spectrum.points.iter().map(|(_, power)| power).sum::<f64>() * spectrum.resolution_hz
    }

    #[test]
    fn tone_peaks_at_its_frequency_with_its_power() {
        let spectrum = spectrum(&tone(40.0, 3.0, 4000), 1.0, 1.0).unwrap();
        assert_eq!(spectrum.segments, 7);
        assert_eq!(spectrum.points.len(), 501);
        assert_eq!(spectrum.points[500].0, 500.0);
        let peak = spectrum.peak(5.0..=100.0).unwrap();
        assert!((peak.frequency_hz - 40.0).abs() < 1e-9);
        assert!(peak.prominence > 50.0);
        // A tone of amplitude A has the variance A²/2; at the peak a Hann window leaves 2/3 of it.
        assert!(
            (total(&spectrum) - 4.5).abs() < 1e-3,
            "{}",
            total(&spectrum)
        );
        assert!((peak.power - 3.0).abs() < 1e-3, "{}", peak.power);
    }

    #[test]
    fn tone_between_two_frequencies_is_found_within_half_the_resolution() {
        let spectrum = spectrum(&tone(40.9, 1.0, 4000), 1.0, 2.0).unwrap();
        let peak = spectrum.peak(5.0..=100.0).unwrap();
        assert_eq!(peak.resolution_hz, 2.0);
        assert!((peak.frequency_hz - 40.9).abs() <= 1.0);
    }

    #[test]
    fn noise_keeps_its_variance_and_has_no_peak() {
        let signal = noise(20_000);
        let spectrum = spectrum(&signal, 1.0, 5.0).unwrap();
        // Uniform numbers of width 1 have the variance 1/12; 199 half-overlapping segments know it to 2 %.
        assert!(
            (total(&spectrum) * 12.0 - 1.0).abs() < 0.06,
            "{}",
            total(&spectrum) * 12.0
        );
        assert!(spectrum.peak(5.0..=400.0).unwrap().prominence < 2.0);
    }

    #[test]
    fn spectrum_equals_that_of_scipy() {
        // scipy 1.17: welch([0, 1, 4, 9, 16, 8, 4, 2, 1, 0, 3, 5], fs=1000, window='hann', nperseg=8)
        let signal = [0.0, 1.0, 4.0, 9.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.0, 3.0, 5.0];
        let ours = spectrum(&signal, 1.0, 125.0).unwrap();
        let scipy = [
            0.049_567_878_156_797_245,
            0.102_277_401_935_953_32,
            0.050_952_411_015_677_88,
            0.013_062_975_045_643_018,
            0.004_382_587_809_121_21,
        ];
        assert_eq!(ours.segments, 2);
        for ((hz, power), (i, expected)) in ours.points.iter().zip(scipy.iter().enumerate()) {
            assert_eq!(*hz, i as f64 * 125.0);
            assert!(
                (power / expected - 1.0).abs() < 1e-9,
                "{hz} Hz: {power} not {expected}"
            );
        }
    }

    #[test]
    fn short_signal_states_its_coarser_resolution() {
        let spectrum = spectrum(&tone(50.0, 1.0, 100), 1.0, 1.0).unwrap();
        assert_eq!(spectrum.resolution_hz, 10.0);
        assert_eq!(spectrum.segments, 1);
        assert_eq!(spectrum.peak(20.0..=400.0).unwrap().frequency_hz, 50.0);
    }

    #[test]
    fn silence_and_senseless_input_have_no_peak() {
        assert_eq!(spectrum(&[0.0; 5], 1.0, 1.0), None);
        assert_eq!(spectrum(&[0.0; 50], 0.0, 1.0), None);
        assert_eq!(spectrum(&[0.0; 50], 1.0, f64::NAN), None);
        let silent = spectrum(&[0.0; 50], 1.0, 1.0).unwrap();
        assert_eq!(silent.peak(0.0..=500.0), None);
        let tone = spectrum(&tone(40.0, 1.0, 1000), 1.0, 1.0).unwrap();
        assert_eq!(tone.peak(600.0..=700.0), None);
    }

    #[test]
    fn rate_spectrum_finds_a_rhythm_of_spikes() {
        // All ten neurons fire every 20 ms: 50 Hz and its harmonics.
        let steps: Vec<u64> = (0..100).flat_map(|i| [i * 200; 10]).collect();
        let ids: Vec<u32> = (0..100).flat_map(|_| 0..10).collect();
        let recording = Recording {
            dt_ms: 0.1,
            start_step: 0,
            end_step: 20_000,
            trains: vec![SpikeTrain {
                region: "E",
                neurons: 10,
                steps: &steps,
                ids: &ids,
            }],
        };
        let spectrum = rate_spectrum(&recording, 0, recording.window(), 1.0).unwrap();
        assert_eq!(spectrum.peak(10.0..=90.0).unwrap().frequency_hz, 50.0);
    }
}
