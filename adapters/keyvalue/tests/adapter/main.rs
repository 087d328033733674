//! What the adapter makes of a bucket, on a bucket in memory.

mod bucket;
mod conformance;
mod context;
mod keys;
mod projects;
mod races;
mod steps;
