//! The summary: days, agents and hours as the clinic's calendar and clocks show them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::chat::counted::{AGENTS_MAX, Counted, Quarter, happened_at};
use crate::chat::entry::{Entry, Handover};
use crate::chat::summary::{AGENT_DAYS, DAYS, Summary, Summing};
use crate::chat::tests::{DAY_MS, MINUTE_MS};
use crate::chat::text::Personal;
use crate::chat::time::UnixMs;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn at(text: &str) -> UnixMs {
    UnixMs(text.parse::<Timestamp>().unwrap().as_millisecond())
}

fn dropped(at: UnixMs, agent: &str) -> Entry {
    Entry { unassigned_at: at, previous_agent: Personal::new(agent), ..Entry::default() }
}

/// A wait that ended now, after so many minutes; closed where nobody took it.
fn ended(at: UnixMs, minutes: i64, dropped_by: &str, taken_by: Option<&str>) -> Entry {
    let agent = taken_by.map(Personal::new).unwrap_or_default();
    let handover = Handover { taken_at: at, agent, is_closed: taken_by.is_none(), found: None };
    let began = dropped(at.plus_ms(-minutes * MINUTE_MS), dropped_by);
    Entry { handover: Some(handover), ..began }
}

fn summary_of(rows: &[Entry], now: UnixMs, zone: &TimeZone) -> Summary {
    let mut summing = Summing::new(now, zone.clone(), 30 * DAY_MS);
    for row in rows {
        let mut counted = Counted::default();
        counted.note(row);
        summing.add(Quarter::of(happened_at(row)), &counted);
    }
    summing.summary()
}

#[test]
fn a_day_tells_what_happened_on_it_and_how_long_the_waits_were_that_ended_on_it() {
    let now = at("2026-11-23T06:00:00Z");
    let rows = [
        dropped(at("2026-11-22T18:00:00Z"), "Asha"),
        dropped(at("2026-11-22T18:29:59Z"), "Ravi"),
        // From half past six on it is the 23rd in India.
        dropped(at("2026-11-22T18:30:00Z"), "Asha"),
        ended(at("2026-11-22T19:00:00Z"), 60, "Asha", Some("Meera")),
        ended(at("2026-11-22T19:01:00Z"), 31, "Ravi", None),
        ended(at("2026-11-22T19:02:00Z"), 2, "Asha", Some("Meera")),
    ];
    let summary = summary_of(&rows, now, &zone("Asia/Kolkata"));
    assert_eq!(summary.days.len(), DAYS);
    let [.., yesterday, today] = &summary.days[..] else { panic!() };
    assert_eq!((yesterday.date.to_string().as_str(), yesterday.dropped), ("2026-11-22", 2));
    assert_eq!((yesterday.taken, yesterday.median_wait, yesterday.longest_wait), (0, None, None));
    assert_eq!((today.date.to_string().as_str(), today.dropped), ("2026-11-23", 1));
    assert_eq!((today.taken, today.closed), (2, 1));
    assert_eq!((today.median_wait, today.longest_wait), (Some(31.0), Some(60)));
    assert_eq!(summary.days[0].date.to_string(), "2026-10-24", "over the end of a month");
    let mut hours = [0; 24];
    (hours[23], hours[0]) = (2, 1);
    assert_eq!(summary.hours, hours);
    let agents: Vec<_> = summary
        .agents
        .iter()
        .map(|line| (line.name.reveal(), line.dropped, line.taken, line.median_wait))
        .collect();
    let expected = [("Asha", 2, 0, Some(31.0)), ("Ravi", 1, 0, Some(31.0)), ("Meera", 0, 2, None)];
    assert_eq!(agents, expected, "of two waits in the middle it is the mean");
}

