//! The tonic peer: the test service and a client program for it.
//!
//! ```text
//! peer server    reads a Listen from the first line of standard input,
//!                prints the port, and serves until its input ends
//! peer client    reads a Job a line, and prints a Done a line
//! ```
//!
//! Lines are messages in base64.

mod client;
mod server;
mod trailers;
mod witness;
mod words;

use base64::{Engine, prelude::BASE64_STANDARD};
use prost::Message;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

pub mod peer {
    tonic::include_proto!("homing.peer.v1");
}

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Messages above this size are refused by both sides; tonic's own default for receiving.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut input = Input(BufReader::new(tokio::io::stdin()).lines());
    match std::env::args().nth(1).as_deref() {
        Some("server") => server::serve(&mut input).await,
        Some("client") => client::work(&mut input).await,
        _ => Err("usage: peer server|client".into()),
    }
}

pub struct Input(Lines<BufReader<Stdin>>);

impl Input {
    /// The next line's message; `None` when there is none.
    pub async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, Failure> {
        let Some(line) = self.0.next_line().await? else {
            return Ok(None);
        };
        Ok(Some(M::decode(BASE64_STANDARD.decode(line)?.as_slice())?))
    }

    pub async fn end(&mut self) {
        while let Ok(Some(_)) = self.0.next_line().await {}
    }
}

pub fn line(message: &impl Message) -> String {
    BASE64_STANDARD.encode(message.encode_to_vec())
}
