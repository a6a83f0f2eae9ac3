import type { Exposure } from "../transport/internal.ts";
import type { ResolvedHostOptions } from "./options.ts";
import { knowsCallers } from "./principal.ts";

/** Says why a host may not listen at an address that is open so far. Undefined: it may. */
export function whyNotProtected(
  exposure: Exposure,
  options: Pick<ResolvedHostOptions, "authenticator" | "authorize" | "insecure">,
): string | undefined {
  if (options.insecure) return undefined;
  const lacks: string[] = [];
  if (exposure === "plaintext") lacks.push("TLS (the listener's option tls)");
  const isOpenToAll = exposure === "plaintext" || exposure === "tls";
  if (isOpenToAll && !knowsCallers(options))
    lacks.push("authentication (the option authenticator, or tls with ca and requestCert)");
  if (lacks.length === 0) return undefined;
  return `is open to other machines, and the host has no ${lacks.join(" and no ")}. Set that, listen on 127.0.0.1, or set insecure: true.`;
}
