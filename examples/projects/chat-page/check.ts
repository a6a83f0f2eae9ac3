// Uses the page in a browser, as its users do. Ends with 77 where this machine lacks something; its last line says what.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium, type Page } from "playwright-core";
import { CheckLimit } from "./check-limit.ts";
import { findPython } from "./src/server/programs.ts";
import { serveChat } from "./src/server/serve-chat.ts";

const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = programs.find((program) => existsSync(program));
if (executablePath === undefined) skip("needs Chromium (Debian: apt-get install chromium)");
const python = findPython();
if (python === undefined) skip("needs Python: pip install 'autogen-ext[grpc]==0.7.5', and set TROUPE_PYTHON to it");

using limit = new CheckLimit(200_000);
const served = await serveChat({ port: 0, python, forecasterFile: "held_forecaster.py" });
await using _served = ending("The end of the chat", () => served[Symbol.asyncDispose]());
limit.begin("the start of Chromium");
// Root may not use the sandbox; the page is the project's own.
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
// Playwright may wait without a limit for a browser that has ended.
const lost = () => limit.giveUp("Chromium has ended.");
browser.on("disconnected", lost);
await using _browser = ending("The end of Chromium", () => {
  browser.off("disconnected", lost);
  return browser.close();
});
const context = await browser.newContext();
context.setDefaultTimeout(60_000);

const plan =
  "Here is your plan. In Lisbon, see the old town, the market and the river. In Lisbon it will be sunny, 24 degrees. Have a good trip!";

await story("an answer streams into the page, and comes from three agents", async () => {
  const page = await open("trip-1");
  await inMidAnswer(page, "A weekend in Lisbon");
  await answers(page).getByText("The guide has answered: In Lisbon, see the old town").waitFor();
  release();
  await answers(page).getByText(plan).waitFor();
  await ready(page);
});

await story("a page that is loaded again in mid-answer shows the chat, and continues the answer", async () => {
  const page = await open("trip-2");
  await inMidAnswer(page, "A weekend in Lisbon");
  await page.reload();
  await answers(page).getByText("A trip to Lisbon: I ask the guide and the forecaster.").waitFor();
  release();
  await answers(page).getByText(plan).waitFor();
  await ready(page);
  await page.reload();
  await answers(page).getByText(plan).waitFor();
  assert.deepEqual(await said(page), ["You", "Concierge"]);
});

await story("two tabs see one chat: a question of the one, and its answer while it comes", async () => {
  const [page, other] = [await open("trip-3"), await open("trip-3")];
  await inMidAnswer(page, "A weekend in Lisbon");
  await other.getByText("A weekend in Lisbon").waitFor();
  await answers(other).getByText("A trip to Lisbon: I ask the guide and the forecaster.").waitFor();
  release();
  for (const tab of [page, other]) {
    await answers(tab).getByText(plan).waitFor();
    await ready(tab);
    assert.deepEqual(await said(tab), ["You", "Concierge"]);
  }
});

await story("stop ends the answer in both tabs, and keeps what was said", async () => {
  const [page, other] = [await open("trip-4"), await open("trip-4")];
  await inMidAnswer(page, "A weekend in Lisbon");
  await answers(other).getByText("The guide has answered").waitFor();
  await other.getByRole("button", { name: "Stop" }).click();
  for (const tab of [page, other]) await ready(tab);
  release();
  await page.reload();
  await answers(page).getByText("A trip to Lisbon: I ask the guide and the forecaster.").waitFor();
  await ask(page, "And Porto");
  await answers(page).getByText("In Porto it will be sunny").waitFor();
});

await story("a lost connection is not seen: the answer continues", async () => {
  const page = await open("trip-5");
  await inMidAnswer(page, "A weekend in Lisbon");
  served.cutConnections();
  release();
  await answers(page).getByText(plan).waitFor();
  await ready(page);
  assert.deepEqual(await said(page), ["You", "Concierge"]);
  assert.equal(await page.getByText("A trip to Lisbon: I ask").count(), 1);
});

await story("a worker that is killed in mid-answer is not seen: the next one continues the answer", async () => {
  const page = await open("trip-6");
  await inMidAnswer(page, "A weekend in Lisbon");
  served.thinkers.signal("SIGKILL");
  await served.thinkers.ready();
  release();
  await answers(page).getByText(plan).waitFor();
  await ready(page);
  assert.deepEqual(await said(page), ["You", "Concierge"]);
  assert.equal(await page.getByText("A trip to Lisbon: I ask").count(), 1);
  assert.equal(await page.getByText("In Lisbon, see the old town, the market and the river.").count(), 2);
});

await story("a Python worker that is killed in mid-answer is told to the model, which answers without it", async () => {
  const page = await open("trip-7");
  await inMidAnswer(page, "A weekend in Lisbon");
  served.forecaster.signal("SIGKILL");
  await answers(page).getByText("Here is your plan.").waitFor();
  await ready(page);
  await served.forecaster.ready();
  release();
  await ask(page, "And Porto");
  await answers(page).getByText("In Porto it will be sunny").waitFor();
});

await story("a question that did not arrive is an error, after which the user asks again", async () => {
  const page = await open("trip-8");
  await page.route("**/api/chat/concierge", (route) => route.abort(), { times: 1 });
  await ask(page, "A weekend in Lisbon");
  await page.getByRole("alert").waitFor();
  await page.getByRole("button", { name: "Ask again" }).click();
  await answers(page).getByText(plan).waitFor();
  await ready(page);
  assert.deepEqual(await said(page), ["You", "Concierge"]);
});

/** Sends a question whose answer waits in its middle for the forecaster. */
async function inMidAnswer(page: Page, text: string): Promise<void> {
  served.forecaster.signal("SIGUSR1");
  await ask(page, text);
  await answers(page).getByText("A trip to Lisbon: I ask the guide and the forecaster.").waitFor();
  await answers(page).getByText("The forecast is asked.").waitFor();
  await page.getByText("answering").waitFor();
}

function release(): void {
  served.forecaster.signal("SIGUSR2");
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

function answers(page: Page) {
  return page.getByRole("article", { name: "Concierge" }).last();
}

async function ready(page: Page): Promise<void> {
  await page.getByText("ready", { exact: true }).waitFor();
}

/** Returns who has said something, in order. */
function said(page: Page): Promise<string[]> {
  return page.getByRole("article").locator("b").allTextContents();
}

async function open(chat: string): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (error) => console.log(`page: ${error.message}`));
  await page.goto(`${served.url}/#${chat}`);
  await page.getByRole("heading", { name: "A trip" }).waitFor();
  return page;
}

async function story(name: string, play: () => Promise<void>): Promise<void> {
  limit.begin(name);
  try {
    await play();
  } catch (error) {
    console.error(`FAILED ${name}: ${error}`);
    for (const page of context.pages())
      console.error(`a page shows:\n${await page.innerText("body", { timeout: 5_000 })}`);
    throw error;
  }
  for (const page of context.pages()) await limit.within(10_000, "The end of a page", page.close());
  console.log(`ok ${name}`);
}

/** Disposes of something within 20 s. */
function ending(what: string, end: () => PromiseLike<void>): AsyncDisposable {
  return { [Symbol.asyncDispose]: () => limit.within(20_000, what, end()) };
}

function skip(why: string): never {
  console.log(why);
  process.exit(77);
}
