//! Queries and forms: names and values.

use form_urlencoded::parse;

/// Returns the pairs of a query or a form.
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    parse(text).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Returns the value of a field; `None` if it is missing or repeated.
pub fn single(text: &[u8], name: &str) -> Option<String> {
    let mut values = pairs(text).filter(|(other, _)| other == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}
