//! Progress, shown on standard error while somebody waits: a bar on a terminal, a line every few seconds elsewhere.
//!
//! Numbers only. Standard output belongs to what a command was asked for.

use std::time::Duration;

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// How often a line is written.
const SAY_EVERY: Duration = Duration::from_secs(3);

/// Work that may take long.
pub(super) struct Work {
    /// As it is said of it: "copying the journal".
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// How much it is, where that is known.
    pub(super) total: Option<u64>,
}

/// What is counted.
pub(super) enum Unit {
    Bytes,
    /// Called so.
    Things(&'static str),
}

impl Work {
    /// How far it has come, in words.
    fn line(&self, done: u64) -> String {
        let count = |count| match self.unit {
            Unit::Bytes => DecimalBytes(count).to_string(),
            Unit::Things(_) => HumanCount(count).to_string(),
        };
        let of = self.total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
        let unit = match self.unit {
            Unit::Bytes => String::new(),
            Unit::Things(name) => format!(" {name}"),
        };
        format!("{}: {}{of}{unit}", self.name, count(done))
    }

    fn bar(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr());
        let template = if self.total.is_some() { "{bar:30} {msg}" } else { "{spinner} {msg}" };
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// Does it, and shows how far it is. `done` says how much is done; `None` is that it has not begun.
pub(super) async fn shown<T>(
    work: Work,
    done: impl Fn() -> Option<u64>,
    doing: impl Future<Output = T>,
) -> T {
    let bar = work.bar();
    let is_terminal = !bar.is_hidden();
    let every = if is_terminal { DRAW_EVERY } else { SAY_EVERY };
    tokio::pin!(doing);
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut doing => break outcome,
            () = tokio::time::sleep(every) => {}
        }
        let Some(done) = done() else { continue };
        match is_terminal {
            true => {
                bar.set_message(work.line(done));
                bar.set_position(done);
            }
            false => log::info!("{}", work.line(done)),
        }
    };
    bar.finish_and_clear();
    outcome
}

#[cfg(test)]
mod tests {
    use super::{Unit, Work};

    #[track_caller]
    fn check(unit: Unit, total: Option<u64>, done: u64, expected: &str) {
        assert_eq!(Work { name: "counting", unit, total }.line(done), expected);
    }

    #[test]
    fn a_line_says_what_is_done_and_how_far_it_is() {
        check(Unit::Things("rows"), Some(10_000), 0, "counting: 0 of 10,000 rows");
        check(Unit::Things("rows"), None, 1_234_567, "counting: 1,234,567 rows");
        check(Unit::Bytes, Some(3_400_000), 1_200_000, "counting: 1.20 MB of 3.40 MB");
    }
}
