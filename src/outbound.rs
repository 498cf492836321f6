//! Calls to others over HTTP: what every client of ours has in common.

use reqwest::{ClientBuilder, Url};

/// A client for this address: nothing is sent twice or elsewhere behind our back, and what runs on this
/// machine is not asked through a proxy. Time limits are each client's own.
pub(crate) fn builder(address: &Url) -> ClientBuilder {
    let builder = reqwest::Client::builder()
        // Our own loops decide what is sent again, after asking what became of it.
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none());
    match address.host_str() {
        Some("127.0.0.1" | "localhost" | "[::1]") => builder.no_proxy(),
        _ => builder,
    }
}
