import { errorText, TroupeError } from "../../core/internal.ts";
import type { Dialer, Link } from "../../transport/internal.ts";

/** Opens a link to an address. Throws `invalid-argument` for an invalid address. */
export function dialTo(dialer: Dialer, address: string): Link {
  try {
    return dialer.dial(address);
  } catch (cause) {
    throw new TroupeError("invalid-argument", errorText(cause), { cause });
  }
}
