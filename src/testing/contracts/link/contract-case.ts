import type { Dialer, Link, LinkService, Listener, Listening } from "../../../transport/internal.ts";
import { testService } from "./test-service.ts";

/** Limits that some cases need small. */
export interface LinkNetworkOptions {
  readonly maxReceiveMessageBytes?: number | undefined;
  readonly maxSendMessageBytes?: number | undefined;
  readonly highWaterBytes?: number | undefined;
  readonly windowBytes?: number | undefined;
}

/** A dialer and a listener that reach each other. */
export interface LinkNetwork {
  readonly dialer: Dialer;
  readonly listener: Listener;
}

/** Tools of one case; it closes afterwards whatever they created. */
export interface LinkLab {
  network(options?: LinkNetworkOptions): LinkNetwork;
  /** Listens on a free port of 127.0.0.1. */
  listen(network: LinkNetwork, service?: Partial<LinkService>): Promise<Listening>;
  dial(network: LinkNetwork, address: string): Link;
  /** Creates a network, a server and a link, with the default limits. */
  connect(service?: Partial<LinkService>, options?: LinkNetworkOptions): Promise<{ link: Link; listening: Listening }>;
}

/** One promise of the port, and the function that tests it. */
export interface LinkCase {
  readonly promise: string;
  readonly tryIt: (lab: LinkLab) => Promise<void>;
}

/** Runs one case, then closes what it opened. */
export async function runLinkCase(
  tryIt: LinkCase["tryIt"],
  makeNetwork: (options: LinkNetworkOptions) => LinkNetwork,
): Promise<void> {
  const links: Link[] = [];
  const listenings: Listening[] = [];
  const lab: LinkLab = {
    network: (options = {}) => makeNetwork(options),
    async listen(network, service = {}) {
      const listening = await network.listener.listen("127.0.0.1:0", [testService(service)]);
      listenings.push(listening);
      return listening;
    },
    dial(network, address) {
      const link = network.dialer.dial(address);
      links.push(link);
      return link;
    },
    async connect(service, options) {
      const network = lab.network(options);
      const listening = await lab.listen(network, service);
      return { listening, link: lab.dial(network, listening.address) };
    },
  };
  try {
    await tryIt(lab);
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await Promise.all(listenings.map((listening) => listening.close()));
  }
}
