//! What a cell shows: numbers and dates by their pattern, the rest as it is.

use serde_json::{Map, Value};

use crate::grid::cell::{Cell, Entered};

/// What a cell shows that comes to this.
pub(crate) fn display(result: &Entered, cell: &Cell) -> String {
    match result {
        Entered::Nothing if cell.is_checkbox() => "FALSE".to_owned(),
        Entered::Nothing => String::new(),
        Entered::Text(text) | Entered::Formula(text) => text.to_string(),
        Entered::Bool(true) => "TRUE".to_owned(),
        Entered::Bool(false) => "FALSE".to_owned(),
        Entered::Number(number) => display_number(*number, &cell.dress()),
    }
}

pub(crate) fn is_date(dress: &Map<String, Value>) -> bool {
    matches!(number_format(dress).0, "DATE" | "TIME" | "DATE_TIME")
}

fn number_format(dress: &Map<String, Value>) -> (&str, &str) {
    let format =
        dress.get("userEnteredFormat").map_or(&Value::Null, |format| &format["numberFormat"]);
    (format["type"].as_str().unwrap_or_default(), format["pattern"].as_str().unwrap_or_default())
}

fn display_number(number: f64, dress: &Map<String, Value>) -> String {
    match number_format(dress) {
        ("DATE", "") => by_date_pattern(number, "dd/mm/yyyy"),
        ("TIME", "") => by_date_pattern(number, "hh:mm:ss"),
        ("DATE_TIME", "") => by_date_pattern(number, "dd/mm/yyyy hh:mm:ss"),
        ("DATE" | "TIME" | "DATE_TIME", pattern) => by_date_pattern(number, pattern),
        (_, "") => plain(number),
        (_, pattern) => by_number_pattern(number, pattern),
    }
}

pub(crate) fn plain(number: f64) -> String {
    // Fifteen digits are what a spreadsheet shows of a double.
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        format!("{number}")
    }
}

fn by_number_pattern(number: f64, pattern: &str) -> String {
    let percent = pattern.contains('%');
    let number = if percent { number * 100.0 } else { number };
    let decimals = pattern
        .split_once('.')
        .map_or(0, |(_, after)| after.chars().take_while(|char| matches!(char, '0' | '#')).count());
    let digits = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = digits.split_once('.').map_or((&*digits, None), |(w, f)| (w, Some(f)));
    let mut text = String::from(if number < 0.0 { "-" } else { "" });
    for (index, digit) in whole.chars().enumerate() {
        if pattern.contains(',') && index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    if percent {
        text.push('%');
    }
    text
}

/// A moment as its parts. Serial numbers have no zone, so neither has this.
struct Moment {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
    /// All of it, for durations.
    total_ms: i64,
}

impl Moment {
    /// From days since 1899-12-30.
    fn from_serial(serial: f64) -> Self {
        const DAY_MS: i64 = 86_400_000;
        let total_ms = format!("{:.0}", serial * 86_400_000.0).parse::<i64>().unwrap_or_default();
        let (days, ms) = (total_ms.div_euclid(DAY_MS), total_ms.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days - 25_569);
        Self {
            year,
            month: usize::try_from(month).unwrap_or(1),
            day,
            // 1899-12-30 was a Saturday.
            weekday: usize::try_from((days + 6).rem_euclid(7)).unwrap_or_default(),
            hour: ms / 3_600_000,
            minute: ms / 60_000 % 60,
            second: ms / 1000 % 60,
            milli: ms % 1000,
            total_ms,
        }
    }
}

/// The calendar date of a number of days since 1970-01-01, by eras of 400 years that begin on 1 March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn by_date_pattern(serial: f64, pattern: &str) -> String {
    let tokens = tokens(pattern);
    // A time elapsed is written as far from zero as it is; a moment is on a calendar.
    let is_elapsed = tokens.iter().any(|token| elapsed(token, 0).is_some());
    let moment = Moment::from_serial(if is_elapsed { serial.abs() } else { serial });
    let half_days =
        tokens.iter().any(|token| matches!(token.to_lowercase().as_str(), "am/pm" | "a/p"));
    let mut text = String::from(if is_elapsed && serial < 0.0 { "-" } else { "" });
    for (index, token) in tokens.iter().enumerate() {
        // `m` is minutes right after hours or right before seconds.
        let time_letter = |token: &String| {
            token.trim_start_matches('[').chars().next().filter(|c| "yYmMdDhHsS".contains(*c))
        };
        let before = tokens[..index].iter().rev().find_map(time_letter);
        let after = tokens[index + 1..].iter().find_map(time_letter);
        let minutes =
            before.is_some_and(|c| "hH".contains(c)) || after.is_some_and(|c| "sS".contains(c));
        text.push_str(&write_token(token, &moment, minutes, half_days));
    }
    text
}

