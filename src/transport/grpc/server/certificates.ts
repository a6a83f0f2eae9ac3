import { createSecureContext, type SecureContextOptions, type Server, type TlsOptions } from "node:tls";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";

/** The TLS options of a listener, and the servers that follow them. */
export class Certificates {
  readonly #servers = new Set<Server>();
  #tls: TlsOptions | undefined;

  constructor(tls: TlsOptions | undefined) {
    this.#tls = tls;
  }

  /** Undefined: plaintext. */
  get tls(): TlsOptions | undefined {
    return this.#tls;
  }

  /** The server serves its new connections with what `reload` is given, until it closes. */
  follow(server: Server): void {
    this.#servers.add(server);
    server.once("close", () => this.#servers.delete(server));
  }

  /** See `GrpcListener.reloadTls`. */
  reload(given: SecureContextOptions): void {
    if (this.#tls === undefined) {
      const text = "This listener serves no TLS. Make it with the option tls, then its certificate can be renewed.";
      throw new RpcError(StatusCode.failedPrecondition, text);
    }
    const tls: TlsOptions = { ...this.#tls, ...given };
    try {
      createSecureContext(tls);
    } catch (cause) {
      const text = `The new certificate cannot be served: ${messageOf(cause)}. The old one stays.`;
      throw new RpcError(StatusCode.invalidArgument, text, { cause });
    }
    this.#tls = tls;
    for (const server of this.#servers) server.setSecureContext(tls);
  }
}
