//! Calls to others over HTTP: what every client of ours has in common.

use std::time::Duration;

use reqwest::header::{HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use reqwest::{ClientBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};

/// A client of which nothing is sent twice or elsewhere behind our back. Time limits are each client's own.
pub(crate) fn builder() -> ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        // Our own loops decide what is sent again, after asking what became of it.
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        // The token endpoint is called by a library that knows no proxies: all go out directly, or half of
        // what is needed would.
        .no_proxy()
}

/// The answer's body. One that is longer than `bytes_max` is cut somewhere beyond it: whoever must tell looks at
/// its length.
pub(crate) async fn body(
    answer: &mut Response,
    bytes_max: usize,
) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= bytes_max
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// For how long whoever answers wants to be left alone, where it says so in seconds.
pub(crate) fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A key as the whole of a header, which nobody's logs show.
pub(crate) fn header(key: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut header = HeaderValue::from_str(key.expose_secret().trim())?;
    header.set_sensitive(true);
    Ok(header)
}

/// An address below that of an API.
pub(crate) fn below(api: &Url, path: &[&str]) -> Url {
    let mut url = api.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

/// Sets the one crypto provider of the whole process. Without it a client cannot even be built, and
/// the attempt panics; a second call finds it set.
pub(crate) fn install_crypto() {
    _ = rustls::crypto::ring::default_provider().install_default();
}
