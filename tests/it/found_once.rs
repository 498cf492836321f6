//! What asking finds is found once: whatever comes late, is killed, takes over, or cannot be read.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fake_google::{DoubleTickFault, FakeDoubleTick};
use postgres_rig::{Cluster, installed};

use crate::harness::{Clinic, HANDOVERS_TAB, LOG_TAB, PATIENCE, Service};
use crate::several::group::{Group, storm};

const NUMBER: &str = "919000000000";
const EVENTS: [&str; 4] =
    ["CHAT_ASSIGNED_TO_AGENT", "CHAT_UNASSIGNED", "CLOSE_CONVERSATION", "CONVERSATION_OPENED"];
const ASHA: (&str, &str) = ("Asha Nair", "919800000001");
const RAVI: (&str, &str) = ("Ravi Menon", "919800000002");
const NOTE: &str = "Found by asking DoubleTick";

/// A clinic that asks, and its account at DoubleTick.
struct Asking {
    doubletick: FakeDoubleTick,
    clinic: Clinic,
}

impl Asking {
    fn new() -> Self {
        Self::of(Clinic::new())
    }

    fn of(clinic: Clinic) -> Self {
        let doubletick = FakeDoubleTick::start(&[NUMBER]);
        let clinic = clinic
            .with("DOUBLETICK_API_URL", doubletick.url())
            .with("DOUBLETICK_API_KEY", doubletick.key())
            .with("ASK_SECONDS", "1")
            .with("RUST_LOG", "debug");
        Self { doubletick, clinic }
    }

    fn open(&self) -> Service {
        let service = self.clinic.open();
        self.sends_to(&service);
        service
    }

    /// Where one was killed, its port may be another's by now.
    fn sends_to(&self, service: &Service) {
        self.doubletick.remove_webhooks();
        self.doubletick.add_webhook(&service.webhook(), "By hand", &EVENTS, &[NUMBER]);
    }

    /// A patient of this number whom somebody looks after, and that was told.
    fn looked_after(&self, chat: &str, phone: &str) {
        self.doubletick.chat_arrives(chat, chat, phone, NUMBER);
        self.doubletick.assign(chat, ASHA.0, ASHA.1);
    }

    /// The same, and then nobody does, which was told, too.
    fn dropped(&self, chat: &str, phone: &str) {
        self.looked_after(chat, phone);
        self.doubletick.unassign(chat);
    }

