use ringlog::rlog;

fn main() {
    rlog!(3, "text");
}
