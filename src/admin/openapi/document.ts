import type { AdminRoute } from "../admin-route.ts";
import { descriptions } from "./answers.ts";
import { type JsonSchema, ref } from "./schema.ts";
import { schemas } from "./schemas.ts";

/** Parameters that are whole numbers; the others are texts. */
const numbers = new Set(["limit", "graceMs", "minAgeMs", "schemaVersion", "step", "timeoutMs", "payloads"]);
/** Parameters that may stand several times. */
const repeated = new Set(["letter"]);
const texts = { schema: { type: "string" } };

/** Describes routes in the form of OpenAPI 3.1. */
export function describeRoutes(routes: readonly AdminRoute[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const { method, path } = route;
    paths[path] = { ...paths[path], [method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Admin entry of a Troupe host", version },
    paths,
    components: {
      schemas,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    security: [{ token: [] }],
  };
}

function operationOf({ method, path, parameters, maxBodyBytes, isOpen }: AdminRoute): unknown {
  const { summary, answer } = descriptions[`${method} ${path}`] ?? { summary: path, answer: {} };
  const [type, schema] = typeof answer === "string" ? [answer, texts.schema] : ["application/json", answer];
  const problem = { description: "What is wrong", content: { "application/problem+json": { schema: ref("Problem") } } };
  return {
    summary,
    parameters: parameters.map(parameterOf),
    ...(maxBodyBytes !== undefined && { requestBody: { required: true, content: { "*/*": {} } } }),
    responses: { 200: { description: summary, content: { [type]: { schema } } }, default: problem },
    // On this machine they need no token.
    ...(isOpen === true && { security: [{}, { token: [] }] }),
  };
}

function parameterOf(name: string): unknown {
  const schema: JsonSchema = numbers.has(name) ? { type: "integer", minimum: 0 } : texts.schema;
  return { name, in: "query", schema: repeated.has(name) ? { type: "array", items: schema } : schema };
}
