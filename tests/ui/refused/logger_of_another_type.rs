use ringlog::info;

fn main() {
    info!(logger: 5, "text");
    info!(at: "noon", "text");
}
