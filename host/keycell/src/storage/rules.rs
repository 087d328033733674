//! The rules that every stored record obeys, for storages that check their data.

use keycell_component::{
    base62, id::ApiKeyId, idempotency::IdempotencyKey, key::Prefix, metadata::Metadata, name::KeyName,
    name::RevocationReason, rate_limit, scopes, scopes::Scope, time::Time, user::UserId,
};

use super::{EventRecord, IdempotentRequest, KeyRecord, Member, Project};

const LOOKUP_LEN: usize = 12;
const SHA256_LEN: usize = 32;

impl KeyRecord {
    /// Returns the names of the fields that break a rule, such as a lookup that is not base62.
    /// Empty for each record that the component has written.
    #[must_use]
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        let has_lookup = self.lookup.len() == LOOKUP_LEN && self.lookup.bytes().all(base62::is_digit);
        let has_name = KeyName::parse(&self.name).is_ok_and(|name| name.into_text() == self.name);
        let has_reason = self.revocation_reason.as_ref().is_none_or(|reason| {
            self.revoked_at.is_some() && RevocationReason::parse(reason).is_ok_and(|text| text.into_text() == *reason)
        });
        let has_metadata = self
            .metadata
            .as_ref()
            .is_none_or(|metadata| Metadata::parse(metadata).is_ok_and(|parsed| parsed.into_text() == *metadata));
        let has_rate_limit = self
            .rate_limit
            .is_none_or(|limit| rate_limit::RateLimit::parse(limit.requests, limit.window_seconds).is_ok());
        invalid([
            ("id", is_id(&self.id)),
            ("prefix", Prefix::parse(&self.prefix).is_some()),
            ("lookup", has_lookup),
            ("hash", self.hash.len() == SHA256_LEN),
            ("user_id", UserId::parse(&self.user_id).is_ok()),
            ("project_id", self.project_id.as_deref().is_none_or(is_id)),
            ("name", has_name),
            ("scopes", are_scopes(&self.scopes)),
            ("metadata", has_metadata),
            ("rate_limit", has_rate_limit),
            ("created_at", is_time(self.created_at)),
            ("updated_at", is_time(self.updated_at)),
            ("expires_at", self.expires_at.is_none_or(is_time)),
            ("last_used_at", self.last_used_at.is_none_or(is_time)),
            ("revoked_at", self.revoked_at.is_none_or(is_time)),
            ("revocation_reason", has_reason),
            ("rotated_from", self.rotated_from.as_deref().is_none_or(is_id)),
            ("rotated_to", self.rotated_to.as_deref().is_none_or(is_id)),
        ])
    }
}

impl EventRecord {
    /// Returns the names of the fields that break a rule. Empty for each record that the component
    /// has written.
    #[must_use]
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        invalid([
            ("id", is_id(&self.id)),
            ("time", is_time(self.time)),
            ("key_id", is_id(&self.key_id)),
            ("user_id", UserId::parse(&self.user_id).is_ok()),
            ("project_id", self.project_id.as_deref().is_none_or(is_id)),
            ("actor_user_id", UserId::parse(&self.actor_user_id).is_ok()),
            ("actor_key_id", self.actor_key_id.as_deref().is_none_or(is_id)),
            ("fields", are_ascending(&self.fields)),
        ])
    }
}

impl IdempotentRequest {
    /// Returns the names of the fields that break a rule. Empty for each record that the component
    /// has written.
    #[must_use]
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        invalid([
            ("user_id", UserId::parse(&self.user_id).is_ok()),
            ("idempotency_key", IdempotencyKey::parse(&self.idempotency_key).is_ok()),
            ("key_id", is_id(&self.key_id)),
            ("expires_at", is_time(self.expires_at)),
            ("digest", self.digest.len() == SHA256_LEN),
        ])
    }
}

impl Project {
    /// Returns the names of the fields that break a rule.
    #[must_use]
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        let has_slug = keycell_component::project::ProjectSlug::parse(&self.slug).is_some();
        invalid([("id", is_id(&self.id)), ("slug", has_slug)])
    }
}

impl Member {
    /// Returns the names of the fields that break a rule.
    #[must_use]
    pub fn invalid_fields(&self) -> Vec<&'static str> {
        invalid([("user_id", UserId::parse(&self.user_id).is_ok())])
    }
}

fn invalid<const N: usize>(fields: [(&'static str, bool); N]) -> Vec<&'static str> {
    fields.into_iter().filter(|&(_, is_valid)| !is_valid).map(|(name, _)| name).collect()
}

fn is_id(text: &str) -> bool {
    ApiKeyId::parse(text).is_ok_and(|id| id.to_string() == text)
}

fn is_time(millis: i64) -> bool {
    Time::from_millis(millis).is_some()
}

fn are_scopes(texts: &[String]) -> bool {
    texts.len() <= scopes::MAX_SCOPES && texts.iter().all(|text| Scope::parse(text).is_some()) && are_ascending(texts)
}

/// Returns whether the texts are sorted and without duplicates.
fn are_ascending(texts: &[String]) -> bool {
    texts.is_sorted_by(|a, b| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RateLimit;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn key() -> KeyRecord {
        KeyRecord {
            id: ID.to_owned(),
            prefix: "keycell".to_owned(),
            lookup: "0123456789AB".to_owned(),
            hash: vec![7; 32],
            user_id: "ann".to_owned(),
            name: "deploy".to_owned(),
            scopes: vec!["a".to_owned(), "b".to_owned()],
            metadata: Some(r#"{"a":1}"#.to_owned()),
            rate_limit: Some(RateLimit { requests: 1, window_seconds: 1 }),
            ..KeyRecord::default()
        }
    }

    #[test]
    fn a_written_record_has_no_invalid_field() {
        assert_eq!(key().invalid_fields(), [""; 0]);
    }

    #[test]
    fn each_field_has_its_rule() {
        let text = |text: &str| text.to_owned();
        for (field, key) in [
            ("id", KeyRecord { id: ID.to_uppercase(), ..key() }),
            ("prefix", KeyRecord { prefix: text("K"), ..key() }),
            ("lookup", KeyRecord { lookup: text("0123456789A-"), ..key() }),
            ("hash", KeyRecord { hash: vec![7; 31], ..key() }),
            ("user_id", KeyRecord { user_id: text("a\n"), ..key() }),
            ("project_id", KeyRecord { project_id: Some(text("web")), ..key() }),
            ("name", KeyRecord { name: text(" deploy"), ..key() }),
            ("scopes", KeyRecord { scopes: vec![text("b"), text("a")], ..key() }),
            ("scopes", KeyRecord { scopes: vec![text("a"), text("a")], ..key() }),
            ("scopes", KeyRecord { scopes: vec![text("a b")], ..key() }),
            ("metadata", KeyRecord { metadata: Some(text("{ }")), ..key() }),
            ("rate_limit", KeyRecord { rate_limit: Some(RateLimit { requests: 0, window_seconds: 1 }), ..key() }),
            ("created_at", KeyRecord { created_at: -1, ..key() }),
            ("expires_at", KeyRecord { expires_at: Some(i64::MAX), ..key() }),
            ("revocation_reason", KeyRecord { revocation_reason: Some(text("leaked")), ..key() }),
            ("rotated_to", KeyRecord { rotated_to: Some(text("x")), ..key() }),
        ] {
            assert_eq!(key.invalid_fields(), [field]);
        }
    }
}
