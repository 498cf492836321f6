//! The load: wrk with unique bodies, and what it measured.

use std::process::{Command, Stdio};

use crate::server::Running;

/// What is sent.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// Unassigned events, each of a chat of its own.
    Unassigned,
    /// The four events in turn, each of one of 100,000 chats.
    Mixed,
}

/// What one run showed.
#[derive(Clone)]
pub(crate) struct Figures {
    pub(crate) requests_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) cpu_us_a_request: f64,
    pub(crate) peak_mb: f64,
}

/// Shared by the scripts: one body a request, and a line of figures at the end.
const FRAME: &str = r#"
local threads = 0
function setup(thread) thread:set("tid", threads); threads = threads + 1 end
function init(args) n = 0; run = os.time(); math.randomseed(run + tid) end
function request()
  n = n + 1
  return wrk.format("POST", nil, { ["content-type"] = "application/json" }, body(n))
end
function done(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), errors))
end
"#;

const UNASSIGNED: &str = r#"
function body(n)
  local id = run .. "_" .. tid .. "_" .. n
  return '{"chatId":"chat_' .. id .. '","customerPhone":"+919111222333",'
    .. '"wabaNumber":"+919000000000","dtCustomerId":"customer_' .. id .. '"}'
end
"#;

const MIXED: &str = r#"
function body(n)
  local k = math.random(1, 100000)
  local who = '"customerPhone":"+91911' .. k .. '","dtCustomerId":"customer_' .. k .. '"'
  if n % 4 == 0 then
    return '{"chatId":"chat_' .. k .. '","wabaNumber":"+919000000000",' .. who .. '}'
  elseif n % 4 == 1 then
    return '{"chatId":"chat_' .. k .. '","assignedUserId":"user_' .. n .. '",'
      .. '"assignedUserName":"Asha Nair","assignedUserPhone":"+919800000001",'
      .. '"assignedUserEmail":"asha@example.com","assignedUserWabaNumber":"+919000000000",'
      .. who .. ',"message":{"text":"Asha Nair assigned conversation to self"}}'
  end
  local flag = n % 4 == 2 and "conversationOpened" or "closeConversation"
  return '{"customerName":"Rohan Mehta","from":"+91911' .. k .. '","to":"+919000000000",'
    .. who .. ',"' .. flag .. '":true}'
end
"#;

/// Every chat once: assigned to someone.
const INTRODUCED: &str = r#"
function body(n)
  local k = (n * 2 + tid) % 100000 + 1
  return '{"chatId":"chat_' .. k .. '","assignedUserId":"user_' .. n .. '",'
    .. '"assignedUserName":"Asha Nair","assignedUserPhone":"+919800000001",'
    .. '"customerPhone":"+91911' .. k .. '","dtCustomerId":"customer_' .. k .. '"}'
end
"#;

/// Whether the load generator can be run.
pub(crate) fn is_there() -> bool {
    Command::new("wrk").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Makes 100,000 chats known.
pub(crate) fn introduce(server: &Running) {
    wrk(server, INTRODUCED, 64, 6);
}

/// Loads the servers together for so many seconds, each over its share of the connections. The latencies are
/// those of the slowest, the memory that of the largest.
pub(crate) fn run_all(servers: &[Running], connections: usize, seconds: u64) -> Figures {
    let share = connections / servers.len();
    let all: Vec<Figures> = std::thread::scope(|scope| {
        let one = |server| scope.spawn(move || run(server, Load::Unassigned, share, seconds));
        let running: Vec<_> = servers.iter().map(one).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let sum = |figure: fn(&Figures) -> f64| all.iter().map(figure).sum::<f64>();
    let most = |figure: fn(&Figures) -> f64| all.iter().map(figure).fold(0.0, f64::max);
    let requests_per_s = sum(|one| one.requests_per_s);
    Figures {
        requests_per_s,
        p50_us: most(|one| one.p50_us),
        p99_us: most(|one| one.p99_us),
        p999_us: most(|one| one.p999_us),
        cpu_us_a_request: sum(|one| one.cpu_us_a_request * one.requests_per_s) / requests_per_s,
        peak_mb: most(|one| one.peak_mb),
    }
}

/// Loads the server for so many seconds.
pub(crate) fn run(server: &Running, load: Load, connections: usize, seconds: u64) -> Figures {
    let script = match load {
        Load::Unassigned => UNASSIGNED,
        Load::Mixed => MIXED,
    };
    let before_us = server.cpu_us();
    let [requests, duration_us, p50_us, p99_us, p999_us] =
        wrk(server, script, connections, seconds);
    Figures {
        requests_per_s: requests / (duration_us / 1e6),
        p50_us,
        p99_us,
        p999_us,
        cpu_us_a_request: (server.cpu_us() - before_us) / requests,
        peak_mb: server.peak_mb(),
    }
}

fn wrk(server: &Running, script: &str, connections: usize, seconds: u64) -> [f64; 5] {
    let file = tempfile::Builder::new().suffix(".lua").tempfile().unwrap();
    std::fs::write(file.path(), format!("{FRAME}{script}")).unwrap();
    let output = Command::new("wrk")
        .args([format!("-t{}", connections.min(2)), format!("-c{connections}")])
        .args([format!("-d{seconds}s"), "-s".to_owned(), file.path().display().to_string()])
        .arg(&server.url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let figures = text.lines().find_map(|line| line.strip_prefix("figures ")).unwrap();
    let figures: Vec<f64> = figures.split(' ').map(|figure| figure.parse().unwrap()).collect();
    assert!(figures[5] <= 0.0, "{} requests failed", figures[5]);
    [figures[0], figures[1], figures[2], figures[3], figures[4]]
}
