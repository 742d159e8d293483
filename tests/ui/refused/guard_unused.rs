#![deny(unused_must_use)]

use ringlog::{RingLogger, sink::Null};

fn main() {
    RingLogger::builder().sink(Null).install().unwrap();
}
