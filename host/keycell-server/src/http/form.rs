//! Queries and forms: names and values.

use form_urlencoded::parse;

/// The pairs of a query or of a form.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// The value of a field that must be there once; `None` if it is missing or repeated.
pub fn single(text: &[u8], name: &str) -> Option<String> {
    let mut values = pairs(text).filter(|(other, _)| other == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}
