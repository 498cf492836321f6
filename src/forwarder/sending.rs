//! Sending the batch in hand, and what each outcome makes of it.

use std::time::{Duration, Instant};

use crate::causes::Causes;
use crate::forwarder::backoff::Failures;
use crate::forwarder::barred::PAUSE;
use crate::forwarder::held::{Ending, Held, Step};
use crate::forwarder::{Forwarder, Next, Suspect};
use crate::sheets::{Burnt, Delivery, Landing, Later, Purpose, Refused, Survey, Trouble};

impl Forwarder {
    /// Brings the batch one step further.
    pub(super) async fn advance(&mut self, held: Held) -> Next {
        match held.next(Instant::now()) {
            Step::End(ending) => self.end(held, ending).await,
            Step::AskForMarker => self.ask_for_marker(held).await,
            Step::CheckColumns(landing) => self.landed(held, landing).await,
            Step::Send => self.send(held).await,
            Step::Burn => self.burn(held).await,
            Step::Wait(left) => self.keep(held, left),
            Step::LookForRows => self.look_for_rows(held).await,
            Step::LookAndSend => match self.look_unless_seen().await {
                Ok(Survey::Ready(layout)) if held.holds_in(&layout) => self.send(held).await,
                Ok(Survey::Ready(_)) => self.end(held, Ending::Released).await,
                Ok(Survey::Setup(_)) => self.tab_is_gone(held).await,
                Err(trouble) => self.keep_troubled(held, trouble),
            },
        }
    }

    /// Keeps the batch in hand, for the next step in so long.
    pub(super) fn keep(&mut self, held: Held, wait: Duration) -> Next {
        self.held = Some(held);
        Next::Wait(wait)
    }

    pub(super) fn keep_troubled(&mut self, held: Held, trouble: Trouble) -> Next {
        let wait = self.troubled(trouble);
        self.keep(held, wait)
    }

    fn keep_and_retry(&mut self, held: Held, later: &Later) -> Next {
        let wait = self.retry(later);
        self.keep(held, wait)
    }

    async fn send(&mut self, mut held: Held) -> Next {
        let Some(plan) = &held.plan else { return self.keep(held, Duration::ZERO) };
        if let Err(wait) = self.take_write_slot().await {
            return self.keep(held, wait);
        }
        held.was_sent = true;
        let was_unauthorised = std::mem::take(&mut held.was_unauthorised);
        let (batch, marker) = (&held.batch, held.marker());
        let started = Instant::now();
        let delivery =
            self.sheets.deliver_within(held.timeout(), plan, &marker, held.content()).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match delivery {
            Delivery::Written(landing) => {
                if plan.has_formats() {
                    self.formats.written();
                }
                let (number, sheet) = (batch.number(), &self.options.name);
                match batch.rows() {
                    0 => log::debug!(batch = number, sheet, elapsed_ms; "wrote the board"),
                    rows => log::info!(batch = number, sheet, rows, elapsed_ms; "wrote a batch"),
                }
                self.landed(held, landing).await
            }
            Delivery::NotApplied(later) => self.keep_and_retry(held, &later),
            // Once it is only a token that ran out; a second time in a row something is wrong.
            Delivery::Unauthorised if !was_unauthorised => {
                held.was_unauthorised = true;
                self.held = Some(held);
                Next::Step
            }
            Delivery::Unauthorised => {
                let why = "Google wants a new access token".to_owned();
                self.keep_and_retry(held, &Later { why, after: None })
            }
            Delivery::Undecided(later) => {
                // Google answered and knows the marker: it is well enough to be asked soon.
                self.failures = Failures::default();
                held.in_doubt_since = Some(Instant::now());
                held.is_undecided = true;
                self.keep_and_retry(held, &later)
            }
            Delivery::PerhapsApplied(later) => {
                held.in_doubt_since = Some(Instant::now());
                self.keep_and_retry(held, &later)
            }
            Delivery::TimedOut(later) => {
                held.in_doubt_since = Some(Instant::now());
                held.timeouts += 1;
                self.keep_and_retry(held, &later)
            }
            Delivery::Refused(refused) => self.refused(held, refused).await,
        }
    }

