import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { noBrowser, startBrowser } from "../../support/page/browser.ts";
import { axeFindings, goTo, openPage } from "../../support/page/open-page.ts";
import { PageWorld } from "../../support/page/page-world.ts";
import { tracesGoOn } from "../../support/page/traced.ts";

// On a loaded machine the browser takes long for what takes milliseconds here.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let browser: Browser;

tracesGoOn();

beforeAll(async () => {
  if (noBrowser === undefined) browser = await startBrowser();
});

afterAll(async () => browser?.close());

describe("the page sends", () => {
  beforeEach((context) => {
    if (noBrowser !== undefined) context.skip(noBrowser);
  });

  test.each(["light", "dark"] as const)(
    "a call from a form of the message's own schema, and shows its answer and story (%s)",
    async (colours) => {
      await using world = await PageWorld.open();
      await using opened = await openPage(browser, world.url, { colours });
      const { page, troubles } = opened;
      await page.goto(`${world.url}#/agents/quick/7`);
      await page.getByRole("link", { name: "Send a message" }).click();
      await page.getByRole("heading", { name: "Send", level: 1 }).waitFor();
      await page.getByRole("button", { name: "PageQuote" }).click();
      const form = page.getByRole("group", { name: "PageQuote" });
      await form.getByLabel("item").fill("bolts <b>");
      await form.getByLabel("count").fill("4");
      await form.getByLabel("colour").selectOption("blue");
      await form.getByRole("group", { name: "to (optional)" }).getByLabel("street").fill("Rua Augusta");
      await form.getByRole("button", { name: "Add to tags" }).click();
      await form.getByRole("textbox", { name: "tags 1" }).fill("soon");
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole("button", { name: "Call", exact: true }).click();
      const answer = page.getByRole("region", { name: "Answer" });
      await answer.getByText("amount: 8").waitFor();
      for (const line of ['"4 blue bolts <b>"', '"Rua Augusta"', '"soon"']) await answer.getByText(line).waitFor();
      expect(await axeFindings(page)).toEqual([]);
      await page.getByRole("link", { name: "The story of this message" }).click();
      await page.getByRole("row", { name: /^Depth 0: quick\/7 .* answered/ }).waitFor();
      await page.goBack();
      await page.getByRole("link", { name: "← quick/7" }).waitFor();
      expect(troubles).toEqual([]);
    },
  );

  test("says which field is wrong, shows typed errors, ends a call that takes long, and takes JSON", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await goTo(page, "Send");
    await page.getByLabel("Agent type").fill("quick");
    await page.getByRole("button", { name: "PageQuote" }).click();
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("alert").getByText("count needs a number.").waitFor();
    await page.getByRole("button", { name: "Write JSON" }).click();
    await page.getByLabel("The message, as JSON").fill('{"item":"nuts","count":100,"colour":"red"}');
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByRole("alert").getByText("there are not so many (handler-failed)").waitFor();
    await page.getByRole("button", { name: "Fill in a form" }).click();
    await page.getByLabel("count").fill("2");
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByText("amount: 4").waitFor();
    await page.getByLabel("Message type").fill("");
    // The only call of its agents.
    await page.getByLabel("Agent type").fill("slow");
    await page.getByRole("group", { name: "PageWait" }).waitFor();
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page.getByText("Waiting for the answer").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Cancelled.").waitFor();
    await page.getByLabel("Agent type").fill("nobody");
    await page.getByText("No worker serves the agent type nobody.").waitFor();
    await page.getByRole("button", { name: "Call", exact: true }).click();
    await page
      .getByRole("alert")
      .getByText(/Start a worker that serves the type.* \(undeliverable\)/)
      .waitFor();
  });

  test("an event to a topic, offers the messages of its subscribers, and says to how many it went", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page, troubles } = opened;
    await goTo(page, "Send");
    await page.getByLabel("Publish an event").check();
    await page.getByLabel("Topic type").fill("stock");
    await page.getByLabel("Topic source").fill("lisbon");
    // The only event that its subscribers declare.
    await page.getByRole("group", { name: "PageStocked" }).getByLabel("item").fill("bolts");
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("The event went to 1 worker.").waitFor();
    await page.getByRole("link", { name: "The story of this message" }).click();
    await page.getByRole("row", { name: /^Depth 0: event stock .* delivered/ }).waitFor();
    await goTo(page, "Send");
    await page.getByLabel("Publish an event").check();
    await page.getByLabel("Topic type").fill("nowhere");
    await page.getByLabel("Topic source").fill("lisbon");
    await page.getByLabel("Message type").fill("Any");
    await page.getByText("No worker that subscribes to this topic").waitFor();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("No worker has a subscription to this topic").waitFor();
    expect(troubles).toEqual([]);
  });

  test("nothing without the right, and says which rule is missing", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    const why = 'Not authorized to call this agent type. The rule "no calls" of this host denies it. Ask its operator.';
    await page.route("**/v1/permission*", (route) => route.fulfill({ json: { isAllowed: false, why } }));
    await goTo(page, "Send");
    await page.getByLabel("Agent type").fill("quick");
    await page.getByRole("alert").getByText(why).waitFor();
    expect(await page.getByRole("button", { name: "Call", exact: true }).isDisabled()).toBe(true);
  });
});
