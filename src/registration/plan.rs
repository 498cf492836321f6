//! What is registered for us, and what is missing: decided without asking anybody.
//!
//! A webhook delivers each of its events for each of its numbers. Wanted is that each of the four events of
//! each number is delivered once. What is missing is added to a webhook that is there, unless that would
//! deliver something twice; then a further one is registered. Nothing is ever taken away here: what is
//! delivered twice is named, and [`Plan::redundant`] says which webhooks could go.

use std::collections::BTreeSet;

use crate::registration::{EVENTS, NAME};

/// A webhook as DoubleTick knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) id: String,
    /// It holds the secret.
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) events: BTreeSet<String>,
    /// The clinic's numbers, in digits.
    pub(crate) numbers: BTreeSet<String>,
}

impl Webhook {
    /// Whether it delivers that event of that number.
    fn delivers(&self, number: &str, event: &str) -> bool {
        self.numbers.contains(number) && self.events.contains(event)
    }

    /// The pairs of number and event, of the four, that it delivers.
    fn pairs(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let events = EVENTS.into_iter().filter(|event| self.events.contains(*event));
        events.flat_map(|event| self.numbers.iter().map(move |number| (number.as_str(), event)))
    }
}

/// How the four events of one number arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// In digits.
    pub(crate) number: String,
    pub(crate) missing: Vec<&'static str>,
    pub(crate) doubled: Vec<&'static str>,
}

/// How they arrive for each of these numbers, by the webhooks of our address.
pub(crate) fn arrivals(ours: &[Webhook], numbers: &BTreeSet<String>) -> Vec<Arrival> {
    let of = |number: &String| {
        let times = |event: &str| ours.iter().filter(|it| it.delivers(number, event)).count();
        let those = |is: fn(usize) -> bool| {
            EVENTS.into_iter().filter(|event| is(times(event))).collect::<Vec<_>>()
        };
        Arrival { number: number.clone(), missing: those(|n| n == 0), doubled: those(|n| n > 1) }
    };
    numbers.iter().map(of).collect()
}

/// One thing to tell DoubleTick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A further webhook; its id is not known yet.
    Register(Webhook),
    /// This one as it shall be.
    Edit(Webhook),
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Webhooks of our address without which everything would still be delivered.
    pub(crate) redundant: Vec<Webhook>,
}

/// Decides what makes the four events of all `numbers` arrive at `url`. `ours` are the webhooks that lead to
/// us, also under an older secret; `is_older` tells those.
pub(crate) fn plan(
    ours: &[Webhook],
    numbers: &BTreeSet<String>,
    url: &str,
    is_older: impl Fn(&Webhook) -> bool,
) -> Plan {
    let redundant = redundant(ours, &is_older);
    let mut kept: Vec<Webhook> =
        ours.iter().filter(|it| !redundant.contains(it)).cloned().collect();
    for webhook in &mut kept {
        webhook.name = NAME.to_owned();
        if is_older(webhook) {
            webhook.url = url.to_owned();
        }
    }
    let mut further: Vec<Webhook> = Vec::new();
    for number in numbers {
        // As it is by now: what was added for another number may deliver some of it already.
        let is_missing =
            |event: &&str| kept.iter().chain(&further).all(|it| !it.delivers(number, event));
        let events: BTreeSet<String> =
            EVENTS.into_iter().filter(is_missing).map(str::to_owned).collect();
        if events.is_empty() {
            continue;
        }
        let wider = (0..kept.len()).find_map(|at| {
            let mut wider = kept[at].clone();
            wider.numbers.insert(number.clone());
            wider.events.extend(events.iter().cloned());
            let others = || {
                let kept = kept.iter().enumerate().filter(|(other, _)| *other != at);
                kept.map(|(_, other)| other).chain(&further)
            };
            let is_once = |(number, event): (&str, &str)| {
                kept[at].delivers(number, event)
                    || others().all(|other| !other.delivers(number, event))
            };
            // An address that says which event it is takes no others.
            let may_be = !wider.url.contains('?') && wider.pairs().all(is_once);
            may_be.then_some((at, wider))
        });
        match wider {
            Some((at, wider)) => kept[at] = wider,
            None => match further.iter_mut().find(|it| it.events == events) {
                Some(same) => _ = same.numbers.insert(number.clone()),
                None => further.push(Webhook {
                    id: String::new(),
                    url: url.to_owned(),
                    name: NAME.to_owned(),
                    events,
                    numbers: [number.clone()].into(),
                }),
            },
        }
    }
    let edits = kept.into_iter().filter(|it| !ours.contains(it)).map(Step::Edit);
    let steps = edits.chain(further.into_iter().map(Step::Register)).collect();
    Plan { steps, redundant: redundant.into_iter().cloned().collect() }
}

/// Those without which the others still deliver everything that they do. Those made by hand and those of an
/// older secret go first, and of equals the first one stays.
fn redundant(ours: &[Webhook], is_older: impl Fn(&Webhook) -> bool) -> Vec<&Webhook> {
    let mut order: Vec<&Webhook> = ours.iter().rev().collect();
    order.sort_by_key(|it| (!is_older(it), it.name == NAME));
    let mut stay: Vec<&Webhook> = ours.iter().collect();
    let mut go = Vec::new();
    for webhook in order {
        let others = || stay.iter().filter(|other| other.id != webhook.id);
        let is_covered =
            |(number, event): (&str, &str)| others().any(|other| other.delivers(number, event));
        let mut pairs = webhook.pairs().peekable();
        if pairs.peek().is_some() && pairs.all(is_covered) {
            stay.retain(|other| other.id != webhook.id);
            go.push(webhook);
        }
    }
    go
}
