import process from "node:process";
import { loggableText } from "../../core/internal.ts";

/** A host of the cluster that has not answered, as the admin entry tells of it. */
interface UnansweredHost {
  readonly hostId: string;
  readonly name: string;
  readonly problem: string;
}

/** An answer about all hosts of a cluster. */
export interface AnswerOfHosts {
  readonly unanswered: readonly UnansweredHost[];
}

/** Collects the hosts that have not answered, over the pages of a list. */
export class UnansweredHosts {
  readonly #hosts = new Map<string, UnansweredHost>();

  get all(): readonly UnansweredHost[] {
    return [...this.#hosts.values()];
  }

  note({ unanswered }: AnswerOfHosts): void {
    for (const host of unanswered) this.#hosts.set(host.hostId, host);
  }
}

/** What lists of subscriptions lack when a host does not answer. */
export const subscriptionsOfWorkers = "subscriptions of its workers";

interface AtHost {
  readonly host: Pick<UnansweredHost, "hostId" | "name"> | null;
}

/** The column of a table that names the hosts of rows. A host that is alone has none. */
export function hostColumn(rows: readonly AtHost[]): {
  readonly names: readonly string[];
  readonly cellsOf: (row: AtHost) => readonly string[];
} {
  if (rows.every(({ host }) => host === null)) return { names: [], cellsOf: () => [] };
  return { names: ["host"], cellsOf: ({ host }) => [host?.name || host?.hostId || "-"] };
}

/** Says which hosts of the cluster have not answered. The command fails: its output lacks `what` they have, such as "workers". */
export function sayUnanswered({ unanswered }: AnswerOfHosts, what: string): void {
  if (unanswered.length === 0) return;
  process.exitCode = 1;
  for (const { name, hostId, problem } of unanswered) {
    const host = loggableText(name || hostId);
    process.stderr.write(`The host ${host} does not answer, and ${what} may be missing: ${loggableText(problem)}\n`);
  }
}
