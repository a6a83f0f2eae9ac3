// Honest workers that call one another while others attack: `honest ADDRESS HOST-PID [CERTIFICATE]`.
import { setTimeout as pause } from "node:timers/promises";
import { commands, tell } from "../support/peer-commands.ts";
import { HostWork } from "./host-work.ts";
import { Newcomers } from "./newcomers.ts";
import { Probe, type ProbeReport } from "./probe.ts";
import { StockWorkers } from "./stock-workers.ts";
import { TroupeWorkers } from "./troupe-workers.ts";

/**
 * `begin`: the probes whose name contains `only` go on until `finish`, which reports. `enough`: answers when each probe has had `rounds` more, or the host has
 * worked for `workMs` more of its processor time. `mark`: the attackers leave now.
 */
export type HonestCommand =
  | { readonly do: "begin"; readonly only: string }
  | { readonly do: "enough"; readonly rounds: number; readonly workMs: number }
  | { readonly do: "mark" }
  | { readonly do: "finish" };

export interface HonestReport {
  readonly probes: readonly ProbeReport[];
  /** Processor time of the host since the beginning, in ms. */
  readonly workMs: number;
  /** Connections that honest workers lost. */
  readonly lostConnections: readonly string[];
}

const [address = "", pid = "", certificate] = process.argv.slice(2);
const hostWork = new HostWork(Number(pid));
const stock = await StockWorkers.start(address, certificate);
const troupe = await TroupeWorkers.start(address, certificate);
const newcomers = new Newcomers(address, certificate);
const all = [
  new Probe("call of a stock worker", () => stock.call(), hostWork),
  new Probe("event to a stock worker", () => stock.publish(), hostWork),
  new Probe("call of a Troupe worker", () => troupe.call(), hostWork),
  new Probe("newcomer", () => newcomers.come(), hostWork),
];
/** Between two looks at how far all is. */
const lookMs = 20;
let probes: readonly Probe[] = all;
let workBeforeMs = 0;
tell("ready");
for await (const command of commands<HonestCommand>()) {
  switch (command.do) {
    case "begin":
      probes = all.filter(({ name }) => name.includes(command.only));
      workBeforeMs = hostWork.ms();
      for (const probe of probes) probe.begin();
      tell("begun");
      break;
    case "enough": {
      const { rounds, workMs } = command;
      const goals = probes.map((probe) => ({ probe, rounds: probe.rounds + rounds }));
      const mostWorkMs = hostWork.ms() + workMs;
      while (goals.some((goal) => goal.probe.rounds < goal.rounds) && hostWork.ms() < mostWorkMs) await pause(lookMs);
      tell("enough");
      break;
    }
    case "mark":
      for (const probe of probes) probe.markLeaving();
      tell("marked");
      break;
    case "finish": {
      const reports = await Promise.all(probes.map((probe) => probe.finish()));
      tell("finished", {
        probes: reports,
        workMs: hostWork.ms() - workBeforeMs,
        lostConnections: [...stock.lost, ...troupe.lost],
      });
      break;
    }
  }
}
process.exit(0);
