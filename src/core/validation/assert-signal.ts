import { CancellationToken } from "../cancellation-token.ts";
import { wrongValue } from "./option-values.ts";

/** Throws `invalid-argument` for a value that is not an `AbortSignal`. */
export function assertSignal(signal: unknown): void {
  if (signal instanceof AbortSignal) return;
  if (signal instanceof CancellationToken) throw wrongValue("A signal is an AbortSignal: pass `token.signal`", signal);
  if (typeof signal === "object" && signal !== null && "addEventListener" in signal && "aborted" in signal) return;
  throw wrongValue("The signal must be an AbortSignal: pass `controller.signal`", signal);
}
