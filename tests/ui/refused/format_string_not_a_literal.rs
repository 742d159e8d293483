use ringlog::info;

fn main() {
    let text = String::new();
    info!(text);
    info!(concat!("{", "}"), 1);
    info!(5);
    info!(b"bytes");
}
