//! Reads the scene again when its file has changed.

use crate::session::runner::Request;
use crate::view::background::Background;
use crate::view::panels::PanelContext;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often the file is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long a change may be one that was made from here.
const OWN: Duration = Duration::from_secs(10);

/// Looks at the open scene's file once a second.
#[derive(Default)]
pub struct Watch {
    looked: Option<Instant>,
    /// The file and when it was changed last.
    known: Option<(String, SystemTime)>,
    background: Background<Option<(String, SystemTime)>>,
    /// A file that this program is writing itself, and since when.
    own: Option<(PathBuf, Instant)>,
}

impl Watch {
    /// Takes the next change of a file as known: it is written from here.
    pub fn expect(&mut self, path: &Path) {
        self.own = Some((path.to_owned(), Instant::now()));
    }

    /// Looks if it is time, and asks for the scene anew if its file has changed.
    pub fn look(&mut self, context: &mut PanelContext<'_>) {
        if !context.preferences.auto_reload {
            self.known = None;
            return;
        }
        let Some(structure) = &context.live.structure else {
            return;
        };
        while let Some(found) = self.background.take() {
            let Some(found) = found else { continue };
            let changed =
                matches!(&self.known, Some((name, at)) if *name == found.0 && *at != found.1);
            let own = (self.own.as_ref())
                .is_some_and(|(path, since)| path == Path::new(&found.0) && since.elapsed() < OWN);
            if changed && own {
                self.own = None;
            } else if changed && found.0 == structure.source {
                context.live.send(Request::Reload);
            }
            self.known = Some(found);
        }
        let early = self.looked.is_some_and(|at| at.elapsed() < EVERY);
        if !early && !self.background.is_busy() {
            self.looked = Some(Instant::now());
            let name = structure.source.clone();
            self.background.start(move || {
                let changed = std::fs::metadata(&name)
                    .and_then(|data| data.modified())
                    .ok()?;
                Some((name, changed))
            });
        }
    }
}
