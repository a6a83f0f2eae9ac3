// `npm run soak [-- --seconds 600 --seed 1]`: a host, workers and gRPC between them at a steady rate of calls, events, cut
// connections and workers that come and go. At the end nothing may have grown, and every message is accounted for.
import process from "node:process";
import { parseArgs } from "node:util";
import { fact, mebibytes } from "../support/load/facts.ts";
import { LiveTimers } from "./live-timers.ts";
import { Bustle, endWorld, type SoakWorld, startWorld } from "./soak-world.ts";
import { checkCalls, checkEvents, Verdict } from "./verdict.ts";
import { activeResources, compareSigns, quietest, tablesOf, takeVitalSigns, type VitalSigns } from "./vital-signs.ts";
import { settled, within } from "./waiting.ts";

const { values } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } });
const seconds = Number(values.seconds ?? 600);
const seed = Number(values.seed ?? 1);
if (!(seconds >= 10) || !Number.isSafeInteger(seed)) {
  console.error("usage: npm run soak -- --seconds <10 or more> --seed <a whole number>");
  process.exit(64);
}
/** A part of the time warms up what grows once: compiled code, pools, the first of everything. */
const warmUpSeconds = Math.max(5, seconds / 6);
const patienceMs = 30_000;

const verdict = new Verdict();
const timers = new LiveTimers();
const before = activeResources();
const world = await startWorld();
const tables = () => tablesOf(world, timers);
const atRest = await quietest(tables);
const warmUp = await bustle(seed, 0, warmUpSeconds);
const begin = await rest("after the warm-up");
const main = await bustle(seed + 1, warmUp.visitors.count, seconds - warmUpSeconds);
const end = await rest("at the end");

const calls = checkCalls(world, verdict);
const admitted = checkEvents(world, [warmUp, main], verdict);
verdict.check("heap, RSS, resources and tables are where they were", compareSigns(begin, end));
verdict.check(
  "books of events are no longer than they were",
  world.books.size > 200 ? [`${world.books.size} entries`] : [],
);
tellFacts(calls);

await endWorld(world);
await settled(() => same(activeResources(), before), patienceMs);
const after = await takeVitalSigns(() => quietest(tables));
verdict.check("when all have gone, nothing is left", [
  ...compareSigns({ ...after, resources: before }, after),
  ...Object.entries(after.tables)
    .filter(([, size]) => size !== 0)
    .map(([name, size]) => `${size} ${name}`),
]);
process.exitCode = verdict.close();

async function bustle(itsSeed: number, firstVisitor: number, forSeconds: number): Promise<Bustle> {
  const running = new Bustle(world, itsSeed, firstVisitor);
  await new Promise((resolve) => setTimeout(resolve, forSeconds * 1_000));
  await within(patienceMs, "all that was begun comes to its end", running.stop(world), () => describe(world));
  return running;
}

/** What is held while nothing happens. */
async function rest(when: string): Promise<VitalSigns> {
  const isAtRest = () => Object.entries(tables()).every(([name, size]) => size <= (atRest[name] ?? 0));
  await settled(isAtRest, patienceMs);
  const signs = await takeVitalSigns(() => quietest(tables));
  const { heapBytes, rssBytes, resources } = signs;
  fact(
    when,
    `heap ${mebibytes(heapBytes)}, RSS ${mebibytes(rssBytes)}, ${JSON.stringify({ ...resources, ...signs.tables })}`,
  );
  return signs;
}

function tellFacts(report: ReturnType<typeof checkCalls>): void {
  const bustles = [warmUp, main];
  const total = (of: (each: Bustle) => number) => bustles.reduce((sum, each) => sum + of(each), 0);
  const events = world.books.report();
  const counters = world.host.counters();
  const workers = [...world.residents, ...world.travellers.map(({ worker }) => worker)];
  const seen = total(({ visitors }) => visitors.calls.started);
  fact("time and seed", `${seconds} s, seed ${seed}`);
  fact(
    "calls",
    `${report.started} = ${report.answered} answered + ${JSON.stringify(report.failed)}; of visitors ${seen}`,
  );
  fact(
    "events, times their readers",
    `${events.expected} = ${events.delivered} delivered + ${events.lostAtCuts} lost at cuts + ${events.unexplained} unexplained; ${events.refused} refused`,
  );
  const { lost, inDoubt, unread } = admitted.byHost;
  const sent = Object.entries(admitted.bySender).filter(([, count]) => count > 0);
  fact("events lost at cuts", JSON.stringify(events.lostBy));
  fact(
    "counted for them, at most as many may be missing",
    `by the host ${lost} lost, ${inDoubt} in doubt, ${unread} not read; by readers ${admitted.byReaders}; by senders, for each of ${world.residents.length} readers, ${JSON.stringify(Object.fromEntries(sent))}`,
  );
  fact("counted by the host", JSON.stringify(counters));
  fact("counted by the workers", JSON.stringify(workers.map(({ name, runtime }) => ({ name, ...runtime.counters() }))));
  fact("said by host and workers", world.log.lines.join(" | "));
  fact("reconnects", String(total(({ cuts }) => cuts.reconnects)));
  fact("workers that came and went", String(main.visitors.count));
  fact("faults", JSON.stringify(world.travellers.map(({ proxy }) => proxy.counters().faults)));
}

function describe({ books, residents, travellers, host }: SoakWorld): string {
  const open = [...residents, ...travellers.map(({ worker }) => worker)].map(
    ({ name, sureCalls, riskyCalls }) => `${name}: ${sureCalls.report().open} + ${riskyCalls.report().open} calls open`,
  );
  return JSON.stringify({ open, events: books.report(), settled: books.isSettled, host: host.counters() }, null, 2);
}

function same(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
