//! From a prepared scene to a network in a world.
//!
//! Connectivity is a function of the seed alone and is made on all cores. See [`prepare`](super::prepare) for what is checked before.

use super::modulators;
use super::outside::{build_probes, build_stimuli};
use super::prepare::{Prepared, build_region, groups, parts_of, union_of_delays};
use super::rows::projection_rows;
use super::schema::{ProjectionSpec, Scene};
use crate::files::Files;
use crate::network::history::SpikeHistory;
use crate::network::plastic::{PlasticPlan, PlasticSynapses};
use crate::network::projection::{Connect, ProjectsFrom, ProjectsTo, Provenance, Synapses};
use crate::network::propagate::SpikeCount;
use crate::network::region::{InputMap, Positions, RUN, Region, SpikeMask, Spikes, valid_bits};
use crate::network::slots::{InputSlots, Slots};
use crate::network::stimulus::Selection;
use crate::network::synapses::{DenseLayout, StorePlan, SynapseStore, Transfer, WeightFormat};
use crate::neurons::srm::region::SrmRegion;
use crate::plasticity::gating::Gating;
use crate::plasticity::upkeep::{Care, Keepers, Lasting};
use crate::plasticity::{BoxedRule, Fading, RuleFunctions, RuleSystems, Unchanging};
use crate::sim::clock::Clock;
use crate::sim::columns::{LANES, padded};
use crate::sim::rng::{Purpose, Random, Seed, entity_key};
use crate::sim::simd::SimdLevel;
use crate::sim::workers::Workers;
use crate::simulation::Synapse;
use crate::synapses::response::respond::Responding;
use crate::synapses::short_term::ShortTerm;
use bevy::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

pub use super::prepare::{BuildError, Warning};

/// Slots that one block can have: a target is a 16-bit index.
const BLOCK_SLOTS: usize = 1 << 16;

/// Blocks that there can be: a block is a 16-bit index, too.
const MOST_BLOCKS: usize = 1 << 16;

/// Neurons per lane below which a further lane would cost more than it brings.
const NEURONS_PER_LANE: u64 = 4_096;

/// How to build and run.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Threads to build and to run on; a small network runs on fewer.
    pub threads: usize,
    /// Run on exactly `threads` lanes even if the network is small: for tests of determinism.
    pub force_lanes: bool,
    /// Vector instructions.
    pub simd: SimdLevel,
    /// Add a probe of statistics over all regions.
    pub statistics: bool,
    /// The most memory that the network may take, in bytes.
    pub memory_limit: Option<u64>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            force_lanes: false,
            simd: SimdLevel::detect(),
            statistics: false,
            memory_limit: None,
        }
    }
}

/// What is printed of a network that is too large.
fn in_gib(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64)
}

/// Makes the system that steps the regions of one model.
pub type Integrate =
    fn() -> bevy::ecs::schedule::ScheduleConfigs<bevy::ecs::system::ScheduleSystem>;

