//! What is found by asking DoubleTick: against a plain model of a clinic that hears half of what happens.

use std::collections::BTreeMap;

use each_engine::each_engine;
use serde_json::json;

use crate::chat::conversation::Conversation;
use crate::chat::event::{ChatEvent, Happening};
use crate::chat::listing::{Details, Listing, Listings, Shown};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{
    HOUR_MS, LIMITS, NOW, book, check_identity, commit, drafted, event, fill_waits, look, one_tab,
};
use crate::journal::{Compared, Journal, Limits, Standing};

const MINUTE_MS: i64 = 60_000;
const WABA: &str = "+919000000000";

/// Who has a chat, and whether it is done, as DoubleTick knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chat {
    agent: Option<String>,
    is_done: bool,
}

/// The service that owns the lease, beside what DoubleTick would say.
struct Desk {
    journal: Journal,
    listings: Listings,
    now: UnixMs,
    chats: BTreeMap<u32, Chat>,
    /// Whether it also lists chats that somebody has.
    ignores_filters: bool,
}

fn phone(chat: u32) -> String {
    format!("91900000{chat:04}")
}

fn told(happening: Happening, chat: u32, agent: &str) -> ChatEvent {
    let (id, phone) = (format!("chat_{chat}"), format!("+{}", phone(chat)));
    let body = match happening {
        Happening::Unassigned => {
            json!({ "chatId": id, "customerPhone": phone, "wabaNumber": WABA })
        }
        Happening::Assigned => json!({
            "chatId": id, "customerPhone": phone, "assignedUserName": agent,
            "assignedUserWabaNumber": WABA,
        }),
        Happening::Opened => json!({ "from": phone, "to": WABA, "conversationOpened": true }),
        Happening::Closed => json!({ "from": phone, "to": WABA, "closeConversation": true }),
    };
    event(happening, body)
}

impl Desk {
    async fn new(journal: Journal) -> Self {
        let held = journal.beat("{}".into(), std::time::Duration::from_secs(60)).await;
        let journal = journal.in_term(held.unwrap().unwrap().term);
        let (listings, chats) = (Listings::default(), BTreeMap::new());
        Self { journal, listings, now: NOW, chats, ignores_filters: false }
    }

    async fn on(place: &Place) -> Self {
        let rows_max = 1_000_000;
        let limits = Limits { pending_rows_max: rows_max, ..LIMITS };
        Self::new(place.open_with(limits, one_tab())).await
    }

    /// An event arrives.
    async fn hear(&mut self, happening: Happening, chat: u32, agent: &str) -> Standing {
        let receipt = self.journal.accept(told(happening, chat, agent), self.now).await;
        receipt.unwrap().standing()
    }

    fn assign(&mut self, chat: u32, agent: &str) {
        self.chats.insert(chat, Chat { agent: Some(agent.to_owned()), is_done: false });
    }

    fn drop(&mut self, chat: u32) {
        self.chats.insert(chat, Chat::default());
    }

    fn close(&mut self, chat: u32) {
        self.chats.insert(chat, Chat { agent: None, is_done: true });
    }

    /// DoubleTick's list at this moment, read in one go.
    async fn list(&self) -> Listing {
        let mut listing = Listing::new(self.journal.mark(self.now).await.unwrap());
        for (chat, Chat { agent, is_done }) in &self.chats {
            let shown = match agent {
                Some(agent) if self.ignores_filters => {
                    Shown::Taken(Personal::new(agent), Personal::default())
                }
                Some(_) => continue,
                None if *is_done => Shown::Done,
                None => Shown::Waiting(Personal::new("Rohan as listed")),
            };
            listing.add(Conversation::of(&phone(*chat), WABA).unwrap(), shown);
        }
        listing.ended(self.now)
    }

    /// One turn of asking, five minutes after the last.
    async fn ask(&mut self) -> Compared {
        self.now = self.now.plus_ms(5 * MINUTE_MS);
        let listing = self.list().await;
        self.compare(listing).await
    }

