use super::*;
use crate::sim::rng::{Purpose, entity_key};
use std::collections::BTreeSet;

pub(super) fn random(seed: u64) -> Random {
    Random::new(seed, entity_key("from to"), Purpose::Connect)
}

pub(super) fn rows(plan: &Plan) -> Vec<Vec<u32>> {
    (0..plan.sources())
        .map(|source| {
            let mut row = Vec::new();
            plan.fill_row(source, &mut row);
            row
        })
        .collect()
}

pub(super) fn indegrees(rows: &[Vec<u32>], targets: u32) -> Vec<u32> {
    let mut counts = vec![0; targets as usize];
    rows.iter()
        .flatten()
        .for_each(|&target| counts[target as usize] += 1);
    counts
}

/// Positions on a jittered grid in a square of 1 mm.
pub(super) fn positions(n: u32) -> Vec<[f32; 3]> {
    let layout = crate::network::layout::Layout::Sheet {
        size_mm: [1.0, 1.0],
        centre_mm: [0.0; 3],
    };
    layout
        .positions(n, &Random::new(1, 2, Purpose::Layout))
        .unwrap()
}

/// One of each rule, possible for `n` neurons of one region with all switches off.
fn every_rule(n: u32) -> Vec<Rule> {
    let list: Vec<_> = (0..n)
        .map(|i| (i, (i * 7 + 1) % n))
        .filter(|(s, t)| s != t)
        .collect();
    let gaussian = Rule::Distance {
        kernel: Kernel::Gaussian {
            sigma_mm: 0.1,
            peak: 0.7,
        },
        period_mm: Some([1.0, 1.0, 0.0]),
    };
    vec![
        Rule::AllToAll,
        Rule::AllButOwn,
        Rule::FixedIndegree(n / 5),
        Rule::FixedOutdegree(n / 7),
        Rule::FixedTotalNumber(u64::from(n) * u64::from(n) / 3),
        Rule::FixedTotalNumber(u64::from(n) * u64::from(n) / 3 * 2),
        Rule::PairwiseBernoulli(0.1),
        gaussian.clone(),
        Rule::Distance {
            kernel: Kernel::Exponential {
                length_mm: 0.05,
                peak: 1.0,
            },
            period_mm: None,
        },
        Rule::SmallWorld {
            neighbours: 20,
            rewire: 0.3,
        },
        Rule::Pairs(list),
        Rule::Not(vec![Rule::OneToOne, Rule::PairwiseBernoulli(0.6)]),
        Rule::And(vec![Rule::FixedIndegree(n / 4), gaussian]),
        Rule::Or(vec![Rule::FixedTotalNumber(1000), Rule::FixedOutdegree(3)]),
    ]
}

/// Calls `test` with every rule in both settings of the switches.
fn with_every_request(n: u32, test: impl Fn(&Request)) {
    let positions = positions(n);
    for rule in &every_rule(n) {
        for allowed in [true, false] {
            test(&Request {
                same_region: true,
                autapses: allowed,
                multapses: allowed,
                source_positions: &positions,
                target_positions: &positions,
                ..Request::new(rule, n, n, random(5))
            });
        }
    }
}

#[test]
fn rows_are_equal_for_any_number_of_threads() {
    with_every_request(900, |request| {
        let alone = plan(request).unwrap();
        for threads in [2, 7] {
            let plan = plan(&Request {
                threads,
                ..*request
            })
            .unwrap();
            assert_eq!(plan.len(), alone.len());
            assert_eq!(plan.max_indegree_bound(), alone.max_indegree_bound());
            assert!(
                rows(&plan) == rows(&alone),
                "{:?} on {threads} threads",
                request.rule
            );
        }
    });
}

#[test]
fn counts_are_exact_and_bounds_hold() {
    with_every_request(300, |request| {
        let name = request.rule.name();
        let plan = plan(request).unwrap();
        let rows = rows(&plan);
        assert_eq!(
            rows.iter().map(|row| row.len() as u64).sum::<u64>(),
            plan.len(),
            "{name}"
        );
        for (source, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), plan.row_len(source as u32) as usize, "{name}");
            assert!(row.iter().all(|&target| target < request.targets), "{name}");
        }
        assert_eq!(plan.row_len(request.sources), 0);
        let most = indegrees(&rows, request.targets).into_iter().max().unwrap();
        assert!(most <= plan.max_indegree_bound(), "{name}");
        let bound = indegree_bound(request.rule, request.sources, request.targets);
        assert!(plan.max_indegree_bound() <= bound, "{name}");
        let expected = estimate(request.rule, request.sources, request.targets)
            .unwrap()
            .synapses;
        assert!(
            plan.len() as f64 <= 1.05 * expected + 10.0,
            "{name}: {expected} {}",
            plan.len()
        );
    });
}

