use ringlog::rlog;

fn main() {
    rlog!("text {}", 1);
    rlog!(target: "t", "text");
}
