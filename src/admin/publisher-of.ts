import type { Publisher } from "../host/internal.ts";
import type { HttpCaller } from "../http/internal.ts";
import { partyOf } from "../transport/internal.ts";

/** Returns who sends the message of a request. */
export function publisherOf(caller: HttpCaller): Publisher {
  if (caller.at === "operator") return { principal: undefined, address: "127.0.0.1", party: "127.0.0.1" };
  const { principal, address, remoteAddress } = caller;
  return { principal, address, party: partyOf(remoteAddress) };
}
