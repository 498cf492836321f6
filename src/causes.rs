//! An error with its causes, in one line.

use std::error::Error;
use std::fmt;

/// Displays an error and each of its causes once, separated by colons. A cause that only repeats what
/// was said (some libraries' do) is passed over.
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Debug for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !more.contains(&said) {
                write!(f, ": {more}")?;
            }
            said = more;
            cause = error.source();
        }
        Ok(())
    }
}
