//! What the compiler says about log statements that are wrong.
//!
//! The expected texts are those of the current stable compiler. After an upgrade of it, look at
//! what has changed, and run with `TRYBUILD=overwrite` to accept it.

#[test]
#[cfg_attr(miri, ignore = "runs the compiler")]
fn wrong_statements_are_refused_in_plain_words() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}

#[test]
#[cfg_attr(miri, ignore = "runs the compiler")]
fn right_statements_need_no_prelude_and_give_no_warning() {
    trybuild::TestCases::new().pass("tests/ui/accepted/*.rs");
}
