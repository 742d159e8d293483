use ringlog::{Level, info, rlog};

struct Opaque;

impl std::fmt::Display for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("opaque")
    }
}

fn main() {
    let opaque = Opaque;
    rlog!(typed; Level::Info, "{opaque}");
    info!(typed; "{}", Opaque);
    info!(typed; field = Opaque, "text");
    info!(typed; %opaque, "text");
    info!(typed; "{:p}", &opaque);
}
