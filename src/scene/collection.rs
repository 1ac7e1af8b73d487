//! Lists, arrays, sets and maps: values of any number.

use super::decode::{Decoded, Decoder};
use super::describe::found;
use super::parse::{Node, Value};
use bevy::reflect::array::{ArrayInfo, DynamicArray};
use bevy::reflect::list::{DynamicList, ListInfo};
use bevy::reflect::map::{DynamicMap, Map, MapInfo};
use bevy::reflect::set::{DynamicSet, Set, SetInfo};
use bevy::reflect::tuple::DynamicTuple;
use bevy::reflect::{TypeInfo, UnnamedField};

impl Decoder<'_> {
    pub(super) fn list(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        list: &'static ListInfo,
    ) -> Decoded {
        let mut dynamic = DynamicList::default();
        match (&node.value, list.item_info()) {
            (Value::List(items), item_info) => {
                for (index, item) in items.iter().enumerate() {
                    dynamic.push_box(self.at_index(index).part(item, item_info)?);
                }
            }
            (Value::Map(entries), Some(TypeInfo::Tuple(pair))) if pair.field_len() == 2 => {
                let part = |index: usize| pair.field_at(index).and_then(UnnamedField::type_info);
                for (key, value) in entries {
                    let mut tuple = DynamicTuple::default();
                    let text = found_key(key);
                    tuple.insert_boxed(self.key(key, &text, part(0))?);
                    tuple.insert_boxed(self.at_key(&text).part(value, part(1))?);
                    dynamic.push_box(Box::new(tuple));
                }
            }
            _ => return Err(self.mismatch(node, info)),
        }
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }

    pub(super) fn array(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        array: &'static ArrayInfo,
    ) -> Decoded {
        let items = match &node.value {
            Value::List(items) | Value::Tuple { name: None, items } => items.as_slice(),
            Value::Unit => &[],
            _ => return Err(self.mismatch(node, info)),
        };
        if items.len() != array.capacity() {
            return Err(self.mismatch(node, info));
        }
        let items = items.iter().enumerate();
        let items = items.map(|(index, item)| self.at_index(index).part(item, array.item_info()));
        let mut dynamic = DynamicArray::new(items.collect::<Result<_, _>>()?);
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }

    /// The key of a map entry: unit and range of the map belong to its values.
    fn key(&self, node: &Node, text: &str, info: Option<&'static TypeInfo>) -> Decoded {
        self.at_key(text).without_attributes().part(node, info)
    }

    pub(super) fn map(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        map: &'static MapInfo,
    ) -> Decoded {
        let Value::Map(entries) = &node.value else {
            return Err(self.mismatch(node, info));
        };
        let mut dynamic = DynamicMap::default();
        for (key, value) in entries {
            let text = found_key(key);
            let key_value = self.key(key, &text, map.key_info())?;
            if key_value.reflect_hash().is_none() {
                return Err(self.mismatch(key, info));
            }
            if dynamic.get(&*key_value).is_some() {
                return Err(self.error(key, format!("the key {} is given twice", found(key))));
            }
            let value = self.at_key(&text).part(value, map.value_info())?;
            dynamic.insert_boxed(key_value, value);
        }
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }

    pub(super) fn set(
        &self,
        node: &Node,
        info: &'static TypeInfo,
        set: &'static SetInfo,
    ) -> Decoded {
        let Value::List(items) = &node.value else {
            return Err(self.mismatch(node, info));
        };
        let registration = self.registry.get(set.value_ty().id());
        let item_info = registration.map(|registration| registration.type_info());
        let mut dynamic = DynamicSet::default();
        for (index, item) in items.iter().enumerate() {
            let place = self.at_index(index);
            let value = place.part(item, item_info)?;
            if value.reflect_hash().is_none() || value.reflect_partial_eq(&*value) != Some(true) {
                return Err(place.mismatch(item, info));
            }
            if !dynamic.insert_boxed(value) {
                return Err(place.error(item, format!("{} is given twice", found(item))));
            }
        }
        dynamic.set_represented_type(Some(info));
        self.finished(node, info, Box::new(dynamic))
    }
}

