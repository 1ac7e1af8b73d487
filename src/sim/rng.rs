//! Randomness as a function, never as a shared stream.
//!
//! Every random number is a function of *(seed, entity key, purpose, index, counter)*. Nothing is
//! consumed in an order that threads could change, so any part of a network can be built, stepped or
//! rebuilt alone and gets the numbers it would have had in the whole.
//!
//! Two generators share that rule:
//!
//! * [`Random`] is Philox4x32-10 (Salmon, Moraes, Dror & Shaw, SC'11, doi:10.1145/2063384.2063405), for
//!   everything that is drawn once: connectivity, weights, delays, parameters, initial values, and the
//!   keys of each step;
//! * [`mix`] is a keyed 32-bit finaliser for what every neuron draws in every step (Poisson input,
//!   noise). Its two keys come from [`Random`] anew for each region, purpose and step.

use bevy::prelude::Resource;

/// The seed of a simulation.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// What a random number is for. Each purpose has its own numbers even for equal keys and indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Which neurons a connection rule joins.
    Connect = 1,
    /// Synaptic weights.
    Weight = 2,
    /// Synaptic delays.
    Delay = 3,
    /// Per-neuron parameters; the field's name is mixed into the entity key.
    Parameter = 4,
    /// Initial values of state columns.
    Initial = 5,
    /// Positions of neurons.
    Layout = 6,
    /// Poisson spike sources and Poisson background input.
    Poisson = 7,
    /// Noise currents.
    Noise = 8,
    /// Choice of neurons (stimulus targets, probe samples).
    Choice = 9,
    /// For tests.
    Test = 10,
    /// When rewards come.
    Reward = 11,
}

const M0: u32 = 0xD251_1F53;
const M1: u32 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// One block of Philox4x32-10: four independent 32-bit words.
#[inline(always)]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(M0) * u64::from(c0);
        let p1 = u64::from(M1) * u64::from(c2);
        (c0, c1, c2, c3) = (
            (p1 >> 32) as u32 ^ c1 ^ k0,
            p1 as u32,
            (p0 >> 32) as u32 ^ c3 ^ k1,
            p0 as u32,
        );
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3]
}

