import { once } from "node:events";
import { connect } from "node:net";
import { encodeFrame, type Frame } from "troupe/protocol";
import { openHttp2Channel } from "./http2-channel.ts";
import { prefixed, type RawChannel, type RawChannelEvents } from "./raw-channel.ts";
import { openTcpChannel } from "./tcp-channel.ts";

/** Protocol between the generator and a host. */
export type Wire = "http2" | "tcp";

/** A raw channel with a replaceable callback for its frames. */
export class Connection {
  readonly channel: RawChannel;
  events: RawChannelEvents = { onFrame: () => {}, onTurnEnd: () => {} };

  private constructor(wire: Wire, socket: ReturnType<typeof connect>) {
    const open = wire === "http2" ? openHttp2Channel : openTcpChannel;
    this.channel = open(socket, {
      onFrame: (frame) => this.events.onFrame(frame),
      onTurnEnd: () => this.events.onTurnEnd(),
    });
  }

  static async open(wire: Wire, address: string): Promise<Connection> {
    const socket = connect({ host: "127.0.0.1", port: Number(address.split(":").at(-1)), noDelay: true });
    await once(socket, "connect");
    return new Connection(wire, socket);
  }

  /** Sends a registration (generation 1, in the channel) and waits for its acknowledgement. */
  async register(frame: Frame): Promise<void> {
    await new Promise<void>((resolve) => {
      this.events = { onFrame: () => resolve(), onTurnEnd: () => {} };
      this.channel.write(prefixed(encodeFrame(frame), this.channel.prefixBytes));
    });
  }
}
