//! Components that are not the real one: the suite catches the wrong ones, and the sandbox contains
//! the hostile ones.

mod hostile_components;
mod mutants;
mod wrong_components;
