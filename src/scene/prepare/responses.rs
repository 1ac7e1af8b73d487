//! Checking response functions.

use super::projections::Place;
use super::values::{check_weight, shown, warn_of_rounding};
use super::{BuildError, Warning};
use crate::synapses::response::cascade::Cascade;
use crate::synapses::response::filter::Filter;
use crate::synapses::response::{self, Response};

/// Checks a sequence of responses at `path`.
pub(in crate::scene) fn check_sequence(
    path: &str,
    sequence: &[Response],
    dt_ms: f64,
    warnings: &mut Vec<Warning>,
) -> Result<(), BuildError> {
    response::check(sequence, dt_ms)
        .map_err(|(field, message)| BuildError::new(format!("{path}{field}"), message))?;
    for (i, response) in sequence.iter().enumerate() {
        if let Response::LimitedFlat { window } = response {
            let path = format!("{path}[{i}].window");
            warn_of_rounding(path, "a window", *window, dt_ms, warnings);
        }
    }
    Ok(())
}

impl Place<'_> {
    /// What the spikes of the projection go through, if it is more than nothing. Weights reach a magnitude of `largest`.
    pub(super) fn response(
        &self,
        largest: f64,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Cascade>, BuildError> {
        let (Some(responses), dt) = (&self.spec.responses, self.scene.dt_ms) else {
            return Ok(None);
        };
        for (field, sequence) in [
            ("terminal", &responses.terminal),
            ("spine", &responses.spine),
        ] {
            let path = format!("{}.responses.{field}", self.path);
            check_sequence(&path, sequence, dt, warnings)?;
        }
        let sequence = responses.sequence();
        if sequence.is_empty() {
            let message = "it names no response; give `terminal` or `spine` one, or leave it out";
            return Err(self.wrong("responses", message));
        }
        let cascade = Cascade::new(&sequence, dt);
        let most = largest * Filter::new(&cascade, 1.0).largest();
        check_weight(most).map_err(|_| {
            let message = format!(
                "with these responses a spike brings up to {} in a step, which is too far from 1 to be summed; change a gain",
                shown(most)
            );
            self.wrong("responses", message)
        })?;
        Ok((!cascade.is_identity()).then_some(cascade))
    }
}