    async fn compare(&mut self, listing: Listing) -> Compared {
        let Some(pair) = self.listings.note(listing) else { return Compared::default() };
        let compared = self.journal.find_missed(pair.waiting().collect(), self.now).await.unwrap();
        for waiting in self.journal.waiting_before(pair.first()).await.unwrap() {
            let Some(absence) = pair.absence(&waiting.conversation) else { continue };
            let details = || {
                let digits = |chat: &u32| phone(*chat) == *waiting.conversation.customer;
                let chat = self.chats.iter().find(|(chat, _)| digits(chat));
                match chat.and_then(|(_, chat)| chat.agent.as_deref()) {
                    Some(agent) => Details::Taken(Personal::new(agent), Personal::default()),
                    None => Details::Nobody,
                }
            };
            let end = absence.end.clone().or_else(|| absence.end_by(details()));
            if let Some(end) = end {
                self.journal.end_missed(waiting.number, absence, end, self.now).await.unwrap();
            }
        }
        self.journal.note_asked(Some(compared.clone()), self.now).await.unwrap();
        compared
    }

    async fn ask_twice(&mut self) {
        self.ask().await;
        self.ask().await;
    }

    /// The phones of those on the board.
    async fn board(&self) -> Vec<String> {
        let (look, now) = (look(book(&self.journal)), self.now);
        let board = commit(&self.journal, move |transaction| transaction.board(&look, now)).await;
        let board = board.unwrap();
        assert_eq!(board.waiting, board.lines.len() as u64);
        let phones = board.lines.iter().map(|line| line.entry.customer_phone.digits().to_string());
        let mut phones: Vec<String> = phones.collect();
        phones.sort();
        phones
    }

    /// How many rows of the log there are for each chat, by its phone.
    async fn rows(&self) -> BTreeMap<String, u64> {
        let draft = drafted(&self.journal, book(&self.journal), 1_000_000).await;
        let mut rows = BTreeMap::new();
        for entry in draft.entries() {
            *rows.entry(entry.customer_phone.digits().to_string()).or_default() += 1;
        }
        rows
    }
}

/// A plain reading: each chat of a clinic, what became of it, and what there must be of it.
#[derive(Default)]
struct Model {
    /// Chats that were dropped and neither taken nor closed since.
    waiting: BTreeMap<u32, ()>,
    drops: BTreeMap<String, u64>,
    ends: u64,
    /// Drops of which no event came in time, and what else is to come late.
    late: Vec<(Happening, u32, String)>,
}

/// A shift: of each chat at most one thing happens, half of which DoubleTick never tells; then it is asked twice.
async fn shift(desk: &mut Desk, model: &mut Model, chance: &mut fastrand::Rng, number: u32) {
    for chat in 0..5 {
        let state = desk.chats[&chat].clone();
        let agent = format!("agent {}", chance.u32(..3));
        let happening = match (&state.agent, state.is_done) {
            (Some(_), _) => {
                [Happening::Unassigned, Happening::Unassigned, Happening::Closed][chance.usize(..3)]
            }
            (None, false) => {
                [Happening::Assigned, Happening::Assigned, Happening::Closed][chance.usize(..3)]
            }
            (None, true) => [Happening::Assigned, Happening::Opened][chance.usize(..2)],
        };
        if chance.u32(..3) == 0 {
            continue;
        }
        match happening {
            Happening::Unassigned => {
                desk.drop(chat);
                model.waiting.insert(chat, ());
                *model.drops.entry(phone(chat)).or_default() += 1;
            }
            Happening::Assigned => {
                desk.assign(chat, &agent);
                model.ends += u64::from(model.waiting.remove(&chat).is_some());
            }
            Happening::Closed => {
                desk.close(chat);
                model.ends += u64::from(model.waiting.remove(&chat).is_some());
            }
            Happening::Opened => desk.drop(chat),
        }
        desk.now = desk.now.plus_ms(MINUTE_MS);
        if chance.bool() {
            desk.hear(happening, chat, &agent).await;
        } else if chance.u32(..4) == 0 {
            model.late.push((happening, chat, agent));
        }
    }
    desk.ignores_filters = number.is_multiple_of(3);
    desk.ask_twice().await;
    // What was late comes before anything else happens to the chat, and changes nothing.
    for (happening, chat, agent) in std::mem::take(&mut model.late) {
        desk.hear(happening, chat, &agent).await;
    }
    let waiting: Vec<String> = model.waiting.keys().map(|chat| phone(*chat)).collect();
    assert_eq!(desk.board().await, waiting, "who waits after shift {number}");
    let tally = desk.journal.tally();
    assert_eq!(tally.accepted, model.drops.values().sum::<u64>(), "after shift {number}");
    assert_eq!(tally.handovers, model.ends, "handovers after shift {number}");
}

