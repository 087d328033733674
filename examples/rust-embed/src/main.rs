//! A key's life, kept in a redb file.

mod storage;

use std::error::Error;

use keycell::{Caller, CreateApiKey, Keycell};

use self::storage::RedbStorage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let keycell = Keycell::new(RedbStorage::new(redb::Database::create("keys.redb")?)?)?;

    // You have made sure who is calling. keycell takes your word for it.
    let ann = Caller::user("ann")?;
    let created = keycell.create_api_key(&ann, CreateApiKey::named("nightly export")).await?;
    println!("shown once: {}", created.key.expose());
    println!("{:?}", keycell.verify_api_key(created.key.expose(), &[]).await?);

    let read = keycell.get_api_key(&ann, &created.id.to_text()).await?;
    println!("{} is called {}", read.key_prefix, read.name);
    Ok(())
}
