//! The calls to Google of the last hour as a chart: SVG, drawn here, so that it needs no JavaScript.

use std::fmt::Write;

use crate::http::page::render::html::counted;
use crate::operator::{MINUTES, Minute};

const BAR: usize = 10;
const HEIGHT: u64 = 80;

/// The chart and, in words, what it shows.
pub(in crate::http::page) fn chart(hour: &[Minute; MINUTES]) -> String {
    let calls: u64 = hour.iter().map(|minute| minute.calls).sum();
    let errors: u64 = hour.iter().map(|minute| minute.errors).sum();
    let most = hour.iter().map(|minute| minute.calls).max().unwrap_or_default();
    let width = MINUTES * BAR;
    let words = format!(
        "{} in the last hour, {} of them without success; {most} in the busiest minute.",
        counted(calls, "call"),
        errors
    );
    let mut bars = String::new();
    for (place, minute) in hour.iter().enumerate() {
        let tall = |count: u64| match count {
            0 => 0,
            // Whatever happened can be seen.
            _ => (count * HEIGHT).div_ceil(most.max(1)).max(2),
        };
        let (all, bad) = (tall(minute.calls), tall(minute.errors));
        for (kind, height) in [("calls", all), ("errors", bad)] {
            if height > 0 {
                // Writing to a string does not fail.
                _ = write!(
                    bars,
                    "<rect class=\"{kind}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\" rx=\"1\"/>",
                    place * BAR + 1,
                    HEIGHT - height,
                    BAR - 2
                );
            }
        }
    }
    format!(
        "<figure><svg class=\"chart\" viewBox=\"0 0 {width} {}\" role=\"img\" \
         aria-label=\"{words}\" preserveAspectRatio=\"none\">{bars}\
         <line class=\"ground\" x1=\"0\" y1=\"{HEIGHT}\" x2=\"{width}\" y2=\"{HEIGHT}\"/></svg>\
         <div class=\"axis\" aria-hidden=\"true\"><span>an hour ago</span><span>now</span></div>\
         <figcaption>{words}</figcaption></figure>",
        HEIGHT + 1
    )
}
