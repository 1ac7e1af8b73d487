//! Which vector instructions the hot loops use, chosen when the program runs.
//!
//! Every hot loop is compiled once per level from the same source and never contracts a multiply and an add, so
//! that all levels give the same bits. The level is a resource of each simulation.

use bevy::prelude::*;

/// A set of vector instructions.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SimdLevel {
    /// What every processor of the target has (SSE2 on x86-64, NEON on ARM64).
    Portable,
    /// AVX2 and BMI2, 256 bits.
    Avx2,
    /// AVX-512 F, BW, VL and DQ and BMI2, 512 bits.
    Avx512,
}

impl SimdLevel {
    /// The widest level that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let level = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi2");
            if level
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
            {
                return Self::Avx512;
            }
            if level {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// The name that the command line and the reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The level called `name`, no wider than the processor allows.
    ///
    /// # Errors
    /// Says which names exist, or that this processor lacks the level.
    pub fn named(name: &str) -> Result<Self, String> {
        let level = match name {
            "auto" => Self::detect(),
            "portable" => Self::Portable,
            "avx2" => Self::Avx2,
            "avx512" => Self::Avx512,
            _ => {
                return Err(format!(
                    "unknown SIMD level \"{name}\"; known: auto, portable, avx2, avx512"
                ));
            }
        };
        if level > Self::detect() {
            return Err(format!(
                "this processor has no {name}; its widest level is {}",
                Self::detect().name()
            ));
        }
        Ok(level)
    }
}

/// Compiles a function once per level, and makes a function that calls the one for the level it is given.
///
/// The body should be one call of an `#[inline(always)]` function. In it, `LEVEL` is the level that is compiled for.
macro_rules! per_level {
    (
        $(#[$meta:meta])*
        $vis:vis unsafe fn $name:ident $(<$generic:ident: $bound:path>)? ( $( $arg:ident: $type:ty ),* $(,)? ) $body:block
    ) => {
        $(#[$meta])*
        ///
        /// # Safety
        /// This processor has `simd`; and as the function that is compiled.
        #[inline(always)]
        $vis unsafe fn $name $(<$generic: $bound>)? (simd: $crate::sim::simd::SimdLevel, $( $arg: $type ),*) {
            #[allow(unused_unsafe, dead_code)]
            unsafe fn portable $(<$generic: $bound>)? ($( $arg: $type ),*) {
                const LEVEL: $crate::sim::simd::SimdLevel = $crate::sim::simd::SimdLevel::Portable;
                // SAFETY: the caller's promise.
                unsafe { $body }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi2")]
            #[allow(unused_unsafe, dead_code)]
            unsafe fn avx2 $(<$generic: $bound>)? ($( $arg: $type ),*) {
                const LEVEL: $crate::sim::simd::SimdLevel = $crate::sim::simd::SimdLevel::Avx2;
                // SAFETY: the caller's promise.
                unsafe { $body }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,bmi2")]
            #[allow(unused_unsafe, dead_code)]
            unsafe fn avx512 $(<$generic: $bound>)? ($( $arg: $type ),*) {
                const LEVEL: $crate::sim::simd::SimdLevel = $crate::sim::simd::SimdLevel::Avx512;
                // SAFETY: the caller's promise.
                unsafe { $body }
            }
            // SAFETY: the caller's promise.
            unsafe {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    $crate::sim::simd::SimdLevel::Avx2 => avx2($( $arg ),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::sim::simd::SimdLevel::Avx512 => avx512($( $arg ),*),
                    _ => portable($( $arg ),*),
                }
            }
        }
    };
}
pub(crate) use per_level;