    async fn refused(&mut self, held: Held, refused: Refused) -> Next {
        match refused {
            Refused::Part(by, advice) => {
                self.part_is_refused(&held, by, &advice);
                self.release_when_safe(held).await
            }
            Refused::PositionsUntold => {
                log::warn!("Google does not tell where the columns are: looking after each write");
                self.positions_untold = true;
                self.release_when_safe(held).await
            }
            Refused::Formats { is_lasting } => {
                if self.formats.refused(is_lasting, Instant::now()) {
                    log::warn!("Google does not take the formats of new rows: they go without");
                }
                self.seen = None;
                self.release_when_safe(held).await
            }
            Refused::Operator(advice) => {
                let wait = self.park(advice);
                if held.doubt_left(Instant::now()).is_some() {
                    return self.keep(held, wait);
                }
                // It may be days until that is mended: then the board is to be as it is then, and nobody on
                // it who was forgotten meanwhile.
                match self.end(held, Ending::Released).await {
                    Next::Step => Next::Wait(wait),
                    not_settled => not_settled,
                }
            }
            // A board alone has no row to blame.
            Refused::Row(_) if held.batch.rows() == 0 => {
                self.leave_one_out(&held);
                self.release_when_safe(held).await
            }
            Refused::Row(reason) => self.narrow_down(held, reason).await,
            Refused::Rows(purpose, class) => self.rows_are_refused(held, purpose, class).await,
            Refused::TooLarge if held.batch.board().is_some() => {
                self.leave_one_out(&held);
                self.release_when_safe(held).await
            }
            Refused::TooLarge => self.narrow_down(held, "the row is too large for a request").await,
            Refused::TabGone => self.tab_is_gone(held).await,
            Refused::Burnt => self.end(held, Ending::Released).await,
            Refused::Reshaped => {
                self.seen = None;
                self.release_when_safe(held).await
            }
            Refused::MarkerForeign => self.marker_is_foreign(held).await,
            Refused::MarkersFull => {
                if self.markers_full {
                    return self.release_when_safe(held).await;
                }
                log::warn!(
                    "no room for markers in the spreadsheet: old ones are pruned; if that does not \
                     help, rows are told by their Event ID, and a lost answer delays them by 3 minutes"
                );
                // Pruning makes room; where it does not, the Event ID column takes over.
                self.markers_full = true;
                self.held = Some(held);
                self.prune().await
            }
        }
    }

    /// One of a batch's tabs cannot be written, this one where Google says so: the others go on without it
    /// for a while. Where it does not say, they are left out one by one until it is plain.
    pub(super) fn part_is_refused(&mut self, held: &Held, by: Option<Purpose>, advice: &str) {
        let Some(by) = by.or_else(|| self.leave_one_out(held)) else { return };
        let sheet_id = held.plan.as_ref().and_then(|plan| plan.sheet_id(by));
        let layout = self.seen.as_ref().map(|seen| &seen.layout);
        let tab = layout.zip(sheet_id).and_then(|(layout, id)| layout.by_id(by, id));
        let title = tab.map(|tab| format!(" `{}`", tab.title)).unwrap_or_default();
        let sentence = format!("the {}{title} cannot be written: {advice}", by.name());
        if by == Purpose::Log {
            // What was blamed before it was plain is well.
            self.barred.lift(Purpose::Board);
            self.barred.lift(Purpose::Handovers);
            self.warn_of(None);
            let until = Instant::now() + self.park(sentence);
            self.barred.bar(by, until);
        } else {
            self.barred.bar(by, Instant::now() + PAUSE);
            self.warn_of(Some(sentence));
        }
    }

    /// The first of a batch's tabs that can be done without is left out for a while.
    fn leave_one_out(&mut self, held: &Held) -> Option<Purpose> {
        let plan = held.plan.as_ref()?;
        let mut purposes = [Purpose::Board, Purpose::Handovers].into_iter();
        let left_out = purposes.find(|purpose| plan.sheet_id(*purpose).is_some())?;
        self.barred.bar(left_out, Instant::now() + PAUSE);
        Some(left_out)
    }

    /// As long as a tab of its plan is gone, nothing of the batch can be applied; but people bring back what
    /// they deleted.
    async fn tab_is_gone(&mut self, held: Held) -> Next {
        log::warn!("a tab of ours was deleted; it is made again");
        self.seen = None;
        self.release_when_safe(held).await
    }

    /// One of the rows is to blame: half as many go together next time, until it stands alone.
    pub(super) async fn narrow_down(&mut self, held: Held, reason: &'static str) -> Next {
        let rows = held.batch.rows();
        if rows <= 1 && held.doubt_left(Instant::now()).is_none() {
            log::error!(
                batch = held.batch.number();
                "Google refuses a row for its content ({reason}): it is set aside, the rest goes on"
            );
            return self.end(held, Ending::SetAside(reason)).await;
        }
        let last = held.batch.last();
        self.suspect = Some(Suspect { last, rows_max: rows.div_ceil(2) });
        self.release_when_safe(held).await
    }

