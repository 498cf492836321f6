//! Calls to others over HTTP: what every client of ours has in common.

use reqwest::ClientBuilder;

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

/// Sets the one crypto provider of the whole process. Without it a client cannot even be built, and
/// the attempt panics; a second call finds it set.
pub(crate) fn install_crypto() {
    _ = rustls::crypto::ring::default_provider().install_default();
}
