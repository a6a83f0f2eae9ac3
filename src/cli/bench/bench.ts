import { Command, InvalidArgumentError, Option } from "commander";
import { loggableText, TroupeError } from "../../core/internal.ts";
import type { WorkerRuntime } from "../../worker/internal.ts";
import { addClientFlags, type ClientFlags, clientTlsOf } from "../client/client-flags.ts";
import { ClientError, messageFailure, openClient } from "../client/open-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { type PrintFlags, print } from "../printing.ts";
import { type Progress, progressOn } from "../progress.ts";
import { settingsHelp } from "../settings/config-flags.ts";
import { wholeNumber } from "../whole-number.ts";
import { benchPrefix, benchTopic, fewestBytes, messageOfBytes, registerEar, registerEcho } from "./bench-agents.ts";
import { type BenchReport, reportText, type Way } from "./bench-report.ts";
import { type CallRow, measureCalls } from "./call-load.ts";
import { EventCounts, type EventRow, measureEvents } from "./event-load.ts";

interface BenchFlags extends PrintFlags, ClientFlags {
  readonly seconds: number;
  readonly inFlight: readonly number[];
  readonly bytes: readonly number[];
  readonly subscribers: readonly number[];
}

/** Bounds of the loads: rows of one list, and bytes of the calls that are under way at once. */
const most = {
  rows: 8,
  inFlight: 10_000,
  bytes: 1024 * 1024,
  subscribers: 64,
  bytesUnderWay: 256 * 1024 * 1024,
} as const;

/** Milliseconds that the first call has. */
const firstMs = 30_000;

const examples = `
Examples:
  troupe bench
  troupe bench --address agents.example:443 --tls --token-file token --seconds 5
  troupe bench --in-flight 1,64,512 --bytes 256,65536 --subscribers 1,16 --json

It registers agents of its own, under random names that begin with ${benchPrefix}, and removes them at its end. Rules must allow it to register and to
call ${benchPrefix}*, and to publish and to subscribe to ${benchPrefix}*. It loads the host as much as the flags say: other workers notice it.
Callers and agents run in this one process, so that it is the limit where it is slower than the host.

Exit codes: 0 done, 1 wrong use, 2 no host, 3 refused`;

/** The command `troupe bench`: measures calls and events over a host, from where it runs. */
export function benchCommand(): Command {
  return addClientFlags(
    new Command("bench")
      .description("Measure calls and events over a host, from this machine")
      .option("--seconds <count>", "how long each row is measured", wholeNumber(1, 60), 2)
      .addOption(
        new Option("--in-flight <counts>", "calls that are under way at once, one row for each")
          .argParser(listOf(1, most.inFlight))
          .default([1, 32, 256], "1,32,256"),
      )
      .addOption(
        new Option("--bytes <sizes>", "bytes of a message, one row for each")
          .argParser(listOf(fewestBytes, most.bytes))
          .default([64, 1_024, 16_384], "64,1024,16384"),
      )
      .addOption(
        new Option("--subscribers <counts>", "workers that hear each event, one row for each; 0: measure no events")
          .argParser(listOf(0, most.subscribers))
          .default([1, 8], "1,8"),
      )
      .option("--json", "print JSON", false),
  )
    .addHelpText("after", `${examples}\n${settingsHelp("client")}`)
    .action(async (flags: BenchFlags) => {
      assertFits(flags);
      const progress = progressOn();
      try {
        const report = await measure(flags, progress);
        progress.done();
        print(flags, report, reportText);
      } finally {
        progress.done();
      }
    });
}

async function measure(flags: BenchFlags, progress: Progress): Promise<BenchReport> {
  const subscribers = flags.subscribers.filter((count) => count > 0);
  const rows = flags.bytes.length * (flags.inFlight.length + subscribers.length);
  const left = counterOf(rows, flags.seconds, progress);
  progress.say("connecting…");
  const clients: WorkerRuntime[] = [];
  try {
    const open = async (): Promise<WorkerRuntime> => {
      const client = await openClient(flags, { comesBack: true });
      clients.push(client);
      return client;
    };
    const [caller, worker] = [await open(), await open()];
    const calls = await callsOver(caller, worker, flags, left);
    const ears: WorkerRuntime[] = [worker];
    const events: EventRow[] = [];
    for (const count of subscribers) {
      while (ears.length < count) ears.push(await open());
      events.push(...(await eventsOver(caller, ears.slice(0, count), flags, left)));
    }
    return { way: await wayOf(flags, caller, worker), seconds: flags.seconds, calls, events };
  } catch (error) {
    throw error instanceof ClientError ? error : refusal(error);
  } finally {
    progress.say("leaving…");
    await Promise.allSettled(clients.map((client) => client.stop()));
  }
}

