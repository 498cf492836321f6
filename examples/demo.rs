//! The whole product on a machine without Google and DoubleTick: the service, a stand-in for each of them, and
//! a page that shows the sheet filling live. Needs no settings; everything stays on this machine and is gone
//! when it stops (Ctrl-C).

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use doubletick_sheets::app::{App, logging, shutdown};
use doubletick_sheets::config::Config;
use fake_google::{FakeDoubleTick, FakeGoogle};
use reqwest::redirect::Policy;

/// The clinic's number.
const CLINIC: &str = "919000000000";
/// The chat that is left to whoever tries the demo.
const OWN_PATIENT: &str = "919111222336";
const PAUSE: Duration = Duration::from_millis(700);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    logging::init();
    let (google, doubletick) = (FakeGoogle::start(), FakeDoubleTick::start(&[CLINIC]));
    let data_dir = tempfile::tempdir().context("cannot make a directory for the journal")?;
    // A new one each time: everybody can read a secret that stands in a repository.
    let secret = format!("demo-{:032x}", fastrand::u128(..));
    let settings = settings(&google, &doubletick, &secret, data_dir.path())?;
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
        connect(&page, &secret).await?;
        morning(&doubletick).await?;
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
  The page:          {page}/    sign in with {secret}

  The service registers its address at a stand-in for DoubleTick, and a few chats follow by themselves.
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

/// A morning at the clinic: chats come, get agents and lose them, one gets an agent again.
async fn morning(doubletick: &FakeDoubleTick) -> anyhow::Result<()> {
    let (asha, john) = (("Asha Nair", "919800000001"), ("John Doe", "919800000002"));
    // For so many minutes each waits by now, so that the board shows something.
    let patients = [
        ("Rohan Mehta", "919111222333", asha, 130),
        ("आरती शर्मा", "919111222334", john, 55),
        ("=HYPERLINK(\"http://x\",\"y\")", "919111222335", asha, 25),
        ("Zoë O’Brien 🌿", "447700900123", john, 4),
    ];
    for (n, (name, phone, agent, minutes)) in (1..).zip(patients) {
        let chat = format!("chat_{n}");
        act(doubletick, move |clinic| {
            clinic.chat_arrives(&chat, name, phone, CLINIC);
            clinic.assign(&chat, agent.0, agent.1);
            clinic.unassign_dated(&chat, minutes);
        })
        .await?;
    }
    act(doubletick, move |clinic| clinic.assign("chat_2", asha.0, asha.1)).await?;
    act(doubletick, move |clinic| {
        clinic.chat_arrives("chat_mine", "Your own patient", OWN_PATIENT, CLINIC);
        clinic.assign("chat_mine", john.0, john.1);
    })
    .await
}

/// Lets people at the clinic do this in a moment. The stand-in waits until the service has answered.
async fn act(
    doubletick: &FakeDoubleTick,
    what: impl FnOnce(&FakeDoubleTick) + Send + 'static,
) -> anyhow::Result<()> {
    tokio::time::sleep(PAUSE).await;
    let doubletick = doubletick.clone();
    tokio::task::spawn_blocking(move || what(&doubletick)).await.context("nobody did it")
}
