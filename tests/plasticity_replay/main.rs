//! Every learning rule against an independent replay of its documentation: event by event, in double precision, and in the naive way, with
//! sorted lists of the spikes that reach each synapse and sums over all pairs of them.
//!
//! Networks are random and small, their spikes all given: very fast trains, silent neurons, neurons that fire once, several synapses with
//! several delays between two neurons, and many spikes that reach a synapse in the same step. Compared are weights and tags at several
//! moments, and the synaptic current of every target neuron in every step, which tells what was sent.

mod case;
mod control;
mod course;
mod events;
mod gating;
mod modulated;
mod network;
mod pairs;
mod rates;
mod responses;
mod third_factor;
mod whole;
