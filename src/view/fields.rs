//! The fields of a part of a scene, found by reflection, so that a new model, rule or stimulus needs no panel of its own.

use crate::network::distribution::Distribution;
use crate::scene::encode::encode_with;
use crate::scene::schema::chosen;
use crate::scene::set_field::set_field;
use crate::sim::quantity::{Range, Unit};
use bevy::reflect::attributes::CustomAttributes;
use bevy::reflect::enums::{VariantInfo, VariantType};
use bevy::reflect::{NamedField, PartialReflect, ReflectRef, TypeInfo, TypeRegistry};

/// What a field holds, as an editor sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// A number, or a distribution that is always the same number.
    Number {
        /// The number.
        value: f64,
        /// Whether it has no fraction.
        whole: bool,
    },
    /// Yes or no.
    Switch(bool),
    /// One of several words.
    Choice {
        /// The one in force.
        now: String,
        /// All of them.
        all: Vec<&'static str>,
    },
    /// One of several forms that may have fields of their own, which follow: the one in force, and what each is to begin with, as a scene writes it.
    Form {
        /// The name of the one in force.
        now: String,
        /// Names and texts of all of them.
        all: Vec<(&'static str, String)>,
    },
    /// Anything else: as a scene writes it, on one line. If it has named fields, they follow.
    Text(String),
    /// A part with fields of its own, which follow: what it is.
    Group(String),
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its path inside the part, for example `model.tau_m`.
    pub path: String,
    /// How deep it lies: 0 for a field of the part itself.
    pub depth: usize,
    /// Its unit, if it has one.
    pub unit: Option<&'static str>,
    /// What its numbers may be.
    pub range: Option<Range>,
    /// What it holds.
    pub value: FieldValue,
}

impl Field {
    /// Its own name: the end of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// Its path, unit and range, in words.
    pub fn hint(&self) -> String {
        let mut text = self.path.clone();
        if let Some(unit) = self.unit {
            text += &format!(", in {unit}");
        }
        if let Some(range) = self.range {
            text += &format!(", {range}");
        }
        text
    }
}

/// A number as a scene writes it.
pub fn number_text(value: f64, whole: bool) -> String {
    if whole {
        format!("{value:.0}")
    } else {
        format!("{value:?}")
    }
}

/// The fields of a part, without those called `skipped` on the first level.
pub fn fields_of(
    part: &dyn PartialReflect,
    skipped: &[&str],
    registry: &TypeRegistry,
) -> Vec<Field> {
    let mut walk = Walk {
        registry,
        fields: Vec::new(),
    };
    walk.inside(part, "", 0, skipped);
    walk.fields
}

/// What is wrong with giving the field of `part` at `path` the value `text`, if anything is.
pub fn problem_with<T: PartialReflect + Clone>(
    part: &T,
    path: &str,
    text: &str,
    registry: &TypeRegistry,
) -> Option<String> {
    let mut copy = part.clone();
    set_field(&mut copy, path, text, registry)
        .err()
        .map(|error| error.message)
}

/// A value as a scene writes it, on one line.
pub fn one_line(value: &dyn PartialReflect, registry: &TypeRegistry) -> String {
    let text = encode_with(value, registry).unwrap_or_default();
    // Line breaks inside strings are escaped, so these are between values only.
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let text = lines.join(" ");
    text.replace("( ", "(")
        .replace(", )", ")")
        .replace("[ ", "[")
        .replace(", ]", "]")
}

struct Walk<'a> {
    registry: &'a TypeRegistry,
    fields: Vec<Field>,
}

