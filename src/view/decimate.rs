//! Fewer points for the same picture: the least and the largest value of each group of samples.

use std::ops::Range;

/// The samples of `range` that a picture `columns` pixels wide needs: index and value, in order.
///
/// Groups begin at multiples of their size, counted from the sample `first` numbers before index 0, so that the picture of a trace does
/// not flicker while it moves. `parts` are the samples in two pieces, as a ring buffer holds them.
pub fn extremes(
    parts: (&[f32], &[f32]),
    first: u64,
    range: Range<usize>,
    columns: usize,
) -> Vec<(usize, f32)> {
    let (left, right) = parts;
    let end = range.end.min(left.len() + right.len());
    let start = range.start.min(end);
    let group = (end - start).div_ceil(columns.max(1)).max(1);
    let value = |i: usize| match left.get(i) {
        Some(value) => *value,
        None => right[i - left.len()],
    };
    if group <= 2 {
        return (start..end)
            .map(|i| (i, value(i)))
            .filter(|(_, v)| v.is_finite())
            .collect();
    }
    let mut kept = Vec::with_capacity(2 * columns + 4);
    let mut at = start;
    while at < end {
        let number = first + at as u64;
        let rest = group as u64 - number % group as u64;
        let next = (at + rest as usize).min(end);
        let (mut low, mut high) = ((at, f32::INFINITY), (at, f32::NEG_INFINITY));
        for i in at..next {
            let value = value(i);
            if value < low.1 {
                low = (i, value);
            }
            if value > high.1 {
                high = (i, value);
            }
        }
        if low.1 <= high.1 {
            let (a, b) = if low.0 <= high.0 {
                (low, high)
            } else {
                (high, low)
            };
            kept.push(a);
            if b.0 != a.0 {
                kept.push(b);
            }
        }
        at = next;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave() -> Vec<f32> {
        (0..10_000)
            .map(|i| match i {
                4321 => 99.0,
                8765 => -99.0,
                5000 => f32::NAN,
                _ => (i as f32 * 0.01).sin(),
            })
            .collect()
    }

    #[test]
    fn extremes_are_kept() {
        let wave = wave();
        for split in [0, 3000, 10_000] {
            let kept = extremes((&wave[..split], &wave[split..]), 17, 0..10_000, 200);
            assert!(kept.len() <= 404, "{}", kept.len());
            assert!(kept.contains(&(4321, 99.0)) && kept.contains(&(8765, -99.0)));
            assert!(kept.windows(2).all(|w| w[0].0 < w[1].0));
            assert!(kept.iter().all(|&(i, v)| wave[i] == v));
        }
    }

    #[test]
    fn few_samples_are_all_kept() {
        let kept = extremes((&[1.0, 2.0], &[3.0]), 0, 0..99, 100);
        assert_eq!(kept, [(0, 1.0), (1, 2.0), (2, 3.0)]);
        assert!(extremes((&[], &[]), 0, 5..9, 0).is_empty());
    }

    #[test]
    fn what_is_kept_does_not_depend_on_where_a_moving_window_starts() {
        let wave = wave();
        let a = extremes((&wave, &[]), 0, 1000..9000, 100);
        let b = extremes((&wave, &[]), 0, 1040..9040, 100);
        let inside = |kept: &[(usize, f32)]| -> Vec<usize> {
            (kept.iter().map(|k| k.0))
                .filter(|i| (1120..8880).contains(i))
                .collect()
        };
        assert_eq!(inside(&a), inside(&b));
    }
}
