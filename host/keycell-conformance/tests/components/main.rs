//! Components that are not the real one: the suite catches the wrong ones, and the sandbox contains
//! the hostile ones. Others make happen what no case can, such as conflicts.

mod faults;
mod hostile_components;
mod invalid_records;
mod isolation;
mod limit_conflicts;
mod model;
#[path = "../slow_storage/mod.rs"]
mod slow_storage;
mod wrong_components;
