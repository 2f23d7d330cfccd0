import asyncio

import grpc
import peer_pb2 as pb
import peer_pb2_grpc as rpc
from google.protobuf import empty_pb2
from witness import Witnesses
from words import DETAILS, OPTIONS, ballast, from_metadata, put, to_metadata, weigh

CODES = {code.value[0]: code for code in grpc.StatusCode}


async def serve(lines):
    settings = await lines.next(pb.Listen)
    server = grpc.aio.server(
        options=OPTIONS,
        compression=grpc.Compression.Gzip if settings.gzip else None,
    )
    rpc.add_PeerServicer_to_server(TestService(), server)
    if settings.HasField("tls"):
        port = server.add_secure_port("127.0.0.1:0", credentials(settings.tls))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    put(port)
    await lines.end()
    await server.stop(None)


def credentials(tls):
    return grpc.ssl_server_credentials(
        [(tls.key.encode(), tls.certificate.encode())],
        root_certificates=tls.ca.encode() if tls.mutual else None,
        require_client_auth=tls.mutual,
    )


class TestService(rpc.PeerServicer):
    def __init__(self):
        self._witnesses = Witnesses()

    async def Unary(self, request, context):
        return await self._follow(once(request), context)

    async def ServerStream(self, request, context):
        await self._follow(once(request), context, context.write)

    async def ClientStream(self, requests, context):
        return await self._follow(requests, context)

    async def BidiStream(self, requests, context):
        await self._follow(requests, context, context.write)

    async def Nothing(self, request, context):
        return empty_pb2.Empty()

    async def Witness(self, request, context):
        return await self._witnesses.tell(request)

    async def _follow(self, requests, context, send=None):
        """Does what the requests say, and returns the first reply that the
        newest of them asked for."""
        seen = arrival(context)
        answer = pb.Reply()
        leave = None
        # Until it ends as an instruction says.
        cancelled = True
        try:
            async for request in requests:
                if leave is None:
                    leave = self._witnesses.attend(request.witness)
                    trailers = to_metadata(request.trailers)
                    await context.send_initial_metadata(to_metadata(request.headers))
                    context.set_trailing_metadata(trailers)
                seen.requests.append(weigh(request.payload))
                replies = [
                    pb.Reply(
                        payload=ballast(size), seen=seen if request.describe else None
                    )
                    for size in request.replies or [0]
                ]
                answer = replies[0]
                if send is not None and request.replies:
                    for reply in replies:
                        await send(reply)
                if request.wait_for_cancel:
                    await asyncio.Event().wait()
                if request.HasField("fail"):
                    cancelled = False
                    await fail(context, request.fail, trailers)
                if request.finish:
                    break
            cancelled = False
        finally:
            if leave is not None:
                leave(cancelled or context.cancelled())
        return answer


async def once(request):
    yield request


def arrival(context):
    remaining = context.time_remaining()
    return pb.Seen(
        metadata=from_metadata(context.invocation_metadata()),
        remaining_ms=None if remaining is None else int(remaining * 1000),
    )


async def fail(context, wanted, trailers):
    if wanted.details:
        trailers += ((DETAILS, wanted.SerializeToString()),)
    await context.abort(CODES[wanted.code], wanted.message, trailers)
