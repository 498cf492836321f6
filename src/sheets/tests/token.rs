//! Access tokens: what a refusal means, and the traps of the token endpoint and of the library.

use fake_google::{FakeGoogle, Fault, Refusal, TokenFault};
use secrecy::{ExposeSecret, SecretString};

use crate::sheets::tests::{client, token, token_requests};
use crate::sheets::token::{KeyFault, Token, TokenTrouble, refusal};

#[track_caller]
fn check_passes(code: &str, description: &str) {
    let trouble = refusal(code, description, None);
    assert!(matches!(trouble, TokenTrouble::Temporary(_)), "{code}, {description}: {trouble:?}");
}

#[track_caller]
fn check_operator(code: &str, description: &str, words: &str) {
    match refusal(code, description, None) {
        TokenTrouble::Operator(advice) => assert!(advice.contains(words), "{advice}"),
        other => panic!("{code}, {description}: {other:?}"),
    }
}

#[test]
fn each_refusal_of_a_token_has_its_meaning() {
    let clock = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                 timeframe. Check your iat and exp values in the JWT claim.";
    check_operator("invalid_grant", clock, "clock");
    let older = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable \
                 timeframe. Check your iat and exp values and use a clock with skew to account for \
                 clock differences between systems.";
    check_operator("invalid_grant", older, "clock");
    check_operator("invalid_grant", "Invalid JWT Signature.", "new key");
    check_operator("invalid_grant", "Invalid grant: account not found", "does not exist");
    check_operator("invalid_grant", "Robot is disabled.", "disabled");
    check_operator("invalid_grant", "", "service account");
    for code in ["invalid_scope", "unauthorized_client", "invalid_client", "deleted_client"] {
        check_operator(code, "", "key file");
    }
    for code in ["internal_failure", "temporarily_unavailable", "", "something_new"] {
        check_passes(code, "");
    }
}

#[test]
fn a_refusals_own_words_are_never_passed_on() {
    for code in ["invalid_grant", "invalid_scope", "internal_failure", "swordfish"] {
        for words in ["swordfish", "Signature swordfish", "clock skew swordfish"] {
            assert!(!refusal(code, words, None).to_string().contains("swordfish"));
        }
    }
}

#[track_caller]
fn check_key(fault: Result<Token, KeyFault>, expected: &str) {
    let Err(fault) = fault else { panic!("the key is unusable") };
    assert!(fault.to_string().contains(expected), "{fault}");
}

#[tokio::test]
async fn an_unusable_key_is_refused_at_the_start_without_showing_it() {
    let google = FakeGoogle::start();
    let key = |change: fn(&mut serde_json::Value)| {
        let mut key = serde_json::from_str(&google.key_json()).unwrap();
        change(&mut key);
        SecretString::from(key.to_string())
    };
    let opened = |key: SecretString| async move { Token::new(&key).await };
    check_key(opened("swordfish".to_owned().into()).await, "is not a service account's key");
    check_key(opened("{}".to_owned().into()).await, "is not a service account's key");
    let broken = opened(key(|key| key["private_key"] = "swordfish".into())).await;
    check_key(broken, "private_key");
}

/// The key file with another text in one of its fields.
async fn opened_with(field: &str, text: &str) -> Result<Token, KeyFault> {
    let google = FakeGoogle::start();
    let mut key: serde_json::Value = serde_json::from_str(&google.key_json()).unwrap();
    key[field] = text.into();
    let token = Token::new(&SecretString::from(key.to_string())).await?;
    // Whatever is let through, to ask with it must not be the end of the service.
    drop(token.get().await);
    Ok(token)
}

#[tokio::test]
async fn an_address_that_the_library_would_panic_about_is_refused() {
    for uri in [
        "",
        " ",
        "not an address",
        "ftp://example.com/token",
        "/token",
        "example.com",
        "https:",
        "https://",
        "https:///token",
        "https:oauth2.googleapis.com/token",
        "https:\\/\\/oauth2.googleapis.com\\/token",
        " https://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com/token ",
        "https://oauth2.googleapis.com/to ken",
        "https://oauth2.googleapis.com/token\t",
        "https://oauth2.googleapis.com/token\n",
        "https://oauth2 googleapis.com/token",
        "https://:443/token",
        "https://münchen.example/token",
        "\u{feff}https://oauth2.googleapis.com/token",
        "\"https://oauth2.googleapis.com/token\"",
    ] {
        let opened = opened_with("token_uri", uri).await;
        assert!(matches!(opened, Err(KeyFault::TokenUri)), "{uri:?}: {opened:?}");
    }
    // Odd, but to be asked.
    for uri in [
        "http://127.0.0.1:1/t",
        "http://[::1]:1/",
        "http://u@127.0.0.1:1/t?a=b",
        "http://127.0.0.1:99999/",
    ] {
        let opened = opened_with("token_uri", uri).await;
        assert!(opened.is_ok(), "{uri:?}: {opened:?}");
    }
}

#[tokio::test]
async fn an_account_that_could_not_be_shown_is_refused() {
    for email in ["", "nobody", "a@b\nERROR all is lost", "a b@c", "a@b\u{1b}[31m", "\"a@b"] {
        let opened = opened_with("client_email", email).await;
        let is_fine = email == "\"a@b";
        assert_eq!(matches!(opened, Err(KeyFault::ClientEmail)), !is_fine, "{email:?}");
    }
}

