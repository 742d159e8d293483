use ringlog::info;

fn main() {
    let x = 1;
    info!("{", x);
    info!("}", x);
    info!("{:y}", x);
    info!("{x.y}");
    info!("{r#x}");
}
