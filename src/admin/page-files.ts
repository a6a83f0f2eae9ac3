import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { TroupeError } from "../core/internal.ts";
import { HttpText, type PublicFiles } from "../http/internal.ts";

/** Content types of the files that a built page has. */
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The page loads nothing but its own files, asks this host alone, and runs no script and no style that stands in its text. */
const policy = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"],
].join("; ");

/**
 * Reads the built page for operators: its document is at `/`, its other files are below `/assets/`. The files hold nothing of the host. Throws
 * `wrong-state` if the page is not built.
 */
export function readPage(folder: URL): PublicFiles {
  const document = new URL("index.html", folder);
  if (!existsSync(document)) {
    const text = "The page for operators is not built. In a clone of Troupe, run npm run build.";
    throw new TroupeError("wrong-state", text);
  }
  const files = new Map([["/", file(document, { "content-security-policy": policy })]]);
  const assets = new URL("assets/", folder);
  // The names of these files say what is in them.
  const forEver = { "cache-control": "private, max-age=31536000, immutable" };
  for (const name of readdirSync(assets)) files.set(`/assets/${name}`, file(new URL(name, assets), forEver));
  return files;
}

function file(url: URL, headers: Readonly<Record<string, string>>): HttpText {
  return new HttpText(200, types[extname(url.pathname)] ?? "text/plain", readFileSync(url, "utf8"), headers);
}
