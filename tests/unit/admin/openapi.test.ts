import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { descriptions } from "../../../src/admin/openapi/answers.ts";
import { schemas } from "../../../src/admin/openapi/schemas.ts";
import { AdminRig } from "../../integration/admin/admin-rig.ts";

interface Document {
  readonly openapi: string;
  readonly paths: { readonly [path: string]: { readonly [method: string]: { readonly summary: string } } };
}

test("the description has every route of the entry, and no other", async () => {
  await using rig = await AdminRig.open();
  const { openapi, paths } = await rig.client.ask<Document>("GET", "/openapi.json");
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(routes.sort()).toEqual(Object.keys(descriptions).sort());
  expect(openapi).toBe("3.1.0");
});

test("each schema of the description is a JSON Schema, and every one is used", () => {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  for (const [name, schema] of Object.entries(schemas)) expect(ajv.validateSchema(schema), name).toBe(true);
  const used = JSON.stringify([descriptions, schemas, "#/components/schemas/Problem"]);
  const unused = Object.keys(schemas).filter((name) => !used.includes(`#/components/schemas/${name}"`));
  expect(unused).toEqual([]);
});
