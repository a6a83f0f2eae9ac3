import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { createHostCounters } from "../../../../src/host/counters.ts";
import type { Authorize, HostOccurrence } from "../../../../src/host/index.ts";
import { limits } from "../../../../src/host/limits.ts";
import { Observers } from "../../../../src/host/observer.ts";
import { Admission, PendingAdmission } from "../../../../src/host/sessions/admission.ts";
import { callerCheckOf } from "../../../../src/host/sessions/caller-check.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import {
  type CallContext,
  createMemoryAccountant,
  type MemoryAccount,
  StatusCode,
} from "../../../../src/transport/index.ts";

function setUp(authorize: Authorize) {
  const clock = new ManualClock();
  const counters = createHostCounters();
  const occurrences: HostOccurrence[] = [];
  const observers = new Observers();
  observers.add((what) => void occurrences.push(what));
  const admission = new Admission({
    check: callerCheckOf({ authorize, authenticator: undefined }),
    ...{ clock, counters, logger: undefined, observers },
    places: { max: limits.pendingAdmissions, onGaveWay: () => undefined },
  });
  return { admission, clock, counters, occurrences };
}

function callOf(peer: string, requestBytes?: number): CallContext {
  return { method: "RegisterAgent", metadata: {}, peer, requestBytes, signal: new AbortController().signal };
}

function waiting(admission: Admission, peer: string, requestBytes?: number, account?: MemoryAccount): PendingAdmission {
  const admitted = admission.admit({ ...callOf(peer, requestBytes), account });
  if (!(admitted instanceof PendingAdmission)) throw new Error("It does not wait.");
  return admitted;
}

/** Accounts of connections from different addresses. */
function accounts(): (party: string) => MemoryAccount {
  const accountant = createMemoryAccountant({ maxBytes: 64 * limits.pendingRequestBytes });
  return (party) => accountant.openAccount({ party, name: "connection", giveWay: () => undefined });
}

it("asks authorize no more once its bound of waiting calls is reached, though all answers fail later", async () => {
  const answers: ((error: Error) => void)[] = [];
  const { admission, counters } = setUp(() => new Promise<never>((_resolve, reject) => answers.push(reject)));
  const all = Array.from({ length: limits.pendingAdmissions }, (_, index) => waiting(admission, `${index % 100}`));
  expect(() => admission.admit(callOf("new"))).toThrow(`${limits.pendingAdmissions} calls wait`);
  expect(answers).toHaveLength(limits.pendingAdmissions);
  expect(counters.refusedByLimit).toBe(1);
  // An outcome that has no reader must not become an unhandled rejection: vitest fails the run for one.
  for (const reject of answers) reject(new Error("no database"));
  await new Promise((resolve) => setImmediate(resolve));
  await expect(all[0]?.outcome).rejects.toMatchObject({ code: StatusCode.permissionDenied });
  expect(waiting(admission, "new")).toBeDefined();
});

it("lets one connection take only its share of the waiting calls, and gives a place back when its call ends", () => {
  const { admission, clock } = setUp(() => new Promise<never>(() => {}));
  const all = Array.from({ length: limits.pendingAdmissionsPerPeer }, () => waiting(admission, "greedy"));
  const place = expect.objectContaining({ code: StatusCode.resourceExhausted });
  expect(() => admission.admit(callOf("greedy"))).toThrow(place);
  waiting(admission, "modest");
  all[0]?.cancel();
  expect(clock.pendingTimers).toBe(all.length);
  waiting(admission, "greedy");
  expect(() => admission.admit(callOf("greedy"))).toThrow(place);
});

it("ends the wait of a call whose caller leaves, also one that has left already, and listens to it no more", async () => {
  const { admission, clock } = setUp(() => new Promise<never>(() => {}));
  for (const isEarly of [false, true]) {
    const caller = new AbortController();
    if (isEarly) caller.abort();
    const admitted = admission.admit({ ...callOf("a"), signal: caller.signal });
    caller.abort();
    await expect(admitted instanceof PendingAdmission && admitted.outcome).rejects.toMatchObject({
      code: StatusCode.cancelled,
    });
    expect(clock.pendingTimers).toBe(0);
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  }
});

