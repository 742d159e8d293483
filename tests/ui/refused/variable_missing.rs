use ringlog::info;

fn main() {
    info!("{nobody} and {nobody}");
}
