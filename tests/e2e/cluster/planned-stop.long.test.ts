import { describe, expect, it } from "vitest";
import { grpcDialer } from "../../../src/transport/index.ts";
import { ClusterPrograms } from "../../support/cluster-programs.ts";
import { natsAbsence } from "../../support/nats-server.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const absence = natsAbsence();

describe("a planned stop of one host of a cluster", { timeout: 120_000 }, () => {
  it("leaves no warning in the log of the others; a kill leaves one", async (context) => {
    if (absence !== undefined) return context.skip(absence);
    await using cluster = await ClusterPrograms.start();
    const [one, two, three] = [await cluster.startHost(), await cluster.startHost(), await cluster.startHost()];
    const worker = await new RawWorker(grpcDialer().dial(two.address), "W").join();
    await worker.register("echo");
    const caller = await new RawWorker(grpcDialer().dial(one.address), "C").join();
    caller.request("1", "echo/k");
    const { requestId } = await worker.nextRequest();
    worker.respond(requestId, "hello");
    await caller.nextResponse();
    expect(await two.program.stop()).toMatchObject({ code: 0 });
    await one.program.errorOutput(/"detail":"the link has ended","msg":"the link of another host has ended"/);
    three.program.signal("SIGKILL");
    await one.program.errorOutput(/"level":"warn"[^\n]*"msg":"the link to another host is lost; calls on it fail"/);
    const { stderr } = await one.program.stop();
    const warnings = stderr.split("\n").filter((line) => line.includes('"level":"warn"') && line.includes("hostId"));
    expect(warnings.map((line) => JSON.parse(line).msg)[0]).toBe("the link to another host is lost; calls on it fail");
    const lost = JSON.parse(warnings[0] ?? "{}").hostId;
    expect(warnings.every((line) => JSON.parse(line).hostId === lost)).toBe(true);
    const [ended] = stderr.split("\n").filter((line) => line.includes("the link of another host has ended"));
    expect(JSON.parse(ended ?? "{}").hostId).not.toBe(lost);
  });
});
