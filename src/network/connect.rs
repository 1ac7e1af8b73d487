//! stub
#![allow(missing_docs)]
use crate::sim::rng::Random;
use bevy::prelude::*;
#[derive(Reflect, Clone, Debug, PartialEq)]
pub struct ListEntry { pub source: u32, pub target: u32, pub weight: Option<f64>, pub delay_ms: Option<f64> }
#[derive(Reflect, Clone, Debug, PartialEq)]
pub enum Rule { AllToAll, FixedIndegree(u32), FixedTotalNumber(u64), List(Vec<ListEntry>), ListFile(String) }
pub struct Request<'a> { pub rule: &'a Rule, pub sources: u32, pub targets: u32, pub same_region: bool, pub autapses: bool, pub multapses: bool, pub source_positions: &'a [[f32;3]], pub target_positions: &'a [[f32;3]], pub random: Random, pub threads: usize, pub progress: &'a (dyn Fn(f32) + Sync) }
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct ConnectError;
#[derive(Debug)]
pub struct Plan { rows: Vec<Vec<u32>> }
pub struct Estimate { pub synapses: f64, pub temporary_bytes: f64 }
pub fn estimate(rule: &Rule, s: u32, t: u32) -> Result<Estimate, ConnectError> { Ok(Estimate { synapses: match rule { Rule::FixedIndegree(k) => *k as f64 * t as f64, Rule::FixedTotalNumber(n) => *n as f64, _ => s as f64 * t as f64 }, temporary_bytes: 0.0 }) }
pub fn indegree_bound(rule: &Rule, s: u32, t: u32) -> u32 { match rule { Rule::FixedIndegree(k) => *k, Rule::FixedTotalNumber(n) => { let m = *n as f64 / t as f64; (m + 10.0 * m.sqrt() + 16.0) as u32 } _ => s } }
pub fn plan(r: &Request<'_>) -> Result<Plan, ConnectError> {
    let mut rows = vec![Vec::new(); r.sources as usize];
    match r.rule {
        Rule::AllToAll => rows.iter_mut().for_each(|row| row.extend(0..r.targets)),
        Rule::FixedIndegree(k) => for t in 0..r.targets { let mut d = r.random.draws(t as u64); for _ in 0..*k { rows[d.below(r.sources) as usize].push(t); } },
        Rule::FixedTotalNumber(n) => { let mut d = r.random.draws(0); for _ in 0..*n { let s = d.below(r.sources); rows[s as usize].push(d.below(r.targets)); } }
        _ => {}
    }
    Ok(Plan { rows })
}
impl Plan {
    pub fn row_len(&self, s: u32) -> u32 { self.rows[s as usize].len() as u32 }
    pub fn fill_row(&self, s: u32, out: &mut Vec<u32>) { out.extend_from_slice(&self.rows[s as usize]); }
}
