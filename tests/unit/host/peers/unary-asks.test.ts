import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import type { OutgoingLink } from "../../../../src/host/peers/links/outgoing-link.ts";
import { UnaryAsks } from "../../../../src/host/peers/unary-asks.ts";
import type { PeerUnary } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { createMemoryAccountant, StatusCode } from "../../../../src/transport/internal.ts";

function setUp() {
  const clock = new ManualClock();
  const asks = new UnaryAsks(clock);
  const accountant = createMemoryAccountant();
  const asked: PeerUnary[] = [];
  const sendUnary = (ask: PeerUnary) => {
    asked.push(ask);
    return "queued" as const;
  };
  const linkTo = () => {
    // Only these members of a link are used.
    return { sendUnary } as unknown as OutgoingLink;
  };
  const forwardedBy = (party: string, bytes = 1) => {
    const account = accountant.openAccount({ party, name: "connection", giveWay: () => undefined });
    const call = { method: "", metadata: {}, peer: party, signal: new AbortController().signal, account };
    return {
      method: "RegisterAgent",
      clientId: "W",
      principal: undefined,
      request: new Uint8Array(bytes),
      call,
    } as const;
  };
  return { clock, asks, accountant, asked, linkTo, forwardedBy };
}

const answer = {
  kind: "unary-answer",
  number: 1,
  code: 0,
  details: "",
  answer: Uint8Array.of(7),
  metadata: {},
} as const;

it("takes an answer only from the host that was asked", async () => {
  const { asks, linkTo, forwardedBy } = setUp();
  const [asked, other] = [linkTo(), linkTo()];
  const outcome = asks.ask(asked, forwardedBy("x"), 1_000);
  asks.answered(other, { ...answer, answer: Uint8Array.of(6) });
  asks.answered(asked, answer);
  expect(await outcome).toEqual(Uint8Array.of(7));
});

it("gives a caller of another host's refusal only what a header can carry", async () => {
  const { asks, linkTo, forwardedBy } = setUp();
  const link = linkTo();
  const outcome = asks.tryAsk(link, forwardedBy("x"), 1_000);
  const metadata = { agholder: "W", agholderaddress: "a\r\nb", "bad key": "v", "grpc-status": "0" };
  asks.answered(link, { ...answer, code: 3, details: "d".repeat(1_000_000), metadata });
  expect(await outcome).toMatchObject({
    status: { code: 3, details: "d".repeat(limits.errorChars), metadata: { agholder: "W" } },
  });
});

it("lets no more than two thirds of the places to callers of one address, and gives back what ends", async () => {
  const { clock, asks, accountant, asked, linkTo, forwardedBy } = setUp();
  const link = linkTo();
  const greedy = forwardedBy("10.0.0.1");
  const waiting = Array.from({ length: limits.peerUnaries }, () => asks.tryAsk(link, greedy, 1_000));
  expect(asked.length).toBe(Math.floor((limits.peerUnaries * 2) / 3) + 1);
  expect(await waiting.at(-1)).toMatchObject({ status: { code: StatusCode.resourceExhausted } });
  const modest = asks.tryAsk(link, forwardedBy("10.0.0.2"), 1_000);
  asks.answered(link, { ...answer, number: asked.at(-1)?.number ?? 0 });
  expect(await modest).toEqual(Uint8Array.of(7));
  expect(accountant.heldBytes).toBeGreaterThan(asked.length * 900);
  clock.advance(1_000);
  await Promise.all(waiting);
  expect(accountant.heldBytes).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

it("asks one host for no more than two thirds of the bytes for callers of one address, and other hosts for as many", async () => {
  const { clock, asks, asked, linkTo, forwardedBy } = setUp();
  const [link, other] = [linkTo(), linkTo()];
  const greedy = forwardedBy("10.0.0.1", limits.peerUnaryBytes / 16);
  const waiting = Array.from({ length: 16 }, () => asks.tryAsk(link, greedy, 1_000));
  expect(await waiting.at(-1)).toMatchObject({ status: { code: StatusCode.resourceExhausted } });
  const sent = asked.length;
  expect(sent).toBe(11);
  waiting.push(asks.tryAsk(link, forwardedBy("10.0.0.2", limits.peerUnaryBytes / 4), 1_000));
  waiting.push(asks.tryAsk(other, forwardedBy("10.0.0.1", 2 * limits.peerUnaryBytes), 1_000));
  expect(asked.length).toBe(sent + 2);
  clock.advance(1_000);
  await Promise.all(waiting);
  const again = asks.tryAsk(link, greedy, 1_000);
  expect(asked.length).toBe(sent + 3);
  clock.advance(1_000);
  await again;
});
