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

/** As `timedOutText`, for a call that an intervention still held back: nothing was sent. */
export function undecidedText(ms: number | undefined, recipient: { toString(): string } | undefined): string {
  const to = recipient === undefined ? "" : ` to ${recipient.toString()}`;
  return `An intervention (onSend) had not decided about the call${to} within ${ms} ms. The message was not sent.`;
}

/** As `timedOutText`, for an answer that an intervention still held back. */
export function answerUndecidedText(ms: number | undefined, recipient: { toString(): string } | undefined): string {
  const from = recipient === undefined ? "" : ` from ${recipient.toString()}`;
  return `An intervention (onResponse) had not decided about the answer${from} within ${ms} ms. The handler has run.`;
}
