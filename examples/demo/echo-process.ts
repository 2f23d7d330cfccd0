/** A server in its own process. It answers with its process id, and sends its address to the parent process. */
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "homing/server";
import { RegisterEchoServiceServer } from "../../testdata/services/gen/echo/echo_rpc.ts";

const server = new Server();
RegisterEchoServiceServer(server, {
	async echo() {
		await sleep(10);
		return { resp: String(process.pid) };
	},
});
const { address } = await server.listen("127.0.0.1:0");
process.send?.(address);
process.once("disconnect", () => process.exit());
