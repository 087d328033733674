//! The adapter on a bucket in memory.

mod bucket;
mod conformance;
mod context;
mod keys;
mod limits;
mod projects;
mod races;
mod records;
mod steps;
mod storage;
