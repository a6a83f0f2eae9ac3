import { type ApiError, errorIn, readJsonFields } from "./api-answer.ts";
import type { Msg } from "./driver.ts";

/** JetStream refuses a write on a revision that is not the last. Newer servers have a second code, without the revision. */
const wrongLastRevision: readonly number[] = [10_071, 10_164];

/** The answer of JetStream to a write. */
export type Acknowledgement =
  | { readonly at: "written"; readonly revision: number }
  | { readonly at: "conflict" }
  | { readonly at: "unknown"; readonly error?: ApiError };

/** Reads the answer to a write. */
export function readAcknowledgement(answer: Msg | undefined): Acknowledgement {
  if (answer === undefined) return { at: "unknown" };
  const read = readJsonFields(answer.data);
  if (read === undefined) return { at: "unknown" };
  const { seq } = read;
  const error = errorIn(read);
  if (error !== undefined) {
    return wrongLastRevision.includes(error.err_code ?? 0) ? { at: "conflict" } : { at: "unknown", error };
  }
  return Number.isSafeInteger(seq) && Number(seq) > 0 ? { at: "written", revision: Number(seq) } : { at: "unknown" };
}
