import { describe, expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock } from "../../../src/core/internal.ts";
import {
  BearerToken,
  type HttpRequest,
  type HttpRoute,
  HttpServer,
  httpLimits,
  type RequestAccount,
  tokenAdmission,
} from "../../../src/http/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { RawHttp, requestText } from "../../support/http/raw-http.ts";
import { ListenedSignals } from "../../support/listened-signals.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const token = "the-token";

/** Counts the bytes of all requests. */
class Bytes {
  held = 0;
  most = Number.POSITIVE_INFINITY;
  readonly giveWays: (() => void)[] = [];

  open(giveWay: () => void): RequestAccount {
    let own = 0;
    this.giveWays.push(giveWay);
    return {
      take: (bytes) => {
        if (this.held + bytes > this.most) return false;
        own += bytes;
        this.held += bytes;
        return true;
      },
      whyNot: (bytes) => `There is no space for ${bytes} bytes.`,
      close: () => {
        this.held -= own;
        own = 0;
      },
    };
  }
}

async function serve(
  handle: (request: HttpRequest) => Promise<unknown> = async () => ({ fine: true }),
  clock: Clock = systemClock,
) {
  const bytes = new Bytes();
  const logger = new RecordingLogger();
  const routes: HttpRoute[] = [
    { method: "GET", path: "/here", parameters: ["name"], handle },
    {
      method: "PUT",
      path: "/here",
      parameters: [],
      maxBodyBytes: 1_000,
      handle: async ({ body }) => ({ bytes: body.length }),
    },
  ];
  const server = await HttpServer.open({
    ...{ host: "127.0.0.1", port: 0, admission: tokenAdmission(new BearerToken(token)), routes, logger, clock },
    openAccount: (giveWay) => bytes.open(giveWay),
  });
  onTestFinished(() => server.close(0));
  const { port } = server.address;
  const ask = async (parts: Parameters<typeof requestText>[0]): Promise<string> => {
    const raw = await RawHttp.connect(port);
    return await raw.send(requestText({ token, headers: ["Connection: close"], ...parts })).toEnd();
  };
  return { server, port, ask, bytes, logger };
}

const statusOf = (answer: string): string => answer.split("\r\n")[0] ?? "";

