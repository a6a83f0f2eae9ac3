import { it } from "vitest";
import { StreamRecorder } from "../../../src/testing/contracts/link.ts";
import { testService } from "../../../src/testing/contracts/link/test-service.ts";
import { grpcListener } from "../../../src/transport/index.ts";
import { generations } from "../support/generations.ts";
import { startRawGrpc } from "../support/python-peers.ts";
it("x", async () => {
  const server = new StreamRecorder();
  const listening = await grpcListener().listen("127.0.0.1:0", [testService({ stream: () => server })]);
  await using client = await startRawGrpc(generations[0]!);
  const id = client.send({ cmd: "open", address: listening.address, gzip: true });
  await client.next("headers", { id });
  for (const body of ["01", "", "ab".repeat(3 * 1024*1024), "02"]) client.send({ cmd: "write", id, hex: body });
  await new Promise((r) => setTimeout(r, 4000));
  console.log(server.events.map((e) => e.on), JSON.stringify(client.events).slice(0, 1500), client.log);
});
