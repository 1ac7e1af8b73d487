//! Scenes: text or Rust values that describe a network, and how they become one.
//!
//! | module | step |
//! |---|---|
//! | [`load`] | a file or a shipped scene becomes a checked [`Scene`](schema::Scene) |
//! | [`parse`], [`node`] | RON text becomes a tree that knows its lines and columns |
//! | [`expression`], [`context`] | named parameters and arithmetic |
//! | [`decode`], [`encode`] | the tree becomes typed values through the type registry, and back |
//! | [`schema`] | the types of a scene |
//! | [`build`] | a scene becomes a network |
//! | [`shipped`] | the scenes that are part of the program |

#[cfg(test)]
mod agreement;
pub mod build;
mod collection;
pub mod context;
pub mod decode;
mod definitions;
mod describe;
pub mod encode;
pub mod error;
pub mod expression;
mod fields;
mod grammar;
mod hooks;
#[cfg(test)]
mod hostile;
mod lexer;
mod lists;
pub mod load;
mod missing;
mod modulators;
pub mod node;
mod number;
mod outside;
pub mod parse;
pub mod prepare;
mod quanta;
mod rows;
pub mod schema;
pub mod set_field;
pub mod shipped;
mod variant;

use bevy::prelude::*;

/// Registers the types that scenes are made of.
pub fn plugin(app: &mut App) {
    use crate::network::distribution::Distribution;
    app.register_type::<schema::Scene>()
        .register_type::<schema::ModelValue>()
        .register_type_data::<schema::ModelValue, decode::ReflectDecode>()
        .register_type_data::<schema::ModelValue, encode::ReflectEncode>()
        .register_type::<schema::RuleValue>()
        .register_type_data::<schema::RuleValue, decode::ReflectDecode>()
        .register_type_data::<schema::RuleValue, encode::ReflectEncode>()
        .register_type_data::<Distribution, decode::ReflectDecode>()
        .register_type_data::<Distribution, encode::ReflectEncode>();
}
