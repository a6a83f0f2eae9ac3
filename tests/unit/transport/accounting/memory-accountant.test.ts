import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../src/testing/index.ts";
import {
  createMemoryAccountant,
  createUncountedAccount,
} from "../../../../src/transport/accounting/fair-accountant.ts";
import type { MemoryAccount } from "../../../../src/transport/accounting/memory-account.ts";
import { partyOf } from "../../../../src/transport/accounting/party-of.ts";

const total = 1_000_000;

function setUp(maxBytes = total) {
  const gone: string[] = [];
  const accountant = createMemoryAccountant({ maxBytes, onGaveWay: ({ name }) => gone.push(name) });
  const open = (name: string, party = name, own?: number): MemoryAccount =>
    accountant.openAccount({
      ...{ party, name: `connection ${name}`, giveWay: () => undefined, maxBytesName: "maxHeldBytes" },
      ...(own === undefined ? {} : { maxBytes: own }),
    });
  return { accountant, open, gone };
}

/** Takes until it is refused. */
function fill(account: MemoryAccount, step = 1_000): number {
  while (account.take(step));
  return account.held;
}

describe("what one may hold", () => {
  it("is half of the total for one account", () => {
    const { open } = setUp();
    expect(fill(open("a"))).toBe(total / 2);
  });

  it("is what is free: three who take all they can leave as much for a fourth", () => {
    const { accountant, open } = setUp();
    for (const name of ["a", "b", "c"]) fill(open(name));
    const free = total - accountant.heldBytes;
    expect(free).toBeGreaterThan(total / 10);
    expect(open("d").take(free)).toBe(true);
  });

  it("is two thirds of the total for all accounts of one address", () => {
    const { accountant, open, gone } = setUp();
    const crowd = Array.from({ length: 50 }, (_, nr) => open(`${nr}`, "10.0.0.7"));
    for (let round = 0; round < 100; round += 1) for (const account of crowd) account.take(1_000);
    expect(accountant.heldBytes).toBeLessThanOrEqual((2 * total) / 3 + 1_000);
    const before = gone.length;
    expect(open("other", "10.0.0.8").take(total / 4)).toBe(true);
    expect(gone).toHaveLength(before);
  });

  it("is its own bound, if that is less, and the text names the option", () => {
    const { open } = setUp();
    const account = open("a", "a", 5_000);
    expect(fill(account)).toBe(5_000);
    expect(account.whyNot(1)).toBe("This connection makes the host keep 5000 bytes already, of 5000 (maxHeldBytes).");
  });

  it("is named in the text by the first word of its name, also if that is the only one", () => {
    const account = createMemoryAccountant().openAccount({ party: "a", name: "gateway", giveWay: () => undefined });
    expect(account.whyNot(1)).toContain(" 0 of them for this gateway.");
  });

  it("names the option of its own total in the text, if it has one", () => {
    const accountant = createMemoryAccountant({ maxBytes: total, optionName: "gatewayMemoryBytes" });
    const account = accountant.openAccount({ party: "a", name: "connection a", giveWay: () => undefined });
    expect(account.whyNot(1)).toContain("of 1000000 (gatewayMemoryBytes)");
  });

  it("is a little more for one who holds little, so that nobody has to give way for it", () => {
    const { open, gone } = setUp();
    const crowd = Array.from({ length: 20 }, (_, nr) => open(`${nr}`, "10.0.0.7"));
    for (let round = 0; round < 100; round += 1) for (const account of crowd) account.take(1_000);
    for (let nr = 0; nr < 30; nr += 1) expect(open(`small-${nr}`, "10.0.0.7").take(3_000)).toBe(true);
    for (const account of crowd) expect(account.take(1_000)).toBe(false);
    expect(gone).toEqual([]);
  });

  it("is more for what is urgent, and less for what is new: a crowd of connections leaves space for an answer", () => {
    const { open, gone } = setUp();
    const [first] = Array.from({ length: 500 }, () => {
      const account = open("one", "10.0.0.7");
      account.take(2_500, "opening");
      return account;
    });
    expect(open("new", "10.0.0.7").take(2_500, "opening")).toBe(false);
    expect(first?.take(1_000)).toBe(true);
    expect(first?.take(50_000)).toBe(false);
    expect(first?.take(50_000, "urgent")).toBe(true);
    expect(gone).toEqual([]);
  });
});

