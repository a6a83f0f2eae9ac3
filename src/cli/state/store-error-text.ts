import { errorText, StoreError, TroupeError } from "../../core/internal.ts";

/** Returns an error with the advice that an operator needs beside the store's own. Others come back as they are. */
export function withAdvice(error: unknown, advice: { readonly inUse: string }): unknown {
  if (!(error instanceof StoreError)) return error;
  switch (error.storeCode) {
    case "in-use":
      return new TroupeError(error.code, `${errorText(error)} ${advice.inUse}`, { cause: error });
    case "corrupt":
      return new TroupeError(error.code, `${errorText(error)} (troupe state check tells more.)`, { cause: error });
    default:
      return error;
  }
}
