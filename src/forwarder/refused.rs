//! Rows that Google refuses for a reason that nobody knows: one of them is found, or the tab is to blame.

use crate::forwarder::held::Held;
use crate::forwarder::{Forwarder, Next};
use crate::sheets::{Purpose, Trouble};

/// How many rows are set aside in a row before it is the tab that is taken to be at fault.
const UNEXPLAINED_MAX: u32 = 3;
const ADVICE: &str = "Google refuses its rows for a reason that this program does not know; nothing is lost: \
                      update doubletick-sheets, and report it if that does not help";

impl Forwarder {
    /// The rows are halved until one stands alone. That one is set aside where the tab takes other cells, and the
    /// rest goes on; otherwise it is the tab that must be mended.
    pub(super) async fn rows_are_refused(
        &mut self,
        held: Held,
        purpose: Purpose,
        class: &'static str,
    ) -> Next {
        if held.batch.rows() > 1 {
            return self.narrow_down(held, class).await;
        }
        if self.unexplained >= UNEXPLAINED_MAX {
            self.part_is_refused(&held, Some(purpose), ADVICE);
            return self.release_when_safe(held).await;
        }
        let sheet_id = held.plan.as_ref().and_then(|plan| plan.sheet_id(purpose));
        let layout = self.seen.as_ref().map(|seen| &seen.layout);
        let tab = layout.zip(sheet_id).and_then(|(layout, id)| layout.by_id(purpose, id)).cloned();
        let Some(tab) = tab else {
            self.seen = None;
            return self.release_when_safe(held).await;
        };
        if let Err(wait) = self.take_write_slot().await {
            return self.keep(held, wait);
        }
        match self.sheets.try_cells(&tab).await {
            Ok(()) => {
                self.unexplained += 1;
                self.narrow_down(held, class).await
            }
            Err(Trouble::Operator(advice)) => {
                self.part_is_refused(&held, Some(purpose), &advice);
                self.release_when_safe(held).await
            }
            Err(trouble) => self.keep_troubled(held, trouble),
        }
    }
}
