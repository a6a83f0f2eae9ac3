import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser, BrowserContextOptions, CDPSession, Page } from "playwright-core";

/** The token of the admin entry of a rig. */
const token = "rig-token";

/** A tab with the page, and what went wrong in it. */
export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Errors of scripts, what the browser has refused by the policy of the page, and requests to other places. */
  readonly troubles: string[];
}

/** `ignoreHTTPSErrors` and `clientCertificates` are those of the browser, for a host with TLS. */
interface OpenPageOptions extends Pick<BrowserContextOptions, "ignoreHTTPSErrors" | "clientCertificates"> {
  readonly logsIn?: boolean;
  readonly colours?: "light" | "dark";
}

/** Opens the page in a tab of its own. `logsIn`: false leaves it at the login. */
export async function openPage(
  browser: Browser,
  url: string,
  { logsIn = true, colours = "light", ...tls }: OpenPageOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: colours, ...tls });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const troubles: string[] = [];
  page.on("pageerror", ({ message }) => troubles.push(message));
  page.on("console", (message) => {
    // A refused login and a lost host are lines of the browser's own.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      troubles.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) troubles.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  if (logsIn) {
    await logIn(page);
    // Keys that are pressed before are those of the field for the token.
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
  }
  return { page, troubles, [Symbol.asyncDispose]: () => context.close() };
}

export async function logIn(page: Page, shown = token): Promise<void> {
  await page.getByLabel("Token").fill(shown);
  await page.keyboard.press("Enter");
}

/** Goes to a view by its link, and waits until it is there. */
export async function goTo(page: Page, title: string): Promise<void> {
  await page.getByRole("navigation").getByRole("link", { name: title, exact: true }).click();
  await page.getByRole("heading", { name: title, level: 1, exact: true }).waitFor();
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Returns what axe finds wrong in the page, by its rules for WCAG 2.2 AA and good practice. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  // By the protocol of the browser, which the policy of the page does not bind.
  await page.evaluate(axeSource);
  return await page.evaluate<readonly string[]>(`(async () => {
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" "));
  })()`);
}

/** What the main thread of a page does, by the browser's own counters. */
export class MainThread {
  readonly #session: CDPSession;
  readonly #page: Page;

  private constructor(session: CDPSession, page: Page) {
    this.#session = session;
    this.#page = page;
  }

  static async watch(page: Page): Promise<MainThread> {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    await page.evaluate(`(() => {
      const seen = { tasks: 0, longestMs: 0 };
      Object.assign(globalThis, { seen });
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) {
          seen.tasks += 1;
          seen.longestMs = Math.max(seen.longestMs, duration);
        }
      }).observe({ type: "longtask" });
    })()`);
    return new MainThread(session, page);
  }

  /** Seconds of the processor that the thread has had for its tasks. */
  async busySeconds(): Promise<number> {
    const { metrics } = await this.#session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  }

  /** Tasks of more than 50 ms, and the longest of them. */
  async longTasks(): Promise<{ readonly tasks: number; readonly longestMs: number }> {
    return await this.#page.evaluate("seen");
  }
}
