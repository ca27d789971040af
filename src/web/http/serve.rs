//! Connections that the relay hands over: a preamble, then HTTP/1.1.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::own_answer::OwnAnswer;
use super::proxy::{self, PreambleError};
use crate::domain::PeerAddress;
use crate::domain::limits::{
    HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX, PREAMBLE_BYTES_MAX, PREAMBLE_WITHIN,
    REQUEST_HEAD_WITHIN, WEB_CONNECTIONS_MAX, WEB_STOP_WITHIN,
};

/// Serves until `stopping` turns true, then finishes the requests that are running, for at most
/// [`WEB_STOP_WITHIN`].
pub async fn serve(listener: UnixListener, router: Router, mut stopping: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(WEB_CONNECTIONS_MAX));
    loop {
        let permit = room.clone().acquire_owned().await;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, router.clone(), stopping.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next moment may have one.
                tracing::error!(event = "accept_failed", %error);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
    let everybody = u32::try_from(WEB_CONNECTIONS_MAX).expect("a limit far below 2^32");
    let _ = timeout(WEB_STOP_WITHIN, room.acquire_many(everybody)).await;
}

/// Waits until it is time to stop; also when nobody is left who could say so.
async fn stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn connection(mut stream: UnixStream, router: Router, mut stopping: watch::Receiver<bool>) {
    let peer = match timeout(PREAMBLE_WITHIN, read_preamble(&mut stream)).await {
        Ok(Ok(peer)) => peer,
        Ok(Err(error)) => return tracing::warn!(event = "preamble_refused", %error),
        Err(_) => return tracing::warn!(event = "preamble_late"),
    };
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(peer);
        let request = axum::http::Request::from_parts(parts, Body::new(body));
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.into_response()) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also ends a connection that has been silent since its last request.
        .header_read_timeout(REQUEST_HEAD_WITHIN)
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(OwnAnswer::new(stream)), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stop(&mut stopping) => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(event = "page_connection_ended", %peer, %error);
    }
}

/// Takes the preamble off the stream and nothing beyond it: the rest is hyper's.
async fn read_preamble(stream: &mut UnixStream) -> io::Result<PeerAddress> {
    let mut bytes = [0; PREAMBLE_BYTES_MAX];
    let mut seen = proxy::HEADER_BYTES;
    stream.read_exact(&mut bytes[..seen]).await?;
    let refused = |error: PreambleError| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        if let Some((peer, _)) = proxy::split(&bytes[..seen]).map_err(refused)? {
            return Ok(peer);
        }
        // With the header there, the length is known and within the buffer.
        let rest = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        let end = proxy::HEADER_BYTES + rest;
        stream.read_exact(&mut bytes[seen..end]).await?;
        seen = end;
    }
}
