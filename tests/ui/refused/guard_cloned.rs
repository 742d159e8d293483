use ringlog::{RingLogger, sink::Null};

fn main() {
    let guard = RingLogger::builder().sink(Null).install().unwrap();
    let another: ringlog::Guard = guard.clone();
}
