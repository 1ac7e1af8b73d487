//! What values must satisfy wherever they come from, a file or Rust: their ranges, and what the machine can hold.

use super::{BuildError, Warning};
use crate::network::distribution::Distribution;
use crate::network::stimulus::Selection;
use crate::scene::describe::plain;
use crate::sim::quantity::{Range, Unit};
use bevy::reflect::enums::VariantInfo;
use bevy::reflect::{NamedField, PartialReflect, ReflectRef, TypeInfo};

/// Steps beyond which not every whole number is exact in floating point: 2⁵³.
const MOST_STEPS: f64 = 9e15;
/// Weights must have magnitudes from here unless they are 0, so that their quanta are ordinary numbers in single precision.
const SMALLEST_WEIGHT: f64 = 1e-30;
/// Likewise the largest.
const LARGEST_WEIGHT: f64 = 1e30;

/// A number as a message shows it, with at most six digits.
pub(super) fn shown(value: f64) -> String {
    plain(format!("{value:.5e}").parse().unwrap_or(value))
}

/// Checks that a time can be counted in steps.
pub(in crate::scene) fn check_time(
    path: impl Into<String>,
    ms: f64,
    dt: f64,
) -> Result<(), BuildError> {
    if ms / dt <= MOST_STEPS {
        return Ok(());
    }
    let most = shown(MOST_STEPS * dt);
    Err(BuildError::new(
        path,
        format!(
            "a time of {} ms is too long to be counted in steps of {dt} ms; at most {most} ms",
            plain(ms)
        ),
    ))
}

/// Warns of an interval of 0 or more that is not a whole number of steps, at least one.
pub(in crate::scene) fn warn_of_rounding(
    path: String,
    what: &str,
    ms: f64,
    dt: f64,
    warnings: &mut Vec<Warning>,
) {
    let taken = (ms / dt).round().max(1.0);
    warnings.extend(rounding(what, ms, taken, dt).map(|message| Warning::new(path, message)));
}

/// Warns of a time of 0 or more that is not a whole number of steps, where there may be none.
pub(in crate::scene) fn warn_of_rounding_to_none(
    path: String,
    what: &str,
    ms: f64,
    dt: f64,
    warnings: &mut Vec<Warning>,
) {
    let taken = libm::rint(ms / dt);
    warnings.extend(rounding(what, ms, taken, dt).map(|message| Warning::new(path, message)));
}

/// What is taken instead of a time, if it is not so many steps.
fn rounding(what: &str, ms: f64, taken: f64, dt: f64) -> Option<String> {
    if ((ms / dt) - taken).abs() <= 1e-6 * taken {
        return None;
    }
    let (time, rounded) = (shown(ms), shown(taken * dt));
    Some(if taken == 0.0 {
        format!("{what} of {time} ms is no more than half a step of {dt} ms; none is taken")
    } else if ms < dt * 0.999 {
        format!("{what} of {time} ms is shorter than a step; one step of {dt} ms is taken")
    } else {
        format!(
            "{what} of {time} ms is not a whole number of steps of {dt} ms; {rounded} ms is taken"
        )
    })
}

/// The least part of a step that a time constant may be: with less, nothing is left after a step, and 1/τ may be no number.
const LEAST_OF_STEP: f64 = 1e-6;

/// Checks that a time constant is no less than a millionth of a step.
pub(in crate::scene) fn check_time_constant(
    path: impl Into<String>,
    ms: f64,
    dt: f64,
) -> Result<(), BuildError> {
    if ms >= LEAST_OF_STEP * dt {
        return Ok(());
    }
    let message = format!(
        "a time constant of {} ms is less than a millionth of a step of {dt} ms; allowed is {} ms or more",
        plain(ms),
        shown(LEAST_OF_STEP * dt)
    );
    Err(BuildError::new(path, message))
}

/// Checks every number and distribution among the fields of a struct or variant against its range and against single precision.
pub(in crate::scene) fn check_fields(
    path: &str,
    value: &dyn PartialReflect,
) -> Result<(), BuildError> {
    let field_of = |info: Option<&'static TypeInfo>, variant: Option<&str>, index: usize| match (
        info, variant,
    ) {
        (Some(TypeInfo::Struct(info)), _) => info.field_at(index),
        (Some(TypeInfo::Enum(info)), Some(variant)) => match info.variant(variant)? {
            VariantInfo::Struct(fields) => fields.field_at(index),
            _ => None,
        },
        _ => None,
    };
    let info = value.get_represented_type_info();
    let check = |name: &str, index: usize, variant: Option<&str>, field: &dyn PartialReflect| {
        check_value(field, field_of(info, variant, index)).map_err(|message| {
            let path = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            BuildError::new(path, message)
        })
    };
    match value.reflect_ref() {
        ReflectRef::Struct(fields) => (0..fields.field_len()).try_for_each(|i| {
            match (fields.name_at(i), fields.field_at(i)) {
                (Some(name), Some(field)) => check(name, i, None, field),
                _ => Ok(()),
            }
        }),
        ReflectRef::Enum(variant) => (0..variant.field_len()).try_for_each(|i| {
            match (variant.name_at(i), variant.field_at(i)) {
                (Some(name), Some(field)) => check(name, i, Some(variant.variant_name()), field),
                _ => Ok(()),
            }
        }),
        _ => Ok(()),
    }
}

