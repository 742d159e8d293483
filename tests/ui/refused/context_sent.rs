use ringlog::context;

fn main() {
    let context = context!(session = 42);
    std::thread::spawn(move || drop(context));
}
