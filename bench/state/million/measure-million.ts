import { startHost } from "../../peers/start-host.ts";
import { agentsIn, type PartOptions } from "../../support/part-options.ts";
import { ProcessGroup } from "../../support/process-group.ts";
import { residentBytes } from "../../support/process-usage.ts";
import { programCommand, thisNode } from "../../support/project.ts";
import { writeResults } from "../../support/results-file.ts";
import { makeStore } from "../calls/kept.ts";

/** Live agents at a time. */
const cap = 10_000;
/** After the first pass one agent in 50 is called once more. */
const checkedOf = 50;
const stretches = 10;

/** Agents without the option; they take about a minute. */
const usualAgents = 300_000;

/** Passes `--agents` persistent agents through a cap of 10,000, and checks their states. Prints heap and rate on the way. */
export async function measureMillion(options: PartOptions): Promise<void> {
  const agents = agentsIn(options, usualAgents);
  const group = new ProcessGroup("a million agents");
  const store = await makeStore("sqlite-normal");
  try {
    const address = await startHost(group, "troupe", store.flags);
    const [, ...program] = programCommand(import.meta, "worker", address, String(cap));
    const worker = group.start("worker", [thisNode[0] ?? "", "--expose-gc", ...program]);
    await worker.next("ready");
    const caller = group.start("caller", programCommand(import.meta, "caller", address));
    await caller.next("ready");
    const points: object[] = [];
    let wrong = 0;
    const pass = async (from: number, to: number, step: number, total: number): Promise<void> => {
      caller.send({ from, to, step, total });
      const called = await caller.next("called");
      worker.send({});
      const heapMiB = Number((await worker.next("heap")).bytes) / 1024 ** 2;
      const hostMiB = (residentBytes(group.get("host").pid ?? 0) ?? Number.NaN) / 1024 ** 2;
      wrong += Number(called.wrong);
      const point = { agents: to, total, perSecond: Math.round(Number(called.perSecond)) };
      points.push({ ...point, workerHeapMiB: round(heapMiB), hostRssMiB: round(hostMiB) });
      console.log(JSON.stringify(points.at(-1)));
    };
    const stretch = Math.ceil(agents / stretches);
    for (let from = 0; from < agents; from += stretch) await pass(from, Math.min(agents, from + stretch), 1, 1);
    await pass(0, agents, checkedOf, 2);
    console.log(`agents with a wrong total: ${wrong}`);
    console.log(`figures: ${writeResults("state-million", { figures: { agents, cap, wrong, points } })}`);
    if (wrong > 0) process.exitCode = 1;
  } finally {
    await group.stop();
    await store.remove();
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
