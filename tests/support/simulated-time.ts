import { nextTurn } from "../../src/core/internal.ts";
import { Dice, SimulatedClock } from "../../src/testing/index.ts";

/** A simulated clock of a test, which goes on only while the test waits. */
export interface SimulatedTime {
  readonly dice: Dice;
  readonly clock: SimulatedClock;
  /** Lets time pass until a promise has settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>;
}

export function simulatedTime(seed: number): SimulatedTime {
  const dice = new Dice(seed);
  const clock = new SimulatedClock(dice);
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    for (await nextTurn(); !isSettled; await nextTurn()) clock.runNext();
    return promise;
  };
  return { dice, clock, run, pass: (ms) => run(new Promise<void>((resolve) => clock.setTimer(ms, resolve))) };
}
