import { method } from "../../../protocol/internal.ts";
import { limits } from "../../limits.ts";
import type { ControlLink } from "../host-ways.ts";
import type { UnaryAsks } from "../unary-asks.ts";
import type { OutgoingLink } from "./outgoing-link.ts";

/** The control channels of other hosts' workers: one peer of the control router for each link. */
export class ControlLinks {
  readonly #asks: UnaryAsks;
  readonly #links = new Map<OutgoingLink, ControlLink>();

  constructor(asks: UnaryAsks) {
    this.#asks = asks;
  }

  on(link: OutgoingLink): ControlLink {
    const known = this.#links.get(link);
    if (known !== undefined) return known;
    const control: ControlLink = {
      id: `host → ${link.hostId}`,
      account: link.account,
      owner: { principal: undefined },
      isElsewhere: true,
      ask: (request, { id: clientId, account, owner: { principal } }, signal) => {
        const call = { metadata: {}, signal, account };
        const asked = { method: method.openControlChannel, clientId, principal, request, call };
        return this.#asks.tryAsk(link, asked, limits.controlAskMs);
      },
      send: (envelope, from) => link.sendControl(envelope, from?.account.party ?? "") === "queued",
    };
    this.#links.set(link, control);
    return control;
  }

  /** The link has ended. Returns its peer, if the control router knows it. */
  remove(link: OutgoingLink): ControlLink | undefined {
    const control = this.#links.get(link);
    this.#links.delete(link);
    return control;
  }
}
