use ringlog::{Level, info, rlog};

fn main() {
    info!();
    rlog!();
    rlog!(Level::Info);
    info!(target: "t");
}
