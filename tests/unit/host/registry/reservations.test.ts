import { expect, it } from "vitest";
import { Reservations } from "../../../../src/host/registry/reservations.ts";

function client(id: string, name?: string) {
  return { id, principal: name === undefined ? undefined : { name } };
}

/** Adds clients, each with one entry; returns the ids of those that go. */
function gone(reservations: Reservations<ReturnType<typeof client>>, clients: readonly ReturnType<typeof client>[]) {
  return clients.flatMap((one) => {
    reservations.add(one, 1);
    const surplus = reservations.surplus();
    if (surplus === undefined) return [];
    reservations.remove(surplus);
    return [surplus.id];
  });
}

it("the oldest of all goes where all clients are anonymous", () => {
  const reservations = new Reservations<ReturnType<typeof client>>({ maxClients: 2, maxEntries: 100 });
  expect(gone(reservations, [client("1"), client("2"), client("3"), client("4")])).toEqual(["1", "2"]);
  expect(reservations.all().map(({ id }) => id)).toEqual(["3", "4"]);
});

it("the oldest goes of the address that has most where all are anonymous, however long others have been there", () => {
  const reservations = new Reservations<ReturnType<typeof client>>({ maxClients: 3, maxEntries: 100 });
  reservations.add(client("a"), 1, "10.0.0.1");
  const left: string[] = [];
  for (const id of ["1", "2", "3", "4"]) {
    reservations.add(client(id), 1, "10.0.0.2");
    const surplus = reservations.surplus();
    if (surplus === undefined) continue;
    reservations.remove(surplus);
    left.push(surplus.id);
  }
  expect(left).toEqual(["1", "2"]);
});

it("the oldest goes of the principal that has most, however long others have been there", () => {
  const reservations = new Reservations<ReturnType<typeof client>>({ maxClients: 3, maxEntries: 100 });
  const clients = [client("a", "A"), ...["1", "2", "3", "4"].map((id) => client(id, "B"))];
  expect(gone(reservations, clients)).toEqual(["1", "2"]);
  expect(reservations.all().map(({ id }) => id)).toEqual(["a", "3", "4"]);
});

it("beyond the bound of entries the oldest goes of the principal that has most entries", () => {
  const reservations = new Reservations<ReturnType<typeof client>>({ maxClients: 100, maxEntries: 10 });
  for (const id of ["1", "2", "3"]) reservations.add(client(id, "A"), 1);
  const big = client("big", "B");
  reservations.add(big, 8);
  expect(reservations.surplus()).toBe(big);
  reservations.remove(big);
  reservations.remove(big);
  expect(reservations.surplus()).toBeUndefined();
  expect(reservations.size).toBe(3);
});
