import type { Delivery } from "../delivery/layers.ts";
import type { WaitReports } from "../delivery/long-waits.ts";
import { deadlockText, RingWatch } from "../delivery/ring-watch.ts";
import { TroupeError } from "../errors.ts";
import { nameInPath } from "../scope/call-path.ts";

/**
 * Ends a call of each ring of calls that wait for each other in this process, with the error `deadlock`. There is no bound, since what is
 * watched is in memory already: the calls that wait.
 */
export function createRingReports(): WaitReports {
  const watch = new RingWatch<Delivery>({
    maxCalls: Number.POSITIVE_INFINITY,
    onRing: ({ context }, ring) => context.abort(new TroupeError("deadlock", deadlockText(ring))),
  });
  return {
    report: (delivery, behind) => {
      const { agentId, context } = delivery;
      const [type, key] = [nameInPath(agentId.type), nameInPath(agentId.key)];
      watch.report(delivery, { type, key, path: context.path, behind });
    },
    withdraw: (delivery) => watch.withdraw(delivery),
  };
}