describe("an HTTP server", () => {
  test("keeps nothing of the signals of requests that it has answered", async () => {
    const { ask } = await serve();
    using listened = new ListenedSignals();
    expect(statusOf(await ask({ target: "/here" }))).toBe("HTTP/1.1 200 OK");
    expect(statusOf(await ask({ target: "/nowhere" }))).toBe("HTTP/1.1 404 Not Found");
    // The answer has come before the server is done with it.
    while (listened.left > 0) await new Promise(setImmediate);
    expect(listened.seen).toBeGreaterThan(1);
  });

  test("answers JSON to whoever shows the token, over one connection several times", async () => {
    const { port } = await serve();
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/here", token }));
    const first = await raw.until(/fine/);
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(first).toMatch(/content-type: application\/json\r\n/);
    expect(first).toMatch(/cache-control: no-store\r\n/);
    raw.send(requestText({ target: "/here", token }));
    await raw.until(/fine[\s\S]*fine/);
    raw.end();
  });

  test("tells a client without the token nothing but that, and ends its connection", async () => {
    const { ask, logger } = await serve(async () => {
      throw new Error("it was asked all the same");
    });
    for (const shown of [null, "the-tokem"]) {
      for (const target of ["/here", "/nowhere", "*"]) {
        const answer = await ask({ target, token: shown, headers: [] });
        expect(statusOf(answer)).toBe("HTTP/1.1 401 Unauthorized");
        expect(answer).toMatch(/www-authenticate: Bearer\r\n/);
        expect(answer).toMatch(/content-type: application\/problem\+json\r\n/);
      }
    }
    expect(logger.texts("warn")).toHaveLength(6);
    expect(logger.texts("error")).toEqual([]);
  });

  test("says as a problem what is wrong: an unknown path, method, parameter and body", async () => {
    const { ask } = await serve();
    const unknown = await ask({ target: "/nowhere" });
    expect(statusOf(unknown)).toBe("HTTP/1.1 404 Not Found");
    const [, problem = ""] = unknown.split("\r\n\r\n");
    expect(JSON.parse(problem)).toEqual({
      ...{ type: "about:blank", title: "Not Found", status: 404, code: "not-found" },
      detail: "There is nothing at /nowhere.",
    });
    const method = await ask({ method: "DELETE", target: "/here" });
    expect(method).toMatch(/^HTTP\/1\.1 405 [\s\S]*allow: GET, PUT, HEAD\r\n/);
    expect(statusOf(await ask({ target: "/here?nam=x" }))).toMatch(/ 400 /);
    expect(statusOf(await ask({ target: "/here", body: "x" }))).toMatch(/ 400 /);
    expect(statusOf(await ask({ method: "PUT", target: "/here", body: "abc" }))).toMatch(/ 200 /);
  });

  test.each(["/../here", "/./here", "/%68ere", "//here", "/here/", "/here%00", "/here\\", "/HERE"])(
    "finds nothing at %s",
    async (target) => {
      const { ask } = await serve();
      expect(statusOf(await ask({ target }))).toBe("HTTP/1.1 404 Not Found");
    },
  );

  test("reads no more of a body than its route takes, whether its length is said or not", async () => {
    const { ask, port, bytes } = await serve();
    expect(statusOf(await ask({ method: "PUT", target: "/here", body: "x".repeat(1_001) }))).toMatch(/ 413 /);
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ method: "PUT", target: "/here", token, headers: ["Transfer-Encoding: chunked"] }));
    raw.send(`400\r\n${"x".repeat(1_024)}\r\n`);
    expect(await raw.toEnd()).toMatch(/^HTTP\/1\.1 413 /);
    const endless = await RawHttp.connect(port);
    endless.send(requestText({ method: "PUT", target: "/here", token, headers: ["Content-Length: 99999999999"] }));
    expect(await endless.toEnd()).toMatch(/^HTTP\/1\.1 413 /);
    expect(bytes.held).toBe(0);
  });

  test("counts the bytes of bodies and answers, refuses those without space, and gives all of them back", async () => {
    const { ask, bytes, port } = await serve(async () => "y".repeat(600));
    bytes.most = 500;
    expect(await ask({ method: "PUT", target: "/here", body: "x".repeat(501) })).toMatch(
      / 503 [\s\S]*no space for 501/,
    );
    expect(await ask({ target: "/here" })).toMatch(/ 503 [\s\S]*no space for 602/);
    // A body is there twice for a moment.
    bytes.most = 800;
    expect(await ask({ method: "PUT", target: "/here", body: "x".repeat(401) })).toMatch(/ 503 /);
    expect(await ask({ method: "PUT", target: "/here", body: "x".repeat(399) })).toMatch(/ 503 /);
    expect(await ask({ method: "PUT", target: "/here", body: "x".repeat(390) })).toMatch(/ 200 /);
    // It counts as it comes.
    const half = await RawHttp.connect(port);
    half.send(
      `${requestText({ method: "PUT", target: "/here", token, headers: ["Content-Length: 700"] })}${"x".repeat(300)}`,
    );
    await expect.poll(() => bytes.held, { interval: 1 }).toBe(300);
    half.end();
    await expect.poll(() => bytes.held, { interval: 1 }).toBe(0);
    bytes.most = 1_000;
    expect(statusOf(await ask({ target: "/here" }))).toMatch(/ 200 /);
    expect(bytes.held).toBe(0);
  });

  test("ends the connection of a request that has to give way", async () => {
    let asked: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { port, bytes } = await serve(({ signal }) => {
      asked();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/here", token }));
    await reached;
    bytes.giveWays.at(-1)?.();
    expect(await raw.toEnd()).toBe("");
  });

  test("ends the connection of a client that does not read its answer for 60 s", async () => {
    const clock = new ManualClock();
    const { port, bytes } = await serve(async () => "y".repeat(32 * 1024 * 1024), clock);
    const raw = await RawHttp.connect(port);
    raw.socket.pause();
    raw.send(requestText({ target: "/here", token }));
    await expect.poll(() => clock.pendingTimers, { interval: 5 }).toBeGreaterThan(0);
    clock.advance(httpLimits.answerMs - 1);
    expect(bytes.held).toBeGreaterThan(32 * 1024 * 1024);
    clock.advance(1);
    await expect.poll(() => bytes.held, { interval: 5 }).toBe(0);
    raw.end();
  });

  test("tells the handler when its client has gone", async () => {
    const [reached, told] = [new Gate(), new Gate<unknown>()];
    const { port } = await serve(({ signal }) => {
      reached.open();
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => {
          told.open(signal.reason);
          reject(signal.reason);
        }),
      );
    });
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/here", token }));
    await reached.opened;
    raw.end();
    expect(await told.opened).toMatchObject({ code: "cancelled" });
  });

  test("ends within its grace though a handler does not end", async () => {
    const reached = new Gate();
    const { server, port } = await serve(() => {
      reached.open();
      return new Gate().opened;
    });
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/here", token }));
    await reached.opened;
    await Promise.all([server.close(1), raw.closed]);
    expect(raw.text).toBe("");
  });

  test("refuses headers that are too long, and what is no HTTP", async () => {
    const { port } = await serve();
    const long = await RawHttp.connect(port);
    long.send(requestText({ target: "/here", headers: [`X: ${"x".repeat(httpLimits.headerBytes)}`] }));
    expect(await long.toEnd()).toMatch(/^HTTP\/1\.1 431 /);
    const noise = await RawHttp.connect(port);
    noise.send("\x16\x03\x01 this is TLS, perhaps\r\n\r\n");
    expect(await noise.toEnd()).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("ends a connection that sends a request before it has the answer to the last one", async () => {
    let count = 0;
    const { port } = await serve(({ signal }) => {
      count += 1;
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const raw = await RawHttp.connect(port);
    raw.send(requestText({ target: "/here", token }).repeat(100));
    await raw.closed;
    expect(count).toBe(1);
  });

  test("keeps a place for whoever has the token, however many connections others hold", async () => {
    const { server, port, ask } = await serve();
    const known = await RawHttp.connect(port);
    await known.send(requestText({ target: "/here", token })).until(/fine/);
    const strangers = [];
    for (let count = 1; count < httpLimits.connections; count += 1) strangers.push(await RawHttp.connect(port));
    expect(statusOf(await ask({ target: "/here" }))).toMatch(/ 200 /);
    expect(server.connections).toBeLessThanOrEqual(httpLimits.connections);
    await strangers[0]?.closed;
    await known.send(requestText({ target: "/here", token })).until(/fine[\s\S]*fine/);
    for (const raw of [known, ...strangers]) raw.end();
  });

  test("says nothing of an error that it did not expect, but in the log", async () => {
    const { ask, logger } = await serve(async () => {
      throw new Error("a secret path /etc/secret");
    });
    const answer = await ask({ target: "/here" });
    expect(statusOf(answer)).toMatch(/ 500 /);
    expect(answer).not.toMatch(/secret/);
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([
      { text: "a request failed", fields: { error: { message: "a secret path /etc/secret" } } },
    ]);
  });

  test("writes what was asked into the log without its control characters", async () => {
    const { ask, logger } = await serve();
    await ask({ method: "PUT", target: "/here", body: "abc" });
    expect(logger.texts("info")).toEqual(["an operator asks"]);
    const target = "/nowhere\u009b31m";
    expect(await ask({ target })).not.toContain("\u009b");
  });

  test("ends though clients keep their connections, and tells those whose request is under way", async () => {
    let asked: () => void = () => {};
    const reached = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { server, port } = await serve(({ signal }) => {
      asked();
      return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const idle = await RawHttp.connect(port);
    const half = (await RawHttp.connect(port)).send("GET /he");
    const waiting = (await RawHttp.connect(port)).send(requestText({ target: "/here", token }));
    await reached;
    await server.close(60_000);
    expect(await waiting.toEnd()).toMatch(/^HTTP\/1\.1 503 [\s\S]*The host is stopping/);
    await Promise.all([idle.closed, half.closed]);
    await server.close(0);
  });
});
