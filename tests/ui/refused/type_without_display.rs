use ringlog::info;

struct Plain;

fn main() {
    info!("{}", Plain);
}
