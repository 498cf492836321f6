//! What the summary says is what happened: against a model that is only a list.

use std::collections::BTreeMap;

use each_engine::each_engine;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::chat::event::{ChatEvent, Happening};
use crate::chat::fields::Fields;
use crate::chat::summary::{AGENT_DAYS, AgentLine, DAYS, DayLine, Summary};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;
use crate::journal::tests::engine::Place;
use crate::journal::tests::{HOUR_MS, LIMITS, NOW, book, event, one_tab, property, sealed};
use crate::journal::{Journal, Limits, Receipt, Refusal, Standing};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const QUARTER_MS: i64 = 15 * MINUTE_MS;

/// Before a month's end, before a clock is set back or forward, and where it is set by half an hour.
const BEGINNINGS: [(&str, &str); 5] = [
    ("Asia/Kolkata", "2026-11-30T17:00:00Z"),
    ("America/New_York", "2026-10-31T20:00:00Z"),
    ("America/New_York", "2027-03-13T20:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T03:00:00Z"),
    ("Asia/Kathmandu", "2026-12-31T10:00:00Z"),
];

#[derive(Clone, Debug)]
enum Operation {
    /// So many minutes pass.
    Pass(i64),
    /// A chat loses its agent; the event says so many minutes late, or says no time.
    Drop {
        chat: u8,
        agent: u8,
        late: Option<i64>,
    },
    /// Chats that nobody hears of again are dropped, all at once.
    DropMany(u8),
    /// A chat gets an agent.
    Take {
        chat: u8,
        agent: u8,
        late: Option<i64>,
    },
    /// The conversation is closed.
    Close(u8),
    /// One event that cannot be committed.
    Fail(u8),
    Sweep,
    Reopen,
    /// Goes on from what is on the disk while the journal is open.
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    let late = || prop::option::weighted(0.3, prop_oneof![0..90_i64, 0..50_000_i64]);
    let drop = (0..3_u8, 0..3_u8, late());
    let take = (0..3_u8, 0..3_u8, late());
    prop_oneof![
        6 => prop_oneof![0..20_i64, 10..400_i64, 300..20_000_i64].prop_map(Operation::Pass),
        5 => drop.prop_map(|(chat, agent, late)| Operation::Drop { chat, agent, late }),
        1 => (1..9_u8).prop_map(Operation::DropMany),
        4 => take.prop_map(|(chat, agent, late)| Operation::Take { chat, agent, late }),
        2 => (0..3_u8).prop_map(Operation::Close),
        1 => (0..3_u8).prop_map(Operation::Fail),
        1 => Just(Operation::Sweep),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::Kill),
    ]
}

/// A wait as the model knows it.
#[derive(Clone, Debug)]
struct Waits {
    since: UnixMs,
    heard_at: UnixMs,
    dropped_by: String,
}

/// What happened: a drop, or the end of a wait of so many milliseconds, taken by somebody or closed.
#[derive(Debug)]
struct Event {
    at: UnixMs,
    dropped_by: String,
    end: Option<(i64, Option<String>)>,
}

#[derive(Debug)]
struct Model {
    now: UnixMs,
    retention_ms: i64,
    waits: BTreeMap<u8, Waits>,
    events: Vec<Event>,
    bodies: u32,
}

impl Model {
    fn end(&mut self, chat: u8, at: UnixMs, taken_by: Option<&str>) {
        let Some(wait) = self.waits.remove(&chat) else { return };
        let end = Some((at.since_ms(wait.since), taken_by.map(str::to_owned)));
        self.events.push(Event { at, dropped_by: wait.dropped_by, end });
    }

