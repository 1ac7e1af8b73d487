use super::*;
use crate::sim::rng::{Purpose, entity_key};

fn normal(mean: f64, sd: f64, min: Option<f64>, max: Option<f64>) -> Distribution {
    Distribution::Normal { mean, sd, min, max }
}

fn families() -> Vec<Distribution> {
    vec![
        Distribution::Uniform {
            min: -1.0,
            max: 4.0,
        },
        normal(1.0, 2.0, None, None),
        normal(1.0, 2.0, Some(0.5), Some(2.0)),
        normal(0.0, 1.0, Some(4.0), None),
        normal(0.0, 1.0, None, Some(-4.0)),
        Distribution::LogNormal {
            mu: 0.2,
            sigma: 0.8,
            min: None,
            max: None,
        },
        Distribution::LogNormal {
            mu: 0.2,
            sigma: 0.8,
            min: Some(1.0),
            max: Some(2.5),
        },
        Distribution::Exponential {
            mean: 3.0,
            min: None,
            max: None,
        },
        Distribution::Exponential {
            mean: 3.0,
            min: Some(1.0),
            max: Some(2.0),
        },
        Distribution::Shared {
            group: 1,
            offset: 8.0,
            scale: -6.0,
            power: 2.0,
        },
    ]
}

#[test]
fn mean_agrees_with_the_samples() {
    for (i, distribution) in families().into_iter().enumerate() {
        distribution.check().unwrap();
        let mut draws = Random::new(1, 2, Purpose::Test).draws(i as u64);
        let n = 200_000;
        let values: Vec<f64> = (0..n).map(|_| distribution.sample(&mut draws)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        let sd = libm::sqrt(values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n));
        let expected = distribution.mean();
        let tolerance = 4.0 * sd / libm::sqrt(f64::from(n));
        assert!(
            (mean - expected).abs() < tolerance,
            "{distribution:?}: {mean} for {expected}"
        );
        let (low, high) = distribution.bounds();
        assert!(values.iter().all(|v| (low..=high).contains(v)));
    }
}

/// The law that this module promises: truncation is redrawing. Compared by a Kolmogorov–Smirnov distance.
#[test]
fn truncation_equals_redrawing() {
    let mut draws = Random::new(3, 4, Purpose::Test).draws(0);
    let n = 100_000;
    let mut redraw = |mut draw: Box<dyn FnMut(&mut Draws) -> f64>, low: f64, high: f64| {
        let mut values: Vec<f64> = Vec::new();
        while values.len() < n {
            let value = draw(&mut draws);
            if (low..=high).contains(&value) {
                values.push(value);
            }
        }
        values
    };
    let cases = [
        (
            normal(1.5, 0.75, Some(0.05), None),
            redraw(Box::new(|d| 1.5 + 0.75 * d.normal()), 0.05, f64::INFINITY),
        ),
        (
            normal(1.0, 2.0, Some(0.5), Some(2.0)),
            redraw(Box::new(|d| 1.0 + 2.0 * d.normal()), 0.5, 2.0),
        ),
        (
            Distribution::LogNormal {
                mu: 0.2,
                sigma: 0.8,
                min: Some(1.0),
                max: None,
            },
            redraw(
                Box::new(|d| libm::exp(0.2 + 0.8 * d.normal())),
                1.0,
                f64::INFINITY,
            ),
        ),
        (
            Distribution::Exponential {
                mean: 3.0,
                min: Some(1.0),
                max: Some(4.0),
            },
            redraw(Box::new(|d| 3.0 * d.exponential()), 1.0, 4.0),
        ),
    ];
    for (distribution, mut redrawn) in cases {
        let mut own = Random::new(9, 9, Purpose::Test).draws(1);
        let mut values: Vec<f64> = (0..n).map(|_| distribution.sample(&mut own)).collect();
        values.sort_by(f64::total_cmp);
        redrawn.sort_by(f64::total_cmp);
        let mut distance = 0.0f64;
        let mut j = 0;
        for (i, value) in values.iter().enumerate() {
            while j < n && redrawn[j] < *value {
                j += 1;
            }
            distance = distance.max((i as f64 - j as f64).abs() / n as f64);
        }
        // 1.95·√(2/n) is exceeded once in a thousand.
        assert!(
            distance < 1.95 * libm::sqrt(2.0 / n as f64),
            "{distribution:?}: {distance}"
        );
    }
}

