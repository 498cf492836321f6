//! `cargo bench -- failovers`: the long run. Three instances in a storm at Google, while the one that forwards and
//! the database's primary fail over again and again.
//!
//! Each round is a failover of either kind, each with the next of its faults: the one that forwards is killed,
//! stopped politely, or stands still for longer than the lease and wakes; the primary is killed, cut off, or
//! stops, and the standby is promoted. In between answers to COMMIT are swallowed, connections reset, and another
//! instance is killed. `BENCH_FAILOVERS` (default 200) is how many of either kind there are, `BENCH_EVENTS`
//! (default 200,000) how many events are acknowledged at least. At the end every one of them is in the sheet
//! once, in order.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fake_google::{FakeGoogle, Storm};
use postgres_rig::{Balancer, Cluster, Database, Durability, Proxy};

use crate::sender::{Sender, number_of};
use crate::server::{Kind, Running};

const TAB: &str = "Unassigned chats";
const INSTANCES: usize = 3;
const SENDERS: usize = 12;
const LEASE: Duration = Duration::from_secs(2);
const WRITES_A_MINUTE: usize = 60;
const PATIENCE: Duration = Duration::from_secs(300);

/// What is under test.
struct Group<'c> {
    google: FakeGoogle,
    cluster: &'c Cluster,
    database: Database<'c>,
    proxies: Vec<Proxy>,
    balancer: Balancer,
    running: Vec<Running>,
}

/// What the senders share.
#[derive(Default)]
struct Sent {
    next: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    is_over: AtomicBool,
}

/// All of it.
pub(crate) fn run(failovers: u64, events: u64) {
    let cluster = Cluster::replicated(Durability::Flushed);
    let mut group = Group::on(&cluster);
    let (sent, begun) = (Sent::default(), Instant::now());
    let url = format!("http://{}{}", group.balancer.address(), group.running[0].path());
    let acknowledged = std::thread::scope(|scope| {
        let start = |_| scope.spawn(|| send(&url, &sent));
        let senders: Vec<_> = (0..SENDERS).map(start).collect();
        let mut slowest = [Duration::ZERO; 2];
        for round in 0..failovers {
            // So many events on the average that there are enough at the end.
            group.taken_until(&sent, events * round / failovers);
            slowest[0] = slowest[0].max(group.hand_over(round, &sent));
            slowest[1] = slowest[1].max(group.fail_over(round, &sent));
            if round % 10 == 9 {
                println!(
                    "{} failovers of either kind, {} events acknowledged, {} not, {:.0} s; slowest {:.1?} until \
                     another forwards, {:.1?} until events are taken again",
                    round + 1,
                    sent.acknowledged.load(Ordering::SeqCst),
                    sent.refused.load(Ordering::SeqCst),
                    begun.elapsed().as_secs_f64(),
                    slowest[0],
                    slowest[1],
                );
            }
        }
        group.taken_until(&sent, events);
        sent.is_over.store(true, Ordering::SeqCst);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<Vec<u64>>()
    });
    group.check(&acknowledged);
}

