//! From the settings to the parts of the service: each part gets its own small options.

use std::sync::{Arc, Mutex};

use anyhow::Context;
use reqwest::Url;
use secrecy::SecretString;

use crate::app::alarm_hook::AlarmHook;
use crate::app::clock;
use crate::app::connecting::Connecting;
use crate::app::wait_alarm::{WaitWatch, Watched};
use crate::asking::Asking;
use crate::causes::Causes;
use crate::chat::memory::Rules;
use crate::chat::route::{Destination, Routes, UNKNOWN};
use crate::config::{Config, HANDOVERS};
use crate::directory::Caller;
use crate::forwarder::pace::Pace;
use crate::forwarder::{BoardOptions, Former, Forwarder, Options};
use crate::journal::{BookId, Journal, Limits};
use crate::operator::{About, Spreadsheet};
use crate::outbound;
use crate::sheets::token::Token;
use crate::sheets::{Client, Shading};
use crate::status::Status;

const DAY_MS: i64 = 86_400_000;
/// What the spreadsheet of the settings is called; the others are numbered.
pub(super) const DEFAULT_SHEET: &str = "default";
/// What to say where a client cannot be built.
const NO_TLS: &str = "cannot set up TLS; install the system's CA certificates (ca-certificates)";

/// A spreadsheet that rows go to, and how.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) client: Arc<Client>,
    pub(super) options: Options,
}

/// The spreadsheets that are configured, the default first.
pub(super) async fn sheets(
    config: &Config,
    journal: &Journal,
    status: &Arc<Status>,
) -> anyhow::Result<Vec<Sheet>> {
    let mut sheets: Vec<Sheet> = Vec::new();
    for (number, (spreadsheet_id, book)) in (1..).zip(journal.books()) {
        let client = match sheets.first() {
            Some(first) => first.client.beside(&spreadsheet_id),
            None => client(config, &spreadsheet_id, Arc::clone(status)).await?,
        };
        let options = options(config, sheet_name(number), &spreadsheet_id, book);
        sheets.push(Sheet { client: Arc::new(client), options });
    }
    Ok(sheets)
}

/// One forwarder for each spreadsheet; all of them share the quota.
pub(super) async fn forwarders(
    sheets: &[Sheet],
    journal: &Journal,
    status: &Arc<Status>,
) -> anyhow::Result<Vec<Forwarder>> {
    let Some(first) = sheets.first() else { return Ok(Vec::new()) };
    let writes = Pace::new(first.options.writes_per_minute_max, journal.sent().await?);
    let writes = Arc::new(Mutex::new(writes));
    let mut forwarders = Vec::new();
    for Sheet { client, options } in sheets {
        let (client, status) = (Arc::clone(client), Arc::clone(status));
        let (journal, writes) = (journal.clone(), Arc::clone(&writes));
        forwarders.push(Forwarder::new(journal, client, status, writes, options.clone()).await?);
    }
    Ok(forwarders)
}

/// The spreadsheets that are not configured any more, and to which a batch was under way.
pub(super) async fn formers(sheets: &[Sheet], journal: &Journal) -> anyhow::Result<Vec<Former>> {
    let Some(first) = sheets.first() else { return Ok(Vec::new()) };
    let former = |(spreadsheet_id, book): (String, BookId)| Former {
        journal: journal.clone(),
        sheets: Arc::new(first.client.beside(&spreadsheet_id)),
        book,
        writes_per_minute_max: first.options.writes_per_minute_max,
        now: first.options.now,
    };
    let books = journal.former_books().await?;
    for (_, book) in &books {
        // Whoever sent its batch may still do so, should the spreadsheet be configured again.
        journal.fence(*book, (first.options.now)()).await?;
    }
    Ok(books.into_iter().map(former).collect())
}

pub(in crate::app) fn options(
    config: &Config,
    name: String,
    spreadsheet_id: &str,
    book: BookId,
) -> Options {
    let routes = routes(config);
    let here = routes.destinations().into_iter().filter(|to| to.spreadsheet == spreadsheet_id);
    Options {
        name,
        book,
        log_titles: here.map(|to| to.title.clone()).collect(),
        handovers_title: HANDOVERS.to_owned(),
        board: BoardOptions {
            title: config.board_name.clone(),
            hours_max: config.board_hours,
            wait_max_minutes: config.wait_alarm.as_ref().map(|alarm| alarm.minutes),
            shading: Shading {
                warn_minutes: config.board_warn_minutes,
                alert_minutes: config.board_alert_minutes,
            },
        },
        summary_title: config.summary_name.clone(),
        time_zone: config.time_zone.clone(),
        writes_per_minute_max: config.writes_per_minute_max,
        now: clock::now,
    }
}

