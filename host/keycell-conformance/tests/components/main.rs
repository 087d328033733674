//! Components that are not the real one: the suite catches the wrong ones, and the sandbox contains
//! the hostile ones.

mod faults;
mod hostile_components;
mod isolation;
mod wrong_components;
