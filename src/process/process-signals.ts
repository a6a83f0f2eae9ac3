import { constants } from "node:os";
import process from "node:process";
import { assertOptions, callable, listOf, type OptionKinds, optionShape } from "../core/internal.ts";

const defaultStopSignals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** Options for stopping a worker or a host at a process signal. All optional. */
export interface StopWhenSignalOptions {
  /** Process signals that stop the worker or the host. Default SIGTERM, SIGINT and SIGHUP. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** Ends the process after a second process signal; `code` is 128 plus the signal's number. Default `process.exit`. */
  readonly exit?: ((code: number) => void) | undefined;
}

export const stopWhenSignalKinds: OptionKinds<StopWhenSignalOptions> = {
  signals: listOf({
    expected: 'the name of a process signal, such as "SIGTERM"',
    accepts: (value) => typeof value === "string" && Object.hasOwn(constants.signals, value),
  }),
  exit: callable,
};
const shape = optionShape<StopWhenSignalOptions>(stopWhenSignalKinds);

/** A worker or a host that stops at a process signal. */
export interface Stoppable {
  /** Resolves when it ends by itself. Never rejects. */
  readonly ended: Promise<unknown>;
  readonly stop: () => Promise<void>;
  /** Makes a stop that runs end without waiting. */
  readonly hurry: () => void;
}

/**
 * Stops at the first process signal, or when `ended` resolves. A second process signal makes the stop end without waiting.
 * Then it ends the process, which a timer of the program may keep alive. Removes its listeners at the end.
 */
export async function stopWhenSignal(options: StopWhenSignalOptions, { ended, stop, hurry }: Stoppable): Promise<void> {
  assertOptions(options, shape, "stopWhenSignal");
  const { signals = defaultStopSignals, exit = process.exit } = options;
  await untilSignal(signals, ended);
  const stopped = stop();
  const settled = stopped.catch(() => undefined);
  const second = await untilSignal(signals, settled);
  if (second === undefined) return stopped;
  hurry();
  await settled;
  exit(128 + constants.signals[second]);
  return stopped;
}

/** Resolves to the first of these signals that the process gets, or to undefined when `given` settles first. */
async function untilSignal(
  signals: readonly NodeJS.Signals[],
  given: Promise<unknown>,
): Promise<NodeJS.Signals | undefined> {
  let onSignal: ((signal: NodeJS.Signals) => void) | undefined;
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    onSignal = resolve;
    for (const signal of signals) listen(signal, resolve);
  });
  try {
    return await Promise.race([signalled, given.then(() => undefined)]);
  } finally {
    if (onSignal !== undefined) for (const signal of signals) unlisten(signal, onSignal);
  }
}

type OnSignal = (signal: NodeJS.Signals) => void;

/** Those who wait for a process signal. Each signal has one listener however many wait: Node warns from the eleventh on. */
const waiting = new Map<NodeJS.Signals, Set<OnSignal>>();

function listen(signal: NodeJS.Signals, onSignal: OnSignal): void {
  const all = waiting.get(signal) ?? new Set();
  if (all.size === 0) process.on(signal, tellAll);
  waiting.set(signal, all.add(onSignal));
}

function unlisten(signal: NodeJS.Signals, onSignal: OnSignal): void {
  const all = waiting.get(signal);
  if (all?.delete(onSignal) !== true || all.size > 0) return;
  waiting.delete(signal);
  process.off(signal, tellAll);
}

function tellAll(signal: NodeJS.Signals): void {
  for (const onSignal of [...(waiting.get(signal) ?? [])]) onSignal(signal);
}
