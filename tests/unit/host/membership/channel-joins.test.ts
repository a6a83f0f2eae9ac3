import { describe, expect, it } from "vitest";
import { ChannelJoins, type PresentLife } from "../../../../src/host/membership/channel-joins.ts";
import { PendingAdmission } from "../../../../src/host/sessions/admission.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { type CallContext, RpcError, StatusCode } from "../../../../src/transport/internal.ts";

const nothing = (): void => undefined;
const unserved: PresentLife = { member: {} as PresentLife["member"], begun: new Promise(nothing), hasBegun: false };
const { signal } = new AbortController();
const call: CallContext = { method: "OpenChannel", metadata: { "client-id": "W" }, peer: "p", signal };

function openJoins(hold: ConstructorParameters<typeof ChannelJoins>[0]["admission"]["hold"]) {
  const clock = new ManualClock();
  const joins = new ChannelJoins({
    ...{ clock, admission: { hold }, life: () => unserved, places: { max: 10, onGaveWay: nothing } },
    ...{ onOpened: nothing, onOver: nothing },
  });
  return { clock, joins };
}

describe("a data channel that a host of a cluster refuses at once", () => {
  it("because too many wait, or because the host stops, ends no process later", () => {
    const { clock, joins } = openJoins(() => {
      throw new RpcError(StatusCode.unavailable, "The host is shutting down.");
    });
    expect(() => joins.join(call, "W", undefined)).toThrow("shutting down");
    expect(clock.pendingTimers).toBe(0);
    clock.advance(20_000);
  });

  it("because it has ended already leaves no timer", () => {
    const { clock, joins } = openJoins((_call, _principal, onEnd) => {
      onEnd();
      return new PendingAdmission("OpenChannel", onEnd, undefined);
    });
    joins.join(call, "W", undefined).cancel();
    expect(clock.pendingTimers).toBe(0);
  });
});
