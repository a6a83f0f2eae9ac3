import type { HostCaller } from "../../peers/host-caller.ts";
import type { MessageOrigin } from "../located.ts";
import type { HeldMessage } from "../moving-agent.ts";

/** Stands behind the messages of another host for an agent, and says when these are on their way. */
export class FlushMark implements HeldMessage {
  readonly caller: HostCaller;
  readonly payer: HostCaller;
  readonly byteLength = 0;
  readonly isUnfit = false;
  readonly isMark = true;
  readonly opensRoutes = false;
  readonly origin: MessageOrigin;
  readonly place: () => void;
  queue: HeldMessage["queue"];

  constructor(host: HostCaller, onDone: () => void) {
    this.caller = host;
    this.payer = host;
    this.origin = { host, channel: host, isFirst: false, number: 0 };
    this.place = onDone;
  }

  get account(): HostCaller["account"] {
    return this.caller.account;
  }
}
