import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { operationsOf } from "../../../src/host/internal.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { EntryRig } from "../../integration/admin/admin-rig.ts";
import { clusterTransports } from "../../support/cluster-rig.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { Opened } from "../../support/opened.ts";
import { noBrowser, startBrowser } from "../../support/page/browser.ts";
import { ensurePage } from "../../support/page/ensure-page.ts";
import { axeFindings, goTo, logIn, MainThread, openPage } from "../../support/page/open-page.ts";
import { Add, boss, PageWorld, Plan, Quick, Remind, Shopper, Wait } from "../../support/page/page-world.ts";
import { tracesGoOn } from "../../support/page/traced.ts";
import { RawWorker } from "../../support/raw-worker.ts";

// On a loaded machine the browser takes long for what takes milliseconds here.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let browser: Browser;

tracesGoOn();

beforeAll(async () => {
  if (noBrowser === undefined) browser = await startBrowser();
});

afterAll(async () => browser?.close());

const anna = new AgentId("shopper", "anna");

test("the page is no larger than 120 KB, compressed, and its document names nothing but its own files", async () => {
  const folder = await ensurePage("build/ui");
  const assets = readdirSync(join(folder, "assets"));
  const bytes = assets.map((name) => gzipSync(readFileSync(join(folder, "assets", name))).length);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(120_000);
  const document = readFileSync(join(folder, "index.html"), "utf8");
  expect([...document.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, name]) => name?.replace("./assets/", ""))).toEqual(
    expect.arrayContaining(assets),
  );
  expect(document).not.toMatch(/https?:|<style|style=|<script(?! type="module" crossorigin src=)/);
});