    /// Releases a batch once no earlier send of it can be applied any more. Where that is in doubt its marker
    /// is burnt, and where it cannot be, the time passes in which Google may still apply a send.
    pub(super) async fn release_when_safe(&mut self, mut held: Held) -> Next {
        held.is_given_up = true;
        match held.next(Instant::now()) {
            Step::Burn => self.burn(held).await,
            Step::Wait(left) => self.keep(held, left.min(Duration::from_secs(60))),
            _ => self.end(held, Ending::Released).await,
        }
    }

    async fn burn(&mut self, mut held: Held) -> Next {
        if let Err(wait) = self.take_write_slot().await {
            return self.keep(held, wait);
        }
        match self.sheets.burn(&held.marker()).await {
            Burnt::Void => self.end(held, Ending::Released).await,
            Burnt::Written if held.plan.is_none() => self.end(held, Ending::Written).await,
            Burnt::Written => {
                held.is_given_up = false;
                self.landed(held, Landing::Unknown).await
            }
            Burnt::Foreign => self.marker_is_foreign(held).await,
            Burnt::NoRoom => {
                held.cannot_burn = true;
                self.keep(held, Duration::ZERO)
            }
            Burnt::Later(later) => self.keep_and_retry(held, &later),
            Burnt::Operator(advice) => {
                let wait = self.park(advice);
                self.keep(held, wait)
            }
        }
    }

    /// As long as someone else's marker has its id nothing of a batch can be applied; the next get others.
    async fn marker_is_foreign(&mut self, held: Held) -> Next {
        log::warn!("another deployment's marker has the id of ours; drawing others");
        if let Err(error) = self.journal.redraw_marker_base().await {
            log::error!("the journal does not answer, trying again: {}", Causes(&error));
            return self.keep(held, Duration::from_secs(1));
        }
        self.end(held, Ending::Released).await
    }

    /// Without a marker the Event ID column tells, once no send can be under way any more. It is read by the
    /// tab's title, which nothing but a survey tells. A board alone leaves no trace, and is written again.
    async fn look_for_rows(&mut self, mut held: Held) -> Next {
        let layout = match self.look_anew().await {
            Ok(Survey::Ready(layout)) => layout,
            // Another tab may be gone, and the rows be there: only a whole survey tells.
            Ok(Survey::Setup(_)) => {
                self.held = Some(held);
                return self.survey().await;
            }
            Err(trouble) => return self.keep_troubled(held, trouble),
        };
        // A batch is all or nothing, so that one tab tells of all.
        let is_there = match held.rows_by_tab(&layout).next() {
            Some((tab, entries)) => self.sheets.holds_any(tab, entries).await,
            None => Ok(false),
        };
        match is_there {
            Ok(true) => self.landed(held, Landing::Unknown).await,
            Ok(false) => {
                held.in_doubt_since = None;
                match held.holds_in(&layout) {
                    true => self.send(held).await,
                    false => self.end(held, Ending::Released).await,
                }
            }
            Err(trouble) => self.keep_troubled(held, trouble),
        }
    }

    /// The marker tells whether the batch was applied. If not, it is sent on; where it cannot be, for
    /// its words are unknown, it is released.
    async fn ask_for_marker(&mut self, mut held: Held) -> Next {
        let is_there = self.sheets.holds_marker(&held.marker()).await;
        if is_there.is_ok() {
            // What follows is another call, and begins with a short wait again.
            self.failures = Failures::default();
        }
        match (is_there, &held.plan) {
            (Ok(true), Some(_)) => self.landed(held, Landing::Unknown).await,
            (Ok(true), None) => self.end(held, Ending::Written).await,
            (Ok(false), Some(_)) => {
                held.is_undecided = false;
                self.send(held).await
            }
            (Ok(false), None) => self.release_when_safe(held).await,
            (Err(trouble), _) => self.keep_troubled(held, trouble),
        }
    }

    /// Writes the end down; where that fails, the batch is kept and only this is tried again.
    pub(super) async fn end(&mut self, held: Held, ending: Ending) -> Next {
        let last = held.batch.last();
        let drawn = held.batch.board().map(|board| (board.at, held.batch.board_changes()));
        let has_log = !held.batch.entries().is_empty();
        let batch = held.batch;
        let settled = match &ending {
            Ending::Written => self.journal.written(batch).await,
            Ending::Released => self.journal.release(batch).await,
            Ending::SetAside(reason) => {
                self.journal.set_aside(batch, (*reason).to_owned(), self.now()).await
            }
        };
        match settled {
            Ok(()) => {
                if has_log && ending != Ending::Released {
                    self.barred.lift(Purpose::Log);
                }
                self.ended(&ending, last, drawn);
                Next::Step
            }
            Err(unsettled) => {
                log::error!("trying again to settle a batch: {}", Causes(&unsettled));
                let held = Held { batch: unsettled.batch, ending: Some(ending), ..held };
                self.keep(held, Duration::from_secs(1))
            }
        }
    }
}
