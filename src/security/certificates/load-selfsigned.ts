import { errorText, TroupeError } from "../../core/internal.ts";

/** A name in a certificate: 2 a DNS name, 6 a URI, 7 an IP address. */
export type AlternativeName =
  | { readonly type: 2 | 6; readonly value: string }
  | { readonly type: 7; readonly ip: string };

export interface GenerateOptions {
  readonly keyType: "ec";
  readonly curve: "P-256";
  readonly algorithm: "sha256";
  readonly notBeforeDate: Date;
  readonly notAfterDate: Date;
  readonly extensions: readonly object[];
  readonly ca?: { readonly key: string; readonly cert: string };
}

/** The part of the package `selfsigned` that is used here. */
export interface SelfsignedModule {
  generate(
    subject: readonly { readonly name: "commonName"; readonly value: string }[],
    options: GenerateOptions,
  ): Promise<{ readonly private: string; readonly cert: string }>;
}

/** Imports the package `selfsigned`. Rejects with what to install. */
export async function loadSelfsigned(importSelfsigned?: () => Promise<unknown>): Promise<SelfsignedModule> {
  try {
    // A program that joins files into one takes an `import` in a `try` for optional.
    const loaded: unknown = importSelfsigned === undefined ? await import("selfsigned") : await importSelfsigned();
    return loaded as SelfsignedModule;
  } catch (cause) {
    const text = `Making certificates needs the package selfsigned: npm install selfsigned@5 (${errorText(cause)})`;
    throw new TroupeError("wrong-state", text, { cause });
  }
}