it("asks no more once the wait is over: an answer, a refusal and a second answer that come later change nothing", async () => {
  let answer: (principal: { readonly name: string }) => void = () => {};
  const { admission, counters } = setUp(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const pending = waiting(admission, "a");
  pending.cancel();
  answer({ name: "" });
  await expect(pending.outcome).rejects.toMatchObject({ code: StatusCode.cancelled });
  await new Promise((resolve) => setImmediate(resolve));
  expect(counters.deniedCalls).toBe(0);
  expect(waiting(admission, "a")).toBeDefined();
});

it("lets the requests of one connection take only their share of bytes while they wait, and all together a total", () => {
  const { admission, counters, occurrences } = setUp(() => new Promise<never>(() => {}));
  const accountOf = accounts();
  const share = limits.pendingRequestBytesPerPeer;
  const place = expect.objectContaining({ code: StatusCode.resourceExhausted });
  const first = waiting(admission, "greedy", share - 1_000);
  expect(() => admission.admit(callOf("greedy", 1_001))).toThrow(place);
  expect(occurrences).toMatchObject([{ at: "limited", what: "admissions", detail: expect.stringContaining("bytes") }]);
  // A stream has no request.
  waiting(admission, "greedy");
  waiting(admission, "greedy", 1_000);
  first.cancel();
  waiting(admission, "greedy", share - 1_000);
  for (let held = 2 * share; held <= limits.pendingRequestBytes; held += share) {
    waiting(admission, `modest ${held}`, share, accountOf(`modest ${held}`));
  }
  expect(() => admission.admit(callOf("late", 1))).toThrow(place);
  expect(counters.refusedByLimit).toBe(2);
});

it("lets one request wait that is longer than the share of its connection, where no other waits there", () => {
  const { admission } = setUp(() => new Promise<never>(() => {}));
  const long = waiting(admission, "a", 2 * limits.pendingRequestBytes);
  expect(() => admission.admit(callOf("b", 1))).toThrow("Try again later");
  long.cancel();
  waiting(admission, "b", 1);
});

it("finds what waits under a client id, of one method or of all, and nothing once it is over", () => {
  const { admission } = setUp(() => new Promise<never>(() => {}));
  const metadata = { "client-id": "W" };
  const all = ["OpenChannel", "RegisterAgent"].map((method) => admission.admit({ ...callOf("a"), method, metadata }));
  expect(admission.pendingOf("W")).toHaveLength(2);
  expect(admission.pendingOf("W", "OpenChannel")).toHaveLength(1);
  for (const one of all) if (one instanceof PendingAdmission) one.cancel();
  expect(admission.pendingOf("W")).toEqual([]);
});

it.each([
  [
    "throws in its then",
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about.
      then: () => {
        throw new Error("a secret");
      },
    }),
  ],
  [
    "throws when its then is read",
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about.
      get then(): unknown {
        throw new Error("a secret");
      },
    }),
  ],
  [
    "throws when its name is read",
    () => ({
      get name(): string {
        throw new Error("a secret");
      },
    }),
  ],
])("refuses, counts as denied and keeps to itself the text of an answer that %s", async (_what, makeValue) => {
  // JavaScript's users can return anything.
  const { admission, clock, counters, occurrences } = setUp(() => makeValue() as never);
  const refused = (async () => {
    const admitted = admission.admit(callOf("a"));
    return admitted instanceof PendingAdmission ? admitted.outcome : admitted;
  })();
  const status = { code: StatusCode.permissionDenied, message: "The call could not be authorized." };
  await expect(refused).rejects.toMatchObject(status);
  expect(counters.deniedCalls).toBe(1);
  expect(occurrences).toMatchObject([{ at: "denied", reason: status.message }]);
  expect(clock.pendingTimers).toBe(0);
});

it("lets the newest of the address with most of the waiting calls give way to a call from another one", async () => {
  const { admission } = setUp(() => new Promise<never>(() => {}));
  const accountant = createMemoryAccountant();
  const callFrom = (party: string, peer: string): CallContext => ({
    ...callOf(peer),
    account: accountant.openAccount({ party, name: `connection ${peer}`, giveWay: () => undefined }),
  });
  const wait = (call: CallContext): PendingAdmission => {
    const admitted = admission.admit(call);
    if (!(admitted instanceof PendingAdmission)) throw new Error("It does not wait.");
    return admitted;
  };
  const each = limits.pendingAdmissionsPerPeer;
  const connections = Array.from({ length: limits.pendingAdmissions / each }, (_, nr) => callFrom("greedy", `${nr}`));
  const all = connections.flatMap((call) => Array.from({ length: each }, () => wait(call)));
  expect(() => admission.admit(callFrom("greedy", "new"))).toThrow("calls wait");
  const modest = wait(callFrom("modest", "modest"));
  await expect(all.at(-1)?.outcome).rejects.toMatchObject({ code: StatusCode.resourceExhausted });
  const others = [...all.slice(0, -1), modest].map(({ outcome }) => outcome);
  expect(await Promise.race([...others, Promise.resolve("all wait")])).toBe("all wait");
});

it("lets the requests of one address that wait have two thirds of all bytes, so that others find a place", () => {
  const { admission, counters } = setUp(() => new Promise<never>(() => {}));
  const accountOf = accounts();
  const [greedy, modest] = [accountOf("10.0.0.1"), accountOf("10.0.0.2")];
  const bytes = limits.pendingRequestBytesPerPeer;
  const all: PendingAdmission[] = [];
  while (counters.refusedByLimit === 0) {
    try {
      all.push(waiting(admission, `10.0.0.1:${all.length}`, bytes, greedy));
    } catch {
      // The next look at the counter ends the loop.
    }
  }
  expect(all.length * bytes).toBeLessThanOrEqual((limits.pendingRequestBytes * 3) / 4);
  waiting(admission, "10.0.0.2:1", bytes, modest);
  all[0]?.cancel();
  all[1]?.cancel();
  waiting(admission, "10.0.0.1:again", bytes, greedy);
});
