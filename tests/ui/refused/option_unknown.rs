use ringlog::{Level, info, rlog};

fn main() {
    info!(log: 1, "text");
    rlog!(level: Level::Info, "text");
}