    fn summary(&self, zone: &TimeZone) -> Summary {
        let local = |at: UnixMs| -> Zoned {
            Timestamp::from_millisecond(at.0).unwrap().to_zoned(zone.clone())
        };
        let today = local(self.now).date();
        let age = |date: Date| usize::try_from((today - date).get_days()).unwrap_or(usize::MAX);
        let mut days = BTreeMap::new();
        let mut agents: BTreeMap<&str, (u64, u64, Vec<i64>)> = BTreeMap::new();
        let mut hours = [0; 24];
        let agent_days = usize::try_from(self.retention_ms / DAY_MS).unwrap().min(AGENT_DAYS);
        for event in &self.events {
            let moment = local(event.at);
            let date = moment.date();
            if date > today || age(date) >= DAYS {
                continue;
            }
            let day: &mut (u64, u64, u64, Vec<i64>) = days.entry(date).or_default();
            let quarter = event.at.0.div_euclid(QUARTER_MS) * QUARTER_MS;
            let is_known = age(date) < agent_days && self.now.0 - quarter <= self.retention_ms;
            match &event.end {
                None => {
                    day.0 += 1;
                    hours[usize::try_from(moment.hour()).unwrap()] += 1;
                    if is_known {
                        agents.entry(&event.dropped_by).or_default().0 += 1;
                    }
                }
                Some((lasted_ms, taken_by)) => {
                    let minutes = lasted_ms.max(&0) / MINUTE_MS;
                    let minutes = if minutes < 1_440 { minutes } else { minutes / 60 * 60 };
                    day.3.push(minutes);
                    match taken_by {
                        Some(_) => day.1 += 1,
                        None => day.2 += 1,
                    }
                    if is_known {
                        agents.entry(&event.dropped_by).or_default().2.push(minutes);
                        if let Some(agent) = taken_by {
                            agents.entry(agent).or_default().1 += 1;
                        }
                    }
                }
            }
        }
        let mut summary = Summary { hours, agent_days, ..Summary::default() };
        for ago in (0..DAYS).rev() {
            let date = today - jiff::Span::new().days(i64::try_from(ago).unwrap());
            let (dropped, taken, closed, waits) = days.remove(&date).unwrap_or_default();
            summary.days.push(DayLine {
                date,
                dropped,
                taken,
                closed,
                longest_wait: waits.iter().max().map(|longest| u32::try_from(*longest).unwrap()),
                median_wait: median(waits),
            });
        }
        let mut agents: Vec<_> = agents.into_iter().collect();
        agents.sort_by_key(|(name, (dropped, taken, _))| {
            (u64::MAX - dropped, u64::MAX - taken, *name)
        });
        summary.agents = agents
            .into_iter()
            .map(|(name, (dropped, taken, waits))| AgentLine {
                name: Personal::new(name),
                dropped,
                taken,
                median_wait: median(waits),
            })
            .collect();
        summary
    }
}

fn median(mut minutes: Vec<i64>) -> Option<f64> {
    minutes.sort_unstable();
    let middle = minutes.len() / 2;
    let number = |minutes: i64| f64::from(i32::try_from(minutes).unwrap());
    match minutes.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(number(minutes[middle])),
        _ => Some((number(minutes[middle - 1]) + number(minutes[middle])) / 2.0),
    }
}

/// What a failure shows: all that is not nothing.
fn words(summary: &Summary) -> Vec<String> {
    let days = summary.days.iter().filter(|day| day.dropped + day.taken + day.closed > 0);
    let agents = summary.agents.iter().map(|line| format!("{} {line:?}", line.name.reveal()));
    let hours = (0..).zip(summary.hours).filter(|(_, dropped)| *dropped > 0);
    let days = days.map(|day| format!("{day:?}"));
    days.chain(agents).chain(hours.map(|hour: (i32, u64)| format!("{hour:?}"))).collect()
}

struct Bench {
    place: Place,
    journal: Option<Journal>,
    limits: Limits,
}

impl Bench {
    fn journal(&self) -> &Journal {
        self.journal.as_ref().expect("open between two operations")
    }

    fn open_again(&mut self) {
        self.journal = Some(self.place.open_with(self.limits, one_tab()));
    }
}

fn name(agent: u8) -> String {
    ["Asha", "Ravi", "Meera"][usize::from(agent)].to_owned()
}

/// An event that is told apart from every other, with a time of its own or without.
fn read(model: &mut Model, happening: Happening, body: Value, at: Option<UnixMs>) -> ChatEvent {
    let Value::Object(mut body) = body else { panic!("an object") };
    model.bodies += 1;
    body.insert("eventId".into(), json!(format!("event {}", model.bodies)));
    if let Some(at) = at {
        body.insert("timestamp".into(), json!(at.0));
    }
    let body = Value::Object(body);
    let fields = Fields::of(&body).unwrap();
    ChatEvent::read(happening, &fields, model.now).unwrap()
}

#[track_caller]
fn is_new(receipt: Result<Receipt, Refusal>) {
    assert_eq!(receipt.unwrap().standing(), Standing::Accepted);
}

fn dropped(model: &mut Model, chat: &str, phone: u8, agent: u8, at: Option<UnixMs>) -> ChatEvent {
    let body = json!({
        "chatId": chat, "customerPhone": format!("+9190000{phone}"), "previousAgentName": name(agent),
    });
    read(model, Happening::Unassigned, body, at)
}

