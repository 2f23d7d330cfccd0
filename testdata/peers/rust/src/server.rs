use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::util::MapResponseLayer;

use crate::peer::peer_server::{Peer, PeerServer};
use crate::peer::{
    Instruction, Listen, Metadatum, Reply, Seen, Status as Wanted, Tls, WitnessReply,
    WitnessRequest,
};
use crate::trailers::{Trailers, send_trailers};
use crate::witness::Witnesses;
use crate::words::{ballast, from_metadata, to_metadata, weigh};
use crate::{Failure, Input, MAX_MESSAGE_BYTES};

pub async fn serve(input: &mut Input) -> Result<(), Failure> {
    let settings: Listen = input.next().await?.ok_or("no settings")?;
    let mut service = PeerServer::new(TestService::default())
        .accept_compressed(Gzip)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(2 * MAX_MESSAGE_BYTES);
    if settings.gzip {
        service = service.send_compressed(Gzip);
    }
    let mut server = Server::builder();
    if let Some(tls) = &settings.tls {
        server = server.tls_config(tls_config(tls))?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    server
        .layer(MapResponseLayer::new(send_trailers))
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, input.end())
        .await?;
    Ok(())
}

fn tls_config(tls: &Tls) -> ServerTlsConfig {
    let config = ServerTlsConfig::new().identity(Identity::from_pem(&tls.certificate, &tls.key));
    if tls.mutual {
        config.client_ca_root(Certificate::from_pem(&tls.ca))
    } else {
        config
    }
}

#[derive(Clone, Default)]
struct TestService {
    witnesses: Witnesses,
}

type Replies = ReceiverStream<Result<Reply, Status>>;

#[tonic::async_trait]
impl Peer for TestService {
    type ServerStreamStream = Replies;
    type BidiStreamStream = Replies;

    async fn unary(&self, request: Request<Instruction>) -> Result<Response<Reply>, Status> {
        self.script_of_one(request).answer().await
    }

    async fn server_stream(
        &self,
        request: Request<Instruction>,
    ) -> Result<Response<Replies>, Status> {
        self.script_of_one(request).reply()
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<Instruction>>,
    ) -> Result<Response<Reply>, Status> {
        self.script_of_many(request).await?.answer().await
    }

    async fn bidi_stream(
        &self,
        request: Request<Streaming<Instruction>>,
    ) -> Result<Response<Replies>, Status> {
        self.script_of_many(request).await?.reply()
    }

    async fn nothing(&self, _: Request<()>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }

    async fn witness(
        &self,
        request: Request<WitnessRequest>,
    ) -> Result<Response<WitnessReply>, Status> {
        let told = self.witnesses.tell(request.get_ref()).await;
        Ok(Response::new(told))
    }

    async fn unimplemented(&self, _: Request<()>) -> Result<Response<()>, Status> {
        Err(Status::unimplemented("left out"))
    }
}

impl TestService {
    fn script_of_one(&self, request: Request<Instruction>) -> Script {
        Script {
            seen: arrival(request.metadata()),
            first: Some(request.into_inner()),
            rest: None,
            witnesses: self.witnesses.clone(),
        }
    }

    async fn script_of_many(
        &self,
        request: Request<Streaming<Instruction>>,
    ) -> Result<Script, Status> {
        let seen = arrival(request.metadata());
        let mut requests = request.into_inner();
        Ok(Script {
            seen,
            first: requests.message().await?,
            rest: Some(requests),
            witnesses: self.witnesses.clone(),
        })
    }
}

/// One call: its instructions, the first of them at hand.
struct Script {
    seen: Seen,
    first: Option<Instruction>,
    rest: Option<Streaming<Instruction>>,
    witnesses: Witnesses,
}

impl Script {
    async fn answer(mut self) -> Result<Response<Reply>, Status> {
        let metadata = self.response_metadata()?;
        match self.follow(None).await {
            Ok(reply) => Ok(metadata.on(reply)),
            Err(mut status) => {
                *status.metadata_mut() = metadata.trailers;
                Err(status)
            }
        }
    }

