import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { encodeFrame, type Frame } from "troupe/protocol";
import { openHttp2Channel } from "./http2-channel.ts";
import { prefixed, type RawChannel, type RawChannelEvents } from "./raw-channel.ts";
import { openTcpChannel } from "./tcp-channel.ts";

/** Protocol between the generator and a host. */
export type Wire = "http2" | "tls" | "tcp";

/** A raw channel with a replaceable callback for its frames. */
export class Connection {
  readonly channel: RawChannel;
  events: RawChannelEvents = { onFrame: () => {}, onTurnEnd: () => {} };

  private constructor(wire: Wire, socket: ReturnType<typeof connect>) {
    const open = wire === "tcp" ? openTcpChannel : openHttp2Channel;
    this.channel = open(socket, {
      onFrame: (frame) => this.events.onFrame(frame),
      onTurnEnd: () => this.events.onTurnEnd(),
    });
  }

  static async open(wire: Wire, address: string): Promise<Connection> {
    const to = { host: "127.0.0.1", port: Number(address.split(":").at(-1)), noDelay: true };
    // The certificate is one of development: what it costs to check it is not measured.
    const socket =
      wire === "tls" ? connectTls({ ...to, ALPNProtocols: ["h2"], rejectUnauthorized: false }) : connect(to);
    await once(socket, wire === "tls" ? "secureConnect" : "connect");
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
