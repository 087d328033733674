//! The life of a key that is stored in a redb file.

mod storage;

use std::error::Error;

use keycell::{Caller, CreateApiKey, Keycell};

use self::storage::RedbStorage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let keycell = Keycell::new(RedbStorage::new(redb::Database::create("keys.redb")?)?)?;

    // A service authenticates its user first. keycell trusts the id.
    let ann = Caller::user("ann");
    let created = keycell.create_api_key(&ann, CreateApiKey::named("nightly export")).await?;
    println!("shown once: {}", created.key.expose());
    println!("{:?}", keycell.verify_api_key(&Caller::host(), created.key.expose(), &[]).await?);

    let read = keycell.get_api_key(&ann, &created.id.to_string()).await?;
    println!("the name of {} is {}", read.key_prefix, read.name);
    Ok(())
}