async fn check_shifts(place: Place, shifts: u32, seed: u64) {
    let mut desk = Desk::on(&place).await;
    let (mut model, mut chance) = (Model::default(), fastrand::Rng::with_seed(seed));
    for chat in 0..5 {
        desk.assign(chat, "Asha");
        desk.hear(Happening::Assigned, chat, "Asha").await;
    }
    // Two of which DoubleTick never told anything.
    desk.drop(100);
    desk.drop(101);
    for number in 0..shifts {
        shift(&mut desk, &mut model, &mut chance, number).await;
    }
    assert_eq!(desk.rows().await, model.drops);
    let tally = desk.journal.tally();
    assert!(tally.found > u64::from(shifts / 8), "{} found", tally.found);
    assert!(tally.found_ends > u64::from(shifts / 8), "{} ends found", tally.found_ends);
    assert_eq!(desk.journal.unheard(), 2);
    check_identity(&place, &desk.journal);
}

/// Half of all that happens is never told, over two thousand shifts.
#[tokio::test]
async fn after_asking_twice_the_board_is_true_and_every_drop_has_exactly_one_row() {
    let some = |seed| check_shifts(Place::sqlite(), 500, seed);
    // Four clinics beside each other: each waits for the disk most of the time.
    tokio::join!(some(7), some(11), some(13), some(17));
}

#[each_engine]
async fn so_it_is_on_every_engine(place: Place) {
    check_shifts(place, 40, 11).await;
}

#[each_engine]
async fn an_event_that_comes_after_its_drop_was_found_is_that_row_once(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    desk.drop(1);
    desk.ask_twice().await;
    assert_eq!(desk.journal.tally().found, 1);
    assert_eq!(desk.board().await, [phone(1)]);
    let late = desk.journal.accept(told(Happening::Unassigned, 1, ""), desk.now).await.unwrap();
    assert_eq!(late.standing(), Standing::Duplicate);
    // What it told is on the board now.
    let (look, now) = (look(book(&desk.journal)), desk.now);
    let board = commit(&desk.journal, move |it| it.board(&look, now)).await.unwrap();
    assert_eq!(board.lines[0].entry.chat_id.reveal(), "chat_1");
    // Sent again it is the same still; after a while it is another drop.
    assert_eq!(desk.hear(Happening::Unassigned, 1, "").await, Standing::Duplicate);
    desk.now = desk.now.plus_ms(10 * MINUTE_MS);
    assert_eq!(desk.hear(Happening::Unassigned, 1, "").await, Standing::Accepted);
    assert_eq!(desk.journal.tally().accepted, 2);
}

#[each_engine]
async fn an_assignment_in_between_makes_the_next_drop_a_drop_of_its_own(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    desk.drop(1);
    desk.ask_twice().await;
    desk.hear(Happening::Assigned, 1, "Bala").await;
    assert_eq!(desk.hear(Happening::Unassigned, 1, "").await, Standing::Accepted);
    assert_eq!((desk.journal.tally().accepted, desk.journal.tally().found), (2, 1));
}

/// A list is read while everybody is dropped at the end of the shift: some events arrive before it was begun, some
/// while it is read, some after.
#[each_engine]
async fn asking_in_the_middle_of_a_burst_finds_nothing_twice(place: Place) {
    let mut desk = Desk::on(&place).await;
    for chat in 0..30 {
        desk.hear(Happening::Assigned, chat, "Asha").await;
    }
    (0..30).for_each(|chat| desk.drop(chat));
    for chat in 0..10 {
        desk.hear(Happening::Unassigned, chat, "").await;
    }
    let first = desk.list().await;
    for chat in 10..20 {
        desk.hear(Happening::Unassigned, chat, "").await;
    }
    desk.compare(first).await;
    let second = desk.list().await;
    for chat in 20..25 {
        desk.hear(Happening::Unassigned, chat, "").await;
    }
    let found = desk.compare(second).await.found;
    assert_eq!(found, 5, "those of which no event came");
    assert_eq!(desk.journal.tally().accepted, 30);
    for chat in 25..30 {
        assert_eq!(desk.hear(Happening::Unassigned, chat, "").await, Standing::Duplicate);
    }
    assert_eq!(desk.rows().await.values().sum::<u64>(), 30);
    assert_eq!(desk.board().await.len(), 30);
}

