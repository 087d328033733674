//! The bound on the length of arguments, which keeps the component's memory small.

use keycell_component::fault;

use crate::error::Fault;

/// The maximum length of one argument in bytes of UTF-8; for a list, of all its items together with
/// 8 bytes for each.
pub const MAX_LEN: usize = 64 << 10;

/// The arguments that are too long.
#[derive(Default)]
pub struct Lengths(Vec<Fault>);

impl Lengths {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn text(self, field: &str, text: &str) -> Self {
        self.bytes(field, text.len())
    }

    pub fn optional(self, field: &str, text: Option<&str>) -> Self {
        self.bytes(field, text.map_or(0, str::len))
    }

    pub fn list(self, field: &str, items: &[String]) -> Self {
        self.bytes(field, items.iter().map(|item| size_of::<u64>() + item.len()).sum())
    }

    fn bytes(mut self, field: &str, len: usize) -> Self {
        if len > MAX_LEN {
            self.0.push(Fault::from((field, fault::Fault::TooLong)));
        }
        self
    }

    /// The faults of the arguments that are too long.
    pub fn into_faults(self) -> Vec<Fault> {
        self.0
    }
}
