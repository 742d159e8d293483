use ringlog::info;

fn main() {
    let x = 1;
    info!("{} {}", x);
    info!("{1}", x);
    info!("{:.*}", x);
    info!("{:1$}", x);
}
