import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { USER_AGENT } from "../../../src/transport/internal.ts";

test("the user agent has the version of package.json", () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  expect(manifest).toMatchObject({ version: USER_AGENT.slice("grpc-troupe-js/".length) });
});
