import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { accessRules, certificateAuthenticator } from "../../../src/security/index.ts";
import { noBrowser, startBrowser } from "../../support/page/browser.ts";
import { goTo, logIn, openPage } from "../../support/page/open-page.ts";
import { PageWorld } from "../../support/page/page-world.ts";
import { TestAuthority } from "../../support/security/authority.ts";

// On a loaded machine the browser takes long for what takes milliseconds here.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let browser: Browser;

beforeAll(async () => {
  if (noBrowser === undefined) browser = await startBrowser();
});

afterAll(async () => browser?.close());

describe("the login of the page", () => {
  beforeEach((context) => {
    if (noBrowser !== undefined) context.skip(noBrowser);
  });

  test("asks no other host of the cluster", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url, { logsIn: false });
    const { page } = opened;
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await logIn(page, "wrong");
    await page.getByRole("alert").getByText("The host does not take this token.").waitFor();
    expect(asked.filter((path) => path.startsWith("/v1/"))).toEqual(["/v1/host"]);
  });

  test("at a host that is locked by certificates takes that of the browser, and no token", async () => {
    const authority = await TestAuthority.create();
    const server = await authority.server();
    await using world = await PageWorld.open({
      ...{ host: "127.0.0.1", port: 0, tls: { ...server, ca: authority.ca, requestCert: true } },
      authenticator: certificateAuthenticator(),
      rules: accessRules([{ principal: "ada", allow: "*", types: "*", topics: "*" }]),
    });
    const origin = new URL(world.openUrl).origin;
    const opened = async (name: string) => {
      const { cert, key } = await authority.client(name);
      const pair = { origin, cert: Buffer.from(cert), key: Buffer.from(key) };
      const tls = { ignoreHTTPSErrors: true, clientCertificates: [pair] };
      const tab = await openPage(browser, world.openUrl, { logsIn: false, ...tls });
      await tab.page.getByRole("button", { name: "certificate of this browser" }).click();
      return tab;
    };
    await using ada = await opened("ada");
    await ada.page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    await goTo(ada.page, "Workers");
    await ada.page.getByText("shop-1").first().waitFor();
    // A tab that is loaded again goes on as it was.
    await ada.page.reload();
    await ada.page.getByRole("heading", { name: "Workers", level: 1 }).waitFor();
    expect(ada.troubles).toEqual([]);
    await using local = await openPage(browser, world.url, { logsIn: false });
    await local.page.getByRole("button", { name: "Log in", exact: true }).waitFor();
    expect(await local.page.getByRole("button", { name: "certificate of this browser" }).count()).toBe(0);
  });

  test("lets in a principal that may not see the host itself", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url, { logsIn: false });
    const { page } = opened;
    await page.route("**/v1/host", (route) =>
      route.fulfill({ status: 403, json: { code: "not-authorized", detail: "Not authorized to see this." } }),
    );
    await logIn(page);
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  });
});
