import { createSecureContext, type SecureContextOptions } from "node:tls";
import { errorText, TroupeError } from "../../core/internal.ts";

/** Throws `invalid-argument` for certificates and keys that can't be used, so that no connection has to find out. */
export function assertTls(tls: object | undefined): void {
  if (tls === undefined) return;
  try {
    // The context is made of the same options again for each listener and each connection.
    createSecureContext(tls satisfies SecureContextOptions);
  } catch (cause) {
    const hint =
      "Check that cert, key and ca are the text of PEM files, not their names, and that the key fits the cert.";
    throw new TroupeError("invalid-argument", `The option tls can't be used: ${errorText(cause)}. ${hint}`, { cause });
  }
}