#[tokio::test]
async fn a_token_says_nothing_of_itself() {
    let google = FakeGoogle::start();
    let token = token(&google).await;
    token.get().await.unwrap();
    assert_eq!(format!("{token:?}"), "Token(<secret>)");
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_kept() {
    let google = FakeGoogle::start();
    let token = token(&google).await;
    assert_eq!(token.account(), google.client_email());
    let first = token.get().await.unwrap();
    let second = token.get().await.unwrap();
    assert_eq!(first.expose_secret(), second.expose_secret());
    assert_eq!(token_requests(&google), 1);
}

#[tokio::test]
async fn five_who_ask_at_once_are_one_request() {
    let google = FakeGoogle::start();
    let token = token(&google).await;
    let all = tokio::join!(token.get(), token.get(), token.get(), token.get(), token.get());
    for got in [all.0, all.1, all.2, all.3, all.4] {
        assert!(!got.unwrap().expose_secret().is_empty());
    }
    assert_eq!(token_requests(&google), 1);
}

/// After `faults`, a token is given as soon as the endpoint is in order again.
async fn check_heals(faults: &[TokenFault]) {
    let google = FakeGoogle::start();
    for fault in faults {
        google.fail_next_token(fault.clone());
    }
    let token = token(&google).await;
    for _ in 0..=faults.len() {
        match token.get().await {
            Ok(got) => {
                assert!(!got.expose_secret().is_empty(), "{faults:?}");
                return;
            }
            Err(TokenTrouble::Operator(advice)) => {
                assert!(advice.contains("clock"), "{faults:?}: {advice}");
            }
            Err(TokenTrouble::Temporary(_)) => {}
        }
    }
    panic!("{faults:?} was cached for ever");
}

#[tokio::test]
async fn what_is_no_token_is_never_cached() {
    check_heals(&[TokenFault::Json500]).await;
    check_heals(&[TokenFault::Json500, TokenFault::Json500, TokenFault::Json500]).await;
    check_heals(&[TokenFault::EmptyObject]).await;
    check_heals(&[TokenFault::EmptyObject, TokenFault::EmptyObject]).await;
    check_heals(&[TokenFault::Html503, TokenFault::Html503]).await;
    check_heals(&[TokenFault::InvalidGrantClock]).await;
    check_heals(&[TokenFault::Reset, TokenFault::EmptyObject, TokenFault::Json500]).await;
}

#[tokio::test]
async fn a_key_that_google_refuses_is_for_the_operator() {
    for fault in [TokenFault::InvalidGrantSignature, TokenFault::AccountNotFound] {
        let google = FakeGoogle::start();
        google.fail_next_token(fault);
        let token = token(&google).await;
        assert!(matches!(token.get().await, Err(TokenTrouble::Operator(_))));
        token.get().await.expect("asked again, and not remembered");
    }
}

#[tokio::test]
async fn a_token_that_never_expires_is_renewed_when_it_is_not_accepted() {
    let google = FakeGoogle::start();
    google.fail_next_token(TokenFault::NoExpiry);
    let client = client(&google).await;
    client.title().await.unwrap();
    google.fail_next_read(Fault::Refuse(Refusal::Expired401));
    client.title().await.expect("a reading call asks for another token and is repeated");
    assert_eq!(token_requests(&google), 2);
}

#[tokio::test]
async fn a_renewed_token_is_another_one() {
    let google = FakeGoogle::start();
    let token = token(&google).await;
    let first = token.get().await.unwrap();
    token.renew();
    let second = token.get().await.unwrap();
    assert_ne!(first.expose_secret(), second.expose_secret());
    let third = token.get().await.unwrap();
    assert_eq!(second.expose_secret(), third.expose_secret());
}

#[tokio::test]
async fn while_a_renewal_fails_the_token_that_was_not_accepted_is_not_given_out() {
    let google = FakeGoogle::start();
    let token = token(&google).await;
    let first = token.get().await.unwrap();
    token.renew();
    google.fail_next_token(TokenFault::Html503);
    assert!(token.get().await.is_err());
    let second = token.get().await.unwrap();
    assert_ne!(first.expose_secret(), second.expose_secret());
}

/// Whoever shares, shares with a user of the organisation, and an administrator has to allow it once.
#[tokio::test]
async fn an_account_acts_in_the_name_of_a_user_who_is_named_in_every_advice() {
    const USER: &str = "front.desk@clinic.example";
    let google = FakeGoogle::start();
    let key = SecretString::from(google.key_json());
    drop(token(&google).await);
    let token = Token::in_the_name_of(Some(USER), &key).await.unwrap();
    assert_eq!(token.account(), USER);
    assert!(token.whose().contains(USER) && token.whose().contains(&google.client_email()));
    let Err(TokenTrouble::Operator(advice)) = token.get().await else {
        panic!("nobody allowed it")
    };
    assert!(advice.contains(USER) && advice.contains("Domain-wide delegation"), "{advice}");
    google.delegate(USER);
    assert!(token.get().await.is_ok());
    let status = std::sync::Arc::new(crate::status::Status::default());
    let url = google.url().parse().unwrap();
    let client = crate::sheets::Client::new(&url, &google.spreadsheet_id(), token, status).unwrap();
    assert!(client.title().await.is_ok());
    for refusal in [Refusal::NotShared403, Refusal::NotFound404] {
        google.fail_next_read(Fault::Refuse(refusal));
        let Err(crate::sheets::Trouble::Operator(advice)) = client.title().await else { panic!() };
        assert!(advice.contains(&format!("share it with {USER} as Editor")), "{advice}");
    }
    let unknown = refusal("invalid_grant", "Invalid email or User ID", Some(USER));
    assert!(unknown.to_string().contains("no user of the organisation"), "{unknown}");
    let clock = refusal("invalid_grant", "clock skew", Some(USER));
    assert!(clock.to_string().contains("clock"), "{clock}");
}
