#![no_implicit_prelude]
#![deny(warnings)]

use ::ringlog::Level;

const LEVEL: Level = Level::Warn;

// What the expansion needs it must not take from here.
#[allow(dead_code)]
mod core {}
#[allow(dead_code)]
mod std {}

struct Plain;

impl ::core::fmt::Display for Plain {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str("plain")
    }
}

fn main() {
    let (logger, at, arguments, writer) = (1_u8, 2_i64, "text", 'w');
    ::ringlog::info!("text");
    ::ringlog::info!(
        "{logger} {at} {arguments:?} {writer:>4} {Plain} {:w$.p$}",
        1.5,
        w = 8,
        p = 2
    );
    ::ringlog::rlog!(target: "t", LEVEL, "{:p}", &raw const logger);
    ::ringlog::rlog!({ Level::Error }, "{0} {0:?} {type}", arguments, r#type = at,);
}
