use ringlog::info;

fn main() {
    let price = 101.25;
    info!("{:x}", 1.5);
    info!("{price:#x} {:e}", "text");
    info!("{:>price$}", 1);
}
