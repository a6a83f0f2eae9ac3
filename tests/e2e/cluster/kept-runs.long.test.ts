import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { describe, expect, it } from "vitest";
import { AskPoem, KeptPoet, poet, readAll } from "../../support/kept-poets.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { Opened } from "../../support/opened.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { StateCluster, stateClusterAbsence } from "../../support/state-cluster.ts";

const absence = stateClusterAbsence();
const leases = ["--lease-ms", "4000", "--worker-lease-ms", "1500"];
const lines = Array.from({ length: 30 }, (_, line) => `${line} line ${line}`);

describe.skipIf(absence)("kept runs of a cluster", { timeout: 120_000 }, () => {
  it.for(["exclusive", "shared"] as const)(
    "go on at another host when host and worker are killed: a type that is %s",
    async (how) => {
      await using cluster = await StateCluster.start(
        2,
        ...leases,
        ...(how === "shared" ? ["--shared-types", "poet"] : []),
      );
      await using opened = new Opened();
      const [first, second] = cluster.hosts;
      if (first === undefined || second === undefined) throw new Error("unreachable");
      const program = opened.use(new NodeProgram("tests/e2e/programs/poet-worker.ts", [first.address, how]));
      await program.output(/serving/);
      const caller = opened.use(new GrpcWorkerAgentRuntime(second.address, { logger: new RecordingLogger() }));
      await caller.start();
      caller.addMessageSerializer([AskPoem]);
      await caller.startRun(AskPoem({ lines: 30 }), poet, { id: "r" });
      const seen: string[] = [];
      const reading = caller.attachRun(poet, "r", { message: AskPoem }).read()[Symbol.asyncIterator]();
      const read = async (most: number) => {
        while (seen.length < most) {
          const { done, value } = await reading.next();
          if (done === true) return;
          seen.push(`${value.offset} ${value.chunk.text}`);
        }
      };
      await read(30);
      for (const one of [program, first.program]) await one.stop("SIGKILL");
      const next = opened.use(new GrpcWorkerAgentRuntime(second.address, { logger: new RecordingLogger() }));
      await next.start();
      // The type of a worker that is lost is free when its lease is over.
      const options = how === "shared" ? { shared: true } : { whenTaken: "wait" as const };
      await KeptPoet.register(next, "poet", () => new KeptPoet(), options);
      await expect(read(31)).rejects.toMatchObject({ code: "disconnected" });
      expect(seen).toEqual(lines);
      expect(await readAll(caller, "r")).toEqual([...lines, "disconnected"]);
      await caller.startRun(AskPoem({ lines: 2 }), poet, { id: "next" });
      expect(await readAll(caller, "next")).toEqual([...lines.slice(0, 2), "poem 1"]);
    },
  );
});
