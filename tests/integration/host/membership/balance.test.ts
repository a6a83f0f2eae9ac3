import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage } from "../../../../src/core/index.ts";
import { nextTurn } from "../../../../src/core/internal.ts";
import { WorkerRuntime } from "../../../../src/worker/index.ts";
import { type ClusterHostRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { Gate } from "../../../support/gate.ts";
import { Opened } from "../../../support/opened.ts";
import { RawWorker } from "../../../support/raw-worker.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";
import { FunctionAgent } from "../../../support/worker/function-agent.ts";

const Work = defineMessage("BalancedWork", z.object({ number: z.number() }));
const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");
const { start } = memory;
const count = 6;

/** Six workers of Troupe's and a stock one at the first of two hosts, and a caller at the second one. */
async function crowded(opened: Opened, balanceWorkers: boolean) {
  const clock = new SteppedClock();
  const rig = opened.use(await start({ host: { clock }, cluster: { balanceWorkers } }));
  const long = new Gate();
  const handled: number[] = [];
  const worker = async (host: ClusterHostRig): Promise<WorkerRuntime> => {
    const runtime = new WorkerRuntime({
      ...{ dialer: rig.dialer, address: host.host.address, logger: new RecordingLogger() },
    });
    opened.use(runtime);
    runtime.addMessageSerializer(Work);
    await runtime.start();
    return runtime;
  };
  for (let at = 0; at < count; at += 1) {
    const runtime = await worker(rig.one);
    await runtime.registerFactory(
      `t${at}`,
      () =>
        new FunctionAgent(async (message) => {
          const { number } = message as { readonly number: number };
          handled.push(number);
          if (number < count) await long.opened;
          return message;
        }),
    );
  }
  const stock = await new RawWorker(rig.one.dial(), "S").join();
  const caller = await worker(rig.two);
  const call = (at: number, number: number) => caller.sendMessage(Work({ number }), new AgentId(`t${at}`, "k"));
  const workersAt = ({ host }: ClusterHostRig) => host.sessions().length;
  return { rig, clock, long, handled, stock, call, workersAt };
}

describe("a host that has many more workers than another", () => {
  it("sends some there, without a lost call, one that runs meanwhile included, and keeps stock ones", async () => {
    await using opened = new Opened();
    const { rig, clock, long, handled, stock, call, workersAt } = await crowded(opened, true);
    const running = Array.from({ length: count }, (_, at) => call(at, at));
    while (handled.length < count) await nextTurn();
    let number = count;
    const answered: unknown[] = [];
    const asked = () => rig.one.host.counters().cluster?.balancedWorkers ?? 0;
    while (asked() < 3) {
      await clock.pass(1_000);
      const calls = Array.from({ length: count }, (_, at) => call(at, number + at));
      number += count;
      answered.push(...(await Promise.all(calls)));
    }
    // What runs at the old host is answered there, long after the worker has gone.
    await clock.pass(5_000);
    long.open();
    await Promise.all(running);
    while (workersAt(rig.one) !== count + 1 - 3) await nextTurn();
    await clock.pass(60_000);
    expect(asked()).toBe(3);
    expect(rig.two.host.counters().cluster?.balancedWorkers).toBe(0);
    expect(handled.length).toBe(number);
    expect(new Set(handled).size).toBe(number);
    expect(answered.length).toBe(number - count);
    expect(rig.one.host.sessions().map(({ clientId }) => clientId)).toContain(stock.clientId);
  });

  it("keeps all of them when balanceWorkers is off", async () => {
    await using opened = new Opened();
    const { rig, clock, workersAt } = await crowded(opened, false);
    await clock.pass(120_000, 1_000);
    expect(workersAt(rig.one)).toBe(count + 1);
    expect(rig.one.host.counters().cluster?.balancedWorkers).toBe(0);
  });
});
