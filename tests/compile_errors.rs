//! What the compiler says about log statements that are wrong.
//!
//! The expected texts are those of the current stable compiler. After an upgrade of it, look at
//! what has changed, and run with `TRYBUILD=overwrite` to accept it.

#[test]
#[cfg_attr(miri, ignore = "runs the compiler")]
fn wrong_statements_are_refused_with_one_clear_error_each() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}

#[test]
#[cfg_attr(miri, ignore = "runs the compiler")]
fn right_statements_compile_without_a_warning_and_without_a_prelude() {
    trybuild::TestCases::new().pass("tests/ui/accepted/*.rs");
}
