use ringlog::info;

fn main() {
    let target = "t";
    info!(target: target, "text");
}
