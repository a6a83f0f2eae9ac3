import { describe, expect, test } from "vitest";
import { AskPoem } from "../../contract/gateway/world.ts";
import { openStage } from "./web-stage.ts";

const own = "http://127.0.0.1:8080";
const app = "https://app.example.com";
const stop = "/chat/poet/trip-7/stop";

/** A user who is signed in by a cookie. */
const byCookie = ({ headers }: Request) => (headers.get("cookie") === "session=1" ? { name: "ada" } : undefined);

const open = () =>
  openStage({
    authenticate: byCookie,
    origins: [app],
    expose: { poet: { messages: [AskPoem], chat: AskPoem } },
  });

describe("the cookies of a user who is signed in", () => {
  test("do not count for a page of another site, even one whose origin is listed and that needs no preflight", async () => {
    await using opened = await open();
    const ask = async (headers: Record<string, string>) =>
      (await opened.stage.ask("POST", stop, { headers: { cookie: "session=1", ...headers } })).status;
    expect(await ask({ origin: app, "sec-fetch-site": "cross-site" })).toBe(401);
    expect(await ask({ origin: app, "sec-fetch-site": "same-site" })).toBe(401);
    expect(await ask({ origin: app })).toBe(401);
    expect(await ask({ origin: own, "sec-fetch-site": "same-origin" })).toBe(204);
    // A proxy may have changed the name of the host. The browser knows the page's own.
    expect(await ask({ origin: app, "sec-fetch-site": "same-origin" })).toBe(204);
  });

  test("leave the body of such a request as it is", async () => {
    const authenticate = ({ headers }: Request) => (headers.has("cookie") ? undefined : { name: "ada" });
    await using opened = await openStage({ authenticate, origins: [app] });
    const response = await opened.stage.ask("POST", "/agents/poet/default/calls", {
      body: { type: "AskPoem", message: { topic: "sea" } },
      headers: { cookie: "session=1", origin: app },
    });
    expect(await response.json()).toEqual({ text: "on sea" });
  });

  test("do not count for a page of this host's name that the browser calls another site", async () => {
    await using opened = await open();
    const headers = { cookie: "session=1", origin: own, "sec-fetch-site": "cross-site" };
    expect((await opened.stage.ask("POST", stop, { headers })).status).toBe(403);
  });
});