#[test]
fn switches_are_obeyed() {
    with_every_request(300, |request| {
        for (source, row) in rows(&plan(request).unwrap()).into_iter().enumerate() {
            if !request.autapses {
                assert!(!row.contains(&(source as u32)), "{:?}", request.rule);
            }
            if !request.multapses {
                let different: BTreeSet<_> = row.iter().collect();
                assert_eq!(different.len(), row.len(), "{:?}", request.rule);
            }
        }
    });
    let rule = Rule::FixedTotalNumber(50_000);
    let multapses = plan(&Request::new(&rule, 100, 100, random(1))).unwrap();
    assert_eq!(multapses.len(), 50_000);
}

#[test]
fn degrees_are_fixed() {
    for multapses in [true, false] {
        for same_region in [true, false] {
            let request = |rule| Request {
                same_region,
                autapses: false,
                multapses,
                ..Request::new(rule, 50, 50, random(2))
            };
            let plan_in = plan(&request(&Rule::FixedIndegree(49))).unwrap();
            assert!(
                indegrees(&rows(&plan_in), 50)
                    .iter()
                    .all(|&degree| degree == 49)
            );
            assert_eq!(plan_in.max_indegree_bound(), 49);
            assert!(rows(&plan_in).iter().all(|row| row.is_sorted()));
            let plan_out = plan(&request(&Rule::FixedOutdegree(49))).unwrap();
            assert!(rows(&plan_out).iter().all(|row| row.len() == 49));
            for n in [0, 1, 1224, 1226, 2450] {
                let rule = Rule::FixedTotalNumber(n);
                let plan = plan(&Request {
                    rule: &rule,
                    ..request(&Rule::AllToAll)
                })
                .unwrap();
                assert_eq!(rows(&plan).concat().len() as u64, n);
            }
        }
    }
}

/// Every allowed pair must be hit equally often: chi-square over many seeds.
#[test]
fn every_pair_is_equally_likely() {
    let seeds = 4000;
    let check = |rule: &Rule, same_region, multapses| {
        let (sources, targets) = (8, if same_region { 8 } else { 11 });
        let mut counts = vec![0u32; (sources * targets) as usize];
        for seed in 0..seeds {
            let request = Request {
                same_region,
                autapses: false,
                multapses,
                ..Request::new(rule, sources, targets, random(seed))
            };
            for (source, row) in (0..).zip(rows(&plan(&request).unwrap())) {
                row.iter()
                    .for_each(|&target| counts[(source * targets + target) as usize] += 1);
            }
        }
        if same_region {
            for own in 0..sources {
                assert_eq!(counts[(own * targets + own) as usize], 0, "{rule:?}");
            }
            counts = (0..sources * targets)
                .filter(|pair| pair % targets != pair / targets)
                .map(|pair| counts[pair as usize])
                .collect();
        }
        let pairs = counts.len() as f64;
        let total: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        let expected = total / pairs;
        let chi2: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - expected).powi(2) / expected)
            .sum();
        // The statistic has mean pairs − 1 or less (less where there are fewer multapses or constraints); 4.5 sd above.
        let limit = pairs + 4.5 * libm::sqrt(2.0 * pairs);
        assert!(
            chi2 < limit,
            "{rule:?} {same_region} {multapses}: {chi2} above {limit}"
        );
    };
    for same_region in [true, false] {
        for multapses in [true, false] {
            check(&Rule::FixedIndegree(3), same_region, multapses);
            check(&Rule::FixedOutdegree(3), same_region, multapses);
            check(&Rule::FixedTotalNumber(17), same_region, multapses);
            check(&Rule::FixedTotalNumber(45), same_region, multapses);
            check(&Rule::PairwiseBernoulli(0.3), same_region, multapses);
        }
    }
}

#[test]
fn all_but_own_also_joins_two_regions_of_one_size() {
    let plan = plan(&Request::new(&Rule::AllButOwn, 4, 4, random(1))).unwrap();
    assert_eq!(rows(&plan)[1], [0, 2, 3]);
    assert_eq!((plan.len(), plan.max_indegree_bound()), (12, 3));
    let empty = super::plan(&Request::new(&Rule::AllButOwn, 0, 0, random(1))).unwrap();
    assert!(empty.is_empty());
}

#[test]
fn empty_regions_give_empty_plans() {
    for (sources, targets) in [(0, 5), (5, 0), (0, 0)] {
        for rule in [
            Rule::AllToAll,
            Rule::FixedTotalNumber(0),
            Rule::PairwiseBernoulli(0.5),
            Rule::Pairs(vec![]),
            Rule::Not(vec![Rule::Pairs(vec![])]),
        ] {
            let plan = plan(&Request::new(&rule, sources, targets, random(1))).unwrap();
            assert!(plan.is_empty() && rows(&plan).concat().is_empty());
        }
    }
}

#[test]
fn progress_ends_at_one() {
    let last = std::sync::Mutex::new(0.0f32);
    let rule = Rule::FixedTotalNumber(3_000_000);
    let report = |done: f32| {
        assert!((0.0..=1.0).contains(&done));
        *last.lock().unwrap() = done;
    };
    let request = Request {
        progress: &report,
        ..Request::new(&rule, 100, 100, random(1))
    };
    plan(&request).unwrap();
    assert_eq!(*last.lock().unwrap(), 1.0);
}

