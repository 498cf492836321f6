//! After a batch was applied: seeing that its rows stand in the right columns, and putting them right
//! where a column was moved in the very moment of the write.

use std::time::Duration;

use crate::forwarder::held::{Ending, Held};
use crate::forwarder::seen::Seen;
use crate::forwarder::{Forwarder, Next, ticket};
use crate::sheets::{Astray, Landing, Layout, Survey, Trouble};

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
        let wait_ms = self.wait_ms(self.now(), true);
        if wait_ms > 0 {
            return self.keep(held, Duration::from_millis(wait_ms.unsigned_abs()));
        }
        match self.astray(&held, &layout).await {
            Ok(Astray { rows: 0, missing, .. }) => {
                if held.repairs > 0 {
                    let rows = held.batch.rows();
                    log::warn!(rows, missing; "columns were moved during a write; put its rows right");
                }
                self.end(held, Ending::Written).await
            }
            Ok(astray) => self.put_right(held, astray).await,
            Err(trouble) => self.look_later(held, trouble),
        }
    }

    /// Rewrites what is astray by what was seen; afterwards it is looked again, whether it still is so.
    async fn put_right(&mut self, mut held: Held, astray: Astray) -> Next {
        let ticket = match self.take_ticket().await {
            Ok(ticket) => ticket,
            Err(wait) => return self.keep(held, wait),
        };
        if let Err(wait) = self.take_write_slot().await {
            self.held = Some(held);
            return match self.close_ticket(ticket).await {
                Next::Step => Next::Wait(wait),
                not_settled => not_settled,
            };
        }
        match self.sheets.put_right(astray, ticket::marker(&ticket).as_ref()).await {
            Ok(()) => {
                held.repairs += 1;
                held.has_landed = Some(Landing::Elsewhere);
                self.held = Some(held);
                self.close_ticket(ticket).await
            }
            Err(trouble) => {
                self.open_ticket = Some(ticket::Open::sent(ticket));
                self.look_later(held, trouble)
            }
        }
    }

    fn look_later(&mut self, held: Held, trouble: Trouble) -> Next {
        self.held = Some(held);
        self.seen.as_mut().map(Seen::is_to_be_surveyed);
        Next::Wait(self.troubled(trouble))
    }

    async fn astray(&self, held: &Held, layout: &Layout) -> Result<Astray, Trouble> {
        let mut all = Astray::default();
        for (tab, entries) in held.rows_by_tab(layout) {
            let formats = held.plan.as_ref().and_then(|plan| plan.formats_from(tab.purpose));
            let astray = self.sheets.astray(tab, &layout.time_zone, entries, formats).await?;
            // One write at a time.
            if astray.rows > 0 {
                return Ok(astray);
            }
            all.missing += astray.missing;
        }
        Ok(all)
    }
}
