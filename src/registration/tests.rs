//! What is planned makes everything arrive, doubles nothing, and is done after one time.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::registration::{EVENTS, NAME, Step, Webhook, arrivals, plan};

const URL: &str = "https://clinic.example/webhooks/doubletick/secret";

fn set(items: impl IntoIterator<Item = &'static str>) -> BTreeSet<String> {
    items.into_iter().map(str::to_owned).collect()
}

fn webhook(id: usize, name: &str, events: BTreeSet<String>, numbers: BTreeSet<String>) -> Webhook {
    Webhook { id: format!("w{id}"), url: URL.to_owned(), name: name.to_owned(), events, numbers }
}

/// What DoubleTick has after these steps.
fn carried_out(ours: &[Webhook], steps: Vec<Step>) -> Vec<Webhook> {
    let mut after = ours.to_vec();
    for step in steps {
        match step {
            Step::Register(it) => after.push(Webhook { id: format!("new{}", after.len()), ..it }),
            Step::Edit(it) => {
                let known = after.iter_mut().find(|known| known.id == it.id);
                *known.expect("only what is there is changed") = it;
            }
        }
    }
    after
}

fn any_webhook(id: usize) -> impl Strategy<Value = Webhook> {
    let events = [EVENTS[0], EVENTS[1], EVENTS[2], EVENTS[3], "MESSAGE_RECEIVED"];
    let events = prop::sample::subsequence(events.to_vec(), 0..=5);
    let numbers = prop::sample::subsequence(vec!["1", "2", "3"], 0..=3);
    let named = prop::sample::select(vec![NAME, "by hand"]);
    let what = (events, numbers, named, any::<bool>());
    what.prop_map(move |(events, numbers, name, is_older)| {
        let mut made = webhook(id, name, set(events), set(numbers));
        if is_older {
            made.url = "older".to_owned();
        }
        made
    })
}

proptest! {
    /// Whatever people registered, in any number of webhooks.
    #[test]
    fn one_time_makes_everything_arrive_and_a_second_time_changes_nothing(
        first in any_webhook(1), second in any_webhook(2), third in any_webhook(3), count in 0_usize..=3,
        numbers in prop::sample::subsequence(vec!["1", "2", "3", "4"], 1..=4),
    ) {
        let ours: Vec<Webhook> = [first, second, third].into_iter().take(count).collect();
        let (numbers, is_older) = (set(numbers), |it: &Webhook| it.url == "older");
        let all: BTreeSet<String> = set(["1", "2", "3", "4"]);
        let before = plan(&ours, &numbers, URL, is_older);
        let after = carried_out(&ours, before.steps);
        for (was, is) in arrivals(&ours, &all).into_iter().zip(arrivals(&after, &all)) {
            if numbers.contains(&is.number) {
                prop_assert_eq!(is.missing, Vec::<&str>::new());
            }
            prop_assert!(is.doubled.iter().all(|event| was.doubled.contains(event)), "doubled by us");
        }
        let again = plan(&after, &numbers, URL, is_older);
        prop_assert_eq!(again.steps, Vec::new());
        // Without what could go, everything that arrived still does.
        let left: Vec<Webhook> =
            after.iter().filter(|it| !again.redundant.contains(it)).cloned().collect();
        for (with, without) in arrivals(&after, &all).into_iter().zip(arrivals(&left, &all)) {
            prop_assert_eq!(with.missing, without.missing);
        }
        prop_assert_eq!(plan(&left, &numbers, URL, is_older).steps, Vec::new());
    }
}

#[test]
fn of_duplicates_the_one_that_is_called_again_after_a_timeout_stays() {
    let (events, numbers) = (set(EVENTS), set(["1", "2"]));
    let ours = [
        webhook(1, "by hand", events.clone(), numbers.clone()),
        webhook(2, NAME, events.clone(), numbers.clone()),
        webhook(3, NAME, events, numbers.clone()),
    ];
    let planned = plan(&ours, &numbers, URL, |_| false);
    let ids: Vec<&str> = planned.redundant.iter().map(|it| it.id.as_str()).collect();
    assert_eq!((planned.steps, ids), (Vec::new(), vec!["w1", "w3"]));
}

#[test]
fn what_delivers_nothing_to_us_is_no_duplicate() {
    let numbers = set(["1"]);
    let ours = [
        webhook(1, NAME, set(EVENTS), numbers.clone()),
        webhook(2, NAME, set(["MESSAGE_RECEIVED"]), numbers.clone()),
    ];
    assert_eq!(plan(&ours, &numbers, URL, |_| false).redundant, Vec::new());
}
