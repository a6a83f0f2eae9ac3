import process from "node:process";

export const defaultStopSignals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];

/** Resolves to the first of these signals that the process gets, or to undefined when `given` settles first. No listener is left behind. */
export async function untilSignal(
  signals: readonly NodeJS.Signals[],
  given: Promise<unknown>,
): Promise<NodeJS.Signals | undefined> {
  let onSignal: ((signal: NodeJS.Signals) => void) | undefined;
  const signalled = new Promise<NodeJS.Signals>((resolve) => {
    onSignal = resolve;
    for (const signal of signals) process.on(signal, resolve);
  });
  try {
    return await Promise.race([signalled, given.then(() => undefined)]);
  } finally {
    if (onSignal !== undefined) for (const signal of signals) process.off(signal, onSignal);
  }
}
