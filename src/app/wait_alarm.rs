//! The alarm about patients who wait too long: each board is looked at every few seconds, and what there is to
//! tell is posted until it is taken.
//!
//! Done by the owner of the lease alone, as a part of its duty. Between a look and a post stands a commit that
//! only the owner can make, and after the post it is noted, so that neither another start nor another owner tells
//! it again within the hour.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::alarm::waits::{Limit, Word};
use crate::app::alarm_hook::AlarmHook;
use crate::app::clock;
use crate::causes::Causes;
use crate::chat::hours::Hours;
use crate::chat::time::UnixMs;
use crate::config::WaitAlarm;
use crate::journal::{BookId, Error, Journal};
use crate::sheets::zone::time_zone;
use crate::status::{Place, Status};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who is to be told of which boards, and when.
#[derive(Debug)]
pub(super) struct WaitWatch {
    pub(super) alarm: WaitAlarm,
    pub(super) hook_url: SecretString,
    pub(super) boards: Vec<Watched>,
    pub(super) status: Arc<Status>,
}

/// A spreadsheet whose board is looked at.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// In logs and in the status.
    pub(super) name: String,
    /// Google's.
    pub(super) spreadsheet_id: String,
    pub(super) book: BookId,
}

/// What was told last of a board.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Option<UnixMs>,
    /// Whether that stands in the journal.
    is_noted: bool,
}

impl WaitWatch {
    /// Looks and tells for as long as the term of this handle lasts. Never ends.
    pub(super) async fn run(&self, journal: &Journal) {
        let Some(mut hook) = AlarmHook::new(&self.hook_url) else {
            // The watch, which posts there too, has said so.
            return std::future::pending().await;
        };
        let mut boards: Vec<(&Watched, Option<Told>)> =
            self.boards.iter().map(|board| (board, None)).collect();
        loop {
            for (board, told) in &mut boards {
                if let Err(error) = self.look(journal, board, told, &mut hook).await {
                    log::debug!("cannot look who waits: {}", Causes(&error));
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(
        &self,
        journal: &Journal,
        board: &Watched,
        told: &mut Option<Told>,
        hook: &mut AlarmHook,
    ) -> Result<(), Error> {
        // Its hours are those of its own zone, which only Google tells.
        let Some(place) = self.status.place(&board.name) else { return Ok(()) };
        let book = board.book;
        let last = match *told {
            Some(told) => told,
            None => Told { at: journal.waits_told(book).await?, is_noted: true },
        };
        *told = Some(last);
        if !last.is_noted {
            journal.note_waits_told(book, last.at).await?;
            *told = Some(Told { is_noted: true, ..last });
        }
        let waiting = journal.work(book).waiting;
        if waiting == 0 && last.at.is_none() {
            return Ok(());
        }
        let began = journal.waits_began(book).await?;
        let now = journal.clock(clock::now());
        let WaitAlarm { minutes, hours } = &self.alarm;
        let limit = Limit(*minutes);
        let waits = limit.waits(&began, waiting, now);
        let is_within_hours = is_within(hours, &place, now);
        let Some(word) = limit.word(last.at, &waits, is_within_hours, now) else {
            if !is_within_hours {
                log::debug!(sheet = board.name; "outside WAIT_ALARM_HOURS nobody is told who waits");
            }
            return Ok(());
        };
        if !hook.is_due(clock::now()) {
            return Ok(());
        }
        journal.note_waits_told(book, last.at).await?;
        let sentence = limit.sentence(word, &waits, &board.address(&place));
        if hook.post(&sentence, clock::now()).await {
            let at = (word == Word::TooLong).then_some(now);
            *told = Some(Told { at, is_noted: false });
            journal.note_waits_told(book, at).await?;
            *told = Some(Told { at, is_noted: true });
            log::info!(sheet = board.name; "told ALARM_WEBHOOK_URL {}", in_log(word));
        }
        Ok(())
    }
}

impl Watched {
    /// Of the board, for a browser.
    fn address(&self, place: &Place) -> String {
        let tab = place.board_tab.map(|tab| format!("#gid={tab}")).unwrap_or_default();
        format!("https://docs.google.com/spreadsheets/d/{}/edit{tab}", self.spreadsheet_id)
    }
}

fn is_within(hours: &Hours, place: &Place, now: UnixMs) -> bool {
    hours.hold_at(now, &time_zone(&place.time_zone))
}

fn in_log(word: Word) -> &'static str {
    match word {
        Word::TooLong => "that patients wait too long",
        Word::Over => "that no patient waits too long any more",
    }
}
