use ringlog::{info, rlog};

fn main() {
    info!(log: 1, "text");
    rlog!(level: ringlog::Level::Info, "text");
    info!(name: "fill", "text");
    info!(parent: None, "text");
}
