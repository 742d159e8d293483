use ringlog::info;

fn main() {
    let (x, y) = (1, 2);
    info!("{}", x, y);
    info!("{x}", y = y);
    info!("nothing", x);
}
