//! The order of a step is complete: two systems of which neither is before the other never touch the same data, in any network. And a
//! simulation is a world of its own: many run side by side.

mod support;

use bevy::prelude::*;
use neuropil::prelude::*;
use neuropil::scene::shipped;
use neuropil::sim::clock::Clock;
use neuropil::sim::{SimSystems, step_schedule};
use support::{Network, Outcome, lanes, networks, run, succeed};

fn advance_twice(mut clock: ResMut<Clock>) {
    *clock = Clock::resumed(clock.dt_ms(), clock.steps_done() + 2);
}

fn advance_thrice(mut clock: ResMut<Clock>) {
    *clock = Clock::resumed(clock.dt_ms(), clock.steps_done() + 3);
}

fn read_clock(clock: Res<Clock>) {
    assert!(clock.dt_ms() > 0.0);
}

fn world() -> World {
    let mut world = World::new();
    world.insert_resource(Clock::new(0.1));
    world
}

/// Ambiguity is an error, so that a network builds at all says that there is none; with every kind of probe and stimulus, too.
#[test]
fn no_network_has_an_ambiguous_order() {
    for network in networks() {
        let scene = network.observed();
        let mut simulation = network.build_scene(
            &scene,
            &BuildOptions {
                statistics: true,
                ..lanes(2)
            },
        );
        simulation.run_steps(3);
        assert_eq!(simulation.clock().steps_done(), 3);
        let conflicts = simulation.schedule().graph().conflicting_systems();
        assert!(
            conflicts.0.is_empty(),
            "{}: {:?}",
            network.name,
            conflicts.0
        );
    }
}

#[test]
fn an_ambiguous_pair_is_an_error() {
    let error = |add: &dyn Fn(&mut Schedule)| {
        let (mut schedule, mut world) = (step_schedule(), world());
        add(&mut schedule);
        schedule
            .initialize(&mut world)
            .err()
            .map(|e| e.to_string(schedule.graph(), &world))
    };
    // Two that write the same, and one that reads what another writes, in one stage.
    let writers = error(&|s| {
        s.add_systems((advance_twice, advance_thrice).in_set(SimSystems::Learn));
    });
    let text = writers.expect("an error");
    assert!(
        text.contains("advance_twice") && text.contains("advance_thrice"),
        "{text}"
    );
    let reader = error(&|s| {
        s.add_systems((advance_twice, read_clock).in_set(SimSystems::Record));
    });
    assert!(reader.expect("an error").contains("read_clock"));
    // A system in no stage at all has no order either.
    let stray = error(&|s| {
        s.add_systems(advance_twice.in_set(SimSystems::First))
            .add_systems(advance_thrice);
    });
    assert!(stray.expect("an error").contains("advance_thrice"));
    // What is ordered, by itself or by its stages, or only reads, is none.
    for ordered in [
        &(|s: &mut Schedule| {
            s.add_systems(
                (advance_twice, advance_thrice)
                    .chain()
                    .in_set(SimSystems::Learn),
            );
        }) as &dyn Fn(&mut Schedule),
        &|s| {
            s.add_systems((
                advance_twice.in_set(SimSystems::Behave),
                advance_thrice.in_set(SimSystems::Modulate),
            ));
        },
        &|s| {
            s.add_systems((read_clock, || ()).in_set(SimSystems::Last));
        },
    ] {
        assert_eq!(error(ordered), None);
    }
}

/// Stages run in their order, whatever the order in which their systems were added.
#[test]
fn stages_run_in_order() {
    #[derive(Resource, Default)]
    struct Ran(Vec<SimSystems>);
    let mut schedule = step_schedule();
    for stage in SimSystems::ALL.into_iter().rev() {
        schedule.add_systems((move |mut ran: ResMut<Ran>| ran.0.push(stage)).in_set(stage));
    }
    let mut world = world();
    world.init_resource::<Ran>();
    schedule.run(&mut world);
    assert_eq!(world.resource::<Ran>().0, SimSystems::ALL);
}

