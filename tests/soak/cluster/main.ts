// `npm run soak -- --cluster [--seconds 3600] [--seed 1]`
// Three NATS servers, PostgreSQL, three hosts, and workers of Troupe's and Python's. Calls, told messages, durable events and reminders go on while
// faults happen by the seed. At the end the books balance.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { AgentId } from "troupe";
import { openPostgresStore } from "troupe/storage/postgres";
import { seededRandom } from "troupe/testing";
import { StoredVersions } from "../../e2e/faults/support/stored-versions.ts";
import { CallLedger } from "../../support/load/call-ledger.ts";
import { CallLoad } from "../../support/load/call-load.ts";
import { fact } from "../../support/load/facts.ts";
import { natsClusterAbsence } from "../../support/nats-server.ts";
import { postgresAbsence } from "../../support/postgres-server.ts";
import { Verdict } from "../verdict.ts";
import { within } from "../waiting.ts";
import { addDiaryMessages } from "./diary-load.ts";
import { HostMemory } from "./host-memory.ts";
import { SoakCluster } from "./soak-cluster.ts";
import { FaultDeck } from "./soak-faults.ts";
import { runRound } from "./soak-round.ts";

const options = { seconds: { type: "string" }, seed: { type: "string" }, cluster: { type: "boolean" } } as const;
const { values } = parseArgs({ options });
const seconds = Number(values.seconds ?? 3_600);
const seed = Number(values.seed ?? 1);
if (!(seconds >= 30) || !Number.isSafeInteger(seed)) {
  console.error("usage: npm run soak -- --cluster --seconds <30 or more> --seed <a whole number>");
  process.exit(64);
}
const python = resolve(import.meta.dirname, "../../../.venvs/gen3/bin/python");
const absence =
  natsClusterAbsence() ??
  postgresAbsence() ??
  (existsSync(python) ? undefined : `needs ${join(".venvs", "gen3")}: run node tools/interop-venvs.mjs --only gen3`);
if (absence !== undefined) {
  console.log(`the soak of a cluster ${absence}\n0 passed, 0 failed, 1 skipped`);
  process.exit(0);
}
/** No fault and its recovery take longer. */
const roundPatienceMs = 240_000;

const verdict = new Verdict();
const cluster = await SoakCluster.start();
const { caller } = cluster;
addDiaryMessages(caller);
const store = await openPostgresStore(cluster.state);
const versions = new StoredVersions(store);
const memory = new HostMemory(cluster.hosts[2]?.program ?? process.exit(1));
const ledgers = { shared: new CallLedger("to-shared"), stock: new CallLedger("to-stock") };
const loads = [
  new CallLoad({
    ...{ runtime: caller, ledger: ledgers.shared, concurrency: 4, gapMs: 20, call: { timeoutMs: 30_000 } },
    targets: Array.from({ length: 50 }, (_, at) => new AgentId("echo", `${at}`)),
  }),
  new CallLoad({
    ...{ runtime: caller, ledger: ledgers.stock, concurrency: 2, gapMs: 50, call: { timeoutMs: 5_000 } },
    targets: cluster.stockWorkers.map(({ agentType }) => new AgentId(agentType, "default")),
  }),
];

const random = seededRandom(seed);
const deck = new FaultDeck(random);
const endured = new Map<string, number>();
const failed = new Map<string, number>();
const faults: string[] = [];
let [answered, acknowledged, rounds] = [0, 0, 0];
const endMs = performance.now() + seconds * 1_000;
while (performance.now() < endMs) {
  rounds += 1;
  const fault = deck.next();
  const startedMs = performance.now();
  const what = `the round "${fault.name}" comes to its end`;
  const round = runRound(cluster, { number: rounds, fault, random });
  const outcome = await within(roundPatienceMs, what, round, describe);
  await within(roundPatienceMs, "stock workers answer again", cluster.returnStockWorkers(), describe);
  await versions.look();
  cluster.check();
  endured.set(fault.name, (endured.get(fault.name) ?? 0) + 1);
  for (const [code, count] of outcome.failed) failed.set(code, (failed.get(code) ?? 0) + count);
  faults.push(...outcome.faults.map((text) => `after "${fault.name}": ${text}`));
  answered += outcome.answered;
  acknowledged += outcome.acknowledged;
  const tookSeconds = Math.round((performance.now() - startedMs) / 1_000);
  console.log(
    `round ${rounds}: ${fault.name}: ${tookSeconds} s, ${outcome.answered} calls, ${outcome.acknowledged} told; ${outcome.faults.length} faults`,
  );
}
await Promise.all(loads.map((load) => load.stop()));
memory.stop();
const letters = await cluster.command("dead", "list", "--name", "h2", "--json");
await store.close();
await cluster[Symbol.asyncDispose]();

for (const [name, ledger] of Object.entries(ledgers)) {
  const { started, open, answered: came, wrong } = ledger.report();
  verdict.check(`every call has one outcome: ${name}`, [
    ...(open === 0 && started === came + ledger.failures ? [] : [`${started} started, ${open} open, ${came} answered`]),
    ...wrong,
  ]);
}
const { stockSums } = cluster;
verdict.check(
  "no answer to a stock worker is another's",
  stockSums.wrong === 0 ? [] : [`${stockSums.wrong} are wrong`],
);
verdict.check("no acknowledged entry, told message or durable event is lost, double or out of order", faults);
verdict.check("no revision and no epoch went back", versions.faults);
verdict.check("no program ended that was not ended", cluster.problems);
verdict.check("the memory of a host does not grow", memory.problems);
verdict.check("hosts log no unexpected errors", cluster.hostLogs.unexpected);
fact("time and seed", `${seconds} s, seed ${seed}, ${rounds} rounds`);
fact("faults", listed(endured));
fact("calls to accounts", `${answered} answered; failed: ${listed(failed)}`);
fact("told messages and durable events", `${acknowledged} acknowledged, each handled once`);
fact("calls to shared agents", JSON.stringify(ledgers.shared.report()));
fact("calls to stock workers", JSON.stringify(ledgers.stock.report()));
fact(
  "calls of stock workers",
  `${JSON.stringify(stockSums)}; those under way when their host or process ended are open`,
);
fact("dead letters", letters);
fact("memory of the host that lived on", memory.text);
fact("errors that hosts have logged", cluster.hostLogs.errors);
fact("warnings that hosts have logged", cluster.hostLogs.warnings);
process.exit(verdict.close());

function describe(): string {
  const programs = [...cluster.hosts.map(({ program }) => program), ...cluster.workers];
  return [
    ...programs.map(({ name, isRunning, lastLines }) => `${name}${isRunning ? "" : " (ended)"}: ${lastLines}`),
    ...faults,
    `errors: ${cluster.hostLogs.errors}`,
  ].join("\n");
}

function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(", ") || "none";
}
