use ringlog::{Record, info};

#[derive(Debug)]
struct Handle;

#[derive(Debug, Record)]
struct Session {
    user: u32,
    handle: Handle,
}

#[derive(Debug, Record)]
struct Wrapped<T>(T);

#[derive(Debug)]
struct Plain;

fn stored<T: Record>(_: T) {}

fn main() {
    stored(Wrapped(Plain));
    let session = Session { user: 1, handle: Handle };
    info!("{session:?}");
}
