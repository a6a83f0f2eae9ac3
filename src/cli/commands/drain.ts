import process from "node:process";
import { Command } from "commander";
import { type DrainReport, longestGraceMs, type WorkerRow } from "../../admin/internal.ts";
import { errorText, loggableText } from "../../core/internal.ts";
import { type AdminClient, HostGoneError } from "../admin/admin-client.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { noSuchWorker } from "../admin/no-such-worker.ts";
import { counted, type PrintFlags, print } from "../printing.ts";
import { wholeNumber } from "../whole-number.ts";
import { drainHost, textOfHostDrain } from "./drain-host.ts";

interface DrainFlags extends PrintFlags, HostChoice {
  readonly graceMs?: number;
}

/** Milliseconds between two looks at the progress, and for the answer to one. After two without an answer the command ends. */
interface Looks {
  readonly everyMs: number;
  readonly timeoutMs: number;
}

const usualLooks: Looks = { everyMs: 1_000, timeoutMs: 10_000 };
const mostUnanswered = 2;

/** The command `troupe drain`: has a worker let its agents go and stop, or a host its workers. */
export function drainCommand(): Command {
  const command = new Command("drain").description("Have a worker, or a host of a cluster, stop in order");
  command.addCommand(
    addHostChoice(
      new Command("worker")
        .description("Drain a worker, and wait until it holds no agent of a shared type any more")
        .argument("<id>", "its id; see troupe workers")
        .option("--grace-ms <ms>", "how long its agents may take (default: the host's)", wholeNumber(0, longestGraceMs))
        .option("--json", "print JSON", false),
    ).action(async (id: string, flags: DrainFlags) => {
      const client = await findHost(flags);
      const report = await drainWorker(client, id, flags);
      process.exitCode = exitCodeOf(report);
      print(flags, report, textOfDrain);
    }),
  );
  command.addCommand(
    addHostChoice(
      new Command("host")
        .description("Drain a host of a cluster: its workers go to other hosts, and it stops. Waits until it has left")
        .argument("<id|name>", "its id or its name; see troupe hosts")
        .option("--grace-ms <ms>", "how long it may take (default: 60000)", wholeNumber(0, longestGraceMs))
        .option("--json", "print JSON", false),
    ).action(async (host: string, flags: DrainFlags) => {
      const report = await drainHost(await findHost(flags), host, flags);
      process.exitCode = report.outcome === "ended" ? 0 : 1;
      print(flags, report, textOfHostDrain);
    }),
  );
  return command;
}

/** Has a host drain a worker, however long that takes. Rejects with a `HostGoneError` when the host does not answer any more. */
export async function drainWorker(
  client: AdminClient,
  id: string,
  { graceMs }: Pick<DrainFlags, "graceMs">,
  looks = usualLooks,
): Promise<DrainReport> {
  const parameters = { id, ...(graceMs === undefined ? {} : { graceMs }) };
  const progress = new Progress(client, id, looks);
  const asked = client.ask<DrainReport>("POST", "/v1/worker/drain", parameters, {
    ...{ timeoutMs: Number.POSITIVE_INFINITY, signal: progress.hostGone },
  });
  try {
    const report = await asked;
    if (report.outcome.at !== "unknown") return report;
  } finally {
    progress.stop();
  }
  throw await noSuchWorker(client, id);
}

/** Says on standard error how many agents are left, whenever that has changed. */
class Progress {
  readonly #client: AdminClient;
  readonly #id: string;
  readonly #timer: NodeJS.Timeout;
  readonly #looks: Looks;
  readonly #gone = new AbortController();
  #last = "";
  #isLooking = false;
  #unanswered = 0;

  constructor(client: AdminClient, id: string, looks: Looks) {
    this.#client = client;
    this.#id = id;
    this.#looks = looks;
    this.#timer = setInterval(() => void this.#look(), looks.everyMs);
    void this.#look();
  }

  /** Aborted when the host does not answer any more. */
  get hostGone(): AbortSignal {
    return this.#gone.signal;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#last = "stopped";
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { timeoutMs } = this.#looks;
    try {
      const asked = { id: this.#id };
      const { claims, outstanding } = await this.#client.ask<WorkerRow>("GET", "/v1/worker", asked, { timeoutMs });
      this.#unanswered = 0;
      const line = `${counted(claims, "agent")} of shared types left, ${counted(outstanding, "call")} under way`;
      if (this.#last === "stopped" || this.#last === line) return;
      this.#last = line;
      process.stderr.write(`${line}\n`);
    } catch (error) {
      // The worker or the host has gone: the answer to the drain says which, unless the host says nothing any more.
      this.#unanswered = error instanceof HostGoneError ? this.#unanswered + 1 : 0;
      if (this.#unanswered < mostUnanswered) return;
      const text = `${errorText(error)} The worker may still be drained: see troupe workers when the host answers.`;
      this.#gone.abort(new HostGoneError(text, { cause: error }));
    } finally {
      this.#isLooking = false;
    }
  }
}

function exitCodeOf({ outcome }: DrainReport): number {
  const isDone = outcome.at === "drained" ? outcome.hasAnswered && outcome.revokedAgents === 0 : outcome.at === "gone";
  return isDone ? 0 : 1;
}

/** Says the outcome of a drain. */
export function textOfDrain({ workerId, outcome }: DrainReport): string {
  const worker = loggableText(workerId);
  switch (outcome.at) {
    case "drained": {
      const { leftAgents, revokedAgents, hasAnswered } = outcome;
      const taken =
        revokedAgents === 0 ? "" : `; the time was over for ${revokedAgents} more, which the host has taken away`;
      const answer = hasAnswered
        ? "It stops when its calls have ended."
        : "It has not said that it stops: it still starts, or it hangs. Look at its log.";
      return `drained ${worker}: ${counted(leftAgents, "agent")} left it${taken}. ${answer}`;
    }
    case "gone":
      return `${worker} leaves the host or has gone: ${counted(outcome.leftAgents, "agent")} of shared types had left it, and it holds none any more`;
    case "keeps-agents":
      return `${worker} gets no new agents of shared types, and keeps those that it has: it is one of AutoGen's. Stop it when it may be missed.`;
    case "unknown":
      return `no worker ${worker}`;
  }
}