/// What a built network needs besides its world.
pub struct Built {
    /// The systems that step the neuron models which the network has.
    pub integrate: Vec<Integrate>,
    /// Which optional systems the network needs.
    pub needs: Needs,
    /// For every region: what works out again what is derived from its state.
    pub refresh: Vec<(Entity, fn(&mut EntityWorldMut<'_>))>,
}

/// Which optional systems a network needs.
#[derive(Clone, Default)]
pub struct Needs {
    /// A region has a drive.
    pub currents: bool,
    /// A pool acts on the excitability of neurons.
    pub modulated_drive: bool,
    /// A region has intrinsic plasticity.
    pub intrinsic: bool,
    /// A stimulus is Poisson input.
    pub background: bool,
    /// A stimulus is listed input spikes.
    pub inputs: bool,
    /// A stimulus forces or forbids spikes.
    pub clamps: bool,
    /// A store pulls.
    pub pull: bool,
    /// A store pushes.
    pub push: bool,
    /// Spikes go to neurons that are resolved in continuous time.
    pub exact: bool,
    /// There are modulators.
    pub modulators: bool,
    /// A projection has responses.
    pub responses: bool,
    /// The types of rules that there are.
    pub rules: Vec<RuleSystems>,
    /// Which probes there are.
    pub probes: [bool; 6],
}

/// The synapses of a network that is built anew, in case they stay as they are.
pub struct Reuse {
    /// What synapses follow from, in words.
    origin: String,
    formats: Vec<WeightFormat>,
    maps: Vec<InputMap>,
    /// In the order in which they are built.
    stores: Vec<SynapseStore>,
    /// Synapses of each projection.
    counts: Vec<u64>,
}

impl Reuse {
    /// Takes the synapses out of the network of a scene.
    pub fn take(world: &mut World, scene: &Scene, prepared: &Prepared) -> Self {
        let mut regions = world.query::<(&Region, &InputMap)>();
        let mut maps: Vec<_> = regions
            .iter(world)
            .map(|(r, m)| (r.index, m.clone()))
            .collect();
        maps.sort_unstable_by_key(|(index, _)| *index);
        let mut projections = world.query::<(&Connect, &Synapses)>();
        let mut counts = vec![0; scene.projections.len()];
        for (connect, synapses) in projections.iter(world) {
            counts[connect.index as usize] = synapses.count;
        }
        let mut order: Vec<_> = projections
            .iter(world)
            .map(|(c, s)| (c.index, s.store))
            .collect();
        order.sort_unstable();
        let mut stores = Vec::new();
        for group in groups(&prepared.projections).values() {
            let store = group
                .first()
                .and_then(|first| order.get(*first))
                .map(|(_, store)| *store);
            stores.extend(store.and_then(|store| world.entity_mut(store).take::<SynapseStore>()));
        }
        Self {
            origin: origin_of_synapses(scene),
            formats: prepared.projections.iter().map(|p| p.format).collect(),
            maps: maps.into_iter().map(|(_, map)| map).collect(),
            stores,
            counts,
        }
    }

    /// Whether the synapses of a scene are these.
    fn fits(&self, scene: &Scene, prepared: &Prepared, maps: &Maps) -> bool {
        self.maps == maps.regions
            && (prepared.projections.iter())
                .map(|p| p.format)
                .eq(self.formats.iter().copied())
            && self.stores.len() == groups(&prepared.projections).len()
            && self.origin == origin_of_synapses(scene)
    }
}

/// All of a scene that its synapses follow from, apart from files and from what [`Maps`] and formats say.
fn origin_of_synapses(scene: &Scene) -> String {
    let regions: Vec<_> = scene
        .regions
        .iter()
        .map(|r| (&r.name, r.neurons, &r.layout))
        .collect();
    format!(
        "{} {:?} {regions:?} {:?}",
        scene.seed, scene.dt_ms, scene.projections
    )
}

/// Builds a prepared scene into a world. `reuse` are the synapses of the same network before an edit.
///
/// # Errors
/// What only building can show: a rule that cannot be met, too little memory.
pub fn build(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    files: &dyn Files,
    options: &BuildOptions,
    reuse: Option<Reuse>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Built, BuildError> {
    if let Some(limit) = options.memory_limit
        && prepared.peak_bytes > limit
    {
        return Err(BuildError::new(
            "projections",
            format!(
                "the network needs about {} ({:.0} synapses), but {} of memory are free; reduce it or use a larger machine",
                in_gib(prepared.peak_bytes),
                prepared.synapses,
                in_gib(limit)
            ),
        ));
    }
    let lanes = if options.force_lanes {
        options.threads.max(1)
    } else {
        let useful = (prepared.neurons / NEURONS_PER_LANE).max(1) as usize;
        options.threads.clamp(1, useful)
    };
    // The system may grant fewer threads than were asked for.
    let workers = Workers::new(lanes);
    let lanes = workers.lanes();
    world.insert_resource(workers);
    world.insert_resource(options.simd);
    world.insert_resource(Seed(scene.seed));
    world.insert_resource(Clock::new(scene.dt_ms));
    world.insert_resource(SpikeCount::default());

    // Regions.
    let mut entities = Vec::new();
    for (i, (region, model)) in scene.regions.iter().zip(&prepared.regions).enumerate() {
        let key = entity_key(&region.name);
        let mut entity = world.spawn((
            Name::new(region.name.clone()),
            Region {
                key,
                index: i as u32,
                neurons: region.neurons,
            },
            Spikes {
                mask: SpikeMask::new(region.neurons as usize),
                list: Vec::with_capacity(region.neurons as usize),
            },
        ));
        if let Some(layout) = &region.layout {
            let random = Random::new(scene.seed, key, Purpose::Layout);
            let positions = layout
                .positions(region.neurons, &random)
                .map_err(|e| BuildError::new(format!("regions[{i}].layout"), e.to_string()))?;
            entity.insert(Positions(positions));
        }
        (model.model.build)(&mut entity, &build_region(scene, region, files))
            .map_err(|e| BuildError::new(format!("regions[{i}].model"), e))?;
        entities.push(entity.id());
    }

    modulators::build(world, scene, &entities);
    let maps = deal_chunks(scene, prepared, lanes)?;
    let reuse = reuse.filter(|reuse| reuse.fits(scene, prepared, &maps));
    let stores = build_stores(
        world, scene, prepared, &entities, &maps, options, reuse, progress,
    )?;
    let ring = stores.ring;
    let wide = prepared.receptors.iter().flatten().any(|q| q.wide);
    world.insert_resource(if wide {
        InputSlots::Wide(Slots::new(lanes, ring, &maps.sizes))
    } else {
        InputSlots::Narrow(Slots::new(lanes, ring, &maps.sizes))
    });
    for ((entity, map), region) in entities.iter().zip(&maps.regions).zip(&scene.regions) {
        let depth = stores.depth.get(entity).copied().unwrap_or(0) as usize;
        // A delay of d looks d steps back while the step under way is not pushed yet.
        let depth = if depth == 0 { 0 } else { depth + 1 };
        world.entity_mut(*entity).insert((
            map.clone(),
            SpikeHistory::new(depth, region.neurons as usize),
        ));
    }
    let mut needs = Needs {
        pull: stores.pull,
        push: stores.push,
        rules: stores.rules,
        exact: stores.exact,
        ..default()
    };
    needs.modulators = !scene.modulators.is_empty();
    needs.responses = prepared.projections.iter().any(|p| p.response.is_some());
    build_stimuli(world, scene, prepared, &entities, files, &mut needs)?;
    build_probes(world, scene, &entities, options, &mut needs)?;

    // One system per model that occurs, in the order of first occurrence.
    let mut seen = Vec::new();
    let mut integrate = Vec::new();
    for region in &prepared.regions {
        if !seen.contains(&region.type_name) {
            seen.push(region.type_name);
            integrate.push(region.model.system);
        }
    }
    let refresh = (entities.iter().zip(&prepared.regions))
        .map(|(&entity, region)| (entity, region.model.refresh))
        .collect();
    Ok(Built {
        integrate,
        needs,
        refresh,
    })
}

/// Where every chunk of every region sums its input.
pub(super) struct Maps {
    pub(super) regions: Vec<InputMap>,
    pub(super) sizes: Vec<usize>,
}

/// Deals the chunks of all regions to blocks, in runs and in turn.
///
/// # Errors
/// There are more blocks than a 16-bit index can name.
fn deal_chunks(scene: &Scene, prepared: &Prepared, lanes: usize) -> Result<Maps, BuildError> {
    let active: Vec<Vec<Option<u32>>> = prepared
        .receptors
        .iter()
        .map(|receptors| {
            let mut next = 0;
            receptors
                .iter()
                .map(|q| {
                    q.exponent.map(|_| {
                        next += LANES as u32;
                        next - LANES as u32
                    })
                })
                .collect()
        })
        .collect();
    let slots_of = |region: usize| active[region].iter().flatten().count() * LANES;
    let total: usize = scene
        .regions
        .iter()
        .enumerate()
        .map(|(i, r)| padded(r.neurons as usize) / LANES * slots_of(i))
        .sum();
    let mut per_lane = total.div_ceil(lanes * BLOCK_SLOTS).max(1);
    loop {
        let blocks = lanes * per_lane;
        if blocks > MOST_BLOCKS {
            return Err(BuildError::new(
                "regions",
                format!(
                    "the neurons of this network need more than {MOST_BLOCKS} blocks of {BLOCK_SLOTS} input slots; make the network smaller"
                ),
            ));
        }
        let mut sizes = vec![0usize; blocks];
        let mut next = 0;
        let regions = scene
            .regions
            .iter()
            .enumerate()
            .map(|(i, region)| {
                let chunks = padded(region.neurons as usize) / LANES;
                // As many rounds of runs as keep them short, all of one length, so that every block gets as much.
                let rounds = chunks.div_ceil(blocks * RUN).max(1);
                let run = chunks.div_ceil(blocks * rounds).max(1);
                let mut map = InputMap {
                    block: Vec::with_capacity(chunks),
                    base: Vec::with_capacity(chunks),
                    spans: vec![Vec::new(); lanes],
                    offset: active[i].clone(),
                    quantum: prepared.receptors[i]
                        .iter()
                        .map(|q| q.exponent.map_or(0.0, |e| libm::exp2(f64::from(e)) as f32))
                        .collect(),
                    receptor: prepared.receptor_of_channels(i),
                };
                for first in (0..chunks).step_by(run) {
                    let end = (first + run).min(chunks);
                    for _ in first..end {
                        map.block.push(next as u16);
                        map.base.push(sizes[next] as u32);
                        sizes[next] += slots_of(i);
                    }
                    map.spans[next % lanes].push((first as u32, end as u32));
                    next = (next + 1) % blocks;
                }
                map
            })
            .collect();
        if sizes.iter().all(|&size| size <= BLOCK_SLOTS) {
            return Ok(Maps { regions, sizes });
        }
        per_lane += per_lane.div_ceil(16);
    }
}

/// The slots that a dense row of these projections covers; empty for other formats.
fn dense_layout(
    scene: &Scene,
    prepared: &Prepared,
    group: &[usize],
    maps: &Maps,
    format: WeightFormat,
) -> DenseLayout {
    let blocks = maps.sizes.len();
    let (mut runs, mut neurons) = (vec![Vec::new(); blocks], vec![0; blocks]);
    if let WeightFormat::Dense { .. } = format {
        for &i in group {
            let p = &prepared.projections[i];
            let map = &maps.regions[p.to];
            let offset = map.offset[p.channel].unwrap_or(0);
            for (chunk, (&block, &base)) in map.block.iter().zip(&map.base).enumerate() {
                runs[usize::from(block)].push((base + offset, LANES as u32));
                neurons[usize::from(block)] +=
                    valid_bits(scene.regions[p.to].neurons, chunk).count_ones();
            }
        }
    }
    DenseLayout::new(runs, neurons)
}

struct Stores {
    /// The longest delay from each region, in steps.
    depth: HashMap<Entity, u32>,
    ring: usize,
    pull: bool,
    push: bool,
    exact: bool,
    rules: Vec<RuleSystems>,
}

fn build_stores(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    entities: &[Entity],
    maps: &Maps,
    options: &BuildOptions,
    reuse: Option<Reuse>,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Stores, BuildError> {
    let mut result = Stores {
        depth: HashMap::new(),
        ring: 1,
        pull: false,
        push: false,
        exact: false,
        rules: Vec::new(),
    };
    let done = AtomicU64::new(0);
    let total = prepared.synapses.max(1.0);
    let (mut kept, kept_counts) = match reuse {
        Some(reuse) => (reuse.stores.into_iter(), reuse.counts),
        None => (Vec::new().into_iter(), Vec::new()),
    };
    for ((from, format), group) in groups(&prepared.projections) {
        let delays = union_of_delays(&prepared.projections, &group);
        let (store, counts) = match kept.next() {
            Some(store) => (
                store.moved(entities[from]),
                group.iter().map(|&i| kept_counts[i]).collect(),
            ),
            None => {
                let group = Group {
                    from,
                    format,
                    members: &group,
                    delays: &delays,
                };
                build_store(
                    world,
                    scene,
                    prepared,
                    &group,
                    entities,
                    maps,
                    options,
                    &|more| {
                        let now = done.fetch_add(more, Ordering::Relaxed) + more;
                        progress(now as f64 / total);
                    },
                )?
            }
        };
        let longest = delays.last().copied().unwrap_or(1);
        let depth = result.depth.entry(entities[from]).or_insert(0);
        *depth = (*depth).max(longest);
        match store.transfer() {
            Transfer::Pull => result.pull = true,
            Transfer::Push => {
                result.push = true;
                result.ring = result.ring.max(longest as usize + 1);
            }
        }
        let store = world
            .spawn((
                Name::new(format!("synapses of {}", scene.regions[from].name)),
                store,
            ))
            .id();
        for (&i, count) in group.iter().zip(counts) {
            spawn_projection(world, scene, prepared, i, entities, count, Some(store));
        }
    }
    for i in 0..prepared.projections.len() {
        if prepared.projections[i].changing.is_none() {
            continue;
        }
        let (id, rule) = build_changing(
            world,
            scene,
            prepared,
            i,
            entities,
            maps,
            options,
            &|more| {
                let now = done.fetch_add(more, Ordering::Relaxed) + more;
                progress(now as f64 / total);
            },
        )?;
        let Some(rule) = rule else {
            result.exact = true;
            continue;
        };
        match result
            .rules
            .iter_mut()
            .find(|known| known.name == rule.name)
        {
            Some(known) => {
                known.tend = known.tend.or(rule.tend);
                known.modulate = known.modulate.or(rule.modulate);
            }
            None => result.rules.push(rule),
        }
        if let Some(synapses) = world.get::<PlasticSynapses>(id) {
            let longest = synapses.groups().iter().map(|g| g.dendritic).max();
            result.ring = result.ring.max(longest.unwrap_or(0) as usize + 1);
        }
    }
    Ok(result)
}

/// Makes the entity of a projection.
fn spawn_projection(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    index: usize,
    entities: &[Entity],
    count: u64,
    store: Option<Entity>,
) -> Entity {
    let (p, spec) = (&prepared.projections[index], &scene.projections[index]);
    let mut projection = world.spawn((
        Name::new(p.name.clone()),
        ProjectsFrom(entities[p.from]),
        ProjectsTo(entities[p.to]),
        Connect {
            index: index as u32,
            key: entity_key(&p.name),
            rule: spec.rule.clone(),
            weight: spec.weight.clone(),
            delay_ms: spec.delay_ms.clone(),
        },
    ));
    let id = projection.id();
    projection.insert(Synapses {
        count,
        store: store.unwrap_or(id),
        receptor: p.receptor,
    });
    if let (Some(cascade), Some(responses)) = (&p.response, &spec.responses) {
        let unit = |channel: usize| prepared.receptors[p.to][channel].exponent.unwrap_or(0);
        let units = libm::exp2(f64::from(unit(p.channel) - unit(p.receptor)));
        let neurons = scene.regions[p.to].neurons;
        let channels = (p.channel, p.receptor);
        projection.insert((
            responses.clone(),
            Responding::new(cascade, entities[p.to], neurons, channels, units),
        ));
    }
    id
}

/// What changing synapses that were just made come from.
fn provenance(
    spec: &ProjectionSpec,
    prepared: &Prepared,
    index: usize,
    synapses: &PlasticSynapses,
) -> Provenance {
    let changing = prepared.projections[index].changing.as_ref();
    let name = |at: usize| {
        let info = spec.plasticity[at].0.get_represented_type_info();
        info.map_or("", |info| info.type_path())
    };
    let is_listed = (prepared.lists[index].as_ref()).is_some_and(|list| list.weights.is_some());
    Provenance {
        rules: changing.map_or_else(Vec::new, |c| {
            c.rules.iter().map(|(at, _)| name(*at)).collect()
        }),
        is_exact: changing.is_some_and(|c| c.exact),
        sign: changing.map_or(1.0, |c| c.sign as f32),
        listed: if is_listed {
            synapses.in_common_order(synapses.stored_weights().to_vec())
        } else {
            Vec::new()
        },
    }
}

/// Makes a projection whose synapses change, or whose spikes arrive one by one; in the latter case no systems of its rule run.
fn build_changing(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    index: usize,
    entities: &[Entity],
    maps: &Maps,
    options: &BuildOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(Entity, Option<RuleSystems>), BuildError> {
    let (p, spec) = (&prepared.projections[index], &scene.projections[index]);
    let delays = union_of_delays(&prepared.projections, &[index]);
    let mut index_of = vec![0u16; delays.last().map_or(0, |d| *d as usize + 1)];
    for (i, d) in delays.iter().enumerate() {
        index_of[*d as usize] = i as u16;
    }
    let rows = projection_rows(
        world, scene, prepared, index, entities, maps, &index_of, options,
    )?;
    let sources = scene.regions[p.from].neurons;
    let row_len: Vec<u32> = (0..sources).map(|s| rows.row_len(s)).collect();
    let synapses = PlasticSynapses::build(&PlasticPlan {
        source: entities[p.from],
        target: entities[p.to],
        targets: scene.regions[p.to].neurons,
        map: &maps.regions[p.to],
        channel: p.channel,
        sign: p.changing.as_ref().map_or(1.0, |c| c.sign * p.factor) as f32,
        blocks: maps.sizes.len(),
        delays: delays
            .iter()
            .map(|&d| parts_of(d, spec.dendritic, spec.backpropagation_ms, scene.dt_ms))
            .collect(),
        tagged: p.changing.as_ref().is_some_and(|c| c.tagged),
        bounds: p
            .changing
            .as_ref()
            .map_or((0.0, 0.0), |c| (c.bounds.0 as f32, c.bounds.1 as f32)),
        row_len,
        fill: &|source, out| rows.fill_changing(source, out),
        threads: options.threads,
        progress,
    });
    let count = synapses.len() as u64;
    let id = spawn_projection(world, scene, prepared, index, entities, count, None);
    let gating = p.changing.as_ref().and_then(|changing| {
        let targets = (&p.name[..], scene.regions[p.to].neurons);
        let reach = modulators::gates(scene, targets, |pool| modulators::find(world, pool))?;
        Some(Gating::new(reach, changing.bounds))
    });
    let mut projection = world.entity_mut(id);
    projection.insert((provenance(spec, prepared, index, &synapses), synapses));
    if let Some(model) = &spec.short_term {
        let ticks = p.changing.as_ref().map_or(1, |c| c.setting.ticks);
        projection.insert((
            model.clone(),
            ShortTerm::new(model.clone(), sources as usize, scene.dt_ms, ticks),
        ));
    }
    let Some(changing) = &p.changing else {
        let rule = BoxedRule::new(Unchanging);
        let systems = rule.systems.bare();
        rule.insert(&mut projection, Lasting::default());
        return Ok((id, Some(systems)));
    };
    let wrong = |at: usize| {
        move |e: String| BuildError::new(format!("projections[{index}].plasticity[{at}]"), e)
    };
    let mut keepers = Keepers::new();
    let mut lasting = Lasting {
        gating,
        ..Lasting::default()
    };
    for (at, rule) in &changing.upkeep {
        let value = spec.plasticity[*at].0.as_ref();
        (rule.keep)(&mut projection, value);
        match (rule.derive)(value, &changing.setting).map_err(wrong(*at))? {
            Care::Fade(one) => lasting.fade = Some(one),
            Care::Slow(one) => lasting.slowing = Some(one),
            Care::Nothing => {}
            Care::Periodic { every, keeper } => {
                keepers.push(every, keeper, scene.regions[p.to].neurons as usize);
            }
        }
    }
    let mut rules = Vec::new();
    for (at, rule) in &changing.rules {
        let value = spec.plasticity[*at].0.as_ref();
        (rule.keep)(&mut projection, value);
        let tick = changing.setting.tick_ms();
        rules.push((*at, (rule.derive)(value, tick).map_err(wrong(*at))?));
    }
    let rule = match rules.len() {
        0 if lasting.fade.is_some() => BoxedRule::new(Fading),
        0 => BoxedRule::new(Unchanging),
        1 => rules.remove(0).1,
        _ => BoxedRule::sum(rules, changing.bounds).map_err(wrong(0))?,
    };
    let mut systems = rule.systems.bare();
    if rule.modulated || lasting.gating.is_some() {
        systems.modulate = rule.systems.modulate;
    }
    if !keepers.is_empty() {
        systems.tend = rule.systems.tend;
    }
    let systems = Some(systems).filter(|_| !changing.exact);
    if changing.exact {
        rule.insert_exact(&mut projection, lasting);
    } else {
        rule.insert(&mut projection, lasting);
    }
    if !keepers.is_empty() {
        projection.insert(keepers);
    }
    if let Some(functions) = projection.get::<RuleFunctions>().copied() {
        if spec.learning_targets != Selection::All {
            let random = Random::new(scene.seed, entity_key(&p.name), Purpose::Choice);
            let neurons = scene.regions[p.to].neurons;
            let chosen = spec
                .learning_targets
                .neurons(neurons, random)
                .map_err(|e| {
                    BuildError::new(format!("projections[{index}].learning_targets"), e)
                })?;
            let mut gain = vec![0.0; neurons as usize];
            chosen.iter().for_each(|n| gain[*n as usize] = 1.0);
            (functions.restrict)(&mut projection, 0, gain);
        }
        if spec.frozen {
            (functions.freeze)(&mut projection, 0, true);
        }
    }
    if changing.exact
        && let Some(mut target) = world.get_mut::<SrmRegion>(entities[p.to])
    {
        target.add_afferents(id);
    }
    modulators::attach_release(world, scene, id, (&p.name, sources));
    for (at, rule) in &changing.rules {
        if let Some(name) = (rule.modulator)(spec.plasticity[*at].0.as_ref()) {
            modulators::attach(world, id, &name);
        }
    }
    Ok((id, systems))
}

/// Projections that share a store.
struct Group<'a> {
    from: usize,
    format: WeightFormat,
    members: &'a [usize],
    delays: &'a [u32],
}

/// Makes the store of a group; also how many synapses each of its projections has.
fn build_store(
    world: &World,
    scene: &Scene,
    prepared: &Prepared,
    group: &Group<'_>,
    entities: &[Entity],
    maps: &Maps,
    options: &BuildOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(SynapseStore, Vec<u64>), BuildError> {
    let mut index_of = vec![0u16; group.delays.last().map_or(0, |d| *d as usize + 1)];
    for (i, d) in group.delays.iter().enumerate() {
        index_of[*d as usize] = i as u16;
    }
    let mut rows = Vec::new();
    for &i in group.members {
        rows.push(projection_rows(
            world, scene, prepared, i, entities, maps, &index_of, options,
        )?);
    }
    let sources = scene.regions[group.from].neurons;
    let lens: Vec<Vec<u32>> = rows
        .iter()
        .map(|r| (0..sources).map(|s| r.row_len(s)).collect())
        .collect();
    let row_len = (0..sources as usize)
        .map(|s| lens.iter().map(|l| l[s]).sum())
        .collect();
    let store = SynapseStore::build(&StorePlan {
        source: entities[group.from],
        blocks: maps.sizes.len(),
        delays: group.delays.to_vec(),
        format: group.format,
        dense: dense_layout(scene, prepared, group.members, maps, group.format),
        row_len,
        fill: &|source, out| {
            for r in &rows {
                r.fill(source, out);
            }
        },
        threads: options.threads,
        progress,
    });
    let counts = lens
        .iter()
        .map(|l| l.iter().map(|n| u64::from(*n)).sum())
        .collect();
    Ok((store, counts))
}

/// Makes the synapses of a projection that never change once more, and visits them by source neuron in the order of their rule: a store does not
/// tell those of one projection from those of another between the same regions.
///
/// # Errors
/// As [`build`].
pub fn visit_made(
    world: &mut World,
    scene: &Scene,
    prepared: &Prepared,
    index: usize,
    options: &BuildOptions,
    visit: &mut dyn FnMut(Synapse),
) -> Result<(), BuildError> {
    let mut query = world.query::<(Entity, &Region, &InputMap)>();
    let mut list: Vec<_> = (query.iter(world))
        .map(|(entity, region, map)| (region.index, entity, map.clone()))
        .collect();
    list.sort_unstable_by_key(|(index, ..)| *index);
    let (entities, regions) = list.into_iter().map(|(_, e, map)| (e, map)).unzip();
    let maps = Maps {
        regions,
        sizes: Vec::new(),
    };
    let entities: Vec<Entity> = entities;
    let p = &prepared.projections[index];
    let delays = union_of_delays(&prepared.projections, &[index]);
    let mut index_of = vec![0u16; delays.last().map_or(0, |d| *d as usize + 1)];
    for (i, d) in delays.iter().enumerate() {
        index_of[*d as usize] = i as u16;
    }
    let rows = projection_rows(
        world, scene, prepared, index, &entities, &maps, &index_of, options,
    )?;
    let quantum = f64::from(maps.regions[p.to].quantum[p.channel]);
    for source in 0..scene.regions[p.from].neurons {
        rows.visit(source, &mut |target, delay, weight| {
            let quanta = match p.format {
                WeightFormat::Shared(weight) => i64::from(weight),
                WeightFormat::Narrow { shift } | WeightFormat::Dense { shift, .. } => {
                    i64::from(weight) << shift
                }
                WeightFormat::Wide => i64::from(weight),
            };
            visit(Synapse {
                from: (p.from as u32, source),
                to: (p.to as u32, target),
                receptor: p.receptor as u32,
                weight: (quanta as f64 * quantum) as f32,
                delay: delays[usize::from(delay)],
            });
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::load::{SceneFiles, SceneSource, load};
    use crate::simulation::Registry;

    #[test]
    fn lanes_get_equal_parts_of_every_region() {
        let registry = Registry::new();
        let source = SceneSource::find("microcircuit").expect("a shipped scene");
        let settings = [("scale".to_owned(), "1".to_owned())];
        let loaded = load(source, &settings, &registry).expect("a scene");
        let prepared = loaded
            .prepare(&registry, &SceneFiles::default())
            .expect("a network");
        for lanes in [1, 2, 3, 7] {
            let maps = deal_chunks(&loaded.scene, &prepared, lanes).expect("few blocks");
            assert!(maps.sizes.iter().all(|&size| size <= BLOCK_SLOTS));
            for (map, region) in maps.regions.iter().zip(&loaded.scene.regions) {
                let chunks = (region.neurons as usize).div_ceil(LANES);
                let mut lane_of = vec![None; chunks];
                let mut counts = vec![0; lanes];
                for (lane, spans) in map.spans.iter().enumerate() {
                    for chunk in spans.iter().flat_map(|&(first, end)| first..end) {
                        assert_eq!(lane_of[chunk as usize].replace(lane), None);
                        assert_eq!(usize::from(map.block[chunk as usize]) % lanes, lane);
                        counts[lane] += 1;
                    }
                }
                let (least, most) = (counts.iter().min(), counts.iter().max());
                let (least, most) = (least.expect("a lane"), most.expect("a lane"));
                assert!(
                    lane_of.iter().all(Option::is_some) && most - least <= 8,
                    "{}: {lanes} lanes get {counts:?}",
                    region.name
                );
            }
        }
        let error = deal_chunks(&loaded.scene, &prepared, MOST_BLOCKS + 1);
        assert!(error.is_err_and(|e| e.to_string().contains("65536 blocks")));
    }
}