/// Runs of one letter, times elapsed in brackets, quoted or escaped text (marked by a leading quote), and single other characters.
fn tokens(pattern: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let lower = rest.to_ascii_lowercase();
        let known = ["am/pm", "a/p"].into_iter().find(|word| lower.starts_with(word));
        let length = match first {
            '"' => rest
                .char_indices()
                .skip(1)
                .find(|(_, c)| *c == '"')
                .map_or(rest.len(), |(at, _)| at + 1),
            '[' => rest.find(']').map_or(rest.len(), |at| at + 1),
            '\\' => rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at),
            _ if known.is_some() => known.map_or(1, str::len),
            c if c.is_ascii_alphabetic() || c == '0' => {
                rest.find(|other: char| !other.eq_ignore_ascii_case(&c)).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(match first {
            '"' => format!("\"{}", token.trim_matches('"')),
            '\\' => format!("\"{}", token.trim_start_matches('\\')),
            _ => token.to_owned(),
        });
        rest = after;
    }
    tokens
}

fn write_token(token: &str, moment: &Moment, minutes: bool, half_days: bool) -> String {
    let hour = match moment.hour {
        hour if !half_days => hour,
        hour => (hour + 11) % 12 + 1,
    };
    let afternoon = moment.hour >= 12;
    let month = MONTHS.get(moment.month - 1).copied().unwrap_or_default();
    match token.to_ascii_lowercase().as_str() {
        "y" | "yy" => format!("{:02}", moment.year.rem_euclid(100)),
        "yyy" | "yyyy" => format!("{:04}", moment.year),
        "m" if minutes => moment.minute.to_string(),
        "mm" if minutes => format!("{:02}", moment.minute),
        "m" => moment.month.to_string(),
        "mm" => format!("{:02}", moment.month),
        "mmm" => month.chars().take(3).collect(),
        "mmmm" => month.to_owned(),
        "d" => moment.day.to_string(),
        "dd" => format!("{:02}", moment.day),
        "ddd" => WEEKDAYS[moment.weekday].chars().take(3).collect(),
        "dddd" => WEEKDAYS[moment.weekday].to_owned(),
        "h" => hour.to_string(),
        "hh" => format!("{hour:02}"),
        "s" => moment.second.to_string(),
        "ss" => format!("{:02}", moment.second),
        "0" | "00" | "000" => format!("{:03}", moment.milli).chars().take(token.len()).collect(),
        "am/pm" => if afternoon { "PM" } else { "AM" }.to_owned(),
        "a/p" => if afternoon { "P" } else { "A" }.to_owned(),
        _ => elapsed(token, moment.total_ms)
            .unwrap_or_else(|| token.strip_prefix('"').unwrap_or(token).to_owned()),
    }
}

/// `[h]` as all the hours, `[hh]` as two digits of them at least; the same for minutes and seconds.
fn elapsed(token: &str, total_ms: i64) -> Option<String> {
    let letters = token.strip_prefix('[')?.strip_suffix(']')?;
    let unit_ms = match letters.chars().next()? {
        'h' => 3_600_000,
        'm' => 60_000,
        's' => 1_000,
        _ => return None,
    };
    let width = letters.len();
    Some(format!("{:0width$}", total_ms / unit_ms))
}

#[cfg(test)]
mod tests {
    use super::by_date_pattern;

    #[test]
    fn serial_numbers_show_as_dates_by_their_pattern() {
        // 2024-02-29 15:04:05 and the first day of the epoch that counts.
        let serial = 45_351.0 + (15.0 * 3600.0 + 4.0 * 60.0 + 5.0) / 86_400.0;
        let check = |pattern, expected| assert_eq!(by_date_pattern(serial, pattern), expected);
        check("yyyy-mm-dd hh:mm:ss", "2024-02-29 15:04:05");
        check("d mmm yyyy, h:mm am/pm", "29 Feb 2024, 3:04 PM");
        check("dddd \"on\" dd/mm/yy", "Thursday on 29/02/24");
        let elapsed = |minutes: f64, pattern| by_date_pattern(minutes / 1_440.0, pattern);
        assert_eq!(elapsed(130.9, "[h]:mm"), "2:10");
        assert_eq!(elapsed(1_530.25, "[h]:mm:ss"), "25:30:15");
        assert_eq!(elapsed(-5.0, "[h]:mm"), "-0:05");
        assert_eq!(elapsed(90.5, "[m] \"min\""), "90 min");
        assert_eq!(by_date_pattern(0.0, "yyyy-mm-dd ddd"), "1899-12-30 Sat");
    }
}
