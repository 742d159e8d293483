//! Logs to the file that it is given, and panics.

use ringlog::{RingLogger, info, sink::File};

struct LastWord;

impl Drop for LastWord {
    fn drop(&mut self) {
        println!("unwound");
    }
}

fn main() {
    let path = std::env::args_os().nth(1).expect("the path of the log");
    let file = File::append(path).expect("a file");
    RingLogger::builder().sink(file).configure().expect("a logger");
    let _last_word = LastWord;
    for number in 0..1000 {
        info!("n {number}");
    }
    panic!("on purpose");
}
