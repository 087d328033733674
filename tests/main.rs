//! The tests of the whole program.

mod cli;
mod command;
mod readme;
