use ringlog::Record;

fn takes_text(text: &str) -> usize {
    text.len()
}

struct Opaque;

fn gives_opaque(_: &u8) -> Opaque {
    Opaque
}

#[derive(Record)]
struct A(#[record(with = "takes_text")] u32);

#[derive(Record)]
struct B(#[record(with = "gives_opaque")] u8);

#[derive(Record)]
struct C(#[record(with = "missing::function")] u8);

fn main() {}