/// `neuropil schedule` prints every stage in order, what it reads and writes, and the systems that are in it.
#[test]
fn the_printed_schedule_is_the_live_one() {
    let folder = support::folder("schedule");
    let systems = |scene: &str| -> Vec<Vec<String>> {
        let table = succeed(&folder, &["schedule", scene]).out;
        let mut lines = table.lines();
        assert!(
            lines
                .next()
                .is_some_and(|head| head.starts_with("stage") && head.ends_with("systems")),
            "{table}"
        );
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), 12, "{table}");
        let row = |(line, stage): (&&str, SimSystems)| {
            let rest = line
                .strip_prefix(&format!("{stage:?} "))
                .unwrap_or_else(|| panic!("{stage:?} is not in its place:\n{table}"));
            let systems = rest
                .trim_start()
                .strip_prefix(stage.contract())
                .unwrap_or_else(|| panic!("{line}"));
            systems
                .trim()
                .split(", ")
                .filter(|name| *name != "–")
                .map(str::to_owned)
                .collect()
        };
        lines.iter().zip(SimSystems::ALL).map(row).collect()
    };
    for (scene, _) in shipped::SCENES {
        let stages = systems(scene);
        let of = |stage: SimSystems| {
            &stages[SimSystems::ALL
                .iter()
                .position(|s| *s == stage)
                .expect("a stage")]
        };
        assert_eq!(of(SimSystems::First), &["advance_clock"], "{scene}");
        assert!(
            of(SimSystems::Integrate)
                .iter()
                .all(|s| s.contains('<') || s == "clamp_spikes" || s == "integrate_srm"),
            "{scene}: {stages:?}"
        );
        assert!(
            !of(SimSystems::Integrate).is_empty()
                && of(SimSystems::Propagate).contains(&"list_spikes".to_owned()),
            "{scene}"
        );
        assert!(
            of(SimSystems::Record).contains(&"record_statistics".to_owned()),
            "{scene}"
        );
        assert!(of(SimSystems::Grow).is_empty(), "{scene}");
    }
    assert_eq!(
        succeed(&folder, &["schedule"]).out,
        succeed(&folder, &["schedule", "cuba"]).out,
        "cuba unless said otherwise"
    );
    // The rich network has one system of each kind, each in its stage.
    support::write_rich(&folder);
    let stages = systems("rich.ron");
    assert_eq!(
        stages[1],
        ["background_input", "drive_currents", "input_spikes"]
    );
    assert_eq!(stages[2], ["deliver"]);
    assert_eq!(
        stages[3].len(),
        8,
        "seven models and the clamps: {:?}",
        stages[3]
    );
    assert_eq!(
        stages[10],
        [
            "record_columns",
            "record_rates",
            "record_spikes",
            "record_statistics"
        ]
    );
    std::fs::remove_dir_all(folder).expect("a folder");
}

/// The least that can be simulated: one neuron that nothing reaches.
#[test]
fn the_smallest_simulation_runs() {
    let mut scene = Scene::default();
    let error = Simulation::new(&scene, &BuildOptions::default())
        .err()
        .expect("nothing to simulate");
    assert_eq!(
        error.to_string(),
        "regions: a scene needs at least one region"
    );
    scene
        .regions
        .push(RegionSpec::new("cell", 1, LifExp::default()));
    let mut simulation = Simulation::new(&scene, &BuildOptions::default()).expect("a network");
    simulation.run_steps(1000);
    assert_eq!(
        (
            simulation.clock().steps_done(),
            simulation.spike_count().spikes
        ),
        (1000, 0)
    );
    assert_eq!(simulation.column("cell", "v"), Some(vec![-70.0]));
}

/// Many simulations at once, each with threads of its own, come to what each comes to alone.
#[test]
fn simulations_run_side_by_side() {
    type Make = fn() -> Network;
    let makers: [Make; 6] = [
        support::rich,
        support::pushing,
        support::wide,
        support::switching,
        || Network::shipped("izhikevich2003"),
        || Network::shipped("cuba"),
    ];
    let alone: Vec<Outcome> = makers.iter().map(|make| run(&make(), &lanes(1))).collect();
    std::thread::scope(|scope| {
        // Each twice at the same time.
        for (make, alone) in makers.iter().zip(&alone).chain(makers.iter().zip(&alone)) {
            scope.spawn(move || {
                let network = make();
                // The calling thread takes turns with another simulation of its own.
                let (mut one, mut other) = (network.build(&lanes(2)), network.build(&lanes(1)));
                for _ in 0..network.steps {
                    one.step();
                    other.step();
                }
                alone.assert_equals(
                    &Outcome::of(&mut one),
                    &format!("{}, side by side", network.name),
                );
                alone.assert_equals(
                    &Outcome::of(&mut other),
                    &format!("{}, taking turns", network.name),
                );
            });
        }
    });
    let different: std::collections::HashSet<u64> = alone.iter().map(|o| o.count.hash).collect();
    assert_eq!(different.len(), makers.len());
}