#[test]
fn a_day_may_have_23_or_25_hours() {
    let zone = zone("America/New_York");
    for (day, first, hours) in
        [("2026-11-01", "2026-11-01T04:00:00Z", 25), ("2027-03-14", "2027-03-14T05:00:00Z", 23)]
    {
        let first = at(first);
        let rows: Vec<Entry> = (-1..=hours)
            .map(|hour| dropped(first.plus_ms(hour * 60 * MINUTE_MS), "Asha"))
            .collect();
        let summary = summary_of(&rows, first.plus_ms(2 * DAY_MS + 120 * MINUTE_MS), &zone);
        let counts: Vec<u64> = summary.days[DAYS - 4..].iter().map(|day| day.dropped).collect();
        let all = u64::try_from(hours).unwrap();
        assert_eq!(summary.days[DAYS - 3].date.to_string(), day);
        assert_eq!(counts, [1, all, 1, 0]);
        let twice_or_never = if hours == 25 { (1, 2) } else { (2, 0) };
        assert_eq!(summary.hours[twice_or_never.0], twice_or_never.1, "{:?}", summary.hours);
    }
}

#[test]
fn only_the_last_days_count_and_agents_only_for_a_week() {
    let zone = zone("Asia/Kathmandu");
    let now = at("2026-11-23T06:00:00Z");
    let days_ago = |days: usize| now.plus_ms(-i64::try_from(days).unwrap() * DAY_MS);
    let rows = [days_ago(DAYS), days_ago(DAYS - 1), days_ago(AGENT_DAYS), days_ago(AGENT_DAYS - 1)];
    let rows = rows.map(|at| dropped(at, "Asha"));
    let summary = summary_of(&rows, now, &zone);
    assert_eq!(summary.days.iter().map(|day| day.dropped).sum::<u64>(), 3);
    assert_eq!(summary.agents[0].dropped, 1);
    // It is the same at every moment of a day.
    assert_eq!(summary_of(&rows, now.plus_ms(11 * 60 * MINUTE_MS), &zone), summary);
}

#[test]
fn a_long_wait_counts_in_whole_hours_and_one_of_the_past_as_none() {
    let now = at("2026-11-23T06:00:00Z");
    let longest = |minutes: i64| {
        let rows = [ended(now, minutes, "Asha", None)];
        summary_of(&rows, now, &TimeZone::UTC).days[DAYS - 1].longest_wait
    };
    assert_eq!(longest(24 * 60 - 1), Some(24 * 60 - 1));
    assert_eq!(longest(25 * 60 + 59), Some(25 * 60));
    assert_eq!(longest(1_000 * 24 * 60), Some(100 * 24 * 60));
    assert_eq!(longest(-5), Some(0), "a clock was set back");
}

#[test]
fn of_more_agents_than_there_is_room_for_the_rest_is_nobodys() {
    let now = at("2026-11-23T06:00:00Z");
    let mut counted = Counted::default();
    for agent in 0..AGENTS_MAX + 20 {
        counted.note(&dropped(now, &format!("{agent} {}", "x".repeat(500))));
    }
    let names: Vec<&Personal> = counted.agents.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), AGENTS_MAX + 1);
    assert!(names.iter().all(|name| name.reveal().chars().count() <= 100));
    assert_eq!(
        counted.agents.iter().last().map(|(name, did)| (name.is_blank(), did.dropped)),
        Some((true, 20))
    );
    assert_eq!(counted.counts.dropped, AGENTS_MAX as u64 + 20);
}

#[test]
fn it_says_over_how_many_days_and_as_of_when() {
    let (now, zone) = (at("2026-11-22T03:25:00Z"), zone("Asia/Kolkata"));
    for (retention_days, agents) in
        [(30, "the agents of the last 7"), (3, "the agents of the last 3"), (1, "today's agents")]
    {
        let summary = Summing::new(now, zone.clone(), retention_days * DAY_MS).summary();
        let expected = format!("The last 31 days, and {agents} · updated 08:55, 22 Nov");
        assert_eq!(summary.headline(now, &zone), expected);
    }
}
