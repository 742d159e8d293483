use ringlog::info;

fn main() {
    let x = 1;
    info!("{} {a}", a = x, x);
    info!("{a}", a = x, a = x);
    info!("{}" x);
    info!("{}",, x);
}
