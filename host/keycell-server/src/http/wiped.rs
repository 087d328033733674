//! Memory that is overwritten when it is dropped.
//!
//! Bodies of requests and responses are overwritten, like keys in
//! [`SecretKey`](keycell::SecretKey). The buffers of hyper, the header value of `Authorization`,
//! and the strings that the MCP library parses from a body belong to other crates. Their memory is
//! freed without being overwritten.

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
/// already shared are not overwritten.
pub fn on_drop(bytes: Bytes) -> Bytes {
    match bytes.try_into_mut() {
        Ok(bytes) => Bytes::from_owner(Wiped(bytes)),
        Err(shared) => shared,
    }
}
