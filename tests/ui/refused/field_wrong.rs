use ringlog::info;

struct Opaque;

fn main() {
    let (a, b) = (1, 2);
    info!(a + b, "text");
    info!(a.pow(2), "text");
    info!(a = , "text");
    info!(%a + b, "text");
    info!(a == b, "text");
    info!(a; b; "text");
    info!(a, "text"; b);
    info!(a:serde = b; "text");
    info!(opaque = Opaque, "text");
    info!(opaque = %Opaque, "text");
    info!(opaque = ?Opaque, "text");
}
