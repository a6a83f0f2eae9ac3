import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";

/** The issues of a failed validation as one line: `name: expected text; age: too small`. */
export function issuesText(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues.map(({ path, message }) => (path?.length ? `${pathText(path)}: ${message}` : message)).join("; ");
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
