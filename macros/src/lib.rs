//! The procedural macros behind `ringlog::rlog!` and `ringlog::context!`.
//!
//! It has no interface of its own: `ringlog` re-exports it hidden, and its macros call it. It
//! depends on nothing but the compiler, so that it adds no more than its own few files to a build.

mod arguments;
mod commas;
mod derive;
mod expansion;
mod field;
mod format_string;
mod input;
mod item;
mod literal;
mod template;

use proc_macro::TokenStream;

/// `rlog!`, after a group that holds the path of the `ringlog` crate, `[$crate]`, and one that holds
/// the name of the level if the macro is named after one, `[Info]` or `[]`.
#[proc_macro]
pub fn rlog_impl(input: TokenStream) -> TokenStream {
    match input::parse(input) {
        Ok(statement) => expansion::statement(statement),
        Err(error) => expansion::error(&error),
    }
}

/// `context!`, after a group that holds the path of the `ringlog` crate.
#[proc_macro]
pub fn context_impl(input: TokenStream) -> TokenStream {
    match input::parse_context(input) {
        Ok(context) => expansion::context(&context),
        Err(error) => expansion::error(&error),
    }
}

/// Stores values of a struct or an enum of yours in log records, field by field.
///
/// See the trait of the same name, `ringlog::Record`.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    derive::record(input).unwrap_or_else(|error| expansion::error_item(&error))
}
