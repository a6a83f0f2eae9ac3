import { describe, expect, it } from "vitest";
import { grpcDialer } from "../../../src/transport/index.ts";
import { ClusterPrograms } from "../../support/cluster-programs.ts";
import { natsAbsence } from "../../support/nats-server.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { RawWorker, textOf } from "../../support/raw-worker.ts";

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
