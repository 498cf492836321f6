//! Who waits too long is told of at once, again every hour, and once when it is over; never outside the hours.

use proptest::prelude::*;

use crate::alarm::waits::Word::{Over, TooLong};
use crate::alarm::waits::{Limit, Waits, Word};
use crate::chat::time::UnixMs;

const NOW: UnixMs = UnixMs(1_795_329_000_000);
const LIMIT: Limit = Limit(30);

fn at(minutes: i64) -> UnixMs {
    NOW.plus_ms(minutes * 60_000)
}

/// Waits that began at these minutes, as they are at another.
fn waits(began: &[i64], now: i64) -> Waits {
    let began: Vec<UnixMs> = began.iter().map(|minute| at(*minute)).collect();
    LIMIT.waits(&began, began.len() as u64, at(now))
}

/// Looks at these minutes, within hours or not, at these waits; gives what was told when.
fn told(looks: &[(i64, bool, &[i64])]) -> Vec<(i64, Word)> {
    let mut told = None;
    let mut all = Vec::new();
    for (minute, is_within_hours, began) in looks {
        let word = LIMIT.word(told, &waits(began, *minute), *is_within_hours, at(*minute));
        told = match word {
            Some(TooLong) => Some(at(*minute)),
            Some(Over) => None,
            None => told,
        };
        all.extend(word.map(|word| (*minute, word)));
    }
    all
}

#[test]
fn it_is_told_when_the_longest_wait_passes_the_limit_again_every_hour_and_once_when_it_is_over() {
    let looks: [(i64, bool, &[i64]); 9] = [
        (0, true, &[]),
        (29, true, &[0]),
        (30, true, &[0]),
        (31, true, &[0, 1]),
        (89, true, &[0, 1]),
        (90, true, &[0, 1]),
        (91, true, &[]),
        (92, true, &[]),
        (200, true, &[170]),
    ];
    assert_eq!(told(&looks), [(30, TooLong), (90, TooLong), (91, Over), (200, TooLong)]);
}

#[test]
fn a_wait_that_began_at_night_is_told_when_the_hours_begin_and_so_is_an_end_at_night() {
    let night: [(i64, bool, &[i64]); 4] =
        [(0, false, &[-600]), (60, false, &[-600]), (61, true, &[-600]), (62, true, &[-600])];
    assert_eq!(told(&night), [(61, TooLong)]);
    let ended: [(i64, bool, &[i64]); 4] =
        [(0, true, &[-30]), (1, false, &[]), (300, false, &[]), (301, true, &[])];
    assert_eq!(told(&ended), [(0, TooLong), (301, Over)]);
    // Somebody else has waited too long by the morning.
    let another: [(i64, bool, &[i64]); 3] =
        [(0, true, &[-30]), (1, false, &[]), (301, true, &[200])];
    assert_eq!(told(&another), [(0, TooLong), (301, TooLong)]);
}

#[test]
fn one_patient_after_the_other_who_passes_the_limit_is_one_alarm() {
    let looks: [(i64, bool, &[i64]); 5] = [
        (30, true, &[0, 2, 4]),
        (31, true, &[2, 4]),
        (33, true, &[4]),
        (34, true, &[4]),
        (35, true, &[12]),
    ];
    assert_eq!(told(&looks), [(30, TooLong), (35, Over)]);
}

#[test]
fn a_clock_that_is_set_back_does_not_silence_it() {
    let looks: [(i64, bool, &[i64]); 3] =
        [(0, true, &[-40]), (-300, true, &[-340]), (-299, true, &[-340])];
    assert_eq!(told(&looks), [(0, TooLong), (-300, TooLong)]);
}

#[test]
fn the_sentence_says_how_many_how_long_and_where() {
    let say = |word, waits: &Waits| LIMIT.sentence(word, waits, "https://board");
    let three = "3 patients have waited for 30 min or longer, the longest for 1 h 12 min; 4 in all wait for an \
                 agent: https://board";
    assert_eq!(say(TooLong, &waits(&[0, 10, 20, 71], 72)), three);
    assert!(
        say(TooLong, &waits(&[0], 30)).starts_with("1 patient has waited for 30 min or longer")
    );
    let many = LIMIT.waits(&[at(0); 3], 2_000, at(40));
    assert!(say(TooLong, &many).starts_with("3 patients or more have waited"));
    let over = "nobody waits for 30 min or longer any more; 1 patient waits now: https://board";
    assert_eq!(say(Over, &waits(&[0], 5)), over);
    assert!(say(Over, &waits(&[], 5)).contains("nobody waits now"));
}

proptest! {
    /// Chats are dropped and taken, minutes pass, the hours begin and end.
    #[test]
    fn nothing_is_told_too_often_too_early_or_outside_the_hours(
        steps in prop::collection::vec((1..40_i64, any::<bool>(), 0..4_u8), 1..120)
    ) {
        let (mut now, mut began) = (0, Vec::<i64>::new());
        let mut told: Option<i64> = None;
        for (minutes, is_within_hours, what) in steps {
            now += minutes;
            match what {
                0 => began.clear(),
                1 if !began.is_empty() => drop(began.remove(0)),
                _ => began.push(now),
            }
            let longest = began.iter().map(|began| now - began).max().unwrap_or(0);
            let word = LIMIT.word(told.map(at), &waits(&began, now), is_within_hours, at(now));
            match word {
                Some(TooLong) => {
                    prop_assert!(is_within_hours && longest >= 30);
                    prop_assert!(told.is_none_or(|told| now - told >= 60));
                    told = Some(now);
                }
                Some(Over) => {
                    prop_assert!(is_within_hours && longest < 30 && told.is_some());
                    told = None;
                }
                None if is_within_hours => {
                    prop_assert!(longest < 30 || told.is_some_and(|told| now - told < 60));
                    prop_assert!(told.is_none() || longest >= 25);
                }
                None => {}
            }
        }
    }
}
