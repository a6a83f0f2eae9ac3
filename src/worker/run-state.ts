import { TroupeError, UndeliverableException } from "../core/internal.ts";
import type { ConnectionState } from "./connection/connection-state.ts";
import type { HostServices } from "./host-services.ts";

type State = ConnectionState<HostServices>;

// The first sentence is Python's: protocol.md §5.9.
const notRunningText = "Runtime is not running.";

/** Creates the error of a stop before the first start. */
export function nothingToStop(): TroupeError {
  return new TroupeError("wrong-state", `${notRunningText} This worker was never started: call start() first.`);
}

function startFailedText(reason: string): string {
  return `Its start failed: ${reason} Call start() again when that is mended.`;
}

/** Whether the worker is between its start and its stop in this state, and has not given up its host. */
export function isRunningIn(state: State): boolean {
  switch (state.at) {
    case "connecting":
    case "registering":
      return state.search.kind !== "start";
    case "connected":
      return true;
    case "idle":
    case "draining":
    case "closed":
      return false;
  }
}

/** Whether the worker starts: it still searches for the first host of its run. */
export function isStartingIn(state: State): boolean {
  return (state.at === "connecting" || state.at === "registering") && state.search.kind === "start";
}

/** Whether the worker can be started in this state. */
export function isIdleIn(state: State): boolean {
  return state.at === "idle" || (state.at === "closed" && state.by !== "lost");
}

/**
 * Throws unless a worker in this state can send a message now or later: `wrong-state` or `UndeliverableException`. `doing` is for
 * the text.
 */
export function assertSendingIn(state: State, doing: string): void {
  switch (state.at) {
    case "connected":
    case "registering":
    case "draining":
      return;
    case "connecting":
      if (state.search.kind !== "start") return;
      throw notRunning(doing);
    case "idle":
      throw notRunning(doing);
    case "closed":
      if (state.by === "lost") {
        const text = `${state.reason} Stop the worker and start it again.`;
        throw new UndeliverableException(text, { code: "disconnected" });
      }
      if (state.by === "start-failed") throw notRunning(doing, startFailedText(state.reason));
      throw new UndeliverableException(`Runtime must be running when ${doing}. It has been stopped.`, {
        code: "shutting-down",
      });
  }
}

function notRunning(doing: string, why = "Call start() first."): TroupeError {
  return new TroupeError("wrong-state", `Runtime must be running when ${doing}. ${why}`);
}
