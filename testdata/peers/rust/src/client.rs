use std::collections::HashMap;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use crate::peer::absent_client::AbsentClient;
use crate::peer::peer_client::PeerClient;
use crate::peer::{Call, Done, Instruction, Job, Outcome, Received, Reply, Status as Reported};
use crate::peer::{Target, WitnessRequest};
use crate::words::{ballast, from_metadata, to_metadata, weigh};
use crate::{Failure, Input, MAX_MESSAGE_BYTES, line};

/// Does the jobs of the input, all at once as they come.
pub async fn work(input: &mut Input) -> Result<(), Failure> {
    let mut connections = HashMap::new();
    while let Some(job) = input.next::<Job>().await? {
        let target = job.target.ok_or("a job without a target")?;
        let call = job.call.ok_or("a job without a call")?;
        let channel = match connections.get(&target) {
            Some(channel) => Channel::clone(channel),
            None => {
                let channel = connect(&target)?;
                connections.insert(target.clone(), channel.clone());
                channel
            }
        };
        tokio::spawn(async move {
            let outcome = Some(perform(channel, target.gzip, &call).await);
            println!(
                "{}",
                line(&Done {
                    id: job.id,
                    outcome
                })
            );
        });
    }
    Ok(())
}

fn connect(target: &Target) -> Result<Channel, Failure> {
    let Some(tls) = &target.tls else {
        let endpoint = Endpoint::from_shared(format!("http://{}", target.address))?;
        return Ok(endpoint.connect_lazy());
    };
    let mut config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&tls.ca));
    if !tls.certificate.is_empty() {
        config = config.identity(Identity::from_pem(&tls.certificate, &tls.key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", target.address))?;
    Ok(endpoint.tls_config(config)?.connect_lazy())
}

async fn perform(channel: Channel, gzip: bool, call: &Call) -> Outcome {
    let mut outcome = Outcome::default();
    let attempt = Attempt {
        channel: channel.clone(),
        gzip,
        call,
        outcome: &mut outcome,
    };
    let end = tokio::select! {
        end = attempt.make() => end,
        () = start_of(channel, &call.cancel_when_started) => Err(cancelled()),
    };
    outcome.status = Some(match end {
        Ok(()) => Reported::default(),
        Err(status) => {
            outcome.trailers = from_metadata(status.metadata());
            report(&status)
        }
    });
    outcome
}

/// Returns once the server has started on the call that the key names.
async fn start_of(channel: Channel, key: &str) {
    if key.is_empty() {
        std::future::pending::<()>().await;
    }
    let request = WitnessRequest {
        key: key.into(),
        until_ended: false,
    };
    let _ = PeerClient::new(channel).witness(request).await;
}

/// A call is cancelled by dropping it, of which no status comes.
fn cancelled() -> Status {
    Status::cancelled("dropped")
}

struct Attempt<'a> {
    channel: Channel,
    gzip: bool,
    call: &'a Call,
    outcome: &'a mut Outcome,
}

impl Attempt<'_> {
    async fn make(mut self) -> Result<(), Status> {
        let mut peer = PeerClient::new(self.channel.clone());
        match self.call.method.as_str() {
            "Nothing" => peer.nothing(self.with_options(())?).await?,
            "Unimplemented" => peer.unimplemented(self.with_options(())?).await?,
            "Absent" => {
                let mut absent = AbsentClient::new(self.channel.clone());
                absent.nothing(self.with_options(())?).await?
            }
            "Witness" => {
                let request = self.call.witness.clone().unwrap_or_default();
                let reply = peer.witness(self.with_options(request)?).await?;
                self.outcome.witness = Some(reply.into_inner());
                return Ok(());
            }
            method => return self.stream(method).await,
        };
        self.receive(Reply::default());
        Ok(())
    }

    /// Makes a call of any kind as a stream, as tonic's clients do beneath their
    /// faces; those of one reply would mix its headers and trailers.
    async fn stream(&mut self, method: &str) -> Result<(), Status> {
        let path = PathAndQuery::from_maybe_shared(format!("/homing.peer.v1.Peer/{method}"))
            .map_err(|error| Status::internal(error.to_string()))?;
        let mut grpc = Grpc::new(self.channel.clone())
            .accept_compressed(Gzip)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(2 * MAX_MESSAGE_BYTES);
        if self.gzip {
            grpc = grpc.send_compressed(Gzip);
        }
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        let (sender, requests) = mpsc::channel(1);
        let (replied, turns) = watch::channel(0);
        let request = self.with_options(ReceiverStream::new(requests))?;
        let codec = ProstCodec::<Instruction, Reply>::default();
        tokio::spawn(feed(self.call.clone(), sender, turns));
        let response = grpc.streaming(request, path, codec).await?;
        self.outcome.headers = from_metadata(response.metadata());
        let mut replies = response.into_inner();
        while let Some(reply) = replies.message().await? {
            self.receive(reply);
            let received = self.outcome.replies.len();
            replied.send_replace(received);
            if received == self.call.cancel_after_replies as usize {
                return Err(cancelled());
            }
        }
        if let Some(trailers) = replies.trailers().await? {
            self.outcome.trailers = from_metadata(&trailers);
        }
        Ok(())
    }

    fn with_options<T>(&self, message: T) -> Result<Request<T>, Status> {
        let mut request = Request::new(message);
        *request.metadata_mut() = to_metadata(&self.call.headers)
            .map_err(|failure| Status::internal(failure.to_string()))?;
        if self.call.timeout_ms > 0 {
            request.set_timeout(Duration::from_millis(self.call.timeout_ms.into()));
        }
        Ok(request)
    }

    fn receive(&mut self, reply: Reply) {
        self.outcome.replies.push(Received {
            payload: Some(weigh(&reply.payload)),
            seen: reply.seen,
        });
    }
}

/// Sends the requests and the end of them, unless the call ends before.
async fn feed(call: Call, sender: mpsc::Sender<Instruction>, mut turns: watch::Receiver<usize>) {
    for (index, request) in call.requests.into_iter().enumerate() {
        if call.take_turns && turns.wait_for(|replies| *replies >= index).await.is_err() {
            return;
        }
        let mut instruction = request.instruction.unwrap_or_default();
        instruction.payload = ballast(request.payload_bytes);
        if sender.send(instruction).await.is_err() {
            return;
        }
    }
    // Of the other methods the server waits for the end of the requests.
    let streams = matches!(call.method.as_str(), "ClientStream" | "BidiStream");
    if streams && call.hold_open {
        let _ = turns.wait_for(|_| false).await;
    }
}

/// The status as it came, its details being those of the encoded google.rpc.Status.
fn report(status: &Status) -> Reported {
    let encoded = Reported::decode(status.details()).unwrap_or_default();
    Reported {
        code: status.code().into(),
        message: status.message().into(),
        details: encoded.details,
    }
}
