import { pause } from "./live-timers.ts";

/** Resolves when the condition holds, or when patience is over: what follows finds out and says what is wrong. */
export async function settled(holds: () => boolean, patienceMs: number): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!holds() && performance.now() < endMs) await pause(10);
}

/** Waits for something that must come; when it does not, ends the program with what is known. */
export async function within<T>(
  patienceMs: number,
  what: string,
  work: Promise<T>,
  describe: () => string,
): Promise<T> {
  const guard = setTimeout(() => {
    console.error(`it is not true that ${what} within ${patienceMs} ms:\n${describe()}\n0 passed, 1 failed, 0 skipped`);
    process.exit(1);
  }, patienceMs);
  try {
    return await work;
  } finally {
    clearTimeout(guard);
  }
}
