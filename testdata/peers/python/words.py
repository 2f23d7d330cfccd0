"""The words of peer.proto that both sides need, and the lines between programs."""

import asyncio
import sys
import zlib

import peer_pb2 as pb
from google.protobuf import json_format

# Messages above this size are refused by both sides; grpcio's own default for
# receiving.
MAX_MESSAGE_BYTES = 4 << 20

OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", 2 * MAX_MESSAGE_BYTES),
]

DETAILS = "grpc-status-details-bin"


class Input:
    """Standard input, with a message a line."""

    def __init__(self, reader):
        self._reader = reader

    @classmethod
    async def open(cls):
        reader = asyncio.StreamReader(limit=64 << 20)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        return cls(reader)

    async def next(self, message_class):
        """The next line's message; None when there is none."""
        line = await self._reader.readline()
        return json_format.Parse(line, message_class()) if line else None

    async def end(self):
        while await self._reader.readline():
            pass


def put(line):
    print(line, flush=True)


def line(message):
    return json_format.MessageToJson(message, indent=None)


def ballast(size):
    """A payload of the pattern that all peers use."""
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def weigh(payload):
    return pb.Ballast(bytes=len(payload), crc=zlib.crc32(payload))


def to_metadata(data):
    return tuple(
        (datum.name, getattr(datum, datum.WhichOneof("value"))) for datum in data
    )


def from_metadata(metadata):
    """Those whose name starts with "x-"."""
    return [
        pb.Metadatum(name=name, binary=value)
        if isinstance(value, bytes)
        else pb.Metadatum(name=name, text=value)
        for name, value in metadata or ()
        if name.startswith("x-")
    ]
