//! Memory that held keys.
//!
//! Bodies of requests and of answers are overwritten when they are dropped, as keys in
//! [`SecretKey`](keycell::SecretKey) are. Out of reach are the read and write buffers of hyper, the
//! header value of `Authorization`, and the strings that the MCP library parses from a body: their
//! memory is freed as it is.

use bytes::{Bytes, BytesMut};
use zeroize::Zeroize;

struct Wiped(BytesMut);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.as_mut().zeroize();
    }
}

/// Makes bytes that are overwritten when the last of their clones is dropped. Bytes that are
/// already shared stay as they are.
pub fn on_drop(bytes: Bytes) -> Bytes {
    match bytes.try_into_mut() {
        Ok(bytes) => Bytes::from_owner(Wiped(bytes)),
        Err(shared) => shared,
    }
}