/// Whoever took the chat while the list was read has it, whatever the list still shows.
#[each_engine]
async fn what_was_told_after_the_first_list_was_begun_is_judged_by_later_lists(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.drop(1);
    desk.ask().await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    assert_eq!(desk.ask().await.found, 0, "only one list was begun after it");
    assert_eq!(desk.ask().await.found, 1);
}

/// The same lists with the clock set back or ahead in between.
#[tokio::test]
async fn clocks_that_jump_find_nothing_that_is_not_so() {
    for jump_ms in [-3 * HOUR_MS, 3 * HOUR_MS, -MINUTE_MS] {
        let place = Place::sqlite();
        let mut desk = Desk::on(&place).await;
        for chat in 0..4 {
            desk.hear(Happening::Assigned, chat, "Asha").await;
            desk.assign(chat, "Asha");
        }
        desk.drop(0);
        desk.hear(Happening::Unassigned, 0, "").await;
        // The first list still shows this one without an agent.
        desk.drop(1);
        desk.ask().await;
        desk.now = desk.now.plus_ms(jump_ms);
        desk.assign(1, "Bala");
        desk.hear(Happening::Assigned, 1, "Bala").await;
        desk.drop(2);
        desk.hear(Happening::Unassigned, 2, "").await;
        desk.ask().await;
        assert_eq!(desk.journal.tally().found, 0, "after {jump_ms} ms");
        desk.drop(3);
        desk.now = desk.now.plus_ms(-jump_ms);
        desk.ask_twice().await;
        assert_eq!(desk.journal.tally().found, 1, "after {jump_ms} ms");
        // What is received while the clock is set back by hours is a row, but seems to be of long ago.
        let on_board = if jump_ms == -3 * HOUR_MS { vec![0, 3] } else { vec![0, 2, 3] };
        let on_board: Vec<String> = on_board.into_iter().map(phone).collect();
        assert_eq!(desk.board().await, on_board, "after {jump_ms} ms");
        let rows = [(phone(0), 1), (phone(2), 1), (phone(3), 1)];
        assert_eq!(desk.rows().await, rows.into());
    }
}

#[each_engine]
async fn what_another_process_took_meanwhile_is_not_found(place: Place) {
    let mut desk = Desk::on(&place).await;
    let other = place.beside();
    desk.hear(Happening::Assigned, 1, "Asha").await;
    desk.drop(1);
    desk.ask().await;
    drop(other.accept(told(Happening::Unassigned, 1, ""), desk.now).await.unwrap());
    assert_eq!(desk.ask().await.found, 0);
    assert_eq!(desk.board().await, [phone(1)]);
}

#[each_engine]
async fn what_was_let_go_of_is_no_second_row(place: Place) {
    let mut desk = Desk::on(&place).await;
    for chat in 1..=2 {
        desk.hear(Happening::Assigned, chat, "Asha").await;
    }
    desk.drop(1);
    let first = desk.journal.tally().accepted;
    assert_eq!(desk.hear(Happening::Unassigned, 1, "").await, Standing::Accepted);
    // Its record cannot be read any more.
    commit(&desk.journal, |transaction| {
        let wait = transaction.wait_numbered(3)?.unwrap();
        let record = b"?".to_vec();
        transaction.put_wait(crate::journal::store::StoredWait { record, ..wait });
        Ok(())
    })
    .await
    .unwrap();
    desk.ask_twice().await;
    desk.ask_twice().await;
    assert_eq!(desk.journal.tally().accepted, first + 1);
    assert_eq!((desk.journal.tally().found, desk.journal.unheard()), (0, 0));
    // Assigned again, it is found again.
    desk.hear(Happening::Assigned, 1, "Bala").await;
    desk.ask_twice().await;
    assert_eq!(desk.journal.tally().found, 1);
}

#[tokio::test]
async fn what_had_no_room_on_the_board_is_no_second_row() {
    let place = Place::sqlite();
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Unassigned, 1, "").await;
    desk.hear(Happening::Assigned, 2, "Asha").await;
    fill_waits(&desk.journal).await;
    desk.hear(Happening::Unassigned, 2, "").await;
    desk.drop(1);
    desk.drop(2);
    let first = desk.list().await;
    let second = desk.list().await;
    desk.listings.note(first);
    let pair = desk.listings.note(second).unwrap();
    let seen = pair.waiting().collect();
    assert_eq!(desk.journal.find_missed(seen, desk.now).await.unwrap().found, 0);
    assert_eq!(desk.journal.tally().accepted, 2);
}

