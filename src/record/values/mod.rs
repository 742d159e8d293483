//! How each type is stored.

mod atomics;
mod containers;
mod numbers;
pub(super) mod pointers;
mod system;
pub(super) mod text;
mod user;
