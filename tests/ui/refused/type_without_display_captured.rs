use ringlog::info;

struct Plain;

fn main() {
    let plain = Plain;
    info!("first {}, then {plain}", 1);
}
