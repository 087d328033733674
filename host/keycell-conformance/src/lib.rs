//! The conformance suite.
pub mod storage;
