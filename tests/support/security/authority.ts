import { X509Certificate } from "node:crypto";
import { type CertificatePair, DevelopmentAuthority } from "../../../src/security/certificates/internal.ts";

const days = 30;

/** An authority for one test, and the certificates that it issues. */
export class TestAuthority {
  readonly #authority: DevelopmentAuthority;

  private constructor(authority: DevelopmentAuthority) {
    this.#authority = authority;
  }

  static async create(name = "test authority"): Promise<TestAuthority> {
    return new TestAuthority(await DevelopmentAuthority.create({ name, validFromMs: Date.now(), days }));
  }

  get ca(): string {
    return this.#authority.pair.cert;
  }

  /** For a host at loopback, unless others are named. */
  server(hosts: readonly string[] = ["localhost", "127.0.0.1", "::1"]): Promise<CertificatePair> {
    return this.#authority.issue({ name: "host", hosts, usage: "server", validFromMs: Date.now(), days });
  }

  client(name: string, hosts: readonly string[] = []): Promise<CertificatePair> {
    return this.#authority.issue({ name, hosts, usage: "client", validFromMs: Date.now(), days });
  }

  /** A certificate that is over. */
  expired(name: string): Promise<CertificatePair> {
    const validFromMs = Date.now() - 20 * 86_400_000;
    return this.#authority.issue({ name, usage: "client", validFromMs, days: 10 });
  }
}

export function parsed({ cert }: CertificatePair): X509Certificate {
  return new X509Certificate(cert);
}