#[test]
fn fields_of_one_group_share_a_number_and_others_do_not() {
    let random = Random::new(1, entity_key("excitatory"), Purpose::Parameter);
    let c = Distribution::Shared {
        group: 0,
        offset: -65.0,
        scale: 15.0,
        power: 2.0,
    };
    let d = Distribution::Shared {
        group: 0,
        offset: 8.0,
        scale: -6.0,
        power: 2.0,
    };
    let mut other = 0;
    for neuron in 0..1000 {
        let shared = |group| shared_unit(&random, neuron, group);
        let mut draws = random.draws(neuron);
        let squared = (c.sample_shared(&mut draws, shared) + 65.0) / 15.0;
        let again = (8.0 - d.sample_shared(&mut draws, shared)) / 6.0;
        assert!((squared - again).abs() < 1e-12);
        other += u32::from(shared(1) > shared(0));
    }
    assert!((400..600).contains(&other));
}

#[test]
fn largest_magnitude_covers_every_draw() {
    assert_eq!(normal(-2.0, 0.0, None, None).largest_magnitude(), 2.0);
    assert_eq!(
        Distribution::Uniform {
            min: -5.0,
            max: 1.0
        }
        .largest_magnitude(),
        5.0
    );
    let seven = normal(0.0, 1.0, None, None).largest_magnitude();
    assert!((8.0..8.2).contains(&seven), "{seven}");
    assert_eq!(
        normal(0.0, 1.0, Some(-1.0), Some(0.5)).largest_magnitude(),
        1.0
    );
    let exponential = Distribution::Exponential {
        mean: 1.0,
        min: None,
        max: None,
    };
    assert!((35.0..36.0).contains(&exponential.largest_magnitude()));
    for distribution in families() {
        let (low, high) = Sampler::new(&distribution).bounds();
        let limit = distribution.largest_magnitude();
        assert!(
            low.abs() <= limit && high.abs() <= limit,
            "{distribution:?}"
        );
    }
}

#[test]
fn check_names_what_is_wrong() {
    let wrong = [
        (Distribution::Constant(f64::NAN), "finite"),
        (
            Distribution::Uniform { min: 1.0, max: 1.0 },
            "less than max",
        ),
        (normal(0.0, -1.0, None, None), "sd is -1"),
        (normal(f64::INFINITY, 1.0, None, None), "mean is inf"),
        (normal(0.0, 1.0, Some(f64::NAN), None), "min is NaN"),
        (normal(0.0, 1.0, Some(2.0), Some(1.0)), "less than max"),
        (normal(0.0, 1.0, Some(8.0), None), "move the bounds"),
        (normal(0.0, 1.0, Some(0.0), Some(1e-7)), "move the bounds"),
        (normal(1.0, 0.0, Some(2.0), None), "outside"),
        (
            Distribution::LogNormal {
                mu: 400.0,
                sigma: 1.0,
                min: None,
                max: None,
            },
            "logarithm",
        ),
        (
            Distribution::LogNormal {
                mu: 0.0,
                sigma: 1.0,
                min: None,
                max: Some(-1.0),
            },
            "move the bounds",
        ),
        (
            Distribution::Exponential {
                mean: 0.0,
                min: None,
                max: None,
            },
            "more than 0",
        ),
        (
            Distribution::Exponential {
                mean: 1.0,
                min: Some(20.0),
                max: None,
            },
            "move the bounds",
        ),
        (
            Distribution::Exponential {
                mean: 1.0,
                min: None,
                max: Some(-2.0),
            },
            "move the bounds",
        ),
        (
            Distribution::Shared {
                group: 0,
                offset: 0.0,
                scale: 1.0,
                power: 0.0,
            },
            "power is 0",
        ),
    ];
    for (distribution, words) in wrong {
        let message = distribution.check().expect_err(words);
        assert!(message.contains(words), "{message:?} should say {words:?}");
    }
}

#[test]
fn constants_are_recognised() {
    assert!(Distribution::from(3.0).is_constant());
    assert!(normal(1.0, 0.0, None, None).is_constant());
    assert!(!normal(1.0, 0.1, None, None).is_constant());
    assert_eq!(normal(1.0, 0.0, None, None).bounds(), (1.0, 1.0));
    assert_eq!(Distribution::default().mean(), 0.0);
}