/// The text of a key in a path.
fn found_key(key: &Node) -> String {
    match &key.value {
        Value::Str(text) | Value::Ident(text) => text.clone(),
        _ => found(key),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{read, refused};
    use crate::sim::quantity::{Range, Unit};
    use bevy::reflect::Reflect;
    use std::collections::{BTreeMap, HashMap, HashSet};

    #[test]
    fn lists_and_arrays_hold_items() {
        assert_eq!(read("[1, \"n\", 3.0]"), Ok(vec![1_u8, 4, 3]));
        assert_eq!(read("[]"), Ok(Vec::<f32>::new()));
        assert_eq!(read("[[1, 2], [3, 4]]"), Ok(vec![[1_u8, 2], [3, 4]]));
        assert_eq!(read("(1, 2)"), Ok([1_u8, 2]));
        assert_eq!(refused::<Vec<u8>>("3"), "f:1:1: expected a list, found 3");
        assert_eq!(
            refused::<Vec<Vec<u8>>>("[[1],\n [2, x]]"),
            "f:2:6: [1][1]: expected a whole number, found the name x"
        );
        assert_eq!(
            refused::<[u8; 2]>("[1]"),
            "f:1:1: expected a list of 2 values, found a list of 1 value"
        );
    }

    #[test]
    fn maps_hold_entries() {
        let text = "{\"a\": 1, \"b\": \"n\"}";
        let pairs = [("a".to_string(), 1.0_f32), ("b".to_string(), 4.0)];
        assert_eq!(read(text), Ok(HashMap::from(pairs.clone())));
        assert_eq!(read(text), Ok(BTreeMap::from(pairs.clone())));
        assert_eq!(read(text), Ok(Vec::from(pairs.clone())));
        assert_eq!(read("[(\"a\", 1), (\"b\", 4)]"), Ok(Vec::from(pairs)));
        assert_eq!(read("{2: true}"), Ok(BTreeMap::from([(2_u8, true)])));
        for (text, error) in [
            (
                "{\"a\": true}",
                "f:1:7: [\"a\"]: expected a whole number, found true",
            ),
            (
                "{a: 1}",
                "f:1:2: [\"a\"]: expected a string, found the name a\nhelp: a string stands in quotes: \"a\"",
            ),
            (
                "[1]",
                "f:1:1: expected a map {key: value}, found a list of 1 value",
            ),
        ] {
            assert_eq!(refused::<HashMap<String, u8>>(text), error);
        }
        assert_eq!(
            refused::<BTreeMap<u8, u8>>("{1: 2, 0x1: 3}"),
            "f:1:8: the key 0x1 is given twice"
        );
    }

    #[test]
    fn sets_hold_each_item_once() {
        assert_eq!(read("[1, 2]"), Ok(HashSet::from([1_u8, 2])));
        assert_eq!(
            refused::<HashSet<u8>>("[1, 2, 1.0]"),
            "f:1:8: [2]: 1.0 is given twice"
        );
        assert_eq!(
            refused::<HashSet<u8>>("1"),
            "f:1:1: expected a list, found 1"
        );
    }

    #[test]
    fn a_range_holds_for_values_and_not_for_keys() {
        #[derive(Reflect, Debug, PartialEq)]
        struct Table {
            #[reflect(@Unit("nS"), @Range::positive())]
            weights: Vec<(i8, f32)>,
        }
        let weights = vec![(-1, 2.0)];
        assert_eq!(read("(weights: {-1: 2})"), Ok(Table { weights }));
        assert_eq!(
            refused::<Table>("(weights: {-1: -2})"),
            "f:1:16: weights[\"-1\"]: -2 is out of range: must be more than 0 (nS)"
        );
    }
}
