use ringlog::info;

fn main() {
    info!(concat!("{", "}"), 1);
    info!(5);
    info!(b"bytes");
}
