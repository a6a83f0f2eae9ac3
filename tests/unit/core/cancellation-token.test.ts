import { CancellationToken } from "troupe";
import { expect, test } from "vitest";

test("cancelling aborts the signal and runs the callbacks in order, once", () => {
  const token = new CancellationToken();
  const ran: string[] = [];
  token.addCallback(() => ran.push(`first, aborted: ${token.signal.aborted}`));
  token.addCallback(() => ran.push("second"));
  expect(token.isCancelled()).toBe(false);
  token.cancel("enough");
  token.cancel();
  expect(token.isCancelled()).toBe(true);
  expect(token.signal.reason).toBe("enough");
  expect(ran).toEqual(["first, aborted: true", "second"]);
});

test("a callback added after the cancelling is called at once", () => {
  const token = new CancellationToken();
  token.cancel();
  let called = false;
  token.addCallback(() => {
    called = true;
  });
  expect(called).toBe(true);
});

test("a callback that throws does not stop the others; its error is thrown when all have run", () => {
  const token = new CancellationToken();
  const ran: number[] = [];
  token.addCallback(() => {
    throw new Error("one");
  });
  token.addCallback(() => ran.push(2));
  expect(() => token.cancel()).toThrow("one");
  expect(ran).toEqual([2]);
});

test("a linked promise settles by itself, or rejects as soon as the token is cancelled", async () => {
  const token = new CancellationToken();
  const never = new Promise<number>(() => undefined);
  expect(await token.linkFuture(Promise.resolve(5))).toBe(5);
  await expect(token.linkFuture(Promise.reject(new Error("own")))).rejects.toThrow("own");
  const linked = token.linkFuture(never);
  token.cancel("enough");
  await expect(linked).rejects.toMatchObject({ name: "CancelledError", code: "cancelled", cause: "enough" });
  await expect(token.linkFuture(never)).rejects.toMatchObject({ code: "cancelled" });
});

/** A promise of a library that knows `then` alone. */
class Future {
  readonly #deliver: (resolve: () => void) => void;

  constructor(deliver: (resolve: () => void) => void) {
    this.#deliver = deliver;
  }

  // biome-ignore lint/suspicious/noThenProperty: this is what it is for
  then(resolve: (value: number) => void): void {
    this.#deliver(() => resolve(5));
  }
}

test.each([
  ["settled", new Future((resolve) => resolve())],
  ["settles later", new Future((resolve) => queueMicrotask(resolve))],
])(
  "a linked promise of another library that has no method but `then`, and %s, settles by itself",
  async (_when, future) => {
    // The parameter is a promise; code without types links what other libraries return.
    const promise = future as unknown as Promise<number>;
    expect(await new CancellationToken().linkFuture(promise)).toBe(5);
  },
);
