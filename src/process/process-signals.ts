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
 * Then it ends the process, which a timer of the program may keep alive. A third one has the effect that it has without this
 * function. Removes its listeners at the end.
 */
export async function stopWhenSignal(options: StopWhenSignalOptions, { ended, stop, hurry }: Stoppable): Promise<void> {
  assertOptions(options, shape, "stopWhenSignal");
  const { signals = defaultStopSignals, exit = process.exit } = options;
  const { next, unlisten } = listenTo(signals);
  try {
    await Promise.race([next(), ended]);
    // Without a listener, a signal that comes while `stop` begins would kill the process.
    const secondSignal = next();
    const stopped = stop();
    const settled = stopped.then(
      () => undefined,
      () => undefined,
    );
    const second = await Promise.race([secondSignal, settled]);
    if (second === undefined) return await stopped;
    unlisten();
    hurry();
    await settled;
    exit(128 + constants.signals[second]);
    return await stopped;
  } finally {
    unlisten();
  }
}

type OnSignal = (signal: NodeJS.Signals) => void;

/** Listens to process signals until `unlisten` is called. `next` resolves to the first that comes after its call. */
function listenTo(signals: readonly NodeJS.Signals[]) {
  let take: OnSignal = () => {};
  const onSignal: OnSignal = (signal) => take(signal);
  for (const signal of signals) listen(signal, onSignal);
  return {
    next: () =>
      new Promise<NodeJS.Signals>((resolve) => {
        take = resolve;
      }),
    unlisten: () => {
      for (const signal of signals) unlisten(signal, onSignal);
    },
  };
}

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
