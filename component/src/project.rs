//! References to projects.

use alloc::{borrow::ToOwned, string::String};

use crate::{argument, fault::Fault, id, key};

const MAX_SLUG: usize = 63;

/// A project's slug: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, and not UUID-shaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectSlug(String);

impl ProjectSlug {
    /// Parses a slug; `None` if the text is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let is_slug = (1..=MAX_SLUG).contains(&text.len())
            && text.bytes().all(|byte| inner(&byte))
            && !text.starts_with('-')
            && !text.ends_with('-')
            && id::parse_uuid(text).is_none();
        is_slug.then(|| Self(text.to_owned()))
    }

    /// The slug as text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// A reference to a project. UUID-shaped text is an id and never a slug.
#[derive(Debug, PartialEq, Eq)]
pub enum ProjectReference {
    /// By id: lowercase and hyphenated.
    Id(String),
    /// By slug.
    Slug(ProjectSlug),
}

impl ProjectReference {
    /// Parses a reference.
    ///
    /// # Errors
    ///
    /// The text is empty, a key, or neither UUID-shaped nor a slug.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(uuid) = id::parse_uuid(text) {
            return Ok(Self::Id(id::uuid_text(uuid)));
        }
        match ProjectSlug::parse(text) {
            Some(slug) => Ok(Self::Slug(slug)),
            None if text.is_empty() => Err(Fault::Empty),
            None if argument::is_too_long(text) => Err(Fault::TooLong),
            None if key::looks_like_key(text.trim()) => Err(Fault::SecretPassedAsId),
            None => Err(Fault::NotAReference),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_shaped_text_is_an_id() {
        let id = "0192a000-0000-4000-8000-00000000000a";
        assert_eq!(ProjectReference::parse(id), Ok(ProjectReference::Id(id.into())));
        assert_eq!(ProjectReference::parse(&id.to_uppercase()), Ok(ProjectReference::Id(id.into())));
        assert_eq!(ProjectSlug::parse(id), None);
    }

    #[test]
    fn a_slug_has_inner_hyphens_only() {
        for good in ["a", "0", "a-b", "a--b", &"a".repeat(63)] {
            assert!(ProjectSlug::parse(good).is_some(), "{good}");
        }
        for bad in ["-a", "a-", "-", "A", "a_b", "a b", "é", &"a".repeat(64)] {
            assert_eq!(ProjectReference::parse(bad), Err(Fault::NotAReference), "{bad}");
        }
        assert_eq!(ProjectReference::parse(""), Err(Fault::Empty));
    }
}
