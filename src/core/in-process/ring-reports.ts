import type { Delivery } from "../delivery/layers.ts";
import type { WaitReports } from "../delivery/turns/long-waits.ts";
import { deadlockText, RingWatch } from "../delivery/turns/ring-watch.ts";
import { TroupeError } from "../errors.ts";

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
      watch.report(delivery, { path: delivery.context.path, behind });
    },
    withdraw: (delivery) => watch.withdraw(delivery),
  };
}
