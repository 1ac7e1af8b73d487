//! Weights that are set from outside: they stay as they are until [`Simulation::set_weights`](crate::simulation::Simulation::set_weights)
//! changes them while the network runs, as when a memory is stored by hand.
//!
//! ```text
//! w' = 0,   w_min ≤ w ≤ w_max
//! ```
//!
//! | symbol | field | default | unit |
//! |---|---|---|---|
//! | bounds | `w_min`, `w_max` | 0, 1 | receptor's |
//!
//! Weights of a projection without any rule cannot be set: they are packed into 16 bits. Beside a learning rule this one is refused: the weights of
//! that can be set as they are, within its own bounds. Where a command takes all rules from a projection that runs, this one takes their place, so
//! that its weights stay as they have become; without it they would be those of the scene again.
//!
//! *Integration.* None; a synapse costs what transmission costs.
//!
//! *Source.* None; weights were raised so by Vogels et al. (2011), doi:10.1126/science.1211095, figure 4.

use super::upkeep::{Care, RegisterUpkeep, Setting, Upkeep};
use super::{WEIGHT, check_bounds};
use bevy::prelude::*;

/// Registers the rule.
pub fn plugin(app: &mut App) {
    app.register_upkeep::<Settable>();
}

/// Weights that are set from outside. See the [module](self).
#[derive(Component, Reflect, Clone, Debug, PartialEq)]
#[reflect(Default)]
pub struct Settable {
    /// The least weight that can be set; magnitudes where all weights are inhibitory.
    #[reflect(@WEIGHT)]
    pub w_min: f64,
    /// The largest weight that can be set.
    #[reflect(@WEIGHT)]
    pub w_max: f64,
}

impl Default for Settable {
    fn default() -> Self {
        Self {
            w_min: 0.0,
            w_max: 1.0,
        }
    }
}

impl Upkeep for Settable {
    fn sees_to(&self) -> &'static str {
        "the bounds of weights that are set"
    }

    fn reach(&self, (low, high): (f64, f64)) -> Result<(f64, f64), String> {
        if low < self.w_min || high > self.w_max {
            return Err(format!(
                "w_min is {} and w_max is {}, but initial weights go from {low} to {high}; change the bounds or the weights",
                self.w_min, self.w_max
            ));
        }
        Ok((self.w_min, self.w_max))
    }

    fn check(&self, setting: &Setting) -> Result<(), String> {
        if setting.learning {
            return Err(
                "weights can be set beside a learning rule anyway, within the bounds of that rule; leave `Settable` out"
                    .into(),
            );
        }
        check_bounds(self.w_min, self.w_max)
    }

    fn derive(&self, _setting: &Setting) -> Care {
        Care::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    /// A neuron that spikes at 1 and at 5 ms, and reaches one whose conductance fades slowly.
    fn pair(rule: Settable) -> Scene {
        let source = SpikeSource {
            spikes: vec![(1.0, 0), (5.0, 0)],
            ..default()
        };
        let slow = LifCondExp {
            tau_syn_ex: 1e9.into(),
            ..default()
        };
        let mut projection = ProjectionSpec::new("a", "b", Rule::AllToAll, 3.0, 0.1);
        projection.name = Some("synapse".into());
        Scene {
            regions: vec![
                RegionSpec::new("a", 1, source),
                RegionSpec::new("b", 1, slow),
            ],
            projections: vec![projection.learning(rule)],
            ..default()
        }
    }

    fn built(rule: Settable) -> Result<Simulation, String> {
        let simulation = Simulation::new(&pair(rule), &BuildOptions::default());
        simulation.map_err(|e| e.to_string())
    }

    const WIDE: Settable = Settable {
        w_min: 0.0,
        w_max: 15.0,
    };

    fn conductance(simulation: &mut Simulation) -> f32 {
        simulation.column("b", "g_ex").expect("a column")[0]
    }

    #[test]
    fn spikes_are_sent_with_the_weight_that_was_set() {
        let mut simulation = built(WIDE).expect("a network");
        simulation.run_ms(4.0);
        assert!((conductance(&mut simulation) - 3.0).abs() < 1e-4);
        simulation
            .set_weights("synapse", &[12.0])
            .expect("one synapse");
        let saved = simulation.snapshot().expect("a snapshot");
        simulation.run_ms(4.0);
        assert!((conductance(&mut simulation) - 15.0).abs() < 1e-4);

        let mut resumed = built(WIDE).expect("a network");
        resumed.restore(&saved).expect("the same network");
        assert_eq!(resumed.weights("synapse"), Ok(vec![12.0]));
        resumed.run_ms(4.0);
        assert_eq!(conductance(&mut resumed), conductance(&mut simulation));
    }

    #[test]
    fn weights_keep_to_the_bounds() {
        let mut simulation = built(WIDE).expect("a network");
        simulation
            .set_weights("synapse", &[99.0])
            .expect("one synapse");
        assert_eq!(simulation.weights("synapse"), Ok(vec![15.0]));
        let narrow = Settable::default();
        let error = built(narrow).err().expect("3 is above 1");
        assert!(
            error.contains("w_max is 1") && error.contains("from 3 to 3"),
            "{error}"
        );
        let none = Settable {
            w_min: 4.0,
            w_max: 3.0,
        };
        assert!(built(none).is_err());
    }
}
