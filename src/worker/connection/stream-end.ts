import { StatusCode, type StreamEnd } from "../../transport/internal.ts";

/** Why a stream ended, as a text for people. */
export function describeEnd(end: StreamEnd): string {
  switch (end.by) {
    case "status":
      return end.status.code === StatusCode.ok
        ? "the host closed the channel."
        : `the host ended the channel with status ${end.status.code} (${end.status.details}).`;
    case "cancelled":
      return "this worker closed the channel.";
    case "peer":
      return "the host reset the channel.";
    case "connection-lost":
      return end.reason;
  }
}
