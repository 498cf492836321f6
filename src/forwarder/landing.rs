//! After a batch was applied: seeing that its rows stand in the right columns, and putting them right
//! where a column was moved in the very moment of the write.

use crate::forwarder::held::{Ending, Held};
use crate::forwarder::seen::Seen;
use crate::forwarder::{Forwarder, Next};
use crate::sheets::{Landing, Layout, Repaired, Survey, Trouble};

/// How often rows are put right before they are left as they are: a full batch takes some ten writes, and
/// each time something is moved again they begin anew.
const TRIES_MAX: u32 = 30;

impl Forwarder {
    /// The batch is in the sheet; where it is not known to have landed well, it is looked at.
    pub(super) async fn landed(&mut self, mut held: Held, landing: Landing) -> Next {
        if landing == Landing::InPlace {
            return self.end(held, Ending::Written).await;
        }
        held.has_landed = Some(landing);
        let layout = match self.look().await {
            Ok(Survey::Ready(layout)) => layout,
            // A tab is gone. If it is this batch's, its rows went with it, which the next look shows.
            Ok(Survey::Setup(_)) => {
                self.held = Some(held);
                return self.survey().await;
            }
            Err(trouble) => return self.look_later(held, trouble),
        };
        if landing == Landing::Unknown && held.holds_in(&layout) {
            return self.end(held, Ending::Written).await;
        }
        self.board.spoil();
        if held.repairs == TRIES_MAX {
            log::error!(
                rows = held.batch.rows();
                "the columns are moved again and again: look whether the last rows are in theirs"
            );
            return self.end(held, Ending::Written).await;
        }
        if let Err(wait) = self.take_write_slot().await {
            return self.keep(held, wait);
        }
        match self.put_right(&held, &layout).await {
            Ok(Repaired { rewritten: 0, missing }) => {
                if held.repairs > 0 {
                    let rows = held.batch.rows();
                    log::warn!(rows, missing; "columns were moved during a write; put its rows right");
                }
                self.end(held, Ending::Written).await
            }
            // Rewritten by what was seen before: look again, whether it still is so.
            Ok(_) => {
                held.repairs += 1;
                held.has_landed = Some(Landing::Elsewhere);
                self.held = Some(held);
                Next::Step
            }
            Err(trouble) => self.look_later(held, trouble),
        }
    }

    fn look_later(&mut self, held: Held, trouble: Trouble) -> Next {
        self.held = Some(held);
        self.seen.as_mut().map(Seen::is_to_be_surveyed);
        Next::Wait(self.troubled(trouble))
    }

    async fn put_right(&mut self, held: &Held, layout: &Layout) -> Result<Repaired, Trouble> {
        let mut all = Repaired::default();
        for (tab, entries) in held.rows_by_tab(layout) {
            let formats = held.plan.as_ref().and_then(|plan| plan.formats_from(tab.purpose));
            let repaired = self.sheets.repair(tab, &layout.time_zone, entries, formats).await?;
            all.rewritten += repaired.rewritten;
            all.missing += repaired.missing;
            // One write a slot.
            if all.rewritten > 0 {
                break;
            }
        }
        Ok(all)
    }
}
