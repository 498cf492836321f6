//! Calls to others over HTTP: what every client of ours has in common.

use reqwest::{ClientBuilder, Url};

/// A client for this address: nothing is sent twice or elsewhere behind our back, and what runs on this
/// machine is not asked through a proxy. Time limits are each client's own.
pub(crate) fn builder(address: &Url) -> ClientBuilder {
    install_crypto();
    let builder = reqwest::Client::builder()
        // Our own loops decide what is sent again, after asking what became of it.
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none());
    match address.host_str() {
        Some("127.0.0.1" | "localhost" | "[::1]") => builder.no_proxy(),
        _ => builder,
    }
}

/// Sets the one crypto provider of the whole process. Without it a client cannot even be built, and
/// the attempt panics; a second call finds it set.
pub(crate) fn install_crypto() {
    _ = rustls::crypto::ring::default_provider().install_default();
}