async fn apply(operation: &Operation, bench: &mut Bench, model: &mut Model) {
    let at =
        |model: &Model, late: Option<i64>| late.map(|late| model.now.plus_ms(-late * MINUTE_MS));
    match operation {
        Operation::Pass(minutes) => model.now = model.now.plus_ms(minutes * MINUTE_MS + 7_919),
        Operation::Drop { chat, agent, late } => {
            let own = at(model, *late);
            let event = dropped(model, &format!("chat {chat}"), *chat, *agent, own);
            is_new(bench.journal().accept(event, model.now).await);
            let (at, now) = (own.unwrap_or(model.now), model.now);
            let wait = model.waits.entry(*chat).or_insert(Waits {
                since: at,
                heard_at: now,
                dropped_by: name(*agent),
            });
            wait.heard_at = now;
            model.events.push(Event { at, dropped_by: name(*agent), end: None });
        }
        Operation::DropMany(chats) => {
            let mut events = Vec::new();
            for _ in 0..*chats {
                let chat = format!("once {}", model.bodies);
                events.push(dropped(model, &chat, 9, 0, None));
                let (at, dropped_by) = (model.now, name(0));
                model.events.push(Event { at, dropped_by, end: None });
            }
            let mut tasks = tokio::task::JoinSet::new();
            for event in events {
                let (journal, now) = (bench.journal().clone(), model.now);
                tasks.spawn(async move { journal.accept(event, now).await });
            }
            tasks.join_all().await.into_iter().for_each(is_new);
        }
        Operation::Take { chat, agent, late } => {
            let own = at(model, *late);
            // Of some takers no name is told.
            let taker = if *agent == 2 { String::new() } else { name(*agent) };
            let body = json!({ "chatId": format!("chat {chat}"), "assignedUserName": taker });
            let event = read(model, Happening::Assigned, body, own);
            is_new(bench.journal().accept(event, model.now).await);
            model.end(*chat, own.unwrap_or(model.now), Some(&taker));
        }
        Operation::Close(chat) => {
            let body = json!({ "from": format!("+9190000{chat}"), "closeConversation": true });
            let event = read(model, Happening::Closed, body, None);
            is_new(bench.journal().accept(event, model.now).await);
            model.end(*chat, model.now, None);
        }
        Operation::Fail(chat) => {
            bench.place.refuse_commits();
            let event = dropped(model, &format!("chat {chat}"), *chat, 0, None);
            assert!(bench.journal().accept(event, model.now).await.is_err());
            bench.place.allow_commits();
        }
        Operation::Sweep => {
            bench.journal().sweep(model.now).await.unwrap();
            let quiet = model.now.plus_ms(-model.retention_ms);
            model.waits.retain(|_, wait| wait.heard_at >= quiet);
        }
        Operation::Reopen => {
            bench.journal = None;
            bench.open_again();
        }
        Operation::Kill => {
            let copy = bench.place.cut();
            bench.journal = None;
            bench.place = copy;
            bench.open_again();
        }
    }
}

#[each_engine]
fn the_summary_says_what_happened_whatever_did(place: Place) {
    let days = prop_oneof![Just(30_i64), Just(3), Just(1)];
    let operations = prop::collection::vec(operation(), 1..60);
    let cases = (0..BEGINNINGS.len(), days, operations);
    property(place.cases(64), cases, async |(beginning, days, operations)| {
        let (zone, now) = BEGINNINGS[beginning];
        let zone = TimeZone::get(zone).unwrap();
        let now = UnixMs(now.parse::<Timestamp>().unwrap().as_millisecond());
        let mut limits = LIMITS;
        limits.rules.retention_ms = days * DAY_MS;
        let mut bench = Bench { place: place.another(), journal: None, limits };
        bench.open_again();
        let mut model = Model {
            now,
            retention_ms: days * DAY_MS,
            waits: BTreeMap::new(),
            events: Vec::new(),
            bodies: 0,
        };
        for operation in &operations {
            apply(operation, &mut bench, &mut model).await;
            let journal = bench.journal();
            let summary = journal.summary(book(journal), zone.clone(), model.now).await.unwrap();
            let expected = model.summary(&zone);
            assert_eq!(words(&summary), words(&expected), "after {operation:?}");
            assert_eq!(summary, expected);
        }
    });
}

#[each_engine]
async fn an_agents_name_leaves_with_its_week_or_the_retention_and_the_numbers_stay(place: Place) {
    let journal = place.open();
    let now = NOW;
    let body =
        json!({ "chatId": "a", "customerPhone": "+919876543210", "previousAgentName": "Zenobia" });
    is_new(journal.accept(event(Happening::Unassigned, body), now).await);
    let summary =
        async |at: UnixMs| journal.summary(book(&journal), TimeZone::UTC, at).await.unwrap();
    // The row and who waits have the name, too, until they are gone.
    journal.written(sealed(&journal, 1).await).await.unwrap();
    journal.drop_wait(1).await.unwrap();
    journal.purge().await.unwrap();
    assert!(place.holds("Zenobia"));
    assert_eq!(summary(now).await.agents.len(), 1);
    let later = now.plus_ms(8 * DAY_MS + HOUR_MS);
    journal.sweep(later).await.unwrap();
    journal.purge().await.unwrap();
    assert!(!place.holds("Zenobia"));
    let dropped = |summary: Summary| summary.days.iter().map(|day| day.dropped).sum::<u64>();
    assert_eq!(dropped(summary(later).await), 1);
    let later = now.plus_ms(33 * DAY_MS);
    journal.sweep(later).await.unwrap();
    assert_eq!(place.rows()["counted"], 0);
}