impl Walk<'_> {
    /// Lists the fields inside a struct or a variant with named fields.
    fn inside(&mut self, value: &dyn PartialReflect, path: &str, depth: usize, skipped: &[&str]) {
        let join = |name: &str| match path {
            "" => name.to_owned(),
            _ => format!("{path}.{name}"),
        };
        let info = value.get_represented_type_info();
        match value.reflect_ref() {
            ReflectRef::Struct(fields) => {
                for i in 0..fields.field_len() {
                    let (Some(name), Some(field)) = (fields.name_at(i), fields.field_at(i)) else {
                        continue;
                    };
                    let attributes = match info {
                        Some(TypeInfo::Struct(info)) => {
                            info.field(name).map(|f| f.custom_attributes())
                        }
                        _ => None,
                    };
                    if !skipped.contains(&name) {
                        self.field(field, join(name), depth, attributes);
                    }
                }
            }
            ReflectRef::List(list) => {
                for (i, item) in list.iter().enumerate() {
                    self.field(item, join(&i.to_string()), depth, None);
                }
            }
            ReflectRef::Enum(variant) => {
                let fields = match info {
                    Some(TypeInfo::Enum(info)) => info.variant(variant.variant_name()),
                    _ => None,
                };
                for i in 0..variant.field_len() {
                    let (Some(name), Some(field)) = (variant.name_at(i), variant.field_at(i))
                    else {
                        continue;
                    };
                    let attributes = match fields {
                        Some(VariantInfo::Struct(info)) => {
                            info.field(name).map(|f| f.custom_attributes())
                        }
                        _ => None,
                    };
                    self.field(field, join(name), depth, attributes);
                }
            }
            _ => {}
        }
    }

    fn field(
        &mut self,
        value: &dyn PartialReflect,
        path: String,
        depth: usize,
        attributes: Option<&'static CustomAttributes>,
    ) {
        let held = self.held(value);
        let has_fields = |value: &dyn PartialReflect| match value.reflect_ref() {
            ReflectRef::Enum(variant) => variant.variant_type() == VariantType::Struct,
            _ => false,
        };
        let opened = match held {
            FieldValue::Group(_) => true,
            FieldValue::Form { .. } => has_fields(value),
            FieldValue::Text(_) => {
                has_fields(value) && value.try_downcast_ref::<Distribution>().is_none()
            }
            _ => false,
        };
        self.fields.push(Field {
            path: path.clone(),
            depth,
            unit: attributes.and_then(|a| a.get::<Unit>()).map(|u| u.0),
            range: attributes.and_then(|a| a.get::<Range>()).copied(),
            value: held,
        });
        if opened {
            self.inside(chosen(value).unwrap_or(value), &path, depth + 1, &[]);
        }
    }

    /// What an editor sees in a value.
    fn held(&self, value: &dyn PartialReflect) -> FieldValue {
        if let Some(inner) = chosen(value) {
            let info = inner.get_represented_type_info();
            let name = info.map_or("", |i| i.type_path_table().short_path());
            return FieldValue::Group(name.to_owned());
        }
        if let Some(Some(given)) = value.try_downcast_ref::<Option<Distribution>>() {
            return self.held(given);
        }
        if let Some(Distribution::Constant(value)) = value.try_downcast_ref() {
            return FieldValue::Number {
                value: *value,
                whole: false,
            };
        }
        if let Some((value, whole)) = number_in(value) {
            return FieldValue::Number { value, whole };
        }
        if let Some(on) = value.try_downcast_ref::<bool>() {
            return FieldValue::Switch(*on);
        }
        match (value.reflect_ref(), value.get_represented_type_info()) {
            (ReflectRef::List(list), _) if list.iter().any(|item| chosen(item).is_some()) => {
                FieldValue::Group(String::new())
            }
            (ReflectRef::Struct(_), Some(info)) => {
                FieldValue::Group(info.type_path_table().short_path().to_owned())
            }
            (ReflectRef::Enum(variant), Some(TypeInfo::Enum(info))) => {
                let is_unit = |v: &VariantInfo| v.variant_type() == VariantType::Unit;
                if info.iter().all(is_unit) {
                    return FieldValue::Choice {
                        now: variant.variant_name().to_owned(),
                        all: info.iter().map(VariantInfo::name).collect(),
                    };
                }
                match info.iter().map(beginning).collect() {
                    Some(all) => FieldValue::Form {
                        now: variant.variant_name().to_owned(),
                        all,
                    },
                    None => FieldValue::Text(one_line(value, self.registry)),
                }
            }
            _ => FieldValue::Text(one_line(value, self.registry)),
        }
    }
}

