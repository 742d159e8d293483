use ringlog::info;

fn main() {
    info!(target: "a", target: "b", "text");
    info!(target: , "text");
    info!(target: "a" "text");
    info!(, "text");
}