#[test]
fn rules_are_read_from_a_scene_by_reflection() {
    use bevy::reflect::serde::TypedReflectDeserializer;
    use bevy::reflect::{FromReflect, TypeRegistry};
    use serde::de::DeserializeSeed;

    let mut registry = TypeRegistry::new();
    registry.register::<Rule>();
    let registration = registry.get(core::any::TypeId::of::<Rule>()).unwrap();
    let text = "And([Not([OneToOne, ListFile(\"a.csv\")]), FixedIndegree(5), Pairs([(0, 1)]), \
                Distance(kernel: Gaussian(sigma_mm: 0.1, peak: 0.5)), List([(source: 1, target: 2)])])";
    let mut deserializer = ron::Deserializer::from_str(text).unwrap();
    let value = TypedReflectDeserializer::new(registration, &registry)
        .deserialize(&mut deserializer)
        .unwrap();
    let entry = ListEntry {
        source: 1,
        target: 2,
        ..ListEntry::default()
    };
    let expected = Rule::And(vec![
        Rule::Not(vec![Rule::OneToOne, Rule::ListFile("a.csv".into())]),
        Rule::FixedIndegree(5),
        Rule::Pairs(vec![(0, 1)]),
        Rule::Distance {
            kernel: Kernel::Gaussian {
                sigma_mm: 0.1,
                peak: 0.5,
            },
            period_mm: None,
        },
        Rule::List(vec![entry]),
    ]);
    assert_eq!(
        Rule::from_reflect(value.as_partial_reflect()),
        Some(expected)
    );
}

#[test]
fn plans_are_the_same_on_every_machine() {
    // If a rule is changed on purpose, print the new hash here and say so in the change log.
    let hash = std::sync::Mutex::new(0u64);
    with_every_request(100, |request| {
        let mut hash = hash.lock().unwrap();
        for target in rows(&plan(request).unwrap()).concat() {
            *hash = crate::sim::rng::avalanche(*hash ^ u64::from(target));
        }
    });
    let hash = hash.into_inner().unwrap();
    assert_eq!(
        hash, 0x0b1e_8498_21fe_fef0,
        "golden hash of connectivity: {hash:#018x}"
    );
}

#[test]
#[ignore = "prints timings"]
fn timing() {
    let time = |what: &str, request: &Request| {
        for threads in [1, 2] {
            let begin = std::time::Instant::now();
            let plan = plan(&Request {
                threads,
                ..*request
            })
            .unwrap();
            let planned = begin.elapsed();
            let begin = std::time::Instant::now();
            let mut row = Vec::new();
            let mut sum = 0u64;
            for source in 0..plan.sources() {
                row.clear();
                plan.fill_row(source, &mut row);
                sum += u64::from(row.first().copied().unwrap_or(0));
            }
            let each = begin.elapsed().as_secs_f64() * 1e9 / plan.len() as f64;
            println!(
                "{what}: {} synapses, {threads} threads, plan {planned:.2?}, fill {each:.2} ns per synapse ({sum})",
                plan.len()
            );
        }
    };
    let apart = |rule, sources, targets| Request::new(rule, sources, targets, random(1));
    let distinct = |rule, sources, targets| Request {
        multapses: false,
        ..Request::new(rule, sources, targets, random(1))
    };
    time(
        "total",
        &apart(&Rule::FixedTotalNumber(300_000_000), 77_169, 77_169),
    );
    time(
        "total, distinct",
        &distinct(&Rule::FixedTotalNumber(30_000_000), 20_000, 20_000),
    );
    time(
        "indegree",
        &apart(&Rule::FixedIndegree(1250), 12_500, 12_500),
    );
    time(
        "indegree, distinct",
        &distinct(&Rule::FixedIndegree(1250), 12_500, 12_500),
    );
    time(
        "outdegree",
        &apart(&Rule::FixedOutdegree(1250), 12_500, 12_500),
    );
    time(
        "outdegree, distinct",
        &distinct(&Rule::FixedOutdegree(1250), 12_500, 12_500),
    );
    time(
        "bernoulli",
        &apart(&Rule::PairwiseBernoulli(0.1), 12_500, 12_500),
    );
    time("all to all", &apart(&Rule::AllToAll, 12_500, 12_500));
    let ring = Rule::SmallWorld {
        neighbours: 100,
        rewire: 0.1,
    };
    time("small world", &apart(&ring, 100_000, 100_000));
    let places = positions(20_000);
    let gaussian = Rule::Distance {
        kernel: Kernel::Gaussian {
            sigma_mm: 0.05,
            peak: 0.5,
        },
        period_mm: Some([1.0, 1.0, 0.0]),
    };
    let request = Request {
        source_positions: &places,
        target_positions: &places,
        ..Request::new(&gaussian, 20_000, 20_000, random(1))
    };
    time("distance", &request);
    let sets = Rule::And(vec![
        Rule::PairwiseBernoulli(0.2),
        Rule::Not(vec![Rule::OneToOne]),
    ]);
    time("sets", &apart(&sets, 5_000, 5_000));
}
