// What other rooms and tests use of this room.
export type { CertificatePair } from "./development-certificates.ts";
export { DevelopmentAuthority } from "./development-certificates.ts";
