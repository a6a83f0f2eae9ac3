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

/** Creates the error of a start in a state in which the worker can't start. `isDrained`: an operator has drained it at its host. */
export function alreadyRunning(state: State, { isDrained }: { readonly isDrained: boolean }): TroupeError {
  // Python's: protocol.md §5.9.
  const text = "Runtime is already running.";
  if (state.at !== "draining") return new TroupeError("wrong-state", text);
  const why = isDrained ? "An operator drained this worker at its host, and it stops." : "It stops.";
  return new TroupeError("wrong-state", `${text} ${why} Wait until closed resolves, then start it again.`);
}

/** Creates the error of a start that has not ended when an operator's drain had to stop the worker. */
export function drainedWhileStarting(cause: unknown): UndeliverableException {
  const text =
    "An operator drained this worker at its host while it started, and the operator's time was over before the start had ended. The worker has stopped. Start it again when the operator wants it back.";
  return new UndeliverableException(text, { code: "shutting-down", cause });
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