async function callsOver(
  caller: WorkerRuntime,
  worker: WorkerRuntime,
  flags: BenchFlags,
  left: () => void,
): Promise<readonly CallRow[]> {
  const { seconds } = flags;
  const echo = await registerEcho(worker);
  // What the rules do not allow is said before anything is measured.
  await caller.sendMessage(messageOfBytes(fewestBytes), echo, { timeoutMs: firstMs });
  const rows: CallRow[] = [];
  for (const bytes of flags.bytes)
    for (const inFlight of flags.inFlight) {
      left();
      rows.push(await measureCalls(caller, echo, { bytes, inFlight, seconds }));
    }
  return rows;
}

async function eventsOver(
  publisher: WorkerRuntime,
  ears: readonly WorkerRuntime[],
  flags: BenchFlags,
  left: () => void,
): Promise<readonly EventRow[]> {
  const { seconds } = flags;
  const [topic, counts] = [benchTopic(), new EventCounts()];
  for (const ear of ears) await registerEar(ear, topic, (number) => counts.heard(number));
  const rows: EventRow[] = [];
  let firstNumber = 0;
  for (const bytes of flags.bytes) {
    left();
    const load = { bytes, subscribers: ears.length, seconds };
    const { row, nextNumber } = await measureEvents(publisher, { topic, counts, firstNumber }, load);
    firstNumber = nextNumber;
    rows.push(row);
  }
  return rows;
}

/** Says at a terminal how far it is. */
function counterOf(rows: number, seconds: number, progress: Progress): () => void {
  let begun = 0;
  return () => {
    begun += 1;
    const leftSeconds = Math.ceil((rows - begun + 1) * seconds * 1.1);
    progress.say(`measuring ${begun} of ${rows}, some ${leftSeconds} s left…`);
  };
}

/** The way that the messages took. In a cluster, hosts may have sent the workers to others. */
async function wayOf(flags: ClientFlags, caller: WorkerRuntime, echo: WorkerRuntime): Promise<Way> {
  const [callerAt, echoAt] = [await hostOf(caller), await hostOf(echo)];
  const isSecure = clientTlsOf(flags) !== undefined || /^https:/.test(flags.address);
  return { address: flags.address, isEncrypted: isSecure, callerAt, echoAt };
}

/** The address of the host that a worker has now. Null: it has none. */
async function hostOf(worker: WorkerRuntime): Promise<string | null> {
  for await (const status of worker.status()) return status.at === "connected" ? status.address : null;
  return null;
}

function refusal(error: unknown): ClientError {
  const failure = TroupeError.from(error);
  if (failure.code !== "not-authorized") return messageFailure(failure);
  const advice = `Have the host's operator allow register and call for the types ${benchPrefix}*, and publish and subscribe for the topics ${benchPrefix}*.`;
  return new ClientError(failure, exitCodes.refused, `${loggableText(failure.message)} ${advice}`);
}

function assertFits({ inFlight, bytes }: BenchFlags): void {
  if (Math.max(...inFlight) * Math.max(...bytes) <= most.bytesUnderWay) return;
  const text = `--in-flight and --bytes together are more than ${most.bytesUnderWay / 1024 / 1024} MiB under way. Name smaller ones.`;
  throw new TroupeError("invalid-argument", text);
}

/** Reads numbers with commas between them. */
function listOf(from: number, to: number): (text: string) => readonly number[] {
  return (text) => {
    const parts = text.split(",");
    const numbers = parts.map((part) => (/^\d{1,8}$/.test(part) ? Number(part) : Number.NaN));
    if (parts.length <= most.rows && numbers.every((number) => number >= from && number <= to)) return numbers;
    throw new InvalidArgumentError(
      `Not whole numbers from ${from} to ${to} with commas between them, ${most.rows} at most.`,
    );
  };
}
