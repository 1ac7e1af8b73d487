//! What a type cannot say about itself: types that read themselves, and types chosen by a name in the text.

use super::decode::Decoder;
use super::describe::type_name;
use super::error::{SceneError, listed, unknown};
use super::parse::{Node, Value};
use bevy::reflect::{FromType, PartialReflect, Reflect, TypeRegistration};

/// A type that reads itself from a scene; register it with `#[reflect(Decode)]`.
///
/// ```ignore
/// #[derive(Reflect)]
/// #[reflect(Decode)]
/// enum Distribution {
///     Constant(f32),
///     Normal { mean: f32, sd: f32 },
/// }
///
/// impl Decode for Distribution {
///     fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
///         match node.value {
///             Value::Number(_) | Value::Str(_) => Ok(Self::Constant(decoder.decode(node)?)),
///             _ => decoder.decode_plain(node),
///         }
///     }
/// }
/// ```
pub trait Decode: Reflect + Sized {
    /// Reads the value at `node`. [`Decoder::decode_plain`] reads it as if there were no such function.
    fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError>;
}

/// What a hook returns.
pub type Decoded = Result<Box<dyn PartialReflect>, SceneError>;

/// The type data of [`Decode`]: how a type reads itself.
#[derive(Clone)]
pub struct ReflectDecode {
    /// Reads the value at a node.
    pub decode: fn(&Decoder<'_>, &Node) -> Decoded,
}

impl<T: Decode> FromType<T> for ReflectDecode {
    fn from_type() -> Self {
        Self {
            decode: |decoder, node| Ok(Box::new(T::decode(decoder, node)?)),
        }
    }
}

impl Decoder<'_> {
    /// Reads a value whose type is named in the text, `LifExp(tau_m: 20.0)` or `LifExp`, among `candidates`.
    ///
    /// `what` is the kind of thing wanted, for messages: `neuron model`. A candidate's name is its short type
    /// path.
    pub fn decode_named<'r>(
        &self,
        node: &Node,
        candidates: impl Iterator<Item = &'r TypeRegistration>,
        what: &str,
    ) -> Result<(&'r TypeRegistration, Box<dyn PartialReflect>), SceneError> {
        let mut known: Vec<(&str, &TypeRegistration)> = candidates
            .map(|candidate| (type_name(candidate.type_info()), candidate))
            .collect();
        known.sort_unstable_by_key(|(name, _)| *name);
        let names = known.iter().map(|(name, _)| *name);
        let name = match &node.value {
            Value::Ident(name)
            | Value::Tuple {
                name: Some(name), ..
            }
            | Value::Struct {
                name: Some(name), ..
            } => name,
            _ => {
                let known = listed(names);
                let article = match what.starts_with(['a', 'e', 'i', 'o', 'u']) {
                    true => "an",
                    false => "a",
                };
                let error = self.expected(node, &format!("the name of {article} {what}"));
                return Err(error.with_help(format!("known: {known}")));
            }
        };
        let Some((_, registration)) = known.iter().find(|(known, _)| known == name) else {
            return Err(self.error(node, unknown(what, name, names)));
        };
        Ok((*registration, self.decode_type(node, registration)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, read_with, refused};
    use super::super::encode::{Encode, ReflectEncode, encode_with};
    use super::*;
    use crate::sim::quantity::{Range, Unit};
    use bevy::reflect::prelude::ReflectDefault;
    use bevy::reflect::{TypePath, TypeRegistry};
    use std::sync::Arc;

    #[derive(Reflect, Clone, Debug, PartialEq)]
    #[reflect(Decode, Encode)]
    enum Distribution {
        Constant(f32),
        Normal { mean: f32, sd: f32 },
    }

    impl Decode for Distribution {
        fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
            match node.value {
                Value::Number(_) | Value::Str(_) => Ok(Self::Constant(decoder.decode(node)?)),
                _ => decoder.decode_plain(node),
            }
        }
    }

    impl Encode for Distribution {
        fn written_as(&self) -> Option<&dyn PartialReflect> {
            match self {
                Self::Constant(value) => Some(value),
                Self::Normal { .. } => None,
            }
        }
    }

    #[derive(Clone)]
    struct ReflectNeuronModel;

    impl<T> FromType<T> for ReflectNeuronModel {
        fn from_type() -> Self {
            Self
        }
    }

    #[derive(Reflect, Debug, PartialEq)]
    #[reflect(Default, NeuronModel)]
    struct LifExp {
        #[reflect(@Unit("ms"), @Range::positive())]
        tau_m: f32,
        #[reflect(@Unit("mV"))]
        v: Distribution,
    }

    impl Default for LifExp {
        fn default() -> Self {
            Self {
                tau_m: 10.0,
                v: Distribution::Constant(-65.0),
            }
        }
    }

    #[derive(Reflect, Debug, PartialEq, Default)]
    #[reflect(Default, NeuronModel)]
    struct Poisson(#[reflect(@Unit("Hz"), @Range::non_negative())] f32);

    /// A value of any model: a type with a way of its own to read itself that is opaque to reflection.
    #[derive(Reflect, Clone)]
    #[reflect(opaque, Decode, Encode)]
    struct AnyModel(Arc<dyn PartialReflect>);

    impl Decode for AnyModel {
        fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
            let models = decoder.registry().iter_with_data::<ReflectNeuronModel>();
            let models = models.map(|(registration, _)| registration);
            let (_, model) = decoder.decode_named(node, models, "neuron model")?;
            Ok(Self(model.into()))
        }
    }

    impl Encode for AnyModel {
        fn written_as(&self) -> Option<&dyn PartialReflect> {
            Some(&*self.0)
        }
    }

    #[derive(Reflect)]
    struct Region {
        name: String,
        model: AnyModel,
    }

    #[derive(Reflect)]
    struct Scene {
        regions: Vec<Region>,
    }

    fn registry() -> TypeRegistry {
        let mut registry = TypeRegistry::new();
        registry.register::<Scene>();
        registry.register::<LifExp>();
        registry.register::<Poisson>();
        registry
    }

    fn named(text: &str) -> Result<(String, Box<dyn PartialReflect>), String> {
        read_with(
            &registry(),
            |decoder, node| {
                let models = decoder.registry().iter_with_data::<ReflectNeuronModel>();
                let models = models.map(|(registration, _)| registration);
                let (registration, value) = decoder.decode_named(node, models, "neuron model")?;
                Ok((registration.type_info().type_path().to_string(), value))
            },
            text,
        )
    }

    #[test]
    fn a_type_with_its_own_way_reads_itself() {
        assert_eq!(read("3.5"), Ok(Distribution::Constant(3.5)));
        assert_eq!(read("\"n * 2\""), Ok(Distribution::Constant(8.0)));
        assert_eq!(read("Constant(2)"), Ok(Distribution::Constant(2.0)));
        let normal = Distribution::Normal { mean: 1.0, sd: 0.1 };
        assert_eq!(read("Normal(mean: 1.0, sd: 0.1)"), Ok(normal.clone()));
        let listed = "[Normal(mean: 1.0, sd: 0.1), 2]";
        assert_eq!(read(listed), Ok(vec![normal, Distribution::Constant(2.0)]));
        assert_eq!(
            refused::<Distribution>("Normal(mean: 1.0)"),
            "f:1:1: missing field \"sd\": expected a number"
        );
    }

    #[test]
    fn a_hook_sees_the_unit_and_range_of_its_field() {
        #[derive(Reflect, Debug)]
        struct Synapse {
            #[reflect(@Unit("nS"), @Range::non_negative())]
            weight: Option<Distribution>,
        }
        assert!(read::<Synapse>("(weight: 2)").is_ok());
        assert_eq!(
            refused::<Synapse>("(weight: -2)"),
            "f:1:10: weight: -2 is out of range: must be 0 or more (nS)"
        );
        assert_eq!(
            refused::<Synapse>("(weight: Constant(true))"),
            "f:1:19: weight: expected a number (nS), found true"
        );
        assert!(read::<Synapse>("(weight: Normal(mean: -1, sd: 1))").is_ok());
    }

    #[test]
    fn a_value_is_chosen_by_the_name_of_its_type() {
        let (path, value) = named("LifExp(tau_m: \"n * 5\")").unwrap();
        assert_eq!(path, LifExp::type_path());
        let expected = LifExp {
            tau_m: 20.0,
            ..LifExp::default()
        };
        assert_eq!(value.try_downcast_ref::<LifExp>(), Some(&expected));
        for text in ["LifExp", "LifExp()"] {
            let (_, value) = named(text).unwrap();
            assert_eq!(value.try_downcast_ref(), Some(&LifExp::default()));
        }
        let (_, value) = named("Poisson(20)").unwrap();
        assert_eq!(value.try_downcast_ref(), Some(&Poisson(20.0)));
    }

    #[test]
    fn a_name_that_no_candidate_has_gets_the_nearest() {
        for (text, error) in [
            (
                "LifEpx(tau_m: 1)",
                "f:1:1: unknown neuron model \"LifEpx\"; did you mean \"LifExp\"? known: LifExp, Poisson",
            ),
            (
                "Distribution",
                "f:1:1: unknown neuron model \"Distribution\"; known: LifExp, Poisson",
            ),
            (
                "(tau_m: 1)",
                "f:1:1: expected the name of a neuron model, found fields in parentheses\nhelp: known: LifExp, Poisson",
            ),
            (
                "3",
                "f:1:1: expected the name of a neuron model, found 3\nhelp: known: LifExp, Poisson",
            ),
            (
                "LifExp(tau_m: -3)",
                "f:1:15: tau_m: -3 is out of range: must be more than 0 (ms)",
            ),
            (
                "LifExp(tau: 3)",
                "f:1:8: unknown field \"tau\"; did you mean \"tau_m\"? known: tau_m, v",
            ),
        ] {
            assert_eq!(named(text).unwrap_err(), error);
        }
    }

    #[test]
    fn a_whole_scene_is_read_at_once_with_paths_in_its_errors() {
        let read = |text: &str| {
            read_with(
                &registry(),
                |decoder, node| decoder.decode::<Scene>(node),
                text,
            )
        };
        let scene = read(
            "Scene(regions: [(name: \"a\", model: LifExp), (name: \"b\", model: Poisson(8))])",
        )
        .unwrap();
        let model = &scene.regions[1].model.0;
        assert_eq!(scene.regions[1].name, "b");
        assert_eq!(model.try_downcast_ref(), Some(&Poisson(8.0)));
        assert_eq!(
            encode_with(&scene.regions, &registry()).unwrap(),
            "[Region(name: \"a\", model: LifExp(tau_m: 10.0, v: -65.0)), Region(name: \"b\", model: Poisson(8.0))]"
        );
        assert_eq!(
            read("(regions: [\n (name: \"a\", model: LifExp(\n  v: \"x\"))])")
                .err()
                .unwrap(),
            "f:3:6: regions[0].model.v: expected a number (mV), found the string \"x\": unknown name \"x\"; known: n, scale, pi, e, inf, true, false"
        );
        assert_eq!(
            read("(regions: [(name: \"a\", model: Lif)])")
                .err()
                .unwrap(),
            "f:1:31: regions[0].model: unknown neuron model \"Lif\"; known: LifExp, Poisson"
        );
    }

    #[test]
    fn a_registration_is_enough_to_read_a_value() {
        let registry = registry();
        let registration = registry.get_with_short_type_path("LifExp").unwrap();
        let read = |text| {
            read_with(
                &registry,
                |decoder, node| decoder.decode_type(node, registration),
                text,
            )
        };
        assert_eq!(
            read("()").unwrap().try_downcast_ref(),
            Some(&LifExp::default())
        );
    }
}
