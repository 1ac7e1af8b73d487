//! Why a rule cannot be applied.

/// Why a rule cannot be applied. Each message names the rule, the value, the allowed range and the fix.
#[derive(thiserror::Error, Clone, Debug, PartialEq)]
pub enum ConnectError {
    /// A field is out of range.
    #[error("rule {rule}: {field} is {value}; allowed is {allowed}")]
    Value {
        /// The rule.
        rule: &'static str,
        /// The field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// The rule joins equal indices, but the regions differ in size.
    #[error(
        "rule {rule}: it needs as many sources as targets, but there are {sources} sources and {targets} targets; make \
         the regions equally large or choose another rule"
    )]
    Sizes {
        /// The rule.
        rule: &'static str,
        /// Neurons in the source region.
        sources: u32,
        /// Neurons in the target region.
        targets: u32,
    },
    /// Nothing can be joined, but the rule asks for synapses.
    #[error(
        "rule {rule}: {wanted} synapses are wanted, but there is no pair to join with {sources} sources, {targets} \
         targets{}; add neurons or remove the projection",
        if *.skips_own { " and autapses off" } else { "" }
    )]
    NoPairs {
        /// The rule.
        rule: &'static str,
        /// Synapses wanted.
        wanted: u64,
        /// Neurons in the source region.
        sources: u32,
        /// Neurons in the target region.
        targets: u32,
        /// Whether autapses are off within one region.
        skips_own: bool,
    },
    /// More synapses are wanted than there are pairs.
    #[error(
        "rule {rule}: {wanted} {what} are wanted, but without multapses{} there are only {available}; ask for at most \
         {available} or allow multapses (inside Not, And and Or they never are)",
                if *.skips_own { " and autapses" } else { "" }
    )]
    TooMany {
        /// The rule.
        rule: &'static str,
        /// What is wanted: sources per target and so on.
        what: &'static str,
        /// How many are wanted.
        wanted: u64,
        /// How many there are.
        available: u64,
        /// Whether autapses are off within one region.
        skips_own: bool,
    },
    /// The rule consists of autapses only, which are off.
    #[error(
        "rule OneToOne: within one region it joins every neuron with itself, but autapses are off; switch autapses on \
         or use AllButOwn"
    )]
    OnlyAutapses,
    /// Positions are missing or have another length than the region.
    #[error(
        "rule Distance: it needs a position for each of the {neurons} {side}s, but there are {positions}; give the \
         {side} region a layout"
    )]
    Positions {
        /// `"source"` or `"target"`.
        side: &'static str,
        /// Neurons of the region.
        neurons: u32,
        /// Positions given.
        positions: usize,
    },
    /// A position is not finite.
    #[error("rule Distance: the position of {side} {neuron} is {position:?} mm; it must be finite")]
    Position {
        /// `"source"` or `"target"`.
        side: &'static str,
        /// The neuron's index.
        neuron: usize,
        /// Its position.
        position: [f32; 3],
    },
    /// An entry of a list cannot be used.
    #[error(
        "rule {rule}: entry {entry} (counted from 1), {source_index} to {target_index}: {problem}"
    )]
    Entry {
        /// The rule.
        rule: &'static str,
        /// The number of the entry, counted from 1.
        entry: usize,
        /// Its source.
        source_index: u32,
        /// Its target.
        target_index: u32,
        /// What is wrong and how to mend it.
        problem: String,
    },
    /// A list inside a set rule has weights or delays.
    #[error(
        "rule {rule}: entry {entry} (counted from 1) has a weight or a delay, but a list inside Not, And or Or is only a \
         set of pairs; remove it or use the list alone"
    )]
    ExtrasInSet {
        /// The rule.
        rule: &'static str,
        /// The number of the entry, counted from 1.
        entry: usize,
    },
    /// A file could not be read.
    #[error("rule ListFile: cannot use \"{path}\": {message}")]
    File {
        /// The path as the scene has it.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A file was not read before planning.
    #[error("rule ListFile: \"{path}\" has not been read")]
    FileNotRead {
        /// The path as the scene has it.
        path: String,
    },
    /// A set rule has no operand.
    #[error("rule {rule}: it combines no rules; give it at least one")]
    Empty {
        /// The rule.
        rule: &'static str,
    },
    /// Set rules are nested too deeply, or there are too many.
    #[error(
        "rule {rule}: Not, And and Or may nest up to {depth} deep and combine up to {rules} rules in all"
    )]
    TooNested {
        /// The rule at which the limit is passed.
        rule: &'static str,
        /// The allowed depth.
        depth: usize,
        /// The allowed number of rules.
        rules: usize,
    },
    /// The synapses do not fit in memory.
    #[error(
        "rule {rule}: {synapses} synapses need {bytes} bytes while they are planned, which cannot be had; use fewer"
    )]
    Memory {
        /// The rule.
        rule: &'static str,
        /// Synapses wanted.
        synapses: u64,
        /// Memory wanted.
        bytes: u64,
    },
}
