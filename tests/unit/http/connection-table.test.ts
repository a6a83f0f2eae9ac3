import { Socket } from "node:net";
import { expect, test } from "vitest";
import { ConnectionTable } from "../../../src/http/connection-table.ts";
import { httpLimits } from "../../../src/http/internal.ts";

/** A table with so many connections. */
function tableOf(count: number) {
  const table = new ConnectionTable();
  const sockets = Array.from({ length: count }, () => new Socket());
  for (const socket of sockets) table.add(socket);
  return { table, sockets };
}

test("a connection beyond 64 takes the place of the oldest that has not shown the token", () => {
  const { table, sockets } = tableOf(httpLimits.connections);
  const [first, second, third] = sockets;
  if (first !== undefined) table.know(first);
  const next = new Socket();
  table.add(next);
  expect(table.size).toBe(httpLimits.connections);
  expect([first, second, third, next].map((socket) => socket?.destroyed)).toEqual([false, true, false, false]);
});

test("a connection beyond 64 is ended if all others have shown the token", () => {
  const { table, sockets } = tableOf(httpLimits.connections);
  for (const socket of sockets) table.know(socket);
  const next = new Socket();
  table.add(next);
  expect([next.destroyed, table.size, sockets.some((socket) => socket.destroyed)]).toEqual([
    ...[true, httpLimits.connections, false],
  ]);
});

test("principals that fill the table together leave places to newcomers, and the one that has most gives way", () => {
  const table = new ConnectionTable();
  const connect = (owner: string): Socket => {
    const socket = new Socket();
    table.add(socket);
    table.know(socket, owner, { isBounded: true });
    return socket;
  };
  const [small, ...others] = ["small", "greedy", "other"].flatMap((owner) =>
    Array.from({ length: owner === "small" ? 1 : httpLimits.connections / 2 }, () => connect(owner)),
  );
  expect(table.size).toBe(httpLimits.connections - httpLimits.openConnections);
  expect([small, others[0], others[31], others[32]].map((socket) => socket?.destroyed)).toEqual([
    ...[false, true, false, true],
  ]);
  const third = connect("third");
  expect([third.destroyed, small?.destroyed]).toEqual([false, false]);
  table.destroyAll();
});

test("connections that have ended leave their places to others", async () => {
  const { table, sockets } = tableOf(4);
  const [known, stranger] = sockets;
  if (known !== undefined) table.know(known);
  known?.destroy();
  stranger?.destroy();
  await expect.poll(() => table.size, { interval: 1 }).toBe(2);
  table.destroyAll();
  expect(sockets.every((socket) => socket.destroyed)).toBe(true);
  await expect.poll(() => table.size, { interval: 1 }).toBe(0);
});
