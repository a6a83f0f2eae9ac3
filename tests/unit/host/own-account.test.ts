import { expect, test } from "vitest";
import { openOwnAccount } from "../../../src/host/own-account.ts";
import { createMemoryAccountant } from "../../../src/transport/internal.ts";

const total = 1_000_000;

test("what a host keeps for itself stays counted though others need the space: a client that holds much gives way", () => {
  const gone: string[] = [];
  const accountant = createMemoryAccountant({ maxBytes: total, onGaveWay: ({ name }) => gone.push(name) });
  const open = (name: string) => accountant.openAccount({ party: name, name, giveWay: () => undefined });
  const own = openOwnAccount(accountant, "kept calls");
  own.add(500_000);
  const hog = open("connection hog");
  hog.add(400_000);
  const other = open("connection other");
  other.add(90_000);
  // A newcomer finds no space by itself.
  expect(open("connection newcomer").take(20_000)).toBe(true);
  expect(gone).toEqual(["connection hog"]);
  expect([own.held, own.take(total)]).toEqual([500_000, false]);
  own.release(500_000);
  own.close();
  other.close();
  expect(accountant.heldBytes).toBe(20_000);
});

test("what a host keeps for itself is refused where nothing else can give way", () => {
  const accountant = createMemoryAccountant({ maxBytes: total });
  const own = openOwnAccount(accountant, "kept calls");
  while (own.take(1_000));
  const other = openOwnAccount(accountant, "subscriptions that other hosts are told");
  expect(other.take(total)).toBe(false);
  expect(accountant.gaveWay).toBe(0);
});
