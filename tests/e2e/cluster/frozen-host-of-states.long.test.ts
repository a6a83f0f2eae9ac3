import { expect, it } from "vitest";
import { parseEpoch } from "../../../src/core/internal.ts";
import { openPostgresStore } from "../../../src/storage/postgres/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { RawStates } from "../../support/raw-states.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { StateCluster, stateClusterAbsence } from "../../support/state-cluster.ts";

const absence = stateClusterAbsence();
const json = "application/json";
const stateOf = (total: number) => ({
  ...{ at: "put", schemaVersion: 1, contentType: json, data: new TextEncoder().encode(JSON.stringify({ total })) },
});

/** A worker of Troupe's that shares `account`, keeps its states at a host, and does nothing by itself. */
async function serve(address: string, name: string) {
  const metadata = { agcaps: "states,claims,lease", agworker: `worker-${name}`, agsession: "1" };
  const worker = await new RawWorker(grpcDialer().dial(address), name, { isAnnounced: true, metadata }).join();
  while ((await worker.register("account", { agshared: "1" }).catch((error: unknown) => error)) instanceof Error)
    await nextTurn();
  return { worker, states: new RawStates(worker.link, name) };
}

/** The next call that a worker gets, past notices of its host. */
async function nextRequest(worker: RawWorker) {
  for (;;) {
    const frame = await worker.next();
    if (frame.kind === "request") return frame;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

it.skipIf(absence)(
  "a host that was frozen beyond its lease writes nothing more of an agent that another worker has by then",
  { timeout: 120_000 },
  async () => {
    await using cluster = await StateCluster.start(2, "--lease-ms", "3000", "--worker-lease-ms", "1000");
    const [one, two] = cluster.hosts;
    if (one === undefined || two === undefined) throw new Error("unreachable");
    const store = await openPostgresStore(cluster.state, { writers: "many" });
    const first = await serve(one.address, "A");
    const caller = await new RawWorker(grpcDialer().dial(two.address), "C").join();
    /** Calls the account until a worker is asked; resolves to the epoch that it is told. */
    const reached = async ({ worker }: typeof first) => {
      const asked = nextRequest(worker);
      for (let number = 0; ; number += 1) {
        caller.request(String(number), "account/k");
        const request = await Promise.race([asked, caller.nextResponse().then(() => undefined)]);
        if (request !== undefined) return parseEpoch(request.metadata.agepoch ?? "");
      }
    };
    const older = await reached(first);
    first.states.load("account/k");
    await first.states.next();
    first.states.commit("account/k", { epoch: older, write: stateOf(1) as never });
    const { outcome } = await first.states.next();
    if (outcome.at !== "committed") throw new Error(outcome.at);
    const second = await serve(two.address, "B");

    one.program.signal("SIGSTOP");
    // It is on its way while the host stands still.
    const expected = { at: "version", eTag: outcome.eTag } as const;
    first.states.commit("account/k", { epoch: older, expected, write: stateOf(100) as never });
    const newer = await reached(second);
    second.states.send({
      ...{ kind: "load", seq: 1, unless: undefined },
      agent: { type: "account", key: "k" },
      epoch: newer,
    });
    expect((await second.states.next()).outcome).toMatchObject({ at: "record", record: { eTag: outcome.eTag } });
    one.program.signal("SIGCONT");
    // The host answers it as stale, unless it ends the stream before it has read it.
    const late = await Promise.race([first.states.next().then((answer) => answer.outcome.at), first.states.ended]);
    expect(late).not.toBe("committed");
    second.states.commit("account/k", { epoch: newer, expected, write: stateOf(2) as never });
    expect((await second.states.next()).outcome.at).toBe("committed");
    const record = await store.load({ type: "account", key: "k" });
    await store.close();
    expect(record).toMatchObject({ epoch: newer });
    expect(new TextDecoder().decode((record as { readonly data: Uint8Array }).data)).toBe('{"total":2}');
  },
);
