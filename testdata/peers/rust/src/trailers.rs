//! Trailers of calls that succeed: tonic has no way of its own to send any.

use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::metadata::MetadataMap;

/// An extension of a response.
#[derive(Clone)]
pub struct Trailers(pub MetadataMap);

/// Adds the trailers that the response is extended by to its own.
pub fn send_trailers(mut response: http::Response<Body>) -> http::Response<Body> {
    let Some(Trailers(more)) = response.extensions_mut().remove() else {
        return response;
    };
    response.map(|body| {
        Body::new(body.map_frame(move |mut frame| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers.extend(more.clone().into_headers());
            }
            frame
        }))
    })
}
