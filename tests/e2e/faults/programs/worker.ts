// A worker that does what a test says: node worker.ts '<WorkerConfig as JSON>'.
import process from "node:process";
import { AgentId, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Echo, Holder, Holding, OrderedArrivals, Reader } from "../../../support/load/agents.ts";
import { CallLedger } from "../../../support/load/call-ledger.ts";
import { CallLoad } from "../../../support/load/call-load.ts";
import { Note } from "../../../support/load/messages.ts";
import { memory, serveCommands } from "./commands.ts";
import type { WorkerConfig } from "./worker-config.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as WorkerConfig;
const name = config.name ?? `worker-${process.pid}`;
const ledger = new CallLedger(name);
const holding = new Holding();
const arrivals = new OrderedArrivals();
const runtimes = await Promise.all(Array.from({ length: config.runtimes ?? 1 }, (_, at) => startRuntime(at)));
const [runtime] = runtimes;
let load: CallLoad | undefined;
let published = 0;

async function startRuntime(at: number): Promise<GrpcWorkerAgentRuntime> {
  const suffix = config.runtimes === undefined ? "" : `-${at}`;
  const made = new GrpcWorkerAgentRuntime(config.address, config.options);
  await made.start();
  for (const type of config.echoes ?? []) await Echo.register(made, type + suffix, () => new Echo());
  for (const type of config.holders ?? []) await Holder.register(made, type + suffix, () => new Holder(holding));
  for (const { type, topic } of config.readers ?? []) {
    await Reader.register(made, type + suffix, () => new Reader(arrivals));
    await made.addSubscription(new TypeSubscription(topic, type + suffix));
  }
  return made;
}

function first(): GrpcWorkerAgentRuntime {
  if (runtime === undefined) throw new Error("it runs no runtime");
  return runtime;
}

serveCommands(
  { name, pid: process.pid },
  {
    memory,
    /** Waits until its holders have taken so many calls. */
    held: (count: number) => holding.taken.reaches(count),
    /** Waits until so many handlers have been told to let go. */
    released: (count: number) => holding.released.reaches(count),
    /** Waits until its readers have had so many events. */
    arrived: (count: number) => arrivals.count.reaches(count),
    report: () => ({
      calls: ledger.report(),
      held: holding.taken.value,
      released: holding.reasons,
      events: arrivals.count.value,
      wrongEvents: arrivals.wrong.slice(0, 10),
      counts: first().counters(),
    }),
    /** Calls these agents from now on, so many calls at a time; waits for the first answer. */
    load: async ({ targets, concurrency }: { targets: string[]; concurrency: number }) => {
      load = new CallLoad({ runtime: first(), targets: targets.map(AgentId.parse), ledger, concurrency });
      await ledger.until(({ answered }) => answered > 0);
    },
    endLoad: async () => {
      await load?.stop();
      return ledger.report();
    },
    publish: async ({ topic, count, bytes }: { topic: string; count: number; bytes: number }) => {
      const text = "x".repeat(bytes);
      for (let left = count; left > 0; left--) {
        published++;
        await first().publishMessage(Note({ publisher: name, number: published, text }), new TopicId(topic, "default"));
      }
    },
    stop: () => Promise.all(runtimes.map((each) => each.stop())).then(() => undefined),
  },
);
