//! What the examples share that is not about logging: their command lines and their input.

#![allow(dead_code, reason = "each example uses a part of it")]

pub mod arguments;
pub mod lines;
