use ringlog::context;

struct Opaque;

fn main() {
    context!();
    let _context = context!("text");
    let _context = context!(session = 42, "text {}", 1);
    let _context = context!(a + b);
    let _context = context!(opaque = Opaque);
}
