/** Returns the text of a call's timeout, wherever it was noticed: who did not answer what in which time, and what to do. */
export function timedOutText(
  ms: number | string | undefined,
  recipient?: { toString(): string },
  messageType?: string,
): string {
  const from = recipient === undefined ? "" : ` from ${recipient.toString()}`;
  const to = messageType === undefined ? "" : ` to ${messageType}`;
  const advice =
    "Give the call a larger timeoutMs if its handler needs longer (a host's callTimeoutMs is a limit, too). The handler may have run.";
  return `No answer${from}${to} within ${ms} ms. ${advice}`;
}
