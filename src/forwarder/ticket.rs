//! A write that is no batch, and of which nobody knows whether it was applied: before anything else is
//! written its marker is burnt, so that it cannot be applied any more.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::forwarder::held::DOUBT;
use crate::forwarder::{Forwarder, Next};
use crate::journal::{Error, Ticket};
use crate::sheets::{Burnt, Marker};

/// Such a write.
#[derive(Debug)]
pub(super) struct Open {
    ticket: Ticket,
    /// When it left at the latest.
    since: Instant,
    /// Whether a process that is gone took it.
    is_recovered: bool,
    /// There is no room to burn its marker: only time tells then.
    cannot_burn: bool,
    /// Known to be over, but not yet written down.
    is_over: bool,
}

/// The marker that the write of a ticket begins with, where it has one.
pub(super) fn marker(ticket: &Ticket) -> Option<Marker> {
    let digest = ticket.digest()?;
    Some(Marker::new(ticket.marker_id(), digest, ticket.taken_at().0 / 1_000))
}

impl Open {
    /// Its write may have left just now.
    pub(super) fn sent(ticket: Ticket) -> Self {
        let since = Instant::now();
        Self { ticket, since, is_recovered: false, cannot_burn: false, is_over: false }
    }

    /// Left by a process that is gone.
    pub(super) fn recovered(ticket: Ticket) -> Self {
        Self { is_recovered: true, ..Self::sent(ticket) }
    }

    /// Its write was applied, or never will be.
    fn over(self) -> Self {
        Self { is_over: true, ..self }
    }
}

impl Forwarder {
    /// Takes the ticket for a write that is no batch; else says how long to wait.
    pub(super) async fn take_ticket(&mut self) -> Result<Ticket, Duration> {
        let book = self.options.book;
        let taken = async {
            let has_marker = self.traces().await?.marker;
            self.journal.take_ticket(book, has_marker, (self.options.now)()).await
        };
        match taken.await {
            Ok(ticket) => Ok(ticket),
            Err(error) => Err(self.no_ticket(error).await),
        }
    }

    /// One that is open although nobody here knows of it is taken up as after a crash.
    async fn no_ticket(&mut self, error: Error) -> Duration {
        if matches!(error, Error::TicketOpen)
            && let Ok(open) = self.journal.open_ticket(self.options.book).await
        {
            self.open_ticket = open.map(Open::recovered);
            return Duration::ZERO;
        }
        log::error!("cannot note a write before it leaves: {}", Causes(&error));
        Duration::from_secs(1)
    }

    /// Its write was applied, or did not leave.
    pub(super) async fn close_ticket(&mut self, ticket: Ticket) -> Next {
        self.settle_ticket(Open::sent(ticket).over()).await
    }

    /// Brings an open ticket one step further.
    pub(super) async fn settle_ticket(&mut self, mut open: Open) -> Next {
        if !open.is_over {
            match marker(&open.ticket).filter(|_| !open.cannot_burn) {
                Some(marker) => match self.burn_ticket(&marker).await {
                    Ok(can_burn) => (open.is_over, open.cannot_burn) = (can_burn, !can_burn),
                    Err(wait) => return self.keep_ticket(open, wait),
                },
                None => match DOUBT.checked_sub(open.since.elapsed()) {
                    Some(left) => return self.keep_ticket(open, left),
                    None => open.is_over = true,
                },
            }
        }
        if !open.is_over {
            return self.keep_ticket(open, Duration::ZERO);
        }
        match self.journal.settle_ticket(&open.ticket, open.is_recovered).await {
            Ok(()) => Next::Step,
            Err(error) => {
                log::error!("trying again to note the end of a write: {}", Causes(&error));
                self.keep_ticket(open, Duration::from_secs(1))
            }
        }
    }

    fn keep_ticket(&mut self, open: Open, wait: Duration) -> Next {
        self.open_ticket = Some(open);
        Next::Wait(wait)
    }

    /// Burns the marker of a ticket: true where nothing under it can be applied any more, false where there
    /// is no room for that; else how long to wait.
    async fn burn_ticket(&mut self, marker: &Marker) -> Result<bool, Duration> {
        self.take_write_slot().await?;
        match self.sheets.burn(marker).await {
            // Someone else's marker keeps it out as well.
            Burnt::Void | Burnt::Written | Burnt::Foreign => Ok(true),
            Burnt::NoRoom => Ok(false),
            Burnt::Later(later) => Err(self.retry(&later)),
            Burnt::Operator(advice) => Err(self.park(advice)),
        }
    }
}