/// Of a patient who is forgotten nothing is known, so that they are counted as never heard of.
#[each_engine]
async fn whoever_is_forgotten_is_not_found(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    desk.drop(1);
    desk.ask().await;
    desk.journal.forget(&phone(1)).await.unwrap();
    desk.ask().await;
    assert_eq!((desk.journal.tally().found, desk.journal.unheard()), (0, 1));
    let unheard = "1 more chat without an agent in DoubleTick, never heard of".to_owned();
    let (look, now) = (look(book(&desk.journal)), desk.now);
    let board = commit(&desk.journal, move |it| it.board(&look, now)).await.unwrap();
    assert_eq!(board.remarks, [unheard]);
}

/// A customer whose clinic's number no event told may be the one of the list: it is not clear.
#[each_engine]
async fn an_unknown_line_is_neither_found_nor_counted(place: Place) {
    let mut desk = Desk::on(&place).await;
    let body = json!({ "chatId": "c", "customerPhone": phone(1), "assignedUserName": "Asha" });
    let assigned = event(Happening::Assigned, body);
    drop(desk.journal.accept(assigned, desk.now).await.unwrap());
    desk.drop(1);
    desk.ask_twice().await;
    assert_eq!((desk.journal.tally().found, desk.journal.unheard()), (0, 0));
    // Its drop tells the number.
    let body = json!({ "chatId": "c", "customerPhone": phone(1), "wabaNumber": WABA });
    let dropped = event(Happening::Unassigned, body);
    drop(desk.journal.accept(dropped, desk.now).await.unwrap());
    desk.assign(1, "Bala");
    desk.ask_twice().await;
    assert_eq!(desk.board().await, Vec::<String>::new());
    desk.drop(1);
    desk.ask_twice().await;
    assert_eq!(desk.journal.tally().found, 1);
}

/// Where no assignment ever came, a line leaves the board after a day; unless asking tells when it ends.
#[tokio::test]
async fn what_cannot_be_asked_about_leaves_the_board_in_time_all_the_same() {
    let mut desk = Desk::on(&Place::sqlite()).await;
    desk.hear(Happening::Unassigned, 1, "").await;
    let on_instagram = json!({ "chatId": "c", "wabaNumber": "@the.clinic" });
    let dropped = event(Happening::Unassigned, on_instagram);
    drop(desk.journal.accept(dropped, desk.now).await.unwrap());
    desk.drop(1);
    desk.ask_twice().await;
    assert_eq!(desk.board().await, ["".to_owned(), phone(1)]);
    desk.now = desk.now.plus_ms(25 * HOUR_MS);
    desk.ask_twice().await;
    assert_eq!(desk.board().await, [phone(1)]);
    // Asked no more, they leave too; and are no row anew when DoubleTick is asked again.
    desk.now = desk.now.plus_ms(4 * HOUR_MS);
    assert_eq!(desk.board().await, Vec::<String>::new());
    desk.ask_twice().await;
    assert_eq!(desk.journal.tally().accepted, 2);
}

/// DoubleTick need not say whose chat was dropped: the assignment before it said so.
#[each_engine]
async fn what_was_closed_stays_closed_though_its_drop_named_no_customer(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    let dropped = event(Happening::Unassigned, json!({ "chatId": "chat_1" }));
    drop(desk.journal.accept(dropped, desk.now).await.unwrap());
    desk.close(1);
    desk.ask_twice().await;
    assert_eq!(desk.board().await, Vec::<String>::new());
    // The patient writes again, and nobody had the chat since.
    desk.drop(1);
    desk.ask_twice().await;
    let tally = desk.journal.tally();
    assert_eq!((tally.accepted, tally.found, tally.found_ends), (1, 0, 1));
}

/// So it is where the event of the closing comes.
#[each_engine]
async fn a_closing_ends_a_wait_whose_drop_named_no_customer(place: Place) {
    let mut desk = Desk::on(&place).await;
    desk.hear(Happening::Assigned, 1, "Asha").await;
    let dropped = event(Happening::Unassigned, json!({ "chatId": "chat_1" }));
    drop(desk.journal.accept(dropped, desk.now).await.unwrap());
    assert_eq!(desk.board().await, [phone(1)]);
    desk.hear(Happening::Closed, 1, "").await;
    assert_eq!(desk.board().await, Vec::<String>::new());
    assert_eq!(desk.journal.tally().handovers, 1);
}
