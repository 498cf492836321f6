//! Instances of the service on one database, and senders that never stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fake_google::Storm;
use postgres_rig::Balancer;
use tokio::task::JoinSet;

use crate::exactly_once::assert_once_each;
use crate::harness::{Clinic, PATIENCE, SECRET, Service, http, unassigned};

/// How long one of them forwards without saying that it is still there.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// Longer than an event is held while the database is away.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
const WRITES_PER_MINUTE: usize = 60;

/// Instances of one clinic, behind one address.
pub(crate) struct Group {
    pub(crate) clinic: Clinic,
    pub(crate) balancer: Balancer,
    pub(crate) running: Vec<Service>,
    started: usize,
}

impl Group {
    /// So many instances on a database.
    pub(crate) fn on(database_url: &str, count: usize) -> Self {
        let clinic = Clinic::new()
            .with("DATABASE_URL", database_url)
            .with("LEASE_SECONDS", &LEASE.as_secs().to_string())
            .with("MAX_WRITES_PER_MINUTE", &WRITES_PER_MINUTE.to_string())
            .with("MAX_PENDING_ROWS", "10000000")
            .of_several();
        let mut group =
            Self { clinic, balancer: Balancer::start(), running: Vec::new(), started: 0 };
        (0..count).for_each(|_| group.open());
        group
    }

    /// One more instance.
    pub(crate) fn open(&mut self) {
        self.started += 1;
        // Each machine has a disk of its own, with nothing on it.
        let own = self.clinic.dir.path().join(format!("machine {}", self.started));
        let service = self.clinic.start(self.clinic.command(&[""; 0]).env("DATA_DIR", &own));
        self.balancer.add(service.address);
        self.running.push(service);
    }

    /// The instance is taken out, as when the platform finds it dead.
    pub(crate) fn take(&mut self, at: usize) -> Service {
        let mut service = self.running.remove(at);
        self.balancer.remove(service.address);
        service.leaves_rows_behind();
        service
    }

    /// Which instance forwards; waits until there is one.
    pub(crate) async fn owner(&self) -> usize {
        let give_up = Instant::now() + PATIENCE;
        loop {
            for (at, service) in self.running.iter().enumerate() {
                if forwards(service).await {
                    return at;
                }
            }
            assert!(Instant::now() < give_up, "nobody forwards");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// An instance that does not forward.
    pub(crate) async fn acceptor(&self) -> usize {
        (self.owner().await + 1) % self.running.len()
    }

    /// The account at the end.
    pub(crate) async fn check(&self, sent: &Sent) {
        self.clinic.google.calm();
        for service in &self.running {
            service.drained().await;
        }
        let give_up = Instant::now() + PATIENCE;
        // An instance sees what another committed a moment later.
        let counts = loop {
            let mut all = Vec::new();
            for service in &self.running {
                all.push(counts(&service.metrics().await));
            }
            if all.iter().all(|counts| *counts == all[0]) {
                break all.remove(0);
            }
            assert!(Instant::now() < give_up, "the instances count differently: {all:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_once_each(&self.clinic, &sent.acknowledged);
        let rows = self.clinic.chats().len();
        let [accepted, written, pending, set_aside] = counts;
        assert_eq!((accepted, pending, set_aside), (written, 0, 0));
        assert_eq!(rows as u64, written, "rows in the sheet");
        let most = self.clinic.google.writes_per_minute_max();
        assert!(most <= WRITES_PER_MINUTE, "{most} writes in a minute");
    }
}

/// accepted, written, pending, set aside.
fn counts(metrics: &BTreeMap<String, f64>) -> [u64; 4] {
    let names = ["accepted_total", "written_total", "pending", "set_aside"];
    names.map(|name| format!("{}", metrics[name]).parse().unwrap())
}

/// Whether it says that it forwards.
pub(crate) async fn forwards(service: &Service) -> bool {
    service.metrics().await["forwards"] == 1.0
}

/// A storm in which a third of all calls to Google go wrong.
pub(crate) fn storm() -> Storm {
    Storm {
        seed: 14,
        lost_answer: 0.15,
        applied_late: 0.05,
        late_by: (Duration::from_millis(200), Duration::from_secs(3)),
        internal_500: 0.05,
        unavailable_503: 0.05,
        reset: 0.05,
        ..Storm::default()
    }
}

/// Senders at work.
pub(crate) struct Load {
    senders: JoinSet<Sent>,
    is_over: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
}

/// What became of all that was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) acknowledged: Vec<String>,
    /// What was answered with anything else, or not at all.
    pub(crate) failed: Vec<String>,
}

impl Load {
    /// So many senders at this address, each with a pause between two events. A chat is sent once.
    pub(crate) fn start(balancer: &Balancer, senders: usize, pause: Duration) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let webhook = format!("http://{}/webhooks/doubletick/{SECRET}", balancer.address());
        let (is_over, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut all = JoinSet::new();
        for _ in 0..senders {
            let (is_over, count) = (Arc::clone(&is_over), Arc::clone(&acknowledged));
            let webhook = webhook.clone();
            all.spawn(async move {
                let (client, mut sent) = (http(), Sent::default());
                while !is_over.load(Ordering::SeqCst) {
                    let chat = format!("chat_{}", NEXT.fetch_add(1, Ordering::SeqCst));
                    let body = unassigned(&chat).to_string();
                    let request = client.post(&webhook).body(body).timeout(ANSWERED_WITHIN);
                    match request.send().await {
                        Ok(answer) if answer.status().is_success() => {
                            sent.acknowledged.push(chat);
                            count.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(answer) => sent.failed.push(format!("{chat}: {}", answer.status())),
                        Err(error) => sent.failed.push(format!("{chat}: {error:?}")),
                    }
                    tokio::time::sleep(pause).await;
                }
                sent
            });
        }
        Self { senders: all, is_over, acknowledged }
    }

    /// How many were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until so many more were acknowledged.
    pub(crate) async fn goes_on(&self, more: usize) {
        let (wanted, give_up) = (self.acknowledged() + more, Instant::now() + PATIENCE);
        while self.acknowledged() < wanted {
            assert!(Instant::now() < give_up, "events are not taken any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// No more events; waits for the last answers.
    pub(crate) async fn stop(self) -> Sent {
        self.is_over.store(true, Ordering::SeqCst);
        let mut all = Sent::default();
        for sent in self.senders.join_all().await {
            all.acknowledged.extend(sent.acknowledged);
            all.failed.extend(sent.failed);
        }
        all
    }
}
