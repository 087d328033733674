//! The tests of the host and of the component in it.

mod command;
mod component;
mod conformance;
mod hostile_components;
mod lifecycle;
mod mutants;
mod schemas;
mod sqlite;
mod storage;
mod wrong_components;
