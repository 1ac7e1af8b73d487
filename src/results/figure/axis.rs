//! An axis: from values to places, and where its ticks stand.

use crate::results::quantities::ticks;

/// Most powers of ten that get ticks between them.
const FEW_DECADES: f64 = 4.0;
/// The part of its range that an axis adds at either end.
const MARGIN: f64 = 0.04;

/// What is along one side of a panel.
#[derive(Clone, Debug, Default)]
pub(super) struct Axis {
    /// Name and unit, as shown.
    pub title: String,
    /// What it shows; all there is, if none.
    pub range: Option<[f64; 2]>,
    /// Whether it is logarithmic.
    pub log: bool,
    /// Names in place of numbers, at 0, 1, 2 and so on.
    pub names: Vec<String>,
}

impl Axis {
    pub fn name(&mut self, label: &str, unit: &str) {
        self.title = match unit {
            "" => label.into(),
            unit => format!("{label} ({unit})"),
        };
    }

    /// The axis over values. `from_zero` lets a range that begins near 0 begin there, `tight` adds no margin.
    pub fn over(&self, values: impl Iterator<Item = f64>, from_zero: bool, tight: bool) -> Span {
        let drawable = |v: &f64| v.is_finite() && (!self.log || *v > 0.0);
        let given = self.range.filter(|r| r.iter().all(drawable) && r[0] < r[1]);
        let place = |v: f64| if self.log { libm::log10(v) } else { v };
        if let Some([low, high]) = given {
            return Span {
                low: place(low),
                high: place(high),
                log: self.log,
            };
        }
        let (mut low, mut high) = values
            .filter(drawable)
            .map(place)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let zero = from_zero && !self.log;
        if zero && low > 0.0 && low < 0.5 * high {
            low = 0.0;
        }
        let extent = high - low;
        if extent <= 1e-9 * high.abs().max(low.abs()) {
            let room = if high == 0.0 || self.log {
                1.0
            } else {
                0.1 * high.abs()
            };
            (low, high) = (low - room, high + room);
        } else if !tight {
            if !(zero && low == 0.0) {
                low -= MARGIN * extent;
            }
            high += MARGIN * extent;
        }
        Span {
            low,
            high,
            log: self.log,
        }
    }

    /// Where ticks stand, in values, with their labels; those between powers of ten have none.
    pub fn ticks(&self, span: &Span, most: usize) -> Vec<(f64, String)> {
        if !self.names.is_empty() {
            let names = self.names.iter().enumerate();
            return names.map(|(i, name)| (i as f64, name.clone())).collect();
        }
        let minus = |(value, label): (f64, String)| (value, label.replace('-', "−"));
        if !span.log {
            return ticks(span.low, span.high, most)
                .into_iter()
                .map(minus)
                .collect();
        }
        let ten = |n: i32| 10_f64.powi(n);
        let (first, last) = (span.low.floor() as i32, span.high.ceil() as i32);
        if span.high - span.low < 1.0 {
            let list = ticks(ten_to(span.low), ten_to(span.high), most);
            return list.into_iter().map(minus).collect();
        }
        let every = ((last - first) as usize).div_ceil(most.max(1)).max(1) as i32;
        let mut list = Vec::new();
        for n in first..=last {
            if n % every == 0 {
                list.push((ten(n), decade(n)));
            }
            if span.high - span.low <= FEW_DECADES {
                list.extend((2..10).map(|digit| (f64::from(digit) * ten(n), String::new())));
            }
        }
        list.retain(|(value, _)| {
            span.share(*value)
                .is_some_and(|s| (-1e-6..=1.0 + 1e-6).contains(&s))
        });
        list
    }
}

fn ten_to(exponent: f64) -> f64 {
    libm::exp10(exponent)
}

/// A power of ten: 0.001 to 10,000 in digits.
fn decade(n: i32) -> String {
    match n {
        0..=4 => format!("1{}", "0".repeat(n as usize)),
        -3..0 => format!("0.{}1", "0".repeat((-n - 1) as usize)),
        _ => format!("1e{n}").replace('-', "−"),
    }
}

/// The part of an axis that is shown; powers of ten of a logarithmic one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    low: f64,
    high: f64,
    log: bool,
}

impl Span {
    /// Where a value lies between the ends, 0 to 1 if it is inside; none for one that cannot be shown.
    pub fn share(&self, value: f64) -> Option<f64> {
        let place = if self.log { libm::log10(value) } else { value };
        let share = (place - self.low) / (self.high - self.low);
        share.is_finite().then(|| share.clamp(-1e4, 1e4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, span: &Span) -> Vec<String> {
        let named = axis.ticks(span, 6).into_iter().map(|t| t.1);
        named.filter(|label| !label.is_empty()).collect()
    }

    #[test]
    fn a_range_holds_its_values_and_begins_at_zero_where_it_is_near() {
        let axis = Axis::default();
        let over = |values: &[f64]| axis.over(values.iter().copied(), true, false);
        let span = over(&[1.0, 10.0, f64::NAN]);
        assert_eq!(span.share(0.0), Some(0.0));
        assert!(span.share(10.0).is_some_and(|s| s < 1.0 && s > 0.9));
        let span = over(&[9.0, 10.0]);
        assert!(span.share(9.0).is_some_and(|s| s > 0.0 && s < 0.1));
        assert_eq!(over(&[]).share(0.0), Some(0.0));
        assert_eq!(over(&[5.0]).share(5.0), Some(0.5));
        assert_eq!(span.share(f64::NAN), None);
    }

    #[test]
    fn ticks_are_round_named_or_powers_of_ten() {
        let mut axis = Axis::default();
        let span = axis.over([-10.0, 10.0].into_iter(), true, true);
        assert_eq!(labels(&axis, &span), ["−10", "−5", "0", "5", "10"]);
        axis.log = true;
        let span = axis.over([0.01, 100.0].into_iter(), true, true);
        assert_eq!(labels(&axis, &span), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(axis.ticks(&span, 6).len(), 5 + 4 * 8);
        assert_eq!(span.share(1.0), Some(0.5));
        assert_eq!(span.share(-1.0), None);
        let span = axis.over([20.0, 80.0].into_iter(), true, true);
        assert_eq!(
            labels(&axis, &span),
            ["20", "30", "40", "50", "60", "70", "80"].map(str::to_owned)[..].to_vec()
        );
        axis.log = false;
        axis.names = vec!["trained".into(), "control".into()];
        assert_eq!(labels(&axis, &span), ["trained", "control"]);
    }
}