/// The key of an entity: a 64-bit FNV-1a hash of its name in the scene, finished by an avalanche step.
/// It is stable across runs, machines and the order of the scene.
pub fn entity_key(name: &str) -> u64 {
    let mut h = 0xCBF2_9CE4_8422_2325_u64;
    for byte in name.bytes() {
        h = (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    avalanche(h)
}

/// A bijective 64-bit finaliser (the one of SplitMix64).
#[inline(always)]
pub fn avalanche(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A keyed 32-bit mixing function for per-neuron, per-step numbers: vectorises, keeps no state.
#[inline(always)]
pub fn mix(index: u32, key: [u32; 2]) -> u32 {
    let mut x = index.wrapping_mul(0x9E37_79B1).wrapping_add(key[0]);
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D) ^ key[1];
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// The random function of one *(seed, entity key, purpose)*.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    key: [u32; 2],
}

impl Random {
    /// The function of `purpose` for the entity whose key is `entity` in a simulation seeded `seed`.
    pub fn new(seed: u64, entity: u64, purpose: Purpose) -> Self {
        let k = avalanche(
            avalanche(seed.wrapping_add(0x9E37_79B9_7F4A_7C15))
                ^ entity
                ^ (u64::from(purpose as u32) << 32).wrapping_mul(0xD6E8_FEB8_6659_FD93),
        );
        Self {
            key: [k as u32, (k >> 32) as u32],
        }
    }

    /// The four 32-bit words at *(index, counter)*.
    #[inline(always)]
    pub fn block(&self, index: u64, counter: u64) -> [u32; 4] {
        philox4x32(
            [
                index as u32,
                (index >> 32) as u32,
                counter as u32,
                (counter >> 32) as u32,
            ],
            self.key,
        )
    }

    /// The endless sequence of numbers that belongs to `index` (a neuron, a row, a synapse).
    pub fn draws(&self, index: u64) -> Draws {
        Draws {
            random: *self,
            index,
            counter: 0,
            words: [0; 4],
            used: 4,
        }
    }

    /// The keys that [`mix`] takes in step `step`.
    pub fn step_key(&self, step: u64) -> [u32; 2] {
        let w = self.block(u64::MAX, step);
        [w[0], w[1]]
    }
}

/// A sequence of random numbers that belongs to one index. See [`Random::draws`].
#[derive(Clone, Debug)]
pub struct Draws {
    random: Random,
    index: u64,
    counter: u64,
    words: [u32; 4],
    used: usize,
}

impl Draws {
    /// A uniform 32-bit word.
    #[inline]
    pub fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = self.random.block(self.index, self.counter);
            self.counter += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// A uniform 64-bit word.
    #[inline]
    pub fn word64(&mut self) -> u64 {
        u64::from(self.word()) | (u64::from(self.word()) << 32)
    }

    /// Uniform in [0, 1) with 53 bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.word64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in (0, 1): never 0, so its logarithm is finite.
    #[inline]
    pub fn open_unit(&mut self) -> f64 {
        ((self.word64() >> 12) as f64 + 0.5) * (1.0 / (1u64 << 52) as f64)
    }

    /// Uniform in 0..n by Lemire's multiply-shift with rejection; exact. `n` must not be 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0);
        loop {
            let product = u64::from(self.word()) * u64::from(n);
            let low = product as u32;
            if low >= n || low >= n.wrapping_neg() % n {
                return (product >> 32) as u32;
            }
        }
    }

    /// A standard normal number (Box–Muller, one of the pair).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.open_unit()));
        radius * libm::cos(core::f64::consts::TAU * self.unit())
    }

    /// An exponential number of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(self.open_unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_vectors() {
        // Known answers of the Random123 distribution for philox4x32, 10 rounds.
        assert_eq!(
            philox4x32([0; 4], [0; 2]),
            [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
        );
        assert_eq!(
            philox4x32(
                [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344],
                [0xA409_3822, 0x299F_31D0]
            ),
            [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
        );
    }

    #[test]
    fn below_is_uniform() {
        let mut draws = Random::new(1, 2, Purpose::Test).draws(3);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[draws.below(7) as usize] += 1;
        }
        let chi2: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1e4).powi(2) / 1e4)
            .sum();
        assert!(chi2 < 22.5, "chi2 of 6 degrees of freedom: {chi2}");
    }

    #[test]
    fn normal_has_unit_moments() {
        let mut draws = Random::new(1, 2, Purpose::Test).draws(4);
        let x: Vec<f64> = (0..100_000).map(|_| draws.normal()).collect();
        let mean = x.iter().sum::<f64>() / 1e5;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(
            mean.abs() < 0.013 && (var - 1.0).abs() < 0.018,
            "{mean} {var}"
        );
    }

    /// Neighbouring indices, steps and keys must not be correlated: chi-square of joint 4-bit cells.
    #[test]
    fn mix_is_uniform_and_uncorrelated_across_neurons_and_steps() {
        let random = Random::new(7, 11, Purpose::Test);
        let chi2 = |pairs: &dyn Fn(u32, u64) -> (u32, u32)| {
            let mut cells = vec![0u32; 256];
            for step in 0..400u64 {
                for i in 0..1000u32 {
                    let (a, b) = pairs(i, step);
                    cells[((a >> 28) << 4 | b >> 28) as usize] += 1;
                }
            }
            let expected = 400_000.0 / 256.0;
            cells
                .iter()
                .map(|&c| (f64::from(c) - expected).powi(2) / expected)
                .sum::<f64>()
        };
        let at = |i: u32, step: u64| mix(i, random.step_key(step));
        let limit = 255.0 + 5.0 * (2.0 * 255.0f64).sqrt();
        for (what, value) in [
            ("next neuron", chi2(&|i, s| (at(i, s), at(i + 1, s)))),
            ("next step", chi2(&|i, s| (at(i, s), at(i, s + 1)))),
            ("halves", chi2(&|i, s| (at(i, s), at(i, s) << 16))),
            ("64 apart", chi2(&|i, s| (at(i, s), at(i + 64, s)))),
            (
                "low bits",
                chi2(&|i, s| (at(i, s) << 28, at(i + 1, s) << 28)),
            ),
        ] {
            assert!(
                value < limit,
                "{what}: chi2 {value} of 255 degrees of freedom"
            );
        }
    }

    #[test]
    fn purposes_and_entities_differ() {
        let a = Random::new(1, entity_key("a"), Purpose::Weight).block(0, 0);
        assert_ne!(
            a,
            Random::new(1, entity_key("b"), Purpose::Weight).block(0, 0)
        );
        assert_ne!(
            a,
            Random::new(1, entity_key("a"), Purpose::Delay).block(0, 0)
        );
        assert_ne!(
            a,
            Random::new(2, entity_key("a"), Purpose::Weight).block(0, 0)
        );
    }
}
