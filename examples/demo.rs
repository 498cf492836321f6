//! The whole product on a machine without Google: the service, a stand-in for Google, and a page
//! that shows the sheet filling live. Needs no settings; everything stays on this machine and is
//! gone when it stops (Ctrl-C).

use std::time::Duration;

use anyhow::Context;
use doubletick_sheets::app::{App, logging, shutdown};
use doubletick_sheets::config::Config;
use fake_google::FakeGoogle;
use jiff::Timestamp;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    logging::init();
    let google = FakeGoogle::start();
    let data_dir = tempfile::tempdir().context("cannot make a directory for the journal")?;
    // A new one each time: everybody can read a secret that stands in a repository.
    let secret = format!("demo-{:032x}", fastrand::u128(..));
    let app = App::start(Config::from_vars(settings(&google, &secret, data_dir.path()))?).await?;
    let webhook = format!("http://{}/webhooks/doubletick/{secret}", app.address());
    introduce(&google, &webhook, &format!("http://{}/", app.address()), &secret);
    let stop = shutdown::requested()?;
    tokio::pin!(stop);
    let (stopped, run_until) = tokio::sync::oneshot::channel::<()>();
    let serving = app.run_until(async {
        _ = run_until.await;
    });
    let sampling = async {
        post_samples(&webhook).await?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        failed = sampling => failed?,
        () = &mut stop => {}
    }
    drop(stopped);
    serving.await
}

fn settings(
    google: &FakeGoogle,
    secret: &str,
    data_dir: &std::path::Path,
) -> Vec<(String, String)> {
    [
        ("SPREADSHEET_ID", google.spreadsheet_id()),
        ("GOOGLE_CREDENTIALS_JSON", google.key_json()),
        ("SHEETS_API_URL", google.url()),
        ("WEBHOOK_SECRET", secret.to_owned()),
        ("DATA_DIR", data_dir.display().to_string()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[expect(clippy::print_stdout, reason = "the demo speaks to the person who started it")]
fn introduce(google: &FakeGoogle, webhook: &str, page: &str, secret: &str) {
    println!(
        "
  The sheet, live:   {url}/
  Who waits now:     {url}/#Unattended%20now
  The webhook:       {webhook}
  The page:          {page}    sign in with {secret}

  Unassign a chat yourself:
    curl -H 'content-type: application/json' \\
      -d '{{\"chatId\":\"chat_mine\",\"customerPhone\":\"+919111222333\",\"wabaNumber\":\"+919000000000\",\"dtCustomerId\":\"customer_mine\"}}' \\
      {webhook}

  A few sample events follow by themselves. Ctrl-C stops everything.
",
        url = google.url()
    );
}

/// A morning at the clinic: names become known, chats get agents and lose them, one gets an agent again.
async fn post_samples(webhook: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .context("cannot make an HTTP client")?;
    for event in samples() {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let request = client.post(webhook).header("content-type", "application/json");
        request.body(event.to_string()).send().await?.error_for_status()?;
    }
    Ok(())
}

fn samples() -> Vec<Value> {
    let patients = [
        ("Rohan Mehta", "+919111222333", "Asha Nair", "+919800000001", 130),
        ("आरती शर्मा", "+919111222334", "John Doe", "+919800000002", 55),
        ("=HYPERLINK(\"http://x\",\"y\")", "+919111222335", "Asha Nair", "+919800000001", 25),
        ("Zoë O’Brien 🌿", "+447700900123", "John Doe", "+919800000002", 4),
    ];
    let clinic = "+919000000000";
    let now_ms = Timestamp::now().as_millisecond();
    let assigned_again = json!({ "chatId": "chat_2", "assignedUserName": "Asha Nair",
        "assignedUserPhone": "+919800000001", "dtCustomerId": "customer_2" });
    (1..)
        .zip(patients)
        .flat_map(|(n, (name, phone, agent, agent_phone, minutes))| {
            let (chat, customer) = (format!("chat_{n}"), format!("customer_{n}"));
            // In the past, so that the board shows how long they have been waiting.
            let dropped_at = now_ms - minutes * 60_000;
            [
                json!({ "customerName": name, "customerPhone": phone, "from": phone, "to": clinic,
                        "dtCustomerId": customer, "conversationOpened": true }),
                json!({ "chatId": chat, "assignedUserId": "user_1", "assignedUserName": agent,
                        "assignedUserPhone": agent_phone, "assignedUserEmail": "agent@example.com",
                        "assignedUserWabaNumber": clinic, "customerPhone": phone,
                        "dtCustomerId": customer, "message": { "text": "assigned" } }),
                json!({ "chatId": chat, "customerPhone": phone, "wabaNumber": clinic,
                        "dtCustomerId": customer, "timestamp": dropped_at }),
            ]
        })
        .chain([assigned_again])
        .collect()
}
