use ringlog::info;
use std::time::Duration;

fn main() {
    let n = 5;
    info!(once = 1, "text");
    info!(every, "text");
    info!(per = , "text");
    info!(once, every = 2, "text");
    info!(every = 0, "text");
    info!(sample = 1.5, "text");
    info!(sample = 50, "text");
    info!(per = 100, "text");
    info!(every = n, "text");
    info!(per = Duration::from_millis(1), sample = 0.1; "text");
}
