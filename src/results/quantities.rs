//! Numbers as people read them: with thousands separated, with a unit, with three figures, on an axis.

/// A number with commas between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 neuron`, `1,234 neurons`.
pub fn counted(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", grouped(number))
}

/// Three figures, but never a power of ten in place of digits.
pub fn figures(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 || v == 0.0 => 2,
        v if v >= 0.1 => 3,
        v if v >= 0.01 => 4,
        _ => 5,
    };
    format!("{value:.decimals$}")
}

/// A time in µs, ms or s.
pub fn seconds(value: f64) -> String {
    match value {
        v if v < 1e-3 => format!("{} µs", figures(v * 1e6)),
        v if v < 1.0 => format!("{} ms", figures(v * 1e3)),
        v => format!("{} s", figures(v)),
    }
}

/// A simulated time of so many ms: in ms up to 10 s, to the nanosecond.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 10_000.0 => format!("{} ms", (ms * 1e6).round() / 1e6),
        ms => format!("{} s", (ms * 1e3).round() / 1e6),
    }
}

/// A number of bytes, in kB, MB or GB of 1000.
pub fn bytes(number: u64) -> String {
    match number as f64 {
        n if n < 1e3 => format!("{number} bytes"),
        n if n < 1e6 => format!("{} kB", figures(n / 1e3)),
        n if n < 1e9 => format!("{} MB", figures(n / 1e6)),
        n => format!("{} GB", figures(n / 1e9)),
    }
}

/// A spike hash as all outputs show it: 16 hexadecimal digits.
pub fn hash_text(hash: u64) -> String {
    format!("{hash:016x}")
}

/// Round values from `low` to `high` and their labels; at most about `most` steps of 1, 2 or 5 × 10ⁿ.
pub fn ticks(low: f64, high: f64, most: usize) -> Vec<(f64, String)> {
    let span = high - low;
    if !(span > 0.0 && span.is_finite()) {
        return vec![(low, format!("{low}"))];
    }
    let least = span / most.max(1) as f64;
    let Some((step, decimals)) = (-9..18)
        .flat_map(|n| [1, 2, 5].map(|digit| (f64::from(digit) * 10_f64.powi(n), (-n).max(0))))
        .find(|(step, _)| *step >= least * (1.0 - 1e-9))
    else {
        return Vec::new();
    };
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last)
        .map(|i| {
            (
                i as f64 * step,
                format!("{:.*}", decimals as usize, i as f64 * step),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_have_three_figures() {
        assert_eq!(seconds(0.000_012_34), "12.3 µs");
        assert_eq!(seconds(75.0), "75.0 s");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(123_456), "123 kB");
        assert_eq!(figures(0.000_031), "0.00003");
        assert_eq!(counted(1, "spike"), "1 spike");
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn ticks_are_round_and_cover_the_axis() {
        let labels = |low, high, most| {
            ticks(low, high, most)
                .into_iter()
                .map(|(_, label)| label)
                .collect::<Vec<_>>()
        };
        assert_eq!(labels(0.0, 1000.0, 10).len(), 11);
        assert_eq!(
            labels(200.0, 1000.0, 4),
            ["200", "400", "600", "800", "1000"]
        );
        assert_eq!(labels(0.0, 0.3, 3), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(7.0, 23.0, 3), ["10", "20"]);
        assert_eq!(labels(0.0, 17.3, 4), ["0", "5", "10", "15"]);
        assert_eq!(labels(5.0, 5.0, 4), ["5"]);
        assert_eq!(labels(0.0, f64::NAN, 4), ["0"]);
        assert!(ticks(0.0, 1e300, 4).len() <= 5);
        assert!(ticks(1e15, 1e15 + 1.0, 4).len() <= 6);
    }
}
