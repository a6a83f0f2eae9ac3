import { createSecureContext, type SecureContextOptions } from "node:tls";
import { errorText, TroupeError } from "../../core/internal.ts";

/** Throws `invalid-argument` for certificates and keys that can't be used, so that no connection has to find out. */
export function assertTls(tls: object | undefined): void {
  if (tls === undefined) return;
  assertTlsVersions(tls);
  try {
    // The context is made of the same options again for each listener and each connection.
    createSecureContext(tls satisfies SecureContextOptions);
  } catch (cause) {
    const hint =
      "Check that cert, key and ca are the text of PEM files, not their names, and that the key fits the cert.";
    throw new TroupeError("invalid-argument", `The option tls can't be used: ${errorText(cause)}. ${hint}`, { cause });
  }
}

const refusedVersions: readonly unknown[] = ["SSLv3", "TLSv1", "TLSv1.1"];

/** The least version of TLS. Node's flags can lower its own default. */
export const leastTlsVersion = "TLSv1.2" as const;

/** Returns the options. Throws `invalid-argument` if they would allow a version of TLS that is broken. */
export function assertTlsVersions<Options extends object>(tls: Options): Options {
  const { minVersion, maxVersion, secureProtocol }: TlsVersions = tls;
  const low = [minVersion, maxVersion].find((version) => refusedVersions.includes(version));
  if (low === undefined && secureProtocol === undefined) return tls;
  const what = low === undefined ? "secureProtocol" : `the version ${String(low)}`;
  throw new TroupeError(
    "invalid-argument",
    `The option tls must not have ${what}: TLS 1.2 is the least. Use minVersion.`,
  );
}

interface TlsVersions {
  readonly minVersion?: unknown;
  readonly maxVersion?: unknown;
  readonly secureProtocol?: unknown;
}
