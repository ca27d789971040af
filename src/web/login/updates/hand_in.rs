//! `POST /login/updates/examine`, `POST /login/updates/install`: an update file's bytes.
//!
//! They pass through in pieces, whatever the file's length. While the agent reads back what it
//! wrote, the browser gets a space now and then, which JSON does not mind: a silent connection
//! would be closed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Interval, interval, timeout};

use super::{Silent, on_behalf, unable};
use crate::control::update::{Accept, Reply, Request};
use crate::control::update_client::Asked;
use crate::control::wire::WireError;
use crate::domain::limits::{
    BUNDLE_HEADER_BYTES, BUNDLE_METADATA_BYTES_MAX, UPDATE_SIGN_OF_LIFE_EVERY,
    UPDATE_SUBMIT_STALL_MAX,
};
use crate::web::http::{Administrator, Failure, Peer};
use crate::web::login::sign_in::check_header;
use crate::web::site::Site;
use crate::web::words;

/// What a file that begins like this is worth. Nothing is written.
pub(crate) async fn examine(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    check_header(&who, &headers)?;
    let begin = to_bytes(body, BUNDLE_HEADER_BYTES + BUNDLE_METADATA_BYTES_MAX);
    let begin = begin
        .await
        .map_err(|_| Failure::Refused(StatusCode::PAYLOAD_TOO_LARGE))?;
    let bytes = u32::try_from(begin.len()).expect("limited far below 2^32");
    let reply = async {
        let mut asked = site.updates.begin(&Request::Examine { bytes }).await?;
        // What it refuses early, it has answered.
        let _ = asked.send(&begin).await;
        asked.reply().await
    };
    Ok(match reply.await {
        Ok(Reply::Verdict(verdict)) => Json(verdict).into_response(),
        // The request was all right; the file was not.
        Ok(Reply::Refused { why }) => {
            Json(json!({ "error": words::sentence(&why) })).into_response()
        }
        Ok(_) => return Err(Failure::Internal("another question's answer".into())),
        Err(error) => unable(&error),
    })
}

/// Installs a file: `{"done":true}`, or `{"error":"…"}` in words.
pub(crate) async fn install(
    State(site): State<Arc<Site>>,
    Administrator(who): Administrator,
    Peer(peer): Peer,
    Query(accept): Query<Accept>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    check_header(&who, &headers)?;
    let bytes = headers.get(header::CONTENT_LENGTH);
    let bytes = bytes.and_then(|value| value.to_str().ok()?.parse().ok());
    let request = Request::Install {
        who: on_behalf(&who, peer),
        bytes: bytes.ok_or(Failure::Refused(StatusCode::LENGTH_REQUIRED))?,
        accept,
    };
    let mut asked = match site.updates.begin(&request).await {
        Ok(asked) => asked,
        Err(error) => return Ok(unable(&error)),
    };
    pass_on(body, &mut asked).await?;
    let answer = tokio::spawn(async move { json(asked.reply().await) });
    let body = Body::new(Awaited {
        answer: Some(answer),
        sign_of_life: interval(UPDATE_SIGN_OF_LIFE_EVERY),
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Everything, even after the agent has refused it: browsers read no answer before they sent all.
/// A browser that goes away ends the agent's work with the connection.
async fn pass_on(mut body: Body, asked: &mut Asked) -> Result<(), Failure> {
    let mut listens = true;
    loop {
        let frame = timeout(UPDATE_SUBMIT_STALL_MAX, body.frame()).await;
        let Some(frame) = frame.map_err(|_| Failure::TooSlow)? else {
            return Ok(());
        };
        let frame = frame.map_err(|error| Failure::Bad(format!("upload cut off: {error}")))?;
        if let (true, Ok(bytes)) = (listens, frame.into_data()) {
            listens = asked.send(&bytes).await.is_ok();
        }
    }
}

fn json(reply: Result<Reply, WireError>) -> Value {
    match reply {
        Ok(Reply::Done) => json!({ "done": true }),
        Ok(Reply::Refused { why }) => json!({ "error": words::sentence(&why) }),
        Ok(_) => json!({ "error": "The update agent answered something else." }),
        Err(error) => json!({ "error": Silent::new(&error).sentence() }),
    }
}

/// A body of spaces until there is an answer.
struct Awaited {
    /// None once it was sent.
    answer: Option<JoinHandle<Value>>,
    sign_of_life: Interval,
}

impl hyper::body::Body for Awaited {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(answer) = Pin::new(answer).poll(context) {
            self.answer = None;
            let failed = |_| json!({ "error": "Something went wrong on our side." });
            let text = answer.unwrap_or_else(failed).to_string();
            return Poll::Ready(Some(Ok(Frame::data(text.into()))));
        }
        ready!(self.sign_of_life.poll_tick(context));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}
