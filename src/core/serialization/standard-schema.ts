import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TroupeError } from "../errors.ts";
import { isThenable } from "../thenable.ts";

/** Formats the issues of a failed validation in one line: `name: expected text; age: too small`. */
export function issuesText(issues: readonly StandardSchemaV1.Issue[]): string {
  return issues.map(({ path, message }) => (path?.length ? `${pathText(path)}: ${message}` : message)).join("; ");
}

const messageExample = 'defineMessage("Greeting", z.object({ content: z.string() }))';

/**
 * Throws `invalid-argument` for a value that is not a Standard Schema, such as an object of fields or a schema of an
 * older library. `example`: the call that the error shows.
 */
export function assertSchema(schema: unknown, typeName: string, example = messageExample): void {
  if ((typeof schema === "object" && schema !== null) || typeof schema === "function") {
    const standard: unknown = Reflect.get(schema, "~standard");
    if (typeof standard === "object" && standard !== null && "validate" in standard) return;
  }
  throw new TroupeError(
    "invalid-argument",
    `The schema of ${typeName} is not a Standard Schema. Create it with zod (3.24 or newer), valibot, arktype or another such library: ${example}.`,
  );
}

/** Validates synchronously. Throws `invalid-message` with all issues, or if the schema is asynchronous. */
export function validateNow<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  typeName: string,
  value: unknown,
): Output {
  let result: ReturnType<(typeof schema)["~standard"]["validate"]>;
  try {
    result = schema["~standard"].validate(value);
  } catch (cause) {
    // A transformation that meets a value which it does not expect. Its text may quote the content, so that it is the cause alone.
    if (cause instanceof TroupeError) throw cause;
    throw new TroupeError("invalid-message", `Not a valid ${typeName}: its schema failed on the fields.`, { cause });
  }
  if (isThenable(result)) {
    result.then(undefined, () => undefined);
    throw new TroupeError(
      "invalid-message",
      `The schema of ${typeName} validates asynchronously; messages need a synchronous schema. ` +
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
