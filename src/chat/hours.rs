//! Hours of the day, as people write them: `08:00-20:00`. Over midnight too, and several.

use jiff::tz::TimeZone;

use crate::chat::time::UnixMs;

const DAY_MINUTES: u16 = 24 * 60;

/// Stretches of the day, by what clocks show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours(Vec<Stretch>);

/// From its first minute to the one before its end; over midnight where the end is the smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    from: u16,
    until: u16,
}

/// What is wrong with one of them, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursFault {
    /// Not two times of the day.
    #[error("has an entry (the {0}.) that is not like 08:00-20:00")]
    Unlike(usize),
    /// From a time to the same.
    #[error(
        "has an entry (the {0}.) that ends when it begins, and so has no hours in it: for the whole day write 00:00-24:00"
    )]
    Empty(usize),
}

impl Hours {
    /// Reads them, separated by commas.
    ///
    /// # Errors
    /// For the first entry that cannot be used.
    pub fn read(text: &str) -> Result<Self, HoursFault> {
        let stretch = |(number, part): (usize, &str)| {
            let ends = part.split_once(['-', '–']);
            let ends = ends.and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
            match ends {
                Some((from, until)) if from == until || from == DAY_MINUTES => {
                    Err(HoursFault::Empty(number))
                }
                Some((from, until)) => Ok(Stretch { from, until }),
                None => Err(HoursFault::Unlike(number)),
            }
        };
        (1..).zip(text.split(',')).map(stretch).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the clocks in `zone` show one of them at this moment.
    pub fn hold_at(&self, moment: UnixMs, zone: &TimeZone) -> bool {
        let shown_s = moment.0.div_euclid(1_000) + moment.ahead_s(zone);
        let minute = shown_s.rem_euclid(86_400) / 60;
        self.0.iter().any(|stretch| stretch.has(minute))
    }
}

impl Stretch {
    fn has(self, minute: i64) -> bool {
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        match from < until {
            true => (from..until).contains(&minute),
            false => minute >= from || minute < until,
        }
    }
}

/// A time of the day in minutes; 24:00 is the end of it.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number)
    };
    let (hour, minute) = (number(hour, 1..=2)?, number(minute, 2..=2)?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= DAY_MINUTES).then_some(all)
}
