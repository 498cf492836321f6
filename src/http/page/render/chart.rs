//! The calls to Google of the last hour as a chart: SVG, drawn here, so that it needs no JavaScript.

use maud::{Markup, html};

use crate::http::page::render::html::counted;
use crate::operator::{MINUTES, Minute};

const BAR: usize = 10;
const HEIGHT: u64 = 80;

/// The chart and, in words, what it shows.
pub(in crate::http::page) fn chart(hour: &[Minute; MINUTES]) -> Markup {
    let calls: u64 = hour.iter().map(|minute| minute.calls).sum();
    let errors: u64 = hour.iter().map(|minute| minute.errors).sum();
    let most = hour.iter().map(|minute| minute.calls).max().unwrap_or_default();
    let width = MINUTES * BAR;
    let words = format!(
        "{} in the last hour, {} of them without success; {most} in the busiest minute.",
        counted(calls, "call"),
        errors
    );
    let tall = |count: u64| match count {
        0 => 0,
        // Whatever happened can be seen.
        _ => (count * HEIGHT).div_ceil(most.max(1)).max(2),
    };
    html! {
        figure {
            svg.chart viewBox={"0 0 " (width) " " (HEIGHT + 1)} role="img" aria-label=(words)
                preserveAspectRatio="none" {
                @for (place, minute) in hour.iter().enumerate() {
                    (bar("calls", place, tall(minute.calls)))
                    (bar("errors", place, tall(minute.errors)))
                }
                line.ground x1="0" y1=(HEIGHT) x2=(width) y2=(HEIGHT) {}
            }
            .axis aria-hidden="true" { span { "an hour ago" } span { "now" } }
            figcaption { (words) }
        }
    }
}

fn bar(kind: &str, place: usize, height: u64) -> Markup {
    html! {
        @if height > 0 {
            rect class=(kind) x=(place * BAR + 1) y=(HEIGHT - height) width=(BAR - 2) height=(height) rx="1" {}
        }
    }
}
