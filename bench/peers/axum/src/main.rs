//! What somebody would write in an afternoon with axum: a map of users, a bounded channel for each stream.
//!
//! A stream whose channel is full makes its publisher wait, since nothing is to be lost.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::Router;
use futures_util::stream::{Stream, StreamExt};
use serde::Deserialize;
use tokio::sync::mpsc::{channel, Sender};
use tokio_stream::wrappers::ReceiverStream;

const WAITING_MAX: usize = 256;

type Users = Arc<Mutex<HashMap<String, Vec<Sender<Arc<str>>>>>>;

#[derive(Deserialize)]
struct User {
    username: String,
}

async fn stream(
    State(users): State<Users>,
    Query(user): Query<User>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = channel::<Arc<str>>(WAITING_MAX);
    let mut users = users.lock().unwrap();
    let streams = users.entry(user.username).or_default();
    streams.retain(|stream| !stream.is_closed());
    streams.push(sender);
    let events = ReceiverStream::new(receiver).map(|message| Ok(Event::default().data(message)));
    Sse::new(events).keep_alive(KeepAlive::default())
}

async fn message(State(users): State<Users>, Query(user): Query<User>, body: String) -> StatusCode {
    let streams: Vec<_> = {
        let users = users.lock().unwrap();
        if user.username == "*" {
            users.values().flatten().cloned().collect()
        } else {
            users.get(&user.username).cloned().unwrap_or_default()
        }
    };
    let message: Arc<str> = body.into();
    for stream in streams {
        let _ = stream.send(message.clone()).await;
    }
    StatusCode::ACCEPTED
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("usage: axum_peer PORT");
    let routes = Router::new()
        .route("/v2/sse", get(stream))
        .route("/v2/message", post(message))
        .with_state(Users::default());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}"))
        .await
        .unwrap();
    let listener = listener.tap_io(|socket| {
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, routes).await.unwrap();
}
