//! Asking DoubleTick who has no agent, every few minutes: what it never told is found.
//!
//! Each turn reads the list to its end, compares it with the one before, and has the journal judge what both show.
//! Rows come of drops, handovers of takings and closings. Whatever is unclear, cut short or refused changes
//! nothing, and is tried again at the next turn; where DoubleTick's answers make no sense twice running, only
//! after an hour. Done by the owner of the lease alone. What is known of lists is in this process: after a start
//! two lists are read before anything is found.

use std::sync::Arc;
use std::time::Duration;

use crate::causes::Causes;
use crate::chat::listing::{Listings, Pair};
use crate::chat::time::UnixMs;
use crate::directory::{CallFault, Caller, ListFault};
use crate::journal::{Error, Journal, Waiting};
use crate::status::{AskingState, Status};

/// How long DoubleTick is not asked when its answers make no sense.
const SILENCE: Duration = Duration::from_secs(3_600);
/// Most customers whose details are asked for in one turn, one a second.
const DETAILS_MAX: usize = 100;
/// Longest that a turn may take.
const TURN_MAX: Duration = Duration::from_secs(900);

/// Who asks, and how often.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) caller: Arc<Caller>,
    pub(crate) status: Arc<Status>,
    /// Two lists that are so far apart are two in a row.
    pub(crate) every: Duration,
    pub(crate) now: fn() -> UnixMs,
}

/// Why a turn came to nothing.
enum Trouble {
    List(ListFault),
    Journal(Error),
    TooSlow,
}

impl From<ListFault> for Trouble {
    fn from(fault: ListFault) -> Self {
        Self::List(fault)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Journal(error)
    }
}

impl Trouble {
    fn is_senseless(&self) -> bool {
        matches!(self, Self::List(fault) if fault.is_senseless())
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(fault) => write!(f, "{fault}"),
            Self::Journal(error) => write!(f, "the journal refuses: {}", Causes(error)),
            Self::TooSlow => {
                write!(f, "DoubleTick takes more than a quarter of an hour for its list")
            }
        }
    }
}

impl Asking {
    /// Asks until this is dropped. The journal is that of the term.
    pub(crate) async fn run(&self, journal: &Journal) {
        let mut listings = Listings::default();
        let mut is_senseless = false;
        self.tell(AskingState::Starting, false);
        loop {
            let turn = tokio::time::timeout(TURN_MAX, self.turn(journal, &mut listings)).await;
            let trouble = turn.unwrap_or(Err(Trouble::TooSlow)).err();
            let was_senseless = is_senseless;
            is_senseless = trouble.as_ref().is_some_and(Trouble::is_senseless);
            let mut pause = self.every;
            let is_key = matches!(trouble, Some(Trouble::List(ListFault::Call(CallFault::Key))));
            match trouble {
                None => self.tell(AskingState::Asking, false),
                Some(trouble) if is_senseless && was_senseless => {
                    pause = SILENCE;
                    let sentence = format!(
                        "{trouble}: for an hour it is not asked who waits, and only events count"
                    );
                    self.tell(AskingState::Silent(sentence), is_key);
                }
                Some(trouble) => {
                    let sentence = format!(
                        "{trouble}; it is asked again in a while who waits, and until then only events count"
                    );
                    self.tell(AskingState::Failing(sentence), is_key);
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes how it goes, and logs it where that is news.
    fn tell(&self, state: AskingState, is_key: bool) {
        let is_well = matches!(state, AskingState::Starting | AskingState::Asking);
        let sentence = state.sentence().to_owned();
        let before = self.status.set_asking(state);
        let was_well =
            matches!(before, AskingState::Starting | AskingState::Asking | AskingState::Off);
        match (was_well, is_well) {
            // That the key is refused was said already, by whoever called.
            (_, false) if before.sentence() != sentence && !is_key => log::warn!("{sentence}"),
            (false, true) => log::info!("DoubleTick is asked again who waits"),
            _ => {}
        }
    }

    async fn turn(&self, journal: &Journal, listings: &mut Listings) -> Result<(), Trouble> {
        let begun = journal.mark((self.now)()).await?;
        let listing = self.caller.chats(begun).await?.ended(journal.clock((self.now)()));
        let chats = listing.waiting();
        let Some(pair) = listings.note(listing) else {
            log::debug!(chats; "read the first list of who waits");
            return Ok(journal.note_asked(None, (self.now)()).await?);
        };
        let compared = journal.find_missed(pair.waiting().collect(), (self.now)()).await?;
        let (found, unheard) = (compared.found, compared.unheard());
        let ended = self.end_missed(journal, &pair).await?;
        journal.note_asked(Some(compared), (self.now)()).await?;
        match found + ended {
            0 => log::debug!(chats, unheard; "read the list of who waits: nothing was missed"),
            _ => log::info!(rows = found, ended; "found by asking DoubleTick what no event told"),
        }
        Ok(())
    }

    /// Ends the waits that neither list shows any more; how many.
    async fn end_missed(&self, journal: &Journal, pair: &Pair) -> Result<u64, Error> {
        let mut waiting = journal.waiting_before(pair.first()).await?;
        // Those that stay unclear are not to keep others from being asked for.
        fastrand::shuffle(&mut waiting);
        let (mut ended, mut asked) = (0, 0);
        let mut may_ask = true;
        for Waiting { number, conversation } in waiting {
            let Some(absence) = pair.absence(&conversation) else { continue };
            let end = match &absence.end {
                Some(end) => Some(end.clone()),
                None if may_ask && asked < DETAILS_MAX => {
                    asked += 1;
                    let details = self.caller.details(&conversation).await;
                    // Of one customer it may know nothing; where it does not answer, it answers for nobody now.
                    may_ask = matches!(details, Ok(_) | Err(CallFault::Status(_)));
                    details.ok().and_then(|details| absence.end_by(details))
                }
                None => None,
            };
            if let Some(end) = end
                && journal.end_missed(number, absence, end, (self.now)()).await?
            {
                ended += 1;
            }
        }
        Ok(ended)
    }
}
