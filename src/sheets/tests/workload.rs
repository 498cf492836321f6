//! A service account without a key: what cannot be used is named, and what goes wrong says at which step.

use std::time::Duration;

use fake_google::{FakeGoogle, WorkloadFault, WorkloadStep};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::sheets::token::{KeyFault, Token, TokenTrouble};
use crate::sheets::vouching::{not_exchanged, not_impersonated, own};

const EMAIL: &str = "writer@example-project.iam.gserviceaccount.com";

async fn opened(google: &FakeGoogle, change: impl Fn(&mut Value)) -> Result<Token, KeyFault> {
    let source = json!({ "url": format!("{}/own-token", google.url()),
        "format": { "type": "json", "subject_token_field_name": "value" } });
    let mut configuration = serde_json::from_str(&google.workload_json(&source)).unwrap();
    change(&mut configuration);
    Token::new(&SecretString::from(configuration.to_string())).await
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_named_by_what_is_wrong() {
    let google = FakeGoogle::start();
    let elsewhere = "https://x/serviceAccounts/a b@c:generateAccessToken";
    let changes = [
        ("audience", Value::Null, "is not a configuration for workload identity"),
        ("credential_source", json!({ "executable": { "command": "x" } }), "credential_source"),
        ("credential_source", json!({ "environment_id": "aws1" }), "credential_source"),
        ("credential_source", json!({ "url": "nowhere" }), "no http or https address"),
        ("token_url", "ftp://sts.example/".into(), "no http or https address"),
        ("service_account_impersonation_url", "https://iam.example/x".into(), "names no service"),
        ("service_account_impersonation_url", elsewhere.into(), "names no service"),
    ];
    for (field, value, words) in changes {
        let Err(fault) = opened(&google, |it| it[field] = value.clone()).await else {
            panic!("{words}")
        };
        assert!(fault.to_string().contains(words), "{fault}");
    }
    let configuration = google.workload_json(&json!({ "file": "/nowhere" }));
    let user = Some("desk@clinic.example");
    let Err(fault) = Token::in_the_name_of(user, &configuration.into()).await else { panic!() };
    assert!(fault.to_string().contains("GOOGLE_IMPERSONATE"), "{fault}");
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end_and_not_beyond() {
    let google = FakeGoogle::start();
    google.token_lifetime(Duration::from_secs(3));
    let token = opened(&google, |_| {}).await.unwrap();
    assert_eq!(token.account(), google.client_email());
    let first = token.get().await.unwrap();
    assert_eq!(token.get().await.unwrap().expose_secret(), first.expose_secret());
    token.renew();
    let second = token.get().await.unwrap();
    assert_ne!(second.expose_secret(), first.expose_secret());
    // Whoever is asked too early and does not answer costs nobody a token that is still good.
    google.fail_next_step(WorkloadStep::Exchange, WorkloadFault::Unavailable503);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while token.get().await.unwrap().expose_secret() == second.expose_secret() {
        assert!(std::time::Instant::now() < until, "it was never renewed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_out_of_order_for_a_moment_passes_by_itself_at_each_step() {
    let google = FakeGoogle::start();
    for step in [WorkloadStep::Exchange, WorkloadStep::Impersonation] {
        for fault in [WorkloadFault::Unavailable503, WorkloadFault::Garbled] {
            let token = opened(&google, |_| {}).await.unwrap();
            google.fail_next_step(step, fault);
            assert!(matches!(token.get().await, Err(TokenTrouble::Temporary(_))));
            assert!(token.get().await.is_ok());
        }
    }
    let file = opened(&google, |it| it["credential_source"] = json!({ "file": "/nowhere" })).await;
    let Err(TokenTrouble::Operator(advice)) = file.unwrap().get().await else { panic!() };
    assert!(advice.contains("credential_source"), "{advice}");
}

#[test]
fn each_refusal_says_what_to_do_and_nothing_of_what_google_said() {
    let exchange = |error: &str, description: &str| {
        let body =
            json!({ "error": error, "error_description": format!("{description} swordfish") });
        not_exchanged(400, body.to_string().as_bytes())
    };
    let act = |status: u16, reason: &str| {
        let details = json!([{ "reason": reason, "metadata": { "x": "swordfish" } }]);
        let body = json!({ "error": { "message": "swordfish", "details": details } });
        not_impersonated(status, body.to_string().as_bytes(), EMAIL)
    };
    for (trouble, words) in [
        (exchange("invalid_target", ""), "GOOGLE_WORKLOAD_PROVIDER"),
        (exchange("unauthorized_client", ""), "attribute condition"),
        (exchange("invalid_grant", "The audience in ID Token"), "allowed audiences"),
        (exchange("invalid_grant", "ID Token has expired."), "issuer"),
        (exchange("something_new", ""), "issuer"),
        (act(403, "IAM_PERMISSION_DENIED"), "roles/iam.workloadIdentityUser"),
        (act(403, "SERVICE_DISABLED"), "iamcredentials.googleapis.com"),
        (act(404, ""), EMAIL),
        (own(403).unwrap_err(), "403"),
    ] {
        let TokenTrouble::Operator(advice) = trouble else { panic!("{words}: {trouble:?}") };
        assert!(advice.contains(words) && !advice.contains("swordfish"), "{advice}");
    }
    for status in [408, 429, 500, 503] {
        assert!(matches!(not_exchanged(status, b""), TokenTrouble::Temporary(_)));
        assert!(matches!(not_impersonated(status, b"<html>", EMAIL), TokenTrouble::Temporary(_)));
        assert!(matches!(own(status), Err(TokenTrouble::Temporary(_))));
    }
}