/// Sends chats, each once, until all is over; which were acknowledged.
fn send(url: &str, sent: &Sent) -> Vec<u64> {
    let (mut acknowledged, mut connection) = (Vec::new(), None);
    while !sent.is_over.load(Ordering::SeqCst) {
        let number = sent.next.fetch_add(1, Ordering::SeqCst);
        let mut sender = connection.take().unwrap_or_else(|| Sender::to(url));
        match sender.try_unassign(usize::try_from(number).unwrap()) {
            Ok(true) => {
                acknowledged.push(number);
                sent.acknowledged.fetch_add(1, Ordering::SeqCst);
                connection = Some(sender);
            }
            Ok(false) => {
                sent.refused.fetch_add(1, Ordering::SeqCst);
                connection = Some(sender);
            }
            Err(_) => {
                sent.refused.fetch_add(1, Ordering::SeqCst);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    acknowledged
}

impl<'c> Group<'c> {
    fn on(cluster: &'c Cluster) -> Self {
        let google = FakeGoogle::start();
        google.storm(Storm {
            seed: 14,
            lost_answer: 0.1,
            applied_late: 0.05,
            late_by: (Duration::from_millis(200), Duration::from_secs(5)),
            internal_500: 0.05,
            unavailable_503: 0.05,
            reset: 0.05,
            ..Storm::default()
        });
        let proxies = cluster.addresses().into_iter().map(Proxy::before).collect();
        let (database, balancer) = (cluster.database(), Balancer::start());
        let running = Vec::new();
        let mut group = Self { google, cluster, database, proxies, balancer, running };
        (0..INSTANCES).for_each(|_| group.start());
        group
    }

    fn start(&mut self) {
        let addresses: Vec<_> = self.proxies.iter().map(Proxy::address).collect();
        let (url, lease) = (self.database.url_at(&addresses), LEASE.as_secs().to_string());
        let writes = WRITES_A_MINUTE.to_string();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("LEASE_SECONDS", &lease),
            ("MAX_WRITES_PER_MINUTE", &writes),
        ];
        let started = Running::start_with(Kind::Service, &self.google, &settings);
        self.balancer.add(started.address());
        self.running.push(started);
    }

    fn take(&mut self, at: usize) -> Running {
        let taken = self.running.remove(at);
        self.balancer.remove(taken.address());
        taken
    }

    /// Which one forwards; waits until there is one.
    fn owner(&self) -> usize {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.running.iter().position(|one| one.metric("forwards") == 1) {
                return at;
            }
            assert!(Instant::now() < give_up, "nobody forwards");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until so many events were acknowledged.
    fn taken_until(&self, sent: &Sent, count: u64) {
        let mut before = (sent.acknowledged.load(Ordering::SeqCst), Instant::now());
        while before.0 < count {
            std::thread::sleep(Duration::from_millis(2));
            let now = sent.acknowledged.load(Ordering::SeqCst);
            if now > before.0 {
                before = (now, Instant::now());
            }
            assert!(before.1.elapsed() < PATIENCE, "events are not taken any more");
        }
    }

    /// The one that forwards goes, one way or another; how long until another does.
    fn hand_over(&mut self, round: u64, sent: &Sent) -> Duration {
        let at = self.owner();
        let old = self.take(at);
        let begun = Instant::now();
        old.signal(["KILL", "TERM", "STOP"][usize::try_from(round % 3).unwrap()]);
        self.owner();
        let took = begun.elapsed();
        let taken = sent.acknowledged.load(Ordering::SeqCst);
        self.taken_until(sent, taken + 50);
        if round % 3 == 2 {
            old.signal("CONT");
            self.balancer.add(old.address());
            self.running.push(old);
        } else {
            drop(old);
            self.start();
        }
        took
    }

    /// The primary goes, one way or another, and the standby takes over; how long until events are taken.
    fn fail_over(&mut self, round: u64, sent: &Sent) -> Duration {
        match round % 4 {
            0 => self.proxies.iter().for_each(|proxy| proxy.swallow_commits(2)),
            1 => self.proxies.iter().for_each(Proxy::reset),
            2 => {
                let other = (self.owner() + 1) % self.running.len();
                self.take(other).signal("KILL");
                self.start();
            }
            _ => {}
        }
        let old = self.cluster.primary().address();
        let at = self.cluster.addresses().iter().position(|address| *address == old).unwrap();
        if round.is_multiple_of(3) {
            self.proxies[at].blackhole();
        }
        match round % 3 {
            2 => self.cluster.primary().stop(),
            _ => self.cluster.primary().kill(),
        }
        self.cluster.promote();
        let begun = Instant::now();
        let taken = sent.acknowledged.load(Ordering::SeqCst);
        self.taken_until(sent, taken + 1);
        let took = begun.elapsed();
        self.taken_until(sent, taken + 50);
        self.cluster.replicate();
        self.proxies[at].pass();
        took
    }

    /// The account.
    fn check(&self, acknowledged: &[u64]) {
        self.google.calm();
        let give_up = Instant::now() + PATIENCE;
        while self.running.iter().any(|one| one.metric("pending") > 0) {
            assert!(Instant::now() < give_up, "rows are still pending");
            std::thread::sleep(Duration::from_millis(100));
        }
        let rows = self.google.column(TAB, "Chat ID");
        let written: HashSet<u64> = rows.iter().map(|chat| number_of(chat) as u64).collect();
        let lost = acknowledged.iter().filter(|number| !written.contains(number)).count();
        let doubled = rows.len() - written.len();
        let ids = self.google.column(TAB, "Event ID");
        let number = |id: &String| id.rsplit_once('-').unwrap().1.parse::<u64>().unwrap();
        let is_in_order = ids.iter().map(number).is_sorted();
        let most = self.google.writes_per_minute_max();
        println!(
            "{} acknowledged, {} rows: {lost} lost, {doubled} doubled, in order: {is_in_order}, {most} writes \
             a minute at most",
            acknowledged.len(),
            rows.len()
        );
        for one in &self.running {
            let [accepted, written, pending, aside] =
                ["accepted_total", "written_total", "pending", "set_aside"]
                    .map(|name| one.metric(name));
            println!(
                "accepted {accepted} = written {written} + pending {pending} + set aside {aside}"
            );
            assert_eq!(accepted, written + pending + aside);
            assert_eq!(written, rows.len() as u64);
        }
        assert_eq!((lost, doubled, is_in_order), (0, 0, true));
        assert!(most <= WRITES_A_MINUTE);
        assert_eq!(self.google.invalid_requests(), Vec::<String>::new());
    }
}
