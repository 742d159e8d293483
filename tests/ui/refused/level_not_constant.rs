use ringlog::{Level, rlog};

fn main() {
    let level = Level::Info;
    rlog!(level, "text");
}
