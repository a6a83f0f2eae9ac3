import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";

/** The issues of a failed validation as one line: `name: expected text; age: too small`. */
export function issuesText(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues.map(({ path, message }) => (path?.length ? `${pathText(path)}: ${message}` : message)).join("; ");
}

/** Throws `invalid-argument` for what is no Standard Schema: an object of fields, or a library's schema of before it. */
export function assertSchema(schema: unknown, typeName: string): void {
  if ((typeof schema === "object" && schema !== null) || typeof schema === "function") {
    const standard: unknown = Reflect.get(schema, "~standard");
    if (typeof standard === "object" && standard !== null && "validate" in standard) return;
  }
  throw new TroupeError(
    "invalid-argument",
    `The schema of ${typeName} is no Standard Schema. Make it with zod (3.24 or newer), valibot, arktype or the like: ` +
      'defineMessage("Greeting", z.object({ content: z.string() })).',
  );
}

/** Validates at once. Throws `invalid-message` with every issue, and when the schema is asynchronous. */
export function validateNow<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  typeName: string,
  value: unknown,
): Output {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    result.catch(() => undefined);
    throw new TroupeError(
      "invalid-message",
      `The schema of ${typeName} validates asynchronously; messages need a schema that answers at once. ` +
        "Move asynchronous checks into the handler.",
    );
  }
  if (result.issues !== undefined) {
    throw new TroupeError("invalid-message", `Not a valid ${typeName}: ${issuesText(result.issues)}`);
  }
  return result.value;
}

function pathText(path: NonNullable<StandardSchemaV1.Issue["path"]>): string {
  return path.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
}
