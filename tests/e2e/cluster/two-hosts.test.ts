import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime } from "../../../src/grpc/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { ClusterPrograms } from "../../support/cluster-programs.ts";
import { Inbox } from "../../support/inbox.ts";
import { natsAbsence } from "../../support/nats-server.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { RawWorker, textOf } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Counted = defineMessage("Counted", z.object({ n: z.number() }));
const Count = defineMessage("Count", z.object({}), { answer: Counted, chunk: Counted });

const absence = natsAbsence();

describe("troupe host --cluster", { timeout: 60_000 }, () => {
  it("links two hosts, so that their workers reach each other", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using cluster = await ClusterPrograms.start();
    const one = await cluster.startHost();
    const two = await cluster.startHost();
    const target = await new RawWorker(grpcDialer().dial(two.address), "T").join();
    await target.register("echo");
    await target.subscribe("s", { kind: "type", topicType: "news", agentType: "echo" });
    const caller = await new RawWorker(grpcDialer().dial(one.address), "C").join();
    caller.request("7", "echo/k");
    const request = await target.nextRequest();
    target.respond(request.requestId, "hello");
    expect(textOf(await caller.nextResponse())).toBe("hello");
    caller.publish("news");
    expect((await target.nextEvent()).topicType).toBe("news");
    const ended = await one.program.stop();
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.stderr).toContain("persistent agents are refused");
  });

  it("streams from one host to the other, and ends the stream as disconnected when the target's host is killed", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using cluster = await ClusterPrograms.start();
    const [one, two] = [await cluster.startHost(), await cluster.startHost()];
    await using target = new GrpcWorkerAgentRuntime(two.address, { logger: new RecordingLogger() });
    await using reader = new GrpcWorkerAgentRuntime(one.address, { logger: new RecordingLogger() });
    await Promise.all([target.start(), reader.start()]);
    reader.addMessageSerializer([Count, Counted]);
    const ended = new Inbox<string>();
    class Counter extends RoutedAgent {
      static override readonly handlers = handlerTable<Counter>().rpc(Count, async function* () {
        try {
          for (let n = 0; ; n += 1) yield Counted({ n });
        } finally {
          ended.put("ended");
        }
      });
    }
    await Counter.register(target, "counter", () => new Counter("counts without end"));
    const counts: number[] = [];
    const reading = (async () => {
      for await (const { n } of reader.stream(Count({}), new AgentId("counter", "k"))) {
        counts.push(n);
        if (counts.length === 3_000) two.program.signal("SIGKILL");
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: "disconnected" });
    expect(counts.length).toBeGreaterThanOrEqual(3_000);
    expect(counts).toEqual(counts.map((_, at) => at));
    expect(await ended.take()).toBe("ended");
  });

  it("says what to do about flags that can't be, before it looks for NATS", async () => {
    const cases = [
      [["--cluster", "nats://127.0.0.1:1", "--state", "memory:"], /--state postgres:/],
      [["--cluster", "nats://127.0.0.1:1", "--allow-multiple-owners"], /Leave it out/],
      [["--peer-secret", "somewhere"], /Name its NATS servers: --cluster/],
      [
        ["--cluster", "nats://127.0.0.1:1", "--peer-secret", "no-such-file"],
        /--peer-secret no-such-file can't be read/,
      ],
    ] as const;
    for (const [flags, text] of cases) {
      await using program = new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", ...flags]);
      const ended = await program.ended;
      expect(ended.code).toBe(1);
      expect(ended.stderr).toMatch(text);
    }
  });

  it("refuses links beyond loopback without certificates and without a secret", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using cluster = await ClusterPrograms.start();
    const flags = ["host", "--address", "127.0.0.1:0", "--cluster", cluster.nats.url, "--peer-address", "0.0.0.0:0"];
    await using program = new NodeProgram("src/cli/main.ts", flags);
    const ended = await program.ended;
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/peerTls|--peer-tls/);
  });
});
