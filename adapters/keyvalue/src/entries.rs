//! What is in the entries of a key.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    bucket::Bucket,
    incident,
    storage::{Error, KeyRecord},
};

/// The record of a key, less its id, which is in the entry's name, and less what has entries of its
/// own. A field that this version does not know would be lost by a change: such a record is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    prefix: String,
    /// Where [`names::lookup`](crate::names::lookup) finds it.
    pub lookup: String,
    #[serde(with = "hex::serde")]
    hash: Vec<u8>,
    user_id: String,
    project_id: Option<String>,
    name: String,
    scopes: Vec<String>,
    created_at: i64,
    updated_at: i64,
    expires_at: Option<i64>,
    /// The id of the key that it replaced.
    pub rotated_from: Option<String>,
    /// The id of the key that replaced it.
    pub rotated_to: Option<String>,
    /// How often this entry was changed.
    pub revision: u32,
}

impl From<&KeyRecord> for KeyEntry {
    fn from(key: &KeyRecord) -> Self {
        Self {
            prefix: key.prefix.clone(),
            lookup: key.lookup.clone(),
            hash: key.hash.clone(),
            user_id: key.user_id.clone(),
            project_id: key.project_id.clone(),
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            created_at: key.created_at,
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            rotated_from: key.rotated_from.clone(),
            rotated_to: key.rotated_to.clone(),
            revision: key.revision,
        }
    }
}

impl KeyEntry {
    /// This entry with what may change of it as it is in `key`, and the next revision.
    pub fn changed_to(&self, key: &KeyRecord) -> Self {
        Self {
            name: key.name.clone(),
            updated_at: key.updated_at,
            expires_at: key.expires_at,
            rotated_to: key.rotated_to.clone(),
            revision: self.revision + 1,
            ..self.clone()
        }
    }

    /// Whether `key` differs in what a person has changed, and not in the time of it alone.
    pub fn differs_from(&self, key: &KeyRecord) -> bool {
        (&self.name, self.expires_at, &self.rotated_to) != (&key.name, key.expires_at, &key.rotated_to)
    }

    /// The whole record. A revocation counts as one change.
    pub fn into_record(self, id: &str, revocation: Option<Revocation>, last_used_at: Option<i64>) -> KeyRecord {
        let (changed_at, revoked) = revocation.as_ref().map_or((self.updated_at, 0), |it| (it.updated_at, 1));
        KeyRecord {
            id: id.to_owned(),
            prefix: self.prefix,
            lookup: self.lookup,
            hash: self.hash,
            user_id: self.user_id,
            project_id: self.project_id,
            name: self.name,
            scopes: self.scopes,
            created_at: self.created_at,
            updated_at: self.updated_at.max(changed_at),
            expires_at: self.expires_at,
            last_used_at,
            revoked_at: revocation.as_ref().map(|revocation| revocation.revoked_at),
            revocation_reason: revocation.and_then(|revocation| revocation.revocation_reason),
            rotated_from: self.rotated_from,
            rotated_to: self.rotated_to,
            revision: self.revision + revoked,
        }
    }
}

/// That a key was revoked, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// When.
    pub revoked_at: i64,
    /// In its owner's words.
    pub revocation_reason: Option<String>,
    /// When the record was changed by it.
    pub updated_at: i64,
}

/// Reads an entry of JSON.
pub fn read<T: DeserializeOwned>(bucket: &dyn Bucket, name: &str) -> Result<Option<T>, Error> {
    let parse = |value: Vec<u8>| serde_json::from_slice(&value).map_err(|_| incident::broken(bucket, name));
    bucket.get(name)?.map(parse).transpose()
}

/// Reads an entry of plain text.
pub fn read_text(bucket: &dyn Bucket, name: &str) -> Result<Option<String>, Error> {
    let parse = |value| String::from_utf8(value).map_err(|_| incident::broken(bucket, name));
    bucket.get(name)?.map(parse).transpose()
}

/// Writes an entry of JSON.
pub fn write<T: Serialize>(bucket: &dyn Bucket, name: &str, value: &T) -> Result<(), Error> {
    let json = serde_json::to_vec(value).map_err(|_| incident::broken(bucket, name))?;
    bucket.set(name, &json)
}
