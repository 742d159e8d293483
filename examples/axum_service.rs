//! A web service that loses no line when it is told to end.
//!
//! ```console
//! $ cargo run --example axum_service -- 127.0.0.1:3000 service.log
//! $ curl http://127.0.0.1:3000/orders/17
//! ```
//!
//! Every record of a request has its number, on whichever thread its task goes on. `SIGTERM` or
//! Ctrl-C ends the service when the requests that it has begun are answered; their lines are in the
//! file then.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{self, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use ringlog::sink::File;
use ringlog::{RingLogger, context, in_context, info};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".into());
    let log = arguments.next().unwrap_or("service.log".into());
    serve(&address, log.as_ref()).await
}

/// Serves until a signal comes, and the requests that were begun are answered.
pub async fn serve(address: &str, log: &Path) -> Result<(), Box<dyn Error>> {
    let logger = RingLogger::builder().sink(File::append(log)?).configure()?;
    let service = Router::new()
        .route("/orders/{id}", get(order))
        .layer(middleware::from_fn(with_request_number));
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let told_to_end = told_to_end()?;
    axum::serve(listener, service)
        .with_graceful_shutdown(told_to_end)
        .await?;
    println!("{}", logger.shutdown_async(Duration::from_secs(5)).await);
    Ok(())
}

/// Ready when the process is to end.
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let by = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(by, "ending");
    })
}

/// Gives the request a number, which all records have that are made on its behalf.
async fn with_request_number(request: Request, next: Next) -> Response {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    let answered = async {
        let started = Instant::now();
        info!(
            method = request.method().as_str(),
            path = request.uri().path(),
            "request"
        );
        let mut response = next.run(request).await;
        info!(
            status = response.status().as_u16(),
            took = started.elapsed(),
            "answered"
        );
        response.headers_mut().insert("x-request-id", number.into());
        response
    };
    in_context(|| context!(request = number), answered).await
}

async fn order(extract::Path(id): extract::Path<u64>) -> String {
    // Somewhere else, it is looked up.
    tokio::time::sleep(Duration::from_millis(id % 50)).await;
    info!(id, "found the order");
    format!("order {id}\n")
}