/// The name of a form, and what it is to begin with; none unless it has nothing but numbers with names.
fn beginning(variant: &VariantInfo) -> Option<(&'static str, String)> {
    let name = variant.name();
    match variant {
        VariantInfo::Unit(_) => Some((name, name.to_owned())),
        VariantInfo::Tuple(_) => None,
        VariantInfo::Struct(fields) => {
            let number = |field: &NamedField| {
                field.is::<f64>().then(|| {
                    let range = field.custom_attributes().get::<Range>();
                    let value = range.map_or(1.0, |r| 1.0_f64.clamp(r.min, r.max));
                    format!("{}: {}", field.name(), number_text(value, false))
                })
            };
            let numbers: Option<Vec<String>> = fields.iter().map(number).collect();
            Some((name, format!("{name}({})", numbers?.join(", "))))
        }
    }
}

/// A number of any of the usual types, and whether the type has no fractions.
fn number_in(value: &dyn PartialReflect) -> Option<(f64, bool)> {
    if let Some(number) = value.try_downcast_ref::<f64>() {
        return Some((*number, false));
    }
    if let Some(number) = value.try_downcast_ref::<f32>() {
        return Some((f64::from(*number), false));
    }
    macro_rules! whole {
        ($($number:ty),*) => {$(
            if let Some(number) = value.try_downcast_ref::<$number>() {
                return Some((*number as f64, true));
            }
        )*};
    }
    whole!(u32, u64, usize, i32, i64, u8, u16, i8, i16, isize);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    fn find<'f>(fields: &'f [Field], path: &str) -> &'f Field {
        let known: Vec<&str> = fields.iter().map(|f| f.path.as_str()).collect();
        let found = fields.iter().find(|f| f.path == path);
        found.unwrap_or_else(|| panic!("{path} is not among {known:?}"))
    }

    #[test]
    fn parameters_of_any_model_are_found_with_unit_and_range() {
        let registry = Registry::new();
        let mut region = RegionSpec::new("a", 10, LifExp::default());
        let fields = fields_of(&region, &["name"], &registry.types.read());
        assert!(fields.iter().all(|f| f.path != "name"));
        let tau = find(&fields, "model.tau_m");
        assert_eq!(tau.unit, Some("ms"));
        assert_eq!(tau.range, Some(Range::positive()));
        assert_eq!(
            tau.value,
            FieldValue::Number {
                value: 10.0,
                whole: false
            }
        );
        assert_eq!(tau.hint(), "model.tau_m, in ms, more than 0");
        assert_eq!((tau.name(), tau.depth), ("tau_m", 1));
        let neurons = find(&fields, "neurons");
        assert!(matches!(
            neurons.value,
            FieldValue::Number { whole: true, .. }
        ));
        assert!(matches!(
            &find(&fields, "sign").value,
            FieldValue::Choice { now, all } if now == "Mixed" && all.len() == 3
        ));
        let normal = Distribution::Normal {
            mean: 10.0,
            sd: 1.0,
            min: None,
            max: None,
        };
        region.model = ModelValue::new(LifExp {
            tau_m: normal,
            ..LifExp::default()
        });
        let fields = fields_of(&region, &[], &registry.types.read());
        let tau = find(&fields, "model.tau_m");
        assert!(matches!(&tau.value, FieldValue::Text(t) if t.starts_with("Normal(")));
    }

    #[test]
    fn fields_of_stimuli_are_those_of_their_kind() {
        let registry = Registry::new();
        let stimulus = StimulusSpec::new(
            "a",
            StimulusKind::Alternating {
                amplitude: 100.0,
                offset: 0.0,
                frequency_hz: 8.0,
                phase_deg: 0.0,
            },
        );
        let fields = fields_of(&stimulus, &["name", "to"], &registry.types.read());
        let text = "Alternating(amplitude: 100.0, offset: 0.0, frequency_hz: 8.0, phase_deg: 0.0)";
        assert_eq!(find(&fields, "kind").value, FieldValue::Text(text.into()));
        assert_eq!(find(&fields, "kind.frequency_hz").unit, Some("Hz"));
        assert_eq!(
            find(&fields, "window.stop_ms").value,
            FieldValue::Text("None".into())
        );
        assert_eq!(
            find(&fields, "neurons").value,
            FieldValue::Text("All".into())
        );
    }

    #[test]
    fn forms_with_fields_of_their_own_go_to_each_other_and_back() {
        use crate::plasticity::stdp::Dependence;
        let registry = Registry::new();
        let types = registry.types.read();
        let rule = Stdp {
            dependence: Dependence::PowerLaw {
                mu: 0.4,
                w_ref: 1.0,
            },
            ..Stdp::default()
        };
        let mut projection = ProjectionSpec::new("a", "b", Rule::AllToAll, 1.0, 1.5).learning(rule);
        let path = "plasticity.0.dependence";
        let fields = fields_of(&projection, &[], &types);
        assert!(fields.iter().any(|f| f.path == format!("{path}.w_ref")));
        let FieldValue::Form { now, all } = find(&fields, path).value.clone() else {
            panic!("{:?}", find(&fields, path));
        };
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        assert_eq!(now, "PowerLaw");
        assert_eq!(names, ["Additive", "Multiplicative", "Guetig", "PowerLaw"]);
        for (name, text) in all.iter().rev() {
            set_field(&mut projection, path, text, &types).expect("a form");
            let fields = fields_of(&projection, &[], &types);
            assert!(
                matches!(&find(&fields, path).value, FieldValue::Form { now, .. } if now == name)
            );
        }
        let fields = fields_of(&projection, &[], &types);
        assert!(fields.iter().all(|f| f.path != format!("{path}.w_ref")));
    }

    #[test]
    fn every_text_of_a_field_can_be_set_again() {
        let registry = Registry::new();
        let types = registry.types.read();
        let mut projection = ProjectionSpec::new("a", "b", Rule::FixedIndegree(10), 1.0, 1.5);
        projection.rule = Rule::Distance {
            kernel: crate::network::connect::Kernel::Gaussian {
                sigma_mm: 0.1,
                peak: 0.5,
            },
            period_mm: Some([1.0, 2.0, 123_456.789_012_345]),
        };
        let region = RegionSpec {
            layout: Some(Layout::default()),
            ..RegionSpec::new("a", 10, Izhikevich::default()).starting("v", -65.0)
        };
        let check = |field: &Field, problem: Option<String>| {
            assert_eq!(problem, None, "{field:?}");
        };
        let text = |field: &Field| match &field.value {
            FieldValue::Text(text) => Some(text.clone()),
            FieldValue::Number { value, whole } => Some(number_text(*value, *whole)),
            FieldValue::Switch(on) => Some(on.to_string()),
            FieldValue::Choice { now, .. } => Some(now.clone()),
            FieldValue::Form { .. } | FieldValue::Group(_) => None,
        };
        for field in fields_of(&region, &[], &types) {
            if let Some(text) = text(&field) {
                check(&field, problem_with(&region, &field.path, &text, &types));
            }
        }
        for field in fields_of(&projection, &[], &types) {
            if let Some(text) = text(&field) {
                check(
                    &field,
                    problem_with(&projection, &field.path, &text, &types),
                );
            }
        }
        assert!(problem_with(&region, "model.nonsense", "1", &types).is_some());
        let bad = problem_with(&projection, "delay_ms", "-1", &types);
        assert!(bad.is_some_and(|e| e.contains("more than 0")));
    }
}
