//! The tests of the host and of the component in it.

mod conformance;
