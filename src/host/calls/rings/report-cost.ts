import type { WaitingCall } from "../../../core/internal.ts";

/** Memory of a report and of each of its turns, beside the texts: rounded up from the sizes of their objects and table entries. */
const reportBytes = 500;
const turnBytes = 450;

/** The memory of a report that a call waits for its turn. */
export function costOfReport({ path, behind }: WaitingCall): number {
  const turns = path.reduce(
    (sum, { token, type, key, via = [] }) =>
      sum + turnBytes + 2 * (token.length + type.length + key.length) + tokensBytes(via.map((call) => call.token)),
    0,
  );
  return reportBytes + turns + tokensBytes(behind);
}

function tokensBytes(tokens: readonly string[]): number {
  return tokens.reduce((sum, token) => sum + turnBytes + 2 * token.length, 0);
}
