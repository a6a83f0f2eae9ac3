import type { CallReport } from "../support/load/call-ledger.ts";
import { type Admitted, admittedLosses, uncounted } from "./lost-events.ts";
import type { Bustle, SoakWorld } from "./soak-world.ts";

/** Prints each check as it is made, and ends with `N passed, N failed, N skipped`. */
export class Verdict {
  #passed = 0;
  #failed = 0;

  /** Fails with the problems, if there are any. */
  check(what: string, problems: readonly string[]): void {
    if (problems.length === 0) {
      this.#passed++;
      console.log(`ok      ${what}`);
    } else {
      this.#failed++;
      console.log(`FAILED  ${what}: ${problems.join("; ")}`);
    }
  }

  close(): number {
    console.log(`${this.#passed} passed, ${this.#failed} failed, 0 skipped`);
    return this.#failed === 0 ? 0 : 1;
  }
}

/** Every call of the residents and travellers has one outcome, and those between residents are answered. */
export function checkCalls(world: SoakWorld, verdict: Verdict): CallReport {
  const workers = [...world.residents, ...world.travellers.map(({ worker }) => worker)];
  const sure = sum(workers.map(({ sureCalls }) => sureCalls.report()));
  const all = sum(workers.flatMap(({ sureCalls, riskyCalls }) => [sureCalls.report(), riskyCalls.report()]));
  const failures = Object.values(all.failed).reduce((total, count) => total + count, 0);
  verdict.check("every call has exactly one outcome", [
    ...(all.open === 0 ? [] : [`${all.open} calls are open`]),
    ...(all.started === all.answered + failures ? [] : [`${JSON.stringify(all)} does not add up`]),
    ...all.wrong,
    ...workers.filter(({ runtime }) => runtime.pendingCallsCount > 0).map(({ name }) => `${name} has calls pending`),
  ]);
  verdict.check(
    "calls between workers that nobody disturbs are all answered",
    Object.keys(sure.failed).length === 0 ? [] : [JSON.stringify(sure.failed)],
  );
  return all;
}

/**
 * Events: taken = delivered + lost where a connection was cut, nothing else is missing, and the host or a worker has counted
 * what is: as lost, or as in doubt.
 */
export function checkEvents({ books, ...world }: SoakWorld, bustles: readonly Bustle[], verdict: Verdict): Admitted {
  const report = books.report();
  const workers = [...world.residents, ...world.travellers.map(({ worker }) => worker)];
  const missing = report.expected - report.delivered;
  verdict.check("every event is delivered once and in order, but for those on connections that were cut", [
    ...(report.unexplained === 0 ? [] : [`${report.unexplained} events are missing without a reason`]),
    ...(missing === report.lostAtCuts + report.unexplained ? [] : [`${JSON.stringify(report)} does not add up`]),
    ...report.wrong,
  ]);
  const named = workers.map(({ name, runtime }) => ({ name, counts: runtime.counters() }));
  const visitors = bustles.flatMap(({ visitors }) => visitors.losers);
  const admitted = admittedLosses(world.host.counters(), [...named, ...visitors]);
  verdict.check(
    "every event that is missing was counted by the host or a worker, as lost or as in doubt",
    uncounted(report, admitted, world.residents.length),
  );
  verdict.check(
    "workers that nobody disturbs lose nothing",
    world.residents
      .filter(({ name }) => admitted.bySender[name] !== 0)
      .map(({ name }) => `${name} has counted ${admitted.bySender[name]}`),
  );
  verdict.check(
    "whatever is refused is refused with a typed error",
    workers.flatMap(({ untypedErrors }) => untypedErrors.map(String)).slice(0, 5),
  );
  verdict.check("visitors come and go in order", bustles.flatMap(({ visitors }) => visitors.problems).slice(0, 5));
  return admitted;
}

function sum(reports: readonly CallReport[]): CallReport {
  const failed: Record<string, number> = {};
  for (const report of reports) {
    for (const [code, count] of Object.entries(report.failed)) failed[code] = (failed[code] ?? 0) + count;
  }
  const total = (of: (report: CallReport) => number) => reports.reduce((so, report) => so + of(report), 0);
  return {
    started: total(({ started }) => started),
    open: total(({ open }) => open),
    answered: total(({ answered }) => answered),
    failed,
    wrong: reports.flatMap(({ wrong }) => wrong).slice(0, 10),
  };
}
