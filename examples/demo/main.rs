//! The whole product on a machine without Google and DoubleTick: the service, a stand-in for each of them, and
//! a page that shows the sheet filling live. Needs no settings; everything stays on this machine and is gone
//! when it stops (Ctrl-C). With the argument `weeks` some weeks have passed already, so that the summary has
//! something to show.

mod missed;
mod morning;
mod weeks;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use doubletick_sheets::app::{App, logging, shutdown};
use doubletick_sheets::config::Config;
use fake_google::{FakeDoubleTick, FakeGoogle};
use reqwest::redirect::Policy;

use crate::missed::missed;
use crate::morning::{CLINIC, OWN_PATIENT, morning};
use crate::weeks::weeks;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    logging::init();
    let (google, doubletick) = (FakeGoogle::start(), FakeDoubleTick::start(&[CLINIC]));
    let data_dir = tempfile::tempdir().context("cannot make a directory for the journal")?;
    // A new one each time: everybody can read a secret that stands in a repository.
    let secret = format!("demo-{:032x}", fastrand::u128(..));
    let settings = settings(&google, &doubletick, &secret, data_dir.path())?;
    let has_past = std::env::args().any(|argument| argument == "weeks");
    // Until all of the past is there: the summary is written once then, and again only ten minutes later.
    google.outage(has_past);
    let app = App::start(Config::from_vars(settings)?).await?;
    let page = format!("http://{}", app.address());
    introduce(&google, &doubletick, &page, &secret);
    let stop = shutdown::requested()?;
    tokio::pin!(stop);
    let (stopped, run_until) = tokio::sync::oneshot::channel::<()>();
    let serving = app.run_until(async {
        _ = run_until.await;
    });
    let sampling = async {
        if has_past {
            weeks(&format!("{page}/webhooks/doubletick/{secret}")).await?;
            google.outage(false);
        }
        connect(&page, &secret).await?;
        morning(&doubletick).await?;
        missed(&doubletick).await?;
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
    doubletick: &FakeDoubleTick,
    secret: &str,
    data_dir: &Path,
) -> anyhow::Result<Vec<(String, String)>> {
    // Its address is to be known before it starts, as everywhere where DoubleTick is to reach it.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = address.context("no port is free")?.port();
    let settings = [
        ("SPREADSHEET_ID", google.spreadsheet_id()),
        ("GOOGLE_CREDENTIALS_JSON", google.key_json()),
        ("SHEETS_API_URL", google.url()),
        ("WEBHOOK_SECRET", secret.to_owned()),
        ("DOUBLETICK_API_KEY", doubletick.key().to_owned()),
        ("DOUBLETICK_API_URL", doubletick.url().to_owned()),
        ("ASK_SECONDS", "5".to_owned()),
        ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        ("DATA_DIR", data_dir.display().to_string()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
    ];
    Ok(settings.map(|(name, value)| (name.to_owned(), value)).into())
}

#[expect(clippy::print_stdout, reason = "the demo speaks to the person who started it")]
fn introduce(google: &FakeGoogle, doubletick: &FakeDoubleTick, page: &str, secret: &str) {
    println!(
        "
  The sheet, live:   {sheet}/
  Who waits now:     {sheet}/#Unattended%20now
  The last weeks:    {sheet}/#Summary
  The page:          {page}/    sign in with {secret}

  The service registers its address at a stand-in for DoubleTick, and a few chats follow by themselves.
  Of the last one DoubleTick never tells: within seconds the service finds it by asking.
  Then unassign one yourself:
    curl -H 'authorization: {key}' -d '{{\"customerPhoneNumber\":\"{OWN_PATIENT}\"}}' \\
      {api}/team-member/unassign

  Ctrl-C stops everything.
",
        sheet = google.url(),
        key = doubletick.key(),
        api = doubletick.url(),
    );
}

/// Signs in to the page and presses *Connect*, as the person in charge does once.
async fn connect(page: &str, secret: &str) -> anyhow::Result<()> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .redirect(Policy::none())
        .build()
        .context("cannot make an HTTP client")?;
    let send = |path: &str, cookie: &str, form: String| {
        let request = client.post(format!("{page}{path}")).header("cookie", cookie);
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send()
    };
    let signed_in = send("/sign-in", "", format!("secret={secret}")).await?;
    let cookie = signed_in.headers().get("set-cookie").context("the page takes the secret")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    let seen = client.get(page).header("cookie", cookie).send().await?.text().await?;
    let token = seen.split("name=\"token\" value=\"").nth(1).and_then(|it| it.split('"').next());
    let token = token.context("the page has a button to connect")?;
    send("/connect", cookie, format!("token={token}")).await?;
    Ok(())
}