describe("who holds most", () => {
  it("gives way to one who holds little and finds no room, and all it held is free", () => {
    const { accountant, open, gone } = setUp();
    const hog = open("hog", "10.0.0.7");
    hog.take(400_000);
    for (let nr = 0; nr < 3; nr += 1) open(`${nr}`, "10.0.0.7").take(85_000);
    expect(open("late", "10.0.0.7").take(50_000)).toBe(true);
    expect(gone).toEqual(["connection hog"]);
    expect(hog.held).toBe(0);
    expect([accountant.gaveWay, accountant.heldBytes]).toEqual([1, 3 * 85_000 + 50_000]);
  });

  it("gives way to an answer only until the answer finds the space that urgent things may use", () => {
    const { open, gone } = setUp();
    for (let nr = 0; nr < 60; nr += 1) open(`${nr}`, "10.0.0.7").take(10_000);
    for (let nr = 0; nr < 50; nr += 1) open(`other-${nr}`, `10.0.1.${nr}`).take(8_000);
    expect(open("late", "10.0.0.7").take(2_000, "urgent")).toBe(true);
    expect(gone).toHaveLength(7);
  });

  it("does not give way to one who then holds more than half as much", () => {
    const { open, gone } = setUp();
    for (const name of ["a", "b", "c", "d"]) open(name, "10.0.0.7").take(150_000);
    const late = open("late", "10.0.0.7");
    expect(late.take(80_000)).toBe(true);
    for (let step = 0; step < 50; step += 1) late.take(1_000);
    expect(late.held).toBeLessThan(100_000);
    expect(gone).toEqual([]);
  });

  it("does not give way to one who holds about as much", () => {
    const { open, gone } = setUp();
    const [a, b] = [open("a", "10.0.0.7"), open("b", "10.0.0.7")];
    a.take(400_000);
    b.take(250_000);
    expect(b.take(100_000)).toBe(false);
    expect(b.whyNot(1_000)).toBe(
      "The host keeps 650000 bytes of 1000000 (maxMemoryBytes), 250000 of them for this connection. Try again later.",
    );
    expect(gone).toEqual([]);
  });

  it("is of the address that holds most, if the host is full", () => {
    const { accountant, open, gone } = setUp();
    open("first", "10.0.0.1").take(300_000);
    open("most", "10.0.0.2").take(200_000);
    open("more", "10.0.0.2").take(150_000);
    for (let nr = 0; nr < 6; nr += 1)
      open(`${nr}`, `10.0.1.${nr}`).take(Math.floor((total - accountant.heldBytes) / 2));
    expect(open("late", "10.0.0.9").take(10_000)).toBe(true);
    expect(gone).toEqual(["connection most"]);
  });

  it("is found for an address that holds nothing, though next to nothing is free", () => {
    const { accountant, open, gone } = setUp();
    open("most", "10.0.0.2").take(500_000);
    for (let nr = 0; nr < 8; nr += 1)
      open(`${nr}`, `10.0.1.${nr}`).take(Math.floor((total - accountant.heldBytes) / 2));
    const free = total - accountant.heldBytes;
    expect(open("late", "10.0.0.9").take(10 * free)).toBe(true);
    expect(gone).toEqual(["connection most"]);
  });
});

describe("an account", () => {
  it("counts nothing and refuses nothing after its end", () => {
    const { accountant, open } = setUp();
    const account = open("a");
    account.take(1_000);
    account.close();
    expect([account.take(10 * total), account.held, accountant.heldBytes]).toEqual([true, 0, 0]);
    account.release(500);
    expect(accountant.heldBytes).toBe(0);
    expect(createUncountedAccount().take(10 * total)).toBe(true);
  });

  it("sums up with all others whatever is taken, released and ended", () => {
    const { accountant, open } = setUp();
    const random = seededRandom(11);
    let accounts: MemoryAccount[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      const account = accounts[random.between(0, accounts.length - 1)];
      switch (random.between(0, 3)) {
        case 0:
          accounts.push(open(`${step}`, `10.0.0.${step % 7}`));
          break;
        case 1:
          account?.take(random.between(1, 50_000));
          break;
        case 2:
          account?.release(random.between(0, account.held));
          break;
        default:
          if (accounts.length > 40) accounts.shift()?.close();
      }
      const sum = accounts.reduce((bytes, { held }) => bytes + held, 0);
      if (sum !== accountant.heldBytes || sum > total) expect([step, sum]).toEqual([step, accountant.heldBytes]);
    }
    for (const account of accounts) account.close();
    accounts = [];
    expect(accountant.heldBytes).toBe(0);
  });
});

describe("the party of an address", () => {
  it.each([
    ["10.0.0.7", "10.0.0.7"],
    ["::ffff:10.0.0.7", "10.0.0.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    [undefined, "local socket"],
  ])("%s is of %s", (address, party) => {
    expect(partyOf(address)).toBe(party);
  });
});
