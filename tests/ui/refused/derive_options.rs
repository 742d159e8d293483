use ringlog::Record;

#[derive(Record)]
#[record(skip)]
struct OnType(u8);

#[derive(Record)]
struct Unknown {
    #[record(rename = "x")]
    field: u8,
}

#[derive(Record)]
struct WithWhat(#[record(with)] u8);

#[derive(Record)]
struct WithPath(#[record(with = to_text)] u8);

#[derive(Record)]
struct Both(#[record(skip, with = "to_text")] u8);

#[derive(Record)]
enum OnVariant {
    #[record(skip)]
    Variant(u8),
}

#[derive(Record)]
struct NoParentheses(#[record] u8);

fn main() {}
