//! The words of peer.proto that both sides need.

use tonic::metadata::{KeyAndValueRef, MetadataKey, MetadataMap, MetadataValue};

use crate::Failure;
use crate::peer::{Ballast, Metadatum, metadatum::Value};

/// A payload of the pattern that all peers use.
pub fn ballast(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|i| i as u8).collect()
}

pub fn weigh(payload: &[u8]) -> Ballast {
    Ballast {
        bytes: payload.len() as u32,
        crc: crc32fast::hash(payload),
    }
}

pub fn to_metadata(data: &[Metadatum]) -> Result<MetadataMap, Failure> {
    let mut map = MetadataMap::new();
    for Metadatum { name, value } in data {
        match value {
            Some(Value::Text(text)) => {
                map.append(MetadataKey::from_bytes(name.as_bytes())?, text.parse()?);
            }
            Some(Value::Binary(bytes)) => {
                map.append_bin(
                    MetadataKey::from_bytes(name.as_bytes())?,
                    MetadataValue::from_bytes(bytes),
                );
            }
            None => {}
        }
    }
    Ok(map)
}

/// Those whose name starts with "x-", but for undecodable values.
pub fn from_metadata(map: &MetadataMap) -> Vec<Metadatum> {
    map.iter()
        .filter_map(|entry| {
            let (name, value) = match entry {
                KeyAndValueRef::Ascii(key, value) => {
                    (key.as_str(), Value::Text(value.to_str().ok()?.into()))
                }
                KeyAndValueRef::Binary(key, value) => {
                    (key.as_str(), Value::Binary(value.to_bytes().ok()?.into()))
                }
            };
            name.starts_with("x-").then(|| Metadatum {
                name: name.into(),
                value: Some(value),
            })
        })
        .collect()
}
