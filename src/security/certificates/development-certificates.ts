import { isIP } from "node:net";
import { type AlternativeName, loadSelfsigned, type SelfsignedModule } from "./load-selfsigned.ts";

/** A certificate and its private key, as PEM texts. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** The common name of the subject. */
  readonly name: string;
  /** DNS names, IP addresses and URIs that the certificate is for. Default: none. */
  readonly hosts?: readonly string[] | undefined;
  /** `server`: a host proves itself with it; `client`: a worker. */
  readonly usage: "server" | "client";
  readonly validFromMs: number;
  readonly days: number;
}

const dayMs = 86_400_000;
/** The clocks of the other machines may be late. */
const earlierMs = 3_600_000;
const ec = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

/** An authority for development. Its key is in this process, or in a file beside the certificates: use it for development alone. */
export class DevelopmentAuthority {
  readonly pair: CertificatePair;
  readonly #selfsigned: SelfsignedModule;

  private constructor(pair: CertificatePair, selfsigned: SelfsignedModule) {
    this.pair = pair;
    this.#selfsigned = selfsigned;
  }

  /** Makes an authority. Rejects with `wrong-state` without the package `selfsigned`. */
  static async create({
    name,
    validFromMs,
    days,
  }: Omit<IssueOptions, "usage" | "hosts">): Promise<DevelopmentAuthority> {
    const selfsigned = await loadSelfsigned();
    const made = await selfsigned.generate([{ name: "commonName", value: name }], {
      ...{ ...ec, ...validity(validFromMs, days) },
      extensions: [
        { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
        { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      ],
    });
    return new DevelopmentAuthority({ cert: made.cert, key: made.private }, selfsigned);
  }

  /** Uses an authority that was made before. */
  static async of(pair: CertificatePair): Promise<DevelopmentAuthority> {
    return new DevelopmentAuthority(pair, await loadSelfsigned());
  }

  async issue({ name, hosts = [], usage, validFromMs, days }: IssueOptions): Promise<CertificatePair> {
    const altNames = hosts.map(alternativeName);
    const made = await this.#selfsigned.generate([{ name: "commonName", value: name }], {
      ...{ ...ec, ...validity(validFromMs, days), ca: this.pair },
      extensions: [
        { name: "basicConstraints", cA: false, critical: true },
        { name: "keyUsage", digitalSignature: true, critical: true },
        { name: "extKeyUsage", ...(usage === "server" ? { serverAuth: true } : { clientAuth: true }) },
        ...(altNames.length === 0 ? [] : [{ name: "subjectAltName", altNames }]),
      ],
    });
    return { cert: made.cert, key: made.private };
  }
}

function validity(validFromMs: number, days: number): { readonly notBeforeDate: Date; readonly notAfterDate: Date } {
  return { notBeforeDate: new Date(validFromMs - earlierMs), notAfterDate: new Date(validFromMs + days * dayMs) };
}

function alternativeName(host: string): AlternativeName {
  if (isIP(host) !== 0) return { type: 7, ip: host };
  return { type: host.includes("://") ? 6 : 2, value: host };
}
