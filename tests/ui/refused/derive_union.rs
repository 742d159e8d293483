#[derive(ringlog::Record)]
union Either {
    number: u32,
    float: f32,
}

fn main() {}
