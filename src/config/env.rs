//! The settings as they are written: a flat struct of texts, nothing decided.

use serde::Deserialize;

/// What envy reads. Every setting is a text, so that a fault is ours to word and no value is ever
/// echoed; an empty setting counts as absent, but for one.
#[derive(Default, Deserialize)]
pub(super) struct RawEnv {
    /// Required: id or whole address of the spreadsheet.
    pub(super) spreadsheet_id: Option<String>,
    /// Path of the service account's key file; this or the next is required.
    pub(super) google_application_credentials: Option<String>,
    /// The key itself, for platforms that pass secrets in the environment.
    pub(super) google_credentials_json: Option<String>,
    /// The pool's provider that vouches for this machine, on Fly without a key.
    pub(super) google_workload_provider: Option<String>,
    /// The service account that it acts as there.
    pub(super) google_service_account: Option<String>,
    /// Optional: the user in whose name the service account acts.
    pub(super) google_impersonate: Option<String>,
    /// Required: what the sender must present; two, separated by a comma, while one replaces the
    /// other.
    pub(super) webhook_secret: Option<String>,
    /// Optional: opens the page in place of the webhook's.
    pub(super) page_secret: Option<String>,
    /// Default `Unassigned chats`.
    pub(super) sheet_name: Option<String>,
    /// Title of the tab of who waits now. Default `Unattended now`.
    pub(super) board_name: Option<String>,
    /// Title of the tab of the last days at a glance. Default `Summary`; empty is none.
    pub(super) summary_name: Option<String>,
    /// Default 24.
    pub(super) board_hours: Option<String>,
    /// Default 15.
    pub(super) board_warn_minutes: Option<String>,
    /// Default 60.
    pub(super) board_alert_minutes: Option<String>,
    /// Optional: other spreadsheets or tabs for some of the clinic's numbers.
    pub(super) routes: Option<String>,
    /// Optional: where DoubleTick reaches this service.
    pub(super) public_url: Option<String>,
    /// The same on Fly: the name of the app.
    pub(super) fly_app_name: Option<String>,
    /// Default 8080.
    pub(super) port: Option<String>,
    /// Default 0.0.0.0.
    pub(super) host: Option<String>,
    /// Default `./data`.
    pub(super) data_dir: Option<String>,
    /// Optional: PostgreSQL instead of a directory, for several machines.
    pub(super) database_url: Option<String>,
    /// Optional: a PEM file of the certificates that the database's is proven by.
    pub(super) database_ca: Option<String>,
    /// Default 10.
    pub(super) lease_seconds: Option<String>,
    /// Default: the spreadsheet's own.
    pub(super) timezone: Option<String>,
    /// Default 50.
    pub(super) max_writes_per_minute: Option<String>,
    /// Default 1,000,000.
    pub(super) max_pending_rows: Option<String>,
    /// Default 120.
    pub(super) dedupe_window_seconds: Option<String>,
    /// Default 30.
    pub(super) retention_days: Option<String>,
    /// Default 10.
    pub(super) alarm_minutes: Option<String>,
    /// Optional: where an alarm is posted.
    pub(super) alarm_webhook_url: Option<String>,
    /// Default: never.
    pub(super) wait_alarm_minutes: Option<String>,
    /// Default 08:00-20:00.
    pub(super) wait_alarm_hours: Option<String>,
    /// Optional: looks up the names of customers that no event told.
    pub(super) doubletick_api_key: Option<String>,
    /// How often DoubleTick is asked who waits. Default 5.
    pub(super) ask_minutes: Option<String>,
    /// The same in seconds.
    pub(super) ask_seconds: Option<String>,
    /// Default `text`.
    pub(super) log_format: Option<String>,
    /// Default DoubleTick's.
    pub(super) doubletick_api_url: Option<String>,
    /// Default Google's.
    pub(super) sheets_api_url: Option<String>,
}
