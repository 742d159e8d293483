use ringlog::{info, rlog};

fn main() {
    info!(log: 1, "text");
    rlog!(level: ringlog::Level::Info, "text");
}
