import asyncio
import contextlib

import grpc
import peer_pb2 as pb
import peer_pb2_grpc as rpc
from google.protobuf import empty_pb2
from words import DETAILS, OPTIONS, ballast, from_metadata, line, put, to_metadata, weigh

STREAMING = {"ServerStream", "BidiStream"}


async def work(lines):
    """Does the jobs of the input, all at once as they come."""
    channels = {}
    async with asyncio.TaskGroup() as tasks:
        while job := await lines.next(pb.Job):
            key = job.target.SerializeToString(deterministic=True)
            if key not in channels:
                channels[key] = connect(job.target)
            tasks.create_task(do(job, channels[key]))


async def do(job, channel):
    put(line(pb.Done(id=job.id, outcome=await Attempt(channel, job.call).make())))


def connect(target):
    compression = grpc.Compression.Gzip if target.gzip else None
    if not target.HasField("tls"):
        return grpc.aio.insecure_channel(target.address, OPTIONS, compression)
    credentials = grpc.ssl_channel_credentials(
        target.tls.ca.encode(),
        target.tls.key.encode() or None,
        target.tls.certificate.encode() or None,
    )
    return grpc.aio.secure_channel(target.address, credentials, OPTIONS, compression)


class Attempt:
    def __init__(self, channel, call):
        self._channel = channel
        self._call = call
        self._outcome = pb.Outcome()
        self._progress = asyncio.Condition()
        self._ended = False

    async def make(self):
        call = self._start()
        canceller = asyncio.create_task(self._cancel_when_started(call))
        with contextlib.suppress(grpc.RpcError, asyncio.CancelledError):
            if self._call.method in STREAMING:
                async for reply in call:
                    await self._receive(reply)
                    if len(self._outcome.replies) == self._call.cancel_after_replies:
                        call.cancel()
            elif self._call.method == "Witness":
                self._outcome.witness.CopyFrom(await call)
            else:
                await self._receive(await call)
        canceller.cancel()
        async with self._progress:
            self._ended = True
            self._progress.notify_all()
        await self._report(call)
        return self._outcome

    def _start(self):
        call = self._call
        peer = rpc.PeerStub(self._channel)
        options = {
            "metadata": to_metadata(call.headers),
            "timeout": call.timeout_ms / 1000 if call.timeout_ms else None,
        }
        match call.method:
            case "Unary" | "ServerStream":
                return getattr(peer, call.method)(self._request(0), **options)
            case "ClientStream" | "BidiStream":
                return getattr(peer, call.method)(self._requests(), **options)
            case "Nothing" | "Unimplemented":
                return getattr(peer, call.method)(empty_pb2.Empty(), **options)
            case "Absent":
                absent = rpc.AbsentStub(self._channel)
                return absent.Nothing(empty_pb2.Empty(), **options)
            case "Witness":
                return peer.Witness(call.witness, **options)
        raise ValueError(f"unknown method {call.method}")

    def _request(self, index):
        wanted = self._call.requests[index]
        request = pb.Instruction()
        request.CopyFrom(wanted.instruction)
        request.payload = ballast(wanted.payload_bytes)
        return request

    async def _requests(self):
        for index in range(len(self._call.requests)):
            if self._call.take_turns:
                await self._reaches(index)
            yield self._request(index)
        if self._call.hold_open:
            await self._reaches(float("inf"))

    async def _reaches(self, replies):
        """Returns once there have been so many replies, or the call has ended."""
        async with self._progress:
            await self._progress.wait_for(
                lambda: self._ended or len(self._outcome.replies) >= replies
            )

    async def _receive(self, reply):
        payload = getattr(reply, "payload", b"")
        seen = getattr(reply, "seen", None)
        async with self._progress:
            self._outcome.replies.append(pb.Received(payload=weigh(payload), seen=seen))
            self._progress.notify_all()

    async def _cancel_when_started(self, call):
        if self._call.cancel_when_started:
            request = pb.WitnessRequest(key=self._call.cancel_when_started)
            await rpc.PeerStub(self._channel).Witness(request)
            call.cancel()

    async def _report(self, call):
        trailers = await call.trailing_metadata() or ()
        for name, value in trailers:
            if name == DETAILS:
                self._outcome.status.MergeFrom(pb.Status.FromString(value))
        self._outcome.status.code = (await call.code()).value[0]
        self._outcome.status.message = await call.details() or ""
        self._outcome.headers.extend(from_metadata(await call.initial_metadata()))
        self._outcome.trailers.extend(from_metadata(trailers))