fn check_value(value: &dyn PartialReflect, field: Option<&NamedField>) -> Result<(), String> {
    let range = field
        .and_then(|field| field.get_attribute::<Range>())
        .copied();
    let is_time = field
        .and_then(|field| field.get_attribute::<Unit>())
        .is_some_and(|unit| unit.0 == "ms");
    // Times are counted in steps, other numbers are kept in single precision.
    let check_number = |number: f64| {
        if is_time {
            check_range(number, range)
        } else {
            check_number(number, range)
        }
    };
    if let Some(distribution) = value.try_downcast_ref::<Distribution>() {
        return check_distribution(distribution, range);
    }
    if let Some(number) = value.try_downcast_ref::<f64>() {
        return check_number(*number);
    }
    if let Some(numbers) = value.try_downcast_ref::<Vec<f64>>() {
        return numbers.iter().try_for_each(|number| check_number(*number));
    }
    if let Some(Some(distribution)) = value.try_downcast_ref::<Option<Distribution>>() {
        return check_distribution(distribution, range);
    }
    match value.try_downcast_ref::<Option<f64>>() {
        Some(Some(number)) => check_number(*number),
        _ => Ok(()),
    }
}

fn check_range(number: f64, range: Option<Range>) -> Result<(), String> {
    let range = range.unwrap_or(Range::finite());
    match range.contains(number) {
        true => Ok(()),
        false => Err(format!(
            "{} is out of range: must be {range}",
            plain(number)
        )),
    }
}

fn check_number(number: f64, range: Option<Range>) -> Result<(), String> {
    check_range(number, range)?;
    if number.abs() > f64::from(f32::MAX) {
        return Err(format!(
            "{} is too large for 32 bits; the largest number is about 3.4e38",
            plain(number)
        ));
    }
    Ok(())
}

/// Checks a distribution in itself, against the range of its field, and against single precision.
pub(super) fn check_distribution(
    distribution: &Distribution,
    range: Option<Range>,
) -> Result<(), String> {
    if let Distribution::Constant(value) = distribution {
        return check_number(*value, range);
    }
    distribution.check()?;
    let (low, high) = distribution.bounds();
    let range = range.unwrap_or(Range::finite());
    for (bound, limit) in [(low, range.min), (high, range.max)] {
        if !(range.contains(bound) || bound.is_infinite() && limit.is_infinite()) {
            return Err(format!(
                "the distribution reaches {}; allowed is {range}",
                plain(bound)
            ));
        }
    }
    let most = distribution.largest_magnitude();
    if !(most <= f64::from(f32::MAX)) {
        return Err(format!(
            "the distribution reaches {}, which is too large for 32 bits; the largest number is about 3.4e38",
            shown(most)
        ));
    }
    Ok(())
}

/// The field `name` of a struct, if it is a distribution.
pub(super) fn distribution_of<'a>(
    value: &'a dyn PartialReflect,
    name: &str,
) -> Option<&'a Distribution> {
    match value.reflect_ref() {
        ReflectRef::Struct(fields) => fields.field(name)?.try_downcast_ref(),
        _ => None,
    }
}

/// Whether a struct has a distribution among its fields that differs between neurons.
pub(super) fn varies(value: &dyn PartialReflect) -> bool {
    let drawn = |field: &dyn PartialReflect| match field.try_downcast_ref::<Distribution>() {
        Some(distribution) => !distribution.is_constant(),
        None => {
            matches!(field.try_downcast_ref::<Option<Distribution>>(), Some(Some(d)) if !d.is_constant())
        }
    };
    match value.reflect_ref() {
        ReflectRef::Struct(fields) => (0..fields.field_len())
            .filter_map(|i| fields.field_at(i))
            .any(drawn),
        _ => false,
    }
}

/// Checks that weights up to a magnitude of `largest` can be summed.
pub(super) fn check_weight(largest: f64) -> Result<(), String> {
    if largest == 0.0 || (SMALLEST_WEIGHT..=LARGEST_WEIGHT).contains(&largest) {
        return Ok(());
    }
    let largest = shown(largest);
    Err(format!(
        "weights reach a magnitude of {largest}; allowed are 0 and magnitudes from {SMALLEST_WEIGHT:e} to {LARGEST_WEIGHT:e}"
    ))
}

/// Checks a selection and warns if it is empty.
pub(in crate::scene) fn check_selection(
    selection: &Selection,
    path: String,
    neurons: u32,
    warnings: &mut Vec<Warning>,
) -> Result<u32, BuildError> {
    let count = selection
        .count(neurons)
        .map_err(|e| BuildError::new(path.clone(), e))?;
    if count == 0 {
        warnings.push(Warning::new(path, "no neuron is selected"));
    }
    Ok(count)
}
