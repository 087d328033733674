//! A key's life through the library, as an embedder sees it.

use keycell::{AnyStorage, Caller, Error, IssueApiKey, Keycell, MemoryStorage, RateLimit, Refusal, Verification};

fn limit(requests: u32) -> RateLimit {
    let mut limit = RateLimit::default();
    (limit.requests, limit.window_seconds) = (requests, 60);
    limit
}

#[tokio::test]
async fn an_operator_issues_a_key_that_verifies_acts_and_is_limited() {
    let keycell = Keycell::new(AnyStorage::new(MemoryStorage::default())).unwrap();
    let operator = Caller::user("root").as_operator();
    let request = IssueApiKey::named("billing")
        .with_owner("customer-1")
        .with_scopes(["api-keys:read"])
        .with_metadata(r#"{ "plan": "pro" }"#)
        .with_rate_limit(limit(2));
    let issued = keycell.issue_api_key(&operator, request).await.unwrap();

    let verify =
        async || keycell.verify_api_key(&Caller::host(), issued.key.expose(), &["api-keys:read"]).await.unwrap();
    let Verification::Valid(valid) = verify().await else { panic!("the new key is refused") };
    assert_eq!(valid.user_id, "customer-1");
    assert_eq!(valid.metadata.unwrap().as_str(), r#"{"plan":"pro"}"#);
    assert_eq!(valid.rate_limit.unwrap().remaining, 1);
    assert!(matches!(verify().await, Verification::Valid(_)));
    assert!(matches!(verify().await, Verification::Refused(Refusal::RateLimited { .. })));

    let bearer = Caller::bearer(issued.key.clone());
    assert_eq!(keycell.describe_caller(&bearer).await.unwrap().user_id, "customer-1");
    let refused = keycell.issue_api_key(&bearer, IssueApiKey::named("more")).await.unwrap_err();
    assert_eq!(refused, Error::InsufficientScope { scope: "api-keys:write".to_owned() });

    keycell.revoke_api_key(&operator, &issued.details.id.to_string(), Some("test"), None).await.unwrap();
    assert_eq!(keycell.describe_caller(&bearer).await.unwrap_err(), Error::Unauthenticated);
}

#[tokio::test]
async fn the_caller_is_authenticated_before_arguments_are_found_too_long() {
    let keycell = Keycell::new(MemoryStorage::default()).unwrap();
    let (stranger, ann) = (Caller::bearer("not a key"), Caller::user("ann"));
    let long = "x".repeat(10 << 20);
    assert_eq!(keycell.get_api_key(&stranger, &long).await.unwrap_err(), Error::Unauthenticated);
    assert_eq!(keycell.verify_api_key(&stranger, &long, &[]).await.unwrap_err(), Error::Unauthenticated);
    assert!(matches!(keycell.get_api_key(&ann, &long).await.unwrap_err(), Error::InvalidInput { .. }));
    assert!(matches!(keycell.verify_api_key(&Caller::host(), "x", &[&long]).await, Err(Error::InvalidInput { .. })));
    let refused = keycell.verify_api_key(&Caller::host(), &long, &[]).await.unwrap();
    assert_eq!(refused, Verification::Refused(Refusal::Malformed));
}
