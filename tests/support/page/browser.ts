import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian and others put Chromium. */
const programs = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const found = programs.find((program) => existsSync(program));

/** Why tests of the page can't run here. Undefined: they can. */
export const noBrowser = found === undefined ? "needs Chromium (Debian: apt-get install chromium)" : undefined;

/** Starts the browser of this machine, without a window. */
export async function startBrowser(): Promise<Browser> {
  // Root may not use the sandbox; the pages that it shows are the project's own.
  return await chromium.launch({ executablePath: found ?? "", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