    /// What stands beside the times of the log's rows.
    fn notes(&self) -> Vec<String> {
        let rows = 1..=self.clinic.rows().len();
        let note = |row| self.clinic.google.cell(LOG_TAB, row, 0)["note"].clone();
        rows.map(|row| note(row).as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Whose rows the log has. What was found has no chat's id, which no list tells.
    fn patients(&self) -> Vec<String> {
        self.clinic.google.column(LOG_TAB, "Customer name")
    }

    /// How many were asked for; each is one page here.
    fn lists(&self) -> usize {
        self.doubletick.requests("/chats").len()
    }

    /// Whose waits ended.
    fn handovers(&self) -> Vec<String> {
        self.clinic.google.column(HANDOVERS_TAB, "Customer name")
    }

    fn waiting(&self) -> Vec<String> {
        self.clinic.board().iter().map(|line| line[2].clone()).collect()
    }
}

/// Nothing of a patient shows, though the list holds all of it.
#[track_caller]
fn check_silent(service: &Service) {
    let log = service.log();
    for shown in ["919111222", ASHA.0, RAVI.0, "words-of-a-patient", "key_of"] {
        let line = log.lines().find(|line| line.contains(shown));
        assert_eq!(line, None, "the log shows {shown}");
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_event_is_the_resend_of_what_was_found_and_the_next_drop_is_another_row() {
    let asking = Asking::new();
    let service = asking.open();
    asking.looked_after("lost", "919111222001");
    asking.looked_after("late", "919111222002");
    asking.dropped("told", "919111222003");
    asking.doubletick.swallow_events();
    asking.doubletick.unassign("lost");
    asking.doubletick.hold_events();
    asking.doubletick.unassign("late");
    until("the rows of both", || asking.clinic.rows().len() == 3).await;
    service.drained().await;
    let mut patients = asking.patients();
    assert_eq!(patients.remove(0), "told", "it was there first");
    patients.sort();
    assert_eq!(patients, ["late", "lost"]);
    let notes = asking.notes();
    assert_eq!(notes[0], "");
    assert!(notes[1..].iter().all(|note| note.starts_with(NOTE)), "{notes:?}");
    let agents = asking.clinic.google.column(LOG_TAB, "Previous agent");
    assert_eq!(agents, [ASHA.0; 3]);
    asking.doubletick.deliver_events();
    let metrics = service.metrics().await;
    assert_eq!((metrics["accepted_total"], metrics["duplicate_total"]), (3.0, 1.0));
    // A drop after that is another one.
    asking.doubletick.assign("late", RAVI.0, RAVI.1);
    asking.doubletick.unassign("late");
    asking.clinic.expect_rows(4);
    service.drained().await;
    assert_eq!(asking.notes()[3], "");
    let mut waiting = asking.waiting();
    waiting.sort();
    assert_eq!(waiting, ["late", "lost", "told"]);
    check_silent(&service);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_late_of_a_wait_whose_end_was_found_ends_nothing_again() {
    let asking = Asking::new();
    let service = asking.open();
    asking.dropped("taken", "919111222001");
    asking.dropped("closed", "919111222002");
    asking.dropped("waits", "919111222003");
    asking.clinic.expect_rows(3);
    asking.doubletick.hold_events();
    asking.doubletick.assign("taken", RAVI.0, RAVI.1);
    asking.doubletick.close("closed");
    until("both handovers", || asking.handovers().len() == 2).await;
    asking.clinic.wait_for_headline("1 patient waiting").await;
    assert_eq!(asking.waiting(), ["waits"]);
    let by = asking.clinic.google.column(HANDOVERS_TAB, "Taken by");
    assert!(by.contains(&RAVI.0.to_owned()), "{by:?}");
    // What comes late ends nothing again.
    asking.doubletick.deliver_events();
    asking.doubletick.assign("waits", RAVI.0, RAVI.1);
    asking.clinic.wait_for_headline("Nobody is waiting").await;
    service.drained().await;
    assert_eq!(asking.handovers().len(), 3);
    assert_eq!(asking.clinic.rows().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_is_written_once_also_after_a_crash_in_between() {
    let asking = Asking::new();
    let service = asking.open();
    service.settled().await;
    asking.looked_after("lost", "919111222001");
    asking.doubletick.swallow_events();
    asking.doubletick.unassign("lost");
    asking.clinic.google.outage(true);
    let give_up = Instant::now() + PATIENCE;
    while service.metrics().await["accepted_total"] == 0.0 {
        assert!(Instant::now() < give_up, "it was not found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    service.kill();
    asking.clinic.google.heal();
    let service = asking.open();
    asking.clinic.expect_rows(1);
    service.drained().await;
    assert!(asking.notes()[0].starts_with(NOTE));
    // The next lists find nothing new.
    let before = asking.lists();
    until("it asks twice more", || asking.lists() >= before + 3).await;
    service.drained().await;
    assert_eq!(asking.patients(), ["lost"]);
}

/// How often each patient lost their agent, as the clinic knows it.
type Drops = BTreeMap<String, usize>;

/// The board and the log say what is true: who waits, and how often each was dropped.
fn is_true(asking: &Asking, drops: &Drops) -> bool {
    let mut waiting = asking.waiting();
    let mut truly = asking.doubletick.waiting();
    waiting.sort();
    truly.sort();
    let mut rows = Drops::new();
    asking.patients().into_iter().for_each(|patient| *rows.entry(patient).or_default() += 1);
    waiting == truly && rows == *drops
}

/// Half of all drops and half of all takings are never told, in a storm at Google, with kills in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_swallowed_the_board_and_the_log_become_true_and_stay_so() {
    let mut random = fastrand::Rng::with_seed(16);
    let asking = Asking::new();
    let mut service = asking.open();
    let patients: Vec<String> = (0..12).map(|n| format!("patient {n}")).collect();
    for (n, patient) in patients.iter().enumerate() {
        asking.looked_after(patient, &format!("9191112220{n:02}"));
    }
    asking.clinic.google.storm(storm());
    let mut drops = Drops::new();
    for shift in 0..5 {
        for patient in &patients {
            match random.bool() {
                true => asking.doubletick.swallow_events(),
                false => asking.doubletick.deliver_events(),
            }
            let is_waiting = asking.doubletick.waiting().contains(patient);
            match (is_waiting, random.u8(..3)) {
                (_, 0) => {}
                (true, _) => asking.doubletick.assign(patient, RAVI.0, RAVI.1),
                (false, _) => {
                    asking.doubletick.unassign(patient);
                    *drops.entry(patient.clone()).or_default() += 1;
                }
            }
        }
        if shift % 2 == 1 {
            service.kill();
            service = asking.open();
        }
        until("the truth", || is_true(&asking, &drops)).await;
        let before = asking.lists();
        until("it asks again", || asking.lists() >= before + 3).await;
        service.drained().await;
        assert!(is_true(&asking, &drops), "{drops:?}: {:?}", asking.patients());
    }
    let metrics = service.metrics().await;
    assert!(metrics["found_total"] >= 3.0 && metrics["found_ends_total"] >= 3.0, "{metrics:?}");
    check_silent(&service);
    asking.clinic.google.calm();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_one_asks_and_the_other_goes_on_when_it_is_killed() {
    if !installed() {
        return;
    }
    let database = Cluster::shared().database();
    let mut group = Group::on(&database.url(), 0);
    let asking = Asking::of(group.clinic);
    group.clinic = asking.clinic;
    (0..2).for_each(|_| group.open());
    let first = group.owner().await;
    let doubletick = &asking.doubletick;
    for service in &group.running {
        // Each event comes to both.
        doubletick.add_webhook(&service.webhook(), "By hand", &EVENTS, &[NUMBER]);
    }
    doubletick.chat_arrives("lost", "lost", "919111222001", NUMBER);
    doubletick.assign("lost", ASHA.0, ASHA.1);
    doubletick.swallow_events();
    doubletick.unassign("lost");
    until("somebody asks", || !doubletick.requests("/chats").is_empty()).await;
    group.take(first).kill();
    let clinic = &group.clinic;
    until("its row", || clinic.rows().len() == 1).await;
    group.running[0].drained().await;
    assert_eq!(group.running[0].metrics().await["accepted_total"], 1.0);
}

/// Whatever the list is like, nothing comes of it, and that is said; where it is right again, all is found.
async fn check_trouble(fault: DoubleTickFault, state: &str, sentence: &str) {
    let asking = Asking::new();
    asking.doubletick.fail_lists(fault);
    let service = asking.open();
    asking.dropped("waits", "919111222001");
    asking.looked_after("lost", "919111222002");
    asking.dropped("taken", "919111222003");
    asking.doubletick.swallow_events();
    asking.doubletick.unassign("lost");
    asking.doubletick.assign("taken", RAVI.0, RAVI.1);
    asking.clinic.expect_rows(2);
    let give_up = Instant::now() + PATIENCE;
    let said = loop {
        let said = service.ready().await["asking"].clone();
        if said["state"] == state {
            break said["detail"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < give_up, "{fault:?}: {said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(said.contains(sentence), "{fault:?}: {said}");
    service.drained().await;
    let metrics = service.metrics().await;
    let found = (metrics["found_total"], metrics["found_ends_total"], metrics["unheard"]);
    assert_eq!(found, (0.0, 0.0, 0.0), "{fault:?}");
    assert_eq!(asking.patients(), ["waits", "taken"]);
    asking.clinic.wait_for_headline("2 patients waiting").await;
    check_silent(&service);
    service.kill();
    asking.doubletick.heal();
    let service = asking.open();
    asking.clinic.expect_rows(3);
    asking.clinic.wait_for_headline("2 patients waiting").await;
    until("the handover", || asking.handovers() == ["taken"]).await;
    service.drained().await;
    assert_eq!(service.ready().await["asking"]["state"], "asking");
    assert_eq!(asking.patients()[2], "lost");
}

#[test]
fn a_list_that_cannot_be_read_changes_nothing_and_that_is_said() {
    use DoubleTickFault::{Cut, ErrorInside, FirstPageAgain, Says, Status, WrongTypes};
    let senseless = "DoubleTick's answer makes no sense: for an hour it is not asked";
    let faults = [
        (Status(429), "failing", "DoubleTick asks for a pause; it is asked again in a while"),
        (Status(500), "failing", "DoubleTick answered with 500"),
        (Status(401), "failing", "does not accept DOUBLETICK_API_KEY"),
        (Cut, "silent", senseless),
        (ErrorInside, "silent", senseless),
        (WrongTypes, "silent", senseless),
        (FirstPageAgain, "silent", senseless),
        (Says(200, "{\"chats\":[],\"paginationOptions\":{}}"), "silent", senseless),
    ];
    // Each on a thread of its own: where one waits for the sheet, the requests of others must not.
    std::thread::scope(|all| {
        for (fault, state, sentence) in faults {
            all.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(check_trouble(fault, state, sentence));
            });
        }
    });
}