pub(in crate::app) fn routes(config: &Config) -> Routes {
    let to = |spreadsheet: &str, title: &str| Destination {
        spreadsheet: if spreadsheet.is_empty() { UNKNOWN } else { spreadsheet }.to_owned(),
        title: title.to_owned(),
    };
    let by_number = config
        .routes
        .iter()
        .map(|route| (route.waba_digits.clone(), to(&route.spreadsheet_id, &route.title)));
    Routes::new(to(&config.spreadsheet_id, &config.sheet_name), by_number.collect())
}

pub(super) fn about(config: &Config, journal: &Journal, sheets: &[Sheet]) -> About {
    let named = (1..).zip(journal.books()).map(|(number, (id, _))| {
        let name = sheet_name(number);
        Spreadsheet { name, id }
    });
    About {
        account: sheets.first().map(|sheet| sheet.client.account().to_owned()),
        spreadsheets: named.filter(|sheet| sheet.id != UNKNOWN).collect(),
        webhook_secret: config.webhook_secrets.first().cloned().unwrap_or_default(),
        public_url: config.public_url.clone(),
        has_doubletick_key: config.doubletick_api_key.is_some(),
    }
}

/// What a spreadsheet is called in logs and on pages. Not its id: where a spreadsheet is shared by link, the
/// id opens it.
fn sheet_name(number: usize) -> String {
    match number {
        1 => DEFAULT_SHEET.to_owned(),
        number => format!("spreadsheet {number}"),
    }
}

pub(in crate::app) fn limits(config: &Config) -> Limits {
    Limits {
        pending_rows_max: config.pending_rows_max,
        rules: Rules {
            resend_window_ms: i64::from(config.dedupe_window_s) * 1_000,
            retention_ms: i64::from(config.retention_days) * DAY_MS,
        },
    }
}

/// Asks DoubleTick. Events are taken without it, too, so a fault is only logged.
pub(in crate::app) fn caller(config: &Config) -> Option<Arc<Caller>> {
    let key = config.doubletick_api_key.as_ref()?;
    let api = Url::parse(&config.doubletick_api_url).ok()?;
    let made = Caller::new(&api, key).map(Arc::new);
    made.inspect_err(|fault| log::error!("DoubleTick cannot be asked: {}", Causes(fault))).ok()
}

/// Asks who waits, unless it is not to be asked.
pub(super) fn asking(
    config: &Config,
    caller: Option<&Arc<Caller>>,
    status: &Arc<Status>,
) -> Option<Asking> {
    let every = config.ask_every?;
    let (caller, status) = (Arc::clone(caller?), Arc::clone(status));
    Some(Asking { caller, status, every, now: clock::now })
}

/// Registers our address. Here, too, a fault is only logged.
pub(super) fn connecting(config: &Config) -> Option<Connecting> {
    Connecting::new(config)?.inspect_err(|fault| log::error!("cannot connect: {fault}")).ok()
}

/// Posts the alarm. Here, too, a fault is only logged.
pub(super) fn alarm_hook(url: &SecretString) -> Option<AlarmHook> {
    let made = AlarmHook::new(url);
    if made.is_none() {
        log::error!("no alarm can be posted to ALARM_WEBHOOK_URL: {NO_TLS}");
    }
    made
}

/// Tells of patients who wait too long, where somebody is to be told.
pub(super) fn wait_watch(
    config: &Config,
    journal: &Journal,
    status: &Arc<Status>,
) -> Option<WaitWatch> {
    let (alarm, hook_url) = (config.wait_alarm.clone()?, config.alarm_webhook_url.clone()?);
    let boards = (1..).zip(journal.books()).map(|(number, (spreadsheet_id, book))| Watched {
        name: sheet_name(number),
        spreadsheet_id,
        book,
    });
    Some(WaitWatch { alarm, hook_url, boards: boards.collect(), status: Arc::clone(status) })
}

/// A client of a spreadsheet; asks Google nothing yet.
pub(in crate::app) async fn client(
    config: &Config,
    spreadsheet_id: &str,
    status: Arc<Status>,
) -> anyhow::Result<Client> {
    anyhow::ensure!(config.google_faults.is_empty(), config.google_faults.join("; "));
    outbound::install_crypto();
    let user = config.google_impersonate.as_deref();
    let token = Token::in_the_name_of(user, &config.google_key).await.map_err(|fault| {
        anyhow::anyhow!(
            "what is in GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_CREDENTIALS_JSON {fault}"
        )
    })?;
    let api = Url::parse(&config.sheets_api_url).context("SHEETS_API_URL cannot be used")?;
    Client::new(&api, spreadsheet_id, token, status).context(NO_TLS)
}