test("troupe host --ui says where the page is, after its other lines, and serves it", async () => {
  await ensurePage("dist/ui");
  const args = ["host", "--address", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ui"];
  const folder = mkdtempSync(join(tmpdir(), "troupe-page-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  await using host = new NodeProgram("src/cli/main.ts", args, { cwd: folder });
  const [, admin, page = ""] = await host.output(
    /^troupe host listening on .*\ntroupe admin on (.*)\ntroupe page on (.*)\n/,
  );
  expect(page).toBe(`${admin}/`);
  const answer = await fetch(page);
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("<title>Troupe</title>")]);
});

describe("the page of a host", () => {
  beforeEach((context) => {
    if (noBrowser !== undefined) context.skip(noBrowser);
  });

  test("asks for the token, keeps it in this tab alone, and runs nothing but its own files", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url, { logsIn: false });
    const { page, troubles } = opened;
    await logIn(page, "wrong");
    await page.getByRole("alert").getByText("The host does not take this token.").waitFor();
    await logIn(page);
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(await page.evaluate("[document.cookie, JSON.stringify(localStorage)]")).toEqual(["", "{}"]);
    await using other = await openPage(browser, world.url, { logsIn: false });
    await other.page.getByLabel("Token").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByLabel("Token").waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    // What the policy of the page must refuse.
    const refused = await page.evaluate(`(async () => {
      const names = [];
      addEventListener("securitypolicyviolation", ({ effectiveDirective }) => names.push(effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "globalThis.wasRun = true";
      document.body.append(script);
      document.body.insertAdjacentHTML("beforeend", '<p style="color: red">styled</p>');
      await new Promise((resolve) => setTimeout(resolve));
      return { names, wasRun: "wasRun" in globalThis };
    })()`);
    expect(refused).toEqual({ names: ["script-src-elem", "style-src-attr"], wasRun: false });
    expect(troubles.filter((text) => !text.includes("Content Security Policy"))).toEqual([]);
  });

  test("is used with the keyboard alone, and each place has a way back", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page, troubles } = opened;
    const focused = () => page.evaluate("document.activeElement?.textContent");
    for (const [key, title] of [
      ...[["w", "Workers"] as const, ["a", "Agents"] as const, ["s", "Send"] as const],
      ...[
        ["l", "Live messages"] as const,
        ["t", "Traces"] as const,
        ["f", "Failures"] as const,
        ["o", "Overview"] as const,
      ],
    ]) {
      // Both at once: the page waits a moment only for the second key.
      await Promise.all([page.keyboard.press("g"), page.keyboard.press(key)]);
      await page.locator("h1:focus", { hasText: title }).waitFor();
      expect(await page.title()).toBe(`${title} · Troupe`);
    }
    await page.goBack();
    await page.locator("h1:focus", { hasText: "Failures" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.evaluate("document.activeElement.blur()");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Failures");
    await page.goto(`${world.url}#/nowhere`);
    await page.getByRole("link", { name: "Go to the overview" }).press("Enter");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.goto(`${world.url}#/agents/slow/1`);
    await page.getByRole("link", { name: "← Agents of slow" }).click();
    await page.getByRole("link", { name: "← All agents" }).click();
    await page.getByRole("heading", { name: "Agents", exact: true }).waitFor();
    expect(troubles).toEqual([]);
  });

  test("shows rates, the time of calls, who is slow and what waits", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    // The host counts from the first question of the page.
    await page.getByText("No call has ended since this page watches.").waitFor();
    const waiting = world.worker.sendMessage(Wait({}), new AgentId("slow", "1"));
    await world.worker.sendMessage(Add({ amount: 1 }), anna);
    const slowest = page.getByRole("row", { name: /^shopper 1 0 / });
    await slowest.waitFor();
    await page.getByRole("img", { name: /^Messages each second over 5 min\. Now: calls 0\.\d, events 0\.$/ }).waitFor();
    await page.getByRole("link", { name: "slow/1" }).waitFor();
    world.gate.open();
    await waiting;
    await page.getByText("No call is older than a second.").waitFor();
  });

  test("shows the hosts of a cluster, and the workers, calls and failures of all of them", async () => {
    await using opened = new Opened();
    const [transport] = clusterTransports;
    if (transport === undefined) throw new Error("There are memory links.");
    const rig = opened.use(await transport.start());
    const pageFolder = pathToFileURL(`${await ensurePage("build/ui")}/`);
    const { entry } = opened.use(await EntryRig.open(rig.one.host, { pageFolder }));
    opened.use(await EntryRig.open(rig.two.host));
    const { dial, host } = rig.two;
    const there = opened.use(
      new WorkerRuntime({ dialer: { dial: () => dial() }, address: host.address, name: "far-1" }),
    );
    await there.start();
    const caller = await new RawWorker(dial(), "caller", { isAnnounced: true }).join();
    await using page = await openPage(browser, `${entry.url}/`);
    await page.page.getByRole("row", { name: /this host up 0 0 0 0 / }).waitFor();
    await page.page.getByRole("row", { name: / up 2 \d+ 0 0 / }).waitFor();
    // The numbers are of all hosts, or of the one that is chosen.
    const connections = (count: number) =>
      page.page.locator("div.card", { hasText: /^Worker connections/ }).getByText(String(count), { exact: true });
    await connections(2).waitFor();
    await page.page.getByLabel("Host").selectOption(operationsOf(rig.one.host.servicer).cluster?.hostId ?? "");
    await connections(0).waitFor();
    expect(await axeFindings(page.page)).toEqual([]);
    await page.page.getByLabel("Host").selectOption({ label: "all hosts" });
    await connections(2).waitFor();
    caller.request("1", "nobody/x");
    await caller.nextResponse();
    await goTo(page.page, "Failures");
    await page.page.getByRole("row", { name: /^call undeliverable \d+ / }).waitFor();
    await goTo(page.page, "Workers");
    await page.page.getByLabel("Host").selectOption(operationsOf(rig.two.host.servicer).cluster?.hostId ?? "");
    await page.page.getByRole("row", { name: /^far-1 / }).waitFor();
    expect(await axeFindings(page.page)).toEqual([]);
    await page.page.getByRole("button", { name: "Drain far-1" }).click();
    await page.page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
    await page.page
      .getByRole("dialog")
      .getByText(/^The worker (stops|is gone)/)
      .waitFor();
    await there.closed;
    expect(page.troubles).toEqual([]);
  });

  test("drains a worker when the operator confirms it", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await world.worker.sendMessage(Add({ amount: 1 }), anna);
    await goTo(page, "Workers");
    await page
      .getByRole("row", { name: /^shop-1 .*zone=eu 2\.4\.0 shopper, archive, planner, quick, slow 1 0 / })
      .waitFor();
    const drain = page.getByRole("button", { name: "Drain shop-1" });
    await drain.click();
    const dialog = page.getByRole("dialog", { name: "Drain the worker shop-1?" });
    await dialog.getByRole("button", { name: "Cancel" }).click();
    await dialog.waitFor({ state: "hidden" });
    await drain.click();
    await dialog.getByRole("button", { name: "Drain" }).click();
    await dialog.getByText(/^The worker (stops|is gone)/).waitFor();
    await world.worker.closed;
    await dialog.getByRole("button", { name: "Close" }).click();
    await page.getByText("No worker is connected.").waitFor();
  });

  test("finds an agent, and shows its place, state, reminders and messages", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page, troubles } = opened;
    const odd = new AgentId("shopper", "a/b <i>?#%");
    await world.worker.sendMessage(Remind({}), odd);
    await world.worker.sendMessage(Add({ amount: 41 }), odd);
    await goTo(page, "Agents");
    await page.getByLabel("Type").fill("shopper");
    await page.getByLabel("Key", { exact: true }).fill(odd.key);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: `shopper/${odd.key}`, level: 1 }).waitFor();
    await page.getByText("total: 41").waitFor();
    await page.getByRole("cell", { name: "ask-again" }).waitFor();
    await page.getByText("items [1]").waitFor();
    await world.worker.sendMessage(Add({ amount: 1 }), odd);
    await page.getByRole("row", { name: /^[\d:]+ commit committed / }).waitFor();
    await page.getByRole("row", { name: /^[\d:]+ call answered / }).waitFor();
    await page.getByText("total: 42").waitFor();
    await page.getByRole("button", { name: "Deactivate" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Deactivate" }).click();
    await dialog.getByText("The agent has ended in its worker.").waitFor();
    expect(troubles).toEqual([]);
  });

  test("shows messages as they come, by a filter, and says what it has lost", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    await goTo(page, "Live messages");
    await page.getByLabel("Kind").selectOption("call");
    await page.getByLabel("Agent type").fill("shopper");
    await page.keyboard.press("Enter");
    await page.getByText("Watching.").waitFor();
    await world.worker.sendMessage(Add({ amount: 1 }), new AgentId("archive", "1"));
    await world.worker.sendMessage(Add({ amount: 1 }), anna);
    await page.getByRole("row", { name: /call answered shopper\/anna/ }).waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    await page.getByRole("button", { name: "Pause" }).click();
    await world.worker.sendMessage(Add({ amount: 1 }), anna);
    await page.getByText("Paused; 1 have come since.").waitFor();
    expect(await page.getByRole("row").count()).toBe(2);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("2 shown").waitFor();
    expect(await page.getByRole("row").count()).toBe(3);
    await page.getByLabel("What messages say").check();
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("It shows the beginning of calls").waitFor();
    await page.getByText("Watching.").waitFor();
    await world.worker.sendMessage(Add({ amount: 7 }), anna);
    await page.getByRole("group").filter({ hasText: "PageAdd 12 B" }).getByText("PageAdd").click();
    await page.getByText('{"amount":7}').waitFor();
    expect(await axeFindings(page)).toEqual([]);
    const body =
      'event: lost\ndata: {"count":7}\n\nevent: lost\ndata: {"count":null}\n\nevent: call\ndata: {"time":"2026-01-01T00:00:00.000Z","kind":"call","outcome":"failed","type":"x","key":"<b>y</b>","topic":null,"clientId":null,"code":null,"ms":1,"traceId":null,"detail":null,"host":null}\n\n';
    await page.route("**/v1/feed*", (route) => route.fulfill({ contentType: "text/event-stream", body }));
    await page.getByRole("button", { name: "Clear" }).click();
    await page.getByText("7 occurrences were lost").waitFor();
    await page.getByText("Some were lost before the feed went on.").waitFor();
    await page.getByRole("link", { name: "x/<b>y</b>" }).first().waitFor();
  });

  test("shows failures in groups, and replays and drops dead letters", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    Shopper.takesNegative = false;
    for (const amount of [-1, -2]) await world.worker.tell(Add({ amount }), anna, { sender: boss });
    for (const key of ["1", "2"])
      await expect(world.worker.sendMessage(Add({ amount: 1 }), new AgentId("nobody", key))).rejects.toThrow();
    await goTo(page, "Failures");
    await page.getByRole("row", { name: /^mail shopper cant-handle 2 / }).waitFor();
    await page.getByRole("row", { name: /^call undeliverable 2 / }).waitFor();
    const act = async (letter: string, how: "Replay" | "Drop") => {
      await page.getByRole("button", { name: `${how} letter ${letter}` }).click();
      await page.getByRole("dialog").getByRole("button", { name: how }).click();
      await page.getByRole("dialog").getByRole("status").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    };
    const letters = page.getByRole("button", { name: /^Replay letter/ });
    await expect.poll(() => letters.count()).toBe(2);
    await page.getByRole("button", { name: "Show the message of letter 1" }).click();
    await page.getByRole("dialog").getByText('{"amount":-1}').waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
    Shopper.takesNegative = true;
    await act("1", "Replay");
    await expect.poll(() => letters.count()).toBe(1);
    await act("2", "Drop");
    await page.getByRole("cell", { name: "None." }).waitFor();
    await page.getByRole("link", { name: "shopper", exact: true }).click();
    await page.getByRole("link", { name: "shopper/anna" }).click();
    await page.getByText("total: -1").waitFor();
  });

  test("tells the story of a message: its calls and events as a tree, with what is slow and what has failed", async () => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url);
    const { page, troubles } = opened;
    await goTo(page, "Traces");
    await page.getByRole("cell", { name: "None since this page watches." }).waitFor();
    const planned = world.worker.sendMessage(Plan({}), new AgentId("planner", "p"));
    await page.getByRole("row", { name: /quick\/7 .* 1 0 0 / }).waitFor();
    await page.getByRole("link", { name: /^[0-9a-f]{32}$/ }).click();
    const hop = (depth: number, rest: RegExp) =>
      page.getByRole("row", { name: new RegExp(`^Depth ${depth}: ${rest.source}$`) }).waitFor();
    await hop(0, /planner\/p – – under way/);
    await hop(1, /slow\/7 – – under way/);
    world.gate.open();
    await planned;
    await hop(0, /planner\/p .* answered( slow)?/);
    await hop(1, /quick\/7 .* answered( slow)?/);
    await hop(1, /event planned .* delivered/);
    expect(await page.getByRole("listitem").filter({ hasText: "planner/p → slow/7, answered" }).count()).toBe(1);
    expect(await axeFindings(page)).toEqual([]);
    await page.getByRole("link", { name: "← All traces" }).click();
    await page.getByRole("heading", { name: "Traces", exact: true }).waitFor();
    await page.goto(`${world.url}#/traces/0`);
    await page.getByText("The host keeps nothing of this trace.").waitFor();
    expect(troubles).toEqual([]);
  });

  test("goes through 10,000 agents and follows 500 messages in a second without a freeze", async () => {
    await using world = await PageWorld.open();
    await world.store(10_000);
    await using opened = await openPage(browser, world.url);
    const { page } = opened;
    const mainThread = await MainThread.watch(page);
    await goTo(page, "Agents");
    await page.getByRole("button", { name: "Next page" }).click();
    for (const last of ["000099", "000199", "000299"]) {
      await page.getByRole("link", { name: `archive/${last}` }).waitFor();
      expect(await page.getByRole("row").count()).toBe(101);
      await page.getByRole("button", { name: "Next page" }).click();
    }
    await page.getByLabel("Type").fill("archive");
    await page.getByLabel("Key", { exact: true }).fill("009999");
    await page.keyboard.press("Enter");
    await page.getByText("No state is stored.").or(page.getByText("total: 0")).waitFor();
    await goTo(page, "Live messages");
    await page.getByText("Watching.").waitFor();
    const seconds = 6;
    const before = await mainThread.busySeconds();
    for (let second = 1; second <= seconds; second += 1) {
      const calls = Array.from({ length: 500 }, () => world.worker.sendMessage(Quick({}), new AgentId("quick", "1")));
      await Promise.all(calls);
      await page.getByText(`${(500 * second).toLocaleString("en")} shown`).waitFor();
    }
    expect(await page.getByRole("row").count()).toBe(201);
    // In the processor's time, which other programs of the machine do not change.
    expect((await mainThread.busySeconds()) - before).toBeLessThan(seconds / 2);
    console.log(`fact: long tasks of the page ${JSON.stringify(await mainThread.longTasks())}`);
  });

  test.each(["light", "dark"] as const)("has nothing that axe finds wrong, in its %s colours", async (colours) => {
    await using world = await PageWorld.open();
    await using opened = await openPage(browser, world.url, { colours, logsIn: false });
    const { page } = opened;
    await page.getByLabel("Token").waitFor();
    expect(await axeFindings(page)).toEqual([]);
    await logIn(page);
    await world.worker.sendMessage(Remind({}), anna);
    await world.worker.sendMessage(Add({ amount: 3 }), anna);
    for (const view of ["Overview", "Workers", "Agents", "Send", "Live messages", "Traces", "Failures"]) {
      await goTo(page, view);
      expect(await axeFindings(page), view).toEqual([]);
    }
    await goTo(page, "Agents");
    await page.getByRole("link", { name: "shopper/anna" }).click();
    await page.getByText("total: 3").waitFor();
    expect(await axeFindings(page), "an agent").toEqual([]);
    await page.getByRole("button", { name: "Deactivate" }).click();
    expect(await axeFindings(page), "a dialog").toEqual([]);
  });
});
