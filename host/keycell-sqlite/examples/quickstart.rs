//! Issues a key for a customer, verifies it, and reads it as its owner.

use std::time::Duration;

use keycell::{Caller, IssueApiKey, Keycell, Policy, Prefix, Scope, Verification};
use keycell_sqlite::SqliteStorage;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::default()
        .with_prefix(Prefix::parse("acme").ok_or("the prefix is invalid")?)
        .with_default_scopes(["orders:read", "orders:write"].into_iter().filter_map(Scope::parse))
        .with_longest_life(Duration::from_secs(90 * 24 * 60 * 60));
    let storage = SqliteStorage::open("keys.db")?;
    let keycell = Keycell::builder(storage).policy(policy).build()?;

    // Your program has authenticated the caller. This one is an operator.
    let billing = Caller::user("billing").as_operator();
    let request = IssueApiKey::named("nightly export").with_owner("ann").with_scopes(["orders:read"]);
    let issued = keycell.issue_api_key(&billing, request).await?;
    println!("the only time that the key is shown: {}", issued.key.expose());

    // A request presents a key.
    match keycell.verify_api_key(&Caller::host(), issued.key.expose(), &["orders:read"]).await? {
        Verification::Valid(key) => println!("a valid key of {}", key.user_id),
        Verification::Refused(reason) => println!("refused: {reason}"),
    }

    // The owner may read the key. For another user it does not exist.
    let id = issued.details.id.to_string();
    let key = keycell.get_api_key(&Caller::user("ann"), &id).await?;
    println!("{} may {:?}", key.key_prefix, key.scopes);
    if let Err(error) = keycell.get_api_key(&Caller::user("bob"), &id).await {
        println!("for bob: {error}");
    }
    Ok(())
}
