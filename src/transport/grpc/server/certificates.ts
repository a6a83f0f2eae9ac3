import { createSecureContext, type SecureContextOptions, type Server, type TlsOptions } from "node:tls";
import { nowMs } from "../../real-time.ts";
import { RpcError, StatusCode } from "../../rpc-status.ts";
import { messageOf } from "../../system-error.ts";
import { assertTlsVersions } from "../tls-check.ts";
import { namesTlsFiles, stampOfTlsFiles, type TlsFileOptions, withTlsFiles } from "../tls-files.ts";

/** Milliseconds between two looks at the files. */
const lookEveryMs = 1_000;

/** The TLS options of a listener, and the servers that follow them. */
export class Certificates {
  readonly #servers = new Set<Server>();
  readonly #files: TlsFileOptions | undefined;
  #stamp: string;
  #lookAtMs = nowMs() + lookEveryMs;
  #tls: TlsOptions | undefined;

  /** `given`: the options with names of files; `tls`: with their content. */
  constructor(given: (TlsOptions & TlsFileOptions) | undefined, tls: TlsOptions | undefined) {
    this.#files = given !== undefined && namesTlsFiles(given) ? given : undefined;
    this.#stamp = this.#files === undefined ? "" : stampOfTlsFiles(this.#files);
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

  /**
   * Reads the files again if they have changed, once a second at most. The listener calls it before it opens a connection, so that it
   * needs no timer. Files that do not fit together change nothing: one may be half written.
   */
  look(onRead: (error: unknown) => void): void {
    if (this.#files === undefined || nowMs() < this.#lookAtMs) return;
    this.#lookAtMs = nowMs() + lookEveryMs;
    const stamp = stampOfTlsFiles(this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.reload(withTlsFiles(this.#files));
      onRead(undefined);
    } catch (error) {
      onRead(error);
    }
  }

  /** See `GrpcListener.reloadTls`. */
  reload(given: SecureContextOptions): void {
    if (this.#tls === undefined) {
      const text = "This listener serves no TLS. Make it with the option tls, then its certificate can be renewed.";
      throw new RpcError(StatusCode.failedPrecondition, text);
    }
    const tls: TlsOptions = { ...this.#tls, ...given };
    try {
      assertTlsVersions(tls);
      createSecureContext(tls);
    } catch (cause) {
      const text = `The new certificate cannot be served: ${messageOf(cause)}. The old one stays.`;
      throw new RpcError(StatusCode.invalidArgument, text, { cause });
    }
    this.#tls = tls;
    for (const server of this.#servers) server.setSecureContext(tls);
  }
}
