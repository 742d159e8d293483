use ringlog::{info, rlog};

fn main() {
    info!();
    rlog!();
    rlog!(ringlog::Level::Info);
    info!(target: "t");
}