    fn reply(mut self) -> Result<Response<Replies>, Status> {
        let metadata = self.response_metadata()?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let end = tokio::select! {
                () = sender.closed() => return,
                end = self.follow(Some(&sender)) => end,
            };
            if let Err(status) = end {
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(metadata.on(ReceiverStream::new(receiver)))
    }

    /// Does what the requests say, and returns the first reply that the newest
    /// of them asked for.
    async fn follow(
        &mut self,
        replies: Option<&mpsc::Sender<Result<Reply, Status>>>,
    ) -> Result<Reply, Status> {
        let mut answer = Reply::default();
        let mut attendance = None;
        let end = loop {
            let Some(request) = self.next().await? else {
                break Ok(answer);
            };
            if self.seen.requests.is_empty() {
                attendance = Some(self.witnesses.attend(&request.witness));
            }
            self.seen.requests.push(weigh(&request.payload));
            let seen = request.describe.then(|| self.seen.clone());
            let reply_of = |bytes| Reply {
                payload: ballast(bytes),
                seen: seen.clone(),
            };
            answer = reply_of(request.replies.first().copied().unwrap_or(0));
            if let Some(replies) = replies {
                for &bytes in &request.replies {
                    let sent = replies.send(Ok(reply_of(bytes))).await;
                    sent.map_err(|_| Status::cancelled("the client has gone"))?;
                }
            }
            if request.wait_for_cancel {
                std::future::pending::<()>().await;
            }
            if let Some(wanted) = request.fail {
                break Err(failure(wanted));
            }
            if request.finish {
                break Ok(answer);
            }
        };
        if let Some(attendance) = attendance {
            attendance.finish();
        }
        end
    }

    async fn next(&mut self) -> Result<Option<Instruction>, Status> {
        match (self.first.take(), &mut self.rest) {
            (Some(first), _) => Ok(Some(first)),
            (None, Some(rest)) => rest.message().await,
            (None, None) => Ok(None),
        }
    }

    fn response_metadata(&self) -> Result<ResponseMetadata, Status> {
        let Some(first) = &self.first else {
            return Ok(ResponseMetadata::default());
        };
        let convert = |data: &[Metadatum]| {
            to_metadata(data).map_err(|failure| Status::internal(failure.to_string()))
        };
        Ok(ResponseMetadata {
            headers: convert(&first.headers)?,
            trailers: convert(&first.trailers)?,
        })
    }
}

#[derive(Default)]
struct ResponseMetadata {
    headers: MetadataMap,
    trailers: MetadataMap,
}

impl ResponseMetadata {
    fn on<T>(self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        *response.metadata_mut() = self.headers;
        response.extensions_mut().insert(Trailers(self.trailers));
        response
    }
}

fn arrival(metadata: &MetadataMap) -> Seen {
    Seen {
        metadata: from_metadata(metadata),
        remaining_ms: metadata
            .get("grpc-timeout")
            .and_then(|timeout| milliseconds(timeout.to_str().ok()?)),
        requests: Vec::new(),
    }
}

/// Of a grpc-timeout, which tonic heeds and does not show.
fn milliseconds(timeout: &str) -> Option<i64> {
    let (digits, unit) = timeout.split_at_checked(timeout.len().checked_sub(1)?)?;
    let count: i64 = digits.parse().ok()?;
    Some(match unit {
        "H" => count * 3_600_000,
        "M" => count * 60_000,
        "S" => count * 1000,
        "m" => count,
        "u" => count / 1000,
        "n" => count / 1_000_000,
        _ => return None,
    })
}

fn failure(wanted: Wanted) -> Status {
    let details = if wanted.details.is_empty() {
        Vec::new()
    } else {
        wanted.encode_to_vec()
    };
    Status::with_details(Code::from_i32(wanted.code), wanted.message, details.into())
}
