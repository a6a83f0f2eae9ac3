import { commands, tell } from "../support/peer-commands.ts";

type Command =
  | { readonly do: "send"; readonly seconds: number; readonly inFlight: number }
  | { readonly do: "handled"; readonly count: number };

/** Messages that are sent and not handled yet, at most: no queue grows without bound. */
const mostAhead = 1_024;

/**
 * Runs a sender's process. For each command `send` it keeps `inFlight` messages under way until each is kept, for the given time. It tells how
 * many it has sent. The benchmark tells it how many were handled since the process began.
 */
export async function serveSending(send: () => Promise<unknown>): Promise<never> {
  let sent = 0;
  let handled = 0;
  let waiting: (() => void)[] = [];
  tell("ready");
  const keepSending = async (endMs: number): Promise<void> => {
    while (performance.now() < endMs) {
      if (sent - handled >= mostAhead) await new Promise<void>((resolve) => waiting.push(resolve));
      else {
        sent += 1;
        await send();
      }
    }
  };
  for await (const command of commands<Command>()) {
    if (command.do === "handled") {
      handled = command.count;
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
      continue;
    }
    const endMs = performance.now() + command.seconds * 1_000;
    // Commands that say what was handled are read meanwhile.
    void Promise.all(Array.from({ length: command.inFlight }, () => keepSending(endMs))).then(() =>
      tell("sent", { count: sent }),
    );
  }
  process.exit(0);
}
