import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { readPage } from "../../../src/admin/page-files.ts";
import { assertAdminFlags } from "../../../src/cli/admin/open-admin.ts";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { httpsGet } from "../../support/http/https-get.ts";
import { RawHttp, requestText } from "../../support/http/raw-http.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

/** A folder as the build of the page leaves it. */
function builtPage(): URL {
  const folder = mkdtempSync(join(tmpdir(), "troupe-page-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>the page</title>");
  writeFileSync(join(folder, "assets", "index-1.js"), "export {};");
  writeFileSync(join(folder, "secret.txt"), "not a file of the page");
  return pathToFileURL(`${folder}/`);
}

async function ask(url: string, request: Partial<Parameters<typeof requestText>[0]> = {}): Promise<string> {
  const raw = await RawHttp.connect(Number(new URL(url).port));
  return await raw.send(requestText({ target: "/", token: null, headers: ["Connection: close"], ...request })).toEnd();
}

test("the page and its files need no token, and may run and ask nothing but what is the host's own", async () => {
  await using rig = await AdminRig.open({}, { pageFolder: builtPage() });
  const page = await ask(rig.entry.url);
  expect(page).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*the page/);
  expect(page).toContain("content-type: text/html; charset=utf-8\r\n");
  const [, policy = ""] = /^content-security-policy: (.*)\r$/m.exec(page) ?? [];
  expect(policy).toMatch(
    /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';/,
  );
  expect(policy).toMatch(/form-action 'none'; base-uri 'none'; frame-ancestors 'none'$/);
  expect(policy).not.toContain("unsafe");
  const script = await ask(rig.entry.url, { target: "/assets/index-1.js" });
  expect(script).toMatch(/x-content-type-options: nosniff[\s\S]*content-type: text\/javascript[\s\S]*export/);
  const others = ["/secret.txt", "/assets/../secret.txt", "/assets/%2e%2e/secret.txt", "/index.html", "//", "/v1/host"];
  for (const target of others) expect(await ask(rig.entry.url, { target }), target).toMatch(/^HTTP\/1\.1 401 /);
  const posted = await ask(rig.entry.url, { headers: ["Connection: close", "Content-Length: 3"] });
  expect(posted).toMatch(/^HTTP\/1\.1 400 /);
});

test("without the page its address is as all others are", async () => {
  await using rig = await AdminRig.open();
  expect(await ask(rig.entry.url)).toMatch(/^HTTP\/1\.1 401 /);
});

test("a page of another site, or one whose name stands for this machine, gets no file of the page", async () => {
  await using rig = await AdminRig.open({}, { pageFolder: builtPage() });
  const close = "Connection: close";
  for (const header of ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:1"])
    expect(await ask(rig.entry.url, { headers: [close, header] }), header).toMatch(/^HTTP\/1\.1 403 /);
  const raw = await RawHttp.connect(Number(new URL(rig.entry.url).port));
  raw.send(`GET / HTTP/1.1\r\nHost: evil.example\r\n${close}\r\n\r\n`);
  expect(await raw.toEnd()).toMatch(/^HTTP\/1\.1 401 /);
});

test("at the address for other machines the page is there, and shows nothing without a principal", async () => {
  const authority = await TestAuthority.create();
  const authenticator = tokenAuthenticator({ text: "viewer token-of-viewer-0123456789" });
  const rules = accessRules([{ principal: "*", allow: "see", types: "writer" }]);
  const open = { host: "127.0.0.1", port: 0, tls: await authority.server(), authenticator, rules };
  await using rig = await AdminRig.open({}, { open, pageFolder: builtPage() });
  const statusOf = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
    (await httpsGet(`${rig.entry.openUrl}${path}`, authority.ca, headers)).status;
  expect(await statusOf("/")).toBe(200);
  expect(await statusOf("/v1/types")).toBe(401);
  const authorization = "Bearer token-of-viewer-0123456789";
  expect(await statusOf("/v1/types", { authorization })).toBe(200);
  // Numbers of all types together are for those who may see all types.
  expect(await statusOf("/v1/activity", { authorization })).toBe(403);
});

test("an entry does not open without the page that it is to serve, and says what to do", () => {
  const why = { code: "wrong-state", message: expect.stringMatching(/npm run build/) };
  expect(() => readPage(new URL("nowhere/", import.meta.url))).toThrow(expect.objectContaining(why));
});

test("--ui and --no-admin do not go together", () => {
  expect(() => assertAdminFlags({ admin: false, ui: true })).toThrow(/Leave out --ui or --no-admin/);
  for (const flags of [{ ui: true }, { admin: false, ui: false } as const, { admin: "127.0.0.1:0", ui: true }])
    expect(() => assertAdminFlags(flags)).not.toThrow();
});
