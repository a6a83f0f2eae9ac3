import { ManualClock } from "../../../src/testing/index.ts";
import { createMemoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from "../../../src/transport/index.ts";
import type { WorkerRuntime, WorkerRuntimeOptions, WorkerStatus } from "../../../src/worker/index.ts";
import { ScriptedHost } from "./scripted-host.ts";

export interface Stage extends AsyncDisposable {
  readonly host: ScriptedHost;
  readonly clock: ManualClock;
  /** Not started. */
  readonly worker: WorkerRuntime;
}

/** A host, and a worker of it whose time the test makes pass; chance takes nothing away from delays. */
export async function openStage(
  options: Partial<WorkerRuntimeOptions> = {},
  network: MemoryNetworkOptions | MemoryNetwork = {},
): Promise<Stage> {
  const host = await new ScriptedHost(undefined, "dial" in network ? network : createMemoryNetwork(network)).listen();
  host.endsChannels = true;
  const clock = new ManualClock();
  const worker = host.newWorker({ clock, random: () => 0, keepAliveMs: 0, ...options });
  return { host, clock, worker, [Symbol.asyncDispose]: () => pass(clock, host[Symbol.asyncDispose]()) };
}

/** Lets the time of a clock pass until a promise settles, and settles as it does. */
export async function pass(clock: ManualClock, done: Promise<unknown>): Promise<void> {
  let isDone = false;
  const mark = () => {
    isDone = true;
  };
  done.then(mark, mark);
  while (!isDone) {
    await settled();
    clock.advance(1_000);
  }
  await done;
}

type At<Name extends WorkerStatus["at"]> = Extract<WorkerStatus, { readonly at: Name }>;

/** Waits until the worker is there; the present status counts. */
export async function until<Name extends WorkerStatus["at"]>(worker: WorkerRuntime, at: Name): Promise<At<Name>> {
  for await (const status of worker.status()) {
    // The name was just compared; TypeScript can't narrow by a type parameter.
    if (status.at === at) return status as At<Name>;
  }
  throw new Error(`the worker was never ${at}`);
}

export async function latest(worker: WorkerRuntime): Promise<WorkerStatus> {
  for await (const status of worker.status()) return status;
  throw new Error("there is always a status");
}

/** Settles everything that needs no time: microtasks, and what the memory link has under way. */
export async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Lets so many turns of the event loop end. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await settled();
}

/** Lets time pass in 20 steps, with turns of the event loop between them. */
export async function passMs(clock: ManualClock, ms: number): Promise<void> {
  for (let step = 0; step < 20; step += 1) {
    await turns(5);
    clock.advance(ms / 20);
  }
  await turns(5);
}

/** Lets the worker of a stage come back to its host, which was killed. */
export async function comeBack({ host, clock, worker }: Stage): Promise<void> {
  const { delayMs } = await until(worker, "waiting");
  await host.revive();
  clock.advance(delayMs);
  await until(worker, "connected");
}
